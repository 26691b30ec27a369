/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - opens the domain's cache for writing, however damaged what is there may be
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#include "common/cache/cache.h"

/* Opens the cache. A file that must be walked first is walked by a child (sssd_be --check); one
 * that is damaged is set aside and a new one begun. What only time can mend (another writer, a
 * full disk) is tried again for as long as the request lives, with a line in the log; meanwhile
 * *error says why, else it is 0. options and error are borrowed for as long. */
struct tevent_req *store_open_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                   const struct cache_options *options, int *error);

/* Errors: -ENOMEM; the child could not be started. */
int store_open_recv(struct tevent_req *req, TALLOC_CTX *mem, struct cache_writer **ret_writer);

/* What the child does: walks the cache whose data file is at path. The exit status of the process:
 * 0 it is sound, 2 it is not, 1 it could not be looked at. */
int store_check_main(const char *path);
