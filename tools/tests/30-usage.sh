#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Command lines that make no sense: exit status 2 and a sentence that names what is
# wrong; things that are not there: exit status 1.
. "${0%/*}/lib.sh"

# wrong STATUS TEXT ARGS...
wrong()
{
	want=$1
	text=$2
	shift 2
	"$SHMRING" "$@" > "$T/out" 2> "$T/err" < /dev/null
	is $? "$want" "exit status: shmring $*"
	has "$T/err" "$text" "sentence: shmring $*"
	is "$(cat "$T/out")" "" "nothing on stdout: shmring $*"
}

wrong 2 "Usage: shmring COMMAND"
wrong 2 "there is no command 'frobnicate'" frobnicate
wrong 2 "there is no command 'xy'" bench xy
wrong 2 "its name is missing" send
wrong 2 "its name is missing" recv
wrong 2 "its name is missing" cat
wrong 2 "its name is missing" create
wrong 2 "its name or id is missing" show
wrong 2 "cannot be empty" recv ""
wrong 2 "made of letters, digits" recv a/b
wrong 2 "made of letters, digits" recv "a b"
wrong 2 "cannot begin with a dot" recv .a
wrong 2 "at most 63 characters" recv aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
wrong 2 "one argument too many" recv a b
wrong 2 "one argument too many" send a b c
wrong 2 "one argument too many" list a
wrong 2 "'12x' is not a size" recv a -s 12x
wrong 2 "'1KB' is not a size" recv a -s 1KB
wrong 2 "'-1' is not a size" recv a -s -1
wrong 2 "'' is not a size" recv a -s ""
wrong 2 "not between 1 and 1073741824" recv a -s 0
wrong 2 "not between 1 and 1073741824" recv a -s 2G
wrong 2 "not between 1 and 1073741824" recv a -s 99999999999999999999G
wrong 2 "not an octal mode" recv a -m 0888
wrong 2 "not an octal mode" recv a -m 1777
wrong 2 "not an octal mode" recv a -m rw
wrong 2 "nobody could use the ring" recv a -m 0
wrong 2 "not a whole number" recv a -n one
wrong 2 "only one of" recv a -n 0 --prefer-node 0
wrong 2 "exclude each other" recv a --huge --small
wrong 2 "not auto, device or memfd" recv a -b floppy
wrong 2 "not a number of seconds" recv a -t 5s
wrong 2 "not a number of seconds" recv a -t 1.
wrong 2 "not between 1 and" recv a -c 0
wrong 2 "--chunk makes no lines" send a --chunk 5 -0
wrong 2 "exclude each other" cat a -i -o
wrong 2 "not spsc, mpsc, queue, broadcast or raw" create a -T ring
wrong 2 "--slots is for --topology raw: spsc always has two" create a --slots 4
wrong 2 "--slots is for --topology raw: mpsc has --producers" create a -T mpsc --slots 3
wrong 2 "--producers: spsc has one" create a --producers 2
wrong 2 "--consumers: spsc has one" create a --consumers 2
wrong 2 "--consumers: mpsc has one" create a -T mpsc --consumers 2
wrong 2 "raw has no producers and consumers" create a -T raw --producers 2
wrong 2 "queue has at most 32 producers and consumers together, not 20 and 20" \
	create a -T queue --producers 20 --consumers 20
wrong 2 "broadcast has at most 32 producers and consumers together, not 8 and 30" \
	create a -T broadcast --consumers 30
wrong 2 "queue has at most 32 producers and consumers together, not 31 and 2" \
	create a -T queue --producers 31 --consumers 2
wrong 2 "overwrite is for --topology broadcast; spsc can" create a --policy=overwrite
wrong 2 "overwrite is for --topology broadcast; queue can" create a --policy=overwrite -T queue
wrong 2 "raw memory has no records" create a --policy=drop -T raw
wrong 2 "each of 8 producers has as much" create a -T mpsc -s 200M
wrong 2 "each of 3 producers has as much" create a -T mpsc --producers 3 -s 300M
for command in create send recv cat; do
	wrong 2 "pages of 2 MiB need a --size of at least 2M" $command a --huge -s 4K
done
wrong 2 "pages of 2 MiB need a --size of at least 2M" create a --huge
wrong 1 "pages of 2 MiB (--huge) need a --size of at least 2M" recv "$ring" --huge -b "$BACKEND"
wrong 2 "nrecognized option" list --frob
for command in stat hz rm record; do
	wrong 2 "its name is missing" $command
