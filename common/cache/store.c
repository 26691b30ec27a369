/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - carry out a change: records and all keys that lead to them, in one transaction
 *
 * What always holds between two transactions, and the check verifies: each index leads to a record
 * that lists it, each index a record lists leads to it, and each record has its one expiry key.
 * Therefore whoever takes an index over takes it out of the other's list, and whoever takes a
 * number over removes the other: two names cannot have it, and the server's last word counts.
 * Except that a principal stays its user's: people may write a mail address of their own choice
 * into the directory, but no principal.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/cache/impl.h"

/* "Pure time-stamp changes are written at most once a minute", but sooner for a short life: an
 * entry is never ageing in its first 10 s, nor in the first hundredth of its life (entry_age()),
 * so nobody who refreshes an ageing entry finds it ageing still. */
#define UNCHANGED_LEAST_S 10
#define UNCHANGED_MOST_S  60

int store_begin(struct store *store, MDB_txn *txn, MDB_dbi table, const char *domain,
                struct buffers *buffers)
{
	int r;

	*store = (struct store){ .txn = txn, .table = table, .buffers = buffers };
	r = header_read(txn, table, &store->header);
	store->header.domain = domain; /* the one in the map moves with the first write */
	return r;
}

uint64_t store_used(const struct store *store)
{
	MDB_stat stat;

	if (mdb_stat(store->txn, store->table, &stat) != 0)
		return UINT64_MAX;
	return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
}

/* ---- what is told of it ---- */

void notes_begin(struct notes *notes)
{
	writer_reset(&notes->bytes);
	notes->n = 0;
	notes->more_gone = notes->more_new = 0;
}

/* name may lie in the map. Without memory for it, it is one of many. */
static void note(struct store *store, enum entry_kind kind, bool is_new, uint32_t id,
                 const char *name)
{
	struct notes *notes = store->notes;

	if (!notes)
		return;
	if (notes->n < NOTES_MAX && writer_end(&notes->bytes) == 0) {
		writer_u8(&notes->bytes, (uint8_t)kind);
		writer_u8(&notes->bytes, is_new);
		writer_u32(&notes->bytes, id);
		writer_str(&notes->bytes, name);
		if (writer_end(&notes->bytes) == 0) {
			notes->n++;
			return;
		}
		notes->n = 0;
		notes->more_gone = notes->more_new = UINT32_MAX;
		return;
	}
	if (is_new)
		notes->more_new |= 1u << kind;
	else
		notes->more_gone |= 1u << kind;
}

static uint32_t id_of(const struct entry *entry)
{
	if (entry->kind == ENTRY_INITGROUPS)
		return 0;
	return entry->kind == ENTRY_GROUP ? entry->group.gid : entry->user.uid;
}

static void note_gone(struct store *store, const struct entry *entry)
{
	note(store, entry->kind, false, id_of(entry), entry_name(entry));
}

/* Under all of its names, so that an entry of the same name in another domain is found. */
static void note_new(struct store *store, const struct entry *entry)
{
	const struct names *aliases =
		entry->kind == ENTRY_GROUP ? &entry->group.aliases : &entry->user.aliases;
	const char *alias = NULL;

	if (entry->kind == ENTRY_INITGROUPS)
		return;
	note(store, entry->kind, true, id_of(entry), entry_name(entry));
	while ((alias = names_next(aliases, alias)))
		note(store, entry->kind, true, 0, alias);
	if (entry->kind == ENTRY_USER && !str_empty(entry->user.upn))
		note(store, ENTRY_USER, true, 0, entry->user.upn);
}

/* Clients may have an answer under a further name that its entry has no more. */
static void note_lost(struct store *store, MDB_val index, const struct entry *entry)
{
	if (val_type(index) != KEY_USER_ALIAS && val_type(index) != KEY_GROUP_ALIAS)
		return;
	note_gone(store, entry);
	if (entry->kind == ENTRY_USER)
		note(store, ENTRY_INITGROUPS, false, 0, entry_name(entry));
}

/* Whoever asked stores what an answer says now for the clients, but under no other id. */
static void note_replaced(struct store *store, const struct entry *was, const struct entry *is)
{
	bool other_id = id_of(was) != id_of(is);

	if (other_id || !(store->answer & 1u << is->kind))
		note_gone(store, was);
	note_new(store, is);
}

/* ---- single keys ---- */

static int put_key(struct store *store, MDB_val key, MDB_val value)
{
	return lmdb_error(mdb_put(store->txn, store->table, &key, &value, 0));
}

static int delete_key(struct store *store, MDB_val key)
{
	int r = lmdb_error(mdb_del(store->txn, store->table, &key, NULL));

	return r == -ENOENT ? 0 : r;
}

