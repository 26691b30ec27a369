/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sss_cache - have cached entries asked for again (sss_cache(8))
 *
 *   options ─▶ touch the entries, in each domain ─▶ take back what clients have ─▶ was one there?
 *
 * Both take effect in all processes at once and wait for none (cache_touch(), takeback.h), so it
 * makes no difference what runs. In this order: whoever stores an answer for the clients behind
 * that finds the entry touched. One entry costs the clients that one only, where it is found in a
 * cache. Programs that add users run this each time.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/cache/cache.h"
#include "common/conf/naming.h"
#include "common/conf/options.h"
#include "common/memcache/takeback.h"
#include "monitor/tools/command.h"
#include "monitor/tools/tool.h"

#define EXIT_NOT_FOUND 2

/* A kind of object. */
struct selector {
	char one, all;            /* "-u NAME", "-U" */
	enum entry_kind kinds[2]; /* in the cache; 0: none. What is not built is in no cache. */
};

static const struct selector selectors[] = {
	{ 'u', 'U', { ENTRY_USER, ENTRY_INITGROUPS } },
	{ 'g', 'G', { ENTRY_GROUP } },
	{ 'n', 'N', { 0 } }, /* netgroups */
	{ 's', 'S', { 0 } }, /* services */
	{ 'a', 'A', { 0 } }, /* automounter maps */
	{ 'h', 'H', { 0 } }, /* keys of hosts */
	{ 'r', 'R', { 0 } }, /* sudo rules */
};

/* What the command line asks for. */
struct wanted {
	const char *domain; /* NULL: any */
	bool everything;
	bool all[str_size(selectors)];
	const char *one[str_size(selectors)];
};

/* ---- the command line ---- */

enum {
	HELP = 256,
	USAGE,
	DEBUG, /* as every tool has it; there is nothing it would tell */
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, HELP },
	{ "usage", no_argument, NULL, USAGE },
	{ "debug", required_argument, NULL, DEBUG },
	{ "everything", no_argument, NULL, 'E' },
	{ "user", required_argument, NULL, 'u' },
	{ "users", no_argument, NULL, 'U' },
	{ "group", required_argument, NULL, 'g' },
	{ "groups", no_argument, NULL, 'G' },
	{ "netgroup", required_argument, NULL, 'n' },
	{ "netgroups", no_argument, NULL, 'N' },
	{ "service", required_argument, NULL, 's' },
	{ "services", no_argument, NULL, 'S' },
	{ "autofs-map", required_argument, NULL, 'a' },
	{ "autofs-maps", no_argument, NULL, 'A' },
	{ "ssh-host", required_argument, NULL, 'h' },
	{ "ssh-hosts", no_argument, NULL, 'H' },
	{ "sudo-rule", required_argument, NULL, 'r' },
	{ "sudo-rules", no_argument, NULL, 'R' },
	{ "domain", required_argument, NULL, 'd' },
	{ NULL },
};

static void print_usage(FILE *out)
{
	fprintf(out, "Usage: sss_cache [-E] [-u USER] [-U] [-g GROUP] [-G] [-n NETGROUP] [-N]\n"
	             "                 [-s SERVICE] [-S] [-a MAP] [-A] [-h HOST] [-H]\n"
	             "                 [-r RULE] [-R] [-d DOMAIN]\n");
}

static void print_help(void)
{
	print_usage(stdout);
	printf("\nHas what is cached asked for again at the next question.\n\n"
	       "  -E, --everything\n"
	       "  -u, --user=NAME        -U, --users\n"
	       "  -g, --group=NAME       -G, --groups\n"
	       "  -n, --netgroup=NAME    -N, --netgroups\n"
	       "  -s, --service=NAME     -S, --services\n"
	       "  -a, --autofs-map=NAME  -A, --autofs-maps\n"
	       "  -h, --ssh-host=NAME    -H, --ssh-hosts\n"
	       "  -r, --sudo-rule=NAME   -R, --sudo-rules\n"
	       "  -d, --domain=NAME      in this domain only\n");
}

static int refuse(const char *why)
{
	print_usage(stderr);
	fprintf(stderr, "%s\n", why);
	return EXIT_FAILURE;
}

