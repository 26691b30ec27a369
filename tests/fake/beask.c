/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * beask - asks a backend over sbus as a responder would, then reads the cache
 *
 *   beask [-n TIMES] [-p] [-w MS] RUN_DIR CACHE_DIR DOMAIN user|uid|group|gid|initgroups WHAT …
 *
 * One line for each question: what, milliseconds, dp_error, error, and the record. -p asks all at
 * once, -n repeats, %d in WHAT counts up; with -n only sums are printed.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/time.h"
#include "common/cache/cache.h"
#include "common/event/timer.h"
#include "common/sbus/iface_dataprovider.h"
#include "common/sbus/sbus.h"

static struct state {
	struct tevent_context *ev;
	struct sbus_conn *conn;
	struct cache_options cache;
	const char *kind;
	char **whats;
	int n_whats, times, asked, done, failed;
	bool parallel, ended;
	uint32_t wait_ms;
	int64_t began_us, longest_us;
} s = { .times = 1, .wait_ms = 5000 };

struct question {
	struct query query;
	int64_t began_us;
};

static void answered(struct tevent_req *req);

static struct query make_query(TALLOC_CTX *mem, const char *what, int n)
{
	static const char *const kinds[] = { "", "user", "uid", "group", "gid", "initgroups" };
	struct query query = { .kind = QUERY_USER_BY_NAME };
	char *text = talloc_strdup(mem, what), *percent = strstr(text, "%d");

	if (percent)
		text = talloc_asprintf(mem, "%.*s%0*d%s", (int)(percent - text), text, 5, n,
		                       percent + 2);
	for (int i = QUERY_USER_BY_NAME; i <= QUERY_INITGROUPS; i++)
		if (strcmp(kinds[i], s.kind) == 0)
			query.kind = (enum query_kind)i;
	if (query_is_by_id(&query))
		query.id = (uint32_t)strtoul(text, NULL, 10);
	else
		query.name = text;
	return query;
}

static void ask(void)
{
	struct question *question = talloc_zero(s.conn, struct question);
	int n = s.asked++;
	struct dataprovider_get_account_info_in in = {
		.domain = s.cache.domain, .extra = "", .request = "", .remaining_ms = s.wait_ms
	};
	struct tevent_req *req;

	question->query = make_query(question, s.whats[n % s.n_whats], n);
	question->began_us = monotonic_us();
	in.entry_type = query_entry_type(&question->query);
	in.filter = query_filter(question, &question->query);
	req = dataprovider_get_account_info_send(question, s.ev, s.conn, &in, s.wait_ms + 2000);
	tevent_req_set_callback(req, answered, question);
}

static void print_record(const struct query *query)
{
	struct cache *cache;
	struct entry entry;
	int r = cache_open(NULL, &s.cache, &cache);

	if (r < 0) {
		printf("cache: %s\n", error_text(r));
		return;
	}
	cache_begin(cache);
	r = cache_find(cache, query, &entry);
	if (r < 0)
		printf("%s\n", error_name(r));
	else if (entry.kind == ENTRY_USER)
		printf("%s:%u:%u:%s:%s:%s dn=%s aliases=%u\n", entry.user.name, entry.user.uid,
		       entry.user.gid, entry.user.gecos, entry.user.home, entry.user.shell,
		       entry.user.dn, entry.user.aliases.count);
	else if (entry.kind == ENTRY_GROUP)
		printf("%s:%u members=%u\n", entry.group.name, entry.group.gid,
		       entry.group.members.count);
	else
		printf("%s primary=%u groups=%u complete=%u\n", entry.initgroups.name,
		       entry.initgroups.primary_gid, entry.initgroups.n_gids,
		       entry.initgroups.complete);
	cache_end(cache);
	talloc_free(cache);
}

static void answered(struct tevent_req *req)
{
	struct question *question = tevent_req_callback_data(req, struct question);
	struct dataprovider_get_account_info_out out = { 0 };
	int64_t took_us = monotonic_us() - question->began_us;
	int r = dataprovider_get_account_info_recv(req, question, &out);

	s.done++;
	s.failed += r < 0 || out.error != 0;
	if (took_us > s.longest_us)
		s.longest_us = took_us;
	if (s.times == 1) {
		char *text = query_text(question, &question->query);

		printf("%s\t%.3f ms\t%s\tdp_error=%u %s%s%s\t", text, (double)took_us / 1000,
		       r < 0 ? error_text(r) : "answered", out.dp_error,
		       error_name(-(int)out.error), out.message && *out.message ? ": " : "",
		       out.message ? out.message : "");
		print_record(&question->query);
	}
	talloc_free(question);
	if (s.done == s.times * s.n_whats)
		s.ended = true;
	else if (s.asked < s.times * s.n_whats && !s.parallel)
		ask();
}

static void connected(struct sbus_client *client, struct sbus_conn *conn, void *data)
{
	(void)client;
	(void)data;
	if (!conn) {
		if (s.asked) {
			printf("connection lost\n");
			exit(EXIT_FAILURE);
		}
		return;
	}
	s.conn = conn;
	s.began_us = monotonic_us();
	do
		ask();
	while (s.parallel && s.asked < s.times * s.n_whats);
}

int main(int argc, char *argv[])
{
	struct sbus_client *client;
	int option;
	double took_s;

	while ((option = getopt(argc, argv, "n:pw:")) != -1) {
		if (option == 'n')
			s.times = atoi(optarg);
		else if (option == 'p')
			s.parallel = true;
		else if (option == 'w')
			s.wait_ms = (uint32_t)atoi(optarg);
		else
			return EXIT_FAILURE;
	}
	if (argc - optind < 5) {
		fprintf(stderr, "usage: beask [-n TIMES] [-p] [-w MS] RUN_DIR CACHE_DIR DOMAIN "
		                "user|uid|group|gid|initgroups WHAT …\n");
		return EXIT_FAILURE;
	}
	s.cache = (struct cache_options){ .dir = argv[optind + 1], .domain = argv[optind + 2] };
	s.kind = argv[optind + 3];
	s.whats = argv + optind + 4;
	s.n_whats = argc - optind - 4;

	log_start("beask", LOG_TO_STDERR);
	s.ev = tevent_context_init(NULL);
	if (sbus_client_new(s.ev, s.ev, sbus_backend_path(s.ev, argv[optind], s.cache.domain),
	                    false, connected, NULL, &client) < 0)
		return EXIT_FAILURE;
	while (!s.ended)
		tevent_loop_once(s.ev);

	took_s = (double)(monotonic_us() - s.began_us) / 1e6;
	if (s.times > 1)
		printf("%d questions in %.3f s, %.0f/s, %.1f us each, longest %.3f ms, %d failed\n",
		       s.done, took_s, s.done / took_s, took_s * 1e6 / s.done,
		       (double)s.longest_us / 1000, s.failed);
	return s.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
