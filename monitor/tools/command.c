/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Command - see command.h
 */
#include "monitor/tools/command.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Their letters are none. */
enum {
	HELP = 256,
	USAGE,
	DEBUG,
	FIRST, /* of the command's own, in its order */
};

/* ---- what is printed ---- */

static void print_usage(FILE *out, const struct command_line *line, const char *command)
{
	fprintf(out, "Usage: sssctl %s", command);
	for (const struct command_option *o = line->options; o && o->name; o++) {
		fputs(" [", out);
		if (o->letter)
			fprintf(out, "-%c|", o->letter);
		fprintf(out, "--%s%s%s]", o->name, o->takes ? "=" : "", o->takes ? o->takes : "");
	}
	fprintf(out, "%s%s\n", line->argument ? " " : "", line->argument ? line->argument : "");
}

static void print_option(FILE *out, char letter, const char *name, const char *takes,
                         const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, takes ? "=" : "", takes ? takes : "");
	if (letter)
		fprintf(out, "  -%c, %-24s %s\n", letter, left, help);
	else
		fprintf(out, "      %-24s %s\n", left, help);
}

static void print_help(FILE *out, const struct command_line *line, const char *command)
{
	print_usage(out, line, command);
	for (const struct command_option *o = line->options; o && o->name; o++)
		print_option(out, o->letter, o->name, o->takes, o->help);
	print_option(out, '?', "help", NULL, "Print this");
	print_option(out, '\0', "usage", NULL, "Print the first line of this");
}

int command_refuse(const struct command_line *line, const char *command)
{
	print_usage(stderr, line, command);
	return EXIT_FAILURE;
}

void command_blame_option(int option, char *argv[], const char *known)
{
	const char *why = "unknown option";

	if (option == ':')
		why = "missing argument";
	else if (optopt && (optopt >= HELP || strchr(known, optopt)))
		why = "takes no argument"; /* "--help=x" */

	/* Of the short ones of one word getopt(3) has not gone past that word yet. */
	if (optopt > 0 && optopt < HELP)
		fprintf(stderr, "-%c: %s\n", optopt, why);
	else
		fprintf(stderr, "%s: %s\n", argv[optind - 1], why);
}

/* ---- what is read ---- */

/* What getopt_long(3) wants. */
struct getopt_table {
	struct option options[COMMAND_OPTIONS_MAX + 4];
	char letters[2 * COMMAND_OPTIONS_MAX + 2];
};

static void make_table(const struct command_line *line, struct getopt_table *table)
{
	struct option *to = table->options;
	char *letter = table->letters;

	*letter++ = ':';
	for (const struct command_option *o = line->options; o && o->name; o++) {
		assert(o - line->options < COMMAND_OPTIONS_MAX);
		*to++ = (struct option){ o->name, o->takes ? required_argument : no_argument, NULL,
			                 FIRST + (int)(o - line->options) };
		if (!o->letter)
			continue;
		*letter++ = o->letter;
		if (o->takes)
			*letter++ = ':';
	}
	*letter = '\0';
	*to++ = (struct option){ "help", no_argument, NULL, HELP };
	*to++ = (struct option){ "usage", no_argument, NULL, USAGE };
	*to++ = (struct option){ "debug", required_argument, NULL, DEBUG };
	*to = (struct option){ NULL };
}

static void take(const struct command_line *line, int option)
{
	for (const struct command_option *o = line->options; o && o->name; o++) {
		if (option != FIRST + (int)(o - line->options) && option != o->letter)
			continue;
		if (o->takes)
			*o->ret_text = optarg;
		else
			*o->ret_given = true;
	}
}

/* -1, or an exit status. */
static int read_options(const struct command_line *line, int argc, char *argv[])
{
	struct getopt_table table = { 0 };
	int option;

	make_table(line, &table);
	opterr = 0;
	while ((option = getopt_long(argc, argv, table.letters, table.options, NULL)) != -1) {
		if (option == HELP || (option == '?' && optopt == '?')) {
			print_help(stdout, line, argv[0]);
			return EXIT_SUCCESS;
		}
		if (option == USAGE) {
			print_usage(stdout, line, argv[0]);
			return EXIT_SUCCESS;
		}
		if (option == '?' || option == ':') {
			command_blame_option(option, argv, table.letters);
			return command_refuse(line, argv[0]);
		}
		take(line, option);
	}
	return -1;
}

int command_read(const struct command_line *line, int argc, char *argv[], const char **ret_argument)
{
	int status = read_options(line, argc, argv);

	if (status >= 0 || line->many)
		return status;
	if (!line->argument && optind < argc) {
		fprintf(stderr, "%s: unexpected argument\n", argv[optind]);
		return command_refuse(line, argv[0]);
	}
	if (!line->argument)
		return -1;
	if (optind + 1 == argc) {
		*ret_argument = argv[optind];
		return -1;
	}
	if (optind == argc)
		fprintf(stderr, "Missing option: %s\n", line->argument);
	else
		fprintf(stderr, "Only one free argument is expected!\n");
	print_help(stderr, line, argv[0]);
	return EXIT_FAILURE;
}
