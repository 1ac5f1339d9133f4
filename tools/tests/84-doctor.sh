#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# doctor says what is, tries it, and names the command for what is not.
. "${0%/*}/lib.sh"

sr doctor > "$T/out"
is $? 0 "exit status: the backend works"
has "$T/out" "$BACKEND backend" "names the backend"
has "$T/out" "works: a ring was made and joined, a record sent and received" "it was tried"
has "$T/out" "kernel" "names the kernel"
is "$(grep -c 'shmem_enabled is .*\[' "$T/out")" 0 "a setting is told, not all there are"
sr doctor -j > "$T/out"
is $? 0 "-j: exit status"
has "$T/out" "\"$BACKEND\": true" "-j: the backend works"
is "$(json "d['ok'], d['problems']" "True 0" < "$T/out")" "True 0" "-j: no problems"
"$SHMRING" doctor > "$T/out"
is $? 0 "either backend: exit status"
is "$(sr list | grep -c doctor-)" 0 "nothing is left of the trial"

if [ ! -e /dev/shmring ]; then
	"$SHMRING" doctor -b device > "$T/out"
	is $? 1 "no device: exit status"
	has "$T/out" "problem  module" "no device: what is missing"
	has "$T/out" "fix: " "no device: the command"
	is "$("$SHMRING" doctor -j -b device | json "d['ok'], d['device']" "False False")" \
		"False False" "no device: -j"
fi

# Somebody who may not open the device is told how to
if [ "$BACKEND" = device ] && su -s /bin/sh carol -c true 2> /dev/null; then
	su -s /bin/sh carol -c "'$SHMRING' doctor -b device" > "$T/out"
	is $? 1 "not in the group: exit status"
	has "$T/out" "usermod -aG shmring carol" "not in the group: the command"
	su -s /bin/sh alice -c "'$SHMRING' doctor -b device" > "$T/out"
	is $? 0 "in the group: exit status"
	chmod 600 /dev/shmring
	su -s /bin/sh alice -c "'$SHMRING' doctor -b device" > "$T/out"
	is $? 1 "a device for root alone: exit status"
	has "$T/out" "chmod 660 /dev/shmring" "a device for root alone: the command"
	chmod 660 /dev/shmring
fi
if [ -c /dev/full ]; then
	sr doctor > /dev/full 2> "$T/err"
	is $? 1 "full disk"
fi

finish
