/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Take back - what clients may have of entries that changed, collected and removed at once
 *
 * An entry stands in the files under its id, and under its name as the domain writes names. Who
 * does not write the files need not know how that is: where the name is not answered as it is, and
 * could stand there without the id, the whole file is given up.
 */
#pragma once

#include "common/memcache/mcmap.h"

struct take_back_domain {
	const char *name;     /* borrowed */
	bool folds;           /* its names compare folded */
	bool has_plain_names; /* they are answered as they are */
	bool is_only;         /* there are no others: whatever is found by name is found by id */
};

struct take_back; /* a talloc object */

/* NULL without memory. */
struct take_back *take_back_new(TALLOC_CTX *mem);

/* The user (MCMAP_PASSWD) or group (MCMAP_GROUP) of that id and name; the texts are copied. id 0:
 * that is not known. Without memory: the whole file. */
void take_back_entry(struct take_back *back, const struct take_back_domain *domain,
                     enum mcmap_kind kind, uint32_t id, const char *name);

/* The groups of the user of that name, whatever they were asked by. */
void take_back_groups(struct take_back *back, const struct take_back_domain *domain,
                      const char *name);

/* Whatever is there under the id and the name, in all three files: it is somebody else's now. */
void take_back_place(struct take_back *back, uint32_t id, const char *name);

/* The whole file. */
void take_back_all(struct take_back *back, enum mcmap_kind kind);

/* Does it, and empties back. Whoever stands still in the middle of a change is waited for 3 ms at
 * most, for all files together. The last error: of mcmap_take_back(). */
int take_back_run(struct take_back *back, const char *dir);
