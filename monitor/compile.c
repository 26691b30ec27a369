/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compile - the effective configuration, one small file for each process
 *
 * A file is written only when what it says changed; where the values came from (sources, stamps)
 * and the generation do not count. The last good files stay when anything goes wrong before.
 */
#include "monitor/compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/conf/ini.h"
#include "common/conf/options.h"

#define LOCK_US      10000000
#define LOCK_LOOK_US 10000

DEFINE_CLEANUP(DIR *, closedir)

/* Every responder there will be: each starts on its first request, named in services= or not. */
static const char *const responders[] = {
	"nss", "pam", "sudo", "autofs", "ssh", "ifp", "kcm", NULL
};

/* Where the part of a file begins that is compared with the one before. */
static const char compared_from[] = "\ndomains = ";

/* ---- what a process is told ---- */

static bool is_good(const struct opt *opt, const char *text)
{
	auto_talloc char *reason = NULL;

	return opt_set(NULL, opt, text, NULL, &reason) == 0;
}

/* A bad value outside of domains was reported and is left out: the default holds. */
static void print_option(FILE *out, const struct conf *conf, const char *section,
                         const struct opt *opt)
{
	const struct conf_value *value = conf_get(conf, section, opt->name);

	if (opt_find(section, opt->name) != opt) /* a table for fewer sections has it, too */
		return;
	if (!value && strcmp(opt->name, "debug_level") == 0)
		value = conf_get(conf, section, "debug");
	if (value && opt->state == OPT_BUILT && is_good(opt, value->text))
		fprintf(out, "%s = %s\n", opt->name, value->text);
}

static void print_options(FILE *out, const struct conf *conf, const char *section,
                          const struct opt *opts)
{
	for (const struct opt *opt = opts; opt->name; opt++)
		print_option(out, conf, section, opt);
}

/* [sssd] for everybody but the monitor: what services= and domains= mean for a process stands in
 * [compiled]. */
static void print_sssd(FILE *out, const struct conf *conf)
{
	fprintf(out, "\n[sssd]\n");
	for (const struct opt *opt = sssd_opts; opt->name; opt++)
		if (strcmp(opt->name, "services") != 0 && strcmp(opt->name, "domains") != 0)
			print_option(out, conf, "sssd", opt);
}

/* The tables of the section's kind that every provider, or ldap, reads. */
static void print_tables(FILE *out, const struct conf *conf, const char *section)
{
	const char *kind = opt_kind(section);

	fprintf(out, "\n[%s]\n", section);
	for (const struct opt_table *table = opt_tables; table->section; table++)
		if (table->size > 0 && opt_table_is_for(table, kind))
			print_options(out, conf, section, table->opts);
}

/* Calls each for [domain/NAME] of every domain that starts. */
static int for_each_domain(FILE *out, const struct conf_report *report,
                           void (*each)(FILE *out, const struct conf *conf, const char *section))
{
	for (unsigned i = 0; i < report->n_domains; i++) {
		auto_talloc char *section = NULL;

		if (report->domains[i].refused)
			continue;
		section = talloc_asprintf(NULL, "domain/%s", report->domains[i].name);
		if (!section)
			return -ENOMEM;
		each(out, report->conf, section);
	}
	return 0;
}

static void print_for_responder(FILE *out, const struct conf *conf, const char *section)
{
	fprintf(out, "\n[%s]\n", section);
	print_options(out, conf, section, domain_opts);
}

static void print_common(FILE *out, const struct conf *conf, const char *section)
{
	fprintf(out, "\n[%s]\n", section);
	print_options(out, conf, section, common_opts);
}

/* Anything may stand in the list of domains; what would not be the name of an option is '?'. */
static void print_as_name(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(strchr("[]=#;", *text) || (unsigned char)*text <= ' ' ? '?' : *text, out);
}

static int tell_monitor(FILE *out, const struct conf_report *report)
{
	fprintf(out, "\n[refused]\n");
	for (unsigned i = 0; i < report->n_domains; i++) {
		if (!report->domains[i].refused)
			continue;
		print_as_name(out, report->domains[i].name);
		fprintf(out, " = %s\n", report->domains[i].refused);
	}

	print_tables(out, report->conf, "sssd");
	for (const char *const *responder = responders; *responder; responder++)
		print_common(out, report->conf, *responder);
	return for_each_domain(out, report, print_common);
}

