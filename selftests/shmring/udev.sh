#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The udev rule: who may open the device, as the distribution's udevd applies it when the
# module is loaded, and when it is asked again.
rule=/usr/lib/udev/rules.d/60-shmring.rules
n=0
failed=0

t() { # WHAT COMMAND...
	what=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/.udev 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' /tmp/.udev
		failed=1
	fi
}

if [ ! -e "$rule" ] || ! command -v udevadm >/dev/null; then
	echo "1..0 # SKIP no udevadm here, or no $rule"
	exit 0
fi
if [ -e /run/udev/control ]; then
	echo "1..0 # SKIP this machine has a udevd of its own"
	exit 0
fi

# as_ruled: whose the device is
as_ruled() {
	stat -c '%U:%G %a' /dev/shmring
	[ "$(stat -c '%U:%G %a' /dev/shmring)" = "root:shmring 660" ]
}

as_made() {
	rmmod shmring && insmod "$SHMRING_KO" && stat -c '%U:%G %a' /dev/shmring &&
		[ "$(stat -c '%U:%G %a' /dev/shmring)" = "root:root 660" ]
}

# By the name that it is started with.
udevd() {
	mkdir -p /run/udev && ln -sf "$(command -v udevadm)" /tmp/systemd-udevd &&
		/tmp/systemd-udevd --daemon
}

load_anew() { rmmod shmring && insmod "$SHMRING_KO" && udevadm settle && as_ruled; }

ask_again() {
	chown root:root /dev/shmring && chmod 600 /dev/shmring &&
		udevadm trigger --settle --action=change --subsystem-match=misc \
			--sysname-match=shmring && as_ruled
}

# What udev has to say of the file: that it read it, and what it does by it
understood() {
	udevadm test --action=add /sys/class/misc/shmring >/tmp/.rules 2>&1
	grep -F "$rule" /tmp/.rules
	grep -q "Reading rules file: $rule" /tmp/.rules &&
		! grep -F "$rule:" /tmp/.rules | grep -vE ':[0-9]+ (GROUP|MODE) '
}

opens() { su "$1" -c ': <>/dev/shmring'; }

t "without udev it is root's alone" as_made
t "udevd starts" udevd
t "asked again, it gives the device to the group" ask_again
t "so it does when the module is loaded" load_anew
t "the rule has nothing that udev does not understand" understood
t "alice, who is in the group, opens it" opens alice
t "carol, who is not, does not" sh -c "! su carol -c ': <>/dev/shmring'"
t "udevd ends" udevadm control --exit
echo "1..$n"
exit $failed
