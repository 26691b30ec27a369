/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names - what a client wrote, as a domain reads it; and what it is answered: re_expression,
 * full_name_format, use_fully_qualified_names, override_space, case_sensitive (sssd.conf(5))
 */
#pragma once

#include <stdbool.h>
#include <talloc.h>

#include "responders/core/setup.h"

/* Fills domain->naming from what its conf and sssd say; what it owns hangs below mem. An expression
 * or format that cannot be used is logged, and the default holds. Errors: -ENOMEM. */
int naming_of(TALLOC_CTX *mem, const struct sssd_conf *sssd, struct domain *domain);

/* The name that text may be in the domain, in ret_name, which has room for PROTO_NAME_MAX bytes and
 * a NUL. False: text names another domain, or none where one is needed, or is too long. */
bool names_read(const struct domain *domain, const char *text, char *ret_name);

/* The same for a text that may be a name as a whole, a principal or a mail address most likely: it
 * has an '@', is not what names_read() makes of it, and names none of the domains; with even_own,
 * this one may be named. */
bool names_read_whole(const struct setup *setup, const struct domain *domain, const char *text,
                      bool even_own, char *ret_name);
