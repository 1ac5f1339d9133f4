#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The part of "make demo" that runs in the guest, with the module loaded: busybox sh,
# the shmring program, users alice, bob (group shmring) and carol. Every claim is
# checked; the exit status counts those that did not hold.
set -u
MESSAGES=${1:-1000000}
failed=0
summary=/tmp/demo.summary
: >$summary

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
say() { printf '  %s\n' "$@"; }
# as USER COMMAND: shows it and runs it
as() {
	printf '  %s$ %s\n' "$1" "$2"
	su "$1" -c "$2" 2>&1 | sed 's/^/    /'
}
# holds WHAT COMMAND...: a line of the summary
holds() {
	what=$1
	shift
	if "$@"; then
		echo "  yes  $what" >>$summary
	else
		failed=$((failed + 1))
		echo "  NO   $what" >>$summary
	fi
}
# Until COMMAND holds; the guest's own timeout is what ends it otherwise.
await() { until "$@" 2>/dev/null; do usleep 20000; done; }
now() { cut -d' ' -f1 /proc/uptime; }
# exists [USER] NAME: as the user who made it
exists() { su alice -c "shmring show $1 >/dev/null 2>&1"; }
# endpoint NAME SLOT: what show says of the slot
slot() { su alice -c "shmring show $1" | awk -v s="$2" '$1 == s { print $3; exit }'; }

step "1. The module"
say "shmring.ko is loaded; its device belongs to group shmring, as the udev rule wants it."
say "\$ ls -l /dev/shmring"
ls -l /dev/shmring | sed 's/^/    /'
for u in alice bob carol; do id $u | sed 's/^/    /'; done

step "2. Where the pages are"
say "Alice makes a ring of 4 MiB on NUMA node 1, and there or nowhere. Others may read it:" \
	"mode 604, read is to receive, write is to send."
say "alice\$ shmring create feed --size 4M --node 1 --mode 604 &"
su alice -c 'exec shmring create feed --size 4M --node 1 --mode 604' >/tmp/create.out 2>&1 &
creator=$!
await exists feed
sed 's/^/    /' /tmp/create.out
as alice 'shmring show feed'
say "That is what the program says. What the kernel says of the creator's mapping of it:"
say "\$ grep shmring /proc/$creator/numa_maps      (4 KiB pages by node)"
grep /dev/shmring /proc/$creator/numa_maps >/tmp/maps
sed 's/^/    /' /tmp/maps
say "DATA is there twice, one behind the other, so that no record is ever cut in two;" \
	"the last one is META and the CURSOR pages, each near to who writes it."
holds "DATA of the ring is on node 1, every page: numa_maps says so" \
	awk '/ N1=1024 / && !/ N0=/ { n++ } END { exit n != 2 }' /tmp/maps

step "3. Who may do what"
say "The columns WRITTEN BY and READ BY above are enforced page by page. Bob may read only:"
as bob 'echo hello | shmring send feed'
su bob -c 'echo hello | shmring send feed' >/dev/null 2>&1
holds "bob, who may read, cannot send" [ $? != 0 ]
say "Carol is not in group shmring and does not even get to the device:"
as carol 'shmring recv --backend device feed'
su carol -c 'shmring recv --backend device feed' >/dev/null 2>&1
holds "carol, who is not in the group, gets nothing" [ $? != 0 ]

step "4. $MESSAGES records from alice to bob"
say "Two processes of two users; after setup no system call per record."
say "bob\$   shmring recv feed | sha256sum &"
say "alice\$ seq $MESSAGES | shmring send feed"
want=$(seq "$MESSAGES" | sha256sum)
su bob -c 'shmring recv --verbose feed 2>/tmp/recv.err | sha256sum >/tmp/recv.sum' &
receiver=$!
t0=$(now)
su alice -c "seq $MESSAGES | shmring send --verbose feed" 2>/tmp/send.err
wait $receiver
t1=$(now)
sed 's/^/    alice: /' /tmp/send.err
sed 's/^/    bob:   /' /tmp/recv.err
say "  sent:     $want" "  received: $(cat /tmp/recv.sum)"
rate=$(awk -v n="$MESSAGES" -v a="$t0" -v b="$t1" \
	'BEGIN { printf "%.1f s, %d records/s with seq and sha256sum, emulated CPUs", b - a, n / (b - a) }')
say "  $rate"
holds "$MESSAGES records arrived, SHA-256 is the same ($rate)" [ "$(cat /tmp/recv.sum)" = "$want" ]

