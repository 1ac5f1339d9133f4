// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench pc --survive: what is in a file outlives who wrote it.
 *
 * A sender fills the message buffer in an mmap'ed file and is killed; then, and not
 * before, a receiver is started that knows the path only. It has to find every
 * message.
 */
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_pc.h"

struct found {
	int32_t err;
	uint32_t waiting;	/* messages that the receiver found in the file */
	uint32_t right;
};

static void send_and_die(int fd)
{
	struct pc_channel *c;
	int err;

	err = pc_messages_make(fd, &c);
	if (!err)
		err = pc_msg_file.produce(c, 0, PC_MESSAGES, PC_MESSAGE_LEN);
	if (err)
		_exit(1);
	raise(SIGKILL);
}

static void receive(const char *path, struct found *found)
{
	struct pc_channel *c;
	uint32_t i;

	found->err = pc_messages_open(path, &c);
	if (found->err)
		return;
	found->waiting = pc_messages_waiting(c);
	for (i = 0; i < found->waiting && i < PC_MESSAGES && !found->err; i++) {
		found->err = pc_msg_file.consume(c, i, 1, PC_MESSAGE_LEN);
		found->right += !found->err;
	}
}

static int in_child(void (*run)(void *arg), void *arg, int *status)
{
	pid_t pid, parent = getpid();

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			run(arg);
		_exit(0);
	}
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

struct job {
	const char *path;
	int fd;
	struct found *found;
};

static void sender(void *arg)
{
	send_and_die(((struct job *)arg)->fd);
}

static void receiver(void *arg)
{
	const struct job *job = arg;

	close(job->fd);
	receive(job->path, job->found);
}

static int both(struct job *job)
{
	int status, err;

	err = in_child(sender, job, &status);
	if (err)
		return err;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return -ECHILD;
	if (tool_stopped)
		return -EINTR;
	err = in_child(receiver, job, &status);
	if (!err && status)
		err = -ECHILD;
	return err ? err : job->found->err;
}

static int print(const struct pc_args *args, const struct found *found)
{
	const double right = found->right;
	const struct bench_result out = {
		.group = "Messages found by a receiver that began after the sender was killed",
		.contender = pc_msg_file.name, .metric = "found", .unit = "messages",
		.payload = PC_MESSAGE_LEN, .rounds = &right, .n = 1,
	};
	enum bench_form form = args->json ? BENCH_JSON : args->tsv ? BENCH_TSV : BENCH_TEXT;
	json_t *doc;
	int code;

	doc = bench_doc_new("pc-survive", bench_environment(&args->place),
			    json_pack("{s:i}", "sent", PC_MESSAGES));
	if (!doc || bench_doc_add(doc, &out)) {
		json_decref(doc);
		return tool_fail(-ENOMEM, "cannot hold the results");
	}
	bench_doc_checked(doc, found->right);
	code = bench_doc_print(doc, form,
			       "The file keeps what was written until it is removed, whoever ends; it is sure to be on "
			       "the disk only after msync(2) or fsync(2).");
	json_decref(doc);
	return code;
}

int pc_survive(const struct pc_args *args)
{
	char path[256];
	struct job job = { .path = path };
	int err, code;

	job.found = mmap(NULL, sizeof(*job.found), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job.found == MAP_FAILED)
		return tool_fail(-errno, "cannot share memory with the receiver");
	job.fd = pc_temporary(path, sizeof(path));
	if (job.fd < 0) {
		munmap(job.found, sizeof(*job.found));
		return tool_fail(job.fd, "cannot make the file %s", path);
	}
	err = both(&job);
	unlink(path);
	close(job.fd);
	if (err == -EINTR)
		code = tool_signal_exit();
	else if (err == -EBADMSG || (!err && job.found->right != PC_MESSAGES))
		code = tool_say(TOOL_DAMAGED, "of %d messages the receiver found %u, and %u of them were right",
				PC_MESSAGES, job.found->waiting, job.found->right);
	else if (err)
		code = tool_fail(err, "cannot pass messages through %s", path);
	else
		code = print(args, job.found);
	munmap(job.found, sizeof(*job.found));
	return code;
}
