/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewals - which tickets are due, asked for at the helper, and put back
 *
 *   renewals_run ─ due, user is here ─▶ put off ─▶ helper ─ renewed ──▶ in place of the old one
 *                                                     └─ refused, or no answer ─▶ tried again then
 *
 * A ticket is put off before the helper is asked, in the store, and nobody is asked before that is
 * committed: whatever ends meanwhile, or is full, it is tried again, and not at once. What the user
 * did meanwhile counts: a ticket that is not there any more is not put back.
 *
 * Those that are due are taken in the order of their times, whosever they are, but of one user no
 * more than PER_USER at once, and after one that failed none for a while: a KDC that never answers,
 * or always refuses, which a user can name, holds up that one's tickets and nobody else's.
 */
#include "responders/kcm/renew.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "common/event/ask.h"
#include "responders/kcm/login.h"
#include "responders/kcm/renew_proto.h"

#define AT_ONCE      8
#define PER_USER     2
#define WAIT_MIN_S   5    /* between two tries, however soon the ticket ends */
#define SPARE_MS     2000 /* what the helper may need besides */
#define LOOK_AT_ONCE 256  /* tickets put off in one turn of the loop */

/* After a conversation that failed; twice as long each time, for the same user. */
#define PAUSE_MIN_S 1
#define PAUSE_MAX_S 60
#define PAUSE_OLD_S 300 /* so long after it, it is forgotten */
#define SECOND_US   INT64_C(1000000)

struct pause {
	uid_t uid;
	int64_t until_us; /* of the monotonic clock */
	uint32_t next_s;  /* the next one takes so long */
};

struct renewals {
	struct tevent_context *ev;
	struct kcm_store **store; /* borrowed */
	void (*changed)(void *data);
	void *data;
	const char *socket; /* borrowed: the helper's */
	bool on, validate, ended;
	uint32_t interval_s, limit_s;
	struct renewal *places[AT_ONCE]; /* NULL = free */
	struct pause *pauses;            /* owned */
	unsigned n_pauses;
};

/* One ticket on its way. */
struct renewal {
	struct renewals *renewals;
	uid_t uid;
	uint64_t id, number;    /* of its cache, and there */
	struct writer out;      /* what the helper will be asked */
	struct tevent_req *ask; /* owned; NULL before it is */
};

struct renewals *renewals_new(TALLOC_CTX *mem, struct tevent_context *ev, struct kcm_store **store,
                              const char *socket, void (*changed)(void *data), void *data)
{
	struct renewals *renewals = talloc_zero(mem, struct renewals);

	if (renewals)
		*renewals = (struct renewals){
			.ev = ev, .store = store, .socket = socket, .changed = changed, .data = data
		};
	return renewals;
}

void renewals_configure(struct renewals *renewals, const struct kcm_conf *conf)
{
	renewals->on = conf->tgt_renewal && conf->krb5_renew_interval_s > 0;
	renewals->validate = conf->krb5_validate;
	renewals->interval_s = conf->krb5_renew_interval_s;
	renewals->limit_s = conf->krb5_auth_timeout_s < RENEW_LIMIT_MAX_S
	                            ? conf->krb5_auth_timeout_s
	                            : RENEW_LIMIT_MAX_S;
	if (conf->tgt_renewal && !renewals->on)
		log_warn("tgt_renewal: nothing is renewed with krb5_renew_interval = 0");
}

void renewals_end(struct renewals *renewals)
{
	renewals->ended = true;
	talloc_free_children(renewals);
	renewals->pauses = NULL;
	renewals->n_pauses = 0;
}

/* So many tickets are on their way, of uid or of all. */
static unsigned count_busy(const struct renewals *renewals, const uid_t *uid)
{
	unsigned n = 0;

	for (size_t i = 0; i < AT_ONCE; i++)
		n += renewals->places[i] && (!uid || renewals->places[i]->uid == *uid);
	return n;
}

bool renewals_busy(const struct renewals *renewals)
{
	return count_busy(renewals, NULL) > 0;
}

/* ---- pauses ---- */

static struct pause *pause_of(const struct renewals *renewals, uid_t uid)
{
	for (unsigned i = 0; i < renewals->n_pauses; i++)
		if (renewals->pauses[i].uid == uid)
			return &renewals->pauses[i];
	return NULL;
}

