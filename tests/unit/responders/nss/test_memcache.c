/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which answers enter the memory cache, by which keys, and how long they stay
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/conf/options.h"
#include "common/memcache/mcmap.h"
#include "responders/core/setup.h"
#include "responders/nss/nss.h"
#include "tests/unit/responders/nss/client.h"

static char dir[] = "/tmp/test_nss_memcache_XXXXXX";
static struct tevent_context *ev;
static void *memory;

static struct nss conf;
/* Nothing was ever cached, and nobody looks. */
#define NO_CACHE .looked_us = INT64_MAX, .open_result = -ENOENT
static struct store stores[2] = { { .names = CACHE_CASE_FOLDED, NO_CACHE },
	                          { .names = CACHE_CASE_FOLDED, NO_CACHE } };
static struct domain domains[2] = { { .name = "A", .store = &stores[0] },
	                            { .name = "B", .store = &stores[1] } };
static struct setup setup = { .generation = 1, .conf = &conf, .domains = domains };
static struct entry entry;
static const char *user_name;
static uint32_t user_uid, user_epoch;
static int64_t user_stored_s;

static void set_up(void)
{
	static struct resp_paths paths = { .mc_dir = dir };

	ck_assert_ptr_nonnull(mkdtemp(dir));
	conf = (struct nss){ .conf = { .pwfield = "*",
		                       .memcache_timeout_s = 300,
		                       .memcache_size_passwd_mib = 1,
		                       .memcache_size_group_mib = 1,
		                       .memcache_size_initgroups_mib = 1,
		                       .memcache_size_sid_mib = 1 } };
	setup.n_domains = 2;
	setup.own_uid = 0;
	user_name = "al";
	user_uid = 1000;
	domains[0].naming = domains[1].naming = (struct naming){ 0 };
	ev = tevent_context_init(NULL);
	memory = nss_memcache.new(ev, ev, &paths);
	ck_assert_ptr_nonnull(memory);
	nss_memcache.configure(memory, &setup);
}

static void clean_up(void)
{
	TALLOC_FREE(ev);
	for (enum mcmap_kind kind = 0; kind < MCMAP_N_KINDS; kind++) {
		static const char *const names[] = { MCMAP_NAMES };
		char lock[64];

		mcmap_remove(dir, kind);
		snprintf(lock, sizeof(lock), "%s/.%s.lock", dir, names[kind]);
		unlink(lock);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- a question and its answer ---- */

typedef void reply_fn(struct writer *out, const struct answer *answer, const void *conf);

static void told(const struct question *question, const struct domain *domain, int64_t fresh_s,
                 reply_fn *reply)
{
	struct answer answer = { .domain = domain, .entry = &entry, .fresh_s = fresh_s };
	struct writer body = writer_new(1 << 20);

	reply(&body, domain ? &answer : NULL, &conf);
	nss_memcache.answered(memory, &setup, question, domain ? &answer : NULL,
	                      reader_over(body.bytes, body.size));
	writer_free(&body);
}

/* The user al, 1000, if the test says nothing else, of domain; asked for by text, or by id. */
static void told_user(const char *text, const struct domain *domain, int64_t fresh_s)
{
	struct question question = { .kind = text ? QUERY_USER_BY_NAME : QUERY_USER_BY_ID,
		                     .text = text,
		                     .id = user_uid };

	entry = (struct entry){ .kind = ENTRY_USER,
		                .times = { .epoch = user_epoch, .stored_boot.s = user_stored_s },
		                .user = { .name = user_name,
		                          .uid = user_uid,
		                          .gid = 100,
		                          .gecos = "",
		                          .home = "/h",
		                          .shell = "/s" } };
	told(&question, domain, fresh_s, reply_user);
}

static void told_groups(const char *text, const struct domain *domain, uint32_t n, bool complete)
{
	struct question question = { .kind = QUERY_INITGROUPS, .text = text };
	static const uint32_t gids[] = { 5000, 5001 };

	entry = (struct entry){ .kind = ENTRY_INITGROUPS,
		                .initgroups = { .name = "Al",
		                                .primary_gid = 100,
		                                .complete = complete,
		                                .n_gids = n,
		                                .gids = (const uint8_t *)gids } };
	told(&question, domain, 60, reply_initgroups);
}

/* ---- what a client finds ---- */

static bool has_user(const char *name, int64_t in_s)
{
	return client_has_user(dir, name, 1000, time(NULL) + in_s);
}

static bool is_unknown(char what, const char *name, uint32_t id, int64_t in_s)
{
	return client_knows_of_none(dir, what, name, id, time(NULL) + in_s);
}

static long count_groups(const char *name)
{
	return client_counts_groups(dir, name, time(NULL));
}

/* ---- tests ---- */

START_TEST(test_a_fresh_answer_of_the_first_domain_is_found_by_both_keys)
{
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));
	ck_assert(has_user(NULL, 0));
	told_user("al@A", &domains[0], 60);
	ck_assert(has_user("al", 0));
	ck_assert(!has_user("al@A", 0));
}
END_TEST

