/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Path watch - notice that a file changed, was replaced, or that a symlink on the way to it did
 *
 * What is watched are directories (inotify(7)): that of the path, and in turn those of the targets
 * of symlinks (/etc/resolv.conf → ../run/systemd/resolve/stub-resolv.conf). The names in them that
 * matter are collected anew after each change.
 */
#include "common/event/pathwatch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/event/timer.h"

#define LINKS_MAX 8

/* Of a directory's entries: written, replaced, removed, linked. */
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ONLYDIR)

struct pathwatch {
	struct tevent_context *ev; /* borrowed */
	char *path;
	int64_t settle_ms;
	void (*changed)(void *data);
	void *data;

	int fd; /* of inotify */
	struct tevent_fd *fde;
	struct timer *settle; /* while a burst lasts */
	unsigned n_steps;     /* 0: it rests */
	struct step {
		int wd;
		char *name; /* owned: the entry that matters in the directory */
	} steps[LINKS_MAX];
};

static int watch_free(struct pathwatch *watch)
{
	TALLOC_FREE(watch->fde);
	if (watch->fd >= 0)
		close(watch->fd);
	return 0;
}

/* The path a symlink in dir leads to, one step. NULL when path is no symlink. */
static char *next_path(TALLOC_CTX *mem, const char *dir, const char *path)
{
	char target[PATH_MAX];
	ssize_t size = readlink(path, target, sizeof(target) - 1);

	if (size <= 0)
		return NULL;
	target[size] = '\0';
	return target[0] == '/' ? talloc_strdup(mem, target)
	                        : talloc_asprintf(mem, "%s/%s", dir, target);
}

/* Follows the path and watches each directory on the way. */
static int collect(struct pathwatch *watch)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	char *path = talloc_strdup(mem, watch->path), *slash, *name;

	for (; watch->n_steps > 0; watch->n_steps--)
		TALLOC_FREE(watch->steps[watch->n_steps - 1].name);
	for (; path && watch->n_steps < LINKS_MAX; watch->n_steps++) {
		struct step *step = &watch->steps[watch->n_steps];
		char *dir = talloc_strdup(mem, path);

		slash = dir ? strrchr(dir, '/') : NULL;
		if (!slash)
			return -EINVAL;
		name = slash + 1;
		*slash = '\0';
		/* The same directory again is the same number. */
		step->wd = inotify_add_watch(watch->fd, *dir ? dir : "/", EVENTS);
		if (step->wd < 0)
			return watch->n_steps == 0 ? -errno : 0; /* a link into nowhere */
		step->name = talloc_strdup(watch, name);
		if (!step->name)
			return -ENOMEM;
		path = next_path(mem, *dir ? dir : "/", path);
	}
	return 0;
}

static void settled(void *data)
{
	struct pathwatch *watch = data;

	watch->settle = NULL; /* freed by its firing */
	collect(watch);
	watch->changed(watch->data);
}

static bool matters(const struct pathwatch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return watch->n_steps > 0;
	for (unsigned i = 0; i < watch->n_steps; i++)
		if (watch->steps[i].wd == event->wd &&
		    (event->mask & IN_IGNORED ||
		     (event->len > 0 && strcmp(watch->steps[i].name, event->name) == 0)))
			return true;
	return false;
}

static void readable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct pathwatch *watch = data;
	_Alignas(struct inotify_event) char events[4096];
	ssize_t size;

	(void)ev;
	(void)fde;
	(void)flags;
	size = read(watch->fd, events, sizeof(events));
	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event = (const void *)(events + at);

		if (matters(watch, event) && !watch->settle)
			watch->settle =
				timer_once(watch, watch->ev, watch->settle_ms, settled, watch);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

int pathwatch_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path, int64_t settle_ms,
                  void (*changed)(void *data), void *data, struct pathwatch **ret_watch)
{
	auto_talloc struct pathwatch *watch = talloc_zero(mem, struct pathwatch);
	int r;

	if (!watch)
		return -ENOMEM;
	watch->ev = ev;
	watch->settle_ms = settle_ms;
	watch->changed = changed;
	watch->data = data;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	talloc_set_destructor(watch, watch_free);
	watch->path = talloc_strdup(watch, path);
	if (watch->fd < 0)
		return -errno;
	if (!watch->path)
		return -ENOMEM;

	r = collect(watch);
	if (r < 0)
		return r;
	watch->fde = tevent_add_fd(ev, watch, watch->fd, TEVENT_FD_READ, readable, watch);
	if (!watch->fde)
		return -ENOMEM;
	*ret_watch = take_ptr(watch);
	return 0;
}

void pathwatch_rest(struct pathwatch *watch)
{
	TALLOC_FREE(watch->settle);
	for (; watch->n_steps > 0; watch->n_steps--) {
		inotify_rm_watch(watch->fd, watch->steps[watch->n_steps - 1].wd);
		TALLOC_FREE(watch->steps[watch->n_steps - 1].name);
	}
}

int pathwatch_resume(struct pathwatch *watch)
{
	int r = collect(watch);

	if (r < 0)
		pathwatch_rest(watch);
	return r;
}