/* tgt_renewal_inherit: the krb5_ options of a domain, where [kcm] does not set them. The section is
 * the last that was begun. */
static int print_inherited(FILE *out, const struct conf *conf)
{
	const struct conf_value *domain = conf_get(conf, "kcm", "tgt_renewal_inherit");
	auto_talloc char *section = NULL;

	if (!domain)
		return 0;
	section = talloc_asprintf(NULL, "domain/%s", domain->text);
	if (!section)
		return -ENOMEM;
	for (const struct opt *opt = kcm_opts; opt->name; opt++) {
		const struct conf_value *value = conf_get(conf, section, opt->name);

		if (strncmp(opt->name, "krb5_", 5) == 0 && value &&
		    !conf_get(conf, "kcm", opt->name) && is_good(opt, value->text))
			fprintf(out, "%s = %s\n", opt->name, value->text);
	}
	return 0;
}

static int tell_responder(FILE *out, const struct conf_report *report, const char *name)
{
	int r = 0;

	print_sssd(out, report->conf);
	print_tables(out, report->conf, name);
	if (strcmp(name, "kcm") == 0)
		r = print_inherited(out, report->conf);
	return r < 0 ? r : for_each_domain(out, report, print_for_responder);
}

static int tell_backend(FILE *out, const struct conf_report *report, const char *domain)
{
	auto_talloc char *section = talloc_asprintf(NULL, "domain/%s", domain);

	if (!section)
		return -ENOMEM;
	print_sssd(out, report->conf);
	print_tables(out, report->conf, section);
	return 0;
}

/* ---- [compiled] ---- */

static bool is_named(const struct conf_report *report, const char *process)
{
	for (const char **service = report->services; *service; service++)
		if (strcmp(*service, process) == 0)
			return true;
	return false;
}

/* One separator before all but the first. */
static const char *comma(bool *first)
{
	const char *text = *first ? "" : ", ";

	*first = false;
	return text;
}

/* The main file, then the snippets; NULL after the last. Only those that are used. */
static const struct conf_file *next_source(const struct conf_files *files, unsigned *i)
{
	while (*i <= files->n_files) {
		const struct conf_file *file = *i == 0 ? &files->main : &files->files[*i - 1];

		++*i;
		if (file->state == CONF_FILE_USED)
			return file;
	}
	return NULL;
}

static void print_sources(FILE *out, const struct conf_files *files)
{
	const struct conf_file *file;
	bool first = true;
	unsigned i = 0;

	fprintf(out, "sources = ");
	while ((file = next_source(files, &i)) != NULL) {
		fputs(comma(&first), out);
		for (const char *c = file->path; *c; c++) /* a name may hold anything */
			fputc((unsigned char)*c < ' ' ? '?' : *c, out);
	}

	fprintf(out, "\nstamps = ");
	first = true;
	i = 0;
	while ((file = next_source(files, &i)) != NULL)
		fprintf(out, "%s%" PRIu64 ":%lld.%09ld", comma(&first), file->size,
		        (long long)file->mtime.tv_sec, file->mtime.tv_nsec);
	fputc('\n', out);
}

static void print_heading(FILE *out, const struct conf_report *report, const char *process,
                          uint64_t generation)
{
	bool first = true;

	fprintf(out,
	        "# Written by sssd_conf from the files named below. Changes here are lost.\n"
	        "[compiled]\n"
	        "format = %d\n"
	        "process = %s\n"
	        "generation = %" PRIu64 "\n",
	        CONF_FORMAT, process, generation);
	print_sources(out, report->files);

	fprintf(out, "%s", compared_from + 1);
	for (unsigned i = 0; i < report->n_domains; i++)
		if (!report->domains[i].refused)
			fprintf(out, "%s%s", comma(&first), report->domains[i].name);
	fprintf(out, "\nnamed = %s\n", is_named(report, process) ? "true" : "false");
}

static void print_services(FILE *out, const struct conf_report *report)
{
	bool first = true;

	fprintf(out, "services = ");
	for (const char **service = report->services; *service; service++)
		fprintf(out, "%s%s", comma(&first), *service);
	fputc('\n', out);
}

