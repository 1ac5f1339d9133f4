#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in the guest ("make check-trace"): Documentation/shmring.bt tells what rings of the
# tool did. bpftrace is this machine's own.
# shellcheck source=tools/tests/lib.sh disable=SC2034
. /tests/tools/lib.sh

# asleep PID: in a system call that waits
asleep() { grep -q ') S ' "/proc/$1/stat"; }

# samples MAP RING SLOT: how many a histogram counted
samples()
{
	awk -v head="@$1[$2, $3]:" '
		$0 ~ /^@/ { inside = index($0, head) == 1; next }
		inside && split($0, part, "|") > 1 { n = split(part[1], word, " "); sum += word[n] }
		END { print sum + 0 }' "$T/out"
}

bpftrace /shmring.bt > "$T/out" 2> "$T/err" &
tracer=$!
background $tracer
PATIENCE=900	# until it has compiled
until_true grep -q '^TIME' "$T/out"
PATIENCE=60
pass "it attaches to every tracepoint"

# A receiver that sleeps, a sender that wakes it, and is killed.
xsr recv "$ring" > "$T/received" 2> /dev/null &
receiver=$!
background $receiver
until_true endpoint_is "$ring" 1 live
id=$(sr show "$ring" | sed -n 's/^ring .*(id \([0-9]*\)).*/\1/p')
mkfifo "$T/fifo"
xsr send "$ring" < "$T/fifo" &
sender=$!
background $sender
exec 3> "$T/fifo"
for n in 1 2 3; do
	until_true asleep $receiver
	echo $n >&3
	until_true grep -q "^$n" "$T/received"
done
kill -9 $sender
reap $receiver
is $status 3 "the receiver is told"

# A user who asks for more than may be locked
su alice -c "ulimit -l 64; exec shmring create -b device $ring-big -s 1M" > /dev/null 2>&1
is $? 1 "a ring is refused"

kill -INT $tracer
reap $tracer
is $status 0 "Ctrl-C ends it"
is "$(cat "$T/err")" "" "no word on stderr"
has "$T/out" "producer of ring $id ($ring), slot 0, died after 3 records" "who died"
has "$T/out" "user 1000 was refused" "who was refused"
for map in wait_us wake_us; do
	is "$([ "$(samples $map "$id" 1)" -ge 3 ] && echo yes)" yes "@$map: at least three sleeps"
done
has "$T/out" "@kicks[$id, 0, woke]:" "@kicks"
is "$(grep -cE '^@(name|begun|waiting|woken)' "$T/out")" 0 "nothing of its own is shown"
[ "$bad" = 0 ] || sed 's/^/# /' "$T/out" "$T/err"
finish
