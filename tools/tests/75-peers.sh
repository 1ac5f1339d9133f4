#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench peers: each peer that was built carries records of every length and batches,
# and what was not built is named.
. "${0%/*}/lib.sh"

if [ ! -x "${SHMRING%/*}/shmring-bench-peers" ]; then
	"$SHMRING" bench peers > "$T/out" 2> "$T/err"
	is $? 1 "not built: exit status"
	has "$T/err" "make bench-peers" "not built: what to do"
	finish
fi
if [ "$(grep -c ^processor /proc/cpuinfo)" -lt 2 ]; then
	skip "peers" "they spin, which needs two CPUs"
	finish
fi

"$SHMRING" bench peers -r 1 --time 1 --sizes 8,1024,65536 --tsv > "$T/out" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "silent where there is no terminal"
"$SHMRING" bench peers -r 1 --time 1 --sizes 8 -j > "$T/json" 2> "$T/err"
is $? 0 "JSON: exit status"
"$SHMRING" bench peers -c list > "$T/list"
for who in $(awk '{ print $1 }' "$T/list"); do
	if grep -q "^$who .*not built in" "$T/list"; then
		has "$T/json" "\"contender\": \"$who\"" "$who: named"
		"$SHMRING" bench peers -c "$who" 2> "$T/err"
		is $? 1 "$who: cannot run, exit status"
		has "$T/err" "its library was not there when this was built" "$who: why"
		continue
	fi
	if grep -A 1 "\"contender\": \"$who\"" "$T/json" | grep -q "its daemon cannot be started"; then
		skip "$who: measured" "its daemon cannot be started, as one runs"
		continue
	fi
	case $who in
	*-device*)
		[ -e /dev/shmring ] || continue ;;
	moodycamel*|posix-mq)
		# The longest may be more than it can take.
		has "$T/out" "	$who	latency" "$who: measured"
		continue ;;
	esac
	is "$(awk -F '\t' -v who="$who" '$3 == who && $7 > 0' "$T/out" | wc -l)" 6 \
		"$who: three lengths, two in batches, round trip"
done
is "$(ls -d /dev/shm/shmring-bench-* /dev/mqueue/shmring-bench-* 2>/dev/null)" "" "nothing left behind"

finish
