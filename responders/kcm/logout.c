/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Logouts - the caches of a user end with the last session
 *
 * Who was seen is remembered in the store: a session may end while nobody looks, and all of them
 * end with the boot.
 */
#include "responders/kcm/logout.h"

#include <errno.h>

#include "common/base/log.h"
#include "responders/kcm/login.h"

/* Errors: -EAGAIN some are left, and the user is still one who was seen. */
static int purge(struct kcm_store *store, uid_t uid, unsigned *left)
{
	unsigned n = 0;
	int r;

	r = kcm_store_destroy_some(store, uid, left, &n);
	if (r == 0)
		r = kcm_store_set_seen(store, uid, false);
	if ((r == 0 || r == -EAGAIN) && n > 0)
		log_info("uid %u has logged out: %u credential caches are removed", (unsigned)uid,
		         n);
	return r;
}

/* Errors: -EAGAIN there is more to do. */
static int purge_who_left(struct kcm_store *store)
{
	unsigned left = PURGE_AT_ONCE;
	uid_t uid = (uid_t)-1;
	int r;

	while ((r = kcm_store_next_seen(store, uid, &uid)) == 0) {
		if (login_of(uid) == LOGIN_AWAY)
			r = purge(store, uid, &left);
		if (r < 0)
			return r;
		if (uid == (uid_t)-2)
			return 0;
	}
	return r == -ENOENT ? 0 : r;
}

static int see_who_is_here(struct kcm_store *store, bool *ret_any)
{
	char name[CCACHE_NAME_MAX + 1] = "";
	struct ccache ccache = { 0 };
	uid_t last = (uid_t)-1;
	bool seen;
	int r;

	*ret_any = false;
	while ((r = kcm_store_next_of_all(store, name, &ccache)) == 0) {
		*ret_any = true;
		if (ccache.uid == last)
			continue;
		last = ccache.uid;
		r = kcm_store_is_seen(store, last, &seen);
		if (r == 0 && !seen && login_of(last) == LOGIN_HERE)
			r = kcm_store_set_seen(store, last, true);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

int logouts_run(struct kcm_store *store, bool *ret_any, bool *ret_more)
{
	int r;

	r = kcm_store_begin(store, true);
	if (r < 0)
		return r;
	r = purge_who_left(store);
	*ret_more = r == -EAGAIN;
	if (r == 0 || r == -EAGAIN)
		r = see_who_is_here(store, ret_any);
	return kcm_store_end(store, r);
}
