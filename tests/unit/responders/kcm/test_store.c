/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store: against a model in plain arrays; limits, expiry, and files that are not what they should
 * be
 */
#include "responders/kcm/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "responders/kcm/env.h"
#include "tests/unit/responders/kcm/ahead.h"
#include "tests/unit/responders/kcm/build.h"

#define ALICE 1001
#define BOB   1002

static char dir[64];
static struct kcm_store *store;
static struct vault *vault; /* of the stores that are opened */

static char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void reopen(void)
{
	TALLOC_FREE(store);
	ck_assert_int_eq(kcm_store_open(NULL, dir, vault, &store), 0);
}

static void setup(void)
{
	strcpy(dir, "/tmp/kcm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	reopen();
}

static void teardown(void)
{
	static const char *const names[] = { "kcm.mdb",          "kcm.mdb-state",
		                             "kcm.mdb-suspect",  "kcm.mdb.damaged-1",
		                             "kcm.mdb.locked-1", "kcm.mdb.new",
		                             "kcm.mdb-unsynced", VAULT_KEY };

	TALLOC_FREE(store);
	TALLOC_FREE(vault);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	ck_assert_int_eq(rmdir(dir), 0); /* and nothing else was left there */
}

static void begin(bool writing)
{
	ck_assert_int_eq(kcm_store_begin(store, writing), 0);
}

static void end(int r)
{
	ck_assert_int_eq(kcm_store_end(store, r), 0);
}

static struct ccache find(uid_t uid, const char *name)
{
	struct ccache ccache;

	ck_assert_int_eq(kcm_store_find(store, uid, name, &ccache), 0);
	return ccache;
}

static int make_for(const char *principal, uid_t uid, const char *name, struct ccache *ret_ccache)
{
	struct writer out = writer_new(4096);
	int r;

	put_principal(&out, "TEST", principal, NULL);
	r = kcm_store_make(store, uid, name, 0, ret_ccache);
	if (r == 0)
		r = kcm_store_set_principal(store, ret_ccache,
		                            (struct bytes){ out.bytes, out.size });
	writer_free(&out);
	return r;
}

static void make(uid_t uid, const char *name)
{
	struct ccache ccache;

	begin(true);
	end(make_for("alice", uid, name, &ccache));
}

/* Instead of host/SERVER: the TGT of alice, which can be renewed, or what is no ticket. */
#define TGT    "the TGT"
#define CONFIG "the cache's configuration"

static int add_to(struct ccache *ccache, const char *server, uint32_t endtime, const char *ticket)
{
	struct writer out = writer_new(1u << 20);
	struct credential credential;
	struct reader in;
	int r;

	if (strcmp(server, TGT) == 0)
		put_tgt(&out, "TEST", 1, endtime, 100000, TICKET_RENEWABLE);
	else if (strcmp(server, CONFIG) == 0)
		put_config(&out, "alice", "fast_avail");
	else
		put_credential(&out, "alice", server, endtime, ticket);
	in = reader_over(out.bytes, out.size);
	credential = read_credential(&in);
	ck_assert_int_eq(reader_end(&in), 0);
	r = kcm_store_add(store, ccache, &credential);
	if (r == 0)
		r = kcm_store_save(store, ccache);
	writer_free(&out);
	return r;
}

static int add(uid_t uid, const char *name, const char *server, uint32_t endtime)
{
	struct ccache ccache;

	begin(true);
	ccache = find(uid, name);
	return kcm_store_end(store, add_to(&ccache, server, endtime, "ticket"));
}

static int match(uid_t uid, const char *name, const char *server, int64_t now_s,
                 struct stored *ret_stored)
{
	struct writer out = writer_new(4096);
	struct ccache ccache = find(uid, name);
	struct ccache_walk walk = { 0 };
	struct reader in;
	struct tag tag;
	int r;

	if (strcmp(server, TGT) == 0) {
		writer_be32(&out, 0x0002);
		put_principal(&out, "TEST", "krbtgt", "TEST");
		put_times_and_flags(&out);
	} else {
		put_server_tag(&out, server);
	}
	in = reader_over(out.bytes, out.size);
	tag = read_tag(&in);
	ck_assert_int_eq(reader_end(&in), 0);
	do
		r = kcm_store_match(store, &ccache, &tag, 0, now_s, &walk, ret_stored);
	while (r == -EAGAIN);
	writer_free(&out);
	return r;
}

static unsigned count(uid_t uid, const char *name)
{
	struct ccache ccache = find(uid, name);
	struct stored stored = { 0 };
	unsigned n = 0;

	while (kcm_store_next_credential(store, &ccache, stored.number, &stored) == 0)
		n++;
	ck_assert_uint_eq(n, ccache.n_credentials);
	return n;
}

static void suspect(void)
{
	ck_assert_int_eq(close(open(path_of("kcm.mdb-suspect"), O_CREAT | O_WRONLY, 0600)), 0);
}

/* As the check at the next start sees it. */
static void assert_sound(void)
{
	TALLOC_FREE(store);
	suspect();
	ck_assert_int_eq(kcm_store_open(NULL, dir, vault, &store), 0);
	ck_assert_int_eq(access(path_of("kcm.mdb.damaged-1"), F_OK), -1);
	ck_assert_int_eq(access(path_of("kcm.mdb-suspect"), F_OK), -1);
}

/* ---- the model ---- */

#define USERS   2
#define NAMES   3
#define SERVERS 6

struct model {
	bool exists;
	int32_t kdc_offset;
	uint32_t renewal;          /* of the TGT, 0 = never */
	uint32_t endtime[SERVERS]; /* 0 = not there */
};

static const uid_t users[USERS] = { ALICE, BOB };
static const char *const names[NAMES] = { "1001", "1001:a", "1001:b" };
static const char *const servers[SERVERS] = { TGT, "b", "c", "d", "e", "f" };
static struct model models[USERS][NAMES];
static int defaults[USERS]; /* of names, -1 = none */

static void compare_one(int u, int n)
{
	struct model *model = &models[u][n];
	unsigned credentials = 0, size = 0;
	bool lasts = false, usable;
	struct stored stored;
	struct ccache ccache;
	int r;

	r = kcm_store_find(store, users[u], names[n], &ccache);
	ck_assert_int_eq(r, model->exists ? 0 : -ENOENT);
	if (!model->exists)
		return;
	ck_assert_int_eq(ccache.kdc_offset, model->kdc_offset);
	for (int s = 0; s < SERVERS; s++) {
		r = match(users[u], names[n], servers[s], 0, &stored);
		ck_assert_int_eq(r, model->endtime[s] ? 0 : -ENOENT);
		if (r < 0)
			continue;
		credentials++;
		size += (unsigned)stored.credential.size;
		lasts = lasts || stored.expires_s > 1500;
		ck_assert_int_eq(stored.expires_s, (int64_t)model->endtime[s] - model->kdc_offset);
	}
	ck_assert_uint_eq(count(users[u], names[n]), credentials);
	ck_assert_uint_eq(ccache.n_tickets, credentials);
	ck_assert_uint_eq(ccache.size, size);
	ck_assert_int_eq(kcm_store_is_usable(store, &ccache, 1500, &usable), 0);
	ck_assert_int_eq(usable, lasts);
}

/* The renewals of all, in their order. */
static void compare_renewals(void)
{
	char name[CCACHE_NAME_MAX + 1];
	struct ccache ccache = { 0 };
	struct stored stored = { 0 };
	int64_t first_s = 0, last_s;
	unsigned n_renewals = 0;
	int r;

	for (int u = 0; u < USERS; u++)
		for (int n = 0; n < NAMES; n++) {
			const struct model *model = &models[u][n];
			int64_t due_s = (int64_t)model->renewal - model->kdc_offset;

			if (!model->exists || !model->endtime[0] || !model->renewal)
				continue;
			n_renewals++;
			if (due_s < 1)
				due_s = 1;
			if (first_s == 0 || due_s < first_s)
				first_s = due_s;
		}
	r = kcm_store_next_renewal(store, 0, NULL, NULL, name, &ccache, &stored);
	ck_assert_int_eq(r, first_s ? 0 : -ENOENT);
	if (r == 0)
		ck_assert_int_eq(stored.due_s, first_s);
	while (r == 0) {
		n_renewals--;
		last_s = stored.due_s;
		r = kcm_store_next_renewal(store, 0, NULL, NULL, name, &ccache, &stored);
		ck_assert(r < 0 || stored.due_s >= last_s);
	}
	ck_assert_uint_eq(n_renewals, 0);
}

static void compare(void)
{
	char name[CCACHE_NAME_MAX + 1];
	int r;

	begin(false);
	for (int u = 0; u < USERS; u++) {
		for (int n = 0; n < NAMES; n++)
			compare_one(u, n);
		r = kcm_store_default(store, users[u], name);
		ck_assert_int_eq(r, defaults[u] < 0 ? -ENOENT : 0);
		if (r == 0)
			ck_assert_str_eq(name, names[defaults[u]]);
	}
	compare_renewals();
	end(0);
}

static void forget(int u, int n)
{
	models[u][n] = (struct model){ 0 };
	if (defaults[u] == n)
		defaults[u] = -1;
}

static void purge_models(int64_t now_s)
{
	for (int u = 0; u < USERS; u++)
		for (int n = 0; n < NAMES; n++) {
			struct model *model = &models[u][n];
			bool went = false, left = false;

			for (int s = 0; s < SERVERS; s++) {
				if (model->endtime[s] &&
				    (int64_t)model->endtime[s] - model->kdc_offset <= now_s) {
					model->endtime[s] = 0;
					went = true;
				}
				left = left || model->endtime[s];
			}
			if (went && !left)
				forget(u, n);
		}
}

static void do_one(unsigned lot)
{
	int u = rand() % USERS, n = rand() % NAMES, s = rand() % SERVERS;
	struct model *model = &models[u][n];
	struct ccache ccache;
	struct stored stored;
	int64_t next_s, now_s;
	uint32_t endtime;
	int r = 0;

	begin(true);
	if (lot < 4 && !model->exists) {
		r = make_for("alice", users[u], names[n], &ccache);
		model->exists = true;
	} else if (lot < 12 && model->exists) {
		ccache = find(users[u], names[n]);
		endtime = 1000 + (uint32_t)rand() % 1000;
		r = add_to(&ccache, servers[s], endtime, "ticket");
		model->endtime[s] = endtime;
		if (s == 0)
			model->renewal = 1 + (endtime - 1) / 2;
	} else if (lot == 12 && model->exists) {
		ccache = find(users[u], names[n]);
		r = kcm_store_destroy(store, &ccache);
		forget(u, n);
	} else if (lot == 13 && s < 3 && model->endtime[0]) {
		/* Put off, maybe until it will have expired. */
		int64_t due_s = 300 + rand() % 1500;

		ck_assert_int_eq(match(users[u], names[n], TGT, 0, &stored), 0);
		ccache = find(users[u], names[n]);
		if (stored.due_s == 0)
			due_s = 0;
		else
			r = kcm_store_put_off(store, &ccache, &stored, due_s);
		if (due_s > 0) {
			due_s += model->kdc_offset;
			model->renewal =
				due_s < model->endtime[0] && due_s > 0 ? (uint32_t)due_s : 0;
		}
	} else if (lot < 15 && model->endtime[s]) {
		ck_assert_int_eq(match(users[u], names[n], servers[s], 0, &stored), 0);
		ccache = find(users[u], names[n]);
		r = kcm_store_remove(store, &ccache, stored.number);
		model->endtime[s] = 0;
	} else if (lot == 15 && model->exists) {
		ccache = find(users[u], names[n]);
		model->kdc_offset = rand() % 600 - 300;
		r = kcm_store_set_offset(store, &ccache, model->kdc_offset);
	} else if (lot == 16 && model->exists) {
		ccache = find(users[u], names[n]);
		r = kcm_store_set_default(store, &ccache);
		defaults[u] = n;
	} else if (lot == 17) {
		now_s = 700 + rand() % 700;
		r = kcm_store_purge(store, now_s, 1000, &next_s);
		ck_assert(next_s == 0 || next_s > now_s);
		purge_models(now_s);
	} else if (lot == 18 && model->exists) {
		int to = (n + 1) % NAMES;

		if (!models[u][to].exists) {
			ccache = find(users[u], names[n]);
			r = kcm_store_rename(store, &ccache, names[to]);
			models[u][to] = *model;
			*model = (struct model){ 0 };
			if (defaults[u] == n)
				defaults[u] = to;
		}
	} else if (lot == 19 && model->exists) {
		ccache = find(users[u], names[n]);
		r = kcm_store_empty(store, &ccache);
		memset(model->endtime, 0, sizeof(model->endtime));
	}
	end(r);
}

START_TEST(test_like_the_model)
{
	unsigned seed = (unsigned)getpid();

	printf("seed %u\n", seed);
	srand(seed);
	memset(models, 0, sizeof(models));
	defaults[0] = defaults[1] = -1;
	for (int i = 0; i < 3000; i++) {
		do_one((unsigned)rand() % 20);
		compare();
		if (i % 1000 == 999)
			assert_sound();
	}
}
END_TEST

/* ---- what it is for ---- */

START_TEST(test_everything_is_there_after_a_restart)
{
	struct stored stored;

	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	reopen();
	begin(false);
	ck_assert_int_eq(match(ALICE, "1001", "www", 4999, &stored), 0);
	end(0);
}
END_TEST

/* A child that dies without closing anything. */
START_TEST(test_a_kill_loses_nothing_that_was_committed)
{
	struct stored stored;
	pid_t pid;
	int status;

	TALLOC_FREE(store);
	pid = fork();
	if (pid == 0) {
		if (kcm_store_open(NULL, dir, vault, &store) < 0)
			_exit(1);
		make(ALICE, "1001");
		if (add(ALICE, "1001", "www", 5000) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	ck_assert(WIFSIGNALED(status));
	reopen();
	begin(false);
	ck_assert_int_eq(match(ALICE, "1001", "www", 4999, &stored), 0);
	end(0);
	ck_assert_int_eq(access(path_of("kcm.mdb.damaged-1"), F_OK), -1);
}
END_TEST

/* ---- syncs, of ours and of LMDB ---- */

static _Atomic bool sync_fails;
static char synced[16]; /* what did not fail: 'd' of the data, 'n' new data, 's' of the state */

static bool is_at(int fd, const char *name)
{
	struct stat open, there;

	return fstat(fd, &open) == 0 && stat(path_of(name), &there) == 0 &&
	       open.st_ino == there.st_ino;
}

int fdatasync(int fd)
{
	char what = is_at(fd, "kcm.mdb")         ? 'd'
	            : is_at(fd, "kcm.mdb.new")   ? 'n'
	            : is_at(fd, "kcm.mdb-state") ? 's'
	                                         : '?';
	size_t n = strlen(synced);

	if (sync_fails && what != 's') {
		errno = EIO;
		return -1;
	}
	if (n < sizeof(synced) - 1)
		synced[n] = what;
	return fsync(fd);
}

/* What it has not written itself: who committed may have been killed before it could sync. */
START_TEST(test_all_is_synced_before_it_is_called_clean)
{
	begin(false);
	end(0);
	memset(synced, 0, sizeof(synced));
	TALLOC_FREE(store);
	ck_assert_str_eq(synced, "ds");
}
END_TEST

static bool is_unsynced(void)
{
	return access(path_of("kcm.mdb-unsynced"), F_OK) == 0;
}

static void assert_ticket(void)
{
	struct stored stored;

	begin(false);
	ck_assert_int_eq(match(ALICE, "1001", "www", 4999, &stored), 0);
	end(0);
}

/* Closes it; what was synced by that. */
static const char *close_store(void)
{
	memset(synced, 0, sizeof(synced));
	TALLOC_FREE(store);
	return synced;
}

static int open_vault(const char *key);

#define KEY_A "a key of thirty-two bytes or more"
#define KEY_B "b key of thirty-two bytes or more"

/* The next sync then succeeds, and means nothing. In the syncer, and at the end; without a key,
 * with one, and with the first one. */
START_TEST(test_what_could_not_be_synced_is_written_anew)
{
	struct stat before, after;

	if (_i / 2 == 1) {
		ck_assert_int_eq(open_vault(KEY_A), 0);
		reopen();
	}
	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	sync_fails = true;
	if (_i % 2 == 0)
		for (int i = 0; i < 100 && !is_unsynced(); i++)
			usleep(100000);
	else
		TALLOC_FREE(store);
	sync_fails = false;
	ck_assert(is_unsynced());
	ck_assert_ptr_null(strchr(close_store(), 's')); /* no clean mark */

	if (_i / 2 == 2)
		ck_assert_int_eq(open_vault(KEY_A), 0);
	ck_assert_int_eq(stat(path_of("kcm.mdb"), &before), 0);
	memset(synced, 0, sizeof(synced));
	reopen();
	ck_assert_str_eq(synced, "ns");
	ck_assert(!is_unsynced());
	ck_assert_int_eq(stat(path_of("kcm.mdb"), &after), 0);
	ck_assert_uint_ne(after.st_ino, before.st_ino);
	assert_ticket();
	ck_assert_str_eq(close_store(), "ds");
	assert_sound();
	assert_ticket();
}
END_TEST

/* Tickets that are there are used meanwhile. */
START_TEST(test_a_disk_that_stays_ill_is_tried_again)
{
	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	sync_fails = true;
	TALLOC_FREE(store);
	reopen();
	assert_ticket();
	ck_assert_int_eq(access(path_of("kcm.mdb.new"), F_OK), -1);
	sync_fails = false;
	ck_assert_ptr_null(strchr(close_store(), 's'));
	ck_assert(is_unsynced());
	reopen();
	assert_ticket();
	ck_assert(!is_unsynced());
	ck_assert_str_eq(close_store(), "ds");
}
END_TEST

/* Such a file is walked before it is copied; a new one is in order. */
START_TEST(test_what_could_not_be_synced_may_be_damaged)
{
	make(ALICE, "1001");
	sync_fails = true;
	TALLOC_FREE(store);
	sync_fails = false;
	if (_i == 0)
		ck_assert_int_eq(truncate(path_of("kcm.mdb"), 0), 0);
	else
		unlink(path_of("kcm.mdb"));
	reopen();
	ck_assert_int_eq(access(path_of("kcm.mdb.damaged-1"), F_OK), _i == 0 ? 0 : -1);
	ck_assert(!is_unsynced());
	make(ALICE, "1001");
	ck_assert_ptr_nonnull(strchr(close_store(), 's'));
}
END_TEST

START_TEST(test_what_failed_left_no_trace)
{
	struct ccache ccache;

	make(ALICE, "1001");
	begin(true);
	ccache = find(ALICE, "1001");
	ck_assert_int_eq(add_to(&ccache, "www", 5000, "ticket"), 0);
	ck_assert_int_eq(kcm_store_end(store, -EBADMSG), -EBADMSG);
	begin(false);
	ck_assert_uint_eq(count(ALICE, "1001"), 0);
	end(0);
	assert_sound();
}
END_TEST

START_TEST(test_nobody_sees_what_is_another_users)
{
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache;
	uint64_t id;

	make(ALICE, "1001");
	begin(false);
	id = find(ALICE, "1001").id;
	ck_assert_int_eq(kcm_store_find(store, BOB, "1001", &ccache), -ENOENT);
	ck_assert_int_eq(kcm_store_name(store, BOB, id, name), -ENOENT);
	ck_assert_int_eq(kcm_store_next(store, BOB, name, &ccache), -ENOENT);
	ck_assert_int_eq(kcm_store_next(store, 0, name, &ccache), -ENOENT);
	end(0);
}
END_TEST

START_TEST(test_the_same_server_is_stored_once)
{
	struct stored stored;

	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	ck_assert_int_eq(add(ALICE, "1001", "www", 6000), 0);
	begin(false);
	ck_assert_uint_eq(count(ALICE, "1001"), 1);
	ck_assert_int_eq(match(ALICE, "1001", "www", 5500, &stored), 0);
	end(0);
}
END_TEST

START_TEST(test_an_expired_ticket_is_not_found)
{
	struct stored stored;
	bool usable;
	struct ccache ccache;

	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	begin(false);
	ck_assert_int_eq(match(ALICE, "1001", "www", 4999, &stored), 0);
	ck_assert_int_eq(match(ALICE, "1001", "www", 5000, &stored), -ENOENT);
	ccache = find(ALICE, "1001");
	ck_assert_int_eq(kcm_store_is_usable(store, &ccache, 4999, &usable), 0);
	ck_assert(usable);
	ck_assert_int_eq(kcm_store_is_usable(store, &ccache, 5000, &usable), 0);
	ck_assert(!usable);
	end(0);
}
END_TEST

/* Its record says so; the tickets are not walked through. */
START_TEST(test_a_cache_that_expired_is_seen_at_once)
{
	struct ccache ccache;
	bool usable;

	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	ck_assert_int_eq(add(ALICE, "1001", "ftp", 4000), 0);
	begin(false);
	ccache = find(ALICE, "1001");
	ck_assert_uint_eq(ccache.last_end_s, 5000);
	ccache.last_end_s = 4500;
	ck_assert_int_eq(kcm_store_is_usable(store, &ccache, 4500, &usable), 0);
	ck_assert(!usable);
	end(0);
}
END_TEST

START_TEST(test_who_was_seen)
{
	static const uid_t uids[] = { 0, ALICE, BOB };
	uid_t uid = (uid_t)-1;
	unsigned i = 0;
	bool seen;

	make(ALICE, "1001");
	make(BOB, "1002");
	begin(true);
	ck_assert_int_eq(kcm_store_is_seen(store, ALICE, &seen), 0);
	ck_assert(!seen);
	for (size_t k = 0; k < str_size(uids); k++)
		ck_assert_int_eq(kcm_store_set_seen(store, uids[k], true), 0);
	end(0);
	assert_sound();
	begin(true);
	while (kcm_store_next_seen(store, uid, &uid) == 0)
		ck_assert_uint_eq(uid, uids[i++]);
	ck_assert_uint_eq(i, str_size(uids));
	ck_assert_int_eq(kcm_store_set_seen(store, ALICE, false), 0);
	ck_assert_int_eq(kcm_store_is_seen(store, ALICE, &seen), 0);
	ck_assert(!seen);
	end(0);
	assert_sound();
}
END_TEST

/* Whole caches, as many as make so much work. */
START_TEST(test_what_a_user_has_goes_in_portions)
{
	unsigned left = 5, n;

	make(ALICE, "1001");
	make(ALICE, "1001:a");
	make(ALICE, "1001:b");
	make(BOB, "1002");
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(add(ALICE, "1001", servers[i], 5000), 0);
		ck_assert_int_eq(add(ALICE, "1001:a", servers[i], 5000), 0);
	}
	begin(true);
	ck_assert_int_eq(kcm_store_destroy_some(store, ALICE, &left, &n), -EAGAIN);
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(count(ALICE, "1001:a"), 4);
	left = 7;
	ck_assert_int_eq(kcm_store_destroy_some(store, ALICE, &left, &n), 0);
	ck_assert_uint_eq(left, 1);
	ck_assert_uint_eq(n, 2);
	find(BOB, "1002");
	end(0);
	assert_sound();
}
END_TEST

START_TEST(test_a_purge_takes_no_more_than_it_is_told)
{
	int64_t next_s;
	char server[16];

	make(ALICE, "1001");
	for (int i = 0; i < 10; i++) {
		snprintf(server, sizeof(server), "s%d", i);
		ck_assert_int_eq(add(ALICE, "1001", server, 100 + (uint32_t)i), 0);
	}
	begin(true);
	ck_assert_int_eq(kcm_store_purge(store, 200, 4, &next_s), 0);
	ck_assert_int_eq(next_s, 104);
	ck_assert_uint_eq(count(ALICE, "1001"), 6);
	ck_assert_int_eq(kcm_store_purge(store, 105, 4, &next_s), 0);
	ck_assert_int_eq(next_s, 106);
	end(0);
}
END_TEST

/* What goes with the last ticket of a cache counts, too. */
START_TEST(test_a_purge_counts_whole_caches)
{
	int64_t next_s;

	for (int i = 0; i < 3; i++) {
		make(ALICE, names[i]);
		ck_assert_int_eq(add(ALICE, names[i], "www", 100), 0);
		for (int s = 1; s < SERVERS; s++)
			ck_assert_int_eq(add(ALICE, names[i], servers[s], 0), 0);
	}
	begin(true);
	ck_assert_int_eq(kcm_store_purge(store, 200, SERVERS, &next_s), 0);
	ck_assert_int_eq(next_s, 100);
	ck_assert_int_eq(kcm_store_purge(store, 200, SERVERS, &next_s), 0);
	ck_assert_int_eq(next_s, 100);
	ck_assert_int_eq(kcm_store_purge(store, 200, 1, &next_s), 0);
	ck_assert_int_eq(next_s, 0);
	end(0);
	assert_sound();
}
END_TEST

static bool exists(uid_t uid, const char *name)
{
	struct ccache ccache;
	int r = kcm_store_find(store, uid, name, &ccache);

	ck_assert(r == 0 || r == -ENOENT);
	return r == 0;
}

/* It has an hour from when it was made, or lost its last ticket. */
START_TEST(test_a_cache_without_tickets_goes)
{
	int64_t now_s = walltime_now().s, next_s;
	struct ccache ccache;
	struct stored stored;

	make(ALICE, "1001");
	make(ALICE, "1001:a");
	ck_assert_int_eq(add(ALICE, "1001:a", "www", (uint32_t)now_s + 9000), 0);
	make(ALICE, "1001:b");
	ck_assert_int_eq(add(ALICE, "1001:b", CONFIG, 0), 0);
	make(BOB, "1002:endless");
	ck_assert_int_eq(add(BOB, "1002:endless", "www", 0), 0);
	make(BOB, "1002");
	ck_assert_int_eq(add(BOB, "1002", "www", (uint32_t)now_s + 9000), 0);
	begin(true);
	ccache = find(BOB, "1002");
	ck_assert_int_eq(match(BOB, "1002", "www", now_s, &stored), 0);
	end(kcm_store_remove(store, &ccache, stored.number));
	begin(true);
	ck_assert_int_eq(kcm_store_purge(store, now_s + 3500, 1000, &next_s), 0);
	ck_assert(exists(ALICE, "1001") && exists(ALICE, "1001:b") && exists(BOB, "1002"));
	/* Two rounds: the first one may end where the last one began. */
	ck_assert_int_eq(kcm_store_purge(store, now_s + 3700, 1000, &next_s), 0);
	ck_assert_int_eq(kcm_store_purge(store, now_s + 3700, 1000, &next_s), 0);
	ck_assert(!exists(ALICE, "1001") && !exists(ALICE, "1001:b") && !exists(BOB, "1002"));
	ck_assert(exists(ALICE, "1001:a") && exists(BOB, "1002:endless"));
	end(0);
	assert_sound();
}
END_TEST

/* A clock that was wrong when it was made keeps it no longer. */
START_TEST(test_an_empty_cache_of_the_future_goes_as_well)
{
	int64_t now_s = walltime_now().s, next_s;

	ahead_s = 1000000;
	make(ALICE, "1001");
	ahead_s = 0;
	begin(true);
	ck_assert_int_eq(kcm_store_purge(store, now_s, 1000, &next_s), 0);
	ck_assert(exists(ALICE, "1001"));
	ck_assert_int_eq(kcm_store_purge(store, now_s + 3700, 1000, &next_s), 0);
	ck_assert(!exists(ALICE, "1001"));
	end(0);
}
END_TEST

/* So that no round takes long. */
START_TEST(test_a_purge_looks_at_a_part_of_all_caches)
{
	int64_t now_s = walltime_now().s + 3700, next_s;
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache;
	unsigned n = 0;

	begin(true);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "1001:%d", i);
		ck_assert_int_eq(kcm_store_make(store, ALICE, name, 0, &ccache), 0);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(kcm_store_purge(store, now_s, 4, &next_s), 0);
	name[0] = '\0';
	while (kcm_store_next(store, ALICE, name, &ccache) == 0)
		n++;
	ck_assert_uint_eq(n, 4);
	end(0);
	assert_sound();
}
END_TEST

static off_t file_size(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path_of("kcm.mdb"), &st), 0);
	return st.st_size;
}

