/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registration - our side of the connection to it: we register, report our state, and take commands
 *
 * Everything works without a monitor; the connection is tried for ever.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

/* What the monitor may want. None may be NULL; all run from the loop. */
struct registration_hooks {
	void (*rotate_logs)(void *data);
	void (*go_offline)(void *data);
	void (*reset_offline)(void *data);
	void (*network_changed)(void *data);
	/* Of the configuration, maybe a new one. True: this process ends, so that one with the new
	 * options takes over; the monitor is told by the end itself. */
	bool (*generation)(uint64_t generation, void *data);
	void (*drain)(void *data);
};

struct registration; /* a talloc object */

/* name: as in RegistrationService ("%BE_LDAP"). All borrowed. */
int registration_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *path, const char *name,
                     const struct registration_hooks *hooks, void *data,
                     struct registration **ret_registration);

/* Tells the state, now or when the monitor is there. */
void registration_report(struct registration *self, const char *state);
