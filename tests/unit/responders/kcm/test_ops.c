/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations, byte by byte: what each opcode answers, and what it does with input that is cut
 */
#include "responders/kcm/kcm.h"

#include <check.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "tests/unit/responders/kcm/ahead.h"
#include "tests/unit/responders/kcm/build.h"

#define ALICE 1001
#define BOB   1002

DEFINE_CLEANUP(MDB_env *, mdb_env_close)

static char dir[64];
static struct kcm_store *store;
static struct writer asked, out;
static struct reader answer; /* what follows the status */
static uint32_t later, past;
static unsigned n_parts; /* of the walk of the last request */
static void (*between_parts)(uid_t uid);
static time_t behind_s; /* is the settled time */

static void setup(void)
{
	strcpy(dir, "/tmp/kcm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(kcm_store_open(NULL, dir, NULL, &store), 0);
	asked = writer_new(1u << 20);
	out = writer_new(KCM_MESSAGE_MAX + 8);
	between_parts = NULL;
	later = (uint32_t)time(NULL) + 3600;
	past = (uint32_t)time(NULL) - 10;
}

static void unlink_in_dir(const char *name)
{
	auto_talloc char *path = talloc_asprintf(NULL, "%s/%s", dir, name);

	unlink(path);
}

static void teardown(void)
{
	TALLOC_FREE(store);
	writer_free(&asked);
	writer_free(&out);
	unlink_in_dir("kcm.mdb");
	unlink_in_dir("kcm.mdb-state");
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct writer *ask(uint16_t opcode)
{
	writer_reset(&asked);
	writer_u8(&asked, 2);
	writer_u8(&asked, 0);
	writer_be16(&asked, opcode);
	return &asked;
}

static int32_t send_cut(uid_t uid, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* its own, so that ASan guards its end */
	struct reader in;
	struct ccache_walk walk = { 0 };
	struct resp_served served;
	uint32_t length;
	int32_t status;
	int r;

	memcpy(copy, asked.bytes, size);
	n_parts = 0;
	do {
		in = reader_over(copy, size);
		writer_reset(&out);
		r = kcm_answer(store, uid, walltime_now().s - behind_s, &in, &out, &walk, &served);
		n_parts++;
		ck_assert(r != -EAGAIN || out.size == 0);
		if (between_parts && r == -EAGAIN)
			take_ptr(between_parts)(uid);
	} while (r == -EAGAIN);
	free(copy);

	answer = reader_over(out.bytes, out.size);
	length = reader_be32(&answer);
	ck_assert_uint_eq(reader_be32(&answer), 0);
	ck_assert_uint_eq(length, reader_left(&answer));
	status = (int32_t)reader_be32(&answer);
	ck_assert(status == 0 || reader_left(&answer) == 0);
	return status;
}

static int32_t sent(uid_t uid)
{
	return send_cut(uid, asked.size);
}

static int32_t named(uid_t uid, uint16_t opcode, const char *name)
{
	writer_str(ask(opcode), name);
	return sent(uid);
}

static void initialize(uid_t uid, const char *name)
{
	writer_str(ask(KCM_INITIALIZE), name);
	put_principal(&asked, "TEST", "alice", NULL);
	ck_assert_int_eq(sent(uid), 0);
}

static int32_t stores(uid_t uid, const char *name, const char *server, uint32_t endtime)
{
	writer_str(ask(KCM_STORE), name);
	put_credential(&asked, "alice", server, endtime, "ticket");
	return sent(uid);
}

static int32_t retrieves(uid_t uid, const char *name, const char *server)
{
	writer_str(ask(KCM_RETRIEVE), name);
	writer_be32(&asked, 1);
	put_server_tag(&asked, server);
	return sent(uid);
}

static const char *text(void)
{
	return reader_str(&answer, CCACHE_NAME_MAX, NULL);
}

static const char *default_of(uid_t uid)
{
	ask(KCM_GET_DEFAULT_CACHE);
	ck_assert_int_eq(sent(uid), 0);
	return text();
}

START_TEST(test_a_cache_from_first_to_last)
{
	const uint8_t *principal;

	ck_assert_str_eq(default_of(ALICE), "1001");
	ck_assert_int_eq(named(ALICE, KCM_GET_PRINCIPAL, "1001"), KCM_FCC_NOFILE);
	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "www", later), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_PRINCIPAL, "1001"), 0);
	principal = reader_bytes(&answer, 25);
	ck_assert_int_eq(memcmp(principal + 20, "alice", 5), 0);
	ck_assert_int_eq(retrieves(ALICE, "1001", "www"), 0);
	ck_assert_int_eq(retrieves(ALICE, "1001", "ftp"), KCM_CC_NOTFOUND);
	ck_assert_int_eq(named(ALICE, KCM_DESTROY, "1001"), 0);
	ck_assert_int_eq(named(ALICE, KCM_DESTROY, "1001"), KCM_FCC_NOFILE);
	ck_assert_int_eq(retrieves(ALICE, "1001", "www"), KCM_FCC_NOFILE);
}
END_TEST

