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
#include <string.h>
#include <strings.h>
#include <talloc.h>

#include "common/conf/naming.h"
#include "common/conf/options.h"
#include "responders/core/resp.h"
#include "responders/core/store.h"

/* How the names of a domain are written and read: names.h. All zero: names as they are, and names
 * with a domain only by their '@'. */
struct naming {
	const struct name_pattern *pattern; /* NULL: the last '@' separates */
	const char *format;                 /* of answers; NULL: without the domain */
	bool qualified_only;                /* a name without a domain is not looked for here */
	char space;                         /* in place of spaces; '\0': spaces */
	bool folds;                         /* answers are folded */
};

struct domain {
	const char *name;
	struct domain_conf conf;
	struct naming naming;
	struct store *store; /* counted */
};

struct setup {
	unsigned pins;
	uint64_t generation; /* 0: nothing was ever compiled */
	const struct conf *compiled;
	struct sssd_conf sssd;
	struct common_conf common;
	struct service_conf service;
	void *conf;             /* the responder's own options */
	struct domain *domains; /* in lookup order */
	size_t n_domains;
	bool kept_running; /* services= names this responder: no idle exit */
	uint32_t own_uid, own_gid; /* of this process: no domain is asked about them */
};

/* Is the domain's name the size bytes at name? Without ASCII case, as DNS names are compared. */
static inline bool domain_is_called(const struct domain *domain, const char *name, size_t size)
{
	return strlen(domain->name) == size && strncasecmp(domain->name, name, size) == 0;
}

/* Reads the compiled configuration of resp. When there is none, or it is not readable, the
 * setup has defaults and no domains and the reason is logged: the responder stays up and says
 * that it cannot tell. The new setup is pinned once, for the caller.
 * Errors: -ENOMEM only. */
int setup_load(TALLOC_CTX *mem, const struct resp *resp, const struct resp_paths *paths,
               struct stores *stores, struct setup **ret_setup);

/* The first of the options of resp that only a new process takes (OPT_RESTART) and that both set in
 * different ways, or only one sets; NULL when there is none. */
const char *setup_restarts(const struct resp *resp, const struct setup *a, const struct setup *b);

static inline struct setup *setup_pin(struct setup *setup)
{
	setup->pins++;
	return setup;
}

/* Frees the setup with its last pin. */
void setup_unpin(struct setup *setup);

/* The domain whose name is the size bytes at name, or NULL. */
const struct domain *setup_domain(const struct setup *setup, const char *name, size_t size);
