#!/bin/sh
# SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
# The guide, Documentation/library.rst: its examples compile without a warning and do what
# they are there for, and so do the calls in its tables. TAP like the programs beside it.
# Wants TOP (the tree), LIB (built library), CC.

CC=${CC:-cc}
guide=$TOP/Documentation/library.rst
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
name=guide-$$
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

compile() {
	$CC -std=gnu11 -Wall -Wextra -Wshadow -Werror -I"$TOP/lib/include" \
		-I"$TOP/kmod/include" -I"$TOP/kmod/include/uapi" -o "$dir/$1" "$dir/$1.c" \
		"$LIB/libshmring.a" -pthread
}

# The nth block of code: what is indented after a line that ends in two colons.
block() {
	awk -v want="$1" '
		/::$/ { nr++; code = 1; next }
		/^[^ ]/ { code = 0 }
		code && nr == want' "$guide"
}

# The one whole program in it, under "Stopping".
program() {
	sed -n '/^Stopping$/,/^Backends$/ p' "$guide" | sed -n 's/^    //p'
}

# Every call in the text that says what its arguments are; those are the guide's names.
calls() {
	grep -o '``shmring_[a-z_]*([^`)]\+)``' "$guide" | sed 's/``//g; s/$/;/' | sort -u
}

cat > "$dir/open.c" <<END
#include <err.h>
#include <shmring.h>

int main(void)
{
$(block 1 | sed "s/\"frames\"/\"$name\"/")

	err = shmring_send(r, "a frame", 7, SHMRING_NOWAIT);
	shmring_close(r);
	return !!err;
}
END

cat > "$dir/poll.c" <<END
#include <poll.h>
#include <shmring.h>
#include <stdio.h>
#include <unistd.h>

static int handled;

static void handle(const char *buf, long len)
{
	handled += len == 6 && !memcmp(buf, "record", 6);
}

static long consume(struct shmring *r)
{
	char buf[64];
	long len;

$(block 2)
	return len;
}

int main(void)
{
	struct shmring *p, *c;
	int k;

	if (shmring_create(NULL, SHMRING_ROLE_CONSUMER, NULL, &c))
		return 1;
	if (!fork()) {
		if (shmring_attach_fd(shmring_fd(c), SHMRING_ROLE_PRODUCER, NULL, &p))
			_exit(1);
		for (k = 0; k < 1000; k++)
			shmring_send(p, "record", 6, SHMRING_FOREVER);
		shmring_close(p);
		_exit(0);
	}
	return consume(c) != -EPIPE || handled != 1000;
}
END

program | sed "s/\"hello\"/\"$name\"/" > "$dir/stop.c"

# Sends to the program and stops it while the sender is still there.
cat > "$dir/stopper.c" <<END
#include <shmring.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct shmring *r;
	int status, k;
	pid_t child;

	if (argc != 2 || shmring_open("$name", SHMRING_ROLE_PRODUCER, NULL, &r))
		return 1;
	child = fork();
	if (!child) {
		execl(argv[1], argv[1], NULL);
		_exit(1);
	}
	for (k = 0; k < 3; k++)
		if (shmring_send(r, "a frame", 7, SHMRING_FOREVER))
			abort();
	if (shmring_drain(r, SHMRING_FOREVER) || kill(child, SIGTERM) ||
	    waitpid(child, &status, 0) != child)
		abort();
	shmring_close(r);
	return status != 0;
}
END

stops() {
	timeout 60 "$dir/stopper" "$dir/stop" > "$dir/heard" &&
		test "$(uniq -c "$dir/heard" | tr -s ' ')" = ' 3 a frame'
}

cat > "$dir/calls.c" <<END
#include <shmring.h>

static int fn(const void *payload, size_t len, void *arg)
{
	return !payload || !len || !arg;
}

/* Not called: what is asked is whether it compiles. */
void all(struct shmring *r, char *buf, size_t len, size_t cap, struct iovec *iov,
	 struct iovec *msgs, unsigned int n, void *arg, uint64_t max, uint64_t deadline);
void all(struct shmring *r, char *buf, size_t len, size_t cap, struct iovec *iov,
	 struct iovec *msgs, unsigned int n, void *arg, uint64_t max, uint64_t deadline)
{
$(calls)
}

int main(void)
{
	return 0;
}
END

echo 'TAP version 13'
check 'the guide has two examples' test "$(grep -c '::$' "$guide")" -eq 2
check 'opening compiles' compile open
check 'opening opens' "$dir/open"
check 'the loop compiles' compile poll
check 'the loop gets every record and sees the end' timeout 60 "$dir/poll"
check 'the program that is stopped compiles' compile stop
check 'what stops it compiles' compile stopper
check 'it is stopped while the other side is there' stops
check 'there are calls in the tables' test "$(calls | wc -l)" -ge 6
check 'the calls in the tables compile' compile calls
echo "1..$nr"
exit $bad