static void select_objects(struct wanted *wanted, int option)
{
	for (size_t i = 0; i < str_size(selectors); i++) {
		if (option == selectors[i].one)
			wanted->one[i] = optarg;
		if (option == selectors[i].all)
			wanted->all[i] = true;
	}
}

static bool is_anything(const struct wanted *wanted)
{
	for (size_t i = 0; i < str_size(selectors); i++)
		if (wanted->all[i] || wanted->one[i])
			return true;
	return wanted->everything;
}

/* False: the program ends with *ret_status. */
static bool parse(int argc, char *argv[], struct wanted *wanted, int *ret_status)
{
	static const char letters[] = ":Eu:Ug:Gn:Ns:Sa:Ah:Hr:Rd:";
	int option;

	opterr = 0;
	*ret_status = EXIT_SUCCESS;
	while ((option = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		if (option == HELP || (option == '?' && optopt == '?')) {
			print_help();
			return false;
		}
		if (option == USAGE) {
			print_usage(stdout);
			return false;
		}
		if (option == '?' || option == ':') {
			command_blame_option(option, argv, letters);
			print_usage(stderr);
			*ret_status = EXIT_FAILURE;
			return false;
		}
		if (option == 'd')
			wanted->domain = optarg;
		wanted->everything |= option == 'E';
		select_objects(wanted, option);
	}
	if (optind < argc)
		*ret_status = refuse("Unexpected argument(s) provided, options that invalidate a "
		                     "single object only accept a single provided argument.");
	else if (!is_anything(wanted))
		*ret_status = refuse("Please select at least one object to invalidate");
	return *ret_status == EXIT_SUCCESS;
}

static bool is_all(const struct wanted *wanted, size_t i)
{
	return wanted->everything || wanted->all[i];
}

/* ---- the caches ---- */

/* Of all domains together. */
struct outcome {
	struct take_back *back;
	struct conf *naming; /* what the responder is told; NULL: that cannot be read */
	bool is_only;        /* one domain is configured */
	bool has_cache, asked_for_one, found_one;
	bool found[str_size(selectors)], is_unsure[str_size(selectors)];
	int r; /* the last failure */
};

static void note(struct outcome *outcome, const char *what, int r)
{
	if (r >= 0 || r == -ENOENT)
		return;
	failed(what, r);
	outcome->r = r;
}

static void touch(struct outcome *outcome, const struct cache_options *options,
                  const struct selector *selector, const char *name)
{
	for (size_t i = 0; i < str_size(selector->kinds) && selector->kinds[i]; i++)
		note(outcome, options->domain, cache_touch(options, selector->kinds[i], name));
}

/* Which of a kind is meant cannot be found out: all are asked for again, and whoever called hears
 * of it. */
static void touch_kind(struct outcome *outcome, const struct cache_options *options,
                       const struct selector *selector, int r)
{
	if (r != -ENOENT && selector->kinds[0])
		fprintf(stderr, "%s: the cache cannot be read, so all %s are asked for again\n",
		        options->domain, selector->kinds[0] == ENTRY_GROUP ? "groups" : "users");
	outcome->is_unsure[selector - selectors] |= r != -ENOENT;
	touch(outcome, options, selector, NULL);
	note(outcome, options->domain, r);
}

static struct take_back_domain back_domain(const struct outcome *outcome, TALLOC_CTX *mem,
                                           const char *name)
{
	char *section = talloc_asprintf(mem, "domain/%s", name);
	struct domain_conf domain = { 0 };
	struct conf_problem problem;
	struct sssd_conf sssd = { 0 };
	bool is_read;

	/* Of a bad value the default holds, and -E_CONFIG says so, as it does to the responder. */
	is_read =
		section && outcome->naming &&
		conf_read(outcome->naming, mem, "sssd", sssd_opts, &sssd, &problem) != -ENOMEM &&
		conf_read(outcome->naming, mem, section, domain_opts, &domain, &problem) != -ENOMEM;
	return (struct take_back_domain){
		.name = name,
		.folds = domain.case_sensitive != CASE_TRUE,
		.has_plain_names = is_read && naming_is_plain(&sssd, &domain),
		.is_only = outcome->is_only,
	};
}

/* What clients have of the entry. */
static void take_back(struct outcome *outcome, const char *domain_name, const struct entry *entry)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct take_back_domain domain = back_domain(outcome, mem, domain_name);

	if (entry->kind == ENTRY_GROUP) {
		take_back_entry(outcome->back, &domain, MCMAP_GROUP, entry->group.gid,
		                entry->group.name);
		return;
	}
	take_back_entry(outcome->back, &domain, MCMAP_PASSWD, entry->user.uid, entry->user.name);
	take_back_groups(outcome->back, &domain, entry->user.name);
}

