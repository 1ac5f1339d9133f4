#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages in build/deb, in a fresh Debian 12 that ends with this: installed with what
# they ask for, used, compiled against, the module built by dkms, purged. As TAP.
#
# Nothing is loaded into this kernel: dkms builds for the kernel whose headers are in there.
# Package names hold no spaces.
# shellcheck disable=SC2046
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
# shellcheck source=selftests/deps.sh
. "$here/deps.sh"
set +e
export BUILD=${BUILD:-$top/build}
deb=$BUILD/deb
version=$(sed -n 's/.*SHMRING_VERSION\t*"\(.*\)"/\1/p' "$top/kmod/include/shmring/version.h")
n=0 failed=0

work=$(mktemp -d "${TMPDIR:-/tmp}/shmring-deb.XXXXXX") || exit 1
root=$work/root
trap 'as_root rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM HUP

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

# Without what the tests are about there is nothing to say.
bail() {
	echo "Bail out! $*"
	exit 1
}

in_root() { "$here/vm/in-root" "$root" "$@"; }

# sh_root SCRIPT: in the root, $1 is the version
sh_root() { in_root sh -eu -c "$1" sh "$version"; }

# apt drops its rights before it reads what we mounted.
apt() {
	in_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y \
		-o Acquire::Retries=3 -o APT::Sandbox::User=root --no-install-recommends "$@"
}

# packages NAME...: their files
packages() {
	local name

	for name in "$@"; do
		ls "$deb/${name}_${version}"_*.deb || return 1
	done
}

fresh_root() {
	local mirror

	mirror=$(apt_mirror) || { say "apt names no archive of bookworm"; return 1; }
	as_root mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
		--dpkgopt=force-unsafe-io bookworm "$root" "$mirror" && apt update
}

all_built() { packages libshmring0 libshmring-dev shmring shmring-dkms; }

# There is no address to write to: whoever builds is the maintainer, often without one.
lintian_clean() {
	(cd "$deb" && lintian --allow-root --fail-on error,warning --suppress-tags \
		bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact ./*.changes)
}

# hello_works PROGRAM: what README says of its program, whichever is first
hello_works='hello_works() {
	timeout 60 $1 >got & timeout 60 $1 one two three
	wait $!
	printf "one\ntwo\nthree\n" | cmp - got
	timeout 60 $1 one two three & timeout 60 $1 >got
	wait $!
	printf "one\ntwo\nthree\n" | cmp - got
}
'

readme_program() {
	as_root sh -c 'awk "/^\`\`\`c\$/ { on = 1; next } /^\`\`\`\$/ { on = 0 } on" "$1" >"$2"' \
		sh "$top/README.md" "$root/root/hello.c" &&
		sh_root "$hello_works"'cd
			cc -Wall -Werror hello.c -o hello $(pkg-config --cflags --libs shmring)
			hello_works ./hello'
}

cmake_program() {
	sh_root "$hello_works"'mkdir -p /root/cmake && cd /root/cmake
		cat >CMakeLists.txt <<-END
			cmake_minimum_required(VERSION 3.10)
			project(hello C)
			find_package(shmring $1 REQUIRED)
			foreach(kind shmring static)
				add_executable(hello-\${kind} ../hello.c)
				target_link_libraries(hello-\${kind} shmring::\${kind})
			endforeach()
		END
		cmake -S . -B out && cmake --build out
		for kind in shmring static; do
			hello_works out/hello-$kind
		done
		ldd out/hello-shmring | grep libshmring.so.0
		[ -z "$(ldd out/hello-static | grep libshmring)" ]
		rm -r /root/cmake'
}

# Names of files that are ours, or of those who keep them: nothing is mounted meanwhile
ours() { as_root find "$root" -name '*shmring*' | sort; }

all_built >/dev/null || bail "no packages of version $version in $deb: make deb"
quietly fresh_root || bail "no fresh Debian 12 could be made"

ours >"$work/before"
t "lintian" lintian_clean
t "shmring installs with what it asks for" apt install $(packages libshmring0 shmring)
t "the tool runs and has the packages' version" \
	sh_root 'shmring --version | grep -F "shmring $1 "'
t "the tool uses the packaged library" sh_root 'ldd $(command -v shmring) | grep libshmring.so.0'
t "the group is there" sh_root 'getent group shmring'
t "udev rule, completion" sh_root 'test -s /lib/udev/rules.d/60-shmring.rules
	bash -n /usr/share/bash-completion/completions/shmring
	test -s /usr/share/zsh/vendor-completions/_shmring'
t "doctor finds a backend that works" sh_root 'shmring doctor'
t "records go from a process to another" sh_root 'cd
	timeout 60 shmring recv -b memfd numbers >got & seq 100000 | shmring send -b memfd numbers; wait $!
	seq 100000 | cmp - got'

t "libshmring-dev installs with what it asks for" apt install $(packages libshmring-dev)
t "a compiler, CMake and manual pages install" apt install gcc libc6-dev make pkg-config cmake man-db
t "pkg-config knows it" sh_root 'pkg-config --exact-version=$1 shmring'
t "README's program compiles and runs" readme_program
t "CMake finds the shared and the static library" cmake_program
t "manual pages are found" sh_root '
	for page in "1 shmring" "1 shmring-bench" "3 shmring_open" "4 shmring" "7 shmring"; do
		MANWIDTH=100 man $page | grep -q "^NAME"
	done'

t "headers of a kernel install" apt install "linux-headers-cloud-$(dpkg --print-architecture)"
t "shmring-dkms installs with what it asks for" apt install $(packages shmring-dkms)
t "dkms has built and installed the module" sh_root '
	kernel=$(basename /lib/modules/*)
	dkms status shmring/$1 -k $kernel | grep ": installed"
	modinfo -k $kernel -F version shmring | grep -Fx "$1"
	modinfo -k $kernel -F vermagic shmring | grep "^$kernel "'
t "it is loaded at boot" sh_root 'grep -x shmring /usr/lib/modules-load.d/shmring.conf'
t "all of it installs again" apt install --reinstall $(all_built)
t "removing the dkms package removes the module" sh_root '
	dpkg -r shmring-dkms
	[ -z "$(find /lib/modules/ -name "shmring.ko*"; dkms status shmring)" ]'
t "all of it can be purged" apt purge shmring-dkms shmring libshmring-dev libshmring0
t "nothing of it is left" diff "$work/before" <(ours)
echo "1..$n"
exit $failed
