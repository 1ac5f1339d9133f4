#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench sem: right sums under every guard in every memory, who waits in vain for a dead
# holder, and that nothing is left behind.
. "${0%/*}/lib.sh"

bench() { "$SHMRING" bench sem "$@"; }
ours=ring-$BACKEND
memories=anonymous,posix-shm,memfd,file,$ours
mkdir "$T/files"
TMPDIR=$T/files
export TMPDIR

# Names of processes that are no more; those of a benchmark that others run are theirs.
left()
{
	for left_file in "$T"/files/* /dev/shm/*shmring-bench*; do
		[ -e "$left_file" ] || continue
		left_pid=${left_file##*shmring-bench-}
		[ -d "/proc/${left_pid%%-*}" ] || echo "$left_file"
	done
}

# field NAME: columns of the TSV are found by name
field()
{
	awk -F '\t' -v name="$1" -v metric="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$at["metric"] == metric { print $at[name] }' "$T/out"
}

bench --quick --tsv -m "$memories" --timeout 0.05 > "$T/out" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "nothing on stderr"
is "$(field median throughput | awk '$1 > 0' | wc -l | tr -d ' ')" 45 \
	"5 guards in 5 memories, related, and in 4, unrelated"
is "$(field contender throughput | sort -u | tr '\n' ' ')" "atomic futex mutex none sem " "guards"
is "$(field group throughput | sort -u | grep -c "$ours")" 2 "ours, related and unrelated"
is "$(grep -c 'outcome="hangs"' "$T/out")" 18 "semaphore and futex: who waits for the dead waits in vain"
is "$(grep 'outcome="hangs"' "$T/out" | cut -f 3 | sort -u | tr '\n' ' ')" "futex sem " "and no other"
is "$(grep 'outcome="recovers"' "$T/out" | cut -f 3 | sort | uniq -c | tr -s ' ')" " 9 mutex" \
	"robust mutex: is told, puts it right, goes on"
is "$(grep -c 'outcome="goes on"' "$T/out")" 18 "nothing to hold, nothing to wait for"
is "$(grep throughput "$T/out" | grep -v "$(printf '\tnone\t')" | grep -c 'lost_percent=0.0')" 36 \
	"no addition is lost under a guard"
is "$(left)" "" "no file is left"

# Without a guard a sum that is right is so by luck, and is never said to be more.
bench -m "$ours" -g none,atomic -w 2 --steps 2000 -r 1 --no-kill --relation related > "$T/out" 2> "$T/err"
is $? 0 "without a guard: exit status"
is "$(grep -cE "^$ours +(right by luck|[0-9.]+% lost) +right\$" "$T/out")" 1 \
	"without a guard: lost, or right by luck"
bench -m "$ours" -g none -w 1 --steps 2000 -r 1 --no-kill --relation related > "$T/out" 2> "$T/err"
is "$(grep -cE "^$ours +right\$" "$T/out")" 1 "a worker that is alone is right"

bench --quick -m "$ours" -w 5 --steps 300 -r 1 --no-kill -j > "$T/out" 2> "$T/err"
is $? 0 "five workers: exit status"
if command -v python3 > /dev/null; then
	is "$(python3 -c "
import json,sys
d = json.load(sys.stdin)
print(d['format'], d['bench'], len(d['results']), d['checks']['records'], d['results'][0]['extra']['steps'])" \
		< "$T/out")" "shmring-bench sem 10 12000 300" "JSON"
else
	skip "JSON" "no python3"
fi

bench --quick -m "$ours" -g sem,futex,mutex,atomic -r 1 --no-kill --log "$T/log" > "$T/out" 2> "$T/err"
is $? 0 "log: exit status"
is "$(wc -l < "$T/log" | tr -d ' ')" 16001 "log: every step of every worker"
is "$(awk -F '\t' 'NR > 1 { seen[$1 $2 $3 " " $7]++; if ($7 > max) max = $7 }
	END { for (s in seen) n++; print n, max }' "$T/log")" "16000 2000" "log: each value made once"
is "$(awk -F '\t' '$3 == "mutex" && $6 + 0 < last { bad++ } { last = $3 == "mutex" && $6 != "ns" ? $6 : 0 }
	$7 == 2000 { last = 0 } END { print bad + 0 }' "$T/log")" 0 "log: in the order of time"
bench --quick -m "$ours" -g sem -r 1 --no-kill --log "$T/none/log" > "$T/out" 2> "$T/err"
is $? 1 "log that cannot be: exit status"
has "$T/err" "cannot write the log '$T/none/log'" "log that cannot be: sentence"
if [ -c /dev/full ]; then
	bench --quick -m "$ours" -g sem -r 1 --no-kill --log /dev/full > "$T/out" 2> "$T/err"
	is $? 1 "log on a full disk: exit status"
else
	skip "log on a full disk: exit status" "no /dev/full"
fi

bench --quick -m "$ours" --relation related --timeout 0.05 > "$T/out" 2> "$T/err"
is $? 0 "text: exit status"
has "$T/out" "The holder is killed in the critical section" "text: the experiment"
has "$T/out" "RELATED workers" "text: relation"

bench -m anonymous --relation unrelated > "$T/out" 2> "$T/err"
is $? 2 "anonymous memory among unrelated processes: exit status"
has "$T/err" "anonymous memory has no name" "anonymous memory among unrelated processes: sentence"
bench -g spinlock > "$T/out" 2> "$T/err"
is $? 2 "no such guard: exit status"
bench --worker > "$T/out" 2> "$T/err"
is $? 2 "a worker started by hand: exit status"
if [ ! -e /dev/shmring ]; then
	bench -m ring-device > "$T/out" 2> "$T/err"
	is $? 1 "device asked for, not there: exit status"
	has "$T/err" "there is no /dev/shmring" "device asked for, not there: sentence"
fi

# Ctrl-C while workers wait for a dead holder: reaped, and nothing left.
"$SHMRING" bench sem -m "posix-shm,file,$ours" -g sem --quick --timeout 60 > "$T/out" 2> "$T/err" &
pid=$!
background $pid
has_workers() { [ "$(grep -l "^PPid:[[:space:]]*$pid\$" /proc/[0-9]*/status 2> /dev/null | wc -l)" -gt 0 ]; }
until_true has_workers
kill -TERM $pid
reap $pid
is "$status" 143 "SIGTERM: exit status"
if has_workers; then fail "SIGTERM: no worker is left"; else pass "SIGTERM: no worker is left"; fi
is "$(left)" "" "SIGTERM: no file is left"

finish