/* To a writer damaged bytes are the end of the file's use. */
static int damaged(int r)
{
	return r == -EBADMSG ? -E_CACHE_DAMAGED : r;
}

int store_look(struct store *store, const struct key *key, struct found *ret_found,
               struct entry *ret_entry)
{
	int r;

	r = find_exact(store->txn, store->table, key, ret_found);
	if (r == 0)
		r = find_entry(key->bytes[0], &ret_found->record, ret_entry);
	return damaged(r);
}

/* ---- remove: a user's groups with the user ---- */

/* What goes is copied first: bytes in the map move with the first write (mdb_get()). */
static int remove_one(struct store *store, const struct key *key)
{
	struct writer *gone = &store->buffers->gone;
	struct record record = { 0 };
	struct found found;
	struct entry entry;
	struct key expiry;
	MDB_val index = { 0 };
	int r;

	r = store_look(store, key, &found, &entry);
	if (r < 0)
		return r;
	note_gone(store, &entry);
	key_of_expiry(&expiry, entry_expiry(&entry), key_val(key));
	writer_reset(gone);
	writer_bytes(gone, found.record.indexes.mv_data, found.record.indexes.mv_size);
	r = writer_end(gone);
	if (r < 0)
		return r;
	record.indexes = (MDB_val){ gone->size, gone->bytes };

	while (r == 0 && record_next_index(&record, &index))
		r = delete_key(store, index);
	if (r == 0)
		r = delete_key(store, key_val(&expiry));
	if (r == 0)
		r = delete_key(store, key_val(key));
	store->n_entries--;
	return r;
}

int store_remove(struct store *store, const struct key *key)
{
	struct key groups;
	int r;

	r = remove_one(store, key);
	if ((r == 0 || r == -ENOENT) && key->bytes[0] == KEY_USER) {
		r = key_of_folded(&groups, KEY_INITGROUPS, val_name(key_val(key)));
		if (r == 0)
			r = remove_one(store, &groups);
	}
	return r == -ENOENT ? 0 : r;
}

/* What asked leads to; a user that is not there may have groups all the same. */
static int find_and_remove(struct store *store, const struct key *asked)
{
	struct found found;
	int r;

	r = find_record(store->txn, store->table, asked, &found);
	if (r == 0)
		return store_remove(store, &found.key);
	if (r == -ENOENT)
		return asked->bytes[0] == KEY_USER ? store_remove(store, asked) : 0;
	return damaged(r);
}

/* ---- rewrite in place ---- */

/* Stores found anew with other indexes or times; both may lie in the map. */
static int rewrite(struct store *store, const struct found *found, MDB_val indexes,
                   const struct entry *entry)
{
	struct writer *out = &store->buffers->rewritten;
	int r;

	writer_reset(out);
	record_build(out, key_val(&found->key), indexes, entry);
	r = writer_end(out);
	if (r < 0)
		return r;
	return put_key(store, key_val(&found->key), (MDB_val){ out->size, out->bytes });
}

/* ---- put ---- */

/* Takes index away from the record that has it and is called name. */
static int take_index(struct store *store, MDB_val index, MDB_val name)
{
	struct writer *left = &store->buffers->gone;
	MDB_val other = { 0 };
	struct found found;
	struct entry entry;
	struct key key;
	int r;

	r = key_of_folded(&key, key_target(val_type(index)), name);
	if (r < 0)
		return -E_CACHE_DAMAGED;
	if (val_type(index) == KEY_UID || val_type(index) == KEY_GID)
		return store_remove(store, &key);

	r = store_look(store, &key, &found, &entry);
	if (r < 0)
		return r;
	note_lost(store, index, &entry);
	writer_reset(left);
	while (record_next_index(&found.record, &other))
		if (!val_equal(other, index))
			record_add_index(left, other);
	r = writer_end(left);
	if (r < 0)
		return r;
	return rewrite(store, &found, (MDB_val){ left->size, left->bytes }, &entry);
}

static int claim_index(struct store *store, MDB_val index, const struct key *key)
{
	MDB_val name = val_name(key_val(key)), has;
	int r;

	r = lmdb_error(mdb_get(store->txn, store->table, &index, &has));
	if (r == 0 && val_equal(has, name))
		return 0;
	if (r == 0)
		r = take_index(store, index, has);
	if (r < 0 && r != -ENOENT)
		return r;
	return put_key(store, index, name);
}

/* 1: index is upn, as written or folded; 0: it is not. */
static int is_principal(MDB_val index, const char *upn)
{
	static const enum cache_case forms[] = { CACHE_CASE_FOLDED, CACHE_CASE_SENSITIVE };
	struct key key;

	for (size_t i = 0; i < str_size(forms); i++) {
		int r = key_of_name(&key, KEY_USER_ALIAS, forms[i], upn);

		if (r == -ENOMEM)
			return r;
		if (r == 0 && val_equal(key_val(&key), index))
			return 1;
	}
	return 0;
}

