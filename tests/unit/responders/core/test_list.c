/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lists from caches and backends that follow a script. Two domains, A and B, each with users and
 * groups in the order of names; a client asks for some of them at a time, and its requests and
 * replies are the bytes of the protocol.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/wire/frame.h"
#include "responders/core/asked.h"
#include "responders/core/core.h"

#define LONG_NAME (300u << 10) /* 300 KiB in a reply */

struct cache {
	const char *users[512], *groups[4]; /* each ends with NULL */
	bool listed, listed_after;          /* before and after its backend was asked */
	int result;                         /* of reading on, behind the first entry */
	bool open;
};

struct backend_client {
	int result;
	int asked;
	struct cache *cache;
};

static struct cache caches[2];
static struct backend_client backends[2];
static struct store stores[2];
static struct domain domains[2];
static struct setup *setup;
static struct core *core;
static struct client *client;
static struct tevent_context *ev;
static uint64_t expected;  /* the environment that a store was told of */
static int marked;         /* as damaged */
static int replied, later; /* how often */
static bool turn;          /* has the client's uid a place for its request? */
static int freed;          /* setups */

/* ---- the script's cache ---- */

int store_read(struct store *store)
{
	if (!store->cache)
		return -ENOENT;
	ck_assert(!store->cache->open);
	store->cache->open = true;
	return 0;
}

void store_damaged(struct store *store)
{
	ck_assert(!store->cache->open);
	marked++;
}

bool store_expect(struct store *store, uint64_t environment)
{
	(void)store;
	expected = environment;
	return true;
}

uint32_t store_epoch(const struct store *store)
{
	(void)store;
	return 9;
}

void cache_end(struct cache *cache)
{
	ck_assert(cache->open);
	cache->open = false;
}

bool cache_is_listed(const struct cache *cache)
{
	return cache->listed;
}

int cache_next(struct cache *cache, enum entry_kind kind, struct cache_place *place,
               struct entry *ret_entry)
{
	const char *const *name = kind == ENTRY_USER ? cache->users : cache->groups;

	ck_assert(cache->open);
	if (place->size > 0 && cache->result < 0)
		return cache->result;
	while (*name && place->size > 0 && strncmp(*name, (char *)place->bytes, 16) <= 0)
		name++;
	if (!*name)
		return -ENOENT;
	*ret_entry = (struct entry){ .kind = kind };
	if (kind == ENTRY_USER)
		ret_entry->user.name = *name;
	else
		ret_entry->group.name = *name;
	place->size = 16;
	strncpy((char *)place->bytes, *name, 16);
	return 0;
}

/* ---- the script's backends ---- */

struct nothing {
	char unused;
};

struct tevent_req *backend_ask_send(TALLOC_CTX *mem, struct tevent_context *ask_ev,
                                    struct backend_client *backend, const struct query *query,
                                    uint32_t epoch, struct deadline deadline,
                                    const struct request_id *id)
{
	struct nothing *state;
	struct tevent_req *req = tevent_req_create(mem, &state, struct nothing);
	int64_t left_ms = deadline_left_ms(deadline);

	ck_assert_int_eq(query->kind, QUERY_ALL);
	ck_assert_uint_eq(epoch, 9);
	ck_assert(left_ms > 59000 && left_ms <= 60000);
	ck_assert(id->text[0] != '\0');
	backend->asked++;
	backend->cache->listed = backend->cache->listed_after;
	return req_finish_now(req, ask_ev, backend->result);
}

int backend_ask_recv(struct tevent_req *req, uint64_t *ret_environment)
{
	*ret_environment = 7;
	return req_result(req);
}

/* ---- the rest of the responder ---- */

void setup_unpin(struct setup *unpinned)
{
	if (--unpinned->pins > 0)
		return;
	freed++;
	talloc_free(unpinned);
}

bool asked_is_local(const char *name)
{
	return strcmp(name, "root") == 0;
}

