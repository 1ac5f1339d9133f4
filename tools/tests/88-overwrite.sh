#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A ring that overwrites waits for no receiver: what recv, cat and record write is whole and
# in order all the same, however long the writing takes.
. "${0%/*}/lib.sh"

LINES=50000

# Each tells whether it is whole
lines()
{
	awk -v n="$LINES" 'BEGIN { for (i = 1; i <= n; i++) print i, i * 7, i }'
}

# judge FILE: is there anything; how many lines are broken, how many go back
judge()
{
	awk '$1 * 7 != $2 || $1 != $3 { broken++ } $1 <= last { back++ } { last = $1 }
		END { print (NR > 0), broken + 0, back + 0 }' "$1"
}

# ends N: so many endpoints live
ends()
{
	[ "$(sr list | awk -v ring="$name" '$2 == ring { split($(NF - 1), e, "/"); print e[1] }')" = "$1" ]
}

made()
{
	xsr create -q -T broadcast --policy overwrite --producers 1 --consumers 2 -s 64K "$name" &
	background $!
	until_true ends 0
}

# A reader that takes its time: what writes to it waits most of it
slowly()
{
	while dd bs=4096 count=1 2> /dev/null > "$T/piece" && [ -s "$T/piece" ]; do
		cat "$T/piece"
	done
}

# carry COMMAND...: what COMMAND writes of lines that are sent goes to $T/out
carry()
{
	("$@" | slowly > "$T/out") &
	receiver=$!
	background $receiver
	until_true ends 1
	lines | sr send "$name"
	is $? 0 "$2: sender's exit status"
	wait $receiver
}

name=$ring.recv
made
carry sr recv "$name"
is "$(judge "$T/out")" "1 0 0" "recv: every line is whole, and later than the one before"

name=$ring.cat
made
carry sr cat --out "$name"
is "$(judge "$T/out")" "1 0 0" "cat: every line is whole, and later than the one before"

name=$ring.record
made
carry sr record "$name" -
mv "$T/out" "$T/file"
sr replay --check "$T/file" > /dev/null
is $? 0 "record: the file is whole"
sr recv "$ring.again" > "$T/out" &
receiver=$!
background $receiver
sr replay --max "$T/file" "$ring.again"
wait $receiver
is "$(judge "$T/out")" "1 0 0" "record: every line is whole, and later than the one before"

finish