/* 1: index is the principal of another than the user with that key, whose own is upn. */
static int is_others_principal(struct store *store, MDB_val index, const struct key *key,
                               const char *upn)
{
	struct found holder;
	struct entry entry;
	struct key name;
	MDB_val has;
	int r;

	if (val_type(index) != KEY_USER_ALIAS)
		return 0;
	r = lmdb_error(mdb_get(store->txn, store->table, &index, &has));
	if (r < 0 || val_equal(has, val_name(key_val(key))))
		return r == -ENOENT ? 0 : r;
	r = is_principal(index, upn);
	if (r != 0)
		return r < 0 ? r : 0;
	if (key_of_folded(&name, KEY_USER, has) < 0)
		return -E_CACHE_DAMAGED;
	r = store_look(store, &name, &holder, &entry);
	return r < 0 ? r : is_principal(index, entry.user.upn);
}

/* Takes out of record's indexes the principals of others; it lies in buffers->put then. */
static int leave_principals(struct store *store, const struct key *key, const struct entry *entry,
                            struct record *record, MDB_val *value)
{
	struct writer *kept = &store->buffers->gone, *out = &store->buffers->put;
	MDB_val index = { 0 };
	bool all = true;
	int r;

	if (entry->kind != ENTRY_USER)
		return 0;
	writer_reset(kept);
	while (record_next_index(record, &index)) {
		r = is_others_principal(store, index, key, entry->user.upn);
		if (r < 0)
			return r;
		if (r == 0)
			record_add_index(kept, index);
		all &= r == 0;
	}
	if (all)
		return 0;

	r = writer_end(kept);
	if (r < 0)
		return r;
	writer_reset(out);
	record_build(out, key_val(key), (MDB_val){ kept->size, kept->bytes }, entry);
	r = writer_end(out);
	if (r < 0)
		return r;
	*value = (MDB_val){ out->size, out->bytes };
	return record_parse(key_val(key), *value, record);
}

static bool same_content(const struct found *old, const struct record *new)
{
	MDB_val a = old->record.entry, b = new->entry;
	size_t a_at = entry_body_at(a.mv_data), b_at = entry_body_at(b.mv_data);

	return a.mv_size - a_at == b.mv_size - b_at &&
	       memcmp((uint8_t *)a.mv_data + a_at, (uint8_t *)b.mv_data + b_at, a.mv_size - a_at) ==
	               0;
}

/* Does the new record say what the old one said, only a little later? */
static bool unchanged(const struct found *old, const struct entry *old_entry,
                      const struct record *new, const struct entry *new_entry)
{
	const struct entry_times *was = &old_entry->times, *is = &new_entry->times;
	int64_t age_s = is->stored_boot.s - was->stored_boot.s;
	int64_t limit_s = is->lifetime_s / 100;

	if (limit_s < UNCHANGED_LEAST_S)
		limit_s = UNCHANGED_LEAST_S;
	if (limit_s > UNCHANGED_MOST_S)
		limit_s = UNCHANGED_MOST_S;
	if (is->boot == 0 || is->boot != was->boot || is->epoch != was->epoch ||
	    is->lifetime_s != was->lifetime_s || age_s < 0 || age_s >= limit_s ||
	    age_s >= is->lifetime_s)
		return false;

	return val_equal(old->record.indexes, new->indexes) && same_content(old, new);
}

/* What the old record has and the new one has not. */
static int drop_old(struct store *store, const struct key *key, const struct found *old,
                    const struct entry *old_entry, const struct record *new, int64_t expiry_s)
{
	struct writer *dropped = &store->buffers->gone;
	struct record gone = { 0 };
	MDB_val index = { 0 };
	struct key expiry;
	int r;

	writer_reset(dropped);
	while (record_next_index(&old->record, &index))
		if (!record_has_index(new, index)) {
			note_lost(store, index, old_entry);
			record_add_index(dropped, index);
		}
	r = writer_end(dropped);
	if (r < 0)
		return r;

	gone.indexes = (MDB_val){ dropped->size, dropped->bytes };
	index = (MDB_val){ 0 };
	while (r == 0 && record_next_index(&gone, &index))
		r = delete_key(store, index);
	if (r == 0 && entry_expiry(old_entry) != expiry_s) {
		key_of_expiry(&expiry, entry_expiry(old_entry), key_val(key));
		r = delete_key(store, key_val(&expiry));
	}
	return r;
}

