/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Damage: whatever happens to the file, the check ends, a sound file is called sound, and a file
 * that is not is either called so or answers truthfully all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "tests/unit/common/cache/fixture.h"

#define N_USERS  2000
#define N_GROUPS 20
#define N_LISTS  20
#define N_TRIALS 100

static uint64_t last_free; /* the largest page number in LMDB's list of free pages */

static uint32_t gids[3000];

static void fill(void)
{
	static char members[5000 * 8];
	struct cache_change *change = new_change();
	char name[16];

	for (uint32_t i = 0; i < N_USERS; i++) {
		struct user user = some_user(name, 1000 + i);

		snprintf(name, sizeof(name), "u%u", i);
		ck_assert_int_eq(cache_put_user(change, &user, 600), 0);
	}
	for (int i = 0; i < 5000; i++)
		snprintf(members + 8 * i, 8, "m%06d", i);
	for (uint32_t i = 0; i < N_GROUPS; i++) {
		struct group group = some_group(name, 50 + i);

		snprintf(name, sizeof(name), "g%u", i);
		group.members = names_of(members, sizeof(members));
		ck_assert_int_eq(cache_put_group(change, &group, 600), 0);
	}
	for (uint32_t i = 0; i < 3000; i++)
		gids[i] = i * 7;
	for (uint32_t i = 0; i < N_LISTS; i++) {
		struct initgroups lists = some_initgroups(name, 1, gids, 3000);

		snprintf(name, sizeof(name), "u%u", i);
		ck_assert_int_eq(cache_put_initgroups(change, &lists, 600), 0);
	}
	fixture_open();
	ck_assert_int_eq(commit(change), 0);

	/* Some free pages, and some that were used again. */
	change = new_change();
	for (uint32_t i = 0; i < N_USERS / 10; i++)
		ck_assert_int_eq(cache_remove(change, &(struct query){
			.kind = QUERY_USER_BY_ID, .id = 1000 + 10 * i }), 0);
	ck_assert_int_eq(commit(change), 0);
	fixture_close();
}

/* What a reader's process may come to, beside a crash. */
enum {
	ALL_RIGHT = 0,
	CANNOT_OPEN = 2, /* 1 is how a sanitizer ends it */
	CANNOT_TELL = 3,
	WRONG = 7,
};

static int answer(struct cache *cache, enum query_kind kind, const char *name, uint32_t id,
                  struct entry *ret_entry)
{
	struct query query = { .kind = kind, .name = name, .id = id };

	return cache_find(cache, &query, ret_entry);
}

/* To be told that a user does not exist who does is as wrong as any. */
static void judge(int r, bool exists, bool right, int *verdict)
{
	if ((r == 0 && !(exists && right)) || (r == -ENOENT && exists))
		*verdict = WRONG;
	else if (r < 0 && r != -ENOENT && *verdict == ALL_RIGHT)
		*verdict = CANNOT_TELL;
}

static bool member_is_right(const struct names *members)
{
	const char *member = NULL;
	char text[16];

	if (members->count != 5000)
		return false;
	for (int i = 0; i < 5000; i++) {
		member = names_next(members, member);
		snprintf(text, sizeof(text), "m%06d", i);
		if (!member || strcmp(member, text) != 0)
			return false;
	}
	return true;
}

