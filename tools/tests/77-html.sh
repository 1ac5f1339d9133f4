#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench html: well-formed, complete, with nothing from elsewhere, whatever the names are.
. "${0%/*}/lib.sh"

if [ "$BACKEND" = device ]; then
	ours=shmring-device
else
	ours=shmring-memfd
fi

"$SHMRING" bench pc --quick -r 2 --no-trace -c "sysv-sem,$ours" --sizes 8,64 -j > "$T/pc.json"
is $? 0 "a real result"
cat > "$T/numa.json" <<END
{ "format": "shmring-bench", "version": 1, "bench": "numa", "results": [
  { "group": "<b> & \"quoted\"", "contender": "</svg><script>", "metric": "m", "unit": "ns",
    "less_is_better": true, "payload": null, "rounds": [1], "median": 1, "min": 1, "max": 1, "mad": 0,
    "extra": { "worker_node": 0, "memory_node": 0 } },
  { "group": "<b> & \"quoted\"", "contender": "b", "metric": "m", "unit": "ns",
    "less_is_better": true, "payload": null, "rounds": [2], "median": 2, "min": 2, "max": 2, "mad": 0,
    "extra": { "worker_node": 0, "memory_node": 1 } },
  { "group": "zero", "contender": "nothing", "metric": "m", "unit": "records/s",
    "less_is_better": false, "payload": 0, "rounds": [0], "median": 0, "min": 0, "max": 0, "mad": 0 } ] }
END
"$SHMRING" bench html "$T/pc.json" "$T/numa.json" -o "$T/page.html" 2> "$T/err"
is $? 0 "exit status"
is "$(cat "$T/err")" "" "silent"
"$SHMRING" bench html "$T/pc.json" - < "$T/numa.json" > "$T/stdout.html"
same "$T/page.html" "$T/stdout.html" "the same on stdout, and from stdin"
is "$(grep -c '<polyline class="curve"' "$T/page.html")" 4 "two lines against payload, two of latencies"
is "$(grep -c '<rect class="bar"' "$T/page.html")" 6 "a bar for each result of bench pc"
is "$(grep -c '<rect class="heat"' "$T/page.html")" 2 "a field for each pair of nodes"
has "$T/page.html" "&lt;b&gt; &amp; &quot;quoted&quot;" "names are text"
is "$(grep -cE '<script|href=|src=|url\(|@import' "$T/page.html")" 0 "no script, nothing from elsewhere"
is "$(grep -cE 'nan|inf\b' "$T/page.html")" 0 "no value that is none"
if command -v python3 > /dev/null; then
	python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$T/page.html" \
		2> "$T/err"
	is $? 0 "well-formed"
else
	skip "well-formed" "no python3"
fi

# What the other benchmarks leave has the plots that were made for it.
"$SHMRING" bench numa --quick -r 1 -p "ring-$BACKEND" -j > "$T/nodes.json"
"$SHMRING" bench html "$T/nodes.json" > "$T/page.html"
is "$(grep -c '<rect class="heat"' "$T/page.html")" \
	"$(grep -c '"contender": "worker on' "$T/nodes.json")" "numa: a field for each pair of nodes"
"$SHMRING" bench false-sharing --quick -r 1 -w 2 -m "ring-$BACKEND" -j > "$T/sharing.json"
"$SHMRING" bench html "$T/sharing.json" > "$T/page.html"
is "$(grep -c '<figure>' "$T/page.html") $(grep -c '<rect class="bar"' "$T/page.html") $(grep -c 'class="row"' "$T/page.html")" \
	"4 24 8" "false-sharing: a figure for threads, processes, either way to add; rows of workers; bars"
has "$T/page.html" "<td>0x" "false-sharing: addresses"
"$SHMRING" bench guide --quick -r 1 --sizes 64 -c "pipe,$ours" --no-trace -j > "$T/guide.json"
"$SHMRING" bench html "$T/guide.json" > "$T/page.html"
has "$T/page.html" "<td>large data</td><td>" "guide: advice"
has "$T/page.html" "<th>memory</th>" "guide: what it costs"

"$SHMRING" bench html 2> "$T/err"
is $? 2 "no file: exit status"
echo '[]' > "$T/alien"
"$SHMRING" bench html "$T/alien" -o "$T/none.html" 2> "$T/err"
is $? 1 "something else: exit status"
has "$T/err" "is no result of" "something else"
is "$(ls "$T/none.html" 2>/dev/null)" "" "no page of it"
"$SHMRING" bench html "$T/pc.json" -o "$T/no/page.html" 2> "$T/err"
is $? 1 "a directory that is not there: exit status"
has "$T/err" "No such file" "a directory that is not there"
if [ -e /dev/full ]; then
	"$SHMRING" bench html "$T/pc.json" > /dev/full 2> "$T/err"
	is $? 1 "a full disk: exit status"
	has "$T/err" "No space left" "a full disk"
else
	skip "a full disk" "no /dev/full"
fi

finish
