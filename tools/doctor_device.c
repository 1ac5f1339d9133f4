// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device needs: a kernel, the module, the node and the right to open it,
 * memory that may be locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

#define GROUP		"shmring"
#define MEMLOCK_ENOUGH	(8ULL << 20)	/* what systemd gives by default */

void doctor_kernel(struct doctor *d)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return;
	if (major < 6 || (major == 6 && minor < 1))
		doctor_tell(d, doctor_weight(d, SHMRING_BACKEND_DEVICE), "kernel", NULL,
			    "Linux %s is older than 6.1, which the module needs: boot a newer kernel",
			    u.release);
	else
		doctor_tell(d, FINDING_OK, "kernel", NULL, "Linux %s on %s", u.release, u.machine);
}

/* Does a line of the file hold the text? */
static bool file_holds(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	bool hit = false;

	while (f && !hit && getline(&line, &cap, f) > 0)
		hit = strstr(line, text);
	free(line);
	if (f)
		fclose(f);
	return hit;
}

/* Does apt know the package? It looks at what it has here; where there is no apt: no. */
static bool package_known(const char *package)
{
	char *const argv[] = {
		(char *)"apt-cache", (char *)"show", (char *)(uintptr_t)package, NULL
	};
	posix_spawn_file_actions_t quiet;
	int status = -1, fd;
	pid_t pid;

	if (posix_spawn_file_actions_init(&quiet))
		return false;
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
	if (!posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ) &&
	    waitpid(pid, &status, 0) != pid)
		status = -1;
	posix_spawn_file_actions_destroy(&quiet);
	return !status;
}

/* Neither the module nor what it is built with is here. */
static void tell_no_headers(struct doctor *d, enum finding weight, const char *release)
{
	char package[128], fix[256];

	snprintf(package, sizeof(package), "linux-headers-%s", release);
	snprintf(fix, sizeof(fix), "sudo apt-get install %s", package);
	if (package_known(package))
		doctor_tell(d, weight, "module", fix,
			    "shmring is not installed for this kernel, nor are the headers to build it");
	else
		doctor_tell(d, weight, "module", NULL,
			    "shmring is not installed for this kernel, nor are the headers to build it, and no package of them is known here: "
			    "Linux %s is not the distribution's (or apt-get update is due). Build the module with the headers or sources that "
			    "this kernel was built from, or boot the distribution's kernel; the memfd backend needs neither",
			    release);
}

void doctor_module(struct doctor *d)
{
	enum finding weight = doctor_weight(d, SHMRING_BACKEND_DEVICE);
	struct utsname u;
	char path[512];

	if (!access("/sys/module/shmring", F_OK)) {
		doctor_tell(d, FINDING_OK, "module", NULL, "shmring is loaded");
		return;
	}
	if (uname(&u))
		return;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	if (file_holds(path, "/shmring.ko")) {
		doctor_tell(d, weight, "module", "sudo modprobe shmring",
			    "shmring is installed but not loaded%s",
			    file_holds("/sys/kernel/security/lockdown", "[none]") ||
			    access("/sys/kernel/security/lockdown", F_OK) ? "" :
			    ", and this kernel takes signed modules only");
		return;
	}
	snprintf(path, sizeof(path), "/lib/modules/%s/build", u.release);
	if (access(path, F_OK)) {
		tell_no_headers(d, weight, u.release);
		return;
	}
	doctor_tell(d, weight, "module",
		    "make modules && sudo make modules_install && sudo depmod -a && sudo modprobe shmring",
		    "shmring is not installed for this kernel: build it in its sources, or install the package shmring-dkms");
}

/* Is the caller in the group, by the group file? And this process, already? */
static bool in_group(gid_t gid, bool *already)
{
	const struct passwd *pw = NULL;
	const struct group *gr = NULL;
	gid_t groups[256];
	int n = getgroups(256, groups), i;
	bool member = false;
	FILE *f;

	*already = getegid() == gid;
	for (i = 0; i < n; i++)
		*already |= groups[i] == gid;
	/* Local files only, as everywhere: see tool_user(). */
	f = fopen("/etc/passwd", "re");
	while (f && (pw = fgetpwent(f)) && pw->pw_uid != getuid())
		;
	if (f)
		fclose(f);
	f = pw ? fopen("/etc/group", "re") : NULL;
	while (f && (gr = fgetgrent(f))) {
		if (gr->gr_gid != gid)
			continue;
		for (i = 0; gr->gr_mem[i]; i++)
			member |= !strcmp(gr->gr_mem[i], pw->pw_name);
	}
	if (f)
		fclose(f);
	return member;
}

