#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Names of rings on the device belong to an IPC namespace, as those of System V do: from
# "unshare -i" on there are others, or none.
. "${0%/*}/lib.sh"

if [ "$BACKEND" != device ]; then
	skip "IPC namespaces" "names of this backend are files in /dev/shm"
	finish
fi
if ! unshare -i true 2> /dev/null; then
	skip "IPC namespaces" "no unshare -i"
	finish
fi

# A process keeps the other namespace; within COMMAND...: there
mkfifo "$T/stay"
unshare -i cat "$T/stay" > /dev/null &
there=$!
background $there
exec 3> "$T/stay"
within() { nsenter -i -t $there "$@"; }
id_of() { awk -v r="$ring" '$2 == r { print $1 }'; }

xsr create "$ring" > "$T/ours" &
ours=$!
background $ours
until_true grep -q "^ring $ring" "$T/ours"
seq 3 | sr send "$ring" --no-drain
id=$(sr list | id_of)

is "$(within "$SHMRING" list -b device | sed 1d)" "" "there: list shows none"
within "$SHMRING" show -b device "$ring" > "$T/out" 2> "$T/err"
is $? 1 "there: show does not find it"
within "$SHMRING" show -b device "$id" > "$T/out" 2> "$T/err"
is $? 1 "there: show does not find it by its id"

nsenter -i -t $there "$SHMRING" create -b device "$ring" > "$T/theirs" 2>&1 &
theirs=$!
background $theirs
until_true grep -q "^ring $ring" "$T/theirs"
other=$(within "$SHMRING" list -b device | id_of)
is "$([ -n "$other" ] && [ "$other" != "$id" ] && echo another)" another \
	"there: the name is free, and makes another ring"
is "$(within "$SHMRING" list -b device | grep -c "$ring")" 1 "there: list shows that one"
is "$(sr list | id_of)" "$id" "here: list shows ours alone"

seq 4 6 | within "$SHMRING" send -b device "$ring" --no-drain
within "$SHMRING" recv -b device "$ring" > "$T/out" &
receiver=$!
background $receiver
reap $receiver
is "$status $(xargs < "$T/out")" "0 4 5 6" "there: its records, to the end"
kill $theirs
reap $theirs
is "$(within "$SHMRING" list -b device | sed 1d)" "" "there: it is gone with its keeper"
is "$(sr recv "$ring" | xargs)" "1 2 3" "here: ours has its own"
exec 3>&-
reap $there
kill $ours
reap $ours
is "$(sr list | grep -c "$ring")" 0 "nothing is left"

finish