START_TEST(test_both_ways_to_list_give_the_same)
{
	uint8_t uuid[16], again[16];
	uint32_t size;

	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "www", later), 0);
	ck_assert_int_eq(stores(ALICE, "1001", "ftp", later), 0);

	ck_assert_int_eq(named(ALICE, KCM_GET_CRED_UUID_LIST, "1001"), 0);
	ck_assert_uint_eq(reader_left(&answer), 2 * sizeof(uuid));
	memcpy(uuid, reader_bytes(&answer, sizeof(uuid)), sizeof(uuid));
	memcpy(again, reader_bytes(&answer, sizeof(uuid)), sizeof(uuid));
	ck_assert_int_ne(memcmp(uuid, again, sizeof(uuid)), 0);

	writer_str(ask(KCM_GET_CRED_BY_UUID), "1001");
	writer_bytes(&asked, uuid, sizeof(uuid));
	ck_assert_int_eq(sent(ALICE), 0);
	size = (uint32_t)reader_left(&answer);
	ck_assert_int_eq(sent(BOB), KCM_CC_END);

	ck_assert_int_eq(named(ALICE, KCM_GET_CRED_LIST, "1001"), 0);
	ck_assert_uint_eq(reader_be32(&answer), 2);
	ck_assert_uint_eq(reader_be32(&answer), size);
}
END_TEST

START_TEST(test_the_collection)
{
	uint8_t uuid[16];

	ask(KCM_GET_CACHE_UUID_LIST);
	ck_assert_int_eq(sent(ALICE), KCM_FCC_NOFILE);
	initialize(ALICE, "1001");
	initialize(ALICE, "1001:second");
	ck_assert_str_eq(default_of(ALICE), "1001"); /* the first one made stays it */
	ask(KCM_GET_CACHE_UUID_LIST);
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_uint_eq(reader_left(&answer), 32);
	reader_bytes(&answer, 16);
	memcpy(uuid, reader_bytes(&answer, 16), 16);
	writer_bytes(ask(KCM_GET_CACHE_BY_UUID), uuid, 16);
	ck_assert_int_eq(sent(BOB), KCM_CC_END);
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_str_eq(text(), "1001:second");

	ck_assert_int_eq(named(ALICE, KCM_SET_DEFAULT_CACHE, "1001:second"), 0);
	ck_assert_str_eq(default_of(ALICE), "1001:second");
	initialize(ALICE, "1001:second"); /* again: it stays what it was */
	ck_assert_str_eq(default_of(ALICE), "1001:second");
	ck_assert_int_eq(named(ALICE, KCM_DESTROY, "1001:second"), 0);
	ck_assert_str_eq(default_of(ALICE), "1001");
}
END_TEST

START_TEST(test_an_expired_default_gives_way)
{
	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "www", past), 0);
	ck_assert_str_eq(default_of(ALICE), "1001");
	ck_assert_int_eq(retrieves(ALICE, "1001", "www"), KCM_CC_NOTFOUND);
	initialize(ALICE, "1001:good");
	ck_assert_int_eq(stores(ALICE, "1001:good", "www", later), 0);
	ck_assert_str_eq(default_of(ALICE), "1001:good");
}
END_TEST

/* To one with tickets, not to the first in the order of names. */
START_TEST(test_an_empty_cache_is_no_default_unless_it_was_chosen)
{
	initialize(ALICE, "1001:c");
	initialize(ALICE, "1001:a");
	initialize(ALICE, "1001:b");
	ck_assert_int_eq(stores(ALICE, "1001:b", "www", later), 0);
	ck_assert_str_eq(default_of(ALICE), "1001:c"); /* it was the first */
	ck_assert_int_eq(stores(ALICE, "1001:c", "www", past), 0);
	ck_assert_str_eq(default_of(ALICE), "1001:b");
	ck_assert_int_eq(named(ALICE, KCM_SET_DEFAULT_CACHE, "1001:a"), 0);
	ck_assert_str_eq(default_of(ALICE), "1001:a");
}
END_TEST

START_TEST(test_new_names_are_ones_own_and_free)
{
	ask(KCM_GEN_NEW);
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(strncmp(text(), "1001:", 5), 0);
	writer_str(ask(KCM_INITIALIZE), "1002");
	put_principal(&asked, "TEST", "alice", NULL);
	ck_assert_int_eq(sent(ALICE), KCM_CC_BADNAME);
}
END_TEST

START_TEST(test_no_name_is_the_default)
{
	initialize(ALICE, "");
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, ""), 0);
	ck_assert_str_eq(text(), "1001");
	initialize(ALICE, "1001:second");
	ck_assert_int_eq(named(ALICE, KCM_SET_DEFAULT_CACHE, "1001:second"), 0);
	ck_assert_int_eq(named(ALICE, KCM_DESTROY, ""), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001"), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001:second"), KCM_FCC_NOFILE);
}
END_TEST

START_TEST(test_nobody_reaches_what_is_another_users)
{
	static const uint16_t opcodes[] = { KCM_GET_NAME,      KCM_GET_PRINCIPAL,
		                            KCM_DESTROY,       KCM_GET_CRED_UUID_LIST,
		                            KCM_GET_CRED_LIST, KCM_GET_KDC_OFFSET };

	initialize(ALICE, "1001");
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		ck_assert_int_ne(named(BOB, opcodes[i], "1001"), 0);
		ck_assert_int_ne(named(0, opcodes[i], "1001"), 0);
	}
	ck_assert_int_ne(stores(BOB, "1001", "www", later), 0);
	ck_assert_int_ne(named(BOB, KCM_SET_DEFAULT_CACHE, "1001"), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001"), 0);
}
END_TEST