bool lookup_hides(const struct lookups *lookups, const struct setup *of,
                  const struct domain *domain, const struct entry *entry)
{
	(void)lookups;
	(void)of;
	(void)domain;
	return strcmp(entry_name(entry), "hidden") == 0;
}

bool client_takes_turn(struct client *of)
{
	(void)of;
	return turn;
}

void client_replied(struct client *to)
{
	(void)to;
	replied++;
}

void client_replied_later(struct client *to)
{
	client_replied(to);
	later++;
}

void dispatch_status(struct client *to, int r)
{
	writer_reset(&to->out);
	frame_begin(&to->out, to->cmd->opcode, (uint32_t)-r);
	ck_assert_int_eq(frame_finish(&to->out), 0);
}

static void reply(struct writer *out, const struct answer *answer, const void *conf)
{
	ck_assert_ptr_eq(conf, setup->conf);
	ck_assert_ptr_eq(answer->domain->store->cache,
	                 answer->domain == &domains[0] ? &caches[0] : &caches[1]);
	writer_str(out, answer->domain->name);
	writer_str(out, entry_name(answer->entry));
}

static const struct resp_cmd getpwent_cmd = { PROTO_GETPWENT, NULL,      reply, ANYONE, 0,
	                                      LIST_NEXT,      ENTRY_USER };
static const struct resp_cmd getgrent_cmd = { PROTO_GETGRENT, NULL,       reply, ANYONE, 0,
	                                      LIST_NEXT,      ENTRY_GROUP };
static const struct resp_cmd setpwent_cmd = { PROTO_SETPWENT, NULL,      NULL, ANYONE, 0,
	                                      LIST_REWIND,    ENTRY_USER };

/* ---- asking ---- */

static struct setup *new_setup(void)
{
	struct setup *made = talloc_zero(core, struct setup);

	made->pins = 1;
	made->domains = domains;
	made->n_domains = 2;
	made->conf = made;
	return made;
}

static void begin(void)
{
	ev = tevent_context_init(NULL);
	core = talloc_zero(ev, struct core);
	core->ev = ev;
	for (int i = 0; i < 2; i++) {
		caches[i] = (struct cache){ .listed = true };
		backends[i] = (struct backend_client){ .cache = &caches[i] };
		stores[i] = (struct store){ .name = i == 0 ? "A" : "B",
			                    .cache = &caches[i],
			                    .backend = &backends[i] };
		domains[i] = (struct domain){ .name = stores[i].name, .store = &stores[i] };
		domains[i].conf.enumerate = true;
	}
	core->setup = setup = new_setup();
	client = talloc_zero(core, struct client);
	client->core = core;
	client->out = writer_new(PROTO_REPLY_MAX);
	turn = true;
}

static void end(void)
{
	ck_assert(!caches[0].open && !caches[1].open);
	writer_free(&client->out);
	TALLOC_FREE(client); /* before the setups that it pins */
	talloc_free(ev);
}

/* The request as bytes: max, and how long it is. */
static void send_cut(const struct resp_cmd *cmd, uint32_t max, size_t size)
{
	uint8_t *copy = calloc(1, size); /* its own, so that ASan guards its end */
	uint8_t whole[PROTO_HEADER_SIZE + 8] = { 0 };

	memcpy(whole + PROTO_HEADER_SIZE, &max, sizeof(max));
	memcpy(copy, whole, size);
	client->cmd = cmd;
	client->in = copy;
	client->request_size = (uint32_t)size;
	list_dispatch(client);
	while (client->lookup)
		tevent_loop_once(ev);
	free(copy);
}

static void send(const struct resp_cmd *cmd, uint32_t max)
{
	send_cut(cmd, max, PROTO_HEADER_SIZE + sizeof(max));
}

