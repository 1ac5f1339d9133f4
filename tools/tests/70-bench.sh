#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench pc runs, checks what it carries, and no call is made while both are busy.
. "${0%/*}/lib.sh"

if [ "$BACKEND" = device ]; then
	ours=shmring-device
else
	ours=shmring-memfd
fi

"$SHMRING" bench pc --quick -r 2 --tsv -c "sysv-sem,$ours" --sizes 8,64 > "$T/out" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "no progress where there is no terminal"
is "$(awk -F '\t' 'NR > 1 && $7 > 0 && NF == 20' "$T/out" | wc -l)" 6 "a figure for each"
is "$(awk -F '\t' 'NR > 1 { print $4, $6, $3 }' "$T/out" | tr '\n' ' ')" \
	"throughput 8 sysv-sem throughput 8 $ours throughput 64 sysv-sem throughput 64 $ours latency 64 sysv-sem latency 64 $ours " \
	"in order"

"$SHMRING" bench pc --quick -r 1 --mode throughput --sizes 12 -c "$ours" > "$T/out" 2> "$T/err"
is $? 0 "text: exit status"
has "$T/out" "Throughput of 12-byte records" "text: title"
has "$T/out" "kernel    $(uname -r)" "text: environment"

"$SHMRING" bench pc --quick -r 1 --mode roundtrip -c sysv-sem -j > "$T/out" 2> "$T/err"
is $? 0 "JSON: exit status"
if command -v python3 > /dev/null; then
	is "$(python3 -c "import json,sys; print(len(json.load(sys.stdin)['results'][0]['rounds']))" \
		< "$T/out")" 1 "JSON parses"
else
	skip "JSON parses" "no python3"
fi

# One CPU for both: nothing that spins is run, the rest works.
cpu=$(awk '/^Cpus_allowed_list/ { split($2, a, /[-,]/); print a[1] }' /proc/self/status)
"$SHMRING" bench pc --quick -r 1 --cpus "$cpu,$cpu" --sizes 8 > "$T/out" 2> "$T/err"
is $? 0 "one CPU: exit status"
has "$T/out" "skipped   plain-ring: it spins, which needs two CPUs" "one CPU: what spins is skipped"
has "$T/out" "$ours " "one CPU: what sleeps is measured"
"$SHMRING" bench pc --quick --cpus "$cpu,$cpu" -c plain-ring 2> "$T/err"
is $? 1 "one CPU, spinning asked for: exit status"
has "$T/err" "needs two CPUs" "one CPU, spinning asked for: sentence"

finish