START_TEST(test_no_longer_than_it_is_fresh_nor_than_configured)
{
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 58));
	ck_assert(!has_user("al", 62));
	nss_memcache.clear(memory);
	told_user("al", &domains[0], 5000);
	ck_assert(has_user("al", 298));
	ck_assert(!has_user("al", 302));
}
END_TEST

START_TEST(test_an_answer_that_is_not_fresh_goes)
{
	told_user("al", &domains[0], 60);
	told_user("al", &domains[0], 0);
	ck_assert(!has_user("al", 0));
	told_user("al", &domains[0], 60);
	told_user(NULL, &domains[0], 0);
	ck_assert(!has_user("al", 0));
}
END_TEST

START_TEST(test_not_there_takes_the_record_and_the_groups_of_the_user)
{
	told_user("al", &domains[0], 60);
	told_groups("al", &domains[0], 2, true);
	told_groups("AL@A", &domains[0], 2, true);
	ck_assert_int_eq(count_groups("al"), 2);
	ck_assert_int_eq(count_groups("AL@A"), 2);
	told_user("al", NULL, 0);
	ck_assert(!has_user(NULL, 0));
	ck_assert_int_eq(count_groups("al"), 0);
	ck_assert_int_eq(count_groups("AL@A"), 0);
	told_user("al", &domains[0], 60);
	told_user(NULL, NULL, 0);
	ck_assert(!has_user("al", 0));
}
END_TEST

/* The first domain may have an "al" or a 1000 of its own. */
START_TEST(test_of_a_later_domain_only_what_was_asked_for_is_known)
{
	told_user("al@B", &domains[1], 60);
	ck_assert(!has_user("al", 0));
	ck_assert(!has_user(NULL, 0));
	told_user("AL", &domains[1], 60);
	ck_assert(!has_user("al", 0));
	told_user("al", &domains[1], 60);
	ck_assert(has_user("al", 0));
	ck_assert(!has_user(NULL, 0));
	told_user(NULL, &domains[1], 60);
	ck_assert(has_user("al", 0));
	ck_assert(has_user(NULL, 0));
}
END_TEST

/* An earlier domain that gets an "al" takes back "al", and the "AL" of a later one would stay. */
START_TEST(test_of_a_later_domain_only_folded_names_are_known)
{
	user_name = "AL";
	told_user("AL", &domains[1], 60);
	ck_assert(!has_user("AL", 0));
	told_user(NULL, &domains[1], 60);
	ck_assert(has_user(NULL, 0));
	stores[0].names = CACHE_CASE_SENSITIVE;
	told_user("AL", &domains[1], 60);
	ck_assert(has_user("AL", 0));
	stores[0].names = CACHE_CASE_FOLDED;
}
END_TEST

START_TEST(test_a_qualified_name_belongs_to_one_domain)
{
	domains[1].naming = (struct naming){ .format = "%1$s@%2$s", .qualified_only = true };
	told_user(NULL, &domains[1], 60);
	ck_assert(has_user("al@B", 0));
	ck_assert(has_user(NULL, 0));
	ck_assert(!has_user("al", 0));
}
END_TEST

/* The socket answers neither for our own id, nor for names of local accounts. */
START_TEST(test_keys_that_nobody_is_asked_for)
{
	setup.own_uid = 1000;
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));
	ck_assert(!has_user(NULL, 0));

	setup.own_uid = 0;
	user_name = "root";
	told_user(NULL, &domains[0], 60);
	ck_assert(has_user(NULL, 0));
	ck_assert(!has_user("root", 0));
}
END_TEST

