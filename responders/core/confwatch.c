/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Configuration watch - notice that a process's compiled configuration is another one
 *
 * By inotify(7). What is watched are directories, those above too: any of them may be made anew.
 */
#include "responders/core/confwatch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/base/mem.h"

#define PLACES 3 /* dir/process, dir, and where that is */

struct confwatch {
	char *path; /* dir/process */
	void (*changed)(void *data);
	void *data;
	int fd; /* of inotify */
	struct tevent_fd *fde;
};

static int watch_free(struct confwatch *watch)
{
	TALLOC_FREE(watch->fde);
	if (watch->fd >= 0)
		close(watch->fd);
	return 0;
}

/* Watching one again changes nothing. */
static void watch_places(struct confwatch *watch)
{
	auto_talloc char *path = talloc_strdup(NULL, watch->path);

	for (int i = 0; path && i < PLACES; i++) {
		char *slash;

		inotify_add_watch(watch->fd, path,
		                  i == 0 ? IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
		                         : IN_CREATE | IN_MOVED_TO);
		slash = strrchr(path, '/');
		if (!slash || slash == path)
			break;
		*slash = '\0';
	}
}

static void readable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct confwatch *watch = data;
	char events[4096] __attribute__((aligned(8)));

	(void)ev;
	(void)fde;
	(void)flags;
	if (read(watch->fd, events, sizeof(events)) <= 0)
		return;
	watch_places(watch); /* one of them may have appeared, or be another one now */
	watch->changed(watch->data);
}

int confwatch_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *dir, const char *process,
                  void (*changed)(void *data), void *data, struct confwatch **ret_watch)
{
	auto_talloc struct confwatch *watch = talloc_zero(mem, struct confwatch);

	if (!watch)
		return -ENOMEM;
	watch->changed = changed;
	watch->data = data;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	talloc_set_destructor(watch, watch_free);
	if (watch->fd < 0)
		return -errno;
	watch->path = talloc_asprintf(watch, "%s/%s", dir, process);
	watch->fde = tevent_add_fd(ev, watch, watch->fd, TEVENT_FD_READ, readable, watch);
	if (!watch->path || !watch->fde)
		return -ENOMEM;
	watch_places(watch);
	*ret_watch = take_ptr(watch);
	return 0;
}
