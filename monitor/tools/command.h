/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Command - the command line of a command of sssctl(8), as popt's programs read theirs
 *
 * -?, --help and --usage print on stdout and end well. An option that is not known is named on
 * stderr, with the reason and the usage; an argument that is missing, or one too many, with the
 * help. --debug LEVEL is accepted of everyone: there is nothing it would tell.
 */
#pragma once

#include <stdbool.h>

struct command_option {
	const char *name;
	char letter;           /* '\0': there is none */
	const char *help;      /* one line */
	bool *ret_given;       /* of one that takes nothing */
	const char *takes;     /* what, for people: "FILE"; or NULL */
	const char **ret_text; /* then; borrowed from argv */
};

#define COMMAND_OPTIONS_MAX 8

struct command_line {
	const char *argument; /* the one that it needs, for people: "NAME"; NULL: it takes none */
	bool many;            /* they are the caller's to judge, from optind */
	const struct command_option *options; /* ends with a NULL name; NULL: none */
};

/* Reads the line of the command argv[0]. Returns -1, and the fields of options and *ret_argument,
 * borrowed from argv, are set; or an exit status, when all is said.
 * ret_argument  NULL where line has no argument */
int command_read(const struct command_line *line, int argc, char *argv[],
                 const char **ret_argument);

/* The usage on stderr; EXIT_FAILURE. */
int command_refuse(const struct command_line *line, const char *command);

/* "--bogus: unknown option" on stderr, when getopt_long(3) with opterr = 0 returned option, '?' or
 * ':'. known: the letters of all options. */
void command_blame_option(int option, char *argv[], const char *known);