START_TEST(test_a_credential_is_removed)
{
	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "www", later), 0);
	ck_assert_int_eq(stores(ALICE, "1001", "ftp", later), 0);
	writer_str(ask(KCM_REMOVE_CRED), "1001");
	writer_be32(&asked, 0);
	put_server_tag(&asked, "www");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(sent(ALICE), KCM_CC_NOTFOUND);
	ck_assert_int_eq(retrieves(ALICE, "1001", "www"), KCM_CC_NOTFOUND);
	ck_assert_int_eq(retrieves(ALICE, "1001", "ftp"), 0);
}
END_TEST

/* Replaces alice's cache with n tickets, every second of them bob's. */
static int32_t replace_with(uint32_t n)
{
	struct writer one = writer_new(4096);
	char server[16];
	int32_t status;

	writer_str(ask(KCM_REPLACE), "1001");
	writer_be32(&asked, 0);
	put_principal(&asked, "TEST", "alice", NULL);
	writer_be32(&asked, n);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(server, sizeof(server), "s%u", (unsigned)i);
		writer_reset(&one);
		put_credential(&one, i % 2 ? "bob" : "alice", server, later, "ticket");
		writer_be32(&asked, (uint32_t)one.size);
		writer_bytes(&asked, one.bytes, one.size);
	}
	status = sent(ALICE);
	writer_free(&one);
	return status;
}

static void ask_for_client(uint16_t opcode, const char *client)
{
	writer_str(ask(opcode), "1001");
	writer_be32(&asked, 0);
	put_client_tag(&asked, client);
}

static clock_t walk_time(void)
{
	clock_t start = clock();

	ask_for_client(KCM_RETRIEVE, "carol");
	ck_assert_int_eq(sent(ALICE), KCM_CC_NOTFOUND);
	return clock() - start;
}

/* Removing half of a cache costs what some walks through it do, not one for each ticket. */
START_TEST(test_many_are_removed_in_one_walk)
{
	clock_t start, took;

	ck_assert_int_eq(replace_with(CCACHE_CREDENTIALS), 0);
	walk_time();
	ask_for_client(KCM_REMOVE_CRED, "bob");
	start = clock();
	ck_assert_int_eq(sent(ALICE), 0);
	took = clock() - start;
	ck_assert_int_eq(sent(ALICE), KCM_CC_NOTFOUND);
	ck_assert_int_eq(named(ALICE, KCM_GET_CRED_UUID_LIST, "1001"), 0);
	ck_assert_uint_eq(reader_left(&answer), CCACHE_CREDENTIALS / 2 * 16);
	ck_assert_int_lt(took, 60 * walk_time());
}
END_TEST

/* What others do meanwhile: the cache of a walk becomes another one. */
static void make_anew(uid_t uid)
{
	struct ccache ccache;

	ck_assert_int_eq(kcm_store_begin(store, true), 0);
	ck_assert_int_eq(kcm_store_find(store, uid, "1001", &ccache), 0);
	ck_assert_int_eq(kcm_store_destroy(store, &ccache), 0);
	ck_assert_int_eq(kcm_store_make(store, uid, "1001", walltime_now().s, &ccache), 0);
	ck_assert_int_eq(kcm_store_end(store, 0), 0);
}

/* The parts are of so many credentials or so many bytes, and meet each of them once. */
START_TEST(test_a_long_walk_is_done_in_parts)
{
	ck_assert_int_eq(replace_with(CCACHE_CREDENTIALS - 1), 0);
	writer_str(ask(KCM_STORE), "1001");
	put_credential(&asked, "dave", "last", later, "ticket");
	ck_assert_int_eq(sent(ALICE), 0);
	ask_for_client(KCM_RETRIEVE, "alice");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_uint_eq(n_parts, 1);
	ask_for_client(KCM_RETRIEVE, "dave");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_uint_gt(n_parts, 4);
	ask_for_client(KCM_REMOVE_CRED, "dave");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_uint_gt(n_parts, 4);
	ck_assert_int_eq(sent(ALICE), KCM_CC_NOTFOUND);
	ask_for_client(KCM_REMOVE_CRED, "bob");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_uint_gt(n_parts, 10);
	ck_assert_int_eq(named(ALICE, KCM_GET_CRED_UUID_LIST, "1001"), 0);
	ck_assert_uint_eq(reader_left(&answer), CCACHE_CREDENTIALS / 2 * 16);
}
END_TEST

START_TEST(test_a_walk_ends_when_its_cache_is_another_one)
{
	ck_assert_int_eq(replace_with(CCACHE_CREDENTIALS), 0);
	between_parts = make_anew;
	ask_for_client(KCM_RETRIEVE, "carol");
	ck_assert_int_eq(sent(ALICE), KCM_CC_NOTFOUND);
	ck_assert_uint_eq(n_parts, 2);

	ck_assert_int_eq(replace_with(CCACHE_CREDENTIALS), 0);
	between_parts = make_anew;
	ask_for_client(KCM_REMOVE_CRED, "bob");
	ck_assert_int_eq(sent(ALICE), 0); /* some were removed */
	ck_assert_uint_eq(n_parts, 2);
}
END_TEST

