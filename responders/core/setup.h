/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setup - the configuration of a responder as an immutable snapshot
 *
 * A reload makes a new one; a request that began under the old one keeps it (setup_pin()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "common/conf/options.h"
#include "responders/core/resp.h"
#include "responders/core/store.h"

struct domain {
	const char *name;
	struct domain_conf conf;
	struct store *store; /* counted */
};

struct setup {
	unsigned pins;
	uint64_t generation; /* 0: nothing was ever compiled */
	struct common_conf common;
	struct service_conf service;
	void *conf;             /* the responder's own options */
	struct domain *domains; /* in lookup order */
	size_t n_domains;
	bool kept_running; /* services= names this responder: no idle exit */
	uint32_t own_uid, own_gid; /* of this process: no domain is asked about them */
};

/* Reads the compiled configuration of resp. When there is none, or it is not readable, the
 * setup has defaults and no domains and the reason is logged: the responder stays up and says
 * that it cannot tell. The new setup is pinned once, for the caller.
 * Errors: -ENOMEM only. */
int setup_load(TALLOC_CTX *mem, const struct resp *resp, const struct resp_paths *paths,
               struct stores *stores, struct setup **ret_setup);

static inline struct setup *setup_pin(struct setup *setup)
{
	setup->pins++;
	return setup;
}

/* Frees the setup with its last pin. */
void setup_unpin(struct setup *setup);

/* The domain of that name (compared without ASCII case, as DNS names are), or NULL. */
const struct domain *setup_domain(const struct setup *setup, const char *name);
