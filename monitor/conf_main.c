/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssd_conf - the root step: judges the configuration and compiles it, no network, no bus
 *
 *   sssd_conf --write [--reload]   before the monitor starts, and at systemctl reload
 *   sssd_conf --check              judges only
 *   sssd_conf --services           prints what services= names, from the compiled file
 *   sssd_conf --list-options       prints every option there is (opt_list())
 *
 * Runs as root and needs CAP_DAC_READ_SEARCH only (spec/systemd-notes.md §3). Exit status: 0;
 * 1 [sssd] or the domains are bad, or the command line; 2 no memory; 3 the configuration cannot be
 * read, or the result not be written. With 1 and 3 everything that was compiled before stays.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/signals.h"
#include "common/base/str.h"
#include "monitor/check.h"
#include "monitor/compile.h"

#define STATUS_NO_MEMORY 2
#define JOURNAL_MS       2000 /* a long report loses no lines, and a dead journal holds nobody up */

struct args {
	int action; /* 'w', 'k', 's', 'l', 'h', 'v'; 0 none was given */
	bool reload;
	const char *config, *out, *root;
};

/* Is stderr what JOURNAL_STREAM says (systemd.exec(5))? Then lines need no second way there. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* One line of its own for each finding: none of them is a repetition that could be left out. */
#define say(level, ...)                                                                 \
	do {                                                                            \
		struct log_site site_ = { 0 };                                          \
		if (log_wants(level))                                                   \
			log_line(&site_, level, NULL, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/* ---- what is said about a report ---- */

static void say_file(enum log_level level, const struct conf_file *file, const char *consequence)
{
	if (file->line > 0)
		say(level, "%s:%u: %s: %s", file->path, file->line, file->reason, consequence);
	else
		say(level, "%s: %s: %s", file->path, file->reason, consequence);
}

static void say_files(const struct conf_report *report)
{
	const struct conf_files *files = report->files;

	if (report->status == CONF_STATUS_UNREADABLE && files->main.state == CONF_FILE_MISSING)
		say(LEVEL_ERROR, "there is no configuration: neither %s nor a usable %s/*.conf",
		    files->main.path, files->snippets.path);
	else if (report->status == CONF_STATUS_UNREADABLE)
		say_file(LEVEL_ERROR, &files->main, "the configuration is not used");
	if (files->snippets.state == CONF_FILE_UNREADABLE)
		say_file(LEVEL_WARN, &files->snippets, "the snippets are not used");
	for (unsigned i = 0; i < files->n_files; i++)
		if (files->files[i].state != CONF_FILE_USED)
			say_file(LEVEL_WARN, &files->files[i], "the file is not used");
}

static enum log_level level_of(enum finding_severity severity)
{
	switch (severity) {
	case FINDING_NOTE:
		return LEVEL_NOTICE;
	case FINDING_WARNING:
		return LEVEL_WARN;
	case FINDING_ERROR:
	case FINDING_FATAL:
		return LEVEL_ERROR;
	}
	return LEVEL_ERROR;
}

static void say_report(const struct conf_report *report)
{
	say_files(report);
	for (unsigned i = 0; i < report->n_findings; i++) {
		const struct finding *finding = &report->findings[i];
		enum log_level level = level_of(finding->severity);

		if (finding->file)
			say(level, "%s:%u: %s", finding->file, finding->line, finding->text);
		else
			say(level, "%s", finding->text);
	}
	for (unsigned i = 0; i < report->n_domains; i++)
		if (report->domains[i].refused)
			say(LEVEL_ERROR, "domain %s does not start: %s", report->domains[i].name,
			    report->domains[i].refused);
}

/* ---- --write, --check ---- */

/* A domain in force that the new configuration would stop: at a reload that is a slip, and a slip
 * takes nobody down (design §5). */
static const struct checked_domain *lost_domain(const struct conf_report *report, const char *out)
{
	auto_talloc struct conf *conf = NULL;

	if (conf_load(NULL, out, "sssd", &conf) < 0)
		return NULL;
	for (unsigned i = 0; i < report->n_domains; i++)
		if (report->domains[i].refused &&
		    str_list_contains(conf_domains(conf), report->domains[i].name))
			return &report->domains[i];
	return NULL;
}

static int write_all(const struct conf_report *report, const struct conf_paths *paths,
                     const struct args *args)
{
	const struct checked_domain *lost = args->reload ? lost_domain(report, args->out) : NULL;
	uint64_t generation;
	int r;

	if (lost) {
		say(LEVEL_ERROR,
		    "domain %s is in use and could not start again: the configuration "
		    "before stays in force",
		    lost->name);
		return CONF_STATUS_BAD;
	}

	r = conf_compile(report, args->out, paths->gid, &generation);
	if (r < 0) {
		say(LEVEL_ERROR, "the configuration cannot be written below %s: %s", args->out,
		    error_text(r));
		return r == -ENOMEM ? STATUS_NO_MEMORY : CONF_STATUS_UNREADABLE;
	}
	say(LEVEL_CONF, "generation %" PRIu64 " is in force", generation);
	return 0;
}

/* A host that only keeps tickets has no domain: nothing of sssd can start, but kcm does. */
static void write_kcm(const struct conf_report *report, const struct conf_paths *paths,
                      const struct args *args)
{
	int r = conf_compile_kcm(report, args->out, paths->gid);

	if (r == -EEXIST)
		return;
	if (r < 0)
		say(LEVEL_ERROR, "the configuration of kcm cannot be written below %s: %s",
		    args->out, error_text(r));
	else
		say(LEVEL_NOTICE, "section 'kcm' alone is in force");
}

static int judge(TALLOC_CTX *mem, const struct args *args)
{
	struct conf_report *report;
	struct conf_paths paths;
	auto_close int lock = -1;
	int locked = 0;

	if (conf_check_paths(mem, args->root, args->config, &paths) < 0) {
		say(LEVEL_FATAL, "%s", error_text(-ENOMEM));
		return STATUS_NO_MEMORY;
	}
	if (args->action == 'w')
		locked = conf_lock(args->out, paths.gid, &lock);
	if (conf_check(mem, &paths, &report) < 0) {
		say(LEVEL_FATAL, "%s", error_text(-ENOMEM));
		return STATUS_NO_MEMORY;
	}

	say_report(report);
	if (locked < 0) {
		say(LEVEL_ERROR, "the configuration cannot be written below %s: %s", args->out,
		    error_text(locked));
		return report->status != CONF_STATUS_GOOD ? report->status : CONF_STATUS_UNREADABLE;
	}
	if (report->status == CONF_STATUS_BAD && report->n_domains == 0 && args->action == 'w')
		write_kcm(report, &paths, args);
	if (report->status != CONF_STATUS_GOOD || args->action != 'w')
		return report->status;
	return write_all(report, &paths, args);
}

/* ---- --services ---- */

static int print_services(TALLOC_CTX *mem, const struct args *args)
{
	struct conf *conf;
	int r;

	r = conf_load(mem, args->out, "sssd", &conf);
	if (r < 0) {
		say(LEVEL_ERROR, "%s/sssd/current: %s", args->out, error_text(r));
		return CONF_STATUS_UNREADABLE;
	}
	for (char *const *service = conf_services(conf); *service; service++)
		puts(*service);
	return 0;
}

/* ---- the command line ---- */

static void print_help(FILE *out)
{
	fputs("usage: sssd_conf --write [--reload] | --check | --services | --list-options\n"
	      "                 [--config FILE] [--out DIR] [--root DIR]\n"
	      "  --write         check the configuration and compile it\n"
	      "  --reload        with --write: change nothing when a domain in use would be lost\n"
	      "  --check         check it only\n"
	      "  --services      print the services to keep running, as compiled\n"
	      "  --list-options  print every option there is\n"
	      "  --config FILE   instead of " CONF_MAIN "\n"
	      "  --out DIR       instead of " CONF_COMPILED_DIR "\n"
	      "  --root DIR      look for all of these below DIR\n",
	      out);
}

/* 0, or -EINVAL after telling why. */
static int parse_args(int argc, char *argv[], struct args *ret_args)
{
	static const struct option options[] = {
		{ "write", no_argument, NULL, 'w' },
		{ "check", no_argument, NULL, 'k' },
		{ "services", no_argument, NULL, 's' },
		{ "list-options", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ "reload", no_argument, NULL, 'e' },
		{ "config", required_argument, NULL, 'c' },
		{ "out", required_argument, NULL, 'o' },
		{ "root", required_argument, NULL, 'r' },
		{ NULL },
	};
	struct args args = { .root = "" };
	int option;

	while ((option = getopt_long(argc, argv, "c:h?", options, NULL)) != -1)
		switch (option) {
		case 'e':
			args.reload = true;
			break;
		case 'c':
			args.config = optarg;
			break;
		case 'o':
			args.out = optarg;
			break;
		case 'r':
			args.root = optarg;
			break;
		case '?':
			return -EINVAL;
		default:
			if (args.action != 0 && args.action != option)
				return -EINVAL;
			args.action = option;
		}

	if (args.action == 0 || optind < argc || (args.reload && args.action != 'w'))
		return -EINVAL;
	*ret_args = args;
	return 0;
}

static int act(TALLOC_CTX *mem, struct args *args)
{
	if (!args->out)
		args->out = talloc_asprintf(mem, "%s" CONF_COMPILED_DIR, args->root);
	if (!args->out)
		return STATUS_NO_MEMORY;

	switch (args->action) {
	case 'h':
		print_help(stdout);
		return 0;
	case 'v':
		puts(SSSD_VERSION);
		return 0;
	case 'l':
		opt_list(stdout);
		return 0;
	case 's':
		return print_services(mem, args);
	default:
		return judge(mem, args);
	}
}

int main(int argc, char *argv[])
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct args args;

	signals_calm();
	log_start("sssd_conf", stderr_is_journal() ? LOG_TO_JOURNAL : LOG_TO_STDERR);
	log_set_patience(JOURNAL_MS);
	if (!mem)
		return STATUS_NO_MEMORY;
	if (parse_args(argc, argv, &args) < 0) {
		print_help(stderr);
		return CONF_STATUS_BAD;
	}
	return act(mem, &args);
}
