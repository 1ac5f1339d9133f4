#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# How it ends: death, signals, time-outs, output that cannot be written. Each has
# its exit status and, where it is an error, its sentence.
. "${0%/*}/lib.sh"

mkfifo "$T/fifo"

# A sender whose input is fifo 3, stays open, and gave 3 lines
start_sender()
{
	xsr send "$ring" < "$T/fifo" 2> "$T/err" &
	sender=$!
	background $sender
	exec 3> "$T/fifo"
	printf 'a\nb\nc\n' >&3
	until_true has_written "$ring" 3
}

start_receiver()
{
	xsr recv "$ring" "$@" > "$T/out" 2> "$T/rerr" &
	receiver=$!
	background $receiver
	until_true endpoint_is "$ring" 1 live
}

# The sender is killed: the receiver has what was finished, and says so.
start_receiver
start_sender
kill -9 $sender
reap $receiver
is $status 3 "sender killed: receiver's exit status"
has "$T/rerr" "the sender of ring '$ring' died" "sender killed: receiver's sentence"
is "$(cat "$T/out")" "a
b
c" "sender killed: what it had finished was written"
exec 3>&-

# The receiver is killed while the sender waits for input.
start_receiver
start_sender
until_true ring_empty "$ring"
kill -9 $receiver
reap $sender
is $status 3 "receiver killed: sender's exit status, input idle"
has "$T/err" "the receiver of ring '$ring' died" "receiver killed: sender's sentence"
has "$T/err" "had taken all that was sent so far, but there was more" "receiver killed: nothing was left"
exec 3>&-

# The receiver closes in order when it has all there is, and then there is more, for which the
# sender has to look how far it is.
start_receiver -s 4K --count 3
start_sender
reap $receiver
until_true endpoint_is "$ring" 1 closed
printf '%04000d%070d\n' 0 0 >&3
reap $sender
is $status 5 "receiver closed, and then there is more: sender's exit status"
has "$T/err" "had taken all that was sent so far, but there was more" \
	"receiver closed, and then there is more: sentence"
exec 3>&-

# The receiver is stopped, the ring is full, and then it is killed.
start_receiver -s 4K
kill -STOP $receiver
seq 100000 | xsr send "$ring" 2> "$T/err" &
sender=$!
background $sender
until_true sh -c "'$SHMRING' show -b $BACKEND $ring | grep -q '9[0-9]\.. % full\|100.0 % full'"
kill -9 $receiver
reap $sender
is $status 3 "receiver killed with the ring full: sender's exit status"
has "$T/err" "died without closing and left" "receiver killed with the ring full: sentence"

# The receiver closes in order before it has everything.
seq 1000 | xsr send "$ring" 2> "$T/err" &
sender=$!
background $sender
until_true has_written "$ring" 1000
is "$(sr recv "$ring" --count 2)" "1
2" "--count: records"
reap $sender
is $status 5 "receiver closed early: sender's exit status"
has "$T/err" "closed it before it had everything" "receiver closed early: sentence"

# Signals
start_sender
kill -HUP $sender
reap $sender
is $status 129 "SIGHUP: sender's exit status"
exec 3>&-
if timeout --preserve-status -s INT 5 true 2>/dev/null; then
	timeout --preserve-status -s INT 0.5 "$SHMRING" recv -b "$BACKEND" "$ring"
	is $? 130 "SIGINT: receiver's exit status"
else
	skip "SIGINT: receiver's exit status" "no timeout --preserve-status"
fi
start_receiver
kill -TERM $receiver
reap $receiver
is $status 143 "SIGTERM: receiver's exit status"
seq 10 | xsr send "$ring" 2> "$T/err" &
sender=$!
background $sender
until_true has_written "$ring" 10
kill -TERM $sender
reap $sender
is $status 143 "SIGTERM while draining: sender's exit status"

# Time-outs
seq 3 | sr send "$ring" --timeout 0.2 2> "$T/err"
is $? 4 "send --timeout: exit status"
has "$T/err" "nobody emptied ring '$ring' in time" "send --timeout: sentence"
sr recv "$ring" --timeout 0.2 2> "$T/err"
is $? 4 "recv --timeout: exit status"
has "$T/err" "nothing came through ring '$ring' in time" "recv --timeout: sentence"
sr recv "$ring" --timeout 0 2> "$T/err"
is $? 4 "recv --timeout 0: exit status"
sr cat "$ring" --out --timeout 0.2 2> "$T/err"
is $? 4 "cat --timeout: exit status"

