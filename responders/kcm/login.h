/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logins - who has a session on this machine (systemd-logind.service(8))
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Has uid a session, or lingers (loginctl(1))? Users below LOGIN_SYSTEM_UIDS are services, which
 * never log in: they always are; and so is everybody where no logind runs. */
#define LOGIN_SYSTEM_UIDS 1000
bool login_is_here(uid_t uid);
