/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssctl config-check - the judgement in upstream's form (spec/options.md §3.2)
 *
 * Three blocks, each with its number on the heading line. Scripts match headings and the beginnings
 * of lines, so what we have to say beyond upstream (what was meant, file and line) stands at
 * their ends. What has no effect is in a fourth, where there is such a thing: no issue.
 */
#include <errno.h>
#include <string.h>

#include "common/base/mem.h"
#include "monitor/check.h"

#define OUT_OF_MEMORY 2

static bool is_issue(const struct finding *finding)
{
	return finding->severity != FINDING_NOTE;
}

static bool is_note(const struct finding *finding)
{
	return finding->severity == FINDING_NOTE && strcmp(finding->rule, "effect") == 0;
}

static unsigned count_findings(const struct conf_report *report,
                               bool (*wanted)(const struct finding *))
{
	unsigned n = 0;

	for (unsigned i = 0; i < report->n_findings; i++)
		n += wanted(&report->findings[i]);
	return n;
}

static void print_findings(FILE *out, const struct conf_report *report,
                           bool (*wanted)(const struct finding *))
{
	for (unsigned i = 0; i < report->n_findings; i++) {
		const struct finding *finding = &report->findings[i];

		if (!wanted(finding))
			continue;
		fprintf(out, "[rule/%s]: %s", finding->rule, finding->text);
		if (finding->file)
			fprintf(out, " (%s:%u)", finding->file, finding->line);
		fputc('\n', out);
	}
}

static unsigned print_issues(FILE *out, const struct conf_report *report)
{
	unsigned n = count_findings(report, is_issue);

	fprintf(out, "Issues identified by validators: %u\n", n);
	print_findings(out, report, is_issue);
	fputc('\n', out);
	return n;
}

static void print_notes(FILE *out, const struct conf_report *report)
{
	unsigned n = count_findings(report, is_note);

	if (n == 0)
		return;
	fprintf(out, "\nNotes: %u\n", n);
	print_findings(out, report, is_note);
}

static unsigned count_messages(const struct conf_file *file)
{
	switch (file->state) {
	case CONF_FILE_USED:
		return 0;
	case CONF_FILE_SYNTAX:
		return 3;
	default:
		return 1;
	}
}

/* A snippet that is not used. */
static void print_messages(FILE *out, const struct conf_file *file)
{
	switch (file->state) {
	case CONF_FILE_USED:
		break;
	case CONF_FILE_ACCESS:
		fprintf(out, "File %s did not pass access check. Skipping. (%s)\n", file->path,
		        file->reason);
		break;
	case CONF_FILE_SYNTAX:
		fprintf(out,
		        "Errors detected while parsing: %s.\n"
		        "Error (%d) on line %u: %s.\n"
		        "Due to errors file %s is not considered. Skipping.\n",
		        file->path, file->number, file->line, file->reason, file->path);
		break;
	case CONF_FILE_MISSING:
	case CONF_FILE_UNREADABLE:
		fprintf(out, "File %s cannot be read. Skipping. (%s)\n", file->path, file->reason);
		break;
	}
}

/* Returns how many of the messages count as faults: a directory that does not exist is told, but
 * nothing is wrong with that. */
static unsigned print_merging(FILE *out, const struct conf_files *files)
{
	const struct conf_file *snippets = &files->snippets;
	unsigned n = 0;

	for (unsigned i = 0; i < files->n_files; i++)
		n += count_messages(&files->files[i]);

	fprintf(out, "Messages generated during configuration merging: %u\n",
	        n + count_messages(snippets));
	if (snippets->state == CONF_FILE_MISSING)
		fprintf(out, "Directory %s does not exist.\n", snippets->path);
	else if (snippets->state != CONF_FILE_USED)
		fprintf(out, "Directory %s cannot be read: %s.\n", snippets->path,
		        snippets->reason);
	for (unsigned i = 0; i < files->n_files; i++)
		print_messages(out, &files->files[i]);
	fputc('\n', out);
	return n + (snippets->state != CONF_FILE_MISSING ? count_messages(snippets) : 0);
}

static void print_used(FILE *out, const struct conf_files *files)
{
	unsigned n = 0;

	for (unsigned i = 0; i < files->n_files; i++)
		n += files->files[i].state == CONF_FILE_USED;

	fprintf(out, "Used configuration snippet files: %u\n", n);
	for (unsigned i = 0; i < files->n_files; i++)
		if (files->files[i].state == CONF_FILE_USED)
			fprintf(out, "%s\n", files->files[i].path);
}

static void print_unreadable(FILE *out, const struct conf_file *file)
{
	switch (file->state) {
	case CONF_FILE_USED:
		break;
	case CONF_FILE_MISSING:
		fprintf(out, "File %s does not exist.\nThere is no configuration.\n", file->path);
		break;
	case CONF_FILE_ACCESS:
		fprintf(out,
		        "File ownership and permissions check failed. Expected root:root and "
		        "0600.\n"
		        "%s: %s.\n",
		        file->path, file->reason);
		break;
	case CONF_FILE_SYNTAX:
		fprintf(out, "Error (%d) on line %u: %s.\nFailed to load configuration from %s.\n",
		        file->number, file->line, file->reason, file->path);
		break;
	case CONF_FILE_UNREADABLE:
		fprintf(out, "%s.\nFailed to load configuration from %s.\n", file->reason,
		        file->path);
		break;
	}
}

/* conf.d beside file */
static char *sibling(TALLOC_CTX *mem, const char *file)
{
	const char *slash = strrchr(file, '/');

	return talloc_asprintf(mem, "%.*sconf.d", slash ? (int)(slash + 1 - file) : 0, file);
}

static int check(TALLOC_CTX *mem, const char *file, const char *snippet_dir,
                 struct conf_report **ret_report)
{
	struct conf_paths paths;
	int r;

	r = conf_check_paths(mem, "", file, &paths);
	if (r < 0)
		return r;
	if (snippet_dir)
		paths.snippets = snippet_dir;
	else if (file)
		paths.snippets = sibling(mem, file);
	return paths.snippets ? conf_check(mem, &paths, ret_report) : -ENOMEM;
}

int conf_check_print(FILE *out, const char *file, const char *snippet_dir)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct conf_report *report;
	unsigned n_faults;

	if (!mem || check(mem, file, snippet_dir, &report) < 0) {
		fputs("Out of memory.\n", out);
		return OUT_OF_MEMORY;
	}
	if (report->status == CONF_STATUS_UNREADABLE) {
		print_unreadable(out, &report->files->main);
		return 1;
	}

	n_faults = print_issues(out, report);
	n_faults += print_merging(out, report->files);
	print_used(out, report->files);
	print_notes(out, report);
	return n_faults > 0 ? 1 : 0;
}
