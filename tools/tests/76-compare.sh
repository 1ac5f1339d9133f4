#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# bench compare on documents whose answer is known, and what it refuses.
. "${0%/*}/lib.sh"

# doc FILE BENCH RATE TRIP: rounds of each as "a,b,c"; medians are the second value
doc()
{
	cat > "$T/$1" <<-END
	{ "format": "shmring-bench", "version": 1, "bench": "$2", "environment": { "cpu": "${5:-x}" },
	  "results": [
	    { "group": "rate", "contender": "a", "metric": "throughput", "unit": "records/s",
	      "less_is_better": false, "payload": 8, "rounds": [$3], "median": $(echo "$3" | cut -d, -f2),
	      "min": 0, "max": 0, "mad": 0 },
	    { "group": "trip", "contender": "a", "metric": "latency", "unit": "ns",
	      "less_is_better": true, "payload": 8, "rounds": [$4], "median": $(echo "$4" | cut -d, -f2),
	      "min": 0, "max": 0, "mad": 0 } ] }
	END
}

# compare OLD NEW STATUS LINE WHAT
compare()
{
	"$SHMRING" bench compare "$T/$1" "$T/$2" > "$T/out" 2> "$T/err"
	is $? "$3" "$5: exit status"
	is "$(tail -n 1 "$T/out")" "$4, 0 with too few rounds to tell (3 are needed)" "$5"
}

doc base pc 99,100,101 990,1000,1010
doc faster pc 199,200,201 990,1000,1010
doc slower pc 89,90,91 990,1000,1010
doc longer pc 99,100,101 1200,1250,1300
doc shorter pc 99,100,101 790,800,810
doc small pc 102,103,104 990,1000,1010
doc noisy pc 60,120,130 990,1000,1010
doc few pc 199,200 990,1000
doc other sem 99,100,101 990,1000,1010
doc machine pc 99,100,101 990,1000,1010 y

compare base base 0 "0 better, 0 worse, 2 the same" "a result and itself"
compare base faster 0 "1 better, 0 worse, 1 the same" "twice the rate"
compare base slower 1 "0 better, 1 worse, 1 the same" "a tenth less"
compare base longer 1 "0 better, 1 worse, 1 the same" "longer round trips"
compare base shorter 0 "1 better, 0 worse, 1 the same" "shorter round trips"
compare base small 0 "0 better, 0 worse, 2 the same" "below the threshold"
compare base noisy 0 "0 better, 0 worse, 2 the same" "within noise"
compare base machine 0 "0 better, 0 worse, 2 the same" "another machine"
has "$T/out" "the two differ in cpu" "another machine: said"

sed 's/"cpu": "x"/"cpu": "x", "load": 3.5/' "$T/base" > "$T/busy"
compare base busy 0 "0 better, 0 worse, 2 the same" "on a busy machine"
has "$T/out" "others used the CPUs when one was taken" "on a busy machine: said"
sed 's/"cpu": "x"/"cpu": "x", "mitigations": { "spectre_v2": "off" }/' "$T/base" > "$T/bare"
compare base bare 0 "0 better, 0 worse, 2 the same" "without mitigations"
has "$T/out" "the two differ in mitigations" "without mitigations: said"

"$SHMRING" bench compare -t 2 "$T/base" "$T/small" > "$T/out"
has "$T/out" "better     +3.0 %  rate, a: 100.0 -> 103.0 records/s" "a lower threshold"
"$SHMRING" bench compare "$T/base" "$T/few" > "$T/out"
is $? 0 "too few rounds: exit status"
has "$T/out" "0 better, 0 worse, 0 the same, 2 with too few" "too few rounds"
"$SHMRING" bench compare -j "$T/base" "$T/slower" > "$T/out"
is $? 1 "JSON: exit status"
has "$T/out" '"worse": 1' "JSON"

# refused STATUS SENTENCE WHAT ARGS...
refused()
{
	r_status=$1 r_text=$2 r_what=$3
	shift 3
	"$SHMRING" bench compare "$@" > "$T/out" 2> "$T/err"
	is $? "$r_status" "$r_what: exit status"
	has "$T/err" "$r_text" "$r_what"
}

refused 1 "they do not compare" "another benchmark" "$T/base" "$T/other"
refused 1 "No such file" "a file that is not there" "$T/base" "$T/none"
echo '{ "format": "shmring-bench", ' > "$T/cut"
refused 1 "is no JSON" "a cut file" "$T/base" "$T/cut"
echo '{}' > "$T/alien"
refused 1 "is no result of" "something else" "$T/alien" "$T/base"
sed 's/"unit": "ns",//' "$T/base" > "$T/lacks"
refused 1 "is damaged" "a result without its unit" "$T/base" "$T/lacks"
sed 's/"version": 1/"version": 2/' "$T/base" > "$T/later"
refused 1 "another version" "a later format" "$T/base" "$T/later"
refused 2 "two files are needed" "one file" "$T/base"
refused 2 "not a whole number" "a threshold that is none" -t x "$T/base" "$T/base"

finish
