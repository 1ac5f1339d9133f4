# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of shmring for bash: commands and options from its own --help, names from
# shmring list.

# The commands of "shmring" or "shmring bench"
_shmring_commands()
{
	command shmring "$@" --help 2>/dev/null |
		sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

# _shmring_options COMMAND...: its options
_shmring_options()
{
	command shmring "$@" --help 2>/dev/null |
		sed -n 's/^ *\(-[A-Za-z0-9?], \)\{0,1\}\(--[a-z0-9-]*\).*/\1 \2/p' | tr -d ,
}

_shmring_rings()
{
	command shmring list 2>/dev/null | awk 'NR > 1 && $2 != "-" { print $2 }'
}

_shmring_reply()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_shmring()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]-} nth=0 i

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		_shmring_reply "$(_shmring_commands) --help --version" "$word"
		return
	fi
	case $before in
	-b | --backend)
		_shmring_reply "auto device memfd" "$word"
		return ;;
	-T | --topology)
		_shmring_reply "spsc mpsc queue broadcast raw" "$word"
		return ;;
	-o | --order)
		[ "$command" != top ] || { _shmring_reply "rate fill name" "$word"; return; } ;;
	--tee)
		_shmring_reply "$(_shmring_rings)" "$word"
		return ;;
	esac
	if [ "$command" = bench ]; then
		if [ "$COMP_CWORD" = 2 ]; then
			_shmring_reply "$(_shmring_commands bench) --help" "$word"
			return
		fi
		command="bench ${COMP_WORDS[2]}"
	fi
	case $word in
	-*)
		# shellcheck disable=SC2086
		_shmring_reply "$(_shmring_options $command)" "$word"
		return ;;
	esac
	# Which argument this is; one that an option takes counts as well, which is rare.
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-b | -s | -m | -n | -t | -c) i=$((i + 1)) ;;
		-*) ;;
		*) nth=$((nth + 1)) ;;
		esac
	done
	case $command:$nth in
	rm:* | send:0 | recv:0 | cat:0 | show:0 | stat:0 | hz:0 | record:0 | replay:1)
		_shmring_reply "$(_shmring_rings)" "$word" ;;
	send:1 | record:1 | replay:0 | bench*)
		mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	esac
}

complete -o filenames -F _shmring shmring
