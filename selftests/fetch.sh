#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Brings the distribution's kernels and kselftest headers into build/, unpacked
# and never installed.
#
#   selftests/fetch.sh kernel 6.1     -> build/kernel/6.1/{release,vmlinuz,headers}
#   selftests/fetch.sh kernel 6.12       likewise
#   selftests/fetch.sh kernel sid        likewise: the newest that Debian has, with the
#                                        compiler that its headers want in a root/ around them
#   selftests/fetch.sh kernel arm64      likewise: 6.1 for aarch64
#   selftests/fetch.sh ksft           -> build/ksft/{tools/testing/selftests,scripts}
#   selftests/fetch.sh herd           -> build/herd/{herd7,memory-model}
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

# other_arch ARCH DIR: from here on apt speaks of ARCH, with lists of its own under DIR
other_arch() {
	mkdir -p "$2"/apt/lists/partial "$2"/apt/archives/partial
	: >"$2/apt/status"
	cat >"$2/apt/conf" <<-END
		APT::Architecture "$1";
		APT::Architectures { "$1"; };
		Dir::State "$2/apt";
		Dir::State::status "$2/apt/status";
		Dir::Cache "$2/apt";
	END
	export APT_CONFIG=$2/apt/conf
	quietly apt-get -qq -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false \
		-o APT::Sandbox::User="$(id -un)" update
}

known() {
	[ -n "$(field "$1" Version)" ] || apt_update
	[ -n "$(field "$1" Version)" ] || { say "no package $1 in the archive"; return 1; }
}

kernel() {
	local series=$1 dir=$BUILD/kernel/$1 flavour=cloud-amd64 meta rel ver kbuild tmp deb

	[ ! -e "$dir/release" ] || return 0
	need_debian12 "kernel $series" "give run-vm --vmlinuz and --kdir instead"
	case $series in
	6.1) meta=linux-image-cloud-amd64 ;;
	6.12) meta=linux-image-6.12-cloud-amd64 ;;
	sid) newest "$dir"; return ;;
	arm64) meta=linux-image-cloud-arm64 flavour=cloud-arm64 ;;
	*) say "unknown kernel $series: 6.1, 6.12, sid and arm64 are offered"; return 1 ;;
	esac
	mkdir -p "$BUILD/kernel"
	tmp=$(mktemp -d "$BUILD/kernel/.$series.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	if [ "$series" = arm64 ]; then
		# The programs in there run here.
		download "$tmp" linux-kbuild-6.1
		other_arch arm64 "$tmp"
	fi
	known "$meta"
	rel=$(field "$meta" Depends | sed 's/[ ,].*//')
	rel=${rel#linux-image-}
	known "linux-headers-$rel"
	ver=$(field "linux-headers-$rel" Version)
	case $series in
	6.1) kbuild=linux-kbuild-6.1=$ver ;;
	arm64) kbuild='' ;;
	*) kbuild=linux-kbuild-${rel%-"$flavour"}=$ver ;;
	esac
	say "unpacking kernel $rel ($ver) into build/"
	# What a guest of another kind cannot have from here.
	[ "$series" != arm64 ] || download "$tmp" busybox-static
	download "$tmp" "linux-image-$rel=$ver" "linux-headers-$rel=$ver" \
		"linux-headers-${rel%-"$flavour"}-common=$ver" ${kbuild:+"$kbuild"}
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root"
		rm "$deb"
	done
	[ ! -e "$tmp/root/bin/busybox" ] || mv "$tmp/root/bin/busybox" "$tmp/busybox"
	find "$tmp/root" -name "vmlinuz-$rel" -exec ln -s {} "$tmp/vmlinuz" \;
	[ -s "$tmp/vmlinuz" ] || { say "no vmlinuz in linux-image-$rel"; return 1; }
	# The only absolute path in there.
	printf 'include %s/root/usr/src/linux-headers-%s-common/Makefile\n' \
		"$dir" "${rel%-"$flavour"}" >"$tmp/root/usr/src/linux-headers-$rel/Makefile"
	ln -sfn "root/usr/src/linux-headers-$rel" "$tmp/headers"
	ln -sf "$(realpath --relative-to="$tmp" "$(readlink "$tmp/vmlinuz")")" "$tmp/vmlinuz"
	rm -rf "$tmp/apt" "$tmp/root/usr/share" "$tmp"/root/lib/modules "$tmp"/root/usr/lib/modules/*/kernel
	echo "$rel" >"$tmp/release"
	chmod 755 "$tmp"
	rm -rf "$dir"
	mv -T "$tmp" "$dir"
	trap - EXIT
}

# No suite but sid has it, and its headers build with sid's own compiler alone.
newest() {
	local dir=$1 tmp mirror rel

	"$here/deps.sh" newest
	mirror=$(apt_mirror) || { say "apt names no archive of bookworm to take sid from"; return 1; }
	say "unpacking the newest kernel and its compiler into build/"
	mkdir -p "$BUILD/kernel"
	tmp=$(mktemp -d "$BUILD/kernel/.sid.XXXXXX")
	# shellcheck disable=SC2064
	trap "as_root rm -rf '$tmp'" EXIT
	chmod 755 "$tmp"
	# The image's modules and what it would pull in are of no use here.
	# shellcheck disable=SC2016
	quietly as_root mmdebstrap --quiet --variant=apt --include=make,linux-headers-cloud-amd64 \
		--aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' \
		--dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/man/*' \
		--customize-hook='rel=$(basename "$1"/usr/src/linux-headers-*-cloud-amd64) &&
			chroot "$1" sh -c "cd / && apt-get -q -o APT::Sandbox::User=root \
				download linux-binary-${rel#linux-headers-}"' \
		sid "$tmp/root" "$mirror" || return 1
	rel=$(basename "$tmp"/root/usr/src/linux-headers-*-cloud-amd64)
	rel=${rel#linux-headers-}
	dpkg-deb --fsys-tarfile "$tmp"/root/linux-binary-*.deb |
		tar -xO --wildcards '*/vmlinuz*' >"$tmp/vmlinuz"
	[ -s "$tmp/vmlinuz" ] || { say "no vmlinuz in linux-binary-$rel"; return 1; }
	as_root rm "$tmp"/root/linux-binary-*.deb
	ln -s "root/usr/src/linux-headers-$rel" "$tmp/headers"
	echo "$rel" >"$tmp/release"
	as_root rm -rf "$dir"
	mv -T "$tmp" "$dir"
	trap - EXIT
}

