#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What building and testing needs from the distribution, and how to get it.
#
#   selftests/deps.sh GROUP...          install what these groups lack
#   selftests/deps.sh --name GROUP...   only name it
#   selftests/deps.sh --list            print the table
#
# Debian 12: installed with apt, as root or through sudo. Anywhere else: what is
# missing is named and nothing is touched.
#
# Kernels to test are never installed: selftests/fetch.sh unpacks them into build/.
set -eu

# group   probe                       Debian package
TABLE='
build     cmd:gcc                     build-essential
build     cmd:make                    build-essential
build     header:stdlib.h             build-essential
build     cmd:pkg-config              pkg-config
build     cmd:xz                      xz-utils
build     header:numa.h               libnuma-dev
build     header:liburing.h           liburing-dev
build     header:jansson.h            libjansson-dev
deb       cmd:dpkg-buildpackage       dpkg-dev
deb       cmd:dh                      debhelper
deb       cmd:dh_dkms                 dh-dkms
check-deb cmd:mmdebstrap              mmdebstrap
check-deb cmd:lintian                 lintian
kernel    cmd:gcc-12                  gcc-12
kernel    lib:libelf.so.1             libelf1
kernel    lib:libcrypto.so.3          libssl3
vm        cmd:qemu-system-x86_64      qemu-system-x86
vm        cmd:cpio                    cpio
vm        file:/sbin/mke2fs           e2fsprogs
vm        file:/bin/busybox           busybox-static
vm        cmd:udevadm                 udev
vm        cmd:i686-linux-gnu-gcc      gcc-i686-linux-gnu
vm        file:/usr/i686-linux-gnu/lib/libc.a libc6-dev-i386-cross
debug-kernel cmd:flex                 flex
debug-kernel cmd:bison                bison
debug-kernel cmd:bc                   bc
debug-kernel header:gelf.h            libelf-dev
debug-kernel header:openssl/sha.h     libssl-dev
debug-kernel file:/usr/src/linux-source-6.1.tar.xz linux-source-6.1
newest    cmd:mmdebstrap              mmdebstrap
arm64     cmd:aarch64-linux-gnu-gcc   gcc-aarch64-linux-gnu
arm64     file:/usr/aarch64-linux-gnu/lib/libc.a libc6-dev-arm64-cross
arm64     cmd:qemu-system-aarch64     qemu-system-arm
clang     cmd:clang-14                clang-14
clang     cmd:ld.lld-14               lld-14
clang     cmd:llvm-nm-14              llvm-14
clang     cmd:flex                    flex
clang     cmd:bison                   bison
clang     cmd:bc                      bc
clang     header:gelf.h               libelf-dev
clang     header:openssl/sha.h        libssl-dev
clang     file:/usr/src/linux-source-6.1.tar.xz linux-source-6.1
stress    cmd:stress-ng               stress-ng
stress    cmd:trinity                 trinity
peers     cmd:g++                     g++
peers     header:ck_ring.h            libck-dev
peers     file:/usr/include/dpdk/rte_ring.h libdpdk-dev
peers     file:/usr/include/boost/lockfree/spsc_queue.hpp libboost-dev
peers     file:/usr/include/readerwriterqueue/readerwriterqueue.h libreaderwriterqueue-dev
peers     file:/usr/include/concurrentqueue/concurrentqueue.h libconcurrentqueue-dev
peers     file:/usr/include/sys/acl.h libacl1-dev
peers     file:/usr/include/iceoryx/v2.0.3/iceoryx_posh/roudi/iceoryx_roudi_components.hpp libiceoryx-posh-dev
bpf       header:bpf/libbpf.h         libbpf-dev
trace     cmd:bpftrace                bpftrace
cross     cmd:aarch64-linux-gnu-gcc   gcc-aarch64-linux-gnu
cross     file:/usr/aarch64-linux-gnu/lib/libc.a libc6-dev-arm64-cross
cross     cmd:qemu-aarch64-static     qemu-user-static
fuzz      cmd:clang                   clang
fuzz      file:/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a libclang-rt-14-dev
lint      cmd:perl                    perl
lint      cmd:sparse                  sparse
lint      cmd:shellcheck              shellcheck
lint      cmd:codespell               codespell
lint      cmd:clang                   clang
lint      cmd:spatch                  coccinelle
lint      lib:libpython3.11.so.1.0    libpython3.11
lint      cmd:mandoc                  mandoc
lint      cmd:rst2pseudoxml           python3-docutils
lint      cmd:pahole                  dwarves
lint      cmd:i686-linux-gnu-gcc      gcc-i686-linux-gnu
lint-more cmd:clang-tidy              clang-tidy
lint-more cmd:cppcheck                cppcheck
'

