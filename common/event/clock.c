/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clock - see clock.h
 */
#include "common/event/clock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"

/* Never due: only the clock's being set ends it. */
#define NEVER_S (sizeof(time_t) > 4 ? INT64_MAX : INT32_MAX)

struct watch {
	int fd;
	struct tevent_fd *fde;
	void (*was_set)(void *data);
	void *data;
};

static void arm(const struct watch *watch)
{
	struct itimerspec never = { .it_value.tv_sec = (time_t)NEVER_S };

	/* -ECANCELED: it was set once more; that is armed all the same, and told together. */
	timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void readable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct watch *watch = data;
	uint64_t unused;

	(void)ev;
	(void)fde;
	(void)flags;
	if (read(watch->fd, &unused, sizeof(unused)) < 0 && errno == EAGAIN)
		return;
	arm(watch);
	watch->was_set(watch->data);
}

static int watch_free(struct watch *watch)
{
	TALLOC_FREE(watch->fde);
	close_fd(&watch->fd);
	return 0;
}

int clock_watch(TALLOC_CTX *mem, struct tevent_context *ev, void (*was_set)(void *data), void *data)
{
	auto_talloc struct watch *watch = talloc_zero(mem, struct watch);

	if (!watch)
		return -ENOMEM;
	watch->was_set = was_set;
	watch->data = data;
	watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	talloc_set_destructor(watch, watch_free);
	arm(watch);
	watch->fde = tevent_add_fd(ev, watch, watch->fd, TEVENT_FD_READ, readable, watch);
	if (!watch->fde)
		return -ENOMEM;
	take_ptr(watch); /* it is mem's */
	return 0;
}
