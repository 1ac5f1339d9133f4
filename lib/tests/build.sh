#!/bin/sh
# SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
# What can be asked of a compiler and a linker: headers alone, in C and C++, on 32 bits;
# an installed copy; exported names. TAP like the programs beside it.
# Wants TOP (the tree), LIB (built library), CC, CXX, CC32.

CC=${CC:-cc}
CXX=${CXX:-c++}
CC32=${CC32:-i686-linux-gnu-gcc}
INC="-I$TOP/lib/include -I$TOP/kmod/include -I$TOP/kmod/include/uapi"
STRICT='-Wall -Wextra -Wshadow -Wpedantic -Werror'
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
version=$(sed -n 's/.*SHMRING_VERSION[[:space:]]*"\(.*\)"/\1/p' "$TOP/kmod/include/shmring/version.h")
nr=0
bad=0

check() {
	title=$1
	shift
	nr=$((nr + 1))
	if "$@" > "$dir/log" 2>&1; then
		echo "ok $nr - $title"
	else
		sed 's/^/# /' "$dir/log"
		echo "not ok $nr - $title"
		bad=1
	fi
}

skip() {
	nr=$((nr + 1))
	echo "ok $nr - $1 # SKIP $2"
}

echo 'TAP version 13'
cat > "$dir/user.c" <<'END'
#include <shmring.h>
#include <string.h>
int main(void)
{
	struct shmring_opts o;
	struct shmring *p, *c;
	long value = 42, got = 0;

	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	o.backend = SHMRING_BACKEND_MEMFD;
	if (shmring_create(NULL, SHMRING_ROLE_PRODUCER, &o, &p) ||
	    shmring_attach_fd(shmring_fd(p), SHMRING_ROLE_CONSUMER, &o, &c) ||
	    shmring_send(p, &value, sizeof(value), SHMRING_FOREVER) ||
	    shmring_recv(c, &got, sizeof(got), SHMRING_FOREVER) != sizeof(got))
		return 1;
	shmring_close(p);
	shmring_close(c);
	return got != 42;
}
END
cp "$dir/user.c" "$dir/user.cc"
echo '#include <linux/shmring.h>' > "$dir/uapi.c"
echo 'int uapi_used;' >> "$dir/uapi.c"

check 'header is C11' $CC -std=c11 $STRICT $INC -c "$dir/user.c" -o "$dir/user.o"
check 'header is C99' $CC -std=c99 $STRICT $INC -c "$dir/user.c" -o "$dir/user99.o"
check 'header is C++11' $CXX -std=c++11 $STRICT -Wno-variadic-macros $INC \
	-c "$dir/user.cc" -o "$dir/usercc.o"
check 'header is C++20' $CXX -std=c++20 $STRICT $INC -c "$dir/user.cc" -o "$dir/usercc.o"
if echo '#include <liburing.h>' | $CC -E -x c - > /dev/null 2>&1; then
	echo '#include <shmring_uring.h>' > "$dir/uring.cc"
	cp "$dir/uring.cc" "$dir/uring.c"
	check 'liburing header is C11' $CC -std=c11 $STRICT -D_GNU_SOURCE $INC \
		-c "$dir/uring.c" -o "$dir/uring.o"
	check 'liburing header is C++11' $CXX -std=c++11 $STRICT -Wno-variadic-macros $INC \
		-c "$dir/uring.cc" -o "$dir/uring.o"
else
	skip 'liburing header is C11' 'no liburing'
	skip 'liburing header is C++11' 'no liburing'
fi
check 'C++ program works' sh -c "$CXX '$dir/usercc.o' '$LIB/libshmring.a' -pthread \
	-o '$dir/usercc' && '$dir/usercc'"
check 'UAPI header stands alone' $CC -std=c11 $STRICT -I"$TOP/kmod/include/uapi" \
	-c "$dir/uapi.c" -o "$dir/uapi.o"

