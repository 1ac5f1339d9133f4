#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# create --node: the memory is on that node, as the tool tells and as the kernel does; with
# another node, or none, the same ring is made elsewhere or not at all.
. "${0%/*}/lib.sh"

# nodes WHAT: those with memory, those with CPUs
nodes()
{
	for node in /sys/devices/system/node/node[0-9]*; do
		[ -d "$node" ] || continue
		case $1 in
		memory) [ "$(awk '$3 == "MemTotal:" { print $4 }' "$node/meminfo")" != 0 ] || continue ;;
		cpus) grep -q . "$node/cpulist" || continue ;;
		esac
		echo "${node##*node}"
	done
}

# fdinfo PID FIELD: of its endpoint
fdinfo()
{
	for fd in "/proc/$1/fd"/*; do
		[ "$(readlink "$fd")" != /dev/shmring ] ||
			sed -n "s/^shmring-$2:[[:space:]]*//p" "/proc/$1/fdinfo/${fd##*/}"
	done
}

keep()
{
	: > "$T/out"	# what the one before has said is no answer
	xsr create "$ring" -s 256K "$@" > "$T/out" &
	keeper=$!
	background $keeper
	until_true grep -q "use it" "$T/out"
}

let_go()
{
	kill $keeper
	reap $keeper
	is $status 0 "$1: create ends well"
}

if [ -z "$(nodes memory)" ]; then
	skip "create --node" "this kernel knows of no nodes"
	finish
fi
for n in $(nodes memory); do
	keep --node "$n"
	has "$T/out" "256 KiB on node $n " "--node $n: create says so"
	sr show "$ring" > "$T/show"
	has "$T/show" "node $n (asked for: strict)" "--node $n: show says so"
	is "$(awk '$1 == "DATA" { print $NF }' "$T/show")" "$n" "--node $n: DATA"
	is "$(sr show -j "$ring" | json "d['data_node'], d['placement']" "$n strict")" "$n strict" \
		"--node $n: JSON"
	if [ "$BACKEND" = device ]; then
		is "$(fdinfo $keeper data-node) $(fdinfo $keeper placement)" "$n strict" \
			"--node $n: fdinfo"
		# Both mappings of DATA; META and whatever cursors there are lie where they may.
		is "$(grep -c "file=/dev/shmring .*N$n=64 " "/proc/$keeper/numa_maps")" 2 \
			"--node $n: every page of DATA, by numa_maps"
	fi
	let_go "--node $n"

	keep --prefer-node "$n"
	is "$(sr show "$ring" | awk '$1 == "DATA" { print $NF }')" "$n" "--prefer-node $n: DATA"
	let_go "--prefer-node $n"
done

# Each end's own page is near to where it runs; the records stay.
if [ "$BACKEND" != device ] || ! command -v taskset > /dev/null; then
	skip "an end's page is on the node that it runs on" "not on this backend, or no taskset"
else
	for n in $(nodes cpus); do
		cpu=$(sed 's/[-,].*//' "/sys/devices/system/node/node$n/cpulist")
		[ -n "$(nodes memory | grep -x "$n")" ] || continue
		keep --node "$(nodes memory | head -n 1)"
		taskset -c "$cpu" "$SHMRING" recv -b device "$ring" > /dev/null &
		receiver=$!
		background $receiver
		until_true endpoint_is "$ring" 1 live
		is "$(fdinfo $receiver cursor-node) $(fdinfo $receiver data-node)" \
			"$n $(nodes memory | head -n 1)" "a receiver on CPU $cpu: its page is on node $n, by fdinfo"
		kill $receiver
		reap $receiver
		let_go "a receiver on CPU $cpu"
	done
fi

sr create "$ring" --node 63 > "$T/out" 2> "$T/err"
is $? 1 "no such node: exit status"
has "$T/err" "no such NUMA node, or it is offline" "no such node: sentence"
for n in $(nodes all); do
	[ -z "$(nodes memory | grep -x "$n")" ] || continue
	sr create "$ring" --node "$n" > "$T/out" 2> "$T/err"
	is $? 1 "node $n, which has no memory: exit status"
	has "$T/err" "memory" "node $n, which has no memory: sentence"
done
is "$(sr list | grep -c "$ring")" 0 "nothing is left"

finish
