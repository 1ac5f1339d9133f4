#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What was recorded is what was sent, and what is replayed is what was recorded; a file
# that was cut, at any byte, is read up to the cut; nothing that was received is lost.
. "${0%/*}/lib.sh"

# record_lines FILE N [ARGS]: the numbers to N, as N records
record_lines()
{
	file=$1
	lines=$2
	shift 2
	xsr record "$ring" "$file" "$@" > "$T/told" 2> "$T/err" &
	recorder=$!
	background $recorder
	until_true endpoint_is "$ring" 1 live
	seq "$lines" | sr send "$ring" 2> /dev/null
	reap $recorder
}

# replayed FILE [ARGS]: what a receiver gets of it, in $T/out; exit statuses in $status
# and $sent
replayed()
{
	file=$1
	shift
	xsr recv "$ring" > "$T/out" 2> "$T/rerr" &
	receiver=$!
	background $receiver
	until_true endpoint_is "$ring" 1 live
	sr replay "$file" "$ring" "$@" > "$T/told" 2> "$T/err"
	sent=$?
	reap $receiver
}

record_lines "$T/rec" 1000 -j
is $status 0 "record: exit status"
is "$(json "d['records'], d['bytes'], d['status']" "1000 3893 0" < "$T/told")" "1000 3893 0" "record -j"
seq 1000 > "$T/in"
is "$(wc -c < "$T/rec" | tr -d ' ')" $((104 + 1000 * 16 + 3893 + 32)) "a file has no more than the format says"
replayed "$T/rec" -j
is "$sent $status" "0 0" "replay: exit statuses"
same "$T/in" "$T/out" "replay: bytes"
is "$(json "d['records'], d['status']" "1000 0" < "$T/told")" "1000 0" "replay -j"
replayed "$T/rec" --max
same "$T/in" "$T/out" "replay --max: bytes"
replayed "$T/rec" --count 3 --speed 1000
is "$sent $(tr '\n' ' ' < "$T/out")" "0 1 2 3 " "replay --count"
sr replay --check "$T/rec" > "$T/out"
is $? 0 "replay --check: exit status"
has "$T/out" "ring $ring, " "replay --check: which ring"
has "$T/out" "1000 records, 3893 bytes" "replay --check: how much"
is "$(sr replay --check -j "$T/rec" | json "d['whole'], d['records']" "True 1000")" "True 1000" \
	"replay --check -j"
is "$(sr replay --check - < "$T/rec" > /dev/null; echo $?)" 0 "replay --check: of a pipe"

# Empty records, binary ones, and one as large as can be
head -c 1000000 /dev/urandom > "$T/bin"
xsr record "$ring" "$T/rec2" -s 1M &
recorder=$!
background $recorder
until_true endpoint_is "$ring" 1 live
sr send "$ring" --chunk 333333 "$T/bin"
reap $recorder
replayed "$T/rec2" --max
same "$T/bin" "$T/out" "large binary records"
xsr record "$ring" "$T/rec3" &
recorder=$!
background $recorder
until_true endpoint_is "$ring" 1 live
printf 'a\n\n\nb\n' | sr send "$ring" --chomp
reap $recorder
xsr recv "$ring" --lines > "$T/out" &
receiver=$!
background $receiver
until_true endpoint_is "$ring" 1 live
sr replay "$T/rec3" "$ring"
reap $receiver
is "$(tr '\n' , < "$T/out")" "a,,,b," "empty records"

# The times are kept: the second record comes no earlier than it came. (How much later
# is a matter of the machine.)
mkfifo "$T/fifo"
xsr record "$ring" "$T/timed" &
recorder=$!
background $recorder
until_true endpoint_is "$ring" 1 live
xsr send "$ring" < "$T/fifo" &
sender=$!
background $sender
exec 3> "$T/fifo"
echo a >&3
until_true ring_empty "$ring"
sleep 1
echo b >&3
exec 3>&-
reap $sender
reap $recorder
replayed "$T/timed" -j
if command -v python3 > /dev/null; then
	is "$(json "d['seconds'] >= 1" True < "$T/told")" True "replay: no earlier than it came"
	replayed "$T/timed" -j --speed 4
	is "$(json "0.25 <= d['seconds']" True < "$T/told")" True "replay --speed 4: no earlier than a quarter"
