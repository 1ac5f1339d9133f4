/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record of the ring that shmring_sched.ko writes: one for each context switch.
 */
#ifndef SHMRING_SAMPLE_SCHED_H
#define SHMRING_SAMPLE_SCHED_H

#include <linux/types.h>

#define SCHED_RING	"sched_switch"
#define SCHED_COMM	16

/**
 * struct sched_task - one side of a switch
 * @pid: thread id, as the initial PID namespace has it
 * @prio: the kernel's priority: 0 to 99 real time, 100 to 139 nice, 120 is nice 0
 * @comm: its name, terminated
 */
struct sched_task {
	__s32 pid;
	__s32 prio;
	char comm[SCHED_COMM];
};

/**
 * struct sched_record - a context switch
 * @time: CLOCK_MONOTONIC in ns
 * @cpu: where
 * @state: of @prev: 0 if it could have gone on
 * @prev: who had the CPU
 * @next: who has it now
 */
struct sched_record {
	__u64 time;
	__u32 cpu;
	__u32 state;
	struct sched_task prev;
	struct sched_task next;
};

#endif /* SHMRING_SAMPLE_SCHED_H */
