/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * KCM responder - Kerberos credential caches for libkrb5 ("KCM:")
 *
 * It asks nobody and needs nobody: no monitor, no backend, no configuration.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/event/timer.h"
#include "common/wire/frame.h"
#include "common/wire/kcm.h"
#include "responders/core/resp.h"
#include "responders/core/store.h"
#include "responders/kcm/env.h"
#include "responders/kcm/kcm.h"
#include "responders/kcm/login.h"
#include "responders/kcm/logout.h"
#include "responders/kcm/renew.h"
#include "responders/kcm/settled.h"

#define LOCK_WAIT_MS     1000
#define LOCK_PAUSE_MS    10
#define LOOK_INTERVAL_MS 60000 /* what expired is gone within two of them */
#define LOOK_SOON_MS     1000
#define LOOK_MORE_MS     10
#define LOOK_AGAIN_MS    10000 /* after one that failed: there may be room on the disk again */
#define UID_SHARE        16    /* no user fills the map */
#define STAY_S           600   /* ending would only mean to begin again */
#define LOGOUT_S         600   /* between two looks at who has left, if nobody tells of it */

struct kcm {
	struct tevent_context *ev;
	const char *dir;         /* borrowed */
	struct vault *vault;     /* NULL without a key */
	struct kcm_store *store; /* NULL while it cannot be opened */
	int failed;              /* why; 0 = it was not tried, or could be */
	int64_t retry_us;        /* not before */
	struct kcm_store_limits limits;
	struct timer *look; /* runs only while something will have to be done */
	int64_t look_us;    /* when it fires */
	const char *due;    /* owned: the file that says when */
	int64_t due_s;      /* of the wall clock; 0 = nothing will, -1 = not known */
	int noted;          /* 0 = the file says so, else why not */
	struct settled settled;
	int removed, renewed; /* what became of it when we looked last */
	bool ending;
	struct renewals *renewals;
	bool purge_at_logout;
	struct login_watch *logins; /* NULL unless purge_at_logout */
	int64_t interval_ms;        /* no later after a request than this */
};

/* The file was removed, exchanged or damaged, or LMDB gave it up: the next request opens it again.
 */
static bool must_reopen(int r)
{
	return r == -E_CACHE_REPLACED || r == -E_CACHE_DAMAGED || r == -EIO;
}

/* ---- what expires, and what is to be renewed ---- */

static void look(void *data);
static int open_store(struct kcm *kcm);

/* Or sooner, if that was said before. */
static void look_in(struct kcm *kcm, int64_t ms)
{
	int64_t at_us = monotonic_us() + ms * 1000;

	if (kcm->ending || (kcm->look && kcm->look_us <= at_us))
		return;
	kcm->look_us = at_us;
	if (kcm->look)
		timer_again(kcm->look, ms);
	else
		kcm->look = timer_once(kcm, kcm->ev, ms, look, kcm);
}

/* A full disk is full each time we look: that is said once, and once when it has passed. */
static void note_result(int *last, int r, const char *what)
{
	if (r < 0 && r != *last)
		log_warn("%s: %s; it is tried again", what, error_text(r));
	else if (r == 0 && *last < 0)
		log_notice("%s: it works again", what);
	*last = r;
}

static int write_due(const struct kcm *kcm)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = kcm->due_s } };
	auto_close int fd = open(kcm->due, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct writer out = writer_new(64);
	int r;

	settled_write(&kcm->settled, &out);
	r = writer_end(&out);
	if (r == 0 && (fd < 0 || pwrite(fd, out.bytes, out.size, 0) != (ssize_t)out.size))
		r = -errno;
	writer_free(&out);
	/* On a full disk the time is worth more than what it says of the clock. */
	if (fd >= 0 && futimens(fd, times) < 0)
		r = -errno;
	return r;
}

/* sssd-kcm.timer starts us once the time of this file has come; there is none while nothing is kept
 * that will expire. Without it (it is no more than a hint) what expired goes with our next start,
 * so who could not write it stays, and tries again. */
static void note_due(struct kcm *kcm, int64_t due_s)
{
	int r = 0;

	kcm->due_s = due_s;
	if (due_s != 0)
		r = write_due(kcm);
	else if (unlink(kcm->due) < 0 && errno != ENOENT)
		r = -errno;
	note_result(&kcm->noted, r, kcm->due);
	if (r < 0)
		look_in(kcm, LOOK_INTERVAL_MS);
}

static void read_due(struct kcm *kcm)
{
	auto_talloc char *bytes = NULL;
	size_t size;

	kcm->settled = settled_begin(walltime_now(), boottime_now());
	if (fd_read_file(NULL, kcm->due, 64, &bytes, &size) == 0)
		settled_read(&kcm->settled, reader_over(bytes, size));
}

static int64_t settled_now_s(struct kcm *kcm)
{
	return settled_s(&kcm->settled, walltime_now(), boottime_now());
}