static void forget_pause(struct renewals *renewals, struct pause *pause)
{
	*pause = renewals->pauses[--renewals->n_pauses];
}

static void forget_old_pauses(struct renewals *renewals, int64_t now_us)
{
	for (unsigned i = renewals->n_pauses; i-- > 0;)
		if (renewals->pauses[i].until_us + PAUSE_OLD_S * SECOND_US < now_us)
			forget_pause(renewals, &renewals->pauses[i]);
}

static struct pause *new_pause(struct renewals *renewals, uid_t uid)
{
	struct pause *pauses =
		talloc_realloc(renewals, renewals->pauses, struct pause, renewals->n_pauses + 1);

	if (!pauses)
		return NULL;
	renewals->pauses = pauses;
	pauses[renewals->n_pauses] = (struct pause){ .uid = uid, .next_s = PAUSE_MIN_S };
	return &pauses[renewals->n_pauses++];
}

static void let_pause(struct renewals *renewals, uid_t uid)
{
	int64_t now_us = monotonic_us();
	struct pause *pause;

	forget_old_pauses(renewals, now_us);
	pause = pause_of(renewals, uid);
	if (!pause)
		pause = new_pause(renewals, uid);
	if (!pause)
		return;
	pause->until_us = now_us + pause->next_s * SECOND_US;
	pause->next_s = pause->next_s < PAUSE_MAX_S / 2 ? pause->next_s * 2 : PAUSE_MAX_S;
}

static void end_pause(struct renewals *renewals, uid_t uid)
{
	struct pause *pause = pause_of(renewals, uid);

	if (pause)
		forget_pause(renewals, pause);
}

/* ---- the ticket is back ---- */

/* Does the new one stand in for the old? */
static bool is_successor(const struct stored *old, const struct credential *renewed)
{
	struct reader in = reader_over(old->credential.at, old->credential.size);
	struct credential before = read_credential(&in);

	return reader_end(&in) == 0 && principals_equal(&before.client, &renewed->client) &&
	       principals_equal(&before.server, &renewed->server) &&
	       renewed->times[TIME_END] >= before.times[TIME_END];
}

/* After the interval, but at least three more times before the ticket ends. */
static int64_t next_try_s(const struct renewals *renewals, const struct stored *stored,
                          int64_t now_s)
{
	int64_t wait_s = (stored->expires_s - now_s) / 4;

	if (wait_s > renewals->interval_s)
		wait_s = renewals->interval_s;
	return now_s + (wait_s > WAIT_MIN_S ? wait_s : WAIT_MIN_S);
}

/* Where our clock is ahead of the KDC's, or a KDC is nobody's friend, what comes back is due
 * already: it has to wait like one that could not be renewed. */
static int hold_back(struct kcm_store *store, const struct renewal *renewal,
                     const struct ccache *ccache)
{
	int64_t now_s = walltime_now().s;
	struct stored stored;
	int r = kcm_store_get(store, ccache, ccache->next_number - 1, &stored);

	if (r < 0 || stored.due_s == 0 || stored.due_s >= now_s + WAIT_MIN_S)
		return r;
	return kcm_store_put_off(store, ccache, &stored,
	                         next_try_s(renewal->renewals, &stored, now_s));
}

static int put_back(struct kcm_store *store, const struct renewal *renewal, struct bytes bytes)
{
	struct reader in = reader_over(bytes.at, bytes.size);
	struct credential credential = read_credential(&in);
	char name[CCACHE_NAME_MAX + 1];
	struct ccache ccache;
	struct stored old;
	int r;

	r = kcm_store_name(store, renewal->uid, renewal->id, name);
	if (r == 0)
		r = kcm_store_find(store, renewal->uid, name, &ccache);
	if (r == 0)
		r = kcm_store_get(store, &ccache, renewal->number, &old);
	if (r == 0 && !is_successor(&old, &credential))
		r = -EBADMSG;
	if (r == 0)
		r = kcm_store_add(store, &ccache, &credential);
	if (r == 0)
		r = hold_back(store, renewal, &ccache);
	return r < 0 ? r : kcm_store_save(store, &ccache);
}