static const char *group_name(gid_t gid, char *buf, size_t n)
{
	const struct group *gr;
	FILE *f = fopen("/etc/group", "re");

	snprintf(buf, n, "%u", gid);
	while (f && (gr = fgetgrent(f)))
		if (gr->gr_gid == gid)
			snprintf(buf, n, "%s", gr->gr_name);
	if (f)
		fclose(f);
	return buf;
}

void doctor_node(struct doctor *d)
{
	enum finding weight = doctor_weight(d, SHMRING_BACKEND_DEVICE);
	char group[64], user[64], fix[256];
	struct stat st;
	bool already;

	if (stat(TOOL_DEVICE, &st)) {
		/* Without the module there is nothing else to say about it. */
		if (!access("/sys/module/shmring", F_OK))
			doctor_tell(d, weight, "device node",
				    "sudo udevadm trigger --subsystem-match=misc --sysname-match=shmring",
				    "the module is loaded, but there is no " TOOL_DEVICE
				    " (in a container: it has to be passed in, by --device "
				    TOOL_DEVICE ")");
		return;
	}
	if (!S_ISCHR(st.st_mode)) {
		doctor_tell(d, weight, "device node", "sudo rm " TOOL_DEVICE
			    " && sudo udevadm trigger --subsystem-match=misc --sysname-match=shmring",
			    TOOL_DEVICE " is not a device");
		return;
	}
	group_name(st.st_gid, group, sizeof(group));
	if (!access(TOOL_DEVICE, R_OK | W_OK)) {
		doctor_tell(d, FINDING_OK, "device node", NULL,
			    TOOL_DEVICE " may be opened, it is %04o for group %s",
			    st.st_mode & 07777, group);
		return;
	}
	if (!st.st_gid || (st.st_mode & 0060) != 0060) {
		snprintf(fix, sizeof(fix),
			 "getent group " GROUP " || sudo groupadd -r " GROUP
			 "; sudo chgrp " GROUP " " TOOL_DEVICE " && sudo chmod 660 " TOOL_DEVICE);
		doctor_tell(d, weight, "device node", fix,
			    "you may not open " TOOL_DEVICE ", which is %04o for group %s instead of 0660 "
			    "for group " GROUP " (make install brings the udev rule)",
			    st.st_mode & 07777, group);
		return;
	}
	if (in_group(st.st_gid, &already) && !already) {
		snprintf(fix, sizeof(fix), "newgrp %s", group);
		doctor_tell(d, weight, "device node", fix,
			    "you may open " TOOL_DEVICE " since you were put in group %s, from your next login on",
			    group);
		return;
	}
	snprintf(fix, sizeof(fix), "sudo usermod -aG %s %s    (and log in again)", group,
		 tool_user(user, sizeof(user), getuid()));
	doctor_tell(d, weight, "device node", fix,
		    "you may not open " TOOL_DEVICE ": it is for group %s, which you are not in",
		    group);
}

/* CAP_IPC_LOCK, as /proc tells it */
static bool may_lock(void)
{
	unsigned long long caps = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "CapEff: %llx", &caps);
	if (f)
		fclose(f);
	return caps >> 14 & 1;
}

void doctor_memlock(struct doctor *d)
{
	struct rlimit limit;
	char size[32];

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	if (may_lock()) {
		doctor_tell(d, FINDING_OK, "locked memory", NULL,
			    "not limited for you (CAP_IPC_LOCK)");
	} else if (limit.rlim_cur == RLIM_INFINITY) {
		doctor_tell(d, FINDING_OK, "locked memory", NULL, "not limited");
	} else if (limit.rlim_cur >= MEMLOCK_ENOUGH) {
		doctor_tell(d, FINDING_OK, "locked memory", NULL,
			    "rings of the device may have %s together",
			    tool_size(size, sizeof(size), limit.rlim_cur));
	} else if (limit.rlim_max > limit.rlim_cur) {
		doctor_tell(d, FINDING_NOTE, "locked memory", "ulimit -l $(ulimit -H -l)",
			    "rings of the device may have %s together, until you raise your limit",
			    tool_size(size, sizeof(size), limit.rlim_cur));
	} else {
		doctor_tell(d, FINDING_NOTE, "locked memory",
			    "echo '@" GROUP " - memlock 1048576' | sudo tee /etc/security/limits.d/shmring.conf    (and log in again)",
			    "rings of the device may have no more than %s together",
			    tool_size(size, sizeof(size), limit.rlim_cur));
	}
}