static void put_replace(const char *name, uint32_t count, uint32_t sent_count)
{
	struct writer one = writer_new(4096);

	writer_str(ask(KCM_REPLACE), name);
	writer_be32(&asked, 7);
	put_principal(&asked, "TEST", "alice", NULL);
	writer_be32(&asked, count);
	put_credential(&one, "alice", "new", later, "ticket");
	for (uint32_t i = 0; i < sent_count; i++) {
		writer_be32(&asked, (uint32_t)one.size);
		writer_bytes(&asked, one.bytes, one.size);
	}
	writer_free(&one);
}

START_TEST(test_a_cache_has_room_for_so_many)
{
	ck_assert_int_eq(replace_with(CCACHE_CREDENTIALS + 1), EFBIG);
	ck_assert_int_eq(replace_with(CCACHE_CREDENTIALS), 0);
	ck_assert_int_eq(stores(ALICE, "1001", "more", later), EFBIG);
	ck_assert_int_eq(retrieves(ALICE, "1001", "s1"), 0);
	/* And for no more in one request, be they all the same. */
	put_replace("1001", CCACHE_CREDENTIALS + 1, CCACHE_CREDENTIALS + 1);
	ck_assert_int_eq(sent(ALICE), EFBIG);
	ck_assert_int_eq(retrieves(ALICE, "1001", "s1"), 0);
}
END_TEST

static int32_t stores_large(uint32_t n_components, uint32_t n_addresses, size_t ticket_size)
{
	static char ticket[CREDENTIAL_SIZE + 1];

	memset(ticket, 't', ticket_size);
	ticket[ticket_size] = '\0';
	writer_str(ask(KCM_STORE), "1001");
	writer_be32(&asked, 1);
	writer_be32(&asked, n_components);
	put_data(&asked, "TEST");
	for (uint32_t i = 0; i < n_components; i++)
		put_data(&asked, "");
	put_principal(&asked, "TEST", "host", "www");
	writer_be16(&asked, 18);
	put_data(&asked, "");
	put_times_and_flags(&asked);
	writer_be32(&asked, n_addresses);
	for (uint32_t i = 0; i < n_addresses; i++) {
		writer_be16(&asked, 2);
		put_data(&asked, "");
	}
	writer_be32(&asked, 0);
	put_data(&asked, ticket);
	put_data(&asked, "");
	return sent(ALICE);
}

/* Whoever looks for a ticket reads all of them. */
START_TEST(test_a_credential_has_an_end)
{
	initialize(ALICE, "1001");
	ck_assert_int_eq(stores_large(1, 1, CREDENTIAL_SIZE - 200), 0);
	ck_assert_int_eq(stores_large(1, 1, CREDENTIAL_SIZE), EFBIG);
	ck_assert_int_eq(stores_large(CREDENTIAL_PARTS - 3, 1, 1), 0);
	ck_assert_int_eq(stores_large(CREDENTIAL_PARTS - 2, 1, 1), EFBIG);
	ck_assert_int_eq(stores_large(1, CREDENTIAL_PARTS, 1), EFBIG);
}
END_TEST

static void put_request(uint16_t opcode)
{
	ask(opcode);
	switch (opcode) {
	case KCM_STORE:
		writer_str(&asked, "1001");
		put_credential(&asked, "alice", "www", later, "ticket");
		break;
	case KCM_RETRIEVE:
	case KCM_REMOVE_CRED:
		writer_str(&asked, "1001");
		writer_be32(&asked, 0);
		put_server_tag(&asked, "www");
		break;
	case KCM_REPLACE:
		put_replace("1001", 2, 2);
		break;
	case KCM_INITIALIZE:
		writer_str(&asked, "1001");
		put_principal(&asked, "TEST", "alice", NULL);
		break;
	case KCM_MOVE_CACHE:
		writer_str(&asked, "1001");
		writer_str(&asked, "1001:x");
		break;
	case KCM_GET_CACHE_BY_UUID:
		writer_be64(&asked, 1);
		writer_be64(&asked, 1);
		break;
	case KCM_GET_CRED_BY_UUID:
		writer_str(&asked, "1001");
		writer_be64(&asked, 1);
		writer_be64(&asked, 1);
		break;
	case KCM_SET_FLAGS:
	case KCM_SET_KDC_OFFSET:
		writer_str(&asked, "1001");
		writer_be32(&asked, 1);
		break;
	case KCM_NOOP:
	case KCM_GEN_NEW:
	case KCM_GET_CACHE_UUID_LIST:
	case KCM_GET_DEFAULT_CACHE:
		break;
	default:
		writer_str(&asked, "1001");
	}
}

/* Whoever made the cache by choosing it may have stored something there before. */
START_TEST(test_a_cache_begins_empty)
{
	ck_assert_int_eq(named(ALICE, KCM_SET_DEFAULT_CACHE, "1001"), 0);
	ck_assert_int_eq(stores(ALICE, "1001", "old", later), 0);
	if (_i == 0)
		put_replace("1001", 1, 1);
	else
		put_request(KCM_INITIALIZE);
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_CRED_UUID_LIST, "1001"), 0);
	ck_assert_uint_eq(reader_left(&answer), _i == 0 ? 16 : 0);
	ck_assert_int_eq(retrieves(ALICE, "1001", "old"), KCM_CC_NOTFOUND);
	ck_assert_str_eq(default_of(ALICE), "1001");
}
END_TEST