START_TEST(test_an_offset_leaves_tickets_where_they_are)
{
	static char ticket[250001];
	struct ccache ccache;
	struct stored stored;
	off_t size;

	memset(ticket, 't', sizeof(ticket) - 1);
	make(ALICE, "1001");
	begin(true);
	ccache = find(ALICE, "1001");
	end(add_to(&ccache, "www", 5000, ticket));
	size = file_size();
	begin(true);
	ccache = find(ALICE, "1001");
	end(kcm_store_set_offset(store, &ccache, 100));
	ck_assert_int_lt(file_size(), size + (off_t)sizeof(ticket) / 2);
	begin(false);
	ck_assert_int_eq(match(ALICE, "1001", "www", 4899, &stored), 0);
	ck_assert_int_eq(match(ALICE, "1001", "www", 4900, &stored), -ENOENT);
	end(0);
	assert_sound();
}
END_TEST

/* ---- limits ---- */

/* clang-format off */
static const struct {
	const char *realm;
	uint32_t start, end, renew_till, flags;
	int64_t due_s;
} renewables[] = {
	{ "TEST",  1000, 2000, 9000, TICKET_RENEWABLE, 1500 },
	{ "TEST",  0,    2000, 9000, TICKET_RENEWABLE, 1000 },
	{ "TEST",  1000, 2000, 9000, 0,                0 },
	{ "TEST",  1000, 2000, 2000, TICKET_RENEWABLE, 0 }, /* another would last no longer */
	{ "TEST",  2000, 1000, 9000, TICKET_RENEWABLE, 0 },
	{ "OTHER", 1000, 2000, 9000, TICKET_RENEWABLE, 0 }, /* for another realm */
};
/* clang-format on */

