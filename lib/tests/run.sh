#!/bin/sh
# SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
# Run test programs that speak TAP, show what they say, count, and end with a line
# "N passed, N failed". A program that ends without its plan, or with a status that its
# own lines do not explain, is a failure too.

passed=0
failed=0
skipped=0
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT

for program in "$@"; do
	name=$(basename "$program")
	echo "# $name"
	case $program in
	*.sh) sh "$program" > "$out" 2>&1 ;;
	*) "$program" > "$out" 2>&1 ;;
	esac
	status=$?
	cat "$out"
	ok=$(grep -c '^ok ' "$out")
	bad=$(grep -c '^not ok ' "$out")
	skip=$(grep -c '^ok .*# SKIP' "$out")
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out")
	passed=$((passed + ok - skip))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
	if [ "$plan" != $((ok + bad)) ]; then
		echo "# $name: planned ${plan:-nothing}, ran $((ok + bad)), status $status"
		failed=$((failed + 1))
	elif [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then
		echo "# $name: status $status"
		failed=$((failed + 1))
	fi
done
[ $skipped -eq 0 ] || echo "# $skipped skipped"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
