#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# top on a terminal: what it draws, its keys, and the terminal as it was, however it ends.
. "${0%/*}/lib.sh"

pty=$(command -v pty) || pty=${SHMRING%/*}/pty
if [ ! -x "$pty" ] || ! "$pty" exit=0 -- true > /dev/null 2>&1; then
	skip "top on a terminal" "no terminals here"
	finish
fi

# on_terminal WHAT STEP...: top every 0.1 s, and the steps
on_terminal()
{
	what=$1
	shift
	"$pty" "$@" -- "$SHMRING" top -b "$BACKEND" 0.1 > "$T/out" 2> "$T/err"
	is "$? $(cat "$T/err")" "0 " "$what"
}

leave=$(printf '\033[?25h\033[?1049l')
# given_back WHAT: the cursor is back and the first screen, and nothing came after that
given_back()
{
	is "$(tail -c "${#leave}" "$T/out")" "$leave" "$1: the screen is given back"
}

xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
seq 7 | sr send "$ring" --no-drain

on_terminal "q" "expect=$ring" taken type=q exit=0 free
given_back "q"
has "$T/out" "q quit" "help for keys"
on_terminal "Ctrl-C" "expect=$ring" taken type=^C exit=130 free
given_back "Ctrl-C"
on_terminal "SIGTERM" "expect=$ring" taken signal=15 exit=143 free
given_back "SIGTERM"
on_terminal "SIGHUP" "expect=$ring" taken signal=1 exit=129 free
given_back "SIGHUP"
on_terminal "a crash" "expect=$ring" taken signal=11 exit=139 free
given_back "a crash"
on_terminal "Ctrl-Z and on" "expect=$ring" taken type=^Z stopped free \
	signal=18 "expect=$ring" taken type=q exit=0 free
given_back "Ctrl-Z and on"
on_terminal "SIGSTOP and on" "expect=$ring" signal=19 stopped signal=18 "expect=$ring" taken \
	type=q exit=0 free
on_terminal "Ctrl-Z, and then ended" "expect=$ring" type=^Z stopped free signal=15 signal=18 \
	exit=143 free
on_terminal "keys" "expect=by rate" type=s "expect=by fill" type=s "expect=by name" \
	"type= " "expect=PAUSED" "type= " "expect=$ring" type=+ "expect=every 0.2 s" \
	type=- "expect=every 0.1 s" type=x "expect=$ring" type=q exit=0 free
on_terminal "another size" "expect=$ring" size=8,120 "expect=[" "expect=]" size=3,20 \
	"expect=shmring top" type=q exit=0 free
on_terminal "a terminal of one character" "expect=$ring" size=1,1 type=q exit=0 free

# A ring appears and goes while it is watched.
kill $keeper
"$pty" "expect=There is no ring" "expect=There is no ring" type=q exit=0 free -- \
	"$SHMRING" top -b "$BACKEND" 0.1 > "$T/out" 2> "$T/err" &
top=$!
background $top
reap $top
case "$status $(sr list | wc -l)" in
"0 1") pass "no ring" ;;
*" 1") fail "no ring: $(cat "$T/err")" ;;
*) skip "no ring" "somebody else has one" ;;
esac
reap $keeper

# Without a terminal that can be drawn on it does not try.
"$pty" "expect=RING" exit=0 free -- env TERM=dumb "$SHMRING" top -b "$BACKEND" 0.05 1 > "$T/out"
is $? 0 "TERM=dumb: exit status"
is "$(grep -c '\[?1049h' "$T/out")" 0 "TERM=dumb: plain text"

finish