START_TEST(test_a_name_that_is_read_as_another_is_no_key)
{
	domains[0].naming.space = '_';
	user_name = "bob_smith";
	told_user(NULL, &domains[0], 60);
	ck_assert(has_user(NULL, 0));
	ck_assert(!has_user("bob_smith", 0));
	user_name = "bob smith";
	told_user(NULL, &domains[0], 60);
	ck_assert(has_user("bob_smith", 0));
}
END_TEST

START_TEST(test_what_changes_back_within_a_moment)
{
	told_user("al", &domains[0], 60);
	user_uid = 1001;
	told_user("al", &domains[0], 60);
	ck_assert(!has_user(NULL, 0));
	user_uid = 1000;
	told_user("al", &domains[0], 60);
	ck_assert(has_user(NULL, 0));
	ck_assert(has_user("al", 0));
}
END_TEST

/* By an address or an alias, which is nobody's name. */
START_TEST(test_groups_by_another_name_of_the_user_go_with_his)
{
	told_groups("al@mail", &domains[0], 2, true);
	ck_assert_int_eq(count_groups("al@mail"), 2);
	told_groups("al@mail", NULL, 0, true);
	ck_assert_int_eq(count_groups("al@mail"), 0);

	told_groups("al", &domains[0], 2, true);
	told_groups("al@mail", &domains[0], 2, true);
	ck_assert_int_eq(count_groups("al"), 2);
	told_groups("al@mail", &domains[0], 1, true);
	ck_assert_int_eq(count_groups("al@mail"), 1);
	ck_assert_int_eq(count_groups("al"), 0);

	told_groups("al", &domains[0], 1, true);
	told_groups("al@mail", &domains[0], 2, false);
	ck_assert_int_eq(count_groups("al"), 0);
	ck_assert_int_eq(count_groups("al@mail"), 0);
}
END_TEST

START_TEST(test_incomplete_and_empty_lists_are_not_kept)
{
	told_groups("al", &domains[0], 2, false);
	ck_assert_int_eq(count_groups("al"), 0);
	told_groups("al", &domains[0], 0, true);
	ck_assert_int_eq(count_groups("al"), 0);
	domains[0].conf.auto_private_groups = PRIVATE_GROUPS_TRUE; /* then it is not empty */
	told_groups("al", &domains[0], 0, true);
	ck_assert_int_eq(count_groups("al"), 1);
	domains[0].conf.auto_private_groups = PRIVATE_GROUPS_FALSE;
	told_groups("al", &domains[1], 2, true);
	ck_assert_int_eq(count_groups("al"), 2);
}
END_TEST

START_TEST(test_an_answer_that_makes_no_record_takes_the_old_one_away)
{
	struct question question = { .kind = QUERY_INITGROUPS, .text = "al" };
	struct answer answer = { .domain = &domains[0], .entry = &entry, .fresh_s = 60 };
	struct writer body = writer_new(16);

	told_groups("al", &domains[0], 2, true);
	ck_assert_int_eq(count_groups("al"), 2);
	for (int i = 0; i < 4; i++)
		writer_u32(&body, 1000); /* groups, of which two are there */
	ck_assert_int_eq(writer_end(&body), 0);
	nss_memcache.answered(memory, &setup, &question, &answer,
	                      reader_over(body.bytes, body.size));
	ck_assert_int_eq(count_groups("al"), 0);
	writer_free(&body);
}
END_TEST

START_TEST(test_cleared_replaced_and_switched_off)
{
	struct stat st;
	char path[64];

	told_user("al", &domains[0], 60);
	nss_memcache.clear(memory);
	ck_assert(!has_user("al", 0));
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));

	setup.generation++;
	nss_memcache.configure(memory, &setup);
	ck_assert(!has_user("al", 0));
	told_user("al", &domains[0], 60);
	nss_memcache.configure(memory, &setup); /* nothing new */
	ck_assert(has_user("al", 0));

	conf.conf.memcache_size_passwd_mib = 0;
	nss_memcache.configure(memory, &setup);
	snprintf(path, sizeof(path), "%s/passwd", dir);
	ck_assert_int_lt(stat(path, &st), 0);
	told_user("al", &domains[0], 60);
	ck_assert_int_lt(stat(path, &st), 0);
}
END_TEST

