/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logins - who has a session on this machine
 */
#include "responders/kcm/login.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "common/base/mem.h"

#define USERS_DIR "/run/systemd/users" /* logind's */

enum login login_of(uid_t uid)
{
	auto_free char *state = NULL;

	if (uid < LOGIN_SYSTEM_UIDS || access(USERS_DIR, F_OK) < 0 ||
	    sd_uid_get_state(uid, &state) < 0)
		return LOGIN_UNKNOWN;
	/* "closing": the last session has ended, and some process stays behind. */
	return strcmp(state, "offline") != 0 && strcmp(state, "closing") != 0 ? LOGIN_HERE
	                                                                      : LOGIN_AWAY;
}

struct login_watch {
	sd_login_monitor *monitor; /* owned */
	struct tevent_fd *fde;     /* owned */
	void (*changed)(void *data);
	void *data;
};

static int watch_gone(struct login_watch *watch)
{
	TALLOC_FREE(watch->fde);
	sd_login_monitor_unref(watch->monitor);
	return 0;
}

static void something_changed(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                              void *data)
{
	struct login_watch *watch = data;

	(void)ev;
	(void)fde;
	(void)flags;
	sd_login_monitor_flush(watch->monitor);
	watch->changed(watch->data);
}

int login_watch_new(TALLOC_CTX *mem, struct tevent_context *ev, void (*changed)(void *data),
                    void *data, struct login_watch **ret_watch)
{
	auto_talloc struct login_watch *watch = talloc_zero(mem, struct login_watch);
	int r;

	if (!watch)
		return -ENOMEM;
	r = sd_login_monitor_new("uid", &watch->monitor);
	if (r < 0)
		return r;
	talloc_set_destructor(watch, watch_gone);
	watch->changed = changed;
	watch->data = data;
	watch->fde = tevent_add_fd(ev, watch, sd_login_monitor_get_fd(watch->monitor),
	                           TEVENT_FD_READ, something_changed, watch);
	if (!watch->fde)
		return -ENOMEM;

	*ret_watch = take_ptr(watch);
	return 0;
}
