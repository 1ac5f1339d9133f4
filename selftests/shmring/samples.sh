#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The sample modules do what they say: as a user would run them, on the device.
modules=${SHMRING_MODULES:-/modules}
n=0
failed=0

t() { # WHAT COMMAND...
	what=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/.sample 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' /tmp/.sample
		failed=1
	fi
}

if [ ! -e "$modules/shmring_sched.ko" ] || ! command -v sched_decode >/dev/null; then
	echo "1..0 # SKIP the samples are not built, or not in here"
	exit 0
fi

# ---- context switches ------------------------------------------------------------

switches() {
	sched_decode 200 >/tmp/.switches && [ "$(wc -l </tmp/.switches)" = 200 ]
}

# Nothing is lost at the beginning: in each CPU the one who gets it is the one who has it at
# the next switch, and time goes on.
plausible() {
	sed 's/^\([0-9]*\)\.\([0-9]*\) cpu \([0-9]*\): \([0-9]*\) .* -> \([0-9]*\) .*/\1\2 \3 \4 \5/' \
		/tmp/.switches |
		awk '{ if ($2 in who && (who[$2] != $3 || $1 < last[$2])) { print NR ": " $0; exit 1 }
			who[$2] = $4; last[$2] = $1 }'
}

# Nobody reads, and the lanes are small: it has to be lost, and the count be told.
counts_losses() {
	i=0
	while [ $i -lt 150 ]; do
		/bin/true
		i=$((i + 1))
	done
	sched_decode 10 >/dev/null 2>/tmp/.lost && cat /tmp/.lost &&
		[ "$(awk '{ print $3 }' /tmp/.lost)" -gt 0 ]
}

# What an earlier reader left there is not a word of this one, which may not have begun.
goes_when_unloaded() {
	rm -f /tmp/.switches
	sched_decode >/tmp/.switches 2>&1 &
	reader=$!
	while [ ! -s /tmp/.switches ]; do
		kill -0 $reader || return 1
	done
	rmmod shmring_sched && wait $reader
}

t "insmod shmring_sched" insmod "$modules/shmring_sched.ko"
t "the ring is in the list" sh -c 'shmring list | grep -q sched_switch'
t "switches are read" switches
t "they are plausible" plausible
t "shmring recv reads them as well" sh -c \
	'[ "$(shmring recv sched_switch -c 5 | wc -c)" = 320 ]'
t "rmmod shmring_sched" rmmod shmring_sched
t "the ring goes with it" sh -c '! shmring list | grep -q sched_switch'
t "insmod with small lanes" insmod "$modules/shmring_sched.ko" lane_kib=4
t "what is lost is counted" counts_losses
t "a reader ends with the module" goes_when_unloaded

# ---- commands -----------------------------------------------------------------------

t "insmod shmring_commands" insmod "$modules/shmring_commands.ko"
t "2 + 40" sh -c '[ "$(ask 2 + 40)" = 42 ]'
t "84 / 2" sh -c '[ "$(ask 84 / 2)" = 42 ]'
t "1 / 0 is an error" sh -c 'ask 1 / 0 2>&1 | grep -q "out of domain\|argument"'
t "an unknown command is an error" sh -c 'ask 1 x 2 2>&1 | grep -q "Invalid"'
t "20000 requests, many under way" sh -c '[ "$(ask 20000)" = "20000 answers" ]'
t "rmmod shmring_commands" rmmod shmring_commands
echo "1..$n"
exit $failed