/* 0: there is none that a reader trusts. */
static ino_t file_of_sids(void)
{
	struct memcache_header header;
	uint8_t bytes[MEMCACHE_DATA_AT];
	char path[64];
	struct stat st;
	int fd;
	bool is_read;

	snprintf(path, sizeof(path), "%s/sid", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	is_read = fstat(fd, &st) == 0 && read(fd, bytes, sizeof(bytes)) == sizeof(bytes) &&
	          memcache_header_read(bytes, (uint64_t)st.st_size, &header) == 0;
	close(fd);
	return is_read && header.data_size == 26216 * MEMCACHE_SLOT_SIZE ? st.st_ino : 0;
}

static void has_come(struct tevent_context *loop, struct tevent_immediate *im, void *data)
{
	(void)loop;
	(void)im;
	*(bool *)data = true;
}

/* And what comes behind the answer. */
static void told_and_sent(void)
{
	struct tevent_immediate *behind = tevent_create_immediate(ev);
	bool is_behind = false;

	told_user("al", &domains[0], 60);
	tevent_schedule_immediate(behind, ev, has_come, &is_behind);
	while (!is_behind)
		tevent_loop_once(ev);
	talloc_free(behind);
}

START_TEST(test_a_file_for_sids_is_kept_behind_the_answers)
{
	char path[64];
	ino_t first;

	snprintf(path, sizeof(path), "%s/sid", dir);
	told_user("al", &domains[0], 60);
	ck_assert(!file_of_sids());
	told_and_sent();
	first = file_of_sids();
	ck_assert(first);

	nss_memcache.configure(memory, &setup); /* nothing new, as in the next process */
	told_and_sent();
	ck_assert(file_of_sids() == first);

	ck_assert_int_eq(mcmap_recycle(dir, MCMAP_SID), 0);
	ck_assert(!file_of_sids());
	usleep(1100000); /* files are looked at once a second */
	told_and_sent();
	ck_assert(file_of_sids());

	ck_assert_int_eq(truncate(path, 100), 0);
	nss_memcache.configure(memory, &setup);
	told_and_sent();
	ck_assert(file_of_sids());

	conf.conf.memcache_size_sid_mib = 0;
	nss_memcache.configure(memory, &setup);
	ck_assert_int_lt(access(path, F_OK), 0);
	told_and_sent();
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

/* "Not there" is an answer, too. */
START_TEST(test_a_file_for_sids_is_there_when_nobody_is)
{
	struct question question = { .kind = QUERY_USER_BY_ID, .id = 1000 };

	nss_memcache.unknown(memory, &question, 15);
	tevent_loop_once(ev);
	ck_assert(file_of_sids());
}
END_TEST

static const struct question uid_1000 = { .kind = QUERY_USER_BY_ID, .id = 1000 };
static const struct question gid_1000 = { .kind = QUERY_GROUP_BY_ID, .id = 1000 };
static const struct question groups_of_al = { .kind = QUERY_INITGROUPS, .text = "al" };

/* As the core does: a file that was just begun is not believed at once. */
static void note_unknown(const struct question *question, uint32_t for_s)
{
	if (!nss_memcache.unknown(memory, question, for_s))
		ck_assert(nss_memcache.unknown(memory, question, for_s));
}

START_TEST(test_the_unknown_are_told_apart_and_for_a_while)
{
	note_unknown(&uid_1000, 15);
	ck_assert(is_unknown('U', NULL, 1000, 14));
	ck_assert(!is_unknown('U', NULL, 1000, 17));
	ck_assert(!is_unknown('G', NULL, 1000, 0));
	ck_assert(!is_unknown('U', NULL, 100, 0));
	ck_assert(!is_unknown('u', "1000", 0, 0));
	note_unknown(&gid_1000, 4000);
	ck_assert(is_unknown('G', NULL, 1000, 59));
	ck_assert(!is_unknown('G', NULL, 1000, 62));
	note_unknown(&groups_of_al, 15);
	ck_assert(is_unknown('i', "al", 0, 0));
	ck_assert(!is_unknown('u', "al", 0, 0));
	ck_assert(!is_unknown('i', "a", 0, 0));
}
END_TEST

START_TEST(test_whoever_is_found_is_unknown_no_longer)
{
	note_unknown(&uid_1000, 15);
	note_unknown(&gid_1000, 15);
	told_user("al", &domains[0], 60);
	ck_assert(!is_unknown('U', NULL, 1000, 0));
	ck_assert(is_unknown('G', NULL, 1000, 0));

	/* A moment later it is the other way round, and back. */
	note_unknown(&uid_1000, 15);
	ck_assert(is_unknown('U', NULL, 1000, 0));
	told_user("al", NULL, 0);
	told_user("al", &domains[0], 60);
	ck_assert(!is_unknown('U', NULL, 1000, 0));

	note_unknown(&groups_of_al, 15);
	told_groups("al", &domains[0], 2, true);
	ck_assert(!is_unknown('i', "al", 0, 0));
	note_unknown(&groups_of_al, 15);
	told_groups("al", &domains[0], 0, false); /* nothing that is kept */
	ck_assert(!is_unknown('i', "al", 0, 0));

	/* Whose groups were nobody's while he was in the files. */
	note_unknown(&groups_of_al, 4000);
	told_user("al", &domains[0], 60);
	ck_assert(!is_unknown('i', "al", 0, 0));

	/* The same answer again, as if nothing had been in between. */
	note_unknown(&uid_1000, 15);
	told_user("al", &domains[0], 60);
	ck_assert(!is_unknown('U', NULL, 1000, 0));
}
END_TEST

START_TEST(test_the_unknown_go_with_what_the_process_knows_of_them)
{
	note_unknown(&uid_1000, 15);
	nss_memcache.forget_unknown(memory);
	ck_assert(!is_unknown('U', NULL, 1000, 0));
	note_unknown(&uid_1000, 15);
	ck_assert(is_unknown('U', NULL, 1000, 0));
	nss_memcache.clear(memory);
	ck_assert(!is_unknown('U', NULL, 1000, 0));
	note_unknown(&uid_1000, 15);
	nss_memcache.configure(memory, &setup);
	ck_assert(!is_unknown('U', NULL, 1000, 0));

	conf.conf.memcache_timeout_s = 0;
	nss_memcache.configure(memory, &setup);
	note_unknown(&uid_1000, 15);
	ck_assert(!is_unknown('U', NULL, 1000, 0));
}
END_TEST

START_TEST(test_a_file_that_was_removed_is_back_within_a_second)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/passwd", dir);
	told_user("al", &domains[0], 60);
	ck_assert_int_eq(unlink(path), 0);
	sleep(1);
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));
}
END_TEST

