/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssctl user-show, group-show - what the caches have, with anything running or nothing
 *
 * The caches are read as their owner, so that no file of root's is left among them.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/cache/cache.h"
#include "monitor/tools/command.h"
#include "monitor/tools/tools.h"

struct shown {
	const char *what; /* "User", "Group" */
	enum query_kind by_name, by_id;
	const char *id_option; /* its letter is the first one of this */
	const char *id_help;
};

/* ---- one entry ---- */

static const char *time_text(char *text, size_t size, int64_t wall_s)
{
	time_t moment = (time_t)wall_s;
	struct tm when;

	if (!localtime_r(&moment, &when) || strftime(text, size, "%x %X", &when) == 0)
		return "Unknown";
	return text;
}

static void print_expiration(const char *what, struct cache *cache, const struct entry *entry)
{
	struct entry_now now = entry_now();
	char text[64];

	if (entry_age(entry, &now, 0, cache_touched(cache, entry->kind, entry_name(entry))) ==
	    ENTRY_EXPIRED)
		printf("%s: Expired\n", what);
	else
		printf("%s: %s\n", what,
		       time_text(text, sizeof(text),
		                 entry->times.stored_wall.s + entry->times.lifetime_s));
}

static void print_initgroups(struct cache *cache, const char *user)
{
	struct query query = { .kind = QUERY_INITGROUPS, .name = user };
	struct entry entry;

	if (cache_find(cache, &query, &entry) == 0)
		print_expiration("Initgroups expiration time", cache, &entry);
	else
		printf("Initgroups expiration time: Initgroups were not yet performed\n");
}

/* ldap_user_extra_attrs. What the directory says reaches the terminal in printable form only. */
static void print_attrs(TALLOC_CTX *mem, const struct names *attrs)
{
	const char *name = NULL, *value;

	while ((name = names_next(attrs, name)) && (value = names_next(attrs, name))) {
		auto_talloc char *printable = str_printable(mem, value, strlen(value));

		printf("%s: %s\n", name, printable ? printable : "");
		name = value;
	}
}

static void print_entry(TALLOC_CTX *mem, struct cache *cache, const struct entry *entry)
{
	const char *name = entry->kind == ENTRY_USER ? entry->user.name : entry->group.name;
	char text[64];

	printf("Name: %s\n", name);
	printf("Cache entry creation date: %s\n",
	       time_text(text, sizeof(text), entry_created(entry).s));
	printf("Cache entry last update time: %s\n",
	       time_text(text, sizeof(text), entry->times.stored_wall.s));
	print_expiration("Cache entry expiration time", cache, entry);
	if (entry->kind == ENTRY_USER)
		print_initgroups(cache, name);
	printf("Cached in InfoPipe: No\n");
	if (entry->kind == ENTRY_USER)
		print_attrs(mem, &entry->user.attrs);
}

/* ---- where it is ---- */

/* 1 it was shown, 0 it is not there; errors after a line on stderr. */
static int show_from(TALLOC_CTX *mem, const char *domain, const struct query *query)
{
	struct cache_options options = { .dir = CACHE_DIR, .domain = domain };
	struct cache *cache;
	struct entry entry;
	int r;

	r = cache_open(mem, &options, &cache);
	if (r == -ENOENT)
		return 0; /* nothing was ever stored */
	if (r == 0)
		r = cache_begin(cache);
	if (r < 0) {
		failed(domain, r);
		return r;
	}
	r = cache_find(cache, query, &entry);
	if (r == 0)
		print_entry(mem, cache, &entry);
	cache_end(cache);
	if (r < 0 && r != -ENOENT)
		failed(domain, r);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

static int show(TALLOC_CTX *mem, const struct shown *shown, const char *text, bool by_id)
{
	struct query query = { .kind = by_id ? shown->by_id : shown->by_name };
	char *name = NULL, *domain = NULL;
	struct conf *conf;
	int r;

	conf = compiled_conf(mem, "sssd");
	if (!conf)
		return EXIT_FAILURE;
	r = by_id ? str_to_u32(text, &query.id) : read_name(mem, conf, text, &name, &domain);
	if (r < 0)
		return failed(text, r);
	query.name = name;

	r = become_service();
	if (r < 0)
		return failed("user " ACCOUNT_SERVICE, r);
	for (char *const *each = conf_domains(conf); *each; each++) {
		if (domain && strcasecmp(domain, *each) != 0)
			continue;
		r = show_from(mem, *each, &query);
		if (r != 0)
			return r > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	printf("%s %s is not present in cache.\n", shown->what, text);
	return EXIT_SUCCESS;
}

static int show_command(const struct shown *shown, int argc, char *argv[])
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	bool by_id = false, by_sid = false;
	const struct command_option options[] = {
		{ shown->id_option, shown->id_option[0], shown->id_help, &by_id },
		{ "sid", 's', "NAME is a SID; not implemented: there are none yet", &by_sid },
		{ NULL },
	};
	const struct command_line line = { .argument = "NAME", .options = options };
	const char *name;
	int status = command_read(&line, argc, argv, &name);

	if (status >= 0)
		return status;
	if (by_sid) {
		fprintf(stderr, "'--sid' is not implemented: the cache has no SIDs yet\n");
		return EXIT_FAILURE;
	}
	setlocale(LC_ALL, "");
	return show(mem, shown, name, by_id);
}

int user_show(int argc, char *argv[])
{
	static const struct shown user = { "User", QUERY_USER_BY_NAME, QUERY_USER_BY_ID, "uid",
		                           "NAME is a user ID" };

	return show_command(&user, argc, argv);
}

int group_show(int argc, char *argv[])
{
	static const struct shown group = { "Group", QUERY_GROUP_BY_NAME, QUERY_GROUP_BY_ID, "gid",
		                            "NAME is a group ID" };

	return show_command(&group, argc, argv);
}