fi

# Cut at every byte: what is whole before the cut is read, and the cut is said.
record_lines "$T/small" 3
size=$(wc -c < "$T/small" | tr -d ' ')
# (In the guest at some: a file is read the same way there, and each program takes long.)
bad_cuts=
step=1
[ "$BACKEND" = memfd ] || step=17
cut=104
while [ "$cut" -lt "$size" ]; do
	head -c "$cut" "$T/small" > "$T/cut"
	whole=$(((cut - 104) / 18))
	[ "$whole" -le 3 ] || whole=3
	sr replay --check "$T/cut" > "$T/out" 2> "$T/err"
	[ "$?:$(grep -c " $whole records, .*, cut" "$T/out"):$(grep -c "cut at byte" "$T/err")" = 6:1:1 ] ||
		bad_cuts="$bad_cuts $cut"
	cut=$((cut + step))
done
is "$bad_cuts" "" "a file cut at any byte is read up to the cut"
head -c 141 "$T/small" > "$T/cut"
replayed "$T/cut"
is "$sent $status" "6 0" "replay of a cut file: exit statuses"
is "$(tr '\n' ' ' < "$T/out")" "1 2 " "replay of a cut file: what is whole is sent"
has "$T/err" "is cut at byte 141: the 2 records before that are whole" "replay of a cut file: sentence"
bad_flips=
for at in 8 20 60 103 104 108 112 120 121 138 160 170 180 188; do
	cp "$T/small" "$T/flip"
	byte=$(dd if="$T/flip" bs=1 skip=$at count=1 2> /dev/null | od -An -tu1)
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $((255 - byte)))" | dd of="$T/flip" bs=1 seek=$at conv=notrunc 2> /dev/null
	sr replay --check "$T/flip" > "$T/out" 2> "$T/err"
	[ $? = 6 ] || bad_flips="$bad_flips $at"
done
is "$bad_flips" "" "a byte that changed is noticed, wherever it is"

# What is no recording
: > "$T/empty"
echo hello, world > "$T/text"
for file in empty text; do
	sr replay --check "$T/$file" 2> "$T/err"
	is $? 1 "$file is no recording: exit status"
	has "$T/err" "is not a recording" "$file is no recording: sentence"
done
sr replay --check "$T/none" 2> "$T/err"
is $? 1 "no such file: exit status"
has "$T/err" "cannot read $T/none: No such file" "no such file: sentence"
sr replay "$T/rec2" "$ring" -s 4K 2> "$T/err"
is $? 1 "a ring that is too small: exit status"
has "$T/err" "more than ring '$ring' can take" "a ring that is too small: sentence"

# A file is not overwritten unless asked for, nor made when there is no ring.
sr record "$ring" "$T/rec" 2> "$T/err"
is $? 1 "an existing file: exit status"
has "$T/err" "--force" "an existing file: sentence"
record_lines "$T/rec" 5 --force
is "$status $(sr replay --check "$T/rec" | grep -c '5 records')" "0 1" "record --force"
sr record "$ring" "$T/new" -n 1000 2> /dev/null
is "$? $(ls "$T/new" 2> /dev/null)" "1 " "no ring, no file"
sr record "$ring" "$T/none/x" 2> "$T/err"
is $? 1 "no such directory: exit status"

