#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A ring with places for several that is kept carries one session after the other: those who
# left before do not end the next, and those who die in it are told of, once.
. "${0%/*}/lib.sh"

seq 1000 > "$T/in"
mkfifo "$T/fifo"

# live ROLE N: so many endpoints of that role are there
live()
{
	[ "$(sr show "$ring" | awk -v role="$1" '/^SLOT/ { t = 1 }
		t && $2 == role && $3 == "live" { n++ } END { print n + 0 }')" = "$2" ]
}

receive()
{
	xsr recv "$ring" > "$T/out" 2> "$T/rerr" &
	receiver=$!
	background $receiver
	until_true live consumer 1
}

# A sender whose input is fifo 3, stays open, and gave 3 lines
start_sender()
{
	xsr send "$ring" < "$T/fifo" 2> "$T/err" &
	sender=$!
	background $sender
	exec 3> "$T/fifo"
	until_true live producer 1
	seq 3 >&3
}

for topology in mpsc queue broadcast; do
	ring=t$$.$topology
	xsr create -q -T $topology "$ring" &
	keeper=$!
	background $keeper
	until_true ring_exists "$ring"

	for session in first second third; do
		receive
		sr send "$ring" "$T/in"
		is $? 0 "$topology, $session session: sender's exit status"
		reap $receiver
		is $status 0 "$topology, $session session: receiver's exit status"
		same "$T/in" "$T/out" "$topology, $session session: bytes"
	done

	# Of nothing, which is a session as well, where it can be told who came and left
	if [ "$BACKEND" = memfd ]; then
		receive
		: | sr send "$ring"
		is $? 0 "$topology, empty input: sender's exit status"
		reap $receiver
		is "$status $(cat "$T/out")" "0 " "$topology, empty input: receiver"
	fi

	# A sender dies in a place that the next one does not take: this session's receiver is told.
	receive
	xsr send "$ring" < "$T/fifo" &
	other=$!
	background $other
	exec 3> "$T/fifo"
	until_true live producer 1
	xsr send "$ring" < "$T/in" &
	sender=$!
	background $sender
	reap $sender
	mkfifo "$T/second"
	xsr send "$ring" < "$T/second" &
	sender=$!
	background $sender
	exec 4> "$T/second"
	until_true live producer 2
	kill -9 $sender
	reap $sender
	exec 3>&- 4>&-
	rm "$T/second"
	reap $other
	is $status 0 "$topology, one of two senders dies: the other's exit status"
	reap $receiver
	is $status 3 "$topology, one of two senders dies: receiver's exit status"
	same "$T/in" "$T/out" "$topology, one of two senders dies: bytes"
	receive
	sr send "$ring" "$T/in"
	is $? 0 "$topology, after a death: sender's exit status"
	reap $receiver
	is "$status $(cat "$T/rerr")" "0 " "$topology, after a death: receiver"
	same "$T/in" "$T/out" "$topology, after a death: bytes"

	# Who sends to all sends to nobody as well.
	if [ $topology = broadcast ]; then
		kill $keeper
		reap $keeper
		continue
	fi

	# The sender first
	xsr send "$ring" "$T/in" &
	sender=$!
	background $sender
	until_true live producer 1
	sr recv "$ring" > "$T/out"
	is $? 0 "$topology, sender first: receiver's exit status"
	reap $sender
	is $status 0 "$topology, sender first: sender's exit status"
	same "$T/in" "$T/out" "$topology, sender first: bytes"

	# Each side is told when the other dies, and the next session knows nothing of it.
	receive
	start_sender
	until_true ring_empty "$ring"
	kill -9 $receiver
	reap $receiver
	reap $sender
	exec 3>&-
	is $status 3 "$topology, the receiver is killed: sender's exit status, input idle"
	receive
	start_sender
	until_true ring_empty "$ring"
	kill -9 $sender
	reap $sender
	exec 3>&-
	reap $receiver
	is $status 3 "$topology, the sender is killed: receiver's exit status"
	is "$(tr '\n' ' ' < "$T/out")" "1 2 3 " "$topology, the sender is killed: bytes"
	receive
	sr send "$ring" "$T/in"
	is $? 0 "$topology, after all that: sender's exit status"
	reap $receiver
	is $status 0 "$topology, after all that: receiver's exit status"
	same "$T/in" "$T/out" "$topology, after all that: bytes"

	# Who waits for input when the receiver has left sleeps.
	start_sender
	sr recv -c 3 "$ring" > "$T/out"
	until_true live consumer 0
	before=$(awk '{ print $14 + $15 }' "/proc/$sender/stat")
	sleep 1
	after=$(awk '{ print $14 + $15 }' "/proc/$sender/stat")
	is "$((after - before < 10))" 1 "$topology, the receiver has left: the sender sleeps"
	exec 3>&-
	reap $sender
	is $status 0 "$topology, the receiver has left: sender's exit status"
	kill $keeper
	reap $keeper
done

finish
