#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs groups of tests one after the other, all of them even if one fails, and says
# how it went: "N passed, N failed, N skipped" is the last line.
#
#   check.sh lint|lint-more|fast|vm|numa|vm-6.12|vm-sid|vm-arm64|clang|trace...   KERNEL=6.1
#   check.sh debug kcsan stress-ng trinity
#
# vm: all that runs in a guest; vm-KERNEL: the module's tests on another kernel, which is
# skipped, loudly, where it cannot be had; clang: the module compiled by it; trace: bpftrace.
# The second line takes hours: kernels built for it, guests that are slow.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
BUILD=${BUILD:-$top/build}
KERNEL=${KERNEL:-6.1}
LIMIT=${LIMIT:-300}	# seconds for each program
out=$BUILD/check
counts=$(mktemp "${TMPDIR:-/tmp}/shmring-check.XXXXXX")
tests=$(mktemp -d "${TMPDIR:-/tmp}/shmring-check.XXXXXX")
trap 'rm -rf "$counts" "$tests"' EXIT
mkdir -p "$out"

# suite NAME COMMAND...: as a program of tap.awk's list. What is no TAP is one test.
suite() {
	local name=$1 log=$out/${1//\//-}.log rc=0

	shift
	timeout -k 5 "$LIMIT" "$@" </dev/null >"$log" 2>&1 || rc=$?
	# As a program that was killed, which it then was.
	[ "$rc" != 124 ] || rc=137
	echo "@begin $name"
	if grep -q '^1\.\.[0-9]' "$log"; then
		cat "$log"
	else
		sed 's/^/# /' "$log"
		echo "1..1"
		if [ "$rc" = 0 ]; then echo "ok 1"; else echo "not ok 1 - exit status $rc"; fi
	fi
	echo
	echo "@end $name $rc"
}

# Kernels that are slow, so each program may take its time.
slow=(--timeout 7200 --program-timeout 2400)
debug=("${slow[@]}" --kernel 6.1-debug --append 'kmemleak=on page_poison=1 page_table_check=on')
# It would panic at the first race anywhere in the kernel; run-vm judges those that are ours.
# The guest switches it on.
kcsan=("${slow[@]}" --kernel 6.1-kcsan --append 'panic_on_warn=0 kcsan.early_enable=0')

# All that runs in a guest, but for what only measures; a guest for each part of it.
in_parts() {
	local part

	for part in 'shmring/[a-g]*' 'shmring/[h-z]*' 'lib/*' 'tools/[1-6]*' 'tools/8*'; do
		"$here/vm/run-vm" "$@" --counts "$counts" -t "$part" \
			--env "SHMRING_FUZZ_SECONDS=${FUZZ_SECONDS:-600}" | sed '$d'
	done
}

judge() {
	awk -v counts="$counts" -f "$here/tap.awk" | sed '$d'
}

group() {
	case $1 in
	lint)
		# Compiles all there is five times over.
		{ LIMIT=$((LIMIT * 4)) suite lint "$here/lint.sh"; echo "@done"; } | judge
		;;
	fast)
		{
			export SHMRING=$BUILD/tools/shmring SHMRING_TEST_BACKEND=memfd
			make -s -C "$top/lib" DESTDIR="$tests" tests-install >&2 || exit 1
			suite lib/build env CC="${CC:-gcc}" CXX="${CXX:-g++}" \
				CC32=i686-linux-gnu-gcc TOP="$top" LIB="$BUILD/lib" CFLAGS="-O2 -g" \
				sh "$top/lib/tests/build.sh"
			for f in $(find "$tests" -type f -perm -u+x ! -name '*.sh' | sort); do
				suite "lib/$(basename "$f")" "$f"
			done
			suite install "$here/install.sh"
			for f in "$top"/tools/tests/[0-9]*.sh; do
				suite "tools/$(basename "$f" .sh)" sh "$f"
			done
			echo "@done"
		} | judge
		;;
	vm)
		"$here/vm/run-vm" --kernel "$KERNEL" --counts "$counts" | sed '$d'
		;;
	vm-*)
		if "$here/fetch.sh" kernel "${1#vm-}"; then
			"$here/vm/run-vm" --kernel "${1#vm-}" -t "${VM_TESTS:-shmring/*}" \
				--counts "$counts" | sed '$d'
		else
			echo "SKIP $1: NOTHING WAS TESTED on this kernel: it cannot be had here"
			echo "0 0 1" >>"$counts"
		fi
		;;
	lint-more)
		{ suite lint-more "$here/lint.sh" more; echo "@done"; } | judge
		;;
	clang)
		# Unpacks and prepares a kernel's source the first time
		{ LIMIT=$((LIMIT * 4)) suite module/clang "$here/vm/clang-module"; echo "@done"; } | judge
		;;
	trace)
		{
			# A compiler, in an emulated machine
			LIMIT=$((LIMIT * 4)) suite trace "$here/vm/run-vm" --kernel "$KERNEL" --memory 1024 \
				--add "$top/Documentation/shmring.bt:shmring.bt" \
				--add "$(command -v bpftrace):usr/bin/bpftrace" \
				--add "$here/vm/trace-guest.sh:tests/trace.sh" -- \
				env SHMRING=/usr/bin/shmring SHMRING_TEST_BACKEND=device sh /tests/trace.sh
			echo "@done"
		} | judge
		;;
	debug)
		"$here/vm/debug-kernel" debug && in_parts "${debug[@]}"
		;;
	kcsan)
		"$here/vm/debug-kernel" kcsan && in_parts "${kcsan[@]}"
		;;
	stress-ng)
		"$here/vm/debug-kernel" debug || return
		{
			LIMIT=7200 suite stress-ng "$here/vm/run-vm" "${debug[@]}" \
				--add /usr/bin/stress-ng:usr/bin/stress-ng -- \
				stress-ng --dev 2 --dev-file /dev/shmring --timeout 120 \
				--metrics-brief --temp-path /tmp
			echo "@done"
		} | judge
		;;
	trinity)
		"$here/vm/debug-kernel" debug || return
		{
			LIMIT=7200 suite trinity "$here/trinity/run" "${TRINITY_CALLS:-20000}" \
				"${debug[@]}"
			echo "@done"
		} | judge
		;;
	# Placement where there are more than two nodes, one of them without memory and one offline.
	numa)
		"$here/vm/run-vm" --kernel "$KERNEL" --counts "$counts" --nodes 3 --bare 1 --empty 1 \
			--cpus 4 -t 'shmring/[hn]u[gm]*' | sed '$d'
		;;
	*)
		echo "check: unknown group $1" >&2
		exit 2
		;;
	esac
}

for g in "$@"; do
	before=$(wc -l <"$counts")
	start=$SECONDS
	echo "== $g"
	group "$g" 2>&1
	# A group that died before it could count has failed.
	[ "$(wc -l <"$counts")" -gt "$before" ] || echo "0 1 0" >>"$counts"
	echo "== $g: $((SECONDS - start)) s"
done
awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f || !p }' "$counts"
