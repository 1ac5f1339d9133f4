#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything that finds faults without running the code, as TAP; with "more" what takes
# minutes.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
BUILD=${BUILD:-$top/build}
KERNEL=${KERNEL:-6.1}
n=0 told=0 failed=0 names=() pids=()
cd "$top" || exit 1
results=$(mktemp -d "${TMPDIR:-/tmp}/shmring-lint.XXXXXX")
trap 'rm -rf "$results"' EXIT
# What is in the background does not hear of the terminal by itself.
trap 'trap "" TERM; kill 0; exit 130' INT

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

# t NAME COMMAND...: as many at a time as there are CPUs; told in this order by settle.
t() {
	n=$((n + 1))
	names[n]=$1
	shift
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	"$@" >"$results/$n" 2>&1 &
	pids[n]=$!
}

skip() { n=$((n + 1)); names[n]="$1 # SKIP $2"; }

settle() {
	for (( ; told < n; )); do
		told=$((told + 1))
		if [ -z "${pids[told]:-}" ] || wait "${pids[told]}"; then
			echo "ok $told - ${names[told]}"
		else
			failed=1
			echo "not ok $told - ${names[told]}"
			tail -n 200 "$results/$told" | sed 's/^/# /'
		fi
	done
}

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
	# shellcheck disable=SC2086
	(cd "$BUILD/lint" && perl "$BUILD/ksft/scripts/checkpatch.pl" --root="$BUILD/ksft" --no-tree --strict \
		--quiet --terse --show-types --max-line-length=100 --no-summary --ignore "$ignore" \
		--typedefsfile="$results/types" \
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

	for f in $(files | grep -vE '^(LICENSES/|\.gitignore|.*/(config|settings|debian/copyright|debian/source/format)$)|\.(map|in|litmus)$'); do
		# A manual page that only points to another needs no line of its own.
		head -n 3 "$f" | grep -qE 'SPDX-License-Identifier: |^\.so man' ||
			{ echo "$f: no SPDX line"; bad=1; }
	done
	return $bad
}

# The kernel's semantic patches, one at a time: its own coccicheck wants a kernel tree. The one
# that needs an OCaml compiler is left out.
coccinelle() {
	local out=$BUILD/lint/coccinelle

	mkdir -p "$out"
	# shellcheck disable=SC2016
	find "$BUILD/ksft/scripts/coccinelle" -name '*.cocci' -exec grep -LZ 'script:ocaml' {} + |
		xargs -0 -n 1 -P 2 sh -c '
			spatch --very-quiet -D report --no-show-diff \
				$(sed -n "s|^// Options: *||p" "$1") --cocci-file "$1" \
				--dir kmod >"$0/$(basename "$1").log" 2>&1 </dev/null ||
			echo "exit status $?" >>"$0/$(basename "$1").log"' "$out"
	grep -H . "$out"/*.log | sed "s|^$out/||" | grep -vE "$cocci_quiet"
	[ "${PIPESTATUS[2]}" = 1 ]
}
# No finding: what spatch says of rules that a script does not have, and min() in the ring
# core, which user space compiles as well.
cocci_quiet='cocci.log:warning: |^minmax.cocci.log:kmod/include/shmring/'

# It says what it found in what it prints only, which "make -s" would throw away.
smatched() {
	make -C kmod BUILD="$BUILD/lint/smatch" KDIR="$BUILD/kernel/$KERNEL/headers" \
		CHECK="smatch -p=kernel" check 2>&1 | grep -E 'warn: |error: '
	[ "${PIPESTATUS[*]}" = "0 1" ]
}

documentation() { make -s -C Documentation check; }

abi() { "$here/abi.sh" check "$BUILD/lint/gcc/lib/libshmring.so"; }

# User code: what can be wrong, not what can be prettier.
tidy() {
	c_files lib tools | grep '\.c$' | grep -v 'tools/peers' | xargs -n 4 -P 2 \
		clang-tidy --quiet --warnings-as-errors='*' \
		--checks="-*,clang-analyzer-core.*,clang-analyzer-unix.*,clang-analyzer-deadcode.*,$tidy_checks" \
		-- -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib -Ilib/include -Itools \
		-Ikmod/include -Ikmod/include/uapi 2>&1 | grep -E 'warning:|error:'
	[ "${PIPESTATUS[4]}" = 1 ]
}
tidy_checks='bugprone-infinite-loop,bugprone-macro-repeated-side-effects'
tidy_checks+=',bugprone-misplaced-widening-cast,bugprone-sizeof-expression'
tidy_checks+=',bugprone-suspicious-memset-usage,bugprone-suspicious-string-compare'
tidy_checks+=',bugprone-undefined-memory-manipulation,bugprone-unused-return-value'

cppchecked() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppress=unknownMacro --suppress=nullPointerArithmetic --std=c11 \
		-D__x86_64__ -D_GNU_SOURCE -Ilib -Ilib/include -Itools -Ikmod/include \
		-Ikmod/include/uapi lib/*.c tools/*.c
}

if [ "${1:-}" = more ]; then
	t "lib and tools: clang-tidy" tidy
	t "lib and tools: cppcheck" cppchecked
	settle
	echo "1..$n"
	exit $failed
fi

mkdir -p "$BUILD/lint" "$BUILD/ksft/include"
# For checkpatch: the harness spells types with a macro, which looks like a factor in front of a
# '*'. Only the last alternative has to end a word.
echo 'FIXTURE_DATA\(\w+\)|FIXTURE_DATA' >"$results/types"
# The samples' programs are no part of a kernel.
programs=(kmod/samples/ask.c kmod/samples/sched_decode.c)
t "checkpatch: kmod" checkpatch 1 kmod ':!kmod/trace.h' "${programs[@]/#/:!}"
t "checkpatch: tracepoints" checkpatch trace kmod/trace.h
t "checkpatch: lib, tools, selftests" checkpatch 0 lib tools selftests "${programs[@]}"
t "module: W=1, sparse, -Werror" make -s -C kmod KVER="$KERNEL" check
t "lib and tools: gcc -Werror" build_with gcc
if command -v clang >/dev/null; then
	t "lib and tools: clang -Werror" build_with clang
else
	skip "lib and tools: clang -Werror" "no clang here"
fi
t "kmod: coccinelle" coccinelle
if command -v smatch >/dev/null; then
	t "module: smatch" smatched
else
	skip "module: smatch" "no smatch here, which Debian 12 does not package"
fi
settle	# the library that gcc made is looked at
t "ABI: as recorded, as in the map, as in 32-bit programs" abi
t "syzkaller's description and the UAPI header agree" "$here/syzkaller/check"
t "documentation" documentation
# shellcheck disable=SC2046
t "shellcheck" shellcheck -x -P SCRIPTDIR -S warning $(scripts)
# shellcheck disable=SC2046
t "codespell" codespell -q 3 -L iput,nd,fo,inout $(files | grep -v '^LICENSES/')
t "licence in every file" licences
settle
echo "1..$n"
exit $failed