/* Also by an alias or an address, which is not the name of the entry. 1, or 0 it is not there. */
static int find_name(struct outcome *outcome, TALLOC_CTX *mem, const struct cache_options *options,
                     struct cache *cache, const struct selector *selector, const char *name,
                     char **ret_name)
{
	struct query query = { .kind = selector->kinds[0] == ENTRY_GROUP ? QUERY_GROUP_BY_NAME
		                                                         : QUERY_USER_BY_NAME,
		               .name = name };
	struct entry entry;
	int r;

	r = cache_begin(cache);
	if (r < 0)
		return r;
	r = cache_find(cache, &query, &entry);
	if (r == 0) {
		*ret_name = talloc_strdup(mem, entry_name(&entry));
		take_back(outcome, options->domain, &entry);
	}
	cache_end(cache);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return *ret_name ? 1 : -ENOMEM;
}

/* The name as domain has it; NULL where it is another domain's, or nobody's. Where it names no
 * domain of ours it may be an address. */
static int name_for(TALLOC_CTX *mem, const struct conf *conf, const char *domain, const char *text,
                    const char **ret_name)
{
	char *name = NULL, *of = NULL;
	int r;

	*ret_name = NULL;
	r = read_name(mem, conf, text, &name, &of);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	if (!of || strcasecmp(of, domain) == 0) {
		*ret_name = name;
		return 0;
	}
	for (char *const *each = conf_domains(conf); *each; each++)
		if (strcasecmp(of, *each) == 0)
			return 0;
	if (str_fold(mem, text, &name) == 0)
		*ret_name = name;
	return 0;
}

/* The name that was given, which a responder may know to be nobody's, and the one it leads to. */
static void touch_one(struct outcome *outcome, const struct conf *conf,
                      const struct cache_options *options, struct cache *cache,
                      const struct selector *selector, const char *text)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	const char *name;
	char *own = NULL;
	int r = mem ? name_for(mem, conf, options->domain, text, &name) : -ENOMEM;

	if (r == 0 && !name)
		return;
	if (r == 0) {
		touch(outcome, options, selector, name);
		r = find_name(outcome, mem, options, cache, selector, name, &own);
	}
	if (r < 0)
		touch_kind(outcome, options, selector, r);
	if (r > 0) {
		outcome->found_one = outcome->found[selector - selectors] = true;
		touch(outcome, options, selector, own);
	}
}

static void touch_domain(struct outcome *outcome, const struct conf *conf,
                         const struct wanted *wanted, const char *domain)
{
	struct cache_options options = { .dir = CACHE_DIR, .domain = domain };
	auto_talloc struct cache *cache = NULL;
	int r = 0;

	for (size_t i = 0; i < str_size(selectors); i++) {
		if (is_all(wanted, i)) {
			touch(outcome, &options, &selectors[i], NULL);
			continue;
		}
		if (!wanted->one[i])
			continue;
		if (!cache && r == 0)
			r = cache_open(NULL, &options, &cache);
		outcome->has_cache |= cache != NULL;
		if (cache && selectors[i].kinds[0])
			touch_one(outcome, conf, &options, cache, &selectors[i], wanted->one[i]);
		else if (r < 0)
			touch_kind(outcome, &options, &selectors[i], r);
	}
}

/* ---- the files of the clients ---- */