static void store_user(struct cache_writer *writer, const char *name)
{
	struct user user = { .name = name, .uid = 1000, .gid = 100 };
	struct cache_change *change =
		cache_change_new(ev, cache_epoch(cache_writer_reader(writer)));
	struct tevent_req *req;

	ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	req = cache_commit_send(ev, ev, writer, change);
	ck_assert(tevent_req_poll(req, ev));
	ck_assert_int_eq(cache_commit_recv(req), 0);
}

static void unlink_cache(void)
{
	static const char *const beside[] = { "", "-lock", "-state", "-touched" };

	for (size_t i = 0; i < str_size(beside); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/cache_A.mdb%s", dir, beside[i]);
		ck_assert_int_eq(unlink(path), 0);
	}
}

/* Who touches an entry or changes one gives the file up next, or takes the answer back. One that
 * was read before is not put there behind that, be the moment between the two ever so short. */
START_TEST(test_what_was_outdated_since_it_was_read_is_not_kept)
{
	struct cache_options options = { .dir = dir, .domain = "A" };
	struct mcmap_key al = { MCMAP_BY_KEY1, "al" };
	int64_t wait_us = MCMAP_WAIT_US;
	struct cache_writer *writer;
	struct cache *cache;

	ck_assert_int_eq(cache_writer_open(ev, ev, &options, &writer), 0);
	stores[0].cache = cache = cache_writer_reader(writer);
	user_epoch = cache_epoch(cache);
	ck_assert_int_eq(cache_begin(cache), 0);
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));

	ck_assert_int_eq(cache_touch(&options, ENTRY_USER, "al"), 0);
	ck_assert_int_eq(mcmap_recycle(dir, MCMAP_PASSWD), 0);
	sleep(1);
	told_user("al", &domains[0], 60);
	ck_assert(!has_user("al", 0));
	user_epoch = cache_epoch(cache);
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));
	cache_end(cache);

	ck_assert_int_eq(cache_begin(cache), 0);
	ck_assert(cache_is_latest(cache));
	store_user(writer, "al");
	ck_assert(!cache_is_latest(cache));
	ck_assert_int_eq(mcmap_recycle(dir, MCMAP_PASSWD), 0);
	sleep(1);
	told_user("al", &domains[0], 60);
	ck_assert(!has_user("al", 0));
	cache_end(cache);
	ck_assert_int_eq(cache_begin(cache), 0);
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));
	cache_end(cache);

	ck_assert_int_eq(cache_begin(cache), 0);
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			store_user(writer, "bo");
		else
			ck_assert_int_eq(cache_touch(&options, ENTRY_USER, "al"), 0);
		ck_assert_int_eq(mcmap_take_back(dir, MCMAP_PASSWD, &al, 1, &wait_us), 0);
		ck_assert(!has_user("al", 0));
		user_stored_s++; /* or it would not be stored because it was a moment ago */
		told_user("al", &domains[0], 60);
		ck_assert(!has_user("al", 0));
		cache_end(cache);
		ck_assert_int_eq(cache_begin(cache), 0);
	}
	user_epoch = cache_epoch(cache);
	told_user("al", &domains[0], 60);
	ck_assert(has_user("al", 0));
	cache_end(cache);

	stores[0].cache = NULL;
	talloc_free(writer);
	unlink_cache();
}
END_TEST