done
wrong 2 "its name is missing" replay
wrong 2 "which file" record a
wrong 2 "which ring" replay a
wrong 2 "is the ring that is recorded" record a b --tee a
wrong 2 "stdout is the recording already" record a - -j
wrong 2 "--check sends nothing" replay a b --check
wrong 2 "not between 0.001 and 1000000" replay a b --speed 0
wrong 2 "--speed: '2x' is not a number such as" replay a b --speed 2x
wrong 2 "--speed: '-1' is not a number such as" replay a b --speed -1
wrong 2 "is less than 0.01" stat a 0
wrong 2 "COUNT: 'x' is not a whole number" stat a 1 x
wrong 2 "one argument too many" top 1 2 3
wrong 2 "not rate, fill or name" top -o size
wrong 2 "not between 0.00001 and 1" hz a --poll 5
wrong 2 "exclude each other" rm a --all
wrong 2 "one argument too many" doctor a
wrong 2 "there is no contender" bench pc -c tortoise
wrong 2 "not a power of two" bench pc --ring 5000
wrong 2 "not enough for 4 records" bench pc --ring 4K --sizes 2000
wrong 2 "not two usable CPUs" bench pc --cpus 0,99999
wrong 2 "not two usable CPUs" bench pc --cpus 0
wrong 2 "not throughput, roundtrip or both" bench pc --mode sideways
wrong 2 "--trip-size: 8M is not between 4 and 4194304" bench pc --trip-size 64,8M
wrong 2 "--trip-size: more than 16" bench pc --trip-size 8,8,8,8,8,8,8,8,8,8,8,8,8,8,8,8,8
wrong 2 "not enough for 4 records of 2048" bench pc --ring 4K --trip-size 64,2048,8
wrong 2 "2097152 bytes: it is measured with records of up to 1 MiB" \
	bench pc -c shmring-memfd --mode roundtrip --trip-size 2M --ring 8M
wrong 2 "131072 bytes: it is measured with records of up to 64 KiB" \
	bench pc -c textbook-ring --mode roundtrip --trip-size 128K --ring 8M
for command in show stat hz; do
	wrong 1 "there is no ring '$ring'" $command -b "$BACKEND" "$ring"
done
wrong 1 "cannot read $T/none: No such file" send -b "$BACKEND" "$ring" "$T/none"
wrong 1 "blocks of 1000000 bytes do not fit" send -b "$BACKEND" "$ring" -s 4K --chunk 1000000
wrong 1 "cannot make ring '$ring'" create -b "$BACKEND" "$ring" -n 1000
if [ ! -e /dev/shmring ]; then
	for command in create send recv cat show stat hz; do
		wrong 1 "there is no /dev/shmring: load the module" $command -b device "$ring"
	done
	wrong 1 "there is no /dev/shmring: load the module" list -b device
fi

xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
wrong 1 "exists already" create -b "$BACKEND" "$ring"
kill $keeper
reap $keeper
xsr create "$ring.raw" -T raw -q &
keeper=$!
background $keeper
until_true ring_exists "$ring.raw"
for command in send recv "cat --in" "cat --out"; do
	# shellcheck disable=SC2086
	wrong 1 "ring '$ring.raw' is raw memory" $command -b "$BACKEND" "$ring.raw"
done
kill $keeper
reap $keeper

# What goes together is made.
for how in "-T mpsc --producers 31" "-T queue --producers 16 --consumers 16" "--producers 1 --consumers 1" \
	"-T broadcast --policy overwrite" "-T raw --slots 3" "-T mpsc --producers 3 -s 64K"; do
	# shellcheck disable=SC2086
	xsr create "$ring.made" -q $how &
	keeper=$!
	background $keeper
	until_true ring_exists "$ring.made"
	kill $keeper
	reap $keeper
	is $status 0 "made: $how"
done

# Help is no error, for every command.
for command in "" create send recv cat list show stat top hz record replay rm doctor bench \
	"bench pc" "bench guide" "bench sem" "bench false-sharing" "bench numa" "bench compare" "bench html"; do
	for help in -h --help; do
		# shellcheck disable=SC2086
		"$SHMRING" $command $help > "$T/out" 2> "$T/err"
		is $? 0 "exit status: shmring $command $help"
		has "$T/out" "Usage: shmring" "text: shmring $command $help"
	done
done
"$SHMRING" --version > "$T/out"
has "$T/out" "ABI 1" "--version"

finish
