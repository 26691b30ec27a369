/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A store for a fuzzer, which lives as long as it does
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "responders/kcm/store.h"
#include "tests/fuzz/require.h"

static struct kcm_store *store;
static char dir[] = "/tmp/kcm-fuzz-XXXXXX";

static void close_store(void)
{
	static const char *const names[] = { "kcm.mdb", "kcm.mdb-state" };
	char path[64];

	TALLOC_FREE(store);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static inline void open_store(void)
{
	require(mkdtemp(dir) != NULL);
	require(kcm_store_open(NULL, dir, NULL, &store) == 0);
	atexit(close_store);
}