START_TEST(test_when_a_ticket_is_due)
{
	struct writer out = writer_new(4096);
	char name[CCACHE_NAME_MAX + 1];
	struct credential credential;
	struct stored stored = { 0 };
	struct ccache ccache;
	struct reader in;
	int r;

	put_tgt(&out, renewables[_i].realm, renewables[_i].start, renewables[_i].end,
	        renewables[_i].renew_till, renewables[_i].flags);
	in = reader_over(out.bytes, out.size);
	credential = read_credential(&in);
	make(ALICE, "1001");
	begin(true);
	ccache = find(ALICE, "1001");
	ck_assert_int_eq(kcm_store_set_principal(store, &ccache, credential.client.all), 0);
	ck_assert_int_eq(kcm_store_add(store, &ccache, &credential), 0);
	ck_assert_int_eq(kcm_store_save(store, &ccache), 0);
	r = kcm_store_next_renewal(store, 0, NULL, NULL, name, &ccache, &stored);
	ck_assert_int_eq(r, renewables[_i].due_s ? 0 : -ENOENT);
	if (r == 0) {
		ck_assert_int_eq(stored.due_s, renewables[_i].due_s);
		ck_assert_str_eq(name, "1001");
		ck_assert_uint_eq(ccache.uid, ALICE);
	}
	end(0);
	assert_sound();
	writer_free(&out);
}
END_TEST

