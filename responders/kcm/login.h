/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logins - who has a session on this machine (systemd-logind.service(8))
 */
#pragma once

#include <sys/types.h>
#include <talloc.h>
#include <tevent.h>

/* Users below are services: they never log in. */
#define LOGIN_SYSTEM_UIDS 1000

enum login {
	LOGIN_UNKNOWN, /* a service, or no logind runs */
	LOGIN_HERE,    /* has a session, or lingers (loginctl(1)) */
	LOGIN_AWAY,
};
enum login login_of(uid_t uid);

struct login_watch; /* a talloc object */

/* changed is called when a session has begun or ended, or may have.
 * Errors: -ENOMEM; those of sd_login_monitor_new(3), where no logind runs. */
int login_watch_new(TALLOC_CTX *mem, struct tevent_context *ev, void (*changed)(void *data),
                    void *data, struct login_watch **ret_watch);
