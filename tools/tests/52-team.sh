#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Three users and the device: alice makes a ring for a group that bob is in and carol is
# not. Who may open the device is one question (the udev rule), who may use a ring another
# (its owner, group and mode); what one user takes is no other's loss.
. "${0%/*}/lib.sh"

if [ "$BACKEND" != device ]; then
	skip "three users" "about the device; 50-users is about both"
	finish
fi
if [ "$(id -u)" != 0 ] || ! id alice > /dev/null 2>&1 || ! id carol > /dev/null 2>&1; then
	skip "three users" "needs root, and the guest's users"
	finish
fi

# as USER[:GROUP] COMMAND...: becomes it, with the user's groups and no capability
as()
{
	as_user=$1
	as_program=$(command -v "$2")
	shift 2
	# By a name that nothing has: it starts a program only once.
	exec start-stop-daemon -S -n no-such-program -c "$as_user" -a "$as_program" -- "$@"
}

# try USER COMMAND [ARGS]: its exit status in $status, what it said in $T/out and $T/err
try()
{
	try_user=$1
	try_command=$2
	shift 2
	(as "$try_user" shmring "$try_command" -b device "$@") < "$T/in" > "$T/out" 2> "$T/err"
	status=$?
}

# keep USER[:GROUP] [ARGS]: a ring, held by a process of that user
keep()
{
	keep_user=$1
	shift
	: > "$T/made"
	(as "$keep_user" shmring create -b device "$@") > "$T/made" 2>&1 &
	keeper=$!
	background $keeper
	until_true grep -q "^ring " "$T/made"
}

let_go()
{
	kill "$1"
	reap "$1"
}

# may USER LIST LOOK SEND WHAT: yes or no to each
may()
{
	try "$1" list
	may_list=$(grep -qw "$ring" "$T/out" && echo yes || echo no)
	try "$1" show "$ring"
	may_show=$([ $status = 0 ] && echo yes || echo no)
	try "$1" send "$ring" --no-drain
	may_send=$([ $status = 0 ] && echo yes || echo no)
	is "$may_list $may_show $may_send" "$2 $3 $4" "$5: $1 lists, looks, sends"
}

params=/sys/module/shmring/parameters
user_limit=$(cat $params/max_user_bytes)
put_back()
{
	echo "$user_limit" > $params/max_user_bytes
	chmod 660 /dev/shmring
	cleanup
}
trap put_back EXIT
echo hello > "$T/in"
chmod 755 "$T"

# The device is the group's: carol gets nowhere, whatever the ring's mode.
keep alice:shmring "$ring" -m 666
may bob yes yes yes "device 660, ring 666"
may carol no no no "device 660, ring 666"
has "$T/err" "/dev/shmring" "carol is told that it is the device"
let_go $keeper

# From here on she may open it, and the ring's owner, group and mode decide.
chmod 666 /dev/shmring
while read -r mode bob_lists bob_looks bob_sends carol_lists carol_looks carol_sends; do
	keep alice:shmring "$ring" -m "$mode"
	is "$(sr list | awk -v r="$ring" '$2 == r { print $7, $8 }')" "alice 0$mode" \
		"mode $mode: list tells whose it is"
	may alice yes yes yes "mode $mode"
	may bob "$bob_lists" "$bob_looks" "$bob_sends" "mode $mode"
	may carol "$carol_lists" "$carol_looks" "$carol_sends" "mode $mode"
	let_go $keeper
done << EOT
660 yes yes yes  no no no
640 yes yes no   no no no
620 no no yes    no no no
604 no no no     yes yes no
602 no no no     no no yes
EOT
# Without the group it is alice's own, which is another.
keep alice "$ring" -m 660
may bob no no no "mode 660, alice's own group"
let_go $keeper

# What carol tries meanwhile is nobody's trouble.
want=$(seq 50000 | sha256sum)
keep alice:shmring "$ring" -m 660
(as bob shmring recv -b device "$ring") > "$T/received" 2> "$T/err.bob" &
receiver=$!
background $receiver
until_true endpoint_is "$ring" 1 live
for command in send recv rm; do
	try carol $command "$ring"
	is $status 1 "bob receives: carol's $command is refused"
done
seq 50000 > "$T/in"
try alice send "$ring"
is $status 0 "alice sends to bob: exit status"
reap $receiver
is "$status $(sha256sum < "$T/received")" "0 $want" "alice sends to bob: he has all of it, and nothing else"
let_go $keeper

# A user's limit is that user's.
echo $((3 << 20)) > $params/max_user_bytes
keep alice "$ring-1" -s 2M
first=$keeper
try alice create "$ring-2" -s 2M
is $status 1 "alice has had her share: exit status"
has "$T/err" "limit is used up" "alice has had her share: sentence"
keep bob "$ring-3" -s 2M
has "$T/made" "2 MiB" "bob has his"
let_go $keeper
let_go "$first"
keep alice "$ring-2" -s 2M
has "$T/made" "2 MiB" "what alice gave back she can have again"
let_go $keeper
is "$(sr list | grep -c "$ring")" 0 "nothing is left"

finish
