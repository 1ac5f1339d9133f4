#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# stat, hz and top see what happens, take nothing, and keep no ring.
. "${0%/*}/lib.sh"

mkfifo "$T/fifo"
xsr create "$ring" -q -s 4K &
keeper=$!
background $keeper
until_true ring_exists "$ring"
seq 7 | sr send "$ring" --no-drain

sr stat "$ring" > "$T/out"
is $? 0 "stat: exit status"
has "$T/out" "ring $ring: spsc, $BACKEND backend, 4 KiB" "stat: what it is"
is "$(awk '$1 == "producers" { print $2, $3, $4 }' "$T/out")" "0 7 112" "stat: producers"
is "$(awk '$1 == "consumers" { print $2, $3, $4 }' "$T/out")" "0 0 0" "stat: consumers"
sr stat -j "$ring" > "$T/out"
is "$(json "d['in']['records'], d['out']['records'], d['used']" "7 0 112" < "$T/out")" "7 0 112" "stat -j"
has "$T/out" '"state": "left, unread"' "stat -j: state"
is "$(json "d['in']['high'], d['endpoints'][0]['high']" "112 0" < "$T/out")" "112 0" "stat -j: high"
for key in kicks_idle waits wakes spurious; do
	is "$(json "d['in']['$key'], d['endpoints'][0]['$key']" "0 0" < "$T/out")" "0 0" "stat -j: $key"
done
is "$(sr stat "$ring" 0.02 3 | grep -c "left, unread")" 3 "stat: as many lines as asked for"
is "$(sr stat -j "$ring" 0.02 3 | grep -c '^{.*}$')" 3 "stat -j: a line of JSON each"
is "$(sr top 0.02 2 | grep -c "^$ring ")" 2 "top: as many tables as asked for"
is "$(sr top -j 0.02 2 | grep -c "\"name\":\"$ring\"")" 2 "top -j: a line of JSON each"
is "$(sr top -j 0.02 1 | json "[r['used'] for r in d['rings'] if r['name'] == '$ring'][0]" 112)" 112 \
	"top -j: what there is"

# hz counts what comes and takes nothing. It has begun when it is seen as an observer.
observers()
{
	sr list | awk -v r="$ring" -v n="$1" '$2 == r { hit = $NF == n } END { exit !hit }'
}
xsr hz -j "$ring" 0.1 > "$T/out" &
watcher=$!
background $watcher
until_true observers 2
xsr send "$ring" < "$T/fifo" &
sender=$!
background $sender
exec 3> "$T/fifo"
echo a >&3
until_true has_written "$ring" 8
echo b >&3
until_true has_written "$ring" 9
sr stat "$ring" > "$T/stat"
has "$T/stat" "no receiver" "stat: state without a receiver"
kill -INT $watcher 2>/dev/null
kill -TERM $watcher
reap $watcher
case $status in
130 | 143) pass "hz: exit status of a signal" ;;
*) fail "hz: exit status of a signal: $status" ;;
esac
tail -n 1 "$T/out" > "$T/last"
is "$(json "d['total'], d['records']" "True 2" < "$T/last")" "True 2" "hz: counts all records"
has "$T/last" '"total":true' "hz -j: the last line is of all"
sr stat "$ring" > "$T/out"
is "$(awk '$1 == "consumers" { print $3 }' "$T/out")" 0 "nothing was taken by looking"
sr recv "$ring" --count 9 > "$T/out"
is "$(tr '\n' ' ' < "$T/out")" "1 2 3 4 5 6 7 a b " "and all of it is still there"
exec 3>&-
reap $sender
sr hz "$ring" 0.05 1 > "$T/out"
is $? 0 "hz: exit status after COUNT reports"
has "$T/out" "0 records in" "hz: of an idle ring"

# Whoever only looks keeps nothing: the ring ends with its last user, and they say so.
xsr stat "$ring" 0.05 > "$T/out" 2> "$T/err" &
watcher=$!
background $watcher
xsr hz "$ring" 0.05 1000 > "$T/hz" 2> "$T/hzerr" &
hz=$!
background $hz
until_true grep -q unused "$T/out"
until_true test -s "$T/hz"
kill $keeper
reap $keeper
reap $hz
is $status 5 "hz: the ring ended before COUNT reports"
has "$T/hzerr" "ring '$ring' has ended" "hz: says that the ring ended"
reap $watcher
is $status 0 "stat: the ring ended"
has "$T/err" "ring '$ring' has ended" "stat: says that the ring ended"
is "$(sr list | grep -c "$ring")" 0 "nobody who looks keeps a ring"

# Who has a lane of several, and it is full, is stuck, whatever the others have room for.
xsr create "$ring.lanes" -q -T mpsc --producers 4 -s 4K &
keeper=$!
background $keeper
until_true ring_exists "$ring.lanes"
xsr recv "$ring.lanes" > /dev/null &
receiver=$!
background $receiver
until_true endpoint_is "$ring.lanes" 4 live
kill -STOP $receiver
seq 255 | xsr send "$ring.lanes" &
sender=$!
background $sender
until_true has_written "$ring.lanes" 255
sr stat "$ring.lanes" 0.1 1 > "$T/out"
has "$T/out" "full, stuck" "stat: state, one of several lanes full"
is "$(awk '/stuck/ { print $1 }' "$T/out")" "25%" "stat: how full all of them are"
kill -9 $receiver $sender $keeper
reap $receiver
reap $sender
reap $keeper

for command in stat hz; do
	sr $command "$ring" > "$T/out" 2> "$T/err"
	is $? 1 "$command: no such ring: exit status"
	has "$T/err" "there is no ring '$ring': shmring list" "$command: no such ring: sentence"
done
if [ -c /dev/full ]; then
	sr top 0.02 1 > /dev/full 2> "$T/err"
	is $? 1 "top: full disk"
	has "$T/err" "No space left" "top: full disk: sentence"
fi
sr top 0.02 2> "$T/err" | head -n 1 > /dev/null
is "$(cat "$T/err")" "" "top: no words lost over a broken pipe"

finish