/* Else a cache might have 2048 to be renewed. */
START_TEST(test_only_the_tgt_of_the_caches_own_principal_is_due)
{
	char name[CCACHE_NAME_MAX + 1];
	struct stored stored = { 0 };
	struct ccache ccache;

	make(ALICE, "1001");
	begin(true);
	ck_assert_int_eq(kcm_store_make(store, ALICE, "1001:none", 0, &ccache), 0);
	ck_assert_int_eq(add_to(&ccache, TGT, 2000, ""), 0);
	ck_assert_int_eq(make_for("bob", ALICE, "1001:bob", &ccache), 0);
	ck_assert_int_eq(add_to(&ccache, TGT, 2000, ""), 0);
	ck_assert_int_eq(kcm_store_next_renewal(store, 0, NULL, NULL, name, &ccache, &stored),
	                 -ENOENT);
	ccache = find(ALICE, "1001");
	ck_assert_int_eq(add_to(&ccache, TGT, 2000, ""), 0);
	ck_assert_int_eq(kcm_store_next_renewal(store, 0, NULL, NULL, name, &ccache, &stored), 0);
	ck_assert_str_eq(name, "1001");
	end(0);
	assert_sound();
}
END_TEST

START_TEST(test_limits_are_kept)
{
	struct kcm_store_limits limits = { .ccaches = 3, .uid_ccaches = 2, .ccache_size = 400 };
	struct ccache ccache;

	kcm_store_set_limits(store, &limits);
	make(ALICE, "1001");
	make(ALICE, "1001:a");
	begin(true);
	ck_assert_int_eq(kcm_store_end(store, kcm_store_make(store, ALICE, "1001:b", 0, &ccache)),
	                 -EDQUOT);
	make(BOB, "1002");
	begin(true);
	ck_assert_int_eq(kcm_store_end(store, kcm_store_make(store, BOB, "1002:b", 0, &ccache)),
	                 -ENFILE);

	ck_assert_int_eq(add(ALICE, "1001", "a", 5000), 0);
	ck_assert_int_eq(add(ALICE, "1001", "b", 5000), 0);
	ck_assert_int_eq(add(ALICE, "1001", "c", 5000), -EFBIG);
	ck_assert_int_eq(add(ALICE, "1001", "b", 6000), 0); /* in another's place */
	begin(false);
	ck_assert_uint_eq(count(ALICE, "1001"), 2);
	end(0);
}
END_TEST

