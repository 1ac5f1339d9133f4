#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Where there is no room, no right and nobody who reads: one sentence that names the place,
# the exit status for it, and nothing left; and Ctrl-C in the middle of a benchmark.
. "${0%/*}/lib.sh"

mkdir "$T/files"
pty=${SHMRING%/*}/pty
peers=${SHMRING%/*}/shmring-bench-peers
few="-r 1 --quick"

# sentence STATUS TEXT ARGS...: with one line on stderr that holds TEXT
sentence()
{
	want=$1
	text=$2
	shift 2
	"$SHMRING" "$@" > "$T/out" 2> "$T/err" < /dev/null
	is "$? $(wc -l < "$T/err")" "$want 1" "exit status: $*"
	has "$T/err" "$text" "sentence: $*"
}

# The disk that the output goes to is full.
# shellcheck disable=SC2086
for what in "list" "list -j" "doctor" "doctor -j" "bench pc -c list" "--help" "--version" "recv --help" \
	    "bench sem --help" "bench pc $few --sizes 64 -c sysv-sem" "bench pc $few --sizes 64 -c sysv-sem -j" \
	    "bench sem -r 1 --steps 100 --no-kill -g sem -m memfd" "bench false-sharing $few -w 1 -m anonymous"; do
	"$SHMRING" $what > /dev/full 2> "$T/err"
	is "$? $(cat "$T/err")" "1 shmring: cannot write the output: No space left on device" \
		"full disk: $what"
done

# No directory for files.
TMPDIR=$T/none
export TMPDIR
# shellcheck disable=SC2086
{
	sentence 1 "fifo cannot run here: TMPDIR or /tmp: No such file" bench guide $few -c fifo
	sentence 1 "mmap-file cannot run here: TMPDIR or /tmp: No such file" bench guide $few -c mmap-file
	sentence 1 "message-file cannot run here: TMPDIR or /tmp: No such file" bench pc $few -c message-file
	sentence 1 "file cannot be had here: TMPDIR or /tmp: No such file" bench sem -r 1 -m file
}
TMPDIR=$T/files

# A /dev/shm that is too small, or not to be written to.
inside()
{
	unshare -m sh -c "mount -t tmpfs -o $1 tmpfs /dev/shm 2> /dev/null && exec $2" \
		> "$T/out" 2> "$T/err" < /dev/null
}
if inside size=64k true; then
	for what in "guide $few --sizes 8 -c posix-shm-sem" \
		    "peers $few --sizes 8 -c boost-mq" "many $few --shapes 1x1 -c boost-mq"; do
		case $what in
		*boost-mq*)
			"$peers" -c list 2> /dev/null | grep -q '^boost-mq .*not built in' && continue
			[ -x "$peers" ] || continue ;;
		esac
		inside size=64k "$SHMRING bench $what"
		is "$? $(wc -l < "$T/err")" "1 1" "64 KiB of /dev/shm, $what: exit status"
		has "$T/err" "No space left on device" "64 KiB of /dev/shm, $what: sentence"
	done
	inside size=64k "$SHMRING doctor"
	has "$T/out" "of 64 KiB are left" "64 KiB of /dev/shm: doctor counts them"
	inside ro "$SHMRING bench guide $few --sizes 8 -c posix-shm-sem"
	is "$? $(cat "$T/err")" \
		"1 shmring: posix-shm-sem cannot run here: /dev/shm: Read-only file system" "read-only /dev/shm"
	inside ro "$SHMRING bench sem -r 1 --steps 100 --no-kill -m posix-shm"
	has "$T/err" "posix-shm cannot be had here: /dev/shm: Read-only file system" "read-only /dev/shm: sem"
else
	skip "a small /dev/shm" "no unshare(1) that may mount here"
fi

# Ctrl-C while it runs: the progress line goes, the status tells, nothing stays.
left()
{
	find "$T/files" /dev/shm /dev/mqueue -name "*shmring-bench*" 2> /dev/null
}
if [ -x "$pty" ]; then
	for what in pc guide sem false-sharing "pc --race" "sem --relation unrelated" \
		    "guide -c posix-mq,sysv-msg,sysv-semop,fifo" many peers; do
		case $what in
		many | peers)
			[ -x "$peers" ] || continue ;;
		esac
		# shellcheck disable=SC2086
		"$pty" expect="[2/" type=^C exit=130 -- "$SHMRING" bench $what > "$T/out" 2> "$T/err"
		is "$? $(cat "$T/err")" "0 " "Ctrl-C: bench $what"
		is "$(left)" "" "Ctrl-C: bench $what leaves nothing"
		is "$(tail -c 1000 "$T/out" | tr '\r' '\n' | tail -n 1 | tr -d '\033')" "[K" \
			"Ctrl-C: bench $what clears its line"
	done
else
	skip "Ctrl-C" "no pty here"
fi

finish