# Signals, time-outs, death: the file has its end.
record_lines "$T/r1" 5 --count 3
is "$status $(sr replay --check "$T/r1" | grep -c '3 records.*whole')" "0 1" "record --count"
sr record "$ring" "$T/r2" --timeout 0.1 2> /dev/null
is "$? $(sr replay --check "$T/r2" | grep -c '0 records.*whole')" "4 1" "record --timeout"
xsr record "$ring" "$T/r3" 2> "$T/err" &
recorder=$!
background $recorder
until_true endpoint_is "$ring" 1 live
xsr send "$ring" < "$T/fifo" 2> /dev/null &
sender=$!
background $sender
exec 3> "$T/fifo"
seq 4 >&3
until_true has_written "$ring" 4
until_true ring_empty "$ring"
kill -TERM $recorder
reap $recorder
is "$status $(sr replay --check "$T/r3" | grep -c '4 records.*whole')" "143 1" "SIGTERM while recording"
exec 3>&-
reap $sender
xsr record "$ring" "$T/r4" 2> "$T/err" &
recorder=$!
background $recorder
until_true endpoint_is "$ring" 1 live
xsr send "$ring" < "$T/fifo" 2> /dev/null &
sender=$!
background $sender
exec 3> "$T/fifo"
seq 4 >&3
until_true has_written "$ring" 4
kill -9 $sender
reap $recorder
is "$status $(sr replay --check "$T/r4" | grep -c '4 records.*whole')" "3 1" "the sender is killed"
exec 3>&-

# The recorder is killed: what it took is in the file.
xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
xsr record "$ring" "$T/r5" &
recorder=$!
background $recorder
until_true endpoint_is "$ring" 1 live
seq 4 | sr send "$ring" 2> /dev/null
# It has left in order when the sender did, or is killed before: either way four.
kill -9 $recorder 2> /dev/null
reap $recorder
is "$(sr replay --check "$T/r5" 2> /dev/null | grep -c ' 4 records')" 1 "the recorder is killed"

# A full disk: what is not in the file is still in the ring, and comes out of it.
# (A ring of its own: one that its receiver left takes nothing until the next comes.)
kill $keeper
reap $keeper
xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
mkdir "$T/disk"
if unshare -m mount -t tmpfs -o size=16k none "$T/disk" 2> /dev/null; then
	seq 2000 | sr send "$ring" --no-drain 2> /dev/null
	# Mounted where nobody else sees it, and gone with the shell.
	unshare -m sh -c 'mount -t tmpfs -o size=16k none "$1/disk"
		"$2" record -b "$3" "$4" "$1/disk/rec"
		code=$?
		cp "$1/disk/rec" "$1/part"
		exit $code' sh "$T" "$SHMRING" "$BACKEND" "$ring" 2> "$T/err"
	is $? 1 "full disk: exit status"
	has "$T/err" "No space left on device" "full disk: sentence"
	sr recv "$ring" > "$T/rest"
	kill $keeper
	reap $keeper
	replayed "$T/part" --max
	has "$T/err" "is cut at byte" "full disk: the file says that it was cut"
	cat "$T/rest" >> "$T/out"
	seq 2000 > "$T/in"
	same "$T/in" "$T/out" "full disk: file and ring together have everything once"
else
	skip "full disk" "cannot mount a small file system here"
	kill $keeper
	reap $keeper
fi

# --tee: recorded and passed on
xsr recv "$ring.b" > "$T/out" &
receiver=$!
background $receiver
until_true ring_exists "$ring.b"
record_lines "$T/r6" 1000 --tee "$ring.b"
reap $receiver
seq 1000 > "$T/in"
same "$T/in" "$T/out" "--tee: what was passed on"
is "$(sr replay --check "$T/r6" | grep -c '1000 records.*whole')" 1 "--tee: what was recorded"

# A pipe, into a replay that sends while it is recorded
xsr recv "$ring.b" > "$T/out" &
receiver=$!
background $receiver
until_true ring_exists "$ring.b"
{ "$SHMRING" record -b "$BACKEND" "$ring" - | "$SHMRING" replay -b "$BACKEND" - "$ring.b"; } &
pair=$!
background $pair
until_true endpoint_is "$ring" 1 live
seq 1000 | sr send "$ring"
reap $pair
reap $receiver
same "$T/in" "$T/out" "record - | replay -: bytes"
# The sender first: whoever finds out that nobody reads may do so before a record comes.
seq 100000 | sr send "$ring" 2> /dev/null &
sender=$!
background $sender
until_true endpoint_is "$ring" 0 live
xsr record "$ring" - > "$T/fifo" 2> "$T/err" &
recorder=$!
background $recorder
head -c 104 < "$T/fifo" > /dev/null
reap $recorder
recorded=$status
reap $sender
is "$recorded $(cat "$T/err")" "141 " "nobody reads the recording"

finish
