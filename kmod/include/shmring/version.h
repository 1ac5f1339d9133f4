/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * The version of everything here: module, library, tool and packages. Makefiles read the
 * string; the numbers are for the preprocessor of programs.
 */
#ifndef SHMRING_VERSION_H
#define SHMRING_VERSION_H

#define SHMRING_VERSION		"0.1.0"
#define SHMRING_VERSION_MAJOR	0
#define SHMRING_VERSION_MINOR	1
#define SHMRING_VERSION_PATCH	0

#endif /* SHMRING_VERSION_H */
