#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Every benchmark looks at its data: one wrong piece of it, which SHMRING_BENCH_SPOIL
# makes, is exit status 6 and a sentence, and there are no figures.
. "${0%/*}/lib.sh"

SHMRING_BENCH_SPOIL=1
export SHMRING_BENCH_SPOIL

# spoiled SENTENCE BENCH...
spoiled()
{
	text=$1
	shift
	"$SHMRING" bench "$@" > "$T/out" 2> "$T/err"
	is $? 6 "exit status: bench $*"
	has "$T/err" "$text" "sentence: bench $*"
	is "$(cat "$T/out")" "" "no figures: bench $*"
}

ours=shmring-$BACKEND
fast="--quick -r 1 --no-trace --sizes 64 --ring 4K"
# shellcheck disable=SC2086
for who in sysv-sem message-file textbook-ring "$ours" "$ours-mpsc" "$ours-queue" "$ours-broadcast"; do
	for mode in throughput roundtrip; do
		spoiled "$who delivered a record that is not what was sent" pc $fast --mode $mode -c "$who"
	done
done
if [ "$(nproc)" -lt 2 ]; then
	skip "in place" "it spins, which needs two CPUs"
else
	for mode in throughput roundtrip; do
		# shellcheck disable=SC2086
		spoiled "$ours-in-place delivered a record that is not what was sent" \
			pc $fast --mode $mode -c "$ours-in-place"
	done
fi
# shellcheck disable=SC2086
for who in pipe unix-seqpacket tcp posix-shm-sem mmap-file; do
	spoiled "$who delivered a record that is not what was sent" guide $fast --mode throughput -c "$who"
done
spoiled "textbook-ring, locked lost 2, doubled 0 and tore 2 records" pc --race --quick
for guard in atomic sem mutex futex; do
	spoiled "the sum is 1999 and should be 2000" sem --steps 1000 -r 1 --no-kill -g $guard \
		-m "ring-$BACKEND" --relation related
done
spoiled "a counter does not hold what was added to it" false-sharing --quick -r 1 -w 2 -m "ring-$BACKEND"
spoiled "read what it had not written" numa --quick -r 1 -p "ring-$BACKEND"

finish
