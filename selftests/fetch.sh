#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Brings the distribution's kernels and kselftest headers into build/, unpacked
# and never installed.
#
#   selftests/fetch.sh kernel 6.1     -> build/kernel/6.1/{release,vmlinuz,headers}
#   selftests/fetch.sh ksft           -> build/ksft/{tools/testing/selftests,scripts}
#
# Image and headers of a kernel have the same package version, so that a module
# built with the one loads into the other. What is complete is not asked for again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/deps.sh
. "$here/deps.sh"
BUILD=${BUILD:-$(dirname "$here")/build}

need_debian12() {
	is_debian12 && return
	say "$1 comes from Debian 12's archive; $2"
	exit 1
}

# download DIR PACKAGE[=VERSION]...
download() {
	local dir=$1 try

	shift
	for try in 1 2 3; do
		if (cd "$dir" && quietly apt-get -qq -o Acquire::Retries=3 \
			-o APT::Sandbox::User="$(id -un)" download "$@"); then
			return 0
		fi
		say "download attempt $try of 3 failed"
		rm -f "$dir"/*.deb
		apt_update
	done
	return 1
}

# field PACKAGE NAME: from the record of the newest version
field() {
	apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n "s/^$2: //p"
}

known() {
	[ -n "$(field "$1" Version)" ] || apt_update
	[ -n "$(field "$1" Version)" ] || { say "no package $1 in the archive"; return 1; }
}

kernel() {
	local series=$1 dir=$BUILD/kernel/$1 meta rel ver kbuild tmp deb

	[ ! -e "$dir/release" ] || return 0
	need_debian12 "kernel $series" "give run-vm --vmlinuz and --kdir instead"
	case $series in
	6.1) meta=linux-image-cloud-amd64 ;;
	6.12) meta=linux-image-6.12-cloud-amd64 ;;
	*) say "unknown kernel $series: 6.1 and 6.12 are offered"; return 1 ;;
	esac
	known "$meta"
	rel=$(field "$meta" Depends | sed 's/[ ,].*//')
	rel=${rel#linux-image-}
	known "linux-headers-$rel"
	ver=$(field "linux-headers-$rel" Version)
	case $series in
	6.1) kbuild=linux-kbuild-6.1 ;;
	*) kbuild=linux-kbuild-${rel%-cloud-amd64} ;;
	esac
	say "unpacking kernel $rel ($ver) into build/"
	mkdir -p "$BUILD/kernel"
	tmp=$(mktemp -d "$BUILD/kernel/.$series.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	download "$tmp" "linux-image-$rel=$ver" "linux-headers-$rel=$ver" \
		"linux-headers-${rel%-cloud-amd64}-common=$ver" "$kbuild=$ver"
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root"
		rm "$deb"
	done
	find "$tmp/root" -name "vmlinuz-$rel" -exec ln -s {} "$tmp/vmlinuz" \;
	[ -s "$tmp/vmlinuz" ] || { say "no vmlinuz in linux-image-$rel"; return 1; }
	# The only absolute path in there.
	printf 'include %s/root/usr/src/linux-headers-%s-common/Makefile\n' \
		"$dir" "${rel%-cloud-amd64}" >"$tmp/root/usr/src/linux-headers-$rel/Makefile"
	ln -sfn "root/usr/src/linux-headers-$rel" "$tmp/headers"
	ln -sf "$(realpath --relative-to="$tmp" "$(readlink "$tmp/vmlinuz")")" "$tmp/vmlinuz"
	rm -rf "$tmp/root/usr/share" "$tmp"/root/lib/modules "$tmp"/root/usr/lib/modules/*/kernel
	echo "$rel" >"$tmp/release"
	chmod 755 "$tmp"
	rm -rf "$dir"
	mv -T "$tmp" "$dir"
	trap - EXIT
}

ksft() {
	local dir=$BUILD/ksft tmp src=/usr/src/linux-source-6.1.tar.xz p=linux-source-6.1
	local want=("$p/tools/testing/selftests/kselftest.h"
		"$p/tools/testing/selftests/kselftest_harness.h"
		"$p/tools/testing/selftests/lib.mk"
		"$p/tools/testing/selftests/kselftest"
		"$p/scripts/checkpatch.pl" "$p/scripts/spelling.txt"
		"$p/scripts/const_structs.checkpatch")

	[ ! -e "$dir/complete" ] || return 0
	if [ ! -e "$src" ]; then
		need_debian12 "linux-source-6.1" "unpack ${want[*]#"$p"/} of a kernel source into $dir"
		say "unpacking the kselftest headers and checkpatch into build/"
	fi
	mkdir -p "$BUILD"
	tmp=$(mktemp -d "$BUILD/.ksft.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	if [ ! -e "$src" ]; then
		known "$p"
		download "$tmp" "$p"
		dpkg-deb --fsys-tarfile "$tmp"/*.deb | tar -xO ".$src" >"$tmp/src.tar.xz"
		src=$tmp/src.tar.xz
	fi
	xz -dc -T0 "$src" | tar -x -C "$tmp" "${want[@]}"
	rm -f "$tmp"/*.deb "$tmp/src.tar.xz"
	mv "$tmp/$p"/* "$tmp"
	rmdir "$tmp/$p"
	touch "$tmp/complete"
	chmod 755 "$tmp"
	rm -rf "$dir"
	mv -T "$tmp" "$dir"
	trap - EXIT
}

mkdir -p "$BUILD"
exec 8>"$BUILD/.fetch.lock"
flock 8
case ${1:-} in
kernel) kernel "${2:-6.1}" ;;
ksft) ksft ;;
*) say "usage: fetch.sh kernel 6.1|6.12, fetch.sh ksft"; exit 2 ;;
esac
