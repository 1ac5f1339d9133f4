#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# On a ring on which nobody sleeps a signal interrupts no call: whoever waits there leaves all
# the same, in order and with the exit status of the signal.
. "${0%/*}/lib.sh"

# made NAME: such a ring, kept
made()
{
	xsr create --spin -q -s 64K "$1" &
	background $!
	until_true ring_exists "$1"
}

# ends PID SIGNAL STATUS WHAT: it is waiting by now; the rest of a minute would be no end
ends()
{
	sleep 0.3 2> /dev/null || sleep 1
	PATIENCE=10
	kill "-$2" "$1"
	reap "$1"
	is $status "$3" "$4, SIG$2: exit status"
	PATIENCE=60
}

seq 100000 > "$T/in"
made "$ring.full"
made "$ring.idle"

# The shell has what it starts in the background ignore SIGINT.
for signal in TERM:143 HUP:129; do
	for command in "recv" "cat --out" "record"; do
		file=
		[ "$command" != record ] || file=$T/file.$signal
		# shellcheck disable=SC2086
		xsr $command "$ring.idle" $file > "$T/out" 2> "$T/err" < /dev/null &
		pid=$!
		background $pid
		until_true endpoint_is "$ring.idle" 1 live
		ends $pid ${signal%:*} ${signal#*:} "$command"
	done
done
if timeout --preserve-status -s INT 5 true 2> /dev/null; then
	timeout --preserve-status -k 10 -s INT 0.5 "$SHMRING" recv -b "$BACKEND" "$ring.idle"
	is $? 130 "recv, SIGINT: exit status"
	timeout --preserve-status -k 10 -s INT 0.5 "$SHMRING" send -b "$BACKEND" "$ring.full" "$T/in"
	is $? 130 "send, SIGINT: exit status"
else
	skip "SIGINT" "no timeout --preserve-status"
fi

# What finds it full
xsr send "$ring.full" "$T/in" &
pid=$!
background $pid
until_true endpoint_is "$ring.full" 0 live
ends $pid TERM 143 send
xsr cat --in "$ring.full" < "$T/in" &
pid=$!
background $pid
until_true endpoint_is "$ring.full" 0 live
ends $pid TERM 143 "cat --in"
sr send "$ring.other" "$T/in" &
background $!
sr record "$ring.other" "$T/recorded"
is $? 0 "recorded what is to be replayed"
xsr replay --max "$T/recorded" "$ring.full" &
pid=$!
background $pid
until_true endpoint_is "$ring.full" 0 live
ends $pid TERM 143 replay

# And it still carries, and times out when it is said to.
sr recv "$ring.full" -t 0.5 > /dev/null
sr recv "$ring.idle" -t 0.3 2> /dev/null
is $? 4 "recv --timeout: exit status"
xsr recv "$ring.idle" > "$T/out" &
receiver=$!
background $receiver
until_true endpoint_is "$ring.idle" 1 live
sr send "$ring.idle" "$T/in"
is $? 0 "carries: sender's exit status"
reap $receiver
is $status 0 "carries: receiver's exit status"
same "$T/in" "$T/out" "carries: bytes"

finish
