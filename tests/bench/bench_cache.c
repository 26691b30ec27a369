/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bench - the cache alone: nanoseconds for a find, records per second stored
 *
 *   bench_cache FOLDER    on whose file system the records are stored; the files are removed again
 *
 * A find is cache_begin(), cache_find(), cache_touched(), cache_end(), with random keys.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/cache/cache.h"

#define FINDS   500000
#define SINGLES 1000
#define BATCH   100 /* records in a change, as a search brings them */

static struct cache_options options = { .domain = "BENCH", .names = CACHE_CASE_FOLDED };
static struct tevent_context *ev;

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, error_text(r));
	exit(EXIT_FAILURE);
}

static void name_of(char name[32], uint32_t i)
{
	snprintf(name, 32, "user%06u.surname", i);
}

static void put(struct cache_change *change, uint32_t i)
{
	char name[32], home[64], dn[96];
	struct user user = { .name = name, .uid = 100000 + i, .gid = 100, .gecos = "Some Body",
		             .home = home, .shell = "/bin/bash", .upn = "", .dn = dn };

	name_of(name, i);
	snprintf(home, sizeof(home), "/home/%s", name);
	snprintf(dn, sizeof(dn), "uid=%s,ou=people,dc=example,dc=org", name);
	must(cache_put_user(change, &user, 5400), "put");
}

static struct tevent_req *send_users(struct cache_writer *writer, uint32_t first, uint32_t n)
{
	struct cache_change *change = cache_change_new(ev, 1);

	for (uint32_t i = 0; i < n; i++)
		put(change, first + i);
	return cache_commit_send(ev, ev, writer, change);
}

static void wait_for(struct tevent_req *req)
{
	tevent_req_poll(req, ev);
	must(cache_commit_recv(req), "commit");
	talloc_free(req);
}

/* Keeps 20 changes under way, as a backend that reads search results does. */
static void store(struct cache_writer *writer, uint32_t first, uint32_t end)
{
	struct tevent_req *reqs[20] = { 0 };
	unsigned at = 0;

	for (uint32_t i = first; i < end; i += BATCH, at = (at + 1) % 20) {
		if (reqs[at])
			wait_for(reqs[at]);
		reqs[at] = send_users(writer, i, BATCH);
	}
	for (unsigned i = 0; i < 20; i++)
		if (reqs[i])
			wait_for(reqs[i]);
}

static double find_all(struct cache *cache, enum query_kind kind, uint32_t n, bool exists)
{
	struct query query = { .kind = kind };
	struct entry entry;
	uint32_t epoch = 0;
	char name[32];
	int64_t begin_us = monotonic_us();

	query.name = name;
	for (int i = 0; i < FINDS; i++) {
		uint32_t which = (uint32_t)random() % n + (exists ? 0 : 1000000);

		if (kind == QUERY_USER_BY_ID) {
			query.id = 100000 + which;
		} else {
			/* Cheaper than snprintf(), which would be half of the time. */
			memcpy(name, "user000000.surname", 19);
			for (int digit = 9; which; which /= 10)
				name[digit--] = (char)('0' + which % 10);
			if (!exists)
				name[0] = 'x';
		}
		must(cache_begin(cache), "begin");
		if ((cache_find(cache, &query, &entry) == 0) != exists)
			must(-ENOENT, "find");
		epoch |= cache_touched(cache, ENTRY_USER, entry_name(&entry));
		cache_end(cache);
	}
	return (double)(monotonic_us() - begin_us) * 1000 / FINDS + (epoch == 0);
}

static void bench_finds(uint32_t n)
{
	struct cache *cache;

	must(cache_open(NULL, &options, &cache), "open");
	find_all(cache, QUERY_USER_BY_NAME, n, true); /* warm */
	printf("%7u users: by name %4.0f ns, by uid %4.0f ns, unknown name %4.0f ns\n", n,
	       find_all(cache, QUERY_USER_BY_NAME, n, true),
	       find_all(cache, QUERY_USER_BY_ID, n, true),
	       find_all(cache, QUERY_USER_BY_NAME, n, false));
	talloc_free(cache);
}

static double bench_single(struct cache_writer *writer, uint32_t first)
{
	int64_t begin_us = monotonic_us();

	for (uint32_t i = 0; i < SINGLES; i++)
		wait_for(send_users(writer, first + i, 1));
	return SINGLES * 1e6 / (double)(monotonic_us() - begin_us);
}

static void print_memory(void)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "VmRSS", 5) == 0 || strncmp(line, "RssAnon", 7) == 0)
			printf("  %s", line);
	if (file)
		fclose(file);
}

int main(int argc, char *argv[])
{
	static const uint32_t sizes[] = { 1000, 10000, 100000 };
	struct cache_writer *writer;
	struct cache_stats stats;
	uint32_t n = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return EXIT_FAILURE;
	}
	options.dir = argv[1];
	ev = tevent_context_init(NULL);

	for (size_t i = 0; i < 3; n = sizes[i++]) {
		int64_t begin_us = monotonic_us();
		double grouped;

		must(cache_writer_open(ev, ev, &options, &writer), "open");
		store(writer, n, sizes[i]);
		grouped = (sizes[i] - n) * 1e6 / (double)(monotonic_us() - begin_us);
		printf("%7u users: stored %.0f/s in groups, %.0f/s one by one\n", sizes[i], grouped,
		       bench_single(writer, 2000000 + 1000 * (uint32_t)i));
		cache_writer_stats(writer, &stats);
		printf("  %ju groups, %.1f MiB used, ", (uintmax_t)stats.groups,
		       (double)stats.bytes_used / (1 << 20));
		print_memory();
		talloc_free(writer);
		bench_finds(sizes[i]);
	}
	must(cache_set_aside(&options), "set aside");
	talloc_free(ev);
	return EXIT_SUCCESS;
}
