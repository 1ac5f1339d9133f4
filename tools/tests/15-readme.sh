#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The program that the README and shmring(7) begin with: it compiles without a warning,
# and does what they say, whichever end is started first.
. "${0%/*}/lib.sh"

top=${0%/*}/../..
readme=$top/README.md
page=$top/Documentation/man/shmring.7
build=$(dirname "$SHMRING")/..
if [ ! -f "$readme" ] || ! command -v "${CC:-cc}" > /dev/null; then
	skip "the program of the README" "no sources or no compiler here"
	finish
fi

awk '/^```c$/ { f = 1; next } /^```$/ { if (f) exit } f' "$readme" |
	sed "s/\"hello\"/\"$ring\"/" > "$T/hello.c"
awk '/^#include <err.h>$/ { f = 1 } /^\.Ed$/ { if (f) exit } f' "$page" |
	sed "s/\\\\en/\\\\n/; s/\"hello\"/\"$ring\"/" > "$T/page.c"
same "$T/hello.c" "$T/page.c" "the same program in both"
"${CC:-cc}" -Wall -Wextra -Werror "$T/hello.c" -o "$T/hello" -I"$top/lib/include" \
	-I"$top/kmod/include" -I"$top/kmod/include/uapi" "$build/lib/libshmring.a" -pthread \
	2> "$T/err"
is "$? $(cat "$T/err")" "0 " "it compiles"

"$T/hello" > "$T/out" &
receiver=$!
background $receiver
"$T/hello" one two three
is $? 0 "both at once: the sender's exit status"
reap $receiver
is "$status $(tr '\n' ' ' < "$T/out")" "0 one two three " "both at once: received"

"$T/hello" one two three &
sender=$!
background $sender
until_true has_written "$ring" 3
"$T/hello" > "$T/out"
is "$? $(tr '\n' ' ' < "$T/out")" "0 one two three " "sender first: received"
reap $sender
is $status 0 "sender first: its exit status"

mkfifo "$T/got"
"$T/hello" > "$T/out" 2> "$T/err" &
receiver=$!
background $receiver
until_true endpoint_is "$ring" 1 live
"$SHMRING" send "$ring" < "$T/got" &
sender=$!
background $sender
exec 3> "$T/got"
until_true endpoint_is "$ring" 0 live
kill -9 $sender
exec 3>&-
reap $receiver
is $status 1 "killed sender: the receiver is told"

finish