static const enum mcmap_kind files_of_kind[] = {
	[ENTRY_USER] = MCMAP_PASSWD,
	[ENTRY_GROUP] = MCMAP_GROUP,
	[ENTRY_INITGROUPS] = MCMAP_INITGROUPS,
};

/* Of whom no cache knows any more, clients may have an answer all the same, under names that cannot
 * be told: then the files are given up whole. So is the one of those who are unknown, in any
 * spelling; it is soon made again. */
static void take_files_back(struct outcome *outcome, const struct wanted *wanted)
{
	struct take_back *back = outcome->back;

	for (size_t i = 0; i < str_size(selectors); i++) {
		if (!is_all(wanted, i) &&
		    (!wanted->one[i] || (outcome->found[i] && !outcome->is_unsure[i])))
			continue;
		for (size_t k = 0; k < str_size(selectors[i].kinds) && selectors[i].kinds[k]; k++)
			take_back_all(back, files_of_kind[selectors[i].kinds[k]]);
	}
	take_back_all(back, MCMAP_UNKNOWN);
	if (wanted->everything)
		take_back_all(back, MCMAP_SID);
	note(outcome, MEMCACHE_DIR, take_back_run(back, MEMCACHE_DIR));
}

/* ---- all of it ---- */

/* NULL: nothing is configured, so nothing is cached, or it is not known what. */
static char *const *domains_of(const struct conf *conf)
{
	static char *const none[] = { NULL };

	return conf ? conf_domains(conf) : none;
}

static bool is_wanted(const struct wanted *wanted, const char *domain)
{
	return !wanted->domain || strcasecmp(wanted->domain, domain) == 0;
}

static bool has_domain(const struct conf *conf, const struct wanted *wanted)
{
	for (char *const *domain = domains_of(conf); *domain; domain++)
		if (is_wanted(wanted, *domain))
			return true;
	return false;
}

/* conf_r: why there is no conf. Unless that is -ENOENT, it is not known which caches there are:
 * what clients have is given up whole, and the failure is told. */
static int run(const struct conf *conf, int conf_r, const struct wanted *wanted)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct outcome outcome = { .back = take_back_new(mem) };
	char *const *domains = domains_of(conf);

	if (!outcome.back) {
		failed("sss_cache", -ENOMEM);
		return EIO;
	}
	note(&outcome, CONF_COMPILED_DIR "/sssd/current", conf_r);
	if (wanted->domain && outcome.r == 0 && !has_domain(conf, wanted)) {
		fprintf(stderr,
		        "Could not open domain %s. If the domain is a subdomain (trusted domain), "
		        "use fully qualified name instead of --domain/-d parameter.\n",
		        wanted->domain);
		return EXIT_NOT_FOUND;
	}
	for (size_t i = 0; i < str_size(selectors); i++)
		outcome.asked_for_one |= wanted->one[i] && !is_all(wanted, i);
	outcome.is_only = !domains[0] || !domains[1];
	if (outcome.asked_for_one)
		conf_load(mem, NULL, "nss", &outcome.naming);
	for (char *const *domain = domains; *domain; domain++)
		if (is_wanted(wanted, *domain))
			touch_domain(&outcome, conf, wanted, *domain);
	take_files_back(&outcome, wanted);

	if (outcome.r < 0) {
		fprintf(stderr, "Could not open available domains\n");
		return EIO;
	}
	if (outcome.asked_for_one && outcome.has_cache && !outcome.found_one) {
		fprintf(stderr, "No cache object matched the specified search\n");
		return EXIT_NOT_FOUND;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	auto_talloc struct conf *conf = NULL;
	struct wanted wanted = { 0 };
	int status, conf_r, r;

	if (!parse(argc, argv, &wanted, &status))
		return status;
	if (geteuid() != 0) {
		fprintf(stderr, "sss_cache must be run as root\n");
		return EXIT_FAILURE;
	}
	conf_r = conf_load(NULL, NULL, "sssd", &conf);
	r = become_service();
	if (r == -ENOENT)
		return EXIT_SUCCESS; /* nobody who could ever have cached anything */
	if (r < 0) {
		failed("sss_cache", r);
		return EIO;
	}
	return run(conf, conf_r, &wanted);
}
