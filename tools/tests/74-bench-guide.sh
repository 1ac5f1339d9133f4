#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench guide measures or skips everyone, tells the costs and an advice, and leaves nothing.
. "${0%/*}/lib.sh"

if [ "$BACKEND" = device ]; then
	ours=shmring-device
else
	ours=shmring-memfd
fi
mkdir "$T/files"
TMPDIR="$T/files"
export TMPDIR

# Everyone, where one CPU is all there is: what spins is skipped, the rest is measured.
cpu=$(awk '/^Cpus_allowed_list/ { split($2, a, /[-,]/); print a[1] }' /proc/self/status)
"$SHMRING" bench guide --quick -r 1 --sizes 64 --no-trace --cpus "$cpu,$cpu" > "$T/out" 2> "$T/err"
is $? 0 "everyone: exit status"
is "$(cat "$T/err")" "" "everyone: no progress where there is no terminal"
"$SHMRING" bench guide -c list | awk '{ print $1 }' | sort > "$T/all"
is "$(wc -l < "$T/all")" 16 "everyone: how many there are"
awk '$1 == "skipped" {
		sub(/^skipped +/, ""); sub(/: .*/, "")
		for (n = split($0, who, ", "); n; n--) { sub(/ .*/, "", who[n]); print who[n] }
		next
	}
	/^contender/ { t = 1; next } !NF { t = 0 } t { print $1 }' "$T/out" | sort -u > "$T/told"
same "$T/all" "$T/told" "everyone: measured, or skipped with the reason"
for who in pipe fifo unix-stream unix-seqpacket mmap-file eventfd "$ours"; do
	has "$T/out" "$who " "everyone: $who"
done
for need in "large data" real-time "frequent exchange" persistence "unrelated processes" \
	    "untrusted peers" clean-up; do
	has "$T/out" "$need " "advice: $need"
done
is "$(ls "$T/files")" "" "no file is left"

# Figures and costs; what does not fit is named and not measured.
"$SHMRING" bench guide --quick -r 2 --sizes 8,1048576 --tsv -c "pipe,eventfd,$ours" > "$T/out" 2> "$T/err"
is $? 0 "TSV: exit status"
is "$(awk -F '\t' 'NR > 1 && $7 > 0 { print $4, $6, $3 }' "$T/out" | tr '\n' ' ')" \
	"throughput 8 pipe throughput 8 eventfd throughput 8 $ours throughput 1048576 pipe throughput 1048576 $ours latency 8 pipe latency 8 eventfd latency 8 $ours " \
	"TSV: in order"
is "$(awk -F '\t' 'NR > 1 && $20 ~ /cpu_ns=[0-9].*memory=[1-9]/' "$T/out" | wc -l)" 8 "TSV: costs"
is "$(awk -F '\t' '$4 == "latency" && $11 > 0 && $13 >= $12 && $14 >= $13' "$T/out" | wc -l)" 3 \
	"TSV: p50, p99, p99.9, longest"
"$SHMRING" bench guide --quick -r 1 --sizes 1048576 --mode throughput --json -c "pipe,$ours" \
	--no-trace > "$T/out"
is $? 0 "JSON: exit status"
has "$T/out" '"advice"' "JSON: advice"
has "$T/out" '"format": "shmring-bench"' "JSON: format"

# A pipe of any size makes two calls for each record, and ptrace(2) sees them.
"$SHMRING" bench guide --quick -r 1 --sizes 8 --mode throughput --tsv -c pipe > "$T/out"
case $(sed -n 's/.*calls=\([0-9.]*\).*/\1/p' "$T/out") in
2.0)
	pass "system calls of a pipe" ;;
'')
	skip "system calls of a pipe" "no ptrace here" ;;
*)
	fail "system calls of a pipe"
	cat "$T/out" ;;
esac

# Ended wherever it is, it removes what System V would keep for ever. One signal: the
# second of a kind is meant to end it at once.
if unshare -i true 2> /dev/null; then
	# shellcheck disable=SC2016
	is "$(unshare -i sh -c '
		"$1" bench guide --time 60000 --sizes 64 --no-trace -c sysv-msg,sysv-semop,pipe \
			> /dev/null 2>&1 &
		sleep 1
		kill -TERM $!
		wait $!
		echo "$?" "$(cat /proc/sysvipc/msg /proc/sysvipc/sem /proc/sysvipc/shm | wc -l)"
		' - "$SHMRING")" "143 3" "ended by a signal: no queue, semaphores or segment is left"
else
	skip "ended by a signal: no queue, semaphores or segment is left" "no unshare -i"
fi

"$SHMRING" bench guide --race > "$T/out" 2> "$T/err"
is $? 2 "--race is of bench pc"
has "$T/err" "only 'shmring bench pc' has --race" "--race is of bench pc: sentence"

finish
