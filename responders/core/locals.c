/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Locals - see locals.h
 */
#include "responders/core/locals.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/timer.h"

#define FIRST 2000 /* lines that are read at once: a millisecond or two, and nearly every file */
#define SLICE 1000 /* in each turn of the loop after that */

/* A file is known by hashes of its names and numbers, which are one array: so it is forgotten at
 * once, too, however long it was. */
struct file {
	struct locals *locals;
	const char *path;   /* borrowed */
	struct stat stamp;  /* of what was read, or is being read */
	uint64_t *hashes;   /* owned; 0 = free; NULL: nothing was read */
	size_t room, count; /* room is a power of two, and count at most half of it */
	FILE *stream;       /* NULL: all is read */
	char *line;
	size_t line_room;
	struct timer *more; /* armed while it is read */
};

struct locals {
	struct tevent_context *ev; /* borrowed */
	uint64_t seed[2];
	struct file users, groups;
};

static void read_more(void *data);

static void stop_reading(struct file *file)
{
	TALLOC_FREE(file->more);
	if (file->stream)
		fclose(file->stream);
	file->stream = NULL;
	free(file->line);
	file->line = NULL;
	file->line_room = 0;
}

static void forget(struct file *file)
{
	stop_reading(file);
	TALLOC_FREE(file->hashes);
	file->room = file->count = 0;
}

static int locals_gone(struct locals *locals)
{
	stop_reading(&locals->users);
	stop_reading(&locals->groups);
	return 0;
}

struct locals *locals_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *passwd,
                          const char *group)
{
	struct locals *locals = talloc_zero(mem, struct locals);

	if (!locals)
		return NULL;
	locals->ev = ev;
	locals->users = (struct file){ .locals = locals, .path = passwd };
	locals->groups = (struct file){ .locals = locals, .path = group };
	map_seed(locals->seed);
	talloc_set_destructor(locals, locals_gone);
	return locals;
}

/* ---- hashes ---- */

/* Names and numbers share the array: no name of a file has a NUL. */
static uint64_t hash_id(const struct locals *locals, uint32_t id)
{
	uint8_t key[1 + sizeof(id)] = { 0 };

	memcpy(key + 1, &id, sizeof(id));
	return map_hash(locals->seed, key, sizeof(key)) | 1;
}

static uint64_t hash_name(const struct locals *locals, const char *name)
{
	return map_hash(locals->seed, name, strlen(name)) | 1;
}

/* Where the hash is, or belongs. */
static uint64_t *place_of(uint64_t *hashes, size_t room, uint64_t hash)
{
	size_t i = (size_t)(hash >> 1) & (room - 1);

	while (hashes[i] && hashes[i] != hash)
		i = (i + 1) & (room - 1);
	return &hashes[i];
}

static bool has(const struct file *file, uint64_t hash)
{
	return file->hashes && *place_of(file->hashes, file->room, hash) == hash;
}

static int grow(struct file *file)
{
	size_t room = file->room ? file->room * 2 : 256;
	uint64_t *hashes = talloc_zero_array(file->locals, uint64_t, (unsigned)room);

	if (!hashes)
		return -ENOMEM;
	for (size_t i = 0; i < file->room; i++)
		if (file->hashes[i])
			*place_of(hashes, room, file->hashes[i]) = file->hashes[i];
	talloc_free(file->hashes);
	file->hashes = hashes;
	file->room = room;
	return 0;
}

static int add(struct file *file, uint64_t hash)
{
	uint64_t *place;

	if (file->count * 2 >= file->room && grow(file) < 0)
		return -ENOMEM;
	place = place_of(file->hashes, file->room, hash);
	file->count += *place == 0;
	*place = hash;
	return 0;
}

/* ---- reading ---- */

/* name:password:id:…, in both files. What is no such line is skipped. */
static int read_line(struct file *file, char *line)
{
	const char *name, *password, *number;
	uint32_t id;
	int r;

	name = strsep(&line, ":");
	password = strsep(&line, ":");
	number = strsep(&line, ":\n");
	if (!password || !number || str_empty(name) || str_to_u32(number, &id) < 0)
		return 0;
	r = add(file, hash_name(file->locals, name));
	return r < 0 ? r : add(file, hash_id(file->locals, id));
}

/* Reads so many lines; the rest is read from the loop. */
static void read_lines(struct file *file, unsigned n_lines)
{
	for (; n_lines > 0; n_lines--) {
		if (getline(&file->line, &file->line_room, file->stream) < 0) {
			stop_reading(file);
			return;
		}
		if (read_line(file, file->line) < 0) {
			forget(file);
			return;
		}
	}
	file->more = timer_once(file->locals, file->locals->ev, 0, read_more, file);
	if (!file->more)
		forget(file);
}

static void read_more(void *data)
{
	struct file *file = data;

	file->more = NULL;
	read_lines(file, SLICE);
}

static void begin_reading(struct file *file)
{
	forget(file);
	file->stream = fopen(file->path, "re");
	if (!file->stream)
		return;
	if (fstat(fileno(file->stream), &file->stamp) < 0 || grow(file) < 0)
		forget(file);
	else
		read_lines(file, FIRST);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool locals_have(struct locals *locals, const struct query *query)
{
	bool group = query->kind == QUERY_GROUP_BY_NAME || query->kind == QUERY_GROUP_BY_ID;
	struct file *file = group ? &locals->groups : &locals->users;
	struct stat stamp;

	if (stat(file->path, &stamp) < 0)
		return false;
	if (!file->hashes || !is_same(&stamp, &file->stamp))
		begin_reading(file);
	return has(file, query->name ? hash_name(locals, query->name) : hash_id(locals, query->id));
}
