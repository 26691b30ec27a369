/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filter - search filters from typed parts (RFC 4515)
 *
 * Values come from clients and servers; whatever bytes they hold, they stay values. Attribute names
 * and whole filters come from the configuration and are checked when it is read.
 */
#pragma once

#include <stdint.h>
#include <talloc.h>

#include "common/wire/writer.h"

struct filter {
	struct writer out;
	unsigned depth;
};

struct filter filter_new(void);

/* "(&", "(|" or "(!", and the parenthesis that ends it. */
void filter_open(struct filter *filter, char operation);
void filter_close(struct filter *filter);

/* (attr=value), each byte of value that is not a plain letter, digit or one of "-_.@ " as \xx. */
void filter_equal(struct filter *filter, const char *attr, const char *value);
void filter_equal_number(struct filter *filter, const char *attr, uint32_t value);

/* (attr=*) */
void filter_present(struct filter *filter, const char *attr);

/* A filter of the configuration as it is; NULL adds nothing. */
void filter_raw(struct filter *filter, const char *text);

/* The text, on mem; filter is empty afterwards. Errors: -ENOMEM; -EMSGSIZE over 1 MiB. */
int filter_end(struct filter *filter, TALLOC_CTX *mem, char **ret_text);
