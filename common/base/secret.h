/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Secrets - passwords and keys
 *
 * The bytes live in memory of their own that is locked (mlock(2), where the limit allows), left
 * out of core dumps (MADV_DONTDUMP) and wiped before it is given back. There is no function that
 * turns a secret into a log line, and none should be written.
 */
#pragma once

#include <stddef.h>
#include <talloc.h>

struct secret; /* a talloc object: talloc_free() wipes it */

/* A copy of size bytes, a NUL behind them. The caller wipes its own copy (secret_wipe()).
 * Errors: -ENOMEM; -EINVAL size is over 64 KiB. */
int secret_new(TALLOC_CTX *mem, const void *bytes, size_t size, struct secret **ret_secret);

const char *secret_bytes(const struct secret *secret);
size_t secret_size(const struct secret *secret);

/* Zeroes memory in a way the compiler may not drop. */
void secret_wipe(void *bytes, size_t size);