static int ask_everything(void *data)
{
	int verdict = ALL_RIGHT;
	struct cache *cache;
	struct entry entry;
	char name[16];
	int r;

	(void)data;
	cache_watch_crashes();
	if (cache_open(NULL, &fixture.options, &cache) < 0 || cache_begin(cache) < 0)
		return CANNOT_OPEN;
	for (uint32_t i = 0; i < N_USERS; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		r = answer(cache, QUERY_USER_BY_NAME, name, 0, &entry);
		judge(r, i % 10 != 0,
		      r == 0 && entry.user.uid == 1000 + i && strcmp(entry.user.name, name) == 0 &&
		              strcmp(entry.user.gecos, "Some Body") == 0,
		      &verdict);
		r = answer(cache, QUERY_USER_BY_ID, NULL, 1000 + i, &entry);
		judge(r, i % 10 != 0, r == 0 && strcmp(entry.user.name, name) == 0, &verdict);
	}
	for (uint32_t i = 0; i < N_GROUPS; i++) {
		r = answer(cache, QUERY_GROUP_BY_ID, NULL, 50 + i, &entry);
		judge(r, true, r == 0 && member_is_right(&entry.group.members), &verdict);
	}
	for (uint32_t i = 0; i < N_LISTS; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		r = answer(cache, QUERY_INITGROUPS, name, 0, &entry);
		judge(r, i % 10 != 0,
		      r == 0 && entry.initgroups.n_gids == 3000 &&
		              memcmp(entry.initgroups.gids, gids, sizeof(gids)) == 0,
		      &verdict);
	}
	return verdict;
}

/* ---- what may happen to a file ---- */

struct content {
	uint8_t *bytes;
	size_t size; /* without the tail the writer keeps in store */
};

static struct content content_of(const char *path)
{
	struct content content;
	struct stat st;
	int fd = open(path, O_RDONLY);

	ck_assert_int_eq(fstat(fd, &st), 0);
	content.size = (size_t)st.st_size;
	content.bytes = malloc(content.size);
	ck_assert_int_eq(read(fd, content.bytes, content.size), (ssize_t)content.size);
	close(fd);
	return content;
}

static size_t used_size(const struct content *content)
{
	struct meta first, second;

	ck_assert_int_eq(meta_parse(content->bytes, META_SIZE, &first), 0);
	ck_assert_int_eq(meta_parse(content->bytes + first.page_size, META_SIZE, &second), 0);
	return (size_t)((first.txn > second.txn ? first : second).last_page + 1) * first.page_size;
}

static void rewrite_file(const uint8_t *bytes, size_t size, size_t total)
{
	int fd = open(paths()->data, O_WRONLY | O_TRUNC);

	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	ck_assert_int_eq(ftruncate(fd, (off_t)total), 0);
	close(fd);
}

static void damage(const struct content *good, size_t used, int trial)
{
	uint8_t *bytes = memcpy(malloc(used), good->bytes, used);
	size_t pages = used / 4096, page = (size_t)random() % pages;
	uint8_t *at = bytes + page * 4096;

	switch (trial % 6) {
	case 0: /* overwritten with rubbish */
		for (int i = 0; i < 4096; i++)
			at[i] = (uint8_t)random();
		break;
	case 1:
		memset(at, 0, 4096);
		break;
	case 2: /* another page's bytes */
		memcpy(at, good->bytes + (size_t)random() % pages * 4096, 4096);
		break;
	case 3: /* cut */
		rewrite_file(bytes, page * 4096 + (size_t)random() % 4096, page * 4096);
		free(bytes);
		return;
	case 4: /* a few bits, in what is not empty */
		for (int i = 0; i < 8; i++)
			at[random() % 64] ^= (uint8_t)(1 << random() % 8);
		break;
	default:
		at[random() % 4096] ^= (uint8_t)(1 << random() % 8);
		break;
	}
	rewrite_file(bytes, used, good->size);
	free(bytes);
}

