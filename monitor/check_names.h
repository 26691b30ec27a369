/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check of the options about names - for check.c and check_domain.c only
 */
#pragma once

#include "monitor/check_domain.h"

/* Judges re_expression and full_name_format of section. Errors: -ENOMEM. */
int check_names(struct conf_report *report, const char *section);

/* Are all that option of [sssd] lists, or names, domains? Errors: -ENOMEM. */
int check_domain_names(struct conf_report *report, const char *option);
