/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Expiry - what goes when its time has come: tickets, and caches that have none
 */
#include <errno.h>

#include "common/base/error.h"
#include "responders/kcm/impl.h"

#define SWEEP_AT_ONCE 1000 /* caches that are looked at, which costs about a microsecond each */

static void pay(unsigned *left, unsigned cost)
{
	*left -= cost < *left ? cost : *left;
}

static bool has_ended(const struct ccache *ccache, int64_t now_s)
{
	return ccache->last_end_s != 0 && ticket_time(ccache, ccache->last_end_s) <= now_s;
}

/* Some programs store what they have for credentials without an end (gssproxy(8) does): such a one
 * counts as a ticket here, what is about the cache itself does not. */
static int holds_endless(struct kcm_store *store, const struct ccache *ccache, bool *ret_endless)
{
	struct stored stored = { 0 };
	bool endless = false;
	int r = 0;

	while (!endless &&
	       (r = kcm_store_next_credential(store, ccache, stored.number, &stored)) == 0) {
		struct reader in = reader_over(stored.credential.at, stored.credential.size);
		struct credential credential = read_credential(&in);

		endless = !is_cache_config(&credential);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_endless = endless;
	return 0;
}

int kcm_store_is_over(struct kcm_store *store, const struct ccache *ccache, int64_t now_s,
                      bool *ret_over)
{
	bool over = has_ended(ccache, now_s), endless = false;
	int r = over && ccache->n_tickets == 0 ? holds_endless(store, ccache, &endless) : 0;

	if (r == 0)
		*ret_over = over && !endless;
	return r;
}

/* One that holds something without an end is asked again in an hour. */
static int drop_ended(struct kcm_store *store, struct ccache *ccache, int64_t now_s, unsigned *left)
{
	bool over;
	int r;

	pay(left, 1 + ccache->n_credentials);
	r = kcm_store_is_over(store, ccache, now_s, &over);
	if (r < 0)
		return r;
	return over ? kcm_store_destroy(store, ccache) : ccache_save(store, ccache);
}

/* A ticket, and its cache when that has no other. */
static int purge_one(struct kcm_store *store, MDB_val key, unsigned *left)
{
	char name[CCACHE_NAME_MAX + 1];
	struct ccache ccache;
	uint64_t number;
	int r;

	r = ticket_follow(store, key, name, &ccache, &number);
	if (r == 0)
		r = kcm_store_remove(store, &ccache, number);
	if (r == 0 && ccache.n_tickets == 0) {
		pay(left, ccache.n_credentials);
		r = kcm_store_destroy(store, &ccache);
	}
	pay(left, 1);
	return r == -ENOENT ? -E_CACHE_DAMAGED : r;
}

static int purge_tickets(struct kcm_store *store, int64_t now_s, unsigned *left,
                         int64_t *ret_next_s)
{
	struct key prefix = key_new(KEY_EXPIRY);
	MDB_val key, value;
	struct reader in;
	int r;

	for (;;) {
		r = table_seek(store, &prefix, &prefix, &key, &value);
		if (r == -ENOENT) {
			*ret_next_s = 0;
			return 0;
		}
		if (r == 0)
			r = kcm_unseal(key, value, &in);
		if (r < 0)
			return r;
		in = reader_over((uint8_t *)key.mv_data + 1, key.mv_size - 1);
		*ret_next_s = (int64_t)reader_be64(&in);
		if (*ret_next_s > now_s || *left == 0)
			return 0;
		r = purge_one(store, key, left);
		if (r < 0)
			return r;
	}
}

/* Without a ticket there is no key with a time; and a time that cannot be is one that another
 * version did not write, or that the clock of then was wrong: it begins now. */
static int sweep_one(struct kcm_store *store, struct ccache *ccache, int64_t now_s, unsigned *left)
{
	if (ccache->n_tickets > 0)
		return 0;
	if (has_ended(ccache, now_s))
		return drop_ended(store, ccache, now_s, left);
	if (ccache->last_end_s != 0 && ticket_time(ccache, ccache->last_end_s) <= now_s + EMPTY_S)
		return 0;
	pay(left, 1);
	return ccache_save(store, ccache);
}

/* A part of all caches each time, in a round. */
static int sweep(struct kcm_store *store, int64_t now_s, unsigned *left)
{
	int r = 0;

	for (unsigned i = 0; i<SWEEP_AT_ONCE && * left> 0 && r == 0; i++) {
		r = kcm_store_next_of_all(store, store->swept_name, &store->swept);
		if (r == 0)
			r = sweep_one(store, &store->swept, now_s, left);
	}
	if (r == 0)
		return 0;
	store->swept.uid = 0;
	store->swept_name[0] = '\0';
	return r == -ENOENT ? 0 : r;
}

int kcm_store_purge(struct kcm_store *store, int64_t now_s, unsigned max, int64_t *ret_next_s)
{
	int r = purge_tickets(store, now_s, &max, ret_next_s);

	return r < 0 ? r : sweep(store, now_s, &max);
}

int purge_uid(struct kcm_store *store, uid_t uid, int64_t now_s, unsigned max)
{
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache;
	int r = 0;

	while (max > 0 && (r = kcm_store_next(store, uid, name, &ccache)) == 0) {
		if (has_ended(&ccache, now_s))
			r = drop_ended(store, &ccache, now_s, &max);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}