/* Gives the new record the day on which the old one was made; it lies in buffers->dated then. */
static int keep_creation(struct store *store, const struct key *key, const struct entry *old_entry,
                         struct entry *entry, struct record *record, MDB_val *value)
{
	struct writer *out = &store->buffers->dated;
	int r;

	entry->times.created = entry_created(old_entry);
	writer_reset(out);
	record_build(out, key_val(key), record->indexes, entry);
	r = writer_end(out);
	if (r < 0)
		return r;
	*value = (MDB_val){ out->size, out->bytes };
	return record_parse(key_val(key), *value, record);
}

/* The header's epoch is never below an entry's. */
static void raise_epoch(struct store *store, enum entry_kind kind, uint32_t epoch)
{
	uint32_t *has = &store->header.epochs[epoch_at(kind)];

	if (*has >= epoch)
		return;
	*has = epoch;
	store->header_changed = true;
}

static int step_put(struct store *store, const struct key *key, MDB_val value)
{
	struct entry entry, old_entry;
	MDB_val index = { 0 };
	struct record record;
	struct key expiry;
	struct found old;
	int r;

	r = record_parse(key_val(key), value, &record);
	if (r == 0)
		r = find_entry(key->bytes[0], &record, &entry);
	assert(r == 0); /* change_finish() has just built it */

	store->n_puts++;
	raise_epoch(store, entry.kind, entry.times.epoch);
	r = leave_principals(store, key, &entry, &record, &value);
	if (r < 0)
		return r;
	r = store_look(store, key, &old, &old_entry);
	if (r == 0 && ((old_entry.kind == ENTRY_INITGROUPS && old_entry.initgroups.complete &&
	                !entry.initgroups.complete) ||
	               unchanged(&old, &old_entry, &record, &entry))) {
		store->n_unchanged++;
		return 0;
	}
	if (r == 0 && !same_content(&old, &record))
		note_replaced(store, &old_entry, &entry);
	if (r == 0) {
		r = drop_old(store, key, &old, &old_entry, &record, entry_expiry(&entry));
		if (r == 0)
			r = keep_creation(store, key, &old_entry, &entry, &record, &value);
	} else if (r == -ENOENT) {
		note_new(store, &entry);
		store->n_entries++;
		r = 0;
	}

	while (r == 0 && record_next_index(&record, &index))
		r = claim_index(store, index, key);
	if (r < 0)
		return r;
	key_of_expiry(&expiry, entry_expiry(&entry), key_val(key));
	r = put_key(store, key_val(&expiry), (MDB_val){ 0, (void *)"" });
	return r < 0 ? r : put_key(store, key_val(key), value);
}

/* ---- steps ---- */

static struct key read_key(struct reader *in)
{
	struct key key = { .size = reader_u32(in) };
	const uint8_t *bytes = reader_bytes(in, key.size);

	assert(bytes && key.size <= sizeof(key.bytes));
	memcpy(key.bytes, bytes, key.size);
	return key;
}

static MDB_val read_value(struct reader *in)
{
	MDB_val value = { .mv_size = reader_u32(in) };

	value.mv_data = (void *)reader_bytes(in, value.mv_size);
	return value;
}

/* One step; only a put has a value. */
struct read_step {
	enum step step;
	struct key key;
	MDB_val value;
};

static bool next_step(struct reader *in, struct read_step *ret_step)
{
	if (reader_left(in) == 0)
		return false;

	ret_step->step = reader_u8(in);
	ret_step->key = read_key(in);
	if (ret_step->step == STEP_PUT)
		ret_step->value = read_value(in);
	return true;
}

int store_steps(struct store *store, const struct writer *steps)
{
	struct reader in = reader_over(steps->bytes, steps->size);
	struct read_step step;
	int r = 0;

	while (r == 0 && next_step(&in, &step))
		switch (step.step) {
		case STEP_PUT:
			r = step_put(store, &step.key, step.value);
			break;
		case STEP_REMOVE:
			r = find_and_remove(store, &step.key);
			break;
		}
	if (r < 0 || !store->header_changed)
		return r;

	store->header_changed = false;
	return header_write(store->txn, store->table, &store->header);
}

int store_admits(const struct store *store, const struct writer *steps, uint64_t max_size)
{
	struct reader in = reader_over(steps->bytes, steps->size);
	struct read_step step;
	MDB_val key, value;
	int r;

	if (store_used(store) < max_size)
		return 0;

	while (next_step(&in, &step)) {
		if (step.step != STEP_PUT)
			continue;
		key = key_val(&step.key);
		r = lmdb_error(mdb_get(store->txn, store->table, &key, &value));
		if (r < 0)
			return r == -ENOENT ? -E_CACHE_QUOTA : r;
	}
	return 0;
}
