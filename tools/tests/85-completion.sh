#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Completion offers what there is: commands, options, rings.
. "${0%/*}/lib.sh"

files=${0%/*}/../completion
if [ ! -r "$files/shmring.bash" ] || ! command -v bash > /dev/null; then
	skip "completion" "no bash here"
	finish
fi
PATH=${SHMRING%/*}:$PATH

# offers WORD...: what bash offers for the last word
offers()
{
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shmring
		printf "%s\n" "${COMPREPLY[@]}"' bash "$files/shmring.bash" "$@" | sort | tr '\n' ' '
}

is "$(offers shmring re)" "record recv replay " "commands"
is "$(offers shmring doct)" "doctor " "a command"
is "$(offers shmring recv --ti)" "--timeout " "options"
is "$(offers shmring recv -b m)" "memfd " "a backend"
is "$(offers shmring bench p | grep -c 'pc ')" 1 "benchmarks"
for command in create send recv cat list show stat top hz record replay rm doctor; do
	offers shmring $command -- | tr ' ' '\n' > "$T/out"
	has "$T/out" "--help" "options of $command"
done
xsr create "$ring" -q &
keeper=$!
background $keeper
until_true ring_exists "$ring"
for command in recv stat hz show rm; do
	is "$(offers shmring $command "$ring")" "$ring " "rings for $command"
done
: > "$T/file"
is "$(offers shmring record "$ring" "$T/fi")" "$T/file " "files for record"
is "$(offers shmring replay "$T/file" "$ring")" "$ring " "rings for replay"
kill $keeper
reap $keeper

if command -v zsh > /dev/null; then
	zsh -n "$files/_shmring"
	is $? 0 "zsh reads its file"
else
	skip "zsh reads its file" "no zsh here"
fi

finish