static void answered(struct renewal *renewal, struct bytes credential)
{
	struct renewals *renewals = renewal->renewals;
	struct kcm_store *store = *renewals->store;
	int r = store ? kcm_store_begin(store, true) : -E_CACHE_REPLACED;

	if (r == 0)
		r = kcm_store_end(store, put_back(store, renewal, credential));
	if (r == -ENOENT)
		log_info("uid %u: a ticket that was renewed is not there any more",
		         (unsigned)renewal->uid);
	else if (r < 0)
		log_warn("uid %u: a renewed ticket cannot be stored: %s", (unsigned)renewal->uid,
		         error_text(r));
	else
		log_info("uid %u: a ticket was renewed", (unsigned)renewal->uid);
	if (r == 0)
		end_pause(renewals, renewal->uid);
	else if (r == -EBADMSG) /* it is the KDC's */
		let_pause(renewals, renewal->uid);
}

/* ---- the conversation ---- */

static int renewal_gone(struct renewal *renewal)
{
	writer_free(&renewal->out);
	for (size_t i = 0; i < AT_ONCE; i++)
		if (renewal->renewals->places[i] == renewal)
			renewal->renewals->places[i] = NULL;
	return 0;
}

static void over(struct renewal *renewal)
{
	struct renewals *renewals = renewal->renewals;

	talloc_free(renewal);
	renewals->changed(renewals->data);
}

static void failed(struct renewal *renewal, const char *why)
{
	log_warn("uid %u: a ticket is not renewed yet: %s", (unsigned)renewal->uid, why);
	let_pause(renewal->renewals, renewal->uid);
	over(renewal);
}

/* All is there. */
static void take_reply(struct renewal *renewal, struct reader in)
{
	struct renew_reply reply;
	auto_talloc char *text = NULL;
	int r;

	r = renew_read_reply(&in, &reply);
	if (r < 0) {
		failed(renewal, error_text(r));
		return;
	}
	if (reply.code != 0) {
		text = str_printable(NULL, reply.text, strlen(reply.text));
		failed(renewal, text ? text : "");
		return;
	}
	answered(renewal, reply.credential);
	over(renewal);
}

static void helper_ended(struct tevent_req *subreq)
{
	struct renewal *renewal = tevent_req_callback_data(subreq, struct renewal);
	struct reader in;
	int r = ask_recv(subreq, &in);

	if (r == 0)
		take_reply(renewal, in);
	else if (r == -ETIMEDOUT)
		failed(renewal, "no KDC answered within krb5_auth_timeout");
	else if (r == -E_DISCONNECTED)
		failed(renewal, "the helper ended without an answer, as when no KDC has one "
		                "within krb5_auth_timeout");
	else if (r == -EBADMSG || r == -EMSGSIZE)
		failed(renewal, "the helper's answer makes no sense");
	else
		failed(renewal, error_text(r));
}

static void take_place(struct renewal *renewal)
{
	struct renewals *renewals = renewal->renewals;

	for (size_t i = 0; i < AT_ONCE; i++)
		if (!renewals->places[i]) {
			renewals->places[i] = renewal;
			return;
		}
}

/* Writes what the helper will be asked. */
static int prepare(struct renewals *renewals, const struct ccache *ccache,
                   const struct stored *stored)
{
	auto_talloc struct renewal *renewal = talloc_zero(renewals, struct renewal);
	struct renew_request request = {
		.limit_s = renewals->limit_s,
		.kdc_offset = ccache->kdc_offset,
		.validate = renewals->validate,
		.credential = stored->credential,
	};
	int r;

	if (!renewal)
		return -ENOMEM;
	renewal->renewals = renewals;
	renewal->uid = ccache->uid;
	renewal->id = ccache->id;
	renewal->number = stored->number;
	renewal->out = writer_new_secretive(RENEW_MESSAGE_MAX);
	talloc_set_destructor(renewal, renewal_gone);

	renew_write_request(&renewal->out, &request);
	r = writer_end(&renewal->out);
	if (r < 0)
		return r;
	take_place(take_ptr(renewal));
	return 0;
}

static int ask_helper(struct renewal *renewal)
{
	struct renewals *renewals = renewal->renewals;
	int fd, r;

	r = fd_connect_unix(renewals->socket, &fd);
	if (r < 0)
		return r;
	renewal->ask = ask_send(renewal, renewals->ev, fd, &renewal->out, RENEW_MESSAGE_MAX,
	                        (int64_t)renewals->limit_s * 1000 + SPARE_MS);
	if (!renewal->ask)
		return -ENOMEM;
	tevent_req_set_callback(renewal->ask, helper_ended, renewal);
	return 0;
}

