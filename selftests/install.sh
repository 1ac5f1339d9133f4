#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What "make install" brings, under a DESTDIR, runs and names its parts; "make uninstall"
# takes all of it away again. As TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
n=0 failed=0
root=$(mktemp -d "${TMPDIR:-/tmp}/shmring-install.XXXXXX") || exit 1
trap 'rm -rf "$root"' EXIT

# t NAME COMMAND...
t() {
	local name=$1 out

	shift
	n=$((n + 1))
	if out=$("$@" </dev/null 2>&1); then
		echo "ok $n - $name"
	else
		failed=1
		echo "not ok $n - $name"
		printf '%s\n' "$out" | tail -n 60 | sed 's/^/# /'
	fi
}

there() {
	local file

	for file in "$@"; do
		[ -s "$root/usr/$file" ] || { echo "no $file"; return 1; }
	done
}

left() { ! find "$root" ! -type d -o -name shmring | grep .; }

t "installs" make -s -C "$top" install DESTDIR="$root" PREFIX=/usr
t "all kinds of files" there bin/shmring libexec/shmring/shmring-bench-peers \
	share/bash-completion/completions/shmring share/zsh/site-functions/_shmring \
	lib/libshmring.so lib/libshmring.a lib/pkgconfig/shmring.pc \
	lib/cmake/shmring/shmringConfig.cmake include/shmring.h include/linux/shmring.h \
	include/shmring/version.h share/man/man1/shmring.1 share/man/man3/shmring_open.3 \
	share/doc/shmring/library.rst share/man/man4/shmring.4 share/man/man7/shmring.7 lib/udev/rules.d/60-shmring.rules \
	lib/sysusers.d/shmring.conf lib/modules-load.d/shmring.conf
t "the installed tool works" "$root/usr/bin/shmring" doctor -b memfd
t "uninstalls" make -s -C "$top" uninstall DESTDIR="$root" PREFIX=/usr
t "nothing is left" left
t "installs without the peers" make -s -C "$top" install DESTDIR="$root" PREFIX=/usr PEERS=
t "the peers are not there" test ! -e "$root/usr/libexec/shmring"
echo "1..$n"
exit $failed