/* What the client was told: "A:alice B:bob", "" at the end of all, "ETIMEDOUT" and the like. */
static const char *told(void)
{
	struct reader in = reader_over(client->out.bytes, client->out.size);
	struct frame_header header = frame_header(client->out.bytes);
	static char text[1024];
	size_t size = 0;
	uint32_t n;

	ck_assert_int_eq(replied, 1);
	replied = 0;
	ck_assert_uint_eq(header.length, client->out.size);
	ck_assert_uint_eq(header.command, client->cmd->opcode);
	if (header.status != 0)
		return error_name(-(int)header.status);

	reader_bytes(&in, PROTO_HEADER_SIZE);
	if (reader_left(&in) == 0)
		return "(nothing)";
	n = reader_u32(&in);
	ck_assert_uint_eq(reader_u32(&in), 0);
	text[0] = '\0';
	for (uint32_t i = 0; i < n; i++) {
		const char *domain = reader_str(&in, 8, NULL);
		const char *name = reader_str(&in, LONG_NAME, NULL);

		ck_assert_ptr_nonnull(name);
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s:%.8s",
		                         i > 0 ? " " : "", domain, name);
	}
	ck_assert_int_eq(reader_end(&in), 0);
	return text;
}

static const char *ask(const struct resp_cmd *cmd, uint32_t max)
{
	send(cmd, max);
	return told();
}

/* How many entries the reply has. */
static uint32_t count(uint32_t max)
{
	struct reader in;

	send(&getpwent_cmd, max);
	replied = 0;
	in = reader_over(client->out.bytes + PROTO_HEADER_SIZE, 4);
	return reader_u32(&in);
}

static void give(struct cache *cache, const char *a, const char *b, const char *c)
{
	const char *names[] = { a, b, c, NULL };

	memcpy(cache->users, names, sizeof(names));
}

static void fill_many(struct cache *cache, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		cache->users[i] = talloc_asprintf(core, "u%05u", i);
}

/* ---- entries in their order, and an end ---- */

START_TEST(test_domains_follow_each_other)
{
	give(&caches[0], "alice", "bob", NULL);
	give(&caches[1], "carol", NULL, NULL);
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "A:alice A:bob");
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "B:carol");
	ck_assert(list_is_open(client));
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "");
	ck_assert(!list_is_open(client));
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "");
	ck_assert_int_eq(later, 0);
	ck_assert_int_eq(backends[0].asked + backends[1].asked, 0);
}
END_TEST

START_TEST(test_a_client_gets_as_many_as_it_asks_for)
{
	give(&caches[0], "alice", "bob", "carol");
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:alice");
	ck_assert_str_eq(ask(&getpwent_cmd, 2), "A:bob A:carol");
	ck_assert_str_eq(ask(&getpwent_cmd, 2), "");
}
END_TEST

START_TEST(test_a_reply_has_256_entries_at_most)
{
	fill_many(&caches[0], 300);
	ck_assert_uint_eq(count(257), 256);
	ck_assert_uint_eq(count(0), 44);
	ck_assert_uint_eq(count(1), 0);
	ask(&setpwent_cmd, 0);
	ck_assert_uint_eq(count(UINT32_MAX), 256);
}
END_TEST

/* The entry with which a reply passes a megabyte is its last. */
START_TEST(test_long_entries_make_short_replies)
{
	char *names[8];

	for (int i = 0; i < 8; i++) {
		names[i] = talloc_zero_size(core, LONG_NAME);
		memset(names[i], 'x', LONG_NAME - 1);
		names[i][0] = (char)('a' + i);
		caches[0].users[i] = names[i];
	}
	ck_assert_uint_eq(count(256), 4);
	ck_assert_uint_eq(count(256), 4);
	ck_assert_uint_eq(count(256), 0);
}
END_TEST

START_TEST(test_users_and_groups_are_two_lists)
{
	give(&caches[0], "alice", "bob", NULL);
	caches[1].groups[0] = "devs";
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:alice");
	ck_assert_str_eq(ask(&getgrent_cmd, 1), "B:devs");
	ck_assert_str_eq(ask(&getgrent_cmd, 1), "");
	ck_assert(list_is_open(client));
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:bob");
}
END_TEST

