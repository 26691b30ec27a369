/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ownership - release at the end of the scope, hand over in one visible word
 */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>

/* DEFINE_CLEANUP(MDB_txn *, mdb_txn_abort), written once beside the wrapper of a library, lets
 * a function there say: cleanup_with(mdb_txn_abort) MDB_txn *txn = NULL; */
#define DEFINE_CLEANUP(type, release)           \
	static inline void release##_p(type *p) \
	{                                       \
		if (*p)                         \
			release(*p);            \
	}
#define cleanup_with(release) __attribute__((cleanup(release##_p)))

/* Works on a pointer to any talloc pointer; memcpy keeps it within the aliasing rules. */
static inline void talloc_free_any(void *p)
{
	void *ptr;

	memcpy(&ptr, p, sizeof(ptr));
	talloc_free(ptr);
}
#define auto_talloc __attribute__((cleanup(talloc_free_any)))

static inline void free_any(void *p)
{
	void *ptr;

	memcpy(&ptr, p, sizeof(ptr));
	free(ptr);
}
#define auto_free __attribute__((cleanup(free_any)))

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define auto_close __attribute__((cleanup(close_fd)))

/* The value of the variable p, which is NULL afterwards: ownership leaves this scope. */
#define take_ptr(p)                               \
	__extension__({                           \
		__typeof__(p) *take_from = &(p);  \
		__typeof__(p) taken = *take_from; \
		*take_from = NULL;                \
		taken;                            \
	})
