// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring doctor - what is missing here, and the command that fixes it
 *
 * The last word is a trial: a ring is made, joined, and carries a record, on each
 * backend that is there.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define TRIAL_NS	5000000000ULL

static const char *const words[] = { "ok", "note", "problem" };

/* The command as the caller would give it: root needs no sudo. To be freed. */
static char *for_caller(const char *fix)
{
	static const char sudo[] = "sudo ";
	char *text = fix ? strdup(fix) : NULL, *at = text;

	while (text && !geteuid() && (at = strstr(at, sudo)))
		memmove(at, at + sizeof(sudo) - 1, strlen(at + sizeof(sudo) - 1) + 1);
	return text;
}

void doctor_tell(struct doctor *d, enum finding what, const char *check, const char *fix,
		 const char *fmt, ...)
{
	char *text = NULL, *command = for_caller(fix);
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	d->count[what]++;
	if (d->json) {
		json_array_append_new(d->json, json_pack("{s:s, s:s, s:s, s:s?}", "check", check,
							 "status", words[what], "what",
							 text ? text : "", "fix", command));
	} else {
		printf("%-8s %-14s %s\n", words[what], check, text ? text : "");
		if (command)
			printf("%-23s fix: %s\n", "", command);
	}
	free(command);
	free(text);
}

enum finding doctor_weight(const struct doctor *d, uint32_t backend)
{
	return d->backend == backend ? FINDING_PROBLEM : FINDING_NOTE;
}

const char *doctor_read(char *buf, size_t n, const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(buf, (int)n, f))
		*buf = 0;
	if (f)
		fclose(f);
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

/* Makes a ring, joins it as somebody else would, sends and receives; 0 or what failed. */
static int carry(uint32_t backend, const char **step)
{
	static const char hello[] = "is anybody there?";
	struct shmring_opts opts = { .size = sizeof(opts), .backend = backend,
				     .data_size = 4096, .node = -1, .cursor_node = -1 };
	struct shmring *from, *to;
	char name[SHMRING_NAME_MAX], buf[64];
	long n;

	snprintf(name, sizeof(name), "doctor-%d", getpid());
	*step = "make a ring";
	n = shmring_create(name, SHMRING_ROLE_PRODUCER, &opts, &from);
	if (n)
		return (int)n;
	*step = "join a ring";
	n = shmring_attach(name, SHMRING_ROLE_CONSUMER, &opts, &to);
	if (n)
		goto out_close;
	*step = "send";
	n = shmring_send(from, hello, sizeof(hello), tool_now() + TRIAL_NS);
	if (!n) {
		*step = "receive";
		n = shmring_recv(to, buf, sizeof(buf), tool_now() + TRIAL_NS);
		if (n >= 0)
			n = n == sizeof(hello) && !memcmp(buf, hello, sizeof(hello)) ? 0 : -EBADMSG;
	}
	shmring_close(to);
out_close:
	shmring_close(from);
	return (int)n;
}

static void doctor_trial(struct doctor *d, uint32_t backend)
{
	char check[32];
	const char *step;
	int err;

	snprintf(check, sizeof(check), "%s backend", tool_backend_name(backend));
	/* What is missing for it was told before. */
	if (backend == SHMRING_BACKEND_DEVICE && access(TOOL_DEVICE, R_OK | W_OK))
		return;
	err = carry(backend, &step);
	d->works[backend] = !err;
	if (err)
		doctor_tell(d, doctor_weight(d, backend) == FINDING_NOTE &&
			    backend == SHMRING_BACKEND_MEMFD ? FINDING_NOTE : FINDING_PROBLEM,
			    check, NULL, "cannot %s: %s", step, shmring_strerror(err));
	else
		doctor_tell(d, FINDING_OK, check, NULL,
			    "works: a ring was made and joined, a record sent and received");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		state->child_inputs[1] = state->input;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one argument too many", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void examine(struct doctor *d)
{
	bool device = d->backend != SHMRING_BACKEND_MEMFD;
	bool memfd = d->backend != SHMRING_BACKEND_DEVICE;

	doctor_kernel(d);
	if (device) {
		doctor_module(d);
		doctor_node(d);
		doctor_memlock(d);
	}
	if (memfd) {
		doctor_shm(d);
		doctor_huge(d);
		doctor_numa(d);
	}
	if (device)
		doctor_trial(d, SHMRING_BACKEND_DEVICE);
	if (memfd)
		doctor_trial(d, SHMRING_BACKEND_MEMFD);
	if (device && memfd && !d->works[SHMRING_BACKEND_DEVICE] &&
	    !d->works[SHMRING_BACKEND_MEMFD])
		doctor_tell(d, FINDING_PROBLEM, "shmring", NULL, "neither backend works here");
}

static int conclude(const struct doctor *d, json_t *checks)
{
	unsigned int problems = d->count[FINDING_PROBLEM], notes = d->count[FINDING_NOTE];
	int code = problems ? TOOL_ERROR : TOOL_OK, out;

	if (checks) {
		out = tool_print_json(json_pack("{s:b, s:b, s:b, s:i, s:i, s:o}", "ok", !problems,
						"device", d->works[SHMRING_BACKEND_DEVICE],
						"memfd", d->works[SHMRING_BACKEND_MEMFD],
						"problems", (int)problems, "notes", (int)notes,
						"checks", checks));
		return code ? code : out;
	}
	putchar('\n');
	if (problems)
		printf("%u problem%s", problems, problems == 1 ? "" : "s");
	else
		printf("shmring works here%s",
		       d->works[SHMRING_BACKEND_DEVICE] ? "" : ", without the module");
	if (notes)
		printf("; %u note%s of what would make it better", notes, notes == 1 ? "" : "s");
	puts(".");
	return tool_flush_stdout(code);
}

int cmd_doctor(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_argp_backend, 0, NULL, 0 }, { &tool_argp_json, 0, NULL, 0 }, { 0 }
	};
	static const struct argp argp = {
		NULL, parse, "",
		"Look whether shmring can work here, say what is missing and the command that fixes it, "
		"and try each backend."
		"\v"
		"A note is of what works, but could do better: the memfd backend needs no module. With "
		"-b device or -b memfd that backend has to work, and what it lacks is a problem. Exit "
		"status 1: there is a problem. Nothing is changed here.",
		children, NULL, NULL
	};
	struct doctor d = { 0 };
	struct tool_args args;

	tool_args_init(&args);
	tool_parse(&argp, "shmring doctor", argc, argv, &args);
	signal(SIGPIPE, SIG_IGN);
	d.backend = args.opts.backend;
	if (args.json)
		d.json = json_array();
	examine(&d);
	return conclude(&d, d.json);
}
