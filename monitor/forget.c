/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Forget - the caches of domains that are gone are removed some time later
 *
 *   cache_DOMAIN.mdb     what is looked for; removed last: what was cut short is begun again
 *   cache_DOMAIN.2.mdb   of another schema
 *   …mdb-lock, …mdb-state, …mdb.damaged-1 and so on go with it (common/cache/file.h)
 *
 * The backend writes the state when it closes the file, so the time counts from the day on which
 * the domain went.
 */
#include "monitor/forget.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

DEFINE_CLEANUP(DIR *, closedir)

#define PREFIX "cache_"
#define SUFFIX ".mdb"

static bool is_cache(const char *name)
{
	size_t size = strlen(name), least = strlen(PREFIX) + strlen(SUFFIX);

	return size > least && strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
	       strcmp(name + size - strlen(SUFFIX), SUFFIX) == 0;
}

/* Upper and lower case are one: rather a file too many than one too few. */
static bool is_of(const char *name, const char *domain)
{
	auto_talloc char *escaped = str_file_name(NULL, domain);
	const char *rest;

	if (!escaped)
		return true;
	name += strlen(PREFIX);
	if (strncasecmp(name, escaped, strlen(escaped)) != 0)
		return false;
	rest = name + strlen(escaped);
	if (*rest == '.' && isdigit((unsigned char)rest[1]))
		for (rest++; isdigit((unsigned char)*rest); rest++)
			;
	return strcmp(rest, SUFFIX) == 0;
}

static bool is_known(const char *name, const char *const *domains)
{
	for (; domains && *domains; domains++)
		if (is_of(name, *domains))
			return true;
	return false;
}

static bool lies_beside(const char *name, const char *cache)
{
	size_t size = strlen(cache);

	return strncmp(name, cache, size) == 0 && (name[size] == '-' || name[size] == '.');
}

/* Calls each with every file that lies beside the cache; the least that it returns. */
static int each_beside(int dir, const char *cache,
                       int (*each)(int dir, const char *name, void *data), void *data)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0, one;
	cleanup_with(closedir) DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *item;

	if (!stream) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((item = readdir(stream)) != NULL) {
		one = lies_beside(item->d_name, cache) ? each(dir, item->d_name, data) : 0;
		if (one < r)
			r = one;
	}
	return r;
}

static int find_last_write(int dir, const char *name, void *data)
{
	int64_t *last_s = data;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_mtim.tv_sec > *last_s)
		*last_s = st.st_mtim.tv_sec;
	return 0;
}

static int remove_one(int dir, const char *name, void *data)
{
	(void)data;
	return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

static int forget(int dir, const char *cache, struct walltime now)
{
	int64_t last_s = 0, age_s = FORGET_DAYS * INT64_C(24) * 3600;
	int r = find_last_write(dir, cache, &last_s);

	if (r == 0)
		r = each_beside(dir, cache, find_last_write, &last_s);
	if (r < 0 || last_s + age_s >= now.s)
		return r;
	r = each_beside(dir, cache, remove_one, NULL);
	if (r == 0)
		r = remove_one(dir, cache, NULL);
	if (r == 0)
		log_info("%s is removed: no domain has used it for %d days", cache, FORGET_DAYS);
	return r;
}

void forget_gone(const char *dir, const char *const *domains, const char *const *others,
                 struct walltime now)
{
	cleanup_with(closedir) DIR *stream = opendir(dir);
	const struct dirent *item;
	int r;

	if (!stream) {
		log_warn("%s: %s", dir, error_text(-errno));
		return;
	}
	while ((item = readdir(stream)) != NULL) {
		if (!is_cache(item->d_name) || is_known(item->d_name, domains) ||
		    is_known(item->d_name, others))
			continue;
		r = forget(dirfd(stream), item->d_name, now);
		if (r < 0)
			log_warn("%s/%s: %s", dir, item->d_name, error_text(r));
	}
}