START_TEST(test_a_limit_that_was_lowered_refuses_no_replacement)
{
	struct kcm_store_limits limits = { .ccache_size = 100 };
	struct ccache ccache;

	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	ck_assert_int_eq(add(ALICE, "1001", "ftp", 5000), 0);
	kcm_store_set_limits(store, &limits);
	ck_assert_int_eq(add(ALICE, "1001", "www", 6000), 0);
	begin(true);
	ccache = find(ALICE, "1001");
	ck_assert_int_eq(kcm_store_end(store, add_to(&ccache, "www", 7000, "a longer ticket")),
	                 -EFBIG);
	ck_assert_int_eq(add(ALICE, "1001", "mail", 6000), -EFBIG);

	limits = (struct kcm_store_limits){ .uid_size = 100 };
	kcm_store_set_limits(store, &limits);
	ck_assert_int_eq(add(ALICE, "1001", "www", 7000), 0);
	ck_assert_int_eq(add(ALICE, "1001", "mail", 7000), -EDQUOT);
}
END_TEST

/* What is kept about caches and tickets counts, too. */
START_TEST(test_a_user_has_a_total)
{
	static char ticket[40001];
	struct kcm_store_limits limits = { .uid_size = 100000 };
	struct ccache ccache;
	unsigned n = 0;

	memset(ticket, 't', sizeof(ticket) - 1);
	kcm_store_set_limits(store, &limits);
	make(ALICE, "1001");
	make(ALICE, "1001:a");
	begin(true);
	ccache = find(ALICE, "1001");
	end(add_to(&ccache, "www", 5000, ticket));
	begin(true);
	ccache = find(ALICE, "1001:a");
	end(add_to(&ccache, "www", 5000, ticket));
	begin(true);
	ccache = find(ALICE, "1001:a");
	ck_assert_int_eq(kcm_store_end(store, add_to(&ccache, "ftp", 5000, ticket)), -EDQUOT);
	begin(true);
	ccache = find(ALICE, "1001:a");
	end(add_to(&ccache, "www", 6000, ticket)); /* in another's place */

	make(BOB, "1002");
	ck_assert_int_eq(add(BOB, "1002", "www", 5000), 0);
	begin(true);
	while (kcm_store_make(store, ALICE, (char[]){ 'x', (char)('a' + n), '\0' }, 0, &ccache) ==
	       0)
		n++;
	ck_assert_uint_lt(n, 5);
	end(0);
	begin(true);
	ccache = find(ALICE, "1001:a");
	end(kcm_store_destroy(store, &ccache));
	make(ALICE, "1001:b");
}
END_TEST

