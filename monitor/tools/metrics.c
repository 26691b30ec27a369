/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssctl metrics - what all processes counted, those that are down, too
 *
 * Reads the files (common/metrics/metrics.h) and asks nobody. They are the service user's, so they
 * are opened with care and read like any foreign bytes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/metrics/text.h"
#include "common/sbus/sbus.h"
#include "monitor/tools/command.h"
#include "monitor/tools/tools.h"

#define DIRECTORY SBUS_DIR "/" METRICS_DIR
#define FILES_MAX 256 /* a process for each responder and domain */

static int read_file(int dir, const char *name, struct metrics_file *ret_file)
{
	auto_close int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	uint8_t bytes[METRICS_FILE + 1]; /* one more: it may be too long */
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	n = pread(fd, bytes, sizeof(bytes), 0);
	return n < 0 ? -errno : metrics_read(bytes, (size_t)n, ret_file);
}

static int by_name(const void *a, const void *b)
{
	const struct metrics_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The directory is not root's, and the name may be meant for his terminal. */
static int failed_file(const char *name, int r)
{
	auto_talloc char *printable = str_printable(NULL, name, strlen(name));

	return failed(printable ? printable : DIRECTORY, r);
}

/* Exit status. What cannot be read is named, and all else printed. */
static int print_all(DIR *folder)
{
	auto_talloc struct metrics_file *files =
		talloc_zero_array(NULL, struct metrics_file, FILES_MAX);
	int status = EXIT_SUCCESS;
	struct dirent *item;
	size_t n = 0;

	if (!files)
		return failed(DIRECTORY, -ENOMEM);
	while ((item = readdir(folder)) != NULL) {
		int r;

		if (item->d_name[0] == '.') /* one that is being made, too */
			continue;
		if (n == FILES_MAX) {
			status = failed(DIRECTORY, -E2BIG);
			break;
		}
		files[n].name = talloc_strdup(files, item->d_name);
		r = files[n].name ? read_file(dirfd(folder), item->d_name, &files[n]) : -ENOMEM;
		if (r == 0)
			n++;
		else if (r != -ENOENT)
			status = failed_file(item->d_name, r);
	}
	qsort(files, n, sizeof(*files), by_name);
	metrics_print(stdout, files, n);
	if (fflush(stdout) != 0 || ferror(stdout))
		return failed("metrics", -EIO);
	return status;
}

int metrics(int argc, char *argv[])
{
	const struct command_line line = { 0 };
	int status = command_read(&line, argc, argv, NULL);
	DIR *folder;

	if (status >= 0)
		return status;
	folder = opendir(DIRECTORY);
	if (!folder && errno == ENOENT) { /* nothing ever ran */
		metrics_print(stdout, NULL, 0);
		return EXIT_SUCCESS;
	}
	if (!folder)
		return failed(DIRECTORY, -errno);
	status = print_all(folder);
	closedir(folder);
	return status;
}
