#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What happens inside the guest, run by PID 1 with its output on the second serial
# port. run-vm writes /guest/config and reads what is printed here: everything
# between "@begin NAME" and "@end NAME STATUS" is one program's TAP, and tap.awk
# judges it.
#
# In this order: look at the memory, load the module, run what was asked for,
# unload, look again.
set -u
. /guest/config		# MODE MODULE PATTERN PROGRAM_TIMEOUT TEST_ENV

busybox --install -s /bin
hostname guest
ip link set lo up	# for benchmarks that take TCP along
# Tests provoke SIGSEGV on purpose; the log stays for what is wrong.
echo 0 >/proc/sys/debug/exception-trace
echo 60 >/proc/sys/kernel/hung_task_timeout_secs
[ ! -e /proc/sys/kernel/panic_on_rcu_stall ] || echo 1 >/proc/sys/kernel/panic_on_rcu_stall
# From now on nothing is said of caches that are dropped.
echo 4 >/proc/sys/vm/drop_caches
# KCSAN watches more often and for longer than it would by itself, for two emulated CPUs are slow
# to meet; and from now on only, for unpacking an initramfs would take minutes.
if [ -e /sys/kernel/debug/kcsan ]; then
	echo 2000 >/sys/module/kcsan/parameters/skip_watch
	echo 200 >/sys/module/kcsan/parameters/udelay_task
	echo on >/sys/kernel/debug/kcsan
fi
# The event that the command line switched on is there for its probes only.
mount -t tracefs tracefs /sys/kernel/tracing && echo 0 >/sys/kernel/tracing/tracing_on
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /disk
if mount -t ext4 /dev/nvme0n1 /disk 2>/dev/null; then
	export SHMRING_TEST_DISK=/disk
fi
echo "harness: start" >/dev/kmsg
echo "@up $(cut -d' ' -f1 /proc/uptime) $(uname -r)"

# ---- the harness's own checks, as TAP ---------------------------------------

n=0
failed=0
ok() { n=$((n + 1)); echo "ok $n - $*"; }
not_ok() { n=$((n + 1)); failed=1; echo "not ok $n - $*"; }
note() { sed 's/^/# /'; }

# check WHAT COMMAND...: shows what the command printed if it fails
check() {
	what=$1
	shift
	if "$@" >/tmp/.check 2>&1; then
		ok "$what"
	else
		not_ok "$what"
		note </tmp/.check
	fi
}

begin() { n=0; echo "@begin $1"; }
end() { echo "1..$n"; echo "@end $1 $failed"; }

# ---- module and memory --------------------------------------------------------

# Pages that cannot be reclaimed, exactly: per-CPU remainders are folded in first.
unevictable() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	cat /proc/sys/vm/stat_refresh
	grep -E '^(Mlocked|Unevictable):' /proc/meminfo
}

# As the udev rule does.
device_rights() { chgrp shmring /dev/shmring && chmod 660 /dev/shmring; }

load() { insmod /shmring.ko && device_rights; }

unused() {
	cat /sys/module/shmring/refcnt
	ps -o pid,ppid,stat,user,args
	[ "$(cat /sys/module/shmring/refcnt)" = 0 ]
}

same_memory() {
	unevictable >/tmp/.after
	cat /tmp/.before /tmp/.after
	cmp -s /tmp/.before /tmp/.after
}

nothing_left() {
	! ls -d /dev/shmring /sys/module/shmring /sys/class/misc/shmring \
		/sys/kernel/debug/shmring 2>/dev/null &&
		! grep shmring /proc/slabinfo /proc/filesystems /proc/modules
}

# On kernels that look for leaks: what is unreferenced now and was not before. An object
# is suspected from its sixth second on.
kmemleak=/sys/kernel/debug/kmemleak
no_leak() {
	sleep 6
	echo scan >"$kmemleak"
	echo scan >"$kmemleak"
	cat "$kmemleak"
	[ -z "$(cat "$kmemleak")" ]
}

# O (out of tree) and E (not signed) are what our own module always sets.
taint() {
	cat /proc/sys/kernel/tainted
	[ $(($(cat /proc/sys/kernel/tainted) & ~(1 << 12 | 1 << 13))) = 0 ]
}

before() {
	unevictable >/tmp/.before
	[ ! -e "$kmemleak" ] || { echo scan >"$kmemleak"; echo clear >"$kmemleak"; }
	[ "$MODULE" = 1 ] || return 0
	load || { begin module; not_ok "insmod"; end module; exit 1; }
}

# Three times, for what a second load finds that a first left behind.
reload() {
	load && rmmod shmring && load && rmmod shmring && load && rmmod shmring
}

after() {
	begin module
	if [ "$MODULE" = 1 ]; then
		check "nothing uses the module any more" unused
		check "rmmod" rmmod shmring
		check "insmod and rmmod again, three times" reload
		check "rmmod leaves nothing behind" nothing_left
		check "locked and unevictable memory is back where it was" same_memory
	fi
	[ ! -e "$kmemleak" ] || check "kmemleak finds nothing" no_leak
	check "the kernel is not tainted" taint
	end module
}

# Of a module built with SHMRING_GCOV=y: the counts of all its loads.
coverage() {
	find /sys/kernel/debug/gcov -name '*.gcda' 2>/dev/null | while read -r f; do
		echo "@gcda $f"
		# A size is told only once it has been read.
		cat "$f" >/tmp/.gcda
		base64 </tmp/.gcda
		echo "@end-gcda"
	done
}

# ---- what to run -----------------------------------------------------------------

program() {
	echo "@begin $1"
	case $2 in
	*.sh) run="sh $2" ;;
	*) run=$2 ;;
	esac
	timeout -s KILL "$PROGRAM_TIMEOUT" sh -c "cd ${2%/*} && exec $run" \
		</dev/null 2>/tmp/.stderr
	rc=$?
	[ ! -e /dev/shmring ] || device_rights	# a test may have loaded the module anew
	echo
	sed 's/^/# stderr: /' /tmp/.stderr
	echo "@end $1 $rc"
}

# programs DIR: what is listed for it; one that is not there fails when it is run
programs() {
	while read -r p; do
		# shellcheck disable=SC2254
		case $1/$p in
		$PATTERN) program "$1/$p" "/tests/$1/$p" ;;
		esac
	done <"/guest/list.$1"
}

case $MODE in
tests)
	before
	export SHMRING_KO=/shmring.ko SHMRING_MODULES=/modules
	# shellcheck disable=SC2163,SC2086
	[ -z "$TEST_ENV" ] || export $TEST_ENV
	programs shmring
	SHMRING_TEST_BACKEND=device
	SHMRING=/usr/bin/shmring
	SHMRING_TEST_LINES=100000
	export SHMRING SHMRING_TEST_BACKEND SHMRING_TEST_LINES
	programs lib
	programs tools
	;;
command)
	before
	echo "@command"
	sh /guest/command </dev/null
	rc=$?
	echo
	echo "@status $rc"
	;;
shell)
	before
	echo "Exit the shell to unload the module and end the guest."
	stty sane -F /dev/ttyS1
	setsid -c sh -i </dev/ttyS1 >/dev/ttyS1 2>&1
	stty raw -F /dev/ttyS1
	;;
esac
after
coverage
echo "@done"
exit "$failed"
