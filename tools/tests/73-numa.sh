#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench numa: a figure from every node to every node, memory where it was asked to be,
# and one node is said to be one. How fast is not asked.
. "${0%/*}/lib.sh"

bench() { "$SHMRING" bench numa "$@"; }
ours=ring-$BACKEND
nodes=0
cpu_nodes=0
for node in /sys/devices/system/node/node[0-9]*; do
	[ -d "$node" ] || continue
	[ "$(awk '$3 == "MemTotal:" { print $4 }' "$node/meminfo")" = 0 ] || nodes=$((nodes + 1))
	for cpu in "$node"/cpu[0-9]*; do
		[ ! -e "$cpu" ] || { cpu_nodes=$((cpu_nodes + 1)); break; }
	done
done
[ "$nodes" != 0 ] || { nodes=1; cpu_nodes=1; }
cells=$((nodes * cpu_nodes))

bench --quick -p "$ours" --tsv > "$T/out" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "nothing on stderr"
is "$(awk -F '\t' 'NR > 1 && $7 > 0' "$T/out" | wc -l | tr -d ' ')" $((3 * cells)) \
	"writing, reading and latency from each node to each"
is "$(cut -f 3 "$T/out" | sed 1d | sort | uniq -c | awk '$1 != 3')" "" "each once"
is "$(grep -c 'pages_looked_at=true' "$T/out")" $((3 * cells)) "the kernel told where the pages are"

bench --quick -p "$ours" --size 128K -r 1 -j > "$T/out" 2> "$T/err"
is $? 0 "JSON: exit status"
if command -v python3 > /dev/null; then
	is "$(python3 -c "
import json,sys
d = json.load(sys.stdin)
print(d['bench'], d['parameters']['bytes'], d['checks']['records'], all(r['extra']['distance'] >= 10 for r in d['results'] if r['extra']['worker_node'] == r['extra']['memory_node']))" \
		< "$T/out")" "numa 131072 $(((16384 + 2048) * cells)) True" "JSON"
else
	skip "JSON" "no python3"
fi

bench --quick -r 1 > "$T/out" 2> "$T/err"
is $? 0 "text: exit status"
has "$T/out" "Reading, MB/s, memory placed by $ours" "text: matrix of ours"
is "$(awk -v o="$ours" '$0 == "Writing, MB/s, memory placed by " o { t = 1; next }
	t && /^worker on/ { rows++; columns = NF - 3 } !NF { t = 0 } END { print rows, columns }' \
	"$T/out")" "$cpu_nodes $nodes" "text: a row and a column a node"
has "$T/out" "all are on the node that they were placed on" "text: where the pages are"
if [ "$nodes" = 1 ]; then
	has "$T/out" "This machine has one NUMA node" "text: one node is said to be one"
	skip "text: distances" "one node"
else
	if grep -q "has one NUMA node" "$T/out"; then
		fail "text: several nodes are not said to be one"
	else
		pass "text: several nodes are not said to be one"
	fi
	is "$(awk '/^Distance/ { t = 1 } t && /^worker on/ { print $4; exit }' "$T/out")" 10 "text: distances"
fi

bench --size 3M > "$T/out" 2> "$T/err"
is $? 2 "not a power of two: exit status"
has "$T/err" "3M is not a power of two" "not a power of two: sentence"
bench -p numactl > "$T/out" 2> "$T/err"
is $? 2 "no such placer: exit status"
if [ ! -e /dev/shmring ]; then
	bench --quick -p ring-device > "$T/out" 2> "$T/err"
	is $? 1 "device asked for, not there: exit status"
	has "$T/err" "there is no /dev/shmring" "device asked for, not there: sentence"
fi

finish