/* Asks for what was prepared, or with r below 0 forgets it: it could not be put off. Returns
 * whether all could be asked. */
static bool ask_all(struct renewals *renewals, int r)
{
	bool all = true;

	for (size_t i = 0; i < AT_ONCE; i++) {
		struct renewal *renewal = renewals->places[i];
		int asked;

		if (!renewal || renewal->ask)
			continue;
		asked = r < 0 ? r : ask_helper(renewal);
		if (asked == 0)
			continue;
		if (r == 0)
			log_warn("uid %u: a ticket is not renewed yet: %s: %s",
			         (unsigned)renewal->uid, renewals->socket, error_text(asked));
		talloc_free(renewal);
		all = false;
	}
	return all;
}

/* ---- what is due ---- */

/* One look at what is due, in one walk. */
struct walk {
	struct renewals *renewals;
	int64_t now_s;
	int64_t now_us, resume_us; /* of the monotonic clock; when the first pause ends, 0 = none */
	char name[CCACHE_NAME_MAX + 1];
	struct ccache ccache; /* where it is */
	struct stored stored;
};

/* Has this user as many on their way as one may have, or a pause? */
static bool has_enough(uid_t uid, void *data)
{
	struct walk *walk = data;
	const struct pause *pause = pause_of(walk->renewals, uid);

	if (pause && pause->until_us > walk->now_us) {
		if (walk->resume_us == 0 || pause->until_us < walk->resume_us)
			walk->resume_us = pause->until_us;
		return true;
	}
	return count_busy(walk->renewals, &uid) >= PER_USER;
}

/* Errors: -ENOENT nothing is due; -EAGAIN ret_next_s is when it is. */
static int take_next(struct walk *walk, struct kcm_store *store, int64_t *ret_next_s)
{
	const struct stored *stored = &walk->stored;
	struct renewals *renewals = walk->renewals;
	uid_t uid;
	int r;

	r = kcm_store_next_renewal(store, walk->now_s, has_enough, walk, walk->name, &walk->ccache,
	                           &walk->stored);
	if (r < 0)
		return r;
	if (stored->due_s > walk->now_s || renewals->ended) {
		*ret_next_s = stored->due_s;
		return -EAGAIN;
	}
	uid = walk->ccache.uid;
	if (login_of(uid) != LOGIN_AWAY) {
		r = prepare(renewals, &walk->ccache, stored);
		if (r < 0)
			log_warn("uid %u: a ticket is not renewed yet: %s", (unsigned)uid,
			         error_text(r));
	} else {
		log_debug("uid %u is not logged in: nothing is renewed", (unsigned)uid);
	}
	return kcm_store_put_off(store, &walk->ccache, stored,
	                         next_try_s(renewals, stored, walk->now_s));
}

/* The earlier of next_s (0 = never) and the end of a pause. */
static int64_t with_pauses(const struct walk *walk, int64_t next_s)
{
	int64_t resume_s;

	if (walk->resume_us == 0)
		return next_s;
	resume_s = walk->now_s + (walk->resume_us - walk->now_us) / SECOND_US + 1;
	return next_s == 0 || next_s > resume_s ? resume_s : next_s;
}

int renewals_run(struct renewals *renewals, int64_t now_s, int64_t *ret_next_s)
{
	struct walk walk = { .renewals = renewals, .now_s = now_s, .now_us = monotonic_us() };
	struct kcm_store *store = *renewals->store;
	int64_t next_s = 0;
	int r;

	*ret_next_s = 0;
	if (!renewals->on || count_busy(renewals, NULL) >= AT_ONCE)
		return 0;
	r = kcm_store_begin(store, true);
	if (r < 0)
		return r;
	for (unsigned i = 0; r == 0 && count_busy(renewals, NULL) < AT_ONCE; i++) {
		if (i == LOOK_AT_ONCE) {
			next_s = now_s;
			break;
		}
		r = take_next(&walk, store, &next_s);
	}
	r = kcm_store_end(store, r == -ENOENT || r == -EAGAIN ? 0 : r);
	if (!ask_all(renewals, r))
		next_s = now_s; /* their places are free */
	if (r == 0)
		*ret_next_s = with_pauses(&walk, next_s);
	return r;
}