# Output that nobody reads, while data comes and while none does
mkfifo "$T/pipe"
seq 100000 | xsr send "$ring" 2> "$T/err" &
sender=$!
background $sender
until_true ring_exists "$ring"
xsr recv "$ring" > "$T/pipe" 2> "$T/rerr" &
receiver=$!
background $receiver
is "$(head -n 1 < "$T/pipe")" 1 "broken pipe: first line"
reap $receiver
is $status 141 "broken pipe: exit status"
is "$(cat "$T/rerr")" "" "broken pipe: no words lost over it"
reap $sender
is $status 5 "broken pipe: sender's exit status"
start_sender
xsr recv "$ring" > "$T/pipe" 2> "$T/rerr" &
receiver=$!
background $receiver
is "$(head -n 3 < "$T/pipe" | tail -n 1)" c "broken pipe while idle: last line"
reap $receiver
is $status 141 "broken pipe while idle: exit status"
reap $sender
exec 3>&-

# Output that cannot be written: the record stays for the next receiver.
if [ -c /dev/full ]; then
	xsr create "$ring" -q &
	keeper=$!
	background $keeper
	until_true ring_exists "$ring"
	seq 3 | sr send "$ring" --no-drain
	sr recv "$ring" > /dev/full 2> "$T/err"
	is $? 1 "full disk: exit status"
	has "$T/err" "No space left on device" "full disk: sentence"
	is "$(sr recv "$ring" | tr '\n' ' ')" "1 2 3 " "full disk: nothing is lost"
	sr list > /dev/full 2> "$T/err"
	is $? 1 "full disk: list"
	kill $keeper
	reap $keeper
else
	skip "full disk" "no /dev/full"
fi

# Two of a kind
start_receiver
sr recv "$ring" > /dev/null 2> "$T/err"
is $? 1 "second receiver: exit status"
has "$T/err" "cannot receive from ring '$ring'" "second receiver: sentence"
kill $receiver
reap $receiver

# A ring that drops what is new: that it did is no failure, but is told
xsr create "$ring.drop" -q --policy drop -s 4K &
background $!
until_true ring_exists "$ring.drop"
seq 10000 | sr send --no-drain "$ring.drop" 2> "$T/err"
is $? 0 "dropped: sender's exit status"
has "$T/err" "records found ring '$ring.drop' full, which drops what is new" "dropped: it is told"
sr recv -t 1 "$ring.drop" > "$T/out" 2> /dev/null
taken=$(wc -l < "$T/out")
is "$(sed 's/^shmring: \([0-9]*\) .*/\1/' "$T/err")" $((10000 - taken)) "dropped: how many"
is "$(seq "$taken" | cmp - "$T/out" && echo same)" same "dropped: what is new"

# The same of whatever else sends: it goes on to the end of its input.
seq 10000 > "$T/in"
sr send "$ring.from" "$T/in" &
background $!
sr record "$ring.from" "$T/file"
is $? 0 "recorded what is to be replayed"
# small RING: one that drops; dropped WHO RING STATUS: it went on, and there is less than was sent
small()
{
	xsr create "$1" -q --policy drop -s 4K &
	background $!
	until_true ring_exists "$1"
}

dropped()
{
	is "$3" 0 "dropped by $1: exit status"
	has "$T/err" "found ring '$2' full" "dropped by $1: it is told"
	sr recv -t 1 "$2" > "$T/out" 2> /dev/null
	is "$(head -n 1 "$T/out")" 1 "dropped by $1: the first is there"
	is "$(($(wc -c < "$T/out") < $(wc -c < "$T/in")))" 1 "dropped by $1: not all are"
}

small "$ring.cat"
sr cat --in --no-drain "$ring.cat" < "$T/in" 2> "$T/err"
dropped cat "$ring.cat" $?
small "$ring.replay"
sr replay --max --no-drain "$T/file" "$ring.replay" 2> "$T/err"
dropped replay "$ring.replay" $?

finish