/* LMDB gives each of these a page of its own. */
START_TEST(test_a_total_counts_whole_pages)
{
	static char ticket[2001];
	struct kcm_store_limits limits = { .uid_size = 100000 };
	char server[16];
	struct ccache ccache;
	unsigned n = 0;
	int r;

	memset(ticket, 't', sizeof(ticket) - 1);
	kcm_store_set_limits(store, &limits);
	make(ALICE, "1001");
	do {
		begin(true);
		ccache = find(ALICE, "1001");
		snprintf(server, sizeof(server), "host%u", n++);
		r = kcm_store_end(store, add_to(&ccache, server, 5000, ticket));
	} while (r == 0);
	ck_assert_int_eq(r, -EDQUOT);
	ck_assert_uint_gt(n, 5);
	ck_assert_uint_lt(n, limits.uid_size / 4096);
}
END_TEST

START_TEST(test_a_name_has_an_end)
{
	char name[CCACHE_NAME_MAX + 2];
	struct ccache ccache;

	memset(name, '1', sizeof(name));
	name[CCACHE_NAME_MAX] = '\0';
	make(ALICE, name);
	name[CCACHE_NAME_MAX] = '1';
	name[CCACHE_NAME_MAX + 1] = '\0';
	begin(true);
	ck_assert_int_eq(kcm_store_end(store, kcm_store_make(store, ALICE, name, 0, &ccache)),
	                 -ENAMETOOLONG);
	begin(false);
	ck_assert_int_eq(kcm_store_find(store, ALICE, name, &ccache), -ENOENT);
	end(0);
	assert_sound();
}
END_TEST

/* ---- files ---- */

/* What was full once is given back when it is opened next. */
START_TEST(test_a_file_that_is_mostly_free_shrinks)
{
	static char ticket[200001];
	struct ccache ccache;
	struct stored stored;
	char server[16];

	memset(ticket, 't', sizeof(ticket) - 1);
	make(BOB, "1002");
	ck_assert_int_eq(add(BOB, "1002", "www", 5000), 0);
	make(ALICE, "1001");
	begin(true);
	ccache = find(ALICE, "1001");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(server, sizeof(server), "host%u", i);
		ck_assert_int_eq(add_to(&ccache, server, 5000, ticket), 0);
	}
	end(0);
	TALLOC_FREE(store);
	ck_assert_int_eq(kcm_store_open(NULL, dir, vault, &store), 0);
	ck_assert_int_gt(file_size(), 20000000);

	begin(true);
	ccache = find(ALICE, "1001");
	end(kcm_store_destroy(store, &ccache));
	TALLOC_FREE(store);
	ck_assert_int_eq(kcm_store_open(NULL, dir, vault, &store), 0);
	ck_assert_int_lt(file_size(), 200000);
	begin(false);
	ck_assert_int_eq(match(BOB, "1002", "www", 1000, &stored), 0);
	end(0);
	make(ALICE, "1001");
	assert_sound();
}
END_TEST

static bool synced_dir; /* with the file in it */

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && access(path_of("kcm.mdb"), F_OK) == 0 &&
	    access(path_of("kcm.mdb.new"), F_OK) < 0)
		synced_dir = true;
	return (int)syscall(SYS_fsync, fd);
}

/* A power cut must not bring back the one of before. */
START_TEST(test_the_name_of_a_new_file_is_synced)
{
	TALLOC_FREE(store);
	ck_assert_int_eq(unlink(path_of("kcm.mdb")), 0);
	synced_dir = false;
	ck_assert_int_eq(kcm_store_open(NULL, dir, vault, &store), 0);
	ck_assert(synced_dir);
}
END_TEST

START_TEST(test_only_one_has_it_open)
{
	struct kcm_store *second;

	ck_assert_int_eq(kcm_store_open(NULL, dir, vault, &second), -EBUSY);
}
END_TEST

START_TEST(test_a_file_that_goes_is_noticed)
{
	make(ALICE, "1001");
	ck_assert_int_eq(unlink(path_of("kcm.mdb")), 0);
	usleep(1100000);
	ck_assert_int_eq(kcm_store_begin(store, false), -E_CACHE_REPLACED);
	reopen();
	begin(false);
	ck_assert_int_eq(kcm_store_find(store, ALICE, "1001", &(struct ccache){ 0 }), -ENOENT);
	end(0);
}
END_TEST

static void overwrite(off_t at, const void *bytes, size_t size)
{
	auto_close int fd = open(path_of("kcm.mdb"), O_WRONLY);

	ck_assert_int_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
}

static int check_signal;

static bool ends(MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value, void *data)
{
	(void)txn, (void)table, (void)key, (void)value, (void)data;
	raise(check_signal);
	return true;
}

static bool has_no_memory(MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value, void *data)
{
	(void)txn, (void)table, (void)key, (void)value, (void)data;
	_exit(ENOMEM);
}

/* It is opened again, with everything, once a check comes to its end. */
START_TEST(test_a_check_without_an_end_is_no_damage)
{
	static const int signals[] = { SIGALRM, SIGKILL };
	struct kcm_env *env;
	struct stored stored;

	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	TALLOC_FREE(store);
	suspect();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		check_signal = signals[i];
		ck_assert_int_eq(kcm_env_open(NULL, dir, NULL, ends, NULL, &env),
		                 signals[i] == SIGALRM ? -ETIMEDOUT : -ECANCELED);
	}
	ck_assert_int_eq(kcm_env_open(NULL, dir, NULL, has_no_memory, NULL, &env), -ENOMEM);
	ck_assert_int_eq(access(path_of("kcm.mdb-suspect"), F_OK), 0);
	assert_sound();
	begin(false);
	ck_assert_int_eq(match(ALICE, "1001", "www", 4999, &stored), 0);
	end(0);
}
END_TEST

START_TEST(test_a_check_that_dies_of_the_file_is_damage)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT };
	struct kcm_env *env;

	check_signal = signals[_i];
	TALLOC_FREE(store);
	suspect();
	ck_assert_int_eq(kcm_env_open(NULL, dir, NULL, ends, NULL, &env), 0);
	talloc_free(env);
	ck_assert_int_eq(access(path_of("kcm.mdb.damaged-1"), F_OK), 0);
}
END_TEST

/* Every page but the two first, one after the other: it is opened, whole or anew, and never wrong.
 */