static int purge(struct kcm *kcm, int64_t now_s, int64_t *ret_next_s)
{
	int r = kcm_store_begin(kcm->store, true);

	return r < 0 ? r
	             : kcm_store_end(kcm->store,
	                             kcm_store_purge(kcm->store, now_s, PURGE_AT_ONCE, ret_next_s));
}

/* When to look again for what is next at next_s, which may be now. */
static int64_t wait_ms(int64_t now_s, int64_t next_s)
{
	if (next_s <= now_s)
		return LOOK_MORE_MS;
	return next_s - now_s < LOOK_INTERVAL_MS / 1000 ? (next_s - now_s) * 1000
	                                                : LOOK_INTERVAL_MS;
}

/* Whose session ends while we do not run, or with the boot, is seen when we start again: as long as
 * there are caches, whatever is in them, that is soon. */
static int64_t logout_s(const struct kcm *kcm, int64_t now_s)
{
	return kcm->ending ? now_s : now_s + LOGOUT_S;
}

/* Nobody may ask for long, and what is kept is to be renewed all the same. Without a directory
 * there is nothing any more, and this process may end. */
static void look_in_vain(struct kcm *kcm)
{
	int r = kcm->ending ? 0 : open_store(kcm); /* which looks */

	if (r == -ENOENT)
		kcm->due_s = 0;
	else if (r < 0)
		look_in(kcm, LOOK_INTERVAL_MS);
}

static void look(void *data)
{
	struct kcm *kcm = data;
	int64_t now_s = settled_now_s(kcm), next_s = 0, renewal_s = 0;
	bool any = false, more = false;
	int r = 0;

	kcm->look = NULL;
	if (!kcm->store) {
		look_in_vain(kcm);
		return;
	}
	if (kcm->purge_at_logout)
		r = logouts_run(kcm->store, &any, &more);
	if (r == 0)
		r = purge(kcm, now_s, &next_s);
	note_result(&kcm->removed, r, "removal of expired tickets, and those of who left");
	/* One user's record that cannot be removed keeps nobody's tickets from being renewed. */
	if (!must_reopen(r)) {
		int renewed = renewals_run(kcm->renewals, now_s, &renewal_s);

		note_result(&kcm->renewed, renewed, "renewal of tickets");
		if (r == 0 || must_reopen(renewed))
			r = renewed;
	}
	if (must_reopen(r))
		TALLOC_FREE(kcm->store);
	if (r < 0) {
		look_in(kcm, LOOK_AGAIN_MS);
		return;
	}
	/* Expired tickets are found by nobody: they need not go at their second. */
	if (next_s > 0)
		look_in(kcm, next_s > now_s ? LOOK_INTERVAL_MS : LOOK_MORE_MS);
	if (renewal_s > 0)
		look_in(kcm, wait_ms(now_s, renewal_s));
	if (renewal_s > 0 && renewal_s < next_s)
		next_s = renewal_s;
	if (any || more) {
		look_in(kcm, more ? LOOK_MORE_MS : LOOK_INTERVAL_MS);
		if (next_s == 0 || next_s > logout_s(kcm, now_s))
			next_s = logout_s(kcm, now_s);
	}
	if (next_s != kcm->due_s || kcm->noted < 0 || kcm->ending)
		note_due(kcm, next_s);
}

static void look_now(void *data)
{
	look_in(data, 0);
}

/* The last that is done: what came since we looked last may be due before all others. */
static int kcm_gone(struct kcm *kcm)
{
	TALLOC_FREE(kcm->look);
	kcm->ending = true;
	renewals_end(kcm->renewals);
	look(kcm);
	return 0;
}

/* Without systemd there is no timer to look at the file, and nobody else to see who logs out. */
static bool stays(void *service)
{
	struct kcm *kcm = service;

	if (kcm->due_s > 0 && (kcm->noted < 0 || kcm->logins || sd_booted() <= 0))
		return true;
	return renewals_busy(kcm->renewals) ||
	       (kcm->due_s > 0 && kcm->due_s - walltime_now().s < STAY_S);
}

/* ---- the service ---- */

/* A key that is there and cannot be used is no reason to do without. */
static int open_vault(struct kcm *kcm)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY"); /* systemd.exec(5) */
	int r;

	if (kcm->vault || !dir)
		return 0;
	r = vault_open(kcm, dir, &kcm->vault);
	return r == -ENOENT ? 0 : r;
}

/* What failed slowly, a check without an end, is not tried again before as much time has passed:
 * each of those who wait would have to wait for another one. */
static int open_store(struct kcm *kcm)
{
	int64_t start_us = monotonic_us(), now_us;
	int r;

	if (start_us < kcm->retry_us)
		return kcm->failed;
	r = open_vault(kcm);
	if (r == 0)
		r = kcm_store_open(kcm, kcm->dir, kcm->vault, &kcm->store);
	now_us = monotonic_us();
	kcm->retry_us = r < 0 ? now_us + (now_us - start_us) : 0;
	if (r < 0 && r != kcm->failed)
		log_error("credential caches in %s cannot be opened: %s", kcm->dir, error_text(r));
	kcm->failed = r;
	if (r < 0)
		return r;
	kcm_store_set_limits(kcm->store, &kcm->limits);
	TALLOC_FREE(kcm->look);
	kcm->due_s = -1; /* whatever the file says */
	look(kcm);
	return kcm->store ? 0 : -E_CACHE_REPLACED;
}

