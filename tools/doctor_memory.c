// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the memfd backend needs, and what makes memory fast on both: /dev/shm, pages of
 * 2 MiB, placement on nodes. What can be tried is tried, for what a setting says and
 * what is got are two things.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "doctor.h"

#define SHM		"/dev/shm"
#define SHM_ENOUGH	(64ULL << 20)
#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define HUGE_TRY	(4ULL << 20)

/* To MiB, or where there is less, to KiB. */
static unsigned long long about(unsigned long long bytes)
{
	return bytes >> 20 ? bytes >> 20 << 20 : bytes >> 10 << 10;
}

void doctor_shm(struct doctor *d)
{
	enum finding weight = doctor_weight(d, SHMRING_BACKEND_MEMFD);
	unsigned long long total, avail;
	char a[32], b[32];
	struct statvfs v;
	struct statfs fs;

	if (statfs(SHM, &fs) || statvfs(SHM, &v) || (unsigned long)fs.f_type != TMPFS_MAGIC) {
		doctor_tell(d, weight, SHM,
			    "sudo mkdir -p -m 1777 " SHM
			    " && sudo mount -t tmpfs -o nosuid,nodev,mode=1777 shm " SHM,
			    "no memory file system is mounted there: rings of the memfd backend cannot have names");
		return;
	}
	if (access(SHM, W_OK | X_OK)) {
		doctor_tell(d, weight, SHM, errno == EROFS ? "sudo mount -o remount,rw " SHM :
			    "sudo chmod 1777 " SHM,
			    "you may not make files there: rings of the memfd backend cannot have names");
		return;
	}
	total = (unsigned long long)v.f_blocks * v.f_frsize;
	avail = (unsigned long long)v.f_bavail * v.f_frsize;
	if (total && avail < SHM_ENOUGH) {
		doctor_tell(d, FINDING_NOTE, SHM, "sudo mount -o remount,size=1G " SHM,
			    "%s of %s are left for rings with names (in a container: --shm-size=1g)",
			    tool_size(a, sizeof(a), about(avail)),
			    tool_size(b, sizeof(b), about(total)));
		return;
	}
	doctor_tell(d, FINDING_OK, SHM, NULL, total ? "%s are left for rings with names" :
		    "no limit for rings with names", tool_size(a, sizeof(a), about(avail)));
}

static int try_ring(struct shmring_opts *opts)
{
	struct shmring *r;
	int err;

	opts->size = sizeof(*opts);
	err = shmring_create(NULL, SHMRING_ROLE_OBSERVER, opts, &r);
	if (!err)
		shmring_close(r);
	return err;
}

void doctor_huge(struct doctor *d)
{
	struct shmring_opts opts = {
		.backend = SHMRING_BACKEND_MEMFD, .flags = SHMRING_CREATE_HUGE,
		.data_size = HUGE_TRY, .node = -1, .cursor_node = -1,
	};
	int err = try_ring(&opts);
	const char *setting;
	char line[128];

	doctor_read(line, sizeof(line), SHMEM_HUGE);
	setting = tool_chosen(line);
	if (!*setting)
		doctor_tell(d, FINDING_NOTE, "huge pages", NULL,
			    "this kernel has no transparent huge pages for shared memory: large rings of the memfd backend have small pages");
	else if (err)
		doctor_tell(d, FINDING_NOTE, "huge pages",
			    !strcmp(setting, "never") || !strcmp(setting, "deny") ?
			    "echo advise | sudo tee " SHMEM_HUGE :
			    "echo 1 | sudo tee /proc/sys/vm/compact_memory",
			    "large rings of the memfd backend get small pages (shmem_enabled is %s)",
			    setting);
	else
		doctor_tell(d, FINDING_OK, "huge pages", NULL,
			    "large rings of the memfd backend get pages of 2 MiB: they ask for them themselves, whatever shmem_enabled is (%s)",
			    setting);
}

void doctor_numa(struct doctor *d)
{
	struct shmring_opts opts = {
		.backend = SHMRING_BACKEND_MEMFD, .placement = SHMRING_PLACE_STRICT,
		.data_size = 4096, .cursor_node = -1,
	};
	char nodes[128];
	int err;

	doctor_read(nodes, sizeof(nodes), "/sys/devices/system/node/has_memory");
	if (!*nodes) {
		doctor_tell(d, FINDING_OK, "NUMA", NULL, "this kernel knows one node only");
		return;
	}
	opts.node = atoi(nodes);
	err = try_ring(&opts);
	if (err == -EPERM || err == -ENOSYS || err == -EACCES)
		doctor_tell(d, FINDING_NOTE, "NUMA", NULL,
			    "memory on node %s; the memfd backend may not place rings here (in a container: --cap-add SYS_NICE or a seccomp profile that allows mbind)",
			    nodes);
	else if (err)
		doctor_tell(d, FINDING_NOTE, "NUMA", NULL,
			    "memory on node %s; placing a ring on node %d failed: %s", nodes,
			    opts.node, shmring_strerror(err));
	else
		doctor_tell(d, FINDING_OK, "NUMA", NULL, "memory on node%s %s, rings can be placed",
			    strpbrk(nodes, ",-") ? "s" : "", nodes);
}
