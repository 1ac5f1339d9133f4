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

# Where processors are emulated a record that is waited for takes a millisecond: short rounds
# there, and rings that few records go round. Throughout the file $few is several arguments.
few="--quick"
[ "$BACKEND" = memfd ] || few="--time 1 --ring 4K"
# shellcheck disable=SC2086
pc() { "$SHMRING" bench pc $few "$@"; }

pc -r 2 --tsv -c "sysv-sem,$ours" --sizes 8,64 > "$T/out" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "no progress where there is no terminal"
is "$(awk -F '\t' 'NR > 1 && $7 > 0 && NF == 20' "$T/out" | wc -l)" 6 "a figure for each"
is "$(awk -F '\t' 'NR > 1 { print $4, $6, $3 }' "$T/out" | tr '\n' ' ')" \
	"throughput 8 sysv-sem throughput 8 $ours throughput 64 sysv-sem throughput 64 $ours latency 64 sysv-sem latency 64 $ours " \
	"in order"

pc -r 1 --mode throughput --sizes 12 -c "$ours" > "$T/out" 2> "$T/err"
is $? 0 "text: exit status"
has "$T/out" "Throughput of 12-byte records" "text: title"
has "$T/out" "kernel    $(uname -r)" "text: environment"

pc -r 1 --mode roundtrip -c sysv-sem -j > "$T/out" 2> "$T/err"
is $? 0 "JSON: exit status"
if command -v python3 > /dev/null; then
	is "$(python3 -c "import json,sys; print(len(json.load(sys.stdin)['results'][0]['rounds']))" \
		< "$T/out")" 1 "JSON parses"
else
	skip "JSON parses" "no python3"
fi

# One CPU for both: nothing that spins is run, the rest works.
cpu=$(awk '/^Cpus_allowed_list/ { split($2, a, /[-,]/); print a[1] }' /proc/self/status)
pc -r 1 --no-trace --cpus "$cpu,$cpu" --sizes 8 > "$T/out" 2> "$T/err"
is $? 0 "one CPU: exit status"
is "$(sed -n 's/^skipped   \(plain-ring, .*\): it spins, which needs two CPUs$/\1/p' "$T/out" |
	grep -c 'shmring-memfd-spin, shmring-memfd-in-place')" 1 "one CPU: what spins is skipped"
has "$T/out" "$ours " "one CPU: what sleeps is measured"
pc --cpus "$cpu,$cpu" -c plain-ring 2> "$T/err"
is $? 1 "one CPU, spinning asked for: exit status"
has "$T/err" "needs two CPUs" "one CPU, spinning asked for: sentence"

# Each topology, with one producer and one consumer: BROADCAST too gets every record.
pc -r 1 --no-trace --tsv --sizes 64 --baseline "$ours" \
	-c "$ours,$ours-mpsc,$ours-queue,$ours-broadcast" > "$T/out" 2> "$T/err"
is $? 0 "topologies: exit status"
is "$(awk -F '\t' 'NR > 1 && $7 > 0 { print $4, $3 }' "$T/out" | sort | tr '\n' ' ')" \
	"latency $ours latency $ours-broadcast latency $ours-mpsc latency $ours-queue throughput $ours throughput $ours-broadcast throughput $ours-mpsc throughput $ours-queue " \
	"topologies: all of them"

# In place, where records are long enough for two words; round trips of several lengths.
if [ "$(nproc)" -lt 2 ]; then
	skip "in place" "it spins, which needs two CPUs"
else
	pc -r 1 --no-trace -j --sizes 8,12,24 --trip-size 16,1024 --baseline "$ours" \
		-c "$ours,$ours-in-place" > "$T/json" 2> "$T/err"
	is $? 0 "in place: exit status"
	is "$(grep -c '"why": "it marks the first and the last word' "$T/json")" 2 \
		"in place: what is too short, or no multiple of 8, is skipped"
	is "$(sed -n 's/.*"marked": \([0-9]*\).*/\1/p' "$T/json" | awk '{ print ($1 > 1000) }')" 1 \
		"in place: counted apart from what is checked in full"
	"$SHMRING" bench html "$T/json" > "$T/page"
	is "$(grep -c 'by their first and last word' "$T/page")" 1 "in place: the page says so"
	is "$(awk -F '"' '$2 == "contender" { who = $4 } $2 == "metric" { metric = $4 }
		$2 == "payload" { gsub(/[^0-9]/, "", $3); print metric, $3, who }' "$T/json" |
			tr '\n' ' ')" \
		"throughput 8 $ours throughput 12 $ours throughput 24 $ours throughput 24 $ours-in-place latency 16 $ours latency 16 $ours-in-place latency 1024 $ours latency 1024 $ours-in-place " \
		"in place: in order"
fi
# Long records, which nobody else is measured with.
if [ "$BACKEND" != memfd ] || [ "$(nproc)" -lt 2 ]; then
	skip "4 MiB" "it is for memfd, where processors are not emulated, and for two of them"
