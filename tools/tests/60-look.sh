#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# list and show tell what is so, as text and as JSON, and nothing is left behind.
. "${0%/*}/lib.sh"

xsr create "$ring" -s 100K -m 640 > "$T/out" &
keeper=$!
background $keeper
until_true ring_exists "$ring"
until_true grep -q "use it" "$T/out"
has "$T/out" "ring $ring (spsc, id " "create says what it made"
has "$T/out" "128 KiB on " "create says how large it became"
has "$T/out" "mode 0640, $BACKEND backend" "create says its mode and backend"
has "$T/out" "seq 10 | shmring send $ring" "create says how to use it"

seq 7 | sr send "$ring" --no-drain
sr list > "$T/out"
is "$(awk -v r="$ring" '$2 == r { print $3, $4, $5, $8, $(NF - 2), $(NF - 1) }' "$T/out")" \
	"spsc 128 KiB 0640 $BACKEND 0/2" "list"
id=$(awk -v r="$ring" '$2 == r { print $1 }' "$T/out")
sr show "$ring" > "$T/out"
has "$T/out" "records   up to 131056 bytes" "show: the largest record"
has "$T/out" "position  112 written, 0 read, 112 between them" "show: positions"
is "$(awk '$1 == "DATA" { print $3 }' "$T/out")" 131072 "show: regions"
is "$(awk '/^SLOT/ { t = 1 } t && $1 == 0 { print $2, $3, $6 }' "$T/out")" \
	"producer closed 7" "show: what the sender did"
sr show "$id" > "$T/out"
has "$T/out" "ring      $ring (id $id)" "show by id"

is "$(sr list -j | json "[r['data_size'] for r in d if r['name'] == '$ring'][0]" 131072)" 131072 \
	"list -j"
is "$(sr show -j "$ring" | json "d['endpoints'][0]['records']" 7)" 7 "show -j: endpoints"
is "$(sr show -j "$ring" | json "d['regions'][-1]['region']" DATA)" DATA "show -j: regions"
is "$(sr show -j "$ring" | json "d['mode']" 0640)" 0640 "show -j: mode"
kill -INT $keeper 2>/dev/null
kill -TERM $keeper
reap $keeper
is $status 0 "create: exit status"

# Of several lanes what fills them is told of all together.
xsr create "$ring" -T mpsc --producers 2 -s 4K > "$T/out" &
keeper=$!
background $keeper
until_true ring_exists "$ring"
until_true grep -q "mode" "$T/out"
has "$T/out" ": 2 lanes of 4 KiB on " "lanes: create says how many"
used_is()
{
	is "$(sr list | awk -v r="$ring" '$2 == r { print $4, $5, $6 }')" "8 KiB $1%" "$2: list"
	has "$T/show" "$3 between them ($4 % full)" "$2: show"
	sr stat "$ring" > "$T/stat"
	has "$T/stat" "8 KiB, $4 % full" "$2: stat"
	is "$(sr stat -j "$ring" | json "d['used'], d['capacity']" "$3 8192")" "$3 8192" "$2: stat -j"
}
seq 255 | xsr send "$ring" &
first=$!
background $first
until_true has_written "$ring" 255
sr show "$ring" > "$T/show"
used_is 49 "one lane full" 4080 49.8
seq 255 | sr send --no-drain "$ring"
sr show "$ring" > "$T/show"
used_is 99 "both lanes full" 8160 99.6
has "$T/show" "memory    2 lanes of 4 KiB in pages" "lanes: show says how many"
is "$(awk '$1 == "DATA" { print $2, $4, $5, $6 }' "$T/show")" "0 4096 its producer
1 4096 its producer" "lanes: regions"
is "$(awk '$1 == "SHARED" { print $3, $4 }' "$T/show")" "4096 producers" "lanes: the page that all write"
case $BACKEND in
memfd) enforced=False ;;
*) enforced=True ;;
esac
is "$(sr show -j "$ring" | json "d['writers_enforced'], d['policy']" "$enforced wait")" \
	"$enforced wait" "show -j: who sees to it that only they write"
kill $keeper $first
reap $keeper
reap $first

xsr create "$ring" -T raw --slots 3 -j > "$T/out" &
keeper=$!
background $keeper
until_true ring_exists "$ring"
until_true test -s "$T/out"
is "$(json "d['topology'], d['slots']" "raw 3" < "$T/out")" "raw 3" "create -j: a raw ring"
for command in send recv; do
	sr $command "$ring" < /dev/null > /dev/null 2> "$T/err"
	is $? 1 "$command: a raw ring has no records"
done
kill -9 $keeper
reap $keeper
is "$(sr list | grep -c "$ring")" 0 "a ring vanishes with its keeper, killed or not"

is "$(find /dev/shm -name "*$ring*" 2>/dev/null | wc -l)" 0 "nothing is left in /dev/shm"

finish