/* Spoils the value of the key that begins with type, in whose file there is one of them. */
static void damage(char type)
{
	auto_talloc char *path = talloc_asprintf(NULL, "%s/kcm.mdb", dir);
	cleanup_with(mdb_env_close) MDB_env *mdb = NULL;
	MDB_val key = { .mv_size = 1, .mv_data = &type }, value;
	MDB_cursor *cursor;
	MDB_txn *txn;
	MDB_dbi table;

	TALLOC_FREE(store);
	ck_assert_int_eq(mdb_env_create(&mdb), 0);
	ck_assert_int_eq(mdb_env_open(mdb, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(mdb, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, NULL, 0, &table), 0);
	ck_assert_int_eq(mdb_cursor_open(txn, table, &cursor), 0);
	ck_assert_int_eq(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE), 0);
	ck_assert_int_eq(((char *)key.mv_data)[0], type);
	value.mv_size--;
	ck_assert_int_eq(mdb_cursor_put(cursor, &key, &value, MDB_CURRENT), 0);
	mdb_cursor_close(cursor);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	ck_assert_int_eq(kcm_store_open(NULL, dir, NULL, &store), 0);
}

/* It is passed on, so that the file is checked: nothing of it is overwritten, and nobody's tickets
 * get another owner. */
START_TEST(test_damage_is_not_taken_for_nothing)
{
	static const struct {
		char type;
		uint16_t opcode;
		const char *name;
	} damages[] = {
		{ 'p', KCM_INITIALIZE, "1001" },
		{ 'd', KCM_INITIALIZE, "1001" },
		{ 'd', KCM_GET_NAME, "" },
		{ 'd', KCM_REPLACE, "" },
	};
	struct ccache_walk walk = { 0 };
	struct resp_served served;
	struct reader in;

	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "www", later), 0);
	damage(damages[_i].type);
	if (damages[_i].opcode == KCM_REPLACE) {
		put_replace(damages[_i].name, 1, 1);
	} else {
		writer_str(ask(damages[_i].opcode), damages[_i].name);
		if (damages[_i].opcode == KCM_INITIALIZE)
			put_principal(&asked, "TEST", "mallory", NULL);
	}
	in = reader_over(asked.bytes, asked.size);
	writer_reset(&out);
	ck_assert_int_eq(kcm_answer(store, ALICE, walltime_now().s, &in, &out, &walk, &served),
	                 -E_CACHE_DAMAGED);
	TALLOC_FREE(store);
	unlink_in_dir("kcm.mdb-suspect");
}
END_TEST

START_TEST(test_replace_is_all_or_nothing)
{
	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "old", later), 0);
	put_replace("1001", 2, 1);
	ck_assert_int_eq(sent(ALICE), KCM_CC_IO);
	ck_assert_int_eq(retrieves(ALICE, "1001", "old"), 0);
	put_replace("1001", 1, 1);
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(retrieves(ALICE, "1001", "old"), KCM_CC_NOTFOUND);
	ck_assert_int_eq(retrieves(ALICE, "1001", "new"), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_KDC_OFFSET, "1001"), 0);
	ck_assert_uint_eq(reader_be32(&answer), 7);
}
END_TEST

START_TEST(test_offsets_names_and_flags)
{
	ck_assert_int_eq(named(ALICE, KCM_GET_KDC_OFFSET, "1001"), KCM_FCC_NOFILE);
	initialize(ALICE, "1001");
	writer_str(ask(KCM_SET_KDC_OFFSET), "1001");
	writer_be32(&asked, (uint32_t)-30);
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_KDC_OFFSET, "1001"), 0);
	ck_assert_int_eq((int32_t)reader_be32(&answer), -30);
	writer_str(ask(KCM_SET_FLAGS), "1001");
	writer_be32(&asked, 0);
	ck_assert_int_eq(sent(ALICE), 0);

	writer_str(ask(KCM_MOVE_CACHE), "1001");
	writer_str(&asked, "1001:moved");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001"), KCM_FCC_NOFILE);
	ck_assert_int_eq(named(ALICE, KCM_GET_KDC_OFFSET, "1001:moved"), 0);
	ck_assert_str_eq(default_of(ALICE), "1001:moved");
	writer_str(ask(KCM_MOVE_CACHE), "1001:moved");
	writer_str(&asked, "1002");
	ck_assert_int_eq(sent(ALICE), KCM_CC_BADNAME);
}
END_TEST

START_TEST(test_a_cache_moves_onto_another)
{
	initialize(ALICE, "1001:a");
	initialize(ALICE, "1001:b");
	ck_assert_int_eq(named(ALICE, KCM_SET_DEFAULT_CACHE, "1001:b"), 0);
	ck_assert_int_eq(stores(ALICE, "1001:b", "old", later), 0);
	initialize(ALICE, "1001:c");
	ck_assert_int_eq(stores(ALICE, "1001:c", "new", later), 0);
	writer_str(ask(KCM_MOVE_CACHE), "1001:c");
	writer_str(&asked, "1001:b");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001:c"), KCM_FCC_NOFILE);
	ck_assert_int_eq(retrieves(ALICE, "1001:b", "new"), 0);
	ck_assert_int_eq(retrieves(ALICE, "1001:b", "old"), KCM_CC_NOTFOUND);
	ck_assert_str_eq(default_of(ALICE), "1001:b"); /* it was chosen, and still is */
	writer_str(ask(KCM_MOVE_CACHE), "1001:b");
	writer_str(&asked, "1001:a");
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_str_eq(default_of(ALICE), "1001:a");
}
END_TEST

