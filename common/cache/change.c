/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes - what one question brought, collected on the loop, finished for the writer thread
 *
 * A change does not know yet how its domain's names compare: it collects entries and queries, and
 * change_finish() makes keys and values of them when the change is handed over.
 *
 *   collected   | STEP_PUT: u8 | entry: u32 size, bytes |
 *               | STEP_REMOVE: u8 | query kind: u8 | id: u32 | name \0 |
 */
#include <errno.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/cache/impl.h"

/* An enumeration of 100,000 users is about 20 MiB. */
#define CHANGE_MAX ((size_t)512 << 20)

/* Beyond it an alias is part of the record, but does not lead to it. */
#define INDEXED_ALIASES_MAX 64

struct cache_change {
	struct writer collected; /* owned */
	uint32_t epoch;
	unsigned answer;
};

static int change_gone(struct cache_change *change)
{
	writer_free(&change->collected);
	return 0;
}

struct cache_change *cache_change_new(TALLOC_CTX *mem, uint32_t epoch)
{
	struct cache_change *change = talloc_zero(mem, struct cache_change);

	if (!change)
		return NULL;
	change->collected = writer_new(CHANGE_MAX);
	change->epoch = epoch;
	talloc_set_destructor(change, change_gone);
	return change;
}

void cache_change_is_answer(struct cache_change *change, enum entry_kind kind)
{
	change->answer = 1u << kind;
}

unsigned change_answer(const struct cache_change *change)
{
	return change->answer;
}

/* ---- collect ---- */

static int put(struct cache_change *change, const char *name, uint32_t lifetime_s,
               struct entry *entry)
{
	size_t size = strlen(name);
	struct entry_now now = entry_now();
	struct writer *out = &change->collected;
	size_t mark;

	if (size == 0 || size > NAME_SIZE_MAX)
		return -ENAMETOOLONG;
	if (!str_is_utf8(name, size))
		return -EILSEQ;

	entry->times = (struct entry_times){
		.stored_wall = now.wall,
		.stored_boot = now.boot,
		.boot = now.boot_id,
		.lifetime_s = lifetime_s,
		.epoch = change->epoch,
	};
	writer_u8(out, STEP_PUT);
	mark = writer_mark_u32(out);
	entry_encode(out, entry);
	writer_patch_u32(out, mark, (uint32_t)(out->size - mark - sizeof(uint32_t)));
	return writer_end(out);
}

int cache_put_user(struct cache_change *change, const struct user *user, uint32_t lifetime_s)
{
	struct entry entry = { .kind = ENTRY_USER, .user = *user };

	return put(change, user->name, lifetime_s, &entry);
}

int cache_put_group(struct cache_change *change, const struct group *group, uint32_t lifetime_s)
{
	struct entry entry = { .kind = ENTRY_GROUP, .group = *group };

	return put(change, group->name, lifetime_s, &entry);
}

int cache_put_initgroups(struct cache_change *change, const struct initgroups *initgroups,
                         uint32_t lifetime_s)
{
	struct entry entry = { .kind = ENTRY_INITGROUPS, .initgroups = *initgroups };

	return put(change, initgroups->name, lifetime_s, &entry);
}

int cache_remove(struct cache_change *change, const struct query *query)
{
	struct writer *out = &change->collected;

	writer_u8(out, STEP_REMOVE);
	writer_u8(out, (uint8_t)query->kind);
	writer_u32(out, query->id);
	writer_str(out, query->name);
	return writer_end(out);
}

/* ---- finish ---- */

static void write_key(struct writer *steps, const struct key *key)
{
	writer_u32(steps, (uint32_t)key->size);
	writer_bytes(steps, key->bytes, key->size);
}

/* What the kinds have in common. */
struct subject {
	enum key_type type, id_type; /* id_type 0: has no number */
	const char *name;
	uint32_t id;
	struct names aliases;
};

static struct subject subject_of(const struct entry *entry)
{
	switch (entry->kind) {
	case ENTRY_USER:
		return (struct subject){ KEY_USER, KEY_UID, entry->user.name, entry->user.uid,
			                 entry->user.aliases };
	case ENTRY_GROUP:
		return (struct subject){ KEY_GROUP, KEY_GID, entry->group.name, entry->group.gid,
			                 entry->group.aliases };
	case ENTRY_INITGROUPS:
		break;
	}
	return (struct subject){ .type = KEY_INITGROUPS, .name = entry->initgroups.name };
}

static void write_indexes(struct writer *out, enum cache_case names,
                          const struct subject *subject, const struct key *own)
{
	const char *alias = NULL;
	struct key key;
	unsigned n = 0;

	if (subject->id_type) {
		key_of_id(&key, subject->id_type, subject->id);
		record_add_index(out, key_val(&key));
	}
	while (n < INDEXED_ALIASES_MAX && (alias = names_next(&subject->aliases, alias))) {
		/* One nobody can ask for, or that is the name itself, leads nowhere new. */
		if (key_of_name(&key, key_alias_type((uint8_t)subject->type), names, alias) < 0 ||
		    val_equal(val_name(key_val(&key)), val_name(key_val(own))))
			continue;
		record_add_index(out, key_val(&key));
		n++;
	}
}

static int finish_put(struct reader *in, enum cache_case names, struct writer *indexes,
                      struct writer *steps)
{
	uint32_t size = reader_u32(in);
	struct subject subject;
	struct entry entry;
	struct key key;
	size_t mark;
	int r;

	r = entry_decode(reader_bytes(in, size), size, &entry);
	if (r < 0)
		return r;

	subject = subject_of(&entry);
	r = key_of_name(&key, subject.type, names, subject.name);
	if (r < 0)
		return r;
	writer_reset(indexes);
	write_indexes(indexes, names, &subject, &key);
	r = writer_end(indexes);
	if (r < 0)
		return r;

	writer_u8(steps, STEP_PUT);
	write_key(steps, &key);
	mark = writer_mark_u32(steps);
	record_build(steps, key_val(&key), (MDB_val){ indexes->size, indexes->bytes }, &entry);
	writer_patch_u32(steps, mark, (uint32_t)(steps->size - mark - sizeof(uint32_t)));
	return 0;
}

static int finish_removal(struct reader *in, enum cache_case names, struct writer *steps)
{
	struct query query = { .kind = reader_u8(in) };
	struct key key;
	int r;

	query.id = reader_u32(in);
	query.name = reader_str(in, SIZE_MAX, NULL);
	r = key_of_query(&key, names, &query);
	if (r == -ENAMETOOLONG || r == -EILSEQ)
		return 0; /* it cannot be there */
	if (r < 0)
		return r;

	writer_u8(steps, STEP_REMOVE);
	write_key(steps, &key);
	return 0;
}

int change_finish(const struct cache_change *change, enum cache_case names, struct writer *steps,
                  uint32_t *ret_n_records)
{
	struct reader in = reader_over(change->collected.bytes, change->collected.size);
	struct writer indexes = writer_new(CHANGE_MAX);
	uint32_t n_records = 0;
	enum step step;
	int r = writer_end(&change->collected);

	while (r == 0 && reader_left(&in) > 0) {
		step = reader_u8(&in);
		if (step == STEP_PUT)
			r = finish_put(&in, names, &indexes, steps);
		else
			r = finish_removal(&in, names, steps);
		n_records++;
	}
	writer_free(&indexes);
	if (r == 0)
		r = writer_end(steps);
	if (r < 0)
		return r;

	*ret_n_records = n_records;
	return 0;
}
