/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Arguments - the monitor's command line (sssd(8))
 */
#include "monitor/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/wire/memcache.h"

#define PIPES_DIR "/run/sss/pipes"

static void print_usage(FILE *out)
{
	fputs("Usage: sssd [-D|-i] [-c FILE] [-d LEVEL] [--debug-microseconds=0|1]\n"
	      "            [--logger=stderr|files|journald]\n"
	      "       sssd -g [-c FILE]\n"
	      "       sssd --version\n",
	      out);
}

static void print_help(FILE *out)
{
	print_usage(out);
	fputs("\n  -d, --debug-level=LEVEL        what to log: 0 to 10, or a mask\n"
	      "      --debug-microseconds=0|1   with microseconds (0)\n"
	      "      --logger=stderr|files|journald\n"
	      "  -D, --daemon                   in the background (the default)\n"
	      "  -i, --interactive              in the foreground, logging to stderr\n"
	      "  -c, --config=FILE              instead of /etc/sssd/sssd.conf\n"
	      "  -g, --genconf                  check the configuration and exit\n"
	      "      --version                  print the version and exit\n"
	      "  -?, --help\n"
	      "      --usage\n",
	      out);
}

static int refuse(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return EXIT_CONFIG;
}

static bool logger_is_known(const char *logger)
{
	return strcmp(logger, "stderr") == 0 || strcmp(logger, "files") == 0 ||
	       strcmp(logger, "journald") == 0;
}

/* What does not go together, or makes no sense. */
static int judge(struct arguments *args, bool daemon)
{
	uint32_t mask;

	if (args->interactive && daemon)
		return refuse("Option -i|--interactive is not allowed together with -D|--daemon");
	if (args->check_only && (args->interactive || daemon))
		return refuse("Option -g is incompatible with -D or -i");
	if (args->logger && !logger_is_known(args->logger))
		return refuse("--logger: stderr, files or journald");
	if (args->debug_level && log_mask_of(args->debug_level, &mask) < 0)
		return refuse("--debug-level: 0 to 10, or a mask");
	if (args->interactive && !args->logger)
		args->logger = "stderr";
	return -1;
}

int arguments_read(int argc, char *argv[], struct arguments *ret_args)
{
	enum { VERSION = 256, HELP, USAGE, LOGGER, MICROSECONDS, TIMESTAMPS, NETLINK,
	       RUN_DIR, PIPES, CONF_DIR, CACHE, MC_DIR, LIBEXEC };
	static const struct option options[] = {
		{ "debug-level", required_argument, NULL, 'd' },
		{ "debug-timestamps", required_argument, NULL, TIMESTAMPS },
		{ "debug-microseconds", required_argument, NULL, MICROSECONDS },
		{ "logger", required_argument, NULL, LOGGER },
		{ "daemon", no_argument, NULL, 'D' },
		{ "interactive", no_argument, NULL, 'i' },
		{ "config", required_argument, NULL, 'c' },
		{ "genconf", no_argument, NULL, 'g' },
		{ "version", no_argument, NULL, VERSION },
		{ "help", no_argument, NULL, HELP },
		{ "usage", no_argument, NULL, USAGE },
		{ "disable-netlink", no_argument, NULL, NETLINK },
		/* for tests */
		{ "run-dir", required_argument, NULL, RUN_DIR },
		{ "pipes-dir", required_argument, NULL, PIPES },
		{ "conf-dir", required_argument, NULL, CONF_DIR },
		{ "cache-dir", required_argument, NULL, CACHE },
		{ "mc-dir", required_argument, NULL, MC_DIR },
		{ "libexec", required_argument, NULL, LIBEXEC },
		{ NULL },
	};
	struct arguments args = { .paths = { .run_dir = SBUS_DIR,
		                             .pipes_dir = PIPES_DIR,
		                             .mc_dir = MEMCACHE_DIR,
		                             .libexec = LIBEXEC_DIR } };
	bool daemon = false, asked;
	int option, status;

	/* clang-format off */
	while ((option = getopt_long(argc, argv, "d:Dic:g?", options, NULL)) != -1)
		switch (option) {
		case 'd': args.debug_level = optarg; break;
		case 'D': daemon = true; break;
		case 'i': args.interactive = true; break;
		case 'c': args.config = optarg; break;
		case 'g': args.check_only = true; break;
		case LOGGER: args.logger = optarg; break;
		case MICROSECONDS: args.microseconds = strcmp(optarg, "0") != 0; break;
		case TIMESTAMPS:
			if (strcmp(optarg, "0") == 0)
				return refuse("--debug-timestamps=0: every line has its time");
			break;
		case NETLINK: args.disable_netlink = true; break;
		case RUN_DIR: args.paths.run_dir = optarg; break;
		case PIPES: args.paths.pipes_dir = optarg; break;
		case CONF_DIR: args.paths.conf_dir = optarg; break;
		case CACHE: args.paths.cache_dir = optarg; break;
		case MC_DIR: args.paths.mc_dir = optarg; break;
		case LIBEXEC: args.paths.libexec = optarg; break;
		case VERSION:
			puts(SSSD_VERSION);
			return EXIT_SUCCESS;
		case HELP:
			print_help(stdout);
			return EXIT_SUCCESS;
		case USAGE:
			print_usage(stdout);
			return EXIT_SUCCESS;
		default: /* '?' for "-?", and for what getopt has complained about */
			asked = strcmp(argv[optind - 1], "-?") == 0;
			print_help(asked ? stdout : stderr);
			return asked ? EXIT_SUCCESS : EXIT_CONFIG;
		}
	/* clang-format on */
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument\n", argv[optind]);
		print_help(stderr);
		return EXIT_CONFIG;
	}
	status = judge(&args, daemon);
	if (status < 0)
		*ret_args = args;
	return status;
}
