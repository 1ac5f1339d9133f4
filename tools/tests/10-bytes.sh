#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What comes out is what went in, byte for byte, whoever starts first.
. "${0%/*}/lib.sh"

# carry WHAT FILE [SEND ARGS]: FILE through a ring, the receiver first
carry()
{
	what=$1
	file=$2
	shift 2
	xsr recv "$ring" -s 64K > "$T/out" &
	receiver=$!
	background $receiver
	until_true ring_exists "$ring"
	sr send "$ring" "$@" "$file"
	is $? 0 "$what: sender's exit status"
	reap $receiver
	is $status 0 "$what: receiver's exit status"
	same "$file" "$T/out" "$what: bytes"
}

lines=${SHMRING_TEST_LINES:-1000000}
want=$(seq "$lines" | sha256sum)

# The two commands of the README: the receiver first...
xsr recv "$ring" > "$T/out" &
receiver=$!
background $receiver
until_true ring_exists "$ring"
seq "$lines" | sr send "$ring"
is $? 0 "seq: sender's exit status"
reap $receiver
is $status 0 "seq: receiver's exit status"
is "$(sha256sum < "$T/out")" "$want" "seq: the same bytes, receiver first"

# ...and the sender first.
seq "$lines" | xsr send "$ring" &
sender=$!
background $sender
until_true ring_exists "$ring"
is "$(sr recv "$ring" | sha256sum)" "$want" "seq: the same bytes, sender first"
reap $sender
is $status 0 "seq: sender's exit status, sender first"

printf 'one\ntwo\nthree' > "$T/in"
carry "no newline at the end" "$T/in"
printf '\n\n\na\n\n' > "$T/in"
carry "empty lines" "$T/in"
: > "$T/in"
carry "empty input" "$T/in"
head -c 1000003 /dev/urandom > "$T/in"
carry "binary as lines" "$T/in"
carry "binary in blocks" "$T/in" --chunk 1000
carry "binary in the largest blocks" "$T/in" --chunk 65520
carry "NUL-terminated" "$T/in" -0
head -c 300000 /dev/zero | tr '\0' 'x' > "$T/in"
printf '\nshort\n' >> "$T/in"
carry "lines longer than any record" "$T/in"
head -c 65520 /dev/zero | tr '\0' 'y' > "$T/in"
carry "a line as long as a record can be" "$T/in"

# Records are lines: three of them, however they were read.
printf 'a\n\nccc\n' > "$T/in"
xsr send "$ring" "$T/in" &
sender=$!
background $sender
until_true ring_exists "$ring"
is "$(sr recv "$ring" -v 2>&1 > /dev/null)" "shmring: received 3 records, 7 bytes" "a line is a record"
reap $sender

xsr send "$ring" -j "$T/in" 2> "$T/err" &
sender=$!
background $sender
until_true ring_exists "$ring"
sr recv "$ring" -j 2> "$T/rerr" > /dev/null
reap $sender
is "$(cat "$T/err")" "{\"ring\":\"$ring\",\"what\":\"sent\",\"records\":3,\"bytes\":7,\"status\":0}" "send -j"
has "$T/rerr" '"what":"received","records":3,"bytes":7,"status":0}' "recv -j"

# Without newlines on the way, and with them again at the end.
xsr send "$ring" --chomp "$T/in" &
sender=$!
background $sender
until_true ring_exists "$ring"
is "$(sr recv "$ring" -v 2>&1 > /dev/null)" "shmring: received 3 records, 4 bytes" "--chomp leaves newlines out"
reap $sender
xsr send "$ring" --chomp "$T/in" &
sender=$!
background $sender
until_true ring_exists "$ring"
sr recv "$ring" --lines > "$T/out"
same "$T/in" "$T/out" "recv --lines puts them back"
reap $sender

head -c 70000 /dev/zero | tr '\0' 'z' > "$T/in"
sr send "$ring" -s 64K --no-split "$T/in" 2> "$T/err"
is $? 1 "--no-split: exit status"
has "$T/err" "line 1 is longer than the 65520 bytes" "--no-split says which line"

# cat, both ways round
head -c 3000017 /dev/urandom > "$T/in"
xsr cat "$ring" --out -s 128K > "$T/out" &
receiver=$!
background $receiver
until_true ring_exists "$ring"
sr cat "$ring" < "$T/in"
is $? 0 "cat: sender's exit status"
reap $receiver
is $status 0 "cat: receiver's exit status"
same "$T/in" "$T/out" "cat: bytes"

# A lone line is there at once, although the input stays open.
mkfifo "$T/fifo"
xsr send "$ring" < "$T/fifo" &
sender=$!
background $sender
exec 3> "$T/fifo"
echo now >&3
until_true has_written "$ring" 1
is "$(sr recv "$ring" --count 1)" now "a lone line is sent at once"
until_true endpoint_is "$ring" 1 closed
echo again >&3
exec 3>&-
reap $sender
is $status 5 "a receiver that leaves too early"
xsr send "$ring" < "$T/fifo" &
sender=$!
background $sender
exec 3> "$T/fifo"
echo now >&3
until_true has_written "$ring" 1
is "$(sr recv "$ring" --count 1)" now "a lone line is sent at once, again"
until_true endpoint_is "$ring" 1 closed
exec 3>&-
reap $sender
is $status 0 "a receiver that took all there was and left is no error"

# A ring that is kept carries one file after the other, whoever comes first.
xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
seq 5 > "$T/in"
sr send "$ring" --no-drain "$T/in"
is $? 0 "--no-drain leaves at once"
sr recv "$ring" > "$T/out"
is $? 0 "what was left behind: receiver's exit status"
same "$T/in" "$T/out" "what was left behind: bytes"
xsr send "$ring" "$T/in" &
sender=$!
background $sender
until_true endpoint_is "$ring" 0 live
sr recv "$ring" > "$T/out"
is $? 0 "kept ring, next sender first: receiver's exit status"
reap $sender
is $status 0 "kept ring, next sender first: sender's exit status"
same "$T/in" "$T/out" "kept ring, next sender first: bytes"
xsr recv "$ring" > "$T/out" &
receiver=$!
background $receiver
until_true endpoint_is "$ring" 1 live
sr send "$ring" "$T/in"
is $? 0 "kept ring, receiver first: sender's exit status"
reap $receiver
is $status 0 "kept ring, receiver first: receiver's exit status"
same "$T/in" "$T/out" "kept ring, receiver first: bytes"
kill -TERM $keeper
reap $keeper
is $status 0 "create ends with 0 when told to"

finish
