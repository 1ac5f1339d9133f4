#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench many: every channel that was built carries the records of several producers to
# several consumers, one at a time and in batches, and each record is accounted for.
. "${0%/*}/lib.sh"

if [ ! -x "${SHMRING%/*}/shmring-bench-peers" ]; then
	"$SHMRING" bench many > "$T/out" 2> "$T/err"
	is $? 1 "not built: exit status"
	has "$T/err" "make bench-peers" "not built: what to do"
	finish
fi

"$SHMRING" bench many -r 1 --time 1 --shapes 1x1,2x1,2x2 --tsv > "$T/out" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "silent where there is no terminal"
"$SHMRING" bench many -r 1 --time 1 --shapes 1x2 --sizes 8 --batches 1 --mode both -j \
	> "$T/json" 2> "$T/err"
is $? 0 "JSON: exit status"
has "$T/json" '"metric": "latency"' "how long records are under way"
has "$T/json" '"failed": 0' "every record was right"
"$SHMRING" bench many -c list > "$T/list"
for who in $(awk '{ print $1 }' "$T/list"); do
	if grep -q "^$who .*not built in" "$T/list"; then
		has "$T/json" "\"contender\": \"$who\"" "$who: named"
		"$SHMRING" bench many -c "$who" 2> "$T/err"
		is $? 1 "$who: cannot run, exit status"
		has "$T/err" "its library was not there when this was built" "$who: why"
		continue
	fi
	case $who in
	shmring-device-*)
		[ "$BACKEND" = device ] || continue ;;
	esac
	case $who in
	shmring-*-mpsc*) n=8 ;;			# one consumer
	ck-ring-one)	n=4 ;;			# not several of both, no batches
	*-one)		n=8 ;;
	ck* | boost*)	n=6 ;;			# no batches
	*)		n=12 ;;
	esac
	is "$(awk -F '\t' -v who="$who" '$3 == who' "$T/out" | wc -l)" "$n" \
		"$who: every shape, length and batch that it can carry"
done
"$SHMRING" bench many --shapes 2 > "$T/out" 2> "$T/err"
is $? 2 "a shape that is none: exit status"
has "$T/err" "'2' is not like 2x1" "and what one is like"
is "$(ls -d /dev/shm/shmring-bench-* 2>/dev/null)" "" "nothing left behind"

finish