START_TEST(test_limits_have_errors_of_their_own)
{
	struct kcm_store_limits limits = { .uid_ccaches = 1, .ccache_size = 200 };

	kcm_store_set_limits(store, &limits);
	initialize(ALICE, "1001");
	writer_str(ask(KCM_INITIALIZE), "1001:second");
	put_principal(&asked, "TEST", "alice", NULL);
	ck_assert_int_eq(sent(ALICE), EDQUOT);
	ck_assert_int_eq(stores(ALICE, "1001", "www", past), 0);
	ck_assert_int_eq(stores(ALICE, "1001", "ftp", later), EFBIG);
	/* What has expired makes place. */
	writer_str(ask(KCM_INITIALIZE), "1001:second");
	put_principal(&asked, "TEST", "alice", NULL);
	ck_assert_int_eq(sent(ALICE), 0);
}
END_TEST

/* Nobody waits until what others have left is removed, unless it is in the way. */
START_TEST(test_room_is_made_of_ones_own)
{
	struct kcm_store_limits limits = { .ccaches = 4, .uid_ccaches = 2 };

	kcm_store_set_limits(store, &limits);
	initialize(ALICE, "1001:a");
	ck_assert_int_eq(stores(ALICE, "1001:a", "www", past), 0);
	initialize(ALICE, "1001:b");
	ck_assert_int_eq(stores(ALICE, "1001:b", "www", later), 0);
	initialize(BOB, "1002:a");
	ck_assert_int_eq(stores(BOB, "1002:a", "www", past), 0);
	initialize(ALICE, "1001:c");
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001:a"), KCM_FCC_NOFILE);
	ck_assert_int_eq(named(BOB, KCM_GET_NAME, "1002:a"), 0);
	initialize(1003, "1003");
	initialize(1003, "1003:b");
	ck_assert_int_eq(named(BOB, KCM_GET_NAME, "1002:a"), KCM_FCC_NOFILE);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001:b"), 0);
}
END_TEST

START_TEST(test_empty_caches_make_room_after_an_hour)
{
	struct kcm_store_limits limits = { .uid_ccaches = 2 };

	kcm_store_set_limits(store, &limits);
	initialize(ALICE, "1001:a");
	initialize(ALICE, "1001:b");
	ahead_s = 3500;
	writer_str(ask(KCM_INITIALIZE), "1001:c");
	put_principal(&asked, "TEST", "alice", NULL);
	ck_assert_int_eq(sent(ALICE), EDQUOT);
	ahead_s = 3700;
	ck_assert_int_eq(sent(ALICE), 0);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001:a"), KCM_FCC_NOFILE);
}
END_TEST

/* What nobody can find while the clock is wrong is there again when it is right. */
START_TEST(test_a_step_of_the_clock_makes_no_room)
{
	struct kcm_store_limits limits = { .uid_ccaches = 1 };

	kcm_store_set_limits(store, &limits);
	initialize(ALICE, "1001:a");
	ck_assert_int_eq(stores(ALICE, "1001:a", "www", later), 0);
	ahead_s = behind_s = 43200;
	ck_assert_int_eq(retrieves(ALICE, "1001:a", "www"), KCM_CC_NOTFOUND);
	writer_str(ask(KCM_INITIALIZE), "1001:b");
	put_principal(&asked, "TEST", "alice", NULL);
	ck_assert_int_eq(sent(ALICE), EDQUOT);
	ahead_s = behind_s = 0;
	ck_assert_int_eq(retrieves(ALICE, "1001:a", "www"), 0);
	ahead_s = 43200;
	writer_str(ask(KCM_INITIALIZE), "1001:b");
	put_principal(&asked, "TEST", "alice", NULL);
	ck_assert_int_eq(sent(ALICE), 0);
}
END_TEST

START_TEST(test_a_principal_has_an_end)
{
	static char name[CCACHE_PRINCIPAL];

	memset(name, 'a', sizeof(name) - 1);
	for (size_t size = sizeof(name) - 1; size > sizeof(name) - 100; size--) {
		name[size] = '\0';
		writer_str(ask(KCM_INITIALIZE), "1001");
		put_principal(&asked, "TEST", name, NULL);
		ck_assert_int_eq(sent(ALICE), asked.size - 9 > CCACHE_PRINCIPAL ? EFBIG : 0);
	}
	ck_assert_int_eq(named(ALICE, KCM_GET_PRINCIPAL, "1001"), 0);
}
END_TEST

START_TEST(test_a_full_map_is_told)
{
	writer_reset(&out);
	kcm_refuse(&out, -E_CACHE_QUOTA);
	answer = reader_over(out.bytes, out.size);
	reader_be64(&answer);
	ck_assert_uint_eq(reader_be32(&answer), ENOSPC);
}
END_TEST