START_TEST(test_damage_is_found_or_does_no_harm)
{
	int found = 0, died = 0, status, asked;
	struct content good;
	size_t used;

	srandom(7);
	fill();
	ck_assert_int_eq(checked(), 0);
	ck_assert_int_eq(in_child(ask_everything, NULL), ALL_RIGHT);
	good = content_of(paths()->data);
	used = used_size(&good);
	ck_assert_uint_gt(used, 1 << 20);

	for (int trial = 0; trial < N_TRIALS; trial++) {
		damage(&good, used, trial);
		status = checked();
		if (status == 0)
			ck_assert_int_eq(cache_mark_checked(&fixture.options), 0);
		asked = in_child(ask_everything, NULL);
		ck_assert_msg(asked != WRONG, "trial %d gave a wrong answer", trial);
		ck_assert_int_ne(asked, -SIGALRM);
		if (status != 0)
			found++;
		else
			ck_assert_msg(asked == ALL_RIGHT, "trial %d is called sound: %d", trial,
			              asked);
		if (asked < 0 || asked == 1) {
			died++;
			ck_assert_msg(unlink(paths()->suspect) == 0,
			              "trial %d: the reader died without a mark", trial);
		}
	}
	/* Of the pages some are free. */
	ck_assert_int_gt(found, N_TRIALS / 2);
	printf("%d of %d found, %d readers died\n", found, N_TRIALS, died);
	free(good.bytes);
}
END_TEST

/* ---- what only somebody who knows the format could do ---- */

static void act_on(void (*act)(MDB_txn *txn, MDB_dbi table), unsigned flags)
{
	MDB_txn *txn;
	MDB_env *mdb;
	MDB_dbi table;

	ck_assert_int_eq(env_create(&mdb), 0);
	ck_assert_int_eq(mdb_env_open(mdb, paths()->data, MDB_NOSUBDIR | flags, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(mdb, NULL, flags, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, NULL, 0, &table), 0);
	act(txn, table);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(mdb);
}

static void edit(void (*act)(MDB_txn *txn, MDB_dbi table))
{
	act_on(act, 0);
}

static void look(void (*act)(MDB_txn *txn, MDB_dbi table))
{
	act_on(act, MDB_RDONLY);
}

static MDB_val uid_of_alice(void)
{
	static struct key key;

	key_of_id(&key, KEY_UID, 1000);
	return key_val(&key);
}

static MDB_val text(const char *bytes)
{
	return (MDB_val){ strlen(bytes), (void *)bytes };
}

static void nothing(MDB_txn *txn, MDB_dbi table)
{
	(void)txn;
	(void)table;
}

static void index_leads_nowhere(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = text("azz"), value = text("nobody");

	ck_assert_int_eq(mdb_put(txn, table, &key, &value, 0), 0);
}

static void index_leads_to_another(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = uid_of_alice(), value = text("bob");

	ck_assert_int_eq(mdb_put(txn, table, &key, &value, 0), 0);
}

static void index_is_missing(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = uid_of_alice();

	ck_assert_int_eq(mdb_del(txn, table, &key, NULL), 0);
}

static void record_is_missing(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = text("ualice");

	ck_assert_int_eq(mdb_del(txn, table, &key, NULL), 0);
}

static void record_is_another(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = text("ubob"), other = text("ualice"), value;

	ck_assert_int_eq(mdb_get(txn, table, &key, &value), 0);
	ck_assert_int_eq(mdb_put(txn, table, &other, &value, 0), 0);
}

static void expiry_is_missing(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = text("x"), value;
	MDB_cursor *cursor;

	ck_assert_int_eq(mdb_cursor_open(txn, table, &cursor), 0);
	ck_assert_int_eq(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE), 0);
	ck_assert_int_eq(mdb_cursor_del(cursor, 0), 0);
	mdb_cursor_close(cursor);
}

static void expiry_is_double(MDB_txn *txn, MDB_dbi table)
{
	MDB_val record = text("ualice"), empty = { 0, (void *)"" }, key;
	struct key expiry;

	key_of_expiry(&expiry, 5, record);
	key = key_val(&expiry);
	ck_assert_int_eq(mdb_put(txn, table, &key, &empty, 0), 0);
}

static void unknown_type(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = text("?"), value = text("");

	ck_assert_int_eq(mdb_put(txn, table, &key, &value, 0), 0);
}

static void no_header(MDB_txn *txn, MDB_dbi table)
{
	MDB_val key = { 1, (void *)"\0" };

	ck_assert_int_eq(mdb_del(txn, table, &key, NULL), 0);
}