static void watch_logins(struct kcm *kcm)
{
	int r;

	if (!kcm->purge_at_logout)
		TALLOC_FREE(kcm->logins);
	if (!kcm->purge_at_logout || kcm->logins)
		return;
	r = login_watch_new(kcm, kcm->ev, look_now, kcm, &kcm->logins);
	if (r < 0)
		log_warn("purge_at_logout: nobody tells who logs out: %s", error_text(r));
}

static void reload(void *service, const void *conf)
{
	const struct kcm_conf *options = conf;
	struct kcm *kcm = service;

	kcm->limits = (struct kcm_store_limits){
		.ccaches = options->max_ccaches,
		.uid_ccaches = options->max_uid_ccaches,
		.ccache_size = (uint64_t)options->max_ccache_size_kib * 1024,
		.uid_size = KCM_MAP_SIZE / UID_SHARE,
	};
	renewals_configure(kcm->renewals, options);
	kcm->purge_at_logout = options->purge_at_logout;
	watch_logins(kcm);
	kcm->interval_ms =
		options->tgt_renewal || options->purge_at_logout ? LOOK_SOON_MS : LOOK_INTERVAL_MS;
	if (kcm->store) {
		kcm_store_set_limits(kcm->store, &kcm->limits);
		look_in(kcm, 0);
	}
}

/* The one before us may not have closed the store yet: who asks first shall not hear of that.
 * Nobody is served yet, so this may wait. */
static void open_store_first(struct kcm *kcm)
{
	struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000 };
	struct deadline deadline = deadline_in_ms(LOCK_WAIT_MS);

	while (open_store(kcm) == -EBUSY && !deadline_passed(deadline))
		nanosleep(&pause, NULL);
}

static int start(TALLOC_CTX *mem, struct tevent_context *ev, const struct resp_paths *paths,
                 const void *conf, void **ret_service)
{
	struct kcm *kcm = talloc_zero(mem, struct kcm);

	if (!kcm)
		return -ENOMEM;
	/* Tickets pass through buffers of LMDB, too: what is freed is overwritten (mallopt(3)). */
	mallopt(M_PERTURB, 0xa5);
	kcm->ev = ev;
	kcm->dir = paths->secrets_dir;
	kcm->due = talloc_asprintf(kcm, "%s/due", kcm->dir);
	kcm->renewals = renewals_new(kcm, ev, &kcm->store, KCM_RENEW_SOCKET, look_now, kcm);
	if (!kcm->due || !kcm->renewals) {
		talloc_free(kcm);
		return -ENOMEM;
	}
	talloc_set_destructor(kcm, kcm_gone);
	read_due(kcm);
	reload(kcm, conf);
	open_store_first(kcm); /* if it cannot be: every request says so, and tries again */
	*ret_service = kcm;
	return 0;
}

/* A file that was removed, exchanged or damaged is opened again, and the request has its answer
 * from there. A directory that is missing is not ours to make: the service manager does when it
 * starts us the next time. */
static int answer(void *service, const struct peer *caller, struct reader *in, struct writer *out,
                  struct resp_place *place, struct resp_served *ret_served)
{
	struct ccache_walk walk;
	struct reader again = *in;
	struct kcm *kcm = service;
	int r = -E_CACHE_REPLACED;

	static_assert(sizeof(walk) <= sizeof(place->bytes), "a walk has its place");
	memcpy(&walk, place->bytes, sizeof(walk));
	if (kcm->store)
		r = kcm_answer(kcm->store, caller->uid, settled_now_s(kcm), in, out, &walk,
		               ret_served);
	if (must_reopen(r)) {
		TALLOC_FREE(kcm->store);
		r = open_store(kcm);
		if (r < 0) {
			kcm_refuse(out, r);
			return r == -ENOENT ? -E_CACHE_REPLACED : r;
		}
		writer_reset(out);
		r = kcm_answer(kcm->store, caller->uid, settled_now_s(kcm), &again, out, &walk,
		               ret_served);
	}
	memcpy(place->bytes, &walk, sizeof(walk));
	look_in(kcm, kcm->interval_ms);
	return r;
}

static const struct resp_service service = {
	.request_max = KCM_MESSAGE_MAX + FRAME_BE_SIZE,
	.reply_max = KCM_MESSAGE_MAX + 2 * FRAME_BE_SIZE,
	.start = start,
	.reload = reload,
	.stays = stays,
	.answer = answer,
};

static const struct resp kcm = {
	.name = "kcm",
	.service = &service,
	.opts = kcm_opts,
	.conf_size = sizeof(struct kcm_conf),
	.service_opts = kcm_service_opts,
	.secretive = true,
};

int main(int argc, char *argv[])
{
	return resp_main(&kcm, argc, argv);
}