/* The whole file of process, from malloc(3). domain is NULL for all but backends. */
static int compose(const struct conf_report *report, const char *process, const char *domain,
                   uint64_t generation, char **ret_text, size_t *ret_size)
{
	auto_free char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);
	int r = 0;

	if (!out)
		return -ENOMEM;
	print_heading(out, report, process, generation);
	if (domain) {
		r = tell_backend(out, report, domain);
	} else if (strcmp(process, "sssd") == 0) {
		print_services(out, report);
		r = tell_monitor(out, report);
	} else {
		r = tell_responder(out, report, process);
	}

	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		*ret_text = take_ptr(text);
	return r;
}

/* ---- the files ---- */

struct output {
	const struct conf_report *report;
	const char *dir;
	gid_t gid;
	uint64_t next;    /* the generation of what changes */
	bool any_changed; /* since the monitor's file was written last */
};

static int told(int r, const char *path)
{
	if (r < 0)
		log_error("%s: %s", path, error_text(r));
	return r;
}

/* Makes the directory at path, or gives an existing one back its group and mode. Below one with
 * the setgid bit all comes by itself: no capability is needed, and RestrictSUIDSGID= of the unit,
 * which would refuse the bit in mkdir(2), has nothing against it. */
static int make_dir(const char *path, gid_t gid)
{
	struct stat st;

	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return told(-errno, path);
	if (stat(path, &st) < 0)
		return told(-errno, path);
	if (st.st_gid == gid && (st.st_mode & 07777) == 02750)
		return 0;

	/* Without CAP_CHOWN this is left to tmpfiles. */
	if ((st.st_gid != gid && chown(path, -1, gid) < 0) || chmod(path, 02750) < 0)
		log_warn("%s: cannot give it group %u and mode 2750: %s", path, (unsigned)gid,
		         error_text(-errno));
	return 0;
}

/* The generation of the existing file of process, 0 when there is none that can be read. */
static uint64_t generation_of(const char *dir, const char *process)
{
	auto_talloc struct conf *conf = NULL;

	return conf_load(NULL, dir, process, &conf) == 0 ? conf_generation(conf) : 0;
}

/* Does the file at path say the same as text, where it came from aside? */
static bool says_the_same(const char *path, const char *text)
{
	auto_talloc char *old = NULL;
	const char *a, *b;
	size_t size;

	if (fd_read_file(NULL, path, CONF_COMPILED_MAX, &old, &size) < 0)
		return false;
	a = strstr(old, compared_from);
	b = strstr(text, compared_from);
	return a && b && strcmp(a, b) == 0;
}

/* A second name for the file at path; the first one never goes. */
static int keep_previous(const char *path, const char *process_dir)
{
	auto_talloc char *aside = talloc_asprintf(NULL, "%s/.previous", process_dir);
	auto_talloc char *previous = talloc_asprintf(NULL, "%s/previous", process_dir);

	if (!aside || !previous)
		return -ENOMEM;
	if (unlink(aside) < 0 && errno != ENOENT)
		return -errno;
	if (link(path, aside) < 0)
		return errno == ENOENT ? 0 : -errno;
	return rename(aside, previous) < 0 ? -errno : 0;
}

/* What no process could read does not take the place of what they have. */
static int check_readable(const char *text, size_t size)
{
	auto_talloc char *copy = talloc_strndup(NULL, text, size);
	struct ini_error error;
	struct ini *ini; /* hangs below copy */
	int r = copy ? ini_parse(copy, copy, size, size, &ini, &error) : -ENOMEM;

	if (r == -E_CONFIG)
		log_error("what is to be written cannot be read: line %u: %s", error.line,
		          error.text);
	return r;
}

static int write_file(struct output *out, const char *process, const char *domain)
{
	auto_talloc char *process_dir = talloc_asprintf(NULL, "%s/%s", out->dir, process);
	auto_talloc char *path = talloc_asprintf(NULL, "%s/%s/current", out->dir, process);
	uint64_t generation = generation_of(out->dir, process);
	bool is_monitor = strcmp(process, "sssd") == 0, same;
	auto_free char *text = NULL;
	size_t size;
	int r;

	if (!process_dir || !path)
		return -ENOMEM;
	r = make_dir(process_dir, out->gid);
	if (r < 0)
		return r;
	r = compose(out->report, process, domain, out->next, &text, &size);
	if (r < 0)
		return r;

	/* A run that was killed may have left another file newer than the monitor's. */
	same = generation > 0 && says_the_same(path, text) &&
	       (!is_monitor || (!out->any_changed && generation + 1 == out->next));
	if (same)
		return 0;

	r = check_readable(text, size);
	if (r < 0)
		return told(r, path);
	out->any_changed = true;
	r = keep_previous(path, process_dir);
	if (r == 0)
		r = fd_write_file(path, text, size, 0640);
	return told(r, path);
}