static void anothers_header(MDB_txn *txn, MDB_dbi table)
{
	struct header header = { .names = CACHE_CASE_FOLDED, .epochs = { 9, 9, 9 },
		                 .domain = "OTHER" };

	ck_assert_int_eq(header_write(txn, table, &header), 0);
}

static void epochs_are_behind(MDB_txn *txn, MDB_dbi table)
{
	struct header header = { .names = CACHE_CASE_FOLDED, .domain = "LDAP" };

	ck_assert_int_eq(header_write(txn, table, &header), 0);
}

START_TEST(test_every_rule_is_checked)
{
	static const struct {
		void (*act)(MDB_txn *txn, MDB_dbi table);
		int damaged;
	} cases[] = {
		{ nothing, 0 },
		{ index_leads_nowhere, 1 },
		{ index_leads_to_another, 1 },
		{ index_is_missing, 1 },
		{ record_is_missing, 1 },
		{ record_is_another, 1 },
		{ expiry_is_missing, 1 },
		{ expiry_is_double, 1 },
		{ unknown_type, 1 },
		{ no_header, 1 },
		{ anothers_header, 1 },
		{ epochs_are_behind, 1 },
	};

	for (size_t i = 0; i < str_size(cases); i++) {
		struct user alice = some_user("alice", 1000), bob = some_user("bob", 1001);

		fixture_open();
		ck_assert_int_eq(put_user(&alice), 0);
		ck_assert_int_eq(put_user(&bob), 0);
		fixture_close();
		edit(cases[i].act);
		ck_assert_msg(checked() == cases[i].damaged, "case %zu", i);
		ck_assert_int_eq(cache_set_aside(&fixture.options), 0);
	}
}
END_TEST

START_TEST(test_a_reader_refuses_what_an_index_may_not_lead_to)
{
	struct user alice = some_user("alice", 1000), bob = some_user("bob", 1001);
	struct cache_change *change[2];
	struct tevent_req *reqs[2];
	struct entry entry;

	fixture_open();
	ck_assert_int_eq(put_user(&alice), 0);
	ck_assert_int_eq(put_user(&bob), 0);
	fixture_close();
	edit(index_leads_to_another);
	edit(record_is_another);
	fixture_open();
	ck_assert_int_eq(FIND_UID(1000, &entry), -EBADMSG);
	ck_assert_int_eq(FIND_USER("alice", &entry), -EBADMSG);
	ck_assert_int_eq(FIND_USER("bob", &entry), 0);

	/* A writer that meets it says so, for that change alone. */
	bob.gecos = "Other";
	change[0] = new_change();
	change[1] = new_change();
	ck_assert_int_eq(cache_put_user(change[0], &bob, 600), 0);
	ck_assert_int_eq(cache_put_user(change[1], &alice, 600), 0);
	for (int i = 0; i < 2; i++)
		reqs[i] = cache_commit_send(fixture.ev, fixture.ev, fixture.writer, change[i]);
	for (int i = 0; i < 2; i++)
		ck_assert(tevent_req_poll(reqs[i], fixture.ev));
	ck_assert_int_eq(cache_commit_recv(reqs[0]), 0);
	ck_assert_int_eq(cache_commit_recv(reqs[1]), -E_CACHE_DAMAGED);
	ck_assert_uint_eq(stats().commits, 1);
	ck_assert_int_eq(FIND_USER("bob", &entry), 0);
	ck_assert_str_eq(entry.user.gecos, "Other");
}
END_TEST

START_TEST(test_a_header_of_another_is_refused)
{
	struct cache *cache;

	fixture_open();
	fixture_close();
	edit(anothers_header);
	ck_assert_int_eq(cache_open(NULL, &fixture.options, &cache), -E_CACHE_DAMAGED);
	ck_assert_int_eq(cache_writer_open(NULL, fixture.ev, &fixture.options, &fixture.writer),
	                 -E_CACHE_DAMAGED);
}
END_TEST

