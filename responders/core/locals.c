/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Locals - see locals.h
 */
#include "responders/core/locals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/str.h"

struct file {
	const char *path;        /* borrowed */
	struct stat stamp;       /* of what was read */
	struct map *names, *ids; /* NULL: nothing was */
};

struct locals {
	struct file users, groups;
};

struct locals *locals_new(TALLOC_CTX *mem, const char *passwd, const char *group)
{
	struct locals *locals = talloc_zero(mem, struct locals);

	if (!locals)
		return NULL;
	locals->users.path = passwd;
	locals->groups.path = group;
	return locals;
}

/* name:password:id:…, in both files. What is no such line is skipped. */
static void read_line(struct file *file, char *line)
{
	const char *name, *password, *number;
	uint32_t id;

	name = strsep(&line, ":");
	password = strsep(&line, ":");
	number = strsep(&line, ":\n");
	if (!password || !number || str_empty(name) || str_to_u32(number, &id) < 0)
		return;
	map_set(file->names, name, strlen(name), file);
	map_set(file->ids, &id, sizeof(id), file);
}

static void read_file(struct locals *locals, struct file *file)
{
	FILE *stream = fopen(file->path, "re");
	size_t room = 0;
	char *line = NULL;

	TALLOC_FREE(file->names);
	TALLOC_FREE(file->ids);
	if (!stream)
		return;
	file->names = map_new(locals);
	file->ids = map_new(locals);
	if (file->names && file->ids && fstat(fileno(stream), &file->stamp) == 0)
		while (getline(&line, &room, stream) >= 0)
			read_line(file, line);
	free(line);
	fclose(stream);
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
	if (!file->names || !file->ids || !is_same(&stamp, &file->stamp))
		read_file(locals, file);
	if (!file->names || !file->ids)
		return false;
	return query->name ? map_get(file->names, query->name, strlen(query->name)) != NULL
	                   : map_get(file->ids, &query->id, sizeof(query->id)) != NULL;
}
