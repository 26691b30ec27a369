/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Check of one domain - what no single option tells
 */
#pragma once

#include "monitor/check.h"

/* Adds what is wrong with the enabled domain as a whole to the findings. Errors: -ENOMEM. */
int check_domain(struct conf_report *report, const char *domain);

/* Names the domains that start and whose ranges of ids, min_id to max_id, overlap: the first one
 * then answers for the ids of both. A note where nobody wrote a range. Errors: -ENOMEM. */
int check_ranges(struct conf_report *report);

/* Adds a finding about section; where may be NULL. An error refuses the domain of the section.
 * Errors: -ENOMEM. */
int finding_add(struct conf_report *report, const char *rule, enum finding_severity severity,
                const char *section, const struct conf_value *where, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