# A sleep lasts until its deadline, whatever a time_t is.
cat > "$dir/sleep.c" <<'END'
#include <stdint.h>
#include <time.h>
int shmring_futex_wait(uint32_t *word, uint32_t value, uint64_t deadline);
static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
int main(void)
{
	uint64_t deadline = now() + 20000000;
	uint32_t word = 1;

	return shmring_futex_wait(&word, 1, deadline) == 0 || now() < deadline;
}
END
for time in 32 64; do
	word="32 bits, time_t of $time"
	if ! command -v "$CC32" > /dev/null; then
		skip "library and layout on $word" "no $CC32"
		skip "program works on $word" "no $CC32"
		skip "sleep lasts on $word" "no $CC32"
		continue
	fi
	flags="-std=gnu11 -O2 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=$time $INC"
	check "library and layout on $word" sh -c "for f in '$TOP'/lib/*.c; do \
		$CC32 $flags -Wall -Wextra -Werror -c \$f -o '$dir'/\$(basename \$f .c).$time.o || \
		exit 1; done"
	check "program works on $word" sh -c "$CC32 $flags '$dir/user.c' '$dir'/*.$time.o \
		-static -pthread -o '$dir/user$time' && '$dir/user$time'"
	check "sleep lasts on $word" sh -c "$CC32 $flags '$dir/sleep.c' '$dir'/*.$time.o \
		-static -pthread -o '$dir/sleep$time' && '$dir/sleep$time'"
done

check 'installs' make -s -C "$TOP/lib" install BUILD="${LIB%/lib}" DESTDIR="$dir/root" PREFIX=/usr
check 'installed copy is enough' sh -c "$CC $STRICT -I'$dir/root/usr/include' '$dir/user.c' \
	-L'$dir/root/usr/lib' -lshmring -o '$dir/user' && \
	LD_LIBRARY_PATH='$dir/root/usr/lib' '$dir/user'"
if command -v pkg-config > /dev/null; then
	check 'pkg-config finds it' sh -c "PKG_CONFIG_PATH='$dir/root/usr/lib/pkgconfig' \
		pkg-config --exact-version='$version' shmring"
else
	skip 'pkg-config finds it' 'no pkg-config'
fi
if command -v cmake > /dev/null; then
	printf '%s\n' 'cmake_minimum_required(VERSION 3.10)' 'project(u C)' \
		'find_package(shmring 0.1 REQUIRED)' > "$dir/CMakeLists.txt"
	check 'CMake finds it' cmake -S "$dir" -B "$dir/cm" \
		-Dshmring_DIR="$dir/root/usr/lib/cmake/shmring"
else
	skip 'CMake finds it' 'no cmake'
fi
nm -D --defined-only "$LIB/libshmring.so" | sed -n 's/.* T \([^@]*\).*/\1/p' | sort > "$dir/has"
sed -n 's/^\t\t\([a-z_]*\);$/\1/p' "$TOP/lib/libshmring.map" | sort > "$dir/map"
sed -n 's/.*\b\(__shmring_[a-z_]*\|shmring_[a-z_]*\)(struct shmring \*r[,)].*/\1/p
	s/^\(int\|long\|void\|uint32_t\|uint64_t\|const char \*\|void \*\) *\(shmring_[a-z_]*\)(.*/\2/p
	s/^SHMRING_INLINE [a-z]* \(shmring_[a-z_]*\)(.*/\1/p' \
	"$TOP/lib/include/shmring.h" | sort -u > "$dir/header"
check 'exports what the map says' diff "$dir/map" "$dir/has"
check 'exports what the header says' diff "$dir/map" "$dir/header"
check 'soname' sh -c "readelf -d '$LIB/libshmring.so' | grep -q 'soname: .libshmring.so.0.'"
check 'every name has its version' sh -c "! nm -D --defined-only '$LIB/libshmring.so' | \
	grep ' T ' | grep -v '@@SHMRING_0.1'"
echo "1..$nr"
exit $bad