START_TEST(test_a_cut_file_is_refused_before_it_is_mapped)
{
	struct cache *cache;

	fill();
	ck_assert_int_eq(truncate(paths()->data, 1 << 20), 0);
	ck_assert_int_eq(cache_open(NULL, &fixture.options, &cache), -E_CACHE_DAMAGED);
	ck_assert_int_eq(checked(), 1);
	ck_assert_int_eq(truncate(paths()->data, 0), 0);
	ck_assert_int_eq(cache_open(NULL, &fixture.options, &cache), -E_CACHE_DAMAGED);
}
END_TEST

/* LMDB's list of free pages: transaction → how many, the largest first. */
static void find_last_free(MDB_txn *txn, MDB_dbi table)
{
	size_t free_pages[2];
	MDB_cursor *cursor;
	MDB_val key, list;

	(void)table;
	last_free = 0;
	ck_assert_int_eq(mdb_cursor_open(txn, 0, &cursor), 0);
	while (mdb_cursor_get(cursor, &key, &list, MDB_NEXT) == 0) {
		memcpy(free_pages, list.mv_data, sizeof(free_pages));
		if (free_pages[0] > 0 && free_pages[1] > last_free)
			last_free = free_pages[1];
	}
	mdb_cursor_close(cursor);
}

/* LMDB does not write a page that one transaction took and gave back. */
START_TEST(test_a_file_that_lacks_free_pages_only_is_sound)
{
	static char members[100000];
	struct group big = some_group("big", 1);
	struct user alice = some_user("alice", 1000);
	struct cache *cache;
	struct meta meta;

	big.members = names_of(members, sizeof(members));
	fixture_open();
	ck_assert_int_eq(put_group(&big), 0);
	do {
		struct cache_change *change = new_change();

		ck_assert_int_eq(cache_remove(change, &(struct query){
			.kind = QUERY_GROUP_BY_ID, .id = 1 }), 0);
		ck_assert_int_eq(commit(change), 0);
		alice.gid++;
		ck_assert_int_eq(put_user(&alice), 0);
		fixture_close();
		ck_assert_int_eq(files_meta(paths(), &meta), 0);
		look(find_last_free);
		fixture_open();
	} while (last_free != meta.last_page);
	fixture_close();
	ck_assert_int_eq(truncate(paths()->data, (off_t)(meta.last_page * meta.page_size)), 0);

	ck_assert_int_eq(cache_open(NULL, &fixture.options, &cache), -E_CACHE_DAMAGED);
	ck_assert(cache_check_needed(&fixture.options));
	ck_assert_int_eq(checked(), 0);
	ck_assert_int_eq(cache_mark_checked(&fixture.options), 0);
	ck_assert(!cache_check_needed(&fixture.options));
	fixture_open();
}
END_TEST

START_TEST(test_the_writer_keeps_the_file_long_enough)
{
	static char members[100000];
	struct group big = some_group("big", 1);
	struct cache_change *change = new_change();

	big.members = names_of(members, sizeof(members));
	fixture_open();
	for (uint32_t uid = 1; uid < 10; uid++) { /* until there are free pages */
		struct user alice = some_user("alice", uid);

		ck_assert_int_eq(put_user(&alice), 0);
	}
	ck_assert_int_eq(cache_put_group(change, &big, 600), 0);
	ck_assert_int_eq(cache_remove(change, &(struct query){
		.kind = QUERY_GROUP_BY_ID, .id = 1 }), 0);
	ck_assert_int_eq(commit(change), 0);
	fixture_close();
	ck_assert(!cache_check_needed(&fixture.options));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_damage_is_found_or_does_no_harm,
		test_every_rule_is_checked,
		test_a_reader_refuses_what_an_index_may_not_lead_to,
		test_a_header_of_another_is_refused,
		test_a_cut_file_is_refused_before_it_is_mapped,
		test_a_file_that_lacks_free_pages_only_is_sound,
		test_the_writer_keeps_the_file_long_enough,
		NULL,
	};

	return run_suite("cache_check", tests);
}
