/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logins - who has a session on this machine
 */
#include "responders/kcm/login.h"

#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "common/base/mem.h"

#define USERS_DIR "/run/systemd/users" /* logind's */

bool login_is_here(uid_t uid)
{
	auto_free char *state = NULL;

	if (uid < LOGIN_SYSTEM_UIDS || access(USERS_DIR, F_OK) < 0)
		return true;
	if (sd_uid_get_state(uid, &state) < 0)
		return true; /* it cannot be told */
	/* "closing": the last session has ended, and some process stays behind. */
	return strcmp(state, "offline") != 0 && strcmp(state, "closing") != 0;
}
