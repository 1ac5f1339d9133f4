#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A tour of shmring: with the module in a guest, then without it and natively.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
BUILD=${BUILD:-$top/build}
KERNEL=${KERNEL:-6.1}
sr=$BUILD/tools/shmring
work=$(mktemp -d "${TMPDIR:-/tmp}/shmring-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT

bold() { printf '\n\033[1m%s\033[0m\n' "$*"; }
say() { printf '  %s\n' "$@"; }

bold "shmring, part one: the module, in a guest"
say "Linux $KERNEL as Debian ships it, two NUMA nodes, software emulation: slow, but all of" \
	"it is real. Nothing is loaded into your own kernel."
guest=0
"$here/vm/run-vm" --kernel "$KERNEL" --add "$here/vm/demo-guest.sh:demo.sh" \
	-- sh /demo.sh 1000000 || guest=$?

bold "shmring, part two: without the module, here"
say "The same program on its second backend, memfd and futexes: needs no root, no module."
n=1000000
say "" "\$ shmring recv numbers | sha256sum &" "\$ seq $n | shmring send numbers"
ring=demo-$$
want=$(seq $n | sha256sum)
"$sr" recv -b memfd "$ring" 2>"$work/err" | sha256sum >"$work/sum" &
receiver=$!
start=$(date +%s.%N)
seq $n | "$sr" send -b memfd "$ring"
wait $receiver
end=$(date +%s.%N)
native=$(awk -v n=$n -v a="$start" -v b="$end" \
	'BEGIN { printf "%.2f s, %.1f million records/s with seq and sha256sum", b - a, n / (b - a) / 1e6 }')
say "  sent:     $want" "  received: $(cat "$work/sum")" "  $native"
same=1
[ "$(cat "$work/sum")" = "$want" ] || same=0

bold "How fast: shmring bench pc"
say "One producer and one consumer on two CPUs, against the textbook pair of System V shared" \
	"memory and semaphores, and a plain ring. A run whose records do not check is no figure."
echo
bench=0
"$sr" bench pc --rounds 5 --time 50 || bench=$?

bold "Summary"
yes() { if [ "$1" = 1 ]; then say "yes  $2"; else say "NO   $2"; fi; }
yes "$((guest == 0))" "in the guest: all that part one claims, unloaded without a trace"
yes "$same" "here: $n records arrived, SHA-256 is the same ($native)"
yes "$((bench == 0))" "bench: every run passed its check"
[ "$guest" = 0 ] && [ "$same" = 1 ] && [ "$bench" = 0 ]
