#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Two users, one ring: its owner and mode decide.
. "${0%/*}/lib.sh"

nobody=65534

if [ "$(id -u)" != 0 ]; then
	skip "two users" "needs root to become somebody else"
	finish
fi
if setpriv --reuid=$nobody --regid=$nobody --clear-groups true 2>/dev/null; then
	as_nobody() { setpriv --reuid=$nobody --regid=$nobody --clear-groups "$@"; }
elif su -s /bin/sh nobody -c true 2>/dev/null; then
	as_nobody() { su -s /bin/sh nobody -c "$*"; }
else
	skip "two users" "no setpriv and no su"
	finish
fi
chmod 755 "$T"
cp "$SHMRING" "$T/shmring"
tool=$T/shmring
if [ "$BACKEND" = device ] && ! as_nobody sh -c ': <> /dev/shmring' 2>/dev/null; then
	skip "two users" "user $nobody may not open /dev/shmring"
	finish
fi

want=$(seq 100000 | sha256sum)

xsr recv "$ring" -m 666 > "$T/out" &
receiver=$!
background $receiver
until_true ring_exists "$ring"
seq 100000 | as_nobody "$tool" send -b "$BACKEND" "$ring"
is $? 0 "root receives, nobody sends: sender's exit status"
reap $receiver
is $status 0 "root receives, nobody sends: receiver's exit status"
is "$(sha256sum < "$T/out")" "$want" "root receives, nobody sends: the same bytes"

seq 100000 | xsr send "$ring" -m 666 &
sender=$!
background $sender
until_true ring_exists "$ring"
is "$(as_nobody "$tool" recv -b "$BACKEND" "$ring" | sha256sum)" "$want" \
	"root sends, nobody receives: the same bytes"
reap $sender
is $status 0 "root sends, nobody receives: sender's exit status"

# Another name: of the memfd backend root's may still be there, which nobody cannot remove.
seq 100000 | as_nobody "$tool" send -b "$BACKEND" "$ring.theirs" -m 666 &
sender=$!
background $sender
until_true ring_exists "$ring.theirs"
is "$(sr recv "$ring.theirs" | sha256sum)" "$want" \
	"nobody makes the ring, root receives: the same bytes"
reap $sender

# A ring for its owner alone
xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
for command in send recv show; do
	as_nobody "$tool" $command -b "$BACKEND" "$ring" < /dev/null > /dev/null 2> "$T/err"
	is $? 1 "mode 600, another user: $command: exit status"
	has "$T/err" "ring '$ring'" "mode 600, another user: $command: sentence"
done
is "$(as_nobody "$tool" list -b "$BACKEND" | grep -c "$ring")" 0 "mode 600, another user: not listed"
kill $keeper
reap $keeper

finish
