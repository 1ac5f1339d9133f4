#!/bin/sh
# SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
# The tests that sleep, over a library that never looks up by itself (see test.h). One
# result for each program. Wants LIB, the built library.

nr=0
bad=0
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

echo 'TAP version 13'
for name in transfer ready rounds space drain untold; do
	nr=$((nr + 1))
	if SHMRING_TEST_NO_SLICES=1 "$LIB-wakeup/tests/$name" > "$log" 2>&1; then
		echo "ok $nr - $name without looking for deaths"
	else
		sed 's/^/# /' "$log"
		echo "not ok $nr - $name without looking for deaths"
		bad=1
	fi
done
echo "1..$nr"
exit $bad