static int32_t listed(uid_t caller, uint32_t uid, uint32_t after_uid, const char *after)
{
	writer_be32(ask(KCM_ADMIN_LIST), uid);
	writer_be32(&asked, after_uid);
	writer_str(&asked, after);
	return sent(caller);
}

/* Reads one cache of a list with tickets for host/SERVER. */
static void assert_listed(uid_t uid, const char *name, bool is_default, const char *server)
{
	ck_assert_uint_eq(reader_be32(&answer), uid);
	ck_assert_uint_eq(reader_u8(&answer), is_default);
	ck_assert_str_eq(text(), name);
	ck_assert_str_eq(text(), "alice@TEST");
	ck_assert_uint_eq(reader_be32(&answer), server ? 1 : 0);
	if (!server)
		return;
	ck_assert_str_eq(text(), server);
	ck_assert_uint_eq(reader_be64(&answer), later);
}

START_TEST(test_root_is_told_who_has_what_but_no_ticket)
{
	initialize(ALICE, "1001");
	initialize(ALICE, "1001:b");
	initialize(BOB, "1002");
	ck_assert_int_eq(stores(ALICE, "1001", "w/w@w", later), 0);

	ck_assert_int_eq(listed(ALICE, KCM_EVERYBODY, 0, ""), KCM_FCC_INTERNAL);
	ck_assert_int_eq(listed(0, KCM_EVERYBODY, 0, ""), 0);
	assert_listed(ALICE, "1001", true, "host/w\\/w\\@w@TEST");
	assert_listed(ALICE, "1001:b", false, NULL);
	assert_listed(BOB, "1002", true, NULL);
	ck_assert_int_eq(reader_end(&answer), 0);

	ck_assert_int_eq(listed(0, KCM_EVERYBODY, ALICE, "1001:b"), 0);
	assert_listed(BOB, "1002", true, NULL);
	ck_assert_int_eq(listed(0, ALICE, 0, "1001"), 0);
	assert_listed(ALICE, "1001:b", false, NULL);
	ck_assert_int_eq(reader_end(&answer), 0);
	ck_assert_int_eq(listed(0, ALICE, 0, "1001:b"), 0);
	ck_assert_uint_eq(reader_left(&answer), 0);
}
END_TEST

static uint32_t purged(uint32_t uid, bool expired_only)
{
	writer_be32(ask(KCM_ADMIN_PURGE), uid);
	writer_u8(&asked, expired_only);
	ck_assert_int_eq(sent(ALICE), KCM_FCC_INTERNAL);
	ck_assert_int_eq(sent(0), 0);
	return reader_be32(&answer);
}

START_TEST(test_root_removes_caches)
{
	initialize(ALICE, "1001");
	initialize(ALICE, "1001:old");
	ck_assert_int_eq(stores(ALICE, "1001:old", "www", past), 0);
	ck_assert_uint_eq(purged(KCM_EVERYBODY, true), 1);
	ck_assert_int_eq(named(ALICE, KCM_GET_NAME, "1001"), 0);
	initialize(BOB, "1002");
	initialize(BOB, "1002:b");
	ck_assert_int_eq(stores(BOB, "1002:b", "www", later + 3600), 0);
	ahead_s = 3700;
	ck_assert_uint_eq(purged(BOB, true), 1); /* the empty one */
	ahead_s = 0;
	ck_assert_int_eq(named(BOB, KCM_GET_NAME, "1002:b"), 0);
	ck_assert_uint_eq(purged(BOB, false), 1);
	ck_assert_uint_eq(purged(KCM_EVERYBODY, false), 1);
	ck_assert_uint_eq(purged(KCM_EVERYBODY, false), 0);
}
END_TEST

START_TEST(test_what_nobody_serves_is_answered)
{
	static const uint16_t opcodes[] = { KCM_RESOLVE, KCM_CHOWN, KCM_CHMOD, 15,    16,   24,
		                            28,          29,        13000,     13003, 65535 };

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		ck_assert_int_eq(named(ALICE, opcodes[i], "1001"), KCM_FCC_INTERNAL);
	ask(KCM_NOOP);
	ck_assert_int_eq(sent(ALICE), 0);
	asked.bytes[0] = 3; /* another version */
	ck_assert_int_eq(sent(ALICE), KCM_FCC_INTERNAL);
	ck_assert_int_eq(send_cut(ALICE, 0), KCM_CC_IO);
	ck_assert_int_eq(send_cut(ALICE, 3), KCM_CC_IO);
}
END_TEST

static const uint16_t served[] = {
	KCM_NOOP,
	KCM_GET_NAME,
	KCM_GEN_NEW,
	KCM_INITIALIZE,
	KCM_DESTROY,
	KCM_STORE,
	KCM_RETRIEVE,
	KCM_GET_PRINCIPAL,
	KCM_GET_CRED_UUID_LIST,
	KCM_GET_CRED_BY_UUID,
	KCM_REMOVE_CRED,
	KCM_SET_FLAGS,
	KCM_MOVE_CACHE,
	KCM_GET_CACHE_UUID_LIST,
	KCM_GET_CACHE_BY_UUID,
	KCM_GET_DEFAULT_CACHE,
	KCM_SET_DEFAULT_CACHE,
	KCM_GET_KDC_OFFSET,
	KCM_SET_KDC_OFFSET,
	KCM_GET_CRED_LIST,
	KCM_REPLACE,
};

