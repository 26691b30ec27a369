/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records of the KCM store that are not what the store writes, their sums right: the check, and
 * everything that reads or removes
 *
 *   | key size: u8 | key | value size: u16 | value | … |
 */
#include "responders/kcm/impl.h"

#include <errno.h>
#include <string.h>

#include "tests/fuzz/kcm_dir.h"

#define USERS 2

static void fill(struct reader *in)
{
	struct key key;

	while (reader_left(in) > 0) {
		size_t key_size = reader_u8(in), value_size;
		const uint8_t *key_bytes = reader_bytes(in, key_size), *value;

		value_size = reader_u16(in);
		value = reader_bytes(in, value_size);
		if (!value || key_size == 0 || key_size > sizeof(key.bytes) || key_bytes[0] == 0)
			return;
		key.size = key_size;
		memcpy(key.bytes, key_bytes, key_size);
		require(table_put_bytes(store, &key, value, value_size) == 0);
	}
}

/* What the check says of each pair. */
static bool walk(void)
{
	cleanup_with(mdb_cursor_close) MDB_cursor *cursor = NULL;
	MDB_val key, value;
	bool all = true;

	require(mdb_cursor_open(store->txn, store->env->table, &cursor) == 0);
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
		all = kcm_store_sound(store->txn, store->env->table, key, value, store->env) && all;
	return all;
}

static void look_for(const struct ccache *ccache, const struct tag *tag, uint32_t how,
                     int64_t now_s)
{
	struct stored stored;
	struct ccache_walk place = { 0 };

	while (kcm_store_match(store, ccache, tag, how, now_s, &place, &stored) == -EAGAIN)
		continue;
}

static int use_one(struct ccache *ccache)
{
	struct stored stored = { 0 };
	struct credential credential;
	struct tag tag = { 0 };
	struct bytes principal;
	bool usable;
	int r;

	kcm_store_principal(store, ccache, &principal);
	kcm_store_is_usable(store, ccache, 1000, &usable);
	look_for(ccache, &tag, 0, 1000);
	while ((r = kcm_store_next_credential(store, ccache, stored.number, &stored)) == 0) {
		struct reader in = reader_over(stored.credential.at, stored.credential.size);

		credential = read_credential(&in);
		if (reader_end(&in) == 0) {
			tag.like = credential;
			look_for(ccache, &tag, DONT_MATCH_REALM, 0);
		}
	}
	return r;
}

static void use(void)
{
	char name[CCACHE_NAME_MAX + 1], other[CCACHE_NAME_MAX + 1];
	struct stored stored = { 0 };
	struct ccache ccache;
	unsigned n_put_off = 0;
	uid_t uid_seen;
	int64_t next_s;

	for (uid_t uid = 0; uid < USERS; uid++) {
		kcm_store_default(store, uid, other);
		name[0] = '\0';
		while (kcm_store_next(store, uid, name, &ccache) == 0) {
			kcm_store_name(store, uid, ccache.id, other);
			use_one(&ccache);
		}
	}
	ccache = (struct ccache){ 0 };
	while (n_put_off++ < 10 &&
	       kcm_store_next_renewal(store, 0, NULL, NULL, name, &ccache, &stored) == 0)
		kcm_store_put_off(store, &ccache, &stored, stored.due_s + 10);
	if (kcm_store_next_seen(store, (uid_t)-1, &uid_seen) == 0)
		kcm_store_set_seen(store, uid_seen, false);
	kcm_store_purge(store, 1000, 100, &next_s);
	name[0] = '\0';
	while (kcm_store_next(store, 0, name, &ccache) == 0)
		if (kcm_store_set_offset(store, &ccache, 60) < 0 ||
		    kcm_store_destroy(store, &ccache) < 0)
			break;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_over(data, size);

	if (!store)
		open_store();
	require(kcm_store_begin(store, true) == 0);
	fill(&in);
	walk();
	use();
	kcm_store_end(store, -ECANCELED); /* so that each input finds nothing */
	return 0;
}