START_TEST(test_rewinding_begins_anew)
{
	give(&caches[0], "alice", "bob", NULL);
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:alice");
	ck_assert_str_eq(ask(&setpwent_cmd, 0), "(nothing)");
	ck_assert(!list_is_open(client));
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:alice");
}
END_TEST

START_TEST(test_a_place_outlives_its_entry)
{
	give(&caches[0], "alice", "bob", "dave");
	ck_assert_str_eq(ask(&getpwent_cmd, 2), "A:alice A:bob");
	give(&caches[0], "carol", "dave", NULL);
	ck_assert_str_eq(ask(&getpwent_cmd, 9), "A:carol A:dave");
}
END_TEST

START_TEST(test_who_is_not_shown_takes_no_place)
{
	give(&caches[0], "hidden", "root", "zoe");
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:zoe");
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "");
}
END_TEST

/* No entry would be the end of all. */
START_TEST(test_a_domain_that_shows_nobody_gives_way)
{
	give(&caches[0], "hidden", NULL, NULL);
	give(&caches[1], "carol", NULL, NULL);
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "B:carol");
}
END_TEST

START_TEST(test_a_domain_that_is_not_enumerated_is_left_out)
{
	give(&caches[0], "alice", NULL, NULL);
	give(&caches[1], "carol", NULL, NULL);
	domains[0].conf.enumerate = false;
	caches[0].listed = false;
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "B:carol");
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "");
	ck_assert_int_eq(backends[0].asked, 0);
}
END_TEST

START_TEST(test_a_reload_does_not_change_a_list_that_has_begun)
{
	struct setup *old = setup;

	give(&caches[0], "alice", NULL, NULL);
	give(&caches[1], "carol", NULL, NULL);
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:alice");
	core->setup = new_setup();
	core->setup->n_domains = 0;
	setup_unpin(old);
	ck_assert_int_eq(freed, 0);
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "B:carol");

	ask(&setpwent_cmd, 0);
	ck_assert_int_eq(freed, 1);
	setup = core->setup;
	ck_assert_str_eq(ask(&getpwent_cmd, 1), "");
}
END_TEST

/* ---- a domain that was never gone through as a whole ---- */

START_TEST(test_the_first_list_waits_for_its_backend)
{
	give(&caches[0], "alice", NULL, NULL);
	caches[0].listed = false;
	caches[0].listed_after = true;
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "A:alice");
	ck_assert_int_eq(later, 1);
	ck_assert_int_eq(backends[0].asked, 1);
	ck_assert_uint_eq(expected, 7);
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "");
	ck_assert_int_eq(backends[0].asked, 1);
}
END_TEST

START_TEST(test_a_cache_that_is_not_there_is_asked_for)
{
	caches[0].listed_after = true;
	stores[0].cache = NULL;
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "EIO");
	ck_assert_int_eq(backends[0].asked, 1);
}
END_TEST

/* What is in the cache already is a part of all, maybe, and not told. */
START_TEST(test_no_list_is_given_in_part)
{
	static const struct {
		int result;
		const char *told;
	} rows[] = {
		{ -ETIMEDOUT, "ETIMEDOUT" },
		{ -E_OFFLINE, "EIO" },
		{ -E_NO_BACKEND, "EIO" },
		{ -E_SIZE_LIMIT, "EIO" },
		{ -ENOMEM, "ENOMEM" },
		{ 0, "EIO" }, /* it says it is done, and the cache does not */
	};

	give(&caches[0], "alice", NULL, NULL);
	give(&caches[1], "carol", NULL, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		caches[0].listed = true;
		caches[1].listed = false;
		backends[1].result = rows[i].result;
		ask(&setpwent_cmd, 0);
		ck_assert_str_eq(ask(&getpwent_cmd, 16), "A:alice");
		ck_assert_str_eq(ask(&getpwent_cmd, 16), rows[i].told);
		ck_assert_str_eq(ask(&getpwent_cmd, 16), rows[i].told);
		ck_assert(list_is_open(client));
	}
	caches[1].listed_after = true;
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "B:carol");
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "");
}
END_TEST