# from_source DIR PATH...: these of the kernel's source, into DIR/linux-source-6.1
from_source() {
	local dir=$1 src=/usr/src/linux-source-6.1.tar.xz p=linux-source-6.1

	shift
	if [ ! -e "$src" ]; then
		known "$p"
		download "$dir" "$p"
		dpkg-deb --fsys-tarfile "$dir"/*.deb | tar -xO ".$src" >"$dir/src.tar.xz"
		src=$dir/src.tar.xz
	fi
	xz -dc -T0 "$src" | tar -x -C "$dir" "${@/#/$p/}"
	rm -f "$dir"/*.deb "$dir/src.tar.xz"
}

ksft() {
	local dir=$BUILD/ksft tmp p=linux-source-6.1
	local want=(tools/testing/selftests/kselftest.h
		tools/testing/selftests/kselftest_harness.h
		tools/testing/selftests/lib.mk
		tools/testing/selftests/kselftest
		scripts/checkpatch.pl scripts/spelling.txt
		scripts/const_structs.checkpatch scripts/coccinelle)

	[ ! -e "$dir/complete" ] || [ ! -e "$dir/scripts/coccinelle" ] || return 0
	if [ ! -e /usr/src/$p.tar.xz ]; then
		need_debian12 $p "unpack ${want[*]} of a kernel source into $dir"
		say "unpacking the kselftest headers and checkpatch into build/"
	fi
	mkdir -p "$BUILD"
	tmp=$(mktemp -d "$BUILD/.ksft.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	from_source "$tmp" "${want[@]}"
	mv "$tmp/$p"/* "$tmp"
	rmdir "$tmp/$p"
	touch "$tmp/complete"
	chmod 755 "$tmp"
	rm -rf "$dir"
	mv -T "$tmp" "$dir"
	trap - EXIT
}

# herdtools7 is in newer suites only: unpacked from sid with the libraries that it wants,
# and run by their loader.
herd() {
	local dir=$BUILD/herd tmp mirror

	[ ! -e "$dir/herd7" ] || return 0
	need_debian12 herdtools7 "put a herd7 into PATH, and say LKMM=<kernel source>/tools/memory-model"
	"$here/deps.sh" newest
	mirror=$(apt_mirror) || { say "apt names no archive of bookworm to take sid from"; return 1; }
	say "unpacking herd7 and the kernel's memory model into build/"
	tmp=$(mktemp -d "$BUILD/.herd.XXXXXX")
	# shellcheck disable=SC2064
	trap "as_root rm -rf '$tmp'" EXIT
	chmod 755 "$tmp"
	from_source "$tmp" tools/memory-model
	mv "$tmp"/linux-source-*/tools/memory-model "$tmp"
	rm -r "$tmp"/linux-source-*
	quietly as_root mmdebstrap --quiet --variant=extract --include=herdtools7 \
		--aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' \
		--dpkgopt=path-exclude='/usr/share/doc/*' --dpkgopt=path-exclude='/usr/share/man/*' \
		sid "$tmp/root" "$mirror" || return 1
	cat >"$tmp/herd7" <<-END
		#!/bin/sh
		root=$dir/root/usr
		exec "\$root"/lib64/ld-linux-x86-64.so.2 --library-path "\$root/lib/x86_64-linux-gnu" \\
			"\$root/bin/herd7" -set-libdir "\$root/share/herdtools7/herd" "\$@"
	END
	chmod 755 "$tmp/herd7"
	as_root rm -rf "$dir"
	mv -T "$tmp" "$dir"
	trap - EXIT
}

mkdir -p "$BUILD"
exec 8>"$BUILD/.fetch.lock"
flock 8
case ${1:-} in
kernel) kernel "${2:-6.1}" ;;
ksft) ksft ;;
herd) herd ;;
*) say "usage: fetch.sh kernel 6.1|6.12|sid|arm64, fetch.sh ksft, fetch.sh herd"; exit 2 ;;
esac