/* The earlier domain was asked, and did not have it; its backend took back what clients had just
 * before this answer comes. */
START_TEST(test_what_an_earlier_domain_has_by_now_is_not_kept)
{
	struct cache_options options = { .dir = dir, .domain = "A", .names = CACHE_CASE_FOLDED };
	struct cache_writer *writer;

	ck_assert_int_eq(cache_writer_open(ev, ev, &options, &writer), 0);
	stores[0].cache = cache_writer_reader(writer);
	store_user(writer, "bo");
	told_user("al", &domains[1], 60);
	ck_assert(has_user("al", 0));
	told_user(NULL, &domains[1], 60); /* bo's id */
	ck_assert(!has_user(NULL, 0));
	user_uid = 1001;
	told_user(NULL, &domains[1], 60);
	ck_assert(client_has_user(dir, NULL, 1001, time(NULL)));

	store_user(writer, "Al");
	user_stored_s++;
	told_user("al", &domains[1], 60);
	ck_assert(!has_user("al", 0));
	stores[0].cache = NULL;
	talloc_free(writer);
	unlink_cache();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memcache");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, set_up, clean_up);
	tcase_add_test(all, test_a_fresh_answer_of_the_first_domain_is_found_by_both_keys);
	tcase_add_test(all, test_no_longer_than_it_is_fresh_nor_than_configured);
	tcase_add_test(all, test_an_answer_that_is_not_fresh_goes);
	tcase_add_test(all, test_not_there_takes_the_record_and_the_groups_of_the_user);
	tcase_add_test(all, test_of_a_later_domain_only_what_was_asked_for_is_known);
	tcase_add_test(all, test_of_a_later_domain_only_folded_names_are_known);
	tcase_add_test(all, test_a_qualified_name_belongs_to_one_domain);
	tcase_add_test(all, test_keys_that_nobody_is_asked_for);
	tcase_add_test(all, test_a_name_that_is_read_as_another_is_no_key);
	tcase_add_test(all, test_what_changes_back_within_a_moment);
	tcase_add_test(all, test_groups_by_another_name_of_the_user_go_with_his);
	tcase_add_test(all, test_incomplete_and_empty_lists_are_not_kept);
	tcase_add_test(all, test_an_answer_that_makes_no_record_takes_the_old_one_away);
	tcase_add_test(all, test_cleared_replaced_and_switched_off);
	tcase_add_test(all, test_a_file_for_sids_is_kept_behind_the_answers);
	tcase_add_test(all, test_a_file_for_sids_is_there_when_nobody_is);
	tcase_add_test(all, test_a_file_that_was_removed_is_back_within_a_second);
	tcase_add_test(all, test_the_unknown_are_told_apart_and_for_a_while);
	tcase_add_test(all, test_whoever_is_found_is_unknown_no_longer);
	tcase_add_test(all, test_the_unknown_go_with_what_the_process_knows_of_them);
	tcase_add_test(all, test_what_was_outdated_since_it_was_read_is_not_kept);
	tcase_add_test(all, test_what_an_earlier_domain_has_by_now_is_not_kept);
	suite_add_tcase(suite, all);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