START_TEST(test_a_list_that_is_known_is_given_whatever_the_backend_says)
{
	give(&caches[0], "alice", NULL, NULL);
	caches[0].listed = false;
	caches[0].listed_after = true;
	backends[0].result = -E_OFFLINE;
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "A:alice");
}
END_TEST

START_TEST(test_a_question_waits_for_its_uids_turn)
{
	give(&caches[0], "alice", NULL, NULL);
	caches[0].listed = false;
	caches[0].listed_after = true;
	turn = false;
	send(&getpwent_cmd, 16);
	ck_assert_int_eq(replied, 0);
	ck_assert_int_eq(backends[0].asked, 0);
	turn = true;
	ck_assert_str_eq(ask(&getpwent_cmd, 16), "A:alice");
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(test_damage_ends_the_list_with_an_error)
{
	static const struct {
		int result, marked;
	} rows[] = { { -EBADMSG, 1 }, { -E_CACHE_DAMAGED, 2 }, { -EIO, 2 } };

	give(&caches[0], "alice", "bob", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		caches[0].result = rows[i].result;
		ask(&setpwent_cmd, 0);
		ck_assert_str_eq(ask(&getpwent_cmd, 1), "A:alice");
		ck_assert_str_eq(ask(&getpwent_cmd, 1), "EIO");
		ck_assert_int_eq(marked, rows[i].marked);
	}
}
END_TEST

START_TEST(test_requests_of_another_length_are_refused)
{
	give(&caches[0], "alice", NULL, NULL);
	for (size_t size = PROTO_HEADER_SIZE; size <= PROTO_HEADER_SIZE + 8; size++) {
		send_cut(&getpwent_cmd, 1, size);
		ck_assert_str_eq(told(), size == PROTO_HEADER_SIZE + 4 ? "A:alice" : "EINVAL");
	}
}
END_TEST

/* A client that goes gives up what it pinned. */
START_TEST(test_a_client_that_goes_leaves_nothing)
{
	give(&caches[0], "alice", NULL, NULL);
	ask(&getpwent_cmd, 1);
	ask(&getgrent_cmd, 1);
	ck_assert_uint_eq(setup->pins, 3);
	TALLOC_FREE(client->users);
	TALLOC_FREE(client->groups);
	ck_assert_uint_eq(setup->pins, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("list");
	TCase *tcase = tcase_create("list");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, test_domains_follow_each_other);
	tcase_add_test(tcase, test_a_client_gets_as_many_as_it_asks_for);
	tcase_add_test(tcase, test_a_reply_has_256_entries_at_most);
	tcase_add_test(tcase, test_long_entries_make_short_replies);
	tcase_add_test(tcase, test_users_and_groups_are_two_lists);
	tcase_add_test(tcase, test_rewinding_begins_anew);
	tcase_add_test(tcase, test_a_place_outlives_its_entry);
	tcase_add_test(tcase, test_who_is_not_shown_takes_no_place);
	tcase_add_test(tcase, test_a_domain_that_shows_nobody_gives_way);
	tcase_add_test(tcase, test_a_domain_that_is_not_enumerated_is_left_out);
	tcase_add_test(tcase, test_a_reload_does_not_change_a_list_that_has_begun);
	tcase_add_test(tcase, test_the_first_list_waits_for_its_backend);
	tcase_add_test(tcase, test_a_cache_that_is_not_there_is_asked_for);
	tcase_add_test(tcase, test_no_list_is_given_in_part);
	tcase_add_test(tcase, test_a_list_that_is_known_is_given_whatever_the_backend_says);
	tcase_add_test(tcase, test_a_question_waits_for_its_uids_turn);
	tcase_add_test(tcase, test_damage_ends_the_list_with_an_error);
	tcase_add_test(tcase, test_requests_of_another_length_are_refused);
	tcase_add_test(tcase, test_a_client_that_goes_leaves_nothing);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