START_TEST(test_a_request_that_is_cut_or_too_long_changes_nothing)
{
	uint16_t opcode = served[_i];
	size_t size;

	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "www", later), 0);
	put_request(opcode);
	size = asked.size;
	for (size_t cut = 4; cut < size; cut++)
		ck_assert_int_eq(send_cut(ALICE, cut), KCM_CC_IO);
	writer_u8(&asked, 0);
	ck_assert_int_eq(sent(ALICE), KCM_CC_IO);
	ck_assert_int_eq(retrieves(ALICE, "1001", "www"), 0);
}
END_TEST

static bool names_no_cache(uint16_t opcode)
{
	return opcode == KCM_NOOP || opcode == KCM_GEN_NEW || opcode == KCM_GET_DEFAULT_CACHE;
}

START_TEST(test_no_request_reaches_what_is_another_users)
{
	static const uid_t others[] = { BOB, 0 };
	uint16_t opcode = served[_i];

	initialize(ALICE, "1001");
	ck_assert_int_eq(stores(ALICE, "1001", "www", later), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		put_request(opcode);
		ck_assert((sent(others[i]) == 0) == names_no_cache(opcode));
		ck_assert_int_eq(retrieves(ALICE, "1001", "www"), 0);
		ck_assert_str_eq(default_of(ALICE), "1001");
	}
}
END_TEST

/* Any four bytes of a request may be a length or a count, and are another number. Whatever becomes
 * of the cache it is about, nothing else changes. */
START_TEST(test_a_length_that_lies_reaches_no_further)
{
	static const uint32_t lies[] = { 0, 0x100, 0x7fffffff, 0xffffffff };

	initialize(ALICE, "1001:y");
	initialize(BOB, "1002");
	ck_assert_int_eq(stores(ALICE, "1001:y", "www", later), 0);
	ck_assert_int_eq(stores(BOB, "1002", "www", later), 0);
	put_request(served[_i]);
	for (size_t at = 4; at + 4 <= asked.size; at++) {
		initialize(ALICE, "1001");
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			put_request(served[_i]);
			writer_patch_u32(&asked, at, lies[i]);
			sent(ALICE);
		}
		named(ALICE, KCM_DESTROY, "1001:x"); /* where it may have been moved to */
		ck_assert_int_eq(retrieves(ALICE, "1001:y", "www"), 0);
		ck_assert_int_eq(retrieves(BOB, "1002", "www"), 0);
		put_request(served[_i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ops");
	TCase *tcase = tcase_create("ops");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_a_cache_from_first_to_last);
	tcase_add_test(tcase, test_both_ways_to_list_give_the_same);
	tcase_add_test(tcase, test_the_collection);
	tcase_add_test(tcase, test_an_expired_default_gives_way);
	tcase_add_test(tcase, test_an_empty_cache_is_no_default_unless_it_was_chosen);
	tcase_add_test(tcase, test_new_names_are_ones_own_and_free);
	tcase_add_test(tcase, test_no_name_is_the_default);
	tcase_add_test(tcase, test_nobody_reaches_what_is_another_users);
	tcase_add_test(tcase, test_a_credential_is_removed);
	tcase_add_test(tcase, test_many_are_removed_in_one_walk);
	tcase_add_test(tcase, test_a_long_walk_is_done_in_parts);
	tcase_add_test(tcase, test_a_walk_ends_when_its_cache_is_another_one);
	tcase_add_test(tcase, test_a_cache_has_room_for_so_many);
	tcase_add_test(tcase, test_a_credential_has_an_end);
	tcase_add_loop_test(tcase, test_a_cache_begins_empty, 0, 2);
	tcase_add_loop_test(tcase, test_damage_is_not_taken_for_nothing, 0, 4);
	tcase_add_test(tcase, test_replace_is_all_or_nothing);
	tcase_add_test(tcase, test_offsets_names_and_flags);
	tcase_add_test(tcase, test_a_cache_moves_onto_another);
	tcase_add_test(tcase, test_limits_have_errors_of_their_own);
	tcase_add_test(tcase, test_room_is_made_of_ones_own);
	tcase_add_test(tcase, test_empty_caches_make_room_after_an_hour);
	tcase_add_test(tcase, test_a_step_of_the_clock_makes_no_room);
	tcase_add_test(tcase, test_a_principal_has_an_end);
	tcase_add_test(tcase, test_a_full_map_is_told);
	tcase_add_test(tcase, test_root_is_told_who_has_what_but_no_ticket);
	tcase_add_test(tcase, test_root_removes_caches);
	tcase_add_test(tcase, test_what_nobody_serves_is_answered);
	tcase_add_loop_test(tcase, test_a_request_that_is_cut_or_too_long_changes_nothing, 0,
	                    sizeof(served) / sizeof(served[0]));
	tcase_add_loop_test(tcase, test_no_request_reaches_what_is_another_users, 0,
	                    sizeof(served) / sizeof(served[0]));
	tcase_add_loop_test(tcase, test_a_length_that_lies_reaches_no_further, 0,
	                    sizeof(served) / sizeof(served[0]));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
