# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2034
#
# What the end-to-end tests share. POSIX shell: they also run in a guest that has
# nothing but busybox. Every test file is
#
#	. "${0%/*}/lib.sh"
#	...checks...
#	finish
#
# and prints TAP. SHMRING: the program; SHMRING_TEST_BACKEND: memfd or device.

set -u

SHMRING=${SHMRING:?the program to test}
BACKEND=${SHMRING_TEST_BACKEND:-memfd}
PATIENCE=${SHMRING_TEST_PATIENCE:-60}	# seconds until something counts as hung
count=0
bad=0
started=
T=$(mktemp -d "${TMPDIR:-/tmp}/shmring-test.XXXXXX") || exit 1
ring=t$$		# names of rings begin with it

cleanup()
{
	for pid in $started; do
		kill -9 "$pid" 2>/dev/null
	done
	# Of a ring on memfd whose users are killed the file stays.
	rm -rf "$T" "/dev/shm/shmring.$ring" "/dev/shm/shmring.$ring".*
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# sr COMMAND [ARGS]: shmring COMMAND on the backend under test
sr()
{
	sr_command=$1
	shift
	"$SHMRING" "$sr_command" -b "$BACKEND" "$@"
}

# xsr COMMAND [ARGS] &: the same, such that $! is the program and not a shell
xsr()
{
	sr_command=$1
	shift
	exec "$SHMRING" "$sr_command" -b "$BACKEND" "$@"
}

# background PID: to be killed if the test ends before it does
background()
{
	started="$started $1"
}

pass()
{
	count=$((count + 1))
	echo "ok $count - $1"
}

fail()
{
	count=$((count + 1))
	bad=$((bad + 1))
	echo "not ok $count - $1"
}

skip()
{
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

# is GOT WANTED WHAT
is()
{
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3"
		echo "# got    '$1'"
		echo "# wanted '$2'"
	fi
}

# has FILE TEXT WHAT: a line of FILE holds TEXT
has()
{
	if grep -qF -- "$2" "$1"; then
		pass "$3"
	else
		fail "$3"
		echo "# no '$2' in:"
		sed 's/^/# /' "$1"
	fi
}

# same FILE FILE WHAT
same()
{
	if cmp -s "$1" "$2"; then
		pass "$3"
	else
		fail "$3"
		echo "# $(wc -c < "$1") and $(wc -c < "$2") bytes"
	fi
}

# json EXPRESSION WANTED: a Python expression of d, the JSON text on stdin; WANTED where
# there is nothing to read JSON with
if command -v python3 > /dev/null; then
	json() { python3 -c "import json,sys; d = json.load(sys.stdin); print($1)"; }
elif command -v jq > /dev/null; then
	json() { jq . > /dev/null && echo "$2"; }
else
	json() { cat > /dev/null; echo "$2"; }
fi

nap()
{
	sleep 0.02 2>/dev/null || sleep 1
}

# until_true COMMAND...: wait for a state that has to come; failing to is fatal
until_true()
{
	ut_end=$(($(date +%s) + PATIENCE))
	until "$@" > /dev/null 2>&1; do
		if [ "$(date +%s)" -gt "$ut_end" ]; then
			fail "waiting for: $*"
			finish
		fi
		nap
	done
}

ring_exists()
{
	sr show "$1"
}

# endpoint_is RING SLOT STATE: slot 0 sends, slot 1 receives
endpoint_is()
{
	sr show "$1" | awk -v slot="$2" -v state="$3" \
		'/^SLOT/ { t = 1 } t && $1 == slot && $3 == state { hit = 1 } END { exit !hit }'
}

# has_written RING N: N records were sent so far
has_written()
{
	sr show "$1" | awk -v n="$2" \
		'/^SLOT/ { t = 1 } t && $1 == 0 && $6 == n { hit = 1 } END { exit !hit }'
}

ring_empty()
{
	sr show "$1" | grep -q '^position .* 0 between'
}

# running PID: a child of ours, and not yet ended
running()
{
	case $(cat "/proc/$1/stat" 2>/dev/null) in
	''|*") Z "*)
		return 1 ;;
	esac
}

# reap PID: its exit status, in $status; one that hangs is killed and gives 137
reap()
{
	reap_end=$(($(date +%s) + PATIENCE))
	while running "$1"; do
		if [ "$(date +%s)" -gt "$reap_end" ]; then
			kill -9 "$1"
			break
		fi
		nap
	done
	wait "$1" 2>/dev/null
	status=$?
}

finish()
{
	echo "1..$count"
	[ "$bad" = 0 ]
	exit $?
}