else
	pc -r 1 --no-trace --tsv --mode roundtrip --trip-size 64K,4M --ring 16M \
		-c "sysv-sem,$ours-in-place" > "$T/out" 2> "$T/err"
	is $? 0 "4 MiB: exit status"
	is "$(awk -F '\t' 'NR > 1 && $7 > 0 { print $6, $3 }' "$T/out" | tr '\n' ' ')" \
		"65536 sysv-sem 65536 $ours-in-place 4194304 $ours-in-place " "4 MiB: in place only"
fi

# The textbooks' contenders: each at the lengths that it is made for.
pc -r 1 --no-trace --tsv --sizes 4,64 -c sysv-int,message-file,textbook-ring \
	--cpus "$cpu,$cpu" --baseline textbook-ring > "$T/out" 2> "$T/err"
is $? 0 "textbook: exit status"
is "$(awk -F '\t' 'NR > 1 { print $4, $6, $3 }' "$T/out" | tr '\n' ' ')" \
	"throughput 4 sysv-int throughput 4 textbook-ring throughput 64 message-file throughput 64 textbook-ring latency 64 message-file latency 64 textbook-ring " \
	"textbook: in order"
has "$T/out" '"found_full":' "textbook: statistics"
is "$(sed -n 's/.*"produced":\([0-9]*\),"consumed":\([0-9]*\).*/\1 \2/p' "$T/out" |
	awk '$1 != $2 || !$1 { bad++ } END { print NR, bad + 0 }')" "3 0" \
	"textbook: consumed what was produced"

# A ring that several use: exact counts, and nothing wrong with the correct ones.
"$SHMRING" bench pc --race --quick --tsv > "$T/out" 2> "$T/err"
is $? 0 "race: exit status"
is "$(awk -F '\t' 'NR > 1 && $3 ~ /locked|shmring-memfd/ && $4 != "throughput" { n++; bad += $7 }
	END { print n, bad + 0 }' "$T/out")" "15 0" "race: correct rings lose, double and tear nothing"
if [ "$BACKEND" = device ]; then
	is "$(awk -F '\t' '$3 ~ /shmring-device/ && $4 != "throughput" { n++; bad += $7 }
		END { print n, bad + 0 }' "$T/out")" "12 0" "race: nor does the device"
fi
# With any number of either; MPSC has one consumer always.
"$SHMRING" bench pc --race --quick --producers 3 --consumers 5 --tsv > "$T/more" 2> "$T/err"
is $? 0 "race, 3 x 5: exit status"
is "$(awk -F '\t' '$3 ~ /^shmring-memfd/ && $4 == "throughput" { print $20 }' "$T/more" | tr '\n' ' ')" \
	"producers=3 consumers=5 producers=3 consumers=1 producers=3 consumers=5 producers=3 consumers=5 " \
	"race, 3 x 5: as many as asked for"
"$SHMRING" bench pc --race --quick > "$T/text" 2> "$T/err"
is "$? $(awk '/^shmring-memfd.* right$/ { n++ } END { print n + 0 }' "$T/text")" "0 4" \
	"race: a table that says who is right"
"$SHMRING" bench pc --producers 3 > "$T/text" 2> "$T/err"
is $? 2 "producers without race: exit status"
has "$T/err" "shmring bench many" "producers without race: where they are measured"
"$SHMRING" bench pc --race --consumers 17 > "$T/text" 2> "$T/err"
is $? 2 "17 consumers: exit status"
has "$T/err" "17 is not between 1 and 16" "17 consumers: sentence"
# Whatever a consumer took was torn, doubled, or one of those that were not lost.
is "$(awk -F '\t' 'NR > 1 && $4 != "throughput" {
		v[$3 " " $4] = $7
		split($20, x, /[= ]/)
		put[$3] = x[2] * ($3 ~ /BROADCAST/ ? 2 : 1); got[$3] = x[4]
		stopped[$3] = $20 ~ /stopped=true/
	} END {
		for (k in put)
			if (!stopped[k] && got[k] != put[k] - v[k " lost"] + v[k " doubled"] + v[k " torn"])
				print k, put[k], got[k]
	}' "$T/out")" "" "race: the counts add up"

# Messages in a file, read after the sender was killed; the file is gone afterwards.
mkdir "$T/files"
TMPDIR="$T/files" "$SHMRING" bench pc --survive --tsv > "$T/out" 2> "$T/err"
is $? 0 "survive: exit status"
is "$(awk -F '\t' 'NR > 1 { print $3, $7 }' "$T/out")" "message-file 100" "survive: all of them"
is "$(ls "$T/files")" "" "survive: nothing is left"
TMPDIR="$T/none" "$SHMRING" bench pc --survive > "$T/out" 2> "$T/err"
is $? 1 "survive, no such directory: exit status"
has "$T/err" "cannot make the file $T/none/" "survive, no such directory: sentence"
"$SHMRING" bench pc --survive --race > "$T/out" 2> "$T/err"
is $? 2 "race and survive: exit status"

finish