say() { echo "deps: $*" >&2; }

probe() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	file:*) [ -e "${1#file:}" ] ;;
	header:*) gcc -E -x c -include "${1#header:}" /dev/null >/dev/null 2>&1 ;;
	lib:*) [ -n "$(find /lib /usr/lib /lib64 /usr/lib64 -maxdepth 2 \
			-name "${1#lib:}" -print -quit 2>/dev/null)" ] ;;
	esac
}

# missing GROUP...: one "probe package" a line
missing() {
	local group want pkg g

	while read -r group want pkg; do
		for g in "$@"; do
			[ "$g" = "$group" ] || continue
			probe "$want" || echo "$want $pkg"
		done
	done <<<"$TABLE"
}

is_debian12() {
	# shellcheck disable=SC1091
	( . /etc/os-release && [ "$ID" = debian ] && [ "${VERSION_ID:-}" = 12 ] ) 2>/dev/null &&
		command -v apt-get >/dev/null
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "this needs root or sudo: $*"
		return 1
	fi
}

# quietly CMD...: shows the output only if CMD fails
quietly() {
	local out rc=0

	out=$("$@" </dev/null 2>&1) || rc=$?
	[ "$rc" = 0 ] || printf '%s\n' "$out" >&2
	return "$rc"
}

# Archives are updated under our feet: mirrors out of step give a wrong hash, old
# indices a 404. Ask anew a few times; the signatures are checked every time.
apt_update() {
	quietly as_root apt-get -qq -o Acquire::Retries=3 \
		-o Acquire::Check-Valid-Until=false update ||
		say "apt-get update failed, going on with the indices there are"
}

# Where this machine has its Debian from; 1: nowhere
apt_mirror() {
	apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' \
		'Created-By: Packages' 2>/dev/null | head -n 1 | grep .
}

apt_install() {
	local try

	for try in 1 2 3; do
		[ "$try" = 1 ] && [ -n "$(ls /var/lib/apt/lists/*_Packages* 2>/dev/null)" ] || apt_update
		if quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
			-o Acquire::Retries=3 -o Dpkg::Options::=--force-confold \
			--no-install-recommends install "$@"; then
			return 0
		fi
		say "attempt $try of 3 failed"
	done
	return 1
}

main() {
	local lacks pkgs name=0

	if [ "${1:-}" = --list ]; then
		echo "$TABLE"
		return 0
	fi
	[ "${1:-}" != --name ] || { name=1; shift; }
	lacks=$(missing "$@")
	[ -n "$lacks" ] || return 0
	# Two at a time would only stand in each other's way.
	exec 9>"${TMPDIR:-/tmp}/shmring-deps.lock"
	flock 9
	lacks=$(missing "$@")
	[ -n "$lacks" ] || return 0
	pkgs=$(echo "$lacks" | awk '{ print $2 }' | sort -u)
	if [ "$name" = 1 ] || ! is_debian12; then
		say "missing here (installed by itself on Debian 12 only):"
		echo "$lacks" | awk '{ sub(/^[a-z]*:/, "", $1); printf "deps:   %-28s Debian: %s\n", $1, $2 }' >&2
		return 1
	fi
	say "installing:" $pkgs
	# shellcheck disable=SC2086
	apt_install $pkgs || return 1
	lacks=$(missing "$@")
	[ -z "$lacks" ] || { say "still missing:" $lacks; return 1; }
}

[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