step "5. kill -9"
say "Alice sends three records and then nothing, with the input left open. Then she is killed."
mkfifo -m 644 /tmp/input
sleep 1000 >/tmp/input &
holder=$!
su alice -c 'exec shmring send feed </tmp/input' 2>/dev/null &
sender=$!
su bob -c 'shmring recv feed >/tmp/dead.out 2>/tmp/dead.err; echo $? >/tmp/dead.status' &
receiver=$!
printf 'one\ntwo\nthree\n' >/tmp/input
await grep -q three /tmp/dead.out
say "alice\$ kill -9 $sender      (shmring send)"
t0=$(now)
kill -9 $sender
wait $receiver
t1=$(now)
kill $holder
rm -f /tmp/input
say "bob's receiver got:  $(tr '\n' ' ' </tmp/dead.out)"
say "and then was told:   $(cat /tmp/dead.err)"
say "its exit status:     $(cat /tmp/dead.status) (3: the other side died)"
say "after:               $(awk -v a="$t0" -v b="$t1" 'BEGIN { printf "%.2f s", b - a }')"
holds "the consumer is told that the producer died, after all that it had sent" \
	[ "$(cat /tmp/dead.status) $(tr '\n' ' ' </tmp/dead.out)" = "3 one two three " ]
say "" "The ring is none the worse for it: the next sender takes the place."
as alice 'shmring show feed | sed -n "/^SLOT/,\$p"'

step "6. The comparisons"
say "Each benchmark runs natively as well: see part two. Here they run on /dev/shmring, in brief;" \
	"the processors are emulated, so what counts is that every record and every sum is checked."
# bench ARGS: its tables without the machine and the legend, in $out; the whole of it is checked
bench() {
	say "" "alice\$ shmring bench $*"
	su alice -c "shmring bench $*" >/tmp/bench.out 2>&1
	bench_status=$?
	[ $bench_status = 0 ] || sed 's/^/    /' /tmp/bench.out
}
# show FROM TO: lines of it
show() { sed -n "/$1/,/$2/p" /tmp/bench.out | cut -c1-"${3:-100}" | sed 's/^/    /'; }

bench pc -r 1 --time 1 --ring 4K --no-trace --sizes 64 \
	-c sysv-sem,shmring-device,shmring-device-mpsc,shmring-device-queue,shmring-device-broadcast
sed -n 's/^checked  */    /p' /tmp/bench.out
holds "bench pc: every record through /dev/shmring was right, in each topology" [ $bench_status = 0 ]
say "" "Two producers and two consumers at a time: what the textbook's ring does with that."
bench pc --race --quick
show '^2 producers' '^$'
holds "bench pc --race: the textbook's ring may lose records, /dev/shmring loses none" \
	[ "$bench_status $(grep -c '^shmring-device.* right$' /tmp/bench.out)" = "0 4" ]
bench sem -r 1 -m ring-device -g none --relation related --steps 500000 --no-kill
show '^The sum' '^$'
bench sem -r 1 -m ring-device -g atomic,sem,mutex,futex --steps 1000 --relation unrelated
show '^The sum' '^$'
show '^The holder' '^$' 120
holds "bench sem: no addition lost under a guard, and the robust mutex survives its holder" \
	[ "$bench_status $(grep -cE '^ring-device( +right){4}|goes on +hangs +in .* hangs' /tmp/bench.out)" = "0 2" ]
bench false-sharing --quick -r 1 -m ring-device -w 2 --kind processes --op locked
show '^Where the counters' '^$' 130
holds "bench false-sharing: counters are in one line when packed, in two when apart" \
	[ "$bench_status $(grep -cE '^ring-device +(packed +1 line|64 B apart +2 lines)' /tmp/bench.out)" = "0 2" ]
bench numa -r 2 -p ring-device --size 1M
show '^The same as' '^This'  200
holds "bench numa: two nodes, and every page is on the node it was placed on" \
	[ "$bench_status $(grep -c 'nodes_with_memory=2' /tmp/bench.out)" = "0 1" ]

step "7. Nothing is left"
say "The ring goes with its last user:"
kill $creator
wait $creator
as alice 'shmring list'
holds "the ring is gone with its last user" eval '! exists feed'
holds "nothing holds the module any more" [ "$(cat /sys/module/shmring/refcnt)" = 0 ]

step "What was seen in the guest"
cat $summary
exit $failed
