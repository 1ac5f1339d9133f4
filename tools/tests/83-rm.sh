#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# rm removes what was left behind, not what is in use, and names who uses it.
. "${0%/*}/lib.sh"

sr rm "$ring" 2> "$T/err"
is $? 1 "no such ring: exit status"
has "$T/err" "ring '$ring'" "no such ring: sentence"

xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
sr rm "$ring" > "$T/out" 2> "$T/err"
is $? 1 "a ring in use: exit status"
has "$T/err" "(pid $keeper" "a ring in use: who uses it"
is "$(sr rm -j "$ring" 2> /dev/null | json "d[0]['removed'], d[0]['holders'][0]['pid']" "False $keeper")" \
	"False $keeper" "a ring in use: -j"
"$SHMRING" rm "$ring" 2> "$T/err"
is $? 1 "a ring in use, on whichever backend: exit status"
has "$T/err" "(pid $keeper" "a ring in use, on whichever backend: who uses it"

if [ "$BACKEND" = device ]; then
	has "$T/err" "on the device, where nothing is left behind: it ends with its last user" \
		"the device: why not"
	has "$T/err" ", observer)" "the device: in which role"
	sr rm --force "$ring" 2> /dev/null
	is $? 1 "the device: not by force either"
	kill -9 $keeper
	reap $keeper
	is "$(sr list | grep -c "$ring")" 0 "the device: it ends with its last user"
	sr rm --all
	is $? 0 "the device: nothing to remove"
	finish
fi

sr rm --force "$ring" > "$T/out"
is $? 0 "--force: exit status"
has "$T/out" "removed $ring (its users keep the ring)" "--force: what happened"
is "$(sr list | grep -c "$ring")" 0 "--force: nobody finds it any more"
running $keeper
is $? 0 "--force: its user does not mind"
xsr create "$ring" -q &
other=$!
background $other
until_true ring_exists "$ring"
kill $keeper
reap $keeper
is "$status $(sr list | grep -c "$ring ")" "0 1" "--force: who leaves later does not take another's name"

kill -9 $other
reap $other
is "$(find /dev/shm -name "shmring.$ring" | wc -l)" 1 "a kill leaves the name"
sr rm "$ring" > "$T/out"
is $? 0 "left behind: exit status"
has "$T/out" "removed $ring" "left behind: what happened"
is "$(find /dev/shm -name "shmring.$ring" | wc -l)" 0 "left behind: it is gone"

# Several, one of them in use
pids=
for name in a b c; do
	xsr create "$ring.$name" -q &
	pids="$pids $!"
	background $!
	until_true ring_exists "$ring.$name"
done
# shellcheck disable=SC2086
set -- $pids
kill -9 "$1" "$3"
reap "$1"
reap "$3"
sr rm "$ring.a" "$ring.b" "$ring.c" > "$T/out" 2> "$T/err"
is $? 1 "several, one in use: exit status"
is "$(tr '\n' ' ' < "$T/out")" "removed $ring.a removed $ring.c " "several, one in use: what was removed"
xsr create "$ring.a" -q &
other=$!
background $other
until_true ring_exists "$ring.a"
kill -9 $other
reap $other
sr rm --all > "$T/out"
is "$(grep -c "^removed $ring.a$" "$T/out")" 1 "--all: what was left behind"
is "$(sr list | grep -c "$ring.b")" 1 "--all: not what is in use"
kill "$2"
reap "$2"

# What only looks like a ring, and is locked as one would be while somebody joins it
if [ "$BACKEND" = memfd ] && command -v python3 > /dev/null; then
	python3 -c "
import fcntl, os, signal, struct, sys
fd = os.open('/dev/shm/shmring.' + sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_EXCL)
fcntl.fcntl(fd, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 1 << 62, 1, 0))
os.close(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT))
signal.pause()" "$ring" "$T/locked" &
	locker=$!
	background $locker
	until_true test -e "$T/locked"
	sr rm "$ring" 2> "$T/err"
	is $? 1 "locked: exit status"
	has "$T/err" "keeps /dev/shm/shmring.$ring locked" "locked: sentence"
	sr list > "$T/out"
	is "$? $(grep -c "$ring" "$T/out")" "0 0" "locked: not in the list"
	sr rm --force "$ring" > "$T/out"
	is "$? $(cat "$T/out")" "0 removed $ring" "locked: --force"
	kill -9 $locker
	reap $locker
else
	skip "locked" "needs python3 and files"
fi

# Somebody else's
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups true 2> /dev/null; then
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$T/shmring" "$@"; }
	chmod 755 "$T"
	cp "$SHMRING" "$T/shmring"
	# keep NAME MODE; its process is in $keeper
	keep()
	{
		xsr create "$1" -q -m "$2" &
		keeper=$!
		background $keeper
		until_true ring_exists "$1"
	}
	# Two in use, three left behind, which root does not look at: that would remove them.
	keep "$ring.used" 644
	pids=$keeper
	keep "$ring.own" 600
	pids="$pids $keeper"
	left=
	for name in r:644 w:666 p:600; do
		keep "$ring.${name%:*}" "${name#*:}"
		left="$left $keeper"
	done
	# shellcheck disable=SC2086
	kill -9 $left
	for pid in $left; do
		reap "$pid"
	done
	as_nobody rm -b memfd --all > "$T/out" 2> "$T/err"
	is "$? $(cat "$T/out" "$T/err")" "0 " "--all passes over what is somebody else's"
	as_nobody rm -b memfd "$ring.r" 2> "$T/err"
	is $? 1 "somebody else's: exit status"
	has "$T/err" "is not yours" "somebody else's: sentence"
	for name in "$ring.r" "$ring.w"; do
		as_nobody create -b memfd "$name" 2> "$T/err"
		is $? 1 "left behind by somebody else: create: exit status"
		has "$T/err" "was left behind by user root: take another name, or have root remove it" \
			"left behind by somebody else: create: sentence"
	done
	as_nobody create -b memfd "$ring.p" 2> "$T/err"
	is $? 1 "somebody else's, perhaps left behind: create: exit status"
	has "$T/err" "is for user root alone: take another name; if nobody uses it any more" \
		"somebody else's, perhaps left behind: create: sentence"
	as_nobody create -b memfd "$ring.used" 2> "$T/err"
	has "$T/err" "exists already: use it, or take" "somebody else's in use: create: sentence"
	sr rm "$ring.r" "$ring.w" "$ring.p" > /dev/null
	is $? 0 "somebody else's, as root"
	for pid in $pids; do
		kill "$pid"
		reap "$pid"
	done
fi
sr rm --all > /dev/null

finish
