#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything that finds faults without running the code, as TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
BUILD=${BUILD:-$top/build}
KERNEL=${KERNEL:-6.1}
n=0 failed=0
cd "$top" || exit 1

# Files of the project: what git knows, or all there are where there is no git.
files() {
	git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null |
		while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

scripts() {
	local f

	files | while read -r f; do
		case $f in
		*.h | *.c | *.md | *.rst | LICENSES/*) ;;
		*) head -n 1 "$f" | grep -qE '^#!/bin/(ba|da)?sh' && echo "$f" ;;
		esac
	done
}

# t NAME COMMAND...
t() {
	local name=$1 out

	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n - $name"
	else
		failed=1
		echo "not ok $n - $name"
		printf '%s\n' "$out" | tail -n 200 | sed 's/^/# /'
	fi
}

skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

c_files() { files "$@" | grep '\.[ch]$'; }

# What is ignored for all: version checks are right in compat.h, UAPI has no BIT().
checkpatch() {
	local ignore=LINUX_VERSION_CODE,CONSTANT_COMPARISON,BIT_MACRO,ARCH_DEFINES kernel=$1 list

	shift
	list=$(c_files "$@")
	[ -n "$list" ] || return 0
	# TRACE_EVENT is written as everywhere in the kernel, which checkpatch does not know.
	[ "$kernel" != trace ] || ignore+=,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT
	# User space has no READ_ONCE, kstrto* or ARRAY_SIZE, and prints sentences.
	[ "$kernel" != 0 ] || ignore+=,PREFER_KERNEL_TYPES,VOLATILE,SSCANF_TO_KSTRTO,ARRAY_SIZE \
		ignore+=,PREFER_DEFINED_ATTRIBUTE_MACRO,CAMELCASE,SPLIT_STRING,LONG_LINE_STRING \
		ignore+=,ENOSYS,MACRO_ARG_PRECEDENCE,MACRO_ARG_REUSE,COMPLEX_MACRO,EMBEDDED_FUNCTION_NAME \
		ignore+=,MACRO_WITH_FLOW_CONTROL,AVOID_EXTERNS,YIELD,MULTIPLE_ASSIGNMENTS,STRNCPY,STRCPY,PREFER_FALLTHROUGH
	# shellcheck disable=SC2059,SC2086
	list=$(printf "$top/%s " $list)
	# From elsewhere: it leaves a cache where it is started.
	mkdir -p "$BUILD/lint" "$BUILD/ksft/include"
	# The harness spells types with a macro, which looks like a factor in front of a '*'. Only
	# the last alternative has to end a word.
	echo 'FIXTURE_DATA\(\w+\)|FIXTURE_DATA' >"$BUILD/lint/types"
	# shellcheck disable=SC2086
	(cd "$BUILD/lint" && perl "$BUILD/ksft/scripts/checkpatch.pl" --root="$BUILD/ksft" --no-tree --strict \
		--quiet --terse --show-types --max-line-length=100 --no-summary --ignore "$ignore" \
		--typedefsfile="$BUILD/lint/types" \
		-f $list) | sed "s|^$top/||"
	[ "${PIPESTATUS[0]}" = 0 ]
}

# The library and tools, built with another compiler and no patience.
build_with() {
	local dir=$BUILD/lint/$1

	rm -rf "$dir"
	make -s -C lib BUILD="$dir" CC="$1" CFLAGS="-O2 -g -Werror" all &&
		make -s -C tools BUILD="$dir" CC="$1" CFLAGS="-O2 -g -Werror" all
}

licences() {
	local f bad=0

	for f in $(files | grep -vE '^(LICENSES/|\.gitignore|.*/(config|settings)$)|\.(map|in|litmus)$'); do
		# A manual page that only points to another needs no line of its own.
		head -n 3 "$f" | grep -qE 'SPDX-License-Identifier: |^\.so man' ||
			{ echo "$f: no SPDX line"; bad=1; }
	done
	return $bad
}

t "checkpatch: kmod" checkpatch 1 kmod ':!kmod/trace.h'
t "checkpatch: tracepoints" checkpatch trace kmod/trace.h
t "checkpatch: lib, tools, selftests" checkpatch 0 lib tools selftests
t "module: W=1, sparse, -Werror" make -s -C kmod KVER="$KERNEL" check
t "lib and tools: gcc -Werror" build_with gcc
if command -v clang >/dev/null; then
	t "lib and tools: clang -Werror" build_with clang
else
	skip "lib and tools: clang -Werror" "no clang here"
fi
# shellcheck disable=SC2046
t "shellcheck" shellcheck -x -P SCRIPTDIR -S warning $(scripts)
# shellcheck disable=SC2046
t "codespell" codespell -q 3 -L iput,nd,fo $(files | grep -v '^LICENSES/')
t "licence in every file" licences
echo "1..$n"
exit $failed