static bool starts(const struct conf_report *report, const char *domain)
{
	for (unsigned i = 0; i < report->n_domains; i++)
		if (!report->domains[i].refused && strcmp(report->domains[i].name, domain) == 0)
			return true;
	return false;
}

/* Looks through dir, which holds a directory for each process or backend: the newest generation
 * there is, and, with out, takes the current file from backends that do not start any more.
 * ret_newest is only raised. */
static int scan(const char *dir, struct output *out, uint64_t *ret_newest)
{
	cleanup_with(closedir) DIR *stream = opendir(dir);
	const struct dirent *item;

	if (!stream)
		return told(-errno, dir);
	while ((item = readdir(stream)) != NULL) {
		auto_talloc char *path = NULL;
		uint64_t generation;

		if (item->d_name[0] == '.')
			continue;
		generation = generation_of(dir, item->d_name);
		if (generation > *ret_newest)
			*ret_newest = generation;
		if (!out || starts(out->report, item->d_name))
			continue;

		path = talloc_asprintf(NULL, "%s/%s/current", dir, item->d_name);
		if (!path)
			return -ENOMEM;
		if (unlink(path) == 0)
			out->any_changed = true;
		else if (errno != ENOENT)
			return told(-errno, path);
	}
	return 0;
}

static int write_backends(struct output *out)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < out->report->n_domains; i++) {
		const struct checked_domain *domain = &out->report->domains[i];
		auto_talloc char *process =
			talloc_asprintf(NULL, CONF_BACKENDS "/%s", domain->name);

		if (!process)
			return -ENOMEM;
		if (!domain->refused)
			r = write_file(out, process, domain->name);
	}
	return r;
}

/* Makes the directories and finds the generation of what is written. */
static int begin_output(struct output *out, const char *backends)
{
	uint64_t newest = 0;
	int r;

	r = make_dir(out->dir, out->gid);
	if (r == 0)
		r = make_dir(backends, out->gid);
	if (r == 0)
		r = scan(out->dir, NULL, &newest);
	if (r == 0)
		r = scan(backends, NULL, &newest);
	/* Where everything was removed, running processes may still have the generations of
	 * before: seconds are ahead of any count of changes. */
	out->next = newest > 0 ? newest + 1 : (uint64_t)walltime_now().s;
	return r;
}

int conf_lock(const char *dir, gid_t gid, int *ret_fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_talloc char *path = talloc_asprintf(NULL, "%s/.lock", dir);
	int64_t end_us = monotonic_us() + LOCK_US;
	auto_close int fd = -1;
	int r = path ? make_dir(dir, gid) : -ENOMEM;

	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return told(-errno, path);
	while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return told(-errno, path);
		if (monotonic_us() > end_us)
			return told(-EBUSY, path);
		usleep(LOCK_LOOK_US);
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int conf_compile_kcm(const struct conf_report *report, const char *dir, gid_t gid)
{
	struct output out = { .report = report, .dir = dir, .gid = gid };
	auto_talloc char *backends = talloc_asprintf(NULL, "%s/" CONF_BACKENDS, dir);
	int r;

	if (!backends)
		return -ENOMEM;
	if (generation_of(dir, "sssd") > 0)
		return -EEXIST;
	r = begin_output(&out, backends);
	return r < 0 ? r : write_file(&out, "kcm", NULL);
}

int conf_compile(const struct conf_report *report, const char *dir, gid_t gid,
                 uint64_t *ret_generation)
{
	struct output out = { .report = report, .dir = dir, .gid = gid };
	auto_talloc char *backends = talloc_asprintf(NULL, "%s/" CONF_BACKENDS, dir);
	uint64_t newest = 0;
	int r;

	if (!backends)
		return -ENOMEM;
	r = begin_output(&out, backends);
	if (r < 0)
		return r;

	r = write_backends(&out);
	for (const char *const *responder = responders; r == 0 && *responder; responder++)
		r = write_file(&out, *responder, NULL);
	if (r == 0)
		r = scan(backends, &out, &newest);
	if (r == 0)
		r = write_file(&out, "sssd", NULL);
	if (r < 0)
		return r;

	*ret_generation = generation_of(dir, "sssd");
	return 0;
}
