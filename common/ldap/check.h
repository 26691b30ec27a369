/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check - with which options a domain of id_provider = ldap cannot work
 *
 * What no single row of ldap_opts tells. The check of the configuration says it with file and line
 * before anything runs; the provider asks again, and does not start with what only it can see.
 * Nothing is opened and nobody is asked.
 */
#pragma once

#include "common/conf/options.h"

enum ldap_fault_kind {
	LDAP_FAULT_WARNING, /* a part of the value is passed over */
	LDAP_FAULT_ERROR,   /* the domain cannot work */
};

struct ldap_fault {
	enum ldap_fault_kind kind;
	const char *option; /* that has to change; maybe it is not set */
	const char *text;   /* a sentence, without a secret in it */
};

/* A result below 0 ends the check, which returns it. */
typedef int ldap_fault_fn(const struct ldap_fault *fault, void *data);

/* Calls tell for each fault there is. section ("domain/A") is what conf was read from.
 * Errors: -ENOMEM; those of tell. */
int ldap_check(const struct ldap_conf *conf, const char *section, ldap_fault_fn *tell, void *data);
