#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What programs built today rely on: the library's symbols, and where each field of a
# public struct is.
#
#   abi.sh check LIB.so     all that is recorded in abi.txt still holds; symbols are those
#                           of libshmring.map; the UAPI is the same for 32-bit programs
#   abi.sh record LIB.so    record all there is now: what comes with a release
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
record=$here/abi.txt
uapi=$top/kmod/include/uapi/linux/shmring.h
public=$top/lib/include/shmring.h
export LC_ALL=C

[ $# = 2 ] || { sed -n '4,/^set -eu/{/^#/{s/^# \{0,1\}//;p}}' "$0"; exit 2; }
tmp=$(mktemp -d "${TMPDIR:-/tmp}/shmring-abi.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# layout CC HEADER: "struct field offset size" of every struct that the header defines
layout() {
	local name

	{
		echo "#include \"$2\""
		sed -n 's/^struct \(shmring_[a-z_]*\) {$/struct \1 \1_;/p' "$2"
	} >"$tmp/layout.c"
	"$1" -g -c -std=gnu11 -D_GNU_SOURCE -I"$top/kmod/include/uapi" -I"$top/kmod/include" \
		-I"$top/lib/include" -o "$tmp/layout.o" "$tmp/layout.c"
	sed -n 's/^struct \(shmring_[a-z_]*\) {$/\1/p' "$2" | while read -r name; do
		pahole --suppress_force_paddings --suppress_aligned_attribute -C "$name" "$tmp/layout.o" |
			awk -v s="$name" '
			/^\t.*;[ \t]+\/\*[ \t]+[0-9]+/ {
				field = $0
				sub(/;.*/, "", field)
				sub(/\[.*/, "", field)
				sub(/\)\(.*/, "", field)
				sub(/.*[ \t*(]/, "", field)
				sub(/.*\/\*[ \t]*/, "")
				if (field !~ /^resv[0-9]*$/)	# what others grow into
					print "field", s, field, $1, $2
			}'
	done
}

exported() {
	nm -D --defined-only --with-symbol-versions "$1" | awk '$2 ~ /[TDBR]/ { print "symbol", $3 }'
}

{
	exported "$2"
	layout gcc "$uapi"
	layout gcc "$public"
} | sort -u >"$tmp/now"

case $1 in
record)
	{
		echo "# SPDX-License-Identifier: GPL-2.0-only"
		echo "# Recorded by abi.sh: symbol NAME@VERSION; field STRUCT NAME OFFSET SIZE"
		cat "$tmp/now"
	} >"$record"
	;;
check)
	bad=0
	grep -v '^#' "$record" | sort | comm -23 - "$tmp/now" >"$tmp/gone"
	if [ -s "$tmp/gone" ]; then
		echo "what programs rely on is gone or elsewhere:"
		cat "$tmp/gone"
		bad=1
	fi
	sed -n 's/^\t*\(_*shmring_[a-z_0-9]*\);.*/\1/p' "$top/lib/libshmring.map" | sort -u >"$tmp/map"
	sed -n 's/^symbol \([^@]*\)@.*/\1/p' "$tmp/now" | sort -u >"$tmp/symbols"
	if ! diff "$tmp/map" "$tmp/symbols" >"$tmp/diff"; then
		echo "libshmring.map (<) is not what is exported (>):"
		grep '^[<>]' "$tmp/diff"
		bad=1
	fi
	layout gcc "$uapi" >"$tmp/64"
	if command -v i686-linux-gnu-gcc >/dev/null; then
		layout i686-linux-gnu-gcc "$uapi" >"$tmp/32"
		if ! diff "$tmp/64" "$tmp/32" >"$tmp/diff"; then
			echo "64-bit (<) and 32-bit programs (>) see different structs:"
			grep '^[<>]' "$tmp/diff"
			bad=1
		fi
	fi
	exit $bad
	;;
esac
