#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Whoever waits uses no CPU: processor time before and after two idle seconds.
. "${0%/*}/lib.sh"

ticks()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# idle PID WHAT: 5 ticks of 200 are allowed: waking up now and then is no burning
idle()
{
	before=$(ticks "$1")
	sleep 2
	spent=$(($(ticks "$1") - before))
	if [ "$spent" -le 5 ]; then
		pass "$2"
	else
		fail "$2: $spent ticks in 2 s"
	fi
}

xsr recv "$ring" > /dev/null &
receiver=$!
background $receiver
until_true endpoint_is "$ring" 1 live
idle $receiver "a receiver that waits for a sender"

mkfifo "$T/fifo"
xsr send "$ring" < "$T/fifo" &
sender=$!
background $sender
exec 3> "$T/fifo"
echo x >&3
until_true has_written "$ring" 1
until_true ring_empty "$ring"
idle $receiver "a receiver that waits for a record"
idle $sender "a sender that waits for input"

kill -STOP $receiver
seq 200000 >&3 &
writer=$!
background $writer
until_true sh -c "'$SHMRING' show -b $BACKEND $ring | grep -q '99\.. % full\|100.0 % full'"
idle $sender "a sender that waits for room"
kill -CONT $receiver
reap $writer
exec 3>&-
reap $sender
is $status 0 "the sender ends well"
reap $receiver
is $status 0 "the receiver ends well"

xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
idle $keeper "who keeps a ring"
kill $keeper
reap $keeper

xsr recv "$ring" | cat > /dev/null &
background $!
until_true endpoint_is "$ring" 1 live
receiver=$(sr show "$ring" | awk '/^SLOT/ { t = 1 } t && $1 == 1 { print $4 }')
case $receiver in
''|*[!0-9]*)
	skip "a receiver that writes to a pipe" "this backend does not tell process ids" ;;
*)
	background "$receiver"
	idle "$receiver" "a receiver that writes to a pipe" ;;
esac
seq 3 | sr send "$ring"

finish
