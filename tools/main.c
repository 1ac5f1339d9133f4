// SPDX-License-Identifier: GPL-2.0-only
/*
 * shmring - make, feed, empty, look at and measure rings
 *
 * This file is the table of subcommands; each is one cmd_*.c.
 */
#include "tool.h"

static const struct tool_command commands[] = {
	{ "create",	"make a ring and keep it until Ctrl-C",			cmd_create },
	{ "send",	"send lines or blocks of a file or stdin into a ring",	cmd_send },
	{ "recv",	"write what arrives in a ring to stdout",		cmd_recv },
	{ "cat",	"stdin to a ring or a ring to stdout, as a byte stream", cmd_cat },
	{ "list",	"list the rings that you may read",			cmd_list },
	{ "show",	"show everything about one ring",			cmd_show },
	{ "stat",	"print the counters of a ring, once or every few seconds", cmd_stat },
	{ "top",	"watch all rings live",					cmd_top },
	{ "hz",		"tell at which rate records come, and how regularly",	cmd_hz },
	{ "record",	"write records and their times to a file",		cmd_record },
	{ "replay",	"send what was recorded, with the same timing",		cmd_replay },
	{ "rm",		"remove names of rings that were left behind",		cmd_rm },
	{ "doctor",	"tell what is missing here, and the command that fixes it", cmd_doctor },
	{ "bench",	"measure rings against other ways to pass messages",	cmd_bench },
	{ NULL,		NULL,							NULL },
};

static const char tail[] =
	"Exit status:\n"
	"  0  done (recv: the sender closed in order)\n"
	"  1  something failed at run time\n"
	"  2  the command line makes no sense\n"
	"  3  the other end died without closing\n"
	"  4  a --timeout passed\n"
	"  5  the other end closed before it had taken everything\n"
	"  6  data arrived damaged, or the other end wrote nonsense\n"
	"  128 + N  ended by signal N (130: Ctrl-C; 141: nobody reads the output)\n"
	"\n"
	"Two shells:\n"
	"  seq 1000000 | shmring send numbers\n"
	"  shmring recv numbers | sha256sum\n";

int main(int argc, char **argv)
{
	return tool_dispatch("shmring", "Message rings in NUMA-local shared memory.", tail,
			     commands, argc, argv);
}
