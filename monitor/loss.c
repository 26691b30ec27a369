/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loss - notice that what only root can put back was removed while we run
 */
#include "monitor/loss.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/event/pathwatch.h"

struct place {
	struct loss *loss; /* borrowed: our parent */
	const char *path;
	bool seen, is_dir;
	dev_t device;
	ino_t inode;
};

struct loss {
	void (*lost)(const char *path, void *data);
	void *data;
	bool told;
};

/* A socket may be replaced (systemctl restart sssd-nss.socket); a directory that was took along
 * what our processes have open. */
static bool look(struct place *place)
{
	struct stat st;

	if (stat(place->path, &st) < 0)
		return !place->seen;
	if (place->seen && place->is_dir)
		return st.st_dev == place->device && st.st_ino == place->inode;

	place->seen = true;
	place->is_dir = S_ISDIR(st.st_mode);
	place->device = st.st_dev;
	place->inode = st.st_ino;
	return true;
}

static void changed(void *data)
{
	struct place *place = data;

	if (look(place) || place->loss->told)
		return;
	place->loss->told = true;
	place->loss->lost(place->path, place->loss->data);
}

int loss_new(TALLOC_CTX *mem, struct tevent_context *ev, const char *const *paths,
             int64_t settle_ms, void (*lost)(const char *path, void *data), void *data,
             struct loss **ret_loss)
{
	auto_talloc struct loss *loss = talloc_zero(mem, struct loss);

	if (!loss)
		return -ENOMEM;
	loss->lost = lost;
	loss->data = data;
	for (; *paths; paths++) {
		struct place *place = talloc_zero(loss, struct place);
		struct pathwatch *watch;

		if (!place)
			return -ENOMEM;
		place->loss = loss;
		place->path = talloc_strdup(place, *paths);
		if (!place->path)
			return -ENOMEM;
		if (pathwatch_new(place, ev, *paths, settle_ms, changed, place, &watch) == 0)
			look(place);
	}
	*ret_loss = take_ptr(loss);
	return 0;
}
