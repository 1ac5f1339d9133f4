#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A sender that a signal ends before the end of its input: the receiver has all that was put, and
# does not take it for all there is.
. "${0%/*}/lib.sh"

mkfifo "$T/fifo"

# receive COMMAND: it is there
receive()
{
	# shellcheck disable=SC2086
	xsr $1 "$ring" > "$T/out" 2> "$T/rerr" &
	receiver=$!
	background $receiver
	until_true endpoint_is "$ring" 1 live
}

# start_sender COMMAND: its input is fifo 3, stays open, and gave 3 lines
start_sender()
{
	# shellcheck disable=SC2086
	xsr $1 "$ring" < "$T/fifo" 2> "$T/err" &
	sender=$!
	background $sender
	exec 3> "$T/fifo"
	printf 'a\nb\nc\n' >&3
	until_true ring_exists "$ring"
}

# cut SENT RECEIVED WHAT: exit statuses
cut()
{
	reap $sender
	is $status "$1" "$3: sender's exit status"
	reap $receiver
	is $status "$2" "$3: receiver's exit status"
}

for signal in TERM:143 HUP:129; do
	receive recv
	start_sender send
	until_true has_written "$ring" 3
	kill -${signal%:*} $sender
	cut ${signal#*:} 3 "send, SIG${signal%:*}"
	exec 3>&-
	has "$T/rerr" "died without closing; the 3 records that it had finished were written" \
		"send, SIG${signal%:*}: sentence"
	is "$(tr '\n' ' ' < "$T/out")" "a b c " "send, SIG${signal%:*}: what was put is there"
done

receive "cat --out"
start_sender "cat --in"
until_true has_written "$ring" 1
kill $sender
cut 143 3 "cat"
exec 3>&-
is "$(tr '\n' ' ' < "$T/out")" "a b c " "cat: what was put is there"

# In full flow
if timeout --preserve-status -s INT 5 true 2> /dev/null; then
	receive "cat --out"
	yes | timeout --preserve-status -s INT 0.5 "$SHMRING" cat -b "$BACKEND" --in "$ring"
	is $? 130 "cat, SIGINT: sender's exit status"
	reap $receiver
	is "$status" 3 "cat, SIGINT: receiver's exit status"
	is "$(tr -d 'y\n' < "$T/out" | wc -c)" 0 "cat, SIGINT: nothing else is there"
else
	skip "cat, SIGINT" "no timeout --preserve-status"
fi

# A recording between whose records there is a minute, at that speed
xsr record "$ring" "$T/file" &
recorder=$!
background $recorder
until_true endpoint_is "$ring" 1 live
{ echo one; sleep 1; echo two; } | sr send "$ring"
reap $recorder
receive recv
xsr replay --speed 0.01 "$T/file" "$ring" &
sender=$!
background $sender
until_true has_written "$ring" 1
until_true ring_empty "$ring"
kill $sender
cut 143 3 "replay"
is "$(cat "$T/out")" one "replay: what was put is there"

# All was put: then it is whole, although nobody waited for it to be taken.
xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
seq 3 | xsr send "$ring" &
sender=$!
background $sender
until_true has_written "$ring" 3
sleep 0.3 2> /dev/null || sleep 1
kill $sender
reap $sender
is $status 143 "while draining: sender's exit status"
sr recv "$ring" > "$T/out"
is "$? $(tr '\n' ' ' < "$T/out")" "0 1 2 3 " "while draining: receiver"
kill $keeper
reap $keeper

# Nobody is there to be told, so nothing is left behind.
start_sender send
until_true has_written "$ring" 3
kill $sender
reap $sender
exec 3>&-
is $status 143 "alone: sender's exit status"
is "$(find /dev/shm -name "shmring.$ring" | wc -l)" 0 "alone: the ring is gone"

finish