START_TEST(test_a_damaged_page_is_set_aside)
{
	static const uint8_t noise[64] = { 0xff, 0xee, 0xdd, 1, 2, 3 };
	struct stored stored;
	struct stat st;
	char server[16];
	unsigned aside = 0;

	for (off_t page = 0; page < 20; page++) {
		make(ALICE, "1001");
		for (int i = 0; i < 30; i++) {
			snprintf(server, sizeof(server), "s%d", i);
			ck_assert_int_eq(add(ALICE, "1001", server, 5000), 0);
		}
		TALLOC_FREE(store);
		ck_assert_int_eq(stat(path_of("kcm.mdb"), &st), 0);
		overwrite(page * 4096 % st.st_size + 24, noise, sizeof(noise));
		suspect();
		ck_assert_int_eq(kcm_store_open(NULL, dir, vault, &store), 0);
		begin(false);
		if (kcm_store_find(store, ALICE, "1001", &(struct ccache){ 0 }) == 0)
			for (int i = 0; i < 30; i++) {
				snprintf(server, sizeof(server), "s%d", i);
				ck_assert_int_eq(match(ALICE, "1001", server, 0, &stored), 0);
			}
		end(0);
		aside += access(path_of("kcm.mdb.damaged-1"), F_OK) == 0;
		TALLOC_FREE(store);
		unlink(path_of("kcm.mdb.damaged-1"));
		unlink(path_of("kcm.mdb"));
		reopen();
	}
	ck_assert_uint_gt(aside, 0);
}
END_TEST

