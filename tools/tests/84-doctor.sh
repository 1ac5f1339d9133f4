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
	is "$("$SHMRING" doctor -j -b device | json "d['ok'], d['device']" "False False")" \
		"False False" "no device: -j"
fi

# Without the module, and without headers: whether apt knows those of this kernel
if [ ! -e /sys/module/shmring ] && [ ! -e "/lib/modules/$(uname -r)/build" ] &&
   ! grep -qs /shmring.ko "/lib/modules/$(uname -r)/modules.dep"; then
	mkdir "$T/known" "$T/unknown" "$T/none"
	cat > "$T/known/apt-cache" << 'EOT'
#!/bin/sh
[ "$2" = "linux-headers-$(uname -r)" ] && echo Package: it
EOT
	printf '#!/bin/sh\necho "E: No packages found" >&2\nexit 100\n' > "$T/unknown/apt-cache"
	chmod 755 "$T/known/apt-cache" "$T/unknown/apt-cache"
	PATH=$T/known:$PATH "$SHMRING" doctor > "$T/out" 2> "$T/err"
	is "$? $(cat "$T/err")" "0 " "apt knows the headers: exit status"
	has "$T/out" "apt-get install linux-headers-$(uname -r)" "apt knows the headers: the command"
	is "$(grep -c '^Package' "$T/out")" 0 "apt knows the headers: its words are nobody's"
	PATH=$T/unknown:$PATH "$SHMRING" doctor > "$T/out" 2> "$T/err"
	is "$? $(cat "$T/err")" "0 " "apt does not know the headers: exit status"
	is "$(grep -c 'apt-get install' "$T/out")" 0 "apt does not know the headers: no command"
	has "$T/out" "is not the distribution's" "apt does not know the headers: what that means"
	PATH=$T/none "$SHMRING" doctor > "$T/out" 2> "$T/err"
	is "$? $(cat "$T/err")" "0 " "no apt: exit status"
	has "$T/out" "is not the distribution's" "no apt: what that means"
	if [ "$(id -u)" = 0 ]; then
		PATH=$T/known:$PATH "$SHMRING" doctor > "$T/out"
		is "$(grep -c 'fix:.*sudo' "$T/out")" 0 "root needs no sudo"
	fi
else
	skip "headers" "there are some, or the module"
fi
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups true 2> /dev/null &&
   [ -d "$T/known" ]; then
	chmod 755 "$T"
	cp "$SHMRING" "$T/shmring"
	PATH=$T/known:$PATH setpriv --reuid=65534 --regid=65534 --clear-groups "$T/shmring" doctor > "$T/out"
	has "$T/out" "fix: sudo apt-get install" "who is not root does"
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
