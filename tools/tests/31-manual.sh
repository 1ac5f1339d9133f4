#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The manual pages have every option that --help has.
. "${0%/*}/lib.sh"

man=${0%/*}/../../Documentation/man
if [ ! -f "$man/shmring.1" ]; then
	skip "manual pages" "no sources here"
	finish
fi

# pages COMMAND...: the text that has to tell its options; what all rings share is in shmring(1)
pages()
{
	page=$man/shmring-$(echo "$*" | tr ' ' -).1
	[ -f "$page" ] || page=$man/shmring-$1.1
	other=$(sed -n 's,^\.so man1/,,p' "$page")
	cat "$page" ${other:+"$man/$other"} "$man/shmring.1"
}

for command in create send recv cat list show stat top hz record replay rm doctor "bench pc" \
	       "bench guide" "bench sem" "bench false-sharing" "bench numa" "bench peers" "bench many" \
	       "bench compare" "bench html"; do
	# shellcheck disable=SC2086
	pages $command > "$T/pages"
	missing=
	# shellcheck disable=SC2086
	for option in $("$SHMRING" $command --help 2> "$T/err" |
			sed -n 's/^ *\(-[A-Za-z], \)\{0,1\}--\([a-z-]*\).*/\2/p'); do
		case $option in
		help | usage)
			continue ;;
		esac
		grep -qE "Fl Fl $option( |\$)" "$T/pages" || missing="$missing --$option"
	done
	is "$missing" "" "options of $command"
done

finish