START_TEST(test_a_newer_format_is_set_aside)
{
	MDB_env *mdb;
	MDB_txn *txn;
	MDB_dbi table;
	MDB_val key = { 1, (uint8_t[]){ 0 } }, value;
	uint8_t bytes[28] = { 0 };
	uint64_t sum;

	TALLOC_FREE(store);
	bytes[11] = 99; /* the format */
	sum = kcm_sum(key, bytes + 8, sizeof(bytes) - 8);
	memcpy(bytes, &sum, sizeof(sum));
	ck_assert_int_eq(mdb_env_create(&mdb), 0);
	ck_assert_int_eq(mdb_env_open(mdb, path_of("kcm.mdb"), MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(mdb, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, NULL, 0, &table), 0);
	value = (MDB_val){ sizeof(bytes), bytes };
	ck_assert_int_eq(mdb_put(txn, table, &key, &value, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(mdb);

	reopen();
	ck_assert_int_eq(access(path_of("kcm.mdb.damaged-1"), F_OK), 0);
	make(ALICE, "1001");
}
END_TEST

START_TEST(test_an_empty_or_foreign_file_is_set_aside)
{
	TALLOC_FREE(store);
	ck_assert_int_eq(truncate(path_of("kcm.mdb"), 0), 0);
	reopen();
	make(ALICE, "1001");
	TALLOC_FREE(store);
	overwrite(0, "this is no environment of ours at all", 30);
	reopen();
	ck_assert_int_eq(access(path_of("kcm.mdb.damaged-1"), F_OK), 0);
	make(ALICE, "1001");
}
END_TEST

/* ---- encrypted ---- */

static int open_vault(const char *key)
{
	FILE *file = fopen(path_of(VAULT_KEY), "w");

	ck_assert_ptr_nonnull(file);
	fputs(key, file);
	fclose(file);
	TALLOC_FREE(store);
	TALLOC_FREE(vault);
	return vault_open(NULL, dir, &vault);
}

static bool file_holds(const char *name, const char *text)
{
	char *bytes;
	size_t size;
	bool found;

	ck_assert_int_eq(fd_read_file(NULL, path_of(name), 16u << 20, &bytes, &size), 0);
	found = memmem(bytes, size, text, strlen(text)) != NULL;
	talloc_free(bytes);
	return found;
}

/* As put_credential() has them. */
#define SESSION_KEY "0123456789abcdef0123456789abcdef"

START_TEST(test_an_encrypted_store_works_like_another)
{
	struct ccache ccache;

	ck_assert_int_eq(open_vault(KEY_A), 0);
	unlink(path_of("kcm.mdb"));
	reopen();
	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", TGT, 5000), 0);
	TALLOC_FREE(store);
	ck_assert(!file_holds("kcm.mdb", SESSION_KEY));
	reopen();
	memset(models, 0, sizeof(models));
	begin(true);
	ccache = find(ALICE, "1001");
	end(kcm_store_destroy(store, &ccache));
	defaults[0] = defaults[1] = -1;
	for (int i = 0; i < 1000; i++) {
		do_one((unsigned)rand() % 20);
		compare();
	}
	assert_sound();
	TALLOC_FREE(store);
	ck_assert(!file_holds("kcm.mdb", SESSION_KEY));
}
END_TEST

START_TEST(test_a_store_without_a_key_is_encrypted_when_there_is_one)
{
	struct stored stored;

	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	ck_assert_int_eq(add(ALICE, "1001", TGT, 5000), 0);
	TALLOC_FREE(store);
	ck_assert(file_holds("kcm.mdb", SESSION_KEY));
	ck_assert_int_eq(open_vault(KEY_A), 0);
	if (_i)
		suspect(); /* it is checked as what it is */
	for (int i = 0; i < 2; i++) {
		reopen();
		begin(false);
		ck_assert_int_eq(match(ALICE, "1001", "www", 0, &stored), 0);
		ck_assert_uint_eq(stored.expires_s, 5000);
		ck_assert_int_eq(match(ALICE, "1001", TGT, 0, &stored), 0);
		end(0);
	}
	TALLOC_FREE(store);
	ck_assert(!file_holds("kcm.mdb", SESSION_KEY));
	assert_sound();
}
END_TEST

/* Another key, or none; closed in order, or not. */
START_TEST(test_what_nobody_can_read_is_kept)
{
	char name[CCACHE_NAME_MAX + 1] = "", locked[128];
	struct ccache ccache;
	struct stored stored;

	ck_assert_int_eq(open_vault(KEY_A), 0);
	reopen();
	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	ck_assert_int_eq(open_vault(KEY_B), 0);
	if (_i & 1)
		TALLOC_FREE(vault);
	if (_i & 2)
		suspect();
	reopen();
	ck_assert_int_eq(access(path_of("kcm.mdb.locked-1"), F_OK), 0);
	ck_assert_int_eq(access(path_of("kcm.mdb.damaged-1"), F_OK), -1);
	begin(false);
	ck_assert_int_eq(kcm_store_next(store, ALICE, name, &ccache), -ENOENT);
	end(0);

	/* With its key it can be put back. */
	ck_assert_int_eq(open_vault(KEY_A), 0);
	snprintf(locked, sizeof(locked), "%s", path_of("kcm.mdb.locked-1"));
	ck_assert_int_eq(rename(locked, path_of("kcm.mdb")), 0);
	reopen();
	begin(false);
	ck_assert_int_eq(match(ALICE, "1001", "www", 0, &stored), 0);
	end(0);
}
END_TEST

/* A key that is lost for the second time takes nothing from what the first one left. */
START_TEST(test_what_nobody_can_read_is_numbered)
{
	char key[64], locked[32];
	struct timespec times[2] = { 0 };

	for (unsigned i = 1; i <= 10; i++) {
		snprintf(key, sizeof(key), "key %02u of thirty-two bytes or more", i);
		ck_assert_int_eq(open_vault(key), 0);
		reopen();
		make(ALICE, "1001");
		if (i == 1)
			continue;
		snprintf(locked, sizeof(locked), "kcm.mdb.locked-%u", i - 1);
		ck_assert_int_eq(access(path_of(locked), F_OK), i <= 9 ? 0 : -1);
		/* The third is the oldest: it makes place for the ninth. */
		times[1].tv_sec = i == 4 ? 1000 : 2000;
		if (i <= 9)
			ck_assert_int_eq(utimensat(AT_FDCWD, path_of(locked), times, 0), 0);
	}
	for (unsigned i = 1; i <= 8; i++) {
		struct stat st;

		snprintf(locked, sizeof(locked), "kcm.mdb.locked-%u", i);
		ck_assert_int_eq(stat(path_of(locked), &st), 0);
		ck_assert_int_eq(st.st_mtim.tv_sec == 2000, i != 3);
		unlink(path_of(locked));
	}
}
END_TEST

static bool is_aside(void)
{
	return access(path_of("kcm.mdb.damaged-1"), F_OK) == 0;
}

/* The store becomes what is set aside. */
static void put_aside(void)
{
	char aside[128];

	TALLOC_FREE(store);
	snprintf(aside, sizeof(aside), "%s", path_of("kcm.mdb.damaged-1"));
	ck_assert_int_eq(rename(path_of("kcm.mdb"), aside), 0);
}

START_TEST(test_what_was_set_aside_in_clear_goes_when_there_is_a_key)
{
	make(ALICE, "1001");
	ck_assert_int_eq(add(ALICE, "1001", "www", 5000), 0);
	put_aside();
	reopen();
	ck_assert(is_aside()); /* without one it stays */
	ck_assert_int_eq(open_vault(KEY_A), 0);
	reopen();
	ck_assert(!is_aside());

	/* What was encrypted stays, whatever the key is now. */
	put_aside();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(open_vault(i ? KEY_A : KEY_B), 0);
		reopen();
		ck_assert(is_aside());
	}

	/* And what cannot tell goes, without taking us along. */
	for (off_t size = 0; size <= 8192; size += 4096) {
		TALLOC_FREE(store);
		if (!is_aside())
			put_aside();
		ck_assert_int_eq(truncate(path_of("kcm.mdb.damaged-1"), size), 0);
		reopen();
		ck_assert(!is_aside());
	}
}
END_TEST

START_TEST(test_a_short_key_is_refused)
{
	TALLOC_FREE(store);
	ck_assert_int_eq(vault_open(NULL, dir, &vault), -ENOENT);
	ck_assert_int_eq(open_vault("thirty-one bytes are not enough"), -E_CONFIG);
	ck_assert_ptr_null(vault);
}
END_TEST

/* Whoever can write the file puts bob's record where alice's was: it does not open there. */
START_TEST(test_a_credential_opens_at_its_place_only)
{
	struct writer out = writer_new(4096);
	const uint8_t *bytes;
	size_t size;

	ck_assert_int_eq(open_vault(KEY_A), 0);
	vault_seal(vault, "here", 4, "secret", 6, &out);
	ck_assert_int_eq(writer_end(&out), 0);
	ck_assert_int_eq(
		vault_unseal(vault, "here", 4, reader_over(out.bytes, out.size), &bytes, &size), 0);
	ck_assert(size == 6 && memcmp(bytes, "secret", 6) == 0);
	ck_assert_int_eq(
		vault_unseal(vault, "hers", 4, reader_over(out.bytes, out.size), &bytes, &size),
		-E_CACHE_DAMAGED);
	for (size_t cut = 0; cut < out.size; cut++)
		ck_assert_int_eq(
			vault_unseal(vault, "here", 4, reader_over(out.bytes, cut), &bytes, &size),
			-E_CACHE_DAMAGED);
	out.bytes[3] ^= 1;
	ck_assert_int_eq(
		vault_unseal(vault, "here", 4, reader_over(out.bytes, out.size), &bytes, &size),
		-E_CACHE_DAMAGED);
	writer_free(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tcase = tcase_create("store");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_like_the_model);
	tcase_add_test(tcase, test_everything_is_there_after_a_restart);
	tcase_add_test(tcase, test_a_kill_loses_nothing_that_was_committed);
	tcase_add_test(tcase, test_all_is_synced_before_it_is_called_clean);
	tcase_add_loop_test(tcase, test_what_could_not_be_synced_is_written_anew, 0, 6);
	tcase_add_test(tcase, test_a_disk_that_stays_ill_is_tried_again);
	tcase_add_loop_test(tcase, test_what_could_not_be_synced_may_be_damaged, 0, 2);
	tcase_add_test(tcase, test_what_failed_left_no_trace);
	tcase_add_test(tcase, test_nobody_sees_what_is_another_users);
	tcase_add_test(tcase, test_the_same_server_is_stored_once);
	tcase_add_test(tcase, test_an_expired_ticket_is_not_found);
	tcase_add_test(tcase, test_a_cache_that_expired_is_seen_at_once);
	tcase_add_test(tcase, test_who_was_seen);
	tcase_add_test(tcase, test_what_a_user_has_goes_in_portions);
	tcase_add_test(tcase, test_a_purge_takes_no_more_than_it_is_told);
	tcase_add_test(tcase, test_a_purge_counts_whole_caches);
	tcase_add_test(tcase, test_a_cache_without_tickets_goes);
	tcase_add_test(tcase, test_an_empty_cache_of_the_future_goes_as_well);
	tcase_add_test(tcase, test_a_purge_looks_at_a_part_of_all_caches);
	tcase_add_test(tcase, test_an_offset_leaves_tickets_where_they_are);
	tcase_add_loop_test(tcase, test_when_a_ticket_is_due, 0, str_size(renewables));
	tcase_add_test(tcase, test_only_the_tgt_of_the_caches_own_principal_is_due);
	tcase_add_test(tcase, test_limits_are_kept);
	tcase_add_test(tcase, test_a_limit_that_was_lowered_refuses_no_replacement);
	tcase_add_test(tcase, test_a_user_has_a_total);
	tcase_add_test(tcase, test_a_total_counts_whole_pages);
	tcase_add_test(tcase, test_a_name_has_an_end);
	tcase_add_test(tcase, test_a_file_that_is_mostly_free_shrinks);
	tcase_add_test(tcase, test_the_name_of_a_new_file_is_synced);
	tcase_add_test(tcase, test_only_one_has_it_open);
	tcase_add_test(tcase, test_a_file_that_goes_is_noticed);
	tcase_add_test(tcase, test_a_check_without_an_end_is_no_damage);
	tcase_add_loop_test(tcase, test_a_check_that_dies_of_the_file_is_damage, 0, 3);
	tcase_add_test(tcase, test_a_damaged_page_is_set_aside);
	tcase_add_test(tcase, test_a_newer_format_is_set_aside);
	tcase_add_test(tcase, test_an_empty_or_foreign_file_is_set_aside);
	tcase_add_test(tcase, test_an_encrypted_store_works_like_another);
	tcase_add_loop_test(tcase, test_a_store_without_a_key_is_encrypted_when_there_is_one, 0, 2);
	tcase_add_loop_test(tcase, test_what_nobody_can_read_is_kept, 0, 4);
	tcase_add_test(tcase, test_what_nobody_can_read_is_numbered);
	tcase_add_test(tcase, test_what_was_set_aside_in_clear_goes_when_there_is_a_key);
	tcase_add_test(tcase, test_a_short_key_is_refused);
	tcase_add_test(tcase, test_a_credential_opens_at_its_place_only);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
