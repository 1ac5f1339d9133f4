#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench false-sharing: every combination is measured and checked, and the counters are
# where the layouts say. How fast is not asked.
. "${0%/*}/lib.sh"

bench() { "$SHMRING" bench false-sharing "$@"; }
ours=ring-$BACKEND

bench --quick -m "anonymous,$ours" -w 3 --tsv > "$T/out" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "nothing on stderr"
is "$(awk -F '\t' 'NR > 1 && $7 > 0' "$T/out" | wc -l | tr -d ' ')" 72 \
	"3 layouts, 1 to 3 workers, threads and processes, 2 memories, 2 ways to add"
is "$(cut -f 3 "$T/out" | sed 1d | sort -u | tr '\n' ' ')" "128 B apart 64 B apart packed " "layouts"
is "$(grep -c "$ours" "$T/out")" 36 "half of it in our memory"

bench --quick -m "$ours" -w 9 --kind processes --op locked -r 1 -j > "$T/out" 2> "$T/err"
is $? 0 "JSON: exit status"
if command -v python3 > /dev/null; then
	is "$(python3 -c "
import json,sys
d = json.load(sys.stdin)
for r in d['results']:
    e = r['extra']
    if e['workers'] == 9:
        a = [int(x, 16) for x in e['addresses']]
        print(r['contender'], a[1] - a[0], len(set(x // 64 for x in a)), e['lines'] * d['parameters']['line_bytes'] // 64)
print(d['checks']['records'] > 0)" < "$T/out" | tr '\n' ';')" \
		"packed 8 2 2;64 B apart 64 9 9;128 B apart 128 9 9;True;" "JSON: where the counters are"
else
	skip "JSON: where the counters are" "no python3"
fi

bench --quick -m "$ours" -w 2 -r 1 > "$T/out" 2> "$T/err"
is $? 0 "text: exit status"
has "$T/out" "64 B / packed" "text: ratios"
has "$T/out" "Where the counters are" "text: addresses"
is "$(awk '/^'"$ours"' +packed/ { print $3, $4 }' "$T/out")" "1 line:" "text: packed is one line"
is "$(awk '/^'"$ours"' +64 B apart/ { print $5, $6 }' "$T/out")" "2 lines:" "text: 64 B apart are two"

cpu=$(awk '/^Cpus_allowed_list/ { split($2, a, /[-,]/); print a[1] }' /proc/self/status)
bench --quick -m "$ours" --cpus "$cpu,$cpu" -w 2 -r 1 > "$T/out" 2> "$T/err"
is $? 0 "both on one CPU: exit status"
bench --op xchg > "$T/out" 2> "$T/err"
is $? 2 "no such way to add: exit status"
has "$T/err" "'xchg' is not locked, plain or both" "no such way to add: sentence"

"$SHMRING" bench false-sharing -m "$ours" --time 10000 -w 2 > "$T/out" 2> "$T/err" &
pid=$!
background $pid
has_workers() { grep -lq "^PPid:[[:space:]]*$pid\$" /proc/[0-9]*/status 2> /dev/null; }
until_true has_workers
kill -TERM $pid
reap $pid
is "$status" 143 "SIGTERM: exit status"
if has_workers; then fail "SIGTERM: no worker is left"; else pass "SIGTERM: no worker is left"; fi

finish
