/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files - the administrator's: which are read, which are refused, what they say together
 */
#include "common/conf/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/conf/ini.h"

static int refuse(TALLOC_CTX *mem, struct conf_file *file, enum conf_file_state state,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

static int refuse(TALLOC_CTX *mem, struct conf_file *file, enum conf_file_state state,
                  const char *format, ...)
{
	va_list args;

	file->state = state;
	va_start(args, format);
	file->reason = talloc_vasprintf(mem, format, args);
	va_end(args);
	return file->reason ? -E_CONFIG : -ENOMEM;
}

static int check_access(TALLOC_CTX *mem, const struct conf_paths *paths, const struct stat *st,
                        struct conf_file *file)
{
	if (!S_ISREG(st->st_mode))
		return refuse(mem, file, CONF_FILE_ACCESS, "it is not a regular file");

	/* Execute bits of the owner give nothing away. */
	if ((st->st_uid != 0 && st->st_uid != paths->uid) ||
	    (st->st_gid != 0 && st->st_gid != paths->gid) || (st->st_mode & 0400) == 0 ||
	    (st->st_mode & 0037) != 0)
		return refuse(mem, file, CONF_FILE_ACCESS,
		              "it has mode %04o and owner %u:%u; expected is 0600 root:root, or "
		              "0640 root:sssd",
		              (unsigned)(st->st_mode & 07777), (unsigned)st->st_uid,
		              (unsigned)st->st_gid);
	if (st->st_size > INI_FILE_MAX)
		return refuse(mem, file, CONF_FILE_UNREADABLE, "it is larger than 1 MiB");
	return 0;
}

/* size bytes, or fewer when the file has shrunk since, and a NUL. */
static int read_bytes(TALLOC_CTX *mem, int fd, size_t *size, char **ret_bytes)
{
	char *bytes = talloc_size(mem, *size + 1);
	size_t done = 0;

	if (!bytes)
		return -ENOMEM;
	while (done < *size) {
		ssize_t n = read(fd, bytes + done, *size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	bytes[done] = '\0';
	*size = done;
	*ret_bytes = bytes;
	return 0;
}

/* Adds what the file at file->path says to conf. -E_CONFIG: it is refused, file tells why;
 * -ENOENT: it does not exist. */
static int read_file(TALLOC_CTX *mem, const struct conf_paths *paths, struct conf *conf,
                     struct conf_file *file)
{
	/* O_NONBLOCK: opening a FIFO would wait for its writer. */
	auto_close int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct ini_error error;
	struct ini *ini;
	struct stat st;
	char *bytes = NULL;
	size_t size;
	int r;

	if (fd < 0 && errno == ENOENT) {
		r = refuse(mem, file, CONF_FILE_MISSING, "it does not exist");
		return r == -E_CONFIG ? -ENOENT : r;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(mem, file, CONF_FILE_UNREADABLE, "%s", error_text(-errno));
	r = check_access(mem, paths, &st, file);
	if (r < 0)
		return r;

	size = (size_t)st.st_size;
	r = read_bytes(conf, fd, &size, &bytes);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse(mem, file, CONF_FILE_UNREADABLE, "%s", error_text(r));

	r = ini_parse(conf, bytes, size, INI_LINE_MAX, &ini, &error);
	if (r == -E_CONFIG) {
		file->line = error.line;
		file->number = error.number;
		return refuse(mem, file, CONF_FILE_SYNTAX, "%s", error.text);
	}
	if (r < 0)
		return r;

	file->size = size;
	file->mtime = st.st_mtim;
	return conf_add(conf, file->path, ini, bytes);
}

static int read_main(TALLOC_CTX *mem, const struct conf_paths *paths, struct conf *conf,
                     struct conf_file *file)
{
	struct conf_file vendor = { .path = paths->vendor };
	int r;

	file->path = paths->main;
	r = read_file(mem, paths, conf, file);
	if (r != -ENOENT || !paths->vendor)
		return r;

	r = read_file(mem, paths, conf, &vendor);
	if (r != -ENOENT)
		*file = vendor;
	return r;
}

/* *.conf, not beginning with "." */
static int is_snippet(const struct dirent *item)
{
	const char *dot = strrchr(item->d_name, '.');

	return item->d_name[0] != '.' && strcmp(dot ? dot : "", ".conf") == 0;
}

/* By bytes: alphasort(3) would ask the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_snippet(const struct conf_paths *paths, struct conf *conf, struct conf_files *files,
                        const char *name)
{
	struct conf_file *file = &files->files[files->n_files];
	int r;

	*file = (struct conf_file){ .path = talloc_asprintf(files, "%s/%s", paths->snippets,
		                                            name) };
	if (!file->path)
		return -ENOMEM;
	r = read_file(files, paths, conf, file);
	if (r < 0 && r != -E_CONFIG && r != -ENOENT) /* refused or just removed: the rest is used */
		return r;
	files->n_files++;
	return 0;
}

static int read_snippets(const struct conf_paths *paths, struct conf *conf,
                         struct conf_files *files)
{
	struct dirent **items = NULL;
	int r = 0, n;

	files->snippets.path = paths->snippets;
	if (!paths->snippets)
		return 0;
	n = scandir(paths->snippets, &items, is_snippet, by_bytes);
	if (n < 0) {
		r = refuse(files, &files->snippets,
		           errno == ENOENT ? CONF_FILE_MISSING : CONF_FILE_UNREADABLE, "%s",
		           error_text(-errno));
		return r == -E_CONFIG ? 0 : r;
	}

	files->files = talloc_array(files, struct conf_file, (unsigned)n + 1);
	if (!files->files)
		r = -ENOMEM;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = read_snippet(paths, conf, files, items[i]->d_name);
		free(items[i]);
	}
	free(items);
	return r;
}

static unsigned count_used(const struct conf_files *files)
{
	unsigned n = 0;

	for (unsigned i = 0; i < files->n_files; i++)
		n += files->files[i].state == CONF_FILE_USED;
	return n;
}

int conf_files_read(TALLOC_CTX *mem, const struct conf_paths *paths, struct conf_files **ret_files,
                    struct conf **ret_conf)
{
	auto_talloc struct conf_files *files = talloc_zero(mem, struct conf_files);
	auto_talloc struct conf *conf = conf_new(mem);
	int main_r, r;

	if (!files || !conf)
		return -ENOMEM;

	main_r = read_main(files, paths, conf, &files->main);
	if (main_r < 0 && main_r != -ENOENT && main_r != -E_CONFIG)
		return main_r;
	r = read_snippets(paths, conf, files); /* even then: all faults are told at once */
	if (r < 0)
		return r;
	r = conf_seal(conf);
	if (r < 0)
		return r;

	if (main_r == -ENOENT && count_used(files) > 0)
		main_r = 0;
	*ret_files = take_ptr(files);
	if (main_r < 0)
		return main_r;
	*ret_conf = take_ptr(conf);
	return 0;
}
