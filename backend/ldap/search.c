/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Search - see search.h
 *
 *   search_send ─┬─ a connection stands ─────────────┬─▶ begin: a search for each base, together
 *                └─ none ─▶ (link) ─▶ link_is_there ──┘     ├─▶ message … ─▶ search_recv
 *                                       ▲                   └─▶ cut ─▶ go_to_pages ─▶ (turn) ─┐
 *                                       └────────────────────────────────── turn_is_there ◀───┘
 *
 * In pages the bases are searched one after the other.
 */
#include "backend/ldap/search.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/conn.h"
#include "backend/ldap/error.h"
#include "backend/ldap/link.h"
#include "backend/ldap/turn.h"
#include "backend/ldap/whole.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/metrics/metrics.h"

/* Pages below one base: more are no end. */
#define PAGES_MAX 4096

/* The search below one base. */
struct part {
	struct conn_op op;
	struct search_state *search;
	const struct base *base; /* borrowed */
	uint32_t n_entries, n_pages;
};

struct search_state {
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	enum search_where where;
	const char *filter;        /* borrowed */
	const struct attrs *attrs; /* borrowed */
	search_entry *entry;
	void *data;
	struct tevent_req *wait;  /* for the link … */
	struct tevent_req *queue; /* … or for our turn */
	struct conn *conn;        /* borrowed: valid while a part is on it */
	uint64_t generation;      /* of that (link.h) */
	const struct base *bases; /* borrowed; NULL until a connection stands */
	size_t n_bases;
	bool given;               /* the base came from whoever asks, and the entry may be gone */
	struct base dn;           /* search_dn_send(): that */
	struct search_page *page; /* borrowed; NULL = in one piece */
	bool is_long;             /* it may become one in pages of our own: */
	struct search_page own;   /* page is that then */
	uint32_t room;            /* entries that the server gives at once; 0 = not known */
	struct turn *turn;        /* owned: for these */
	struct part *parts;       /* owned */
	size_t n_parts, n_ended, n_missing, n_entries;
	size_t n_wholes; /* requests for the rest of entries; they hang below this one */
	uint64_t lacking, elsewhere; /* of the link's server, when it was asked (link.h) */
	uint64_t missing;            /* the bases that it says it does not have */
	bool for_one;
	bool cut;
	bool lost_base;  /* one that the server had when the connection was made */
	int entry_error; /* the first entry that was lost */
};

static void link_is_there(struct tevent_req *subreq);
static void go_to_pages(struct search_state *state);
static void turn_is_there(struct tevent_req *subreq);
static void begin(struct search_state *state, struct conn *conn);
static int part_send(struct conn_op *op, LDAP *ld, int *ret_msgid);
static void part_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last);
static void part_failed(struct conn_op *op, int r);
static void entry_is_whole(struct tevent_req *subreq);

static const struct conn_op_type part_type = { part_send, part_message, part_failed };

static void search_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct search_state *state = tevent_req_data(req, struct search_state);

	(void)req_state;
	for (size_t i = 0; i < state->n_parts; i++)
		conn_op_cancel(&state->parts[i].op);
	state->n_parts = 0;
	TALLOC_FREE(state->turn);
	if (state->own.more) /* the server keeps a place that nobody comes back to */
		link_hold(state->domain->link, state->own.generation, false);
	search_page_reset(&state->own);
}

static struct tevent_req *create(TALLOC_CTX *mem, struct ldap_domain *domain,
                                 const struct request_id *id, const char *filter,
                                 const struct attrs *attrs, search_entry *entry, void *data)
{
	struct search_state *state;
	struct tevent_req *req;

	req = tevent_req_create(mem, &state, struct search_state);
	if (!req)
		return NULL;
	state->req = req;
	state->domain = domain;
	state->id = id;
	state->filter = filter;
	state->attrs = attrs;
	state->entry = entry;
	state->data = data;
	tevent_req_set_cleanup_fn(req, search_cleanup);
	tevent_req_defer_callback(req, domain->host->ev);
	return req;
}

static void begin_or_wait(struct tevent_req *req)
{
	struct search_state *state = tevent_req_data(req, struct search_state);
	struct conn *conn = link_conn(state->domain->link);

	if (conn) {
		begin(state, conn);
		return;
	}
	state->wait = link_wait_send(state, state->domain->link);
	if (!tevent_req_nomem(state->wait, req))
		tevent_req_set_callback(state->wait, link_is_there, req);
}

static struct tevent_req *search_below(TALLOC_CTX *mem, struct ldap_domain *domain,
                                       const struct request_id *id, enum search_where where,
                                       const char *filter, const struct attrs *attrs,
                                       search_entry *entry, void *data, bool is_long)
{
	struct tevent_req *req = create(mem, domain, id, filter, attrs, entry, data);
	struct search_state *state;

	if (!req)
		return NULL;
	state = tevent_req_data(req, struct search_state);
	state->where = where;
	state->is_long = is_long;
	begin_or_wait(req);
	return req;
}

struct tevent_req *search_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                               const struct request_id *id, enum search_where where,
                               const char *filter, const struct attrs *attrs, search_entry *entry,
                               void *data)
{
	return search_below(mem, domain, id, where, filter, attrs, entry, data, false);
}

struct tevent_req *search_long_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                    const struct request_id *id, enum search_where where,
                                    const char *filter, const struct attrs *attrs,
                                    search_entry *entry, void *data)
{
	return search_below(mem, domain, id, where, filter, attrs, entry, data, true);
}

void search_is_for_one(struct tevent_req *req)
{
	struct search_state *state = tevent_req_data(req, struct search_state);

	state->for_one = true;
}

struct tevent_req *search_page_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                    const struct request_id *id, const struct base *base,
                                    const char *filter, const struct attrs *attrs,
                                    search_entry *entry, void *data, struct search_page *page)
{
	struct tevent_req *req = create(mem, domain, id, filter, attrs, entry, data);
	struct search_state *state;

	if (!req)
		return NULL;
	state = tevent_req_data(req, struct search_state);
	state->bases = base;
	state->n_bases = 1;
	state->given = true;
	state->page = page;
	begin_or_wait(req);
	return req;
}

struct tevent_req *search_dn_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                                  const struct request_id *id, const char *dn,
                                  const struct attrs *attrs, search_entry *entry, void *data)
{
	struct tevent_req *req = create(mem, domain, id, "(objectclass=*)", attrs, entry, data);
	struct search_state *state;

	if (!req)
		return NULL;
	state = tevent_req_data(req, struct search_state);
	state->dn = (struct base){ .dn = dn, .scope = LDAP_SCOPE_BASE };
	state->bases = &state->dn;
	state->n_bases = 1;
	state->given = true;
	begin_or_wait(req);
	return req;
}

void search_page_reset(struct search_page *page)
{
	ber_memfree(page->cookie.bv_val);
	*page = (struct search_page){ .size = page->size };
}

static void link_is_there(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct search_state *state = tevent_req_data(req, struct search_state);
	struct conn *conn;
	int r = link_wait_recv(subreq, &conn);

	TALLOC_FREE(state->wait);
	if (r < 0)
		req_finish(req, r);
	else
		begin(state, conn);
}

static bool is_in_pages(const struct search_state *state)
{
	return state->page == &state->own;
}

/* Is it one page, of whoever goes through all of them? */
static bool is_of_list(const struct search_state *state)
{
	return state->page && !is_in_pages(state);
}

/* Only when a connection stands is it known whether the server offers them. */
static bool may_go_to_pages(const struct search_state *state)
{
	const struct ldap_domain *domain = state->domain;

	return state->is_long && !is_in_pages(state) && domain->offers_pages &&
	       !domain->conf.disable_paging;
}

/* From the beginning. */
static void go_to_pages(struct search_state *state)
{
	state->own = (struct search_page){ .size = state->domain->conf.page_size };
	if (state->room > 0 && state->room < state->own.size)
		state->own.size = state->room; /* larger pages it may refuse */
	state->page = &state->own;
	state->n_ended = state->n_missing = state->n_entries = 0;
	state->missing = 0;
	state->cut = state->lost_base = false;
	state->queue = turn_wait_send(state, state->domain->turns);
	if (!tevent_req_nomem(state->queue, state->req))
		tevent_req_set_callback(state->queue, turn_is_there, state);
}

static void turn_is_there(struct tevent_req *subreq)
{
	struct search_state *state = tevent_req_callback_data(subreq, struct search_state);
	int r = turn_wait_recv(subreq, state, &state->turn);

	TALLOC_FREE(state->queue);
	if (r < 0)
		req_finish(state->req, r);
	else
		begin_or_wait(state->req);
}

static uint32_t timeout_s(const struct search_state *state)
{
	const struct ldap_conf *conf = &state->domain->conf;

	return is_of_list(state) ? conf->enumeration_search_timeout_s : conf->search_timeout_s;
}

/* Sends the search below the next base, and if it is not in pages below all of them. */
static void submit(struct search_state *state)
{
	size_t n = is_in_pages(state) ? state->n_ended + 1 : state->n_bases;

	for (size_t i = state->n_ended; i < n && tevent_req_is_in_progress(state->req); i++)
		conn_submit(state->conn, &state->parts[i].op);
}

/* Only now, because a server may have been the one to name the bases. */
static void begin(struct search_state *state, struct conn *conn)
{
	uint64_t generation = link_generation(state->domain->link);

	/* Where it would have to wait for its turn, it may be one of those that are not long. */
	if (may_go_to_pages(state) && link_page_size(state->domain->link) > 0 &&
	    turns_are_free(state->domain->turns)) {
		state->room = link_page_size(state->domain->link);
		go_to_pages(state);
		return;
	}
	if (state->page && state->page->more && state->page->generation != generation) {
		req_finish(state->req, -E_DISCONNECTED);
		return;
	}
	if (!state->given) {
		state->bases = state->domain->bases[state->where].items;
		state->n_bases = state->domain->bases[state->where].count;
	}
	if (state->page)
		state->page->generation = generation;

	state->conn = conn;
	state->generation = generation;
	state->lacking = link_lacking(state->domain->link);
	state->elsewhere = link_elsewhere(state->domain->link);
	talloc_free(state->parts);
	state->n_parts = 0;
	state->parts = talloc_zero_array(state, struct part, (unsigned)state->n_bases);
	if (tevent_req_nomem(state->parts, state->req))
		return;
	for (size_t i = 0; i < state->n_bases; i++) {
		struct part *part = &state->parts[i];

		part->search = state;
		part->base = &state->bases[i];
		part->op.type = &part_type;
		part->op.timeout_ms = (int64_t)timeout_s(state) * 1000;
		list_init(&part->op.node);
	}
	state->n_parts = state->n_bases;
	submit(state);
}

/* The names to ask for, each once, and a NULL. */
static void list_attrs(const struct attrs *attrs, char *list[ATTRS_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < attrs->count; i++) {
		bool listed = !attrs->names[i];

		for (size_t j = 0; j < n && !listed; j++)
			listed = strcasecmp(list[j], attrs->names[i]) == 0;
		if (!listed)
			list[n++] = (char *)(uintptr_t)attrs->names[i];
	}
	list[n] = NULL;
}

static int part_send(struct conn_op *op, LDAP *ld, int *ret_msgid)
{
	struct part *part = list_item(op, struct part, op);
	struct search_state *state = part->search;
	auto_talloc char *both = NULL;
	struct search_page *page = state->page;
	LDAPControl *controls[] = { NULL, NULL };
	char *attrs[ATTRS_MAX + 1];
	int r = LDAP_SUCCESS;

	if (part->base->filter) {
		both = talloc_asprintf(NULL, "(&%s%s)", state->filter, part->base->filter);
		if (!both)
			return -ENOMEM;
	}
	list_attrs(state->attrs, attrs);
	if (page && page->size > 0)
		r = ldap_create_page_control(ld, (ber_int_t)page->size,
		                             page->more ? &page->cookie : NULL, 0, &controls[0]);
	if (r == LDAP_SUCCESS)
		r = ldap_search_ext(ld, part->base->dn, part->base->scope,
		                    both ? both : state->filter, attrs, 0, controls, NULL, NULL,
		                    LDAP_NO_LIMIT, ret_msgid);
	ldap_control_free(controls[0]);
	if (r == LDAP_FILTER_ERROR)
		log_at(LEVEL_ERROR, state->id, "the filter %s is not valid: see the search bases",
		       both ? both : state->filter);
	if (r == LDAP_SUCCESS)
		metrics_count(is_of_list(state) ? METRICS_SEARCHES_LIST : METRICS_SEARCHES);
	log_at(LEVEL_DEBUG, state->id, "search below %s for %s: message %d", part->base->dn,
	       both ? both : state->filter, *ret_msgid);
	return ldap_error(r);
}

static const char *base_text(const struct part *part)
{
	return *part->base->dn ? part->base->dn : "(the root)";
}

static uint64_t part_bit(const struct part *part)
{
	return base_bit(part->search->where, (size_t)(part - part->search->parts));
}

/* The first one that is missing. */
static const struct part *missing_part(const struct search_state *state)
{
	const struct part *part = state->parts;

	while (!(state->missing & part_bit(part)))
		part++;
	return part;
}

/* Would another server, if it could be asked, maybe tell more? Or this one, which had told more? */
static bool is_half(const struct search_state *state)
{
	return ((state->missing & state->elsewhere) || state->lost_base) &&
	       !(state->for_one && state->n_entries > 0);
}

/* The server that was asked, for people. */
static const char *where_of(const struct search_state *state)
{
	return state->conn == link_conn(state->domain->link) ? link_where(state->domain->link)
	                                                     : "the server before";
}

/* A base is gone that was there when the connection was made: another server may have it. Where
 * there is no other, and this one goes on answering below other bases, it is connected to anew:
 * then it is known what it lacks. */
static int lose_base(struct search_state *state)
{
	struct link *link = state->domain->link;

	if (link_blame(link, state->conn, "it does not have our search base any more"))
		return -E_DISCONNECTED;
	if (state->n_missing < state->n_ended)
		link_renew(link, state->conn);
	return -E_SERVER;
}

/* All bases were asked. */
static void all_ended(struct search_state *state)
{
	if (state->entry_error < 0) {
		req_finish(state->req, state->entry_error);
		return;
	}
	if (state->n_missing < state->n_ended && !is_half(state)) {
		if (state->cut && may_go_to_pages(state)) {
			go_to_pages(state);
			return;
		}
		if (!state->cut && is_in_pages(state) &&
		    state->conn == link_conn(state->domain->link))
			link_note_page_size(state->domain->link, state->page->size);
		req_finish(state->req, state->cut ? -E_SIZE_LIMIT : 0);
		return;
	}

	/* Not one of the bases exists there, or may be seen, or one does not that another server
	 * has, or that this one had: it says nothing about who is not there. Another may, unless
	 * that was known when this one was taken. */
	log_at(LEVEL_WARN, state->id, "%s: search base %s: the server has no such entry",
	       where_of(state), base_text(missing_part(state)));
	req_finish(state->req, state->lost_base ? lose_base(state) : -E_SERVER);
}

static bool is_lacking(const struct part *part)
{
	const struct search_state *state = part->search;

	return !state->given && (state->lacking & part_bit(part));
}

/* Is this something new? */
static bool base_is_lost(const struct part *part)
{
	return !part->search->given && !is_lacking(part);
}

/* Nothing that is below a base which was not to be had is any of its other bases' business. */
static bool is_missing(const struct part *part, int code)
{
	return code == LDAP_NO_SUCH_OBJECT ||
	       (is_lacking(part) && code != LDAP_SUCCESS && ldap_error(code) == -E_SERVER &&
	        !ldap_error_is_unwell(code));
}

static void next_page(struct part *part)
{
	struct search_state *state = part->search;

	if (++part->n_pages < PAGES_MAX) {
		submit(state);
		return;
	}
	log_at(LEVEL_WARN, state->id, "search below %s: the server gives page after page",
	       base_text(part));
	req_finish(state->req, -E_SERVER);
}

/* Below each base another limit may hold. */
static void note_room(struct search_state *state, uint32_t n)
{
	if (n > 0 && (state->room == 0 || n < state->room))
		state->room = n;
}

static void part_ended(struct part *part, int code, const char *text)
{
	struct search_state *state = part->search;
	int r = ldap_error(code);

	if (is_missing(part, code)) {
		state->n_missing++;
		state->missing |= part_bit(part);
		state->lost_base |= base_is_lost(part);
		r = 0;
		if (state->page) { /* whoever asks for all looks at all bases, and says so */
			search_page_reset(state->page);
			state->page->missing = true;
		}
		if (state->given) {
			req_finish(state->req, state->entry_error);
			return;
		}
	}
	if (r == -E_SIZE_LIMIT) {
		log_at(may_go_to_pages(state) ? LEVEL_DEBUG : LEVEL_WARN, state->id,
		       "search below %s: the server cut its answer (%s)", base_text(part),
		       ldap_err2string(code));
		state->cut = true;
		if (code == LDAP_SIZELIMIT_EXCEEDED)
			note_room(state, part->n_entries);
		r = 0;
	}
	if (r < 0) {
		/* It offers pages, and never gave one: the answer was cut, and stays so. */
		bool refused = is_in_pages(state) && state->n_ended == 0 && part->n_pages == 0 &&
		               link_page_size(state->domain->link) == 0 && r == -E_SERVER &&
		               !ldap_error_is_unwell(code);

		log_at(LEVEL_WARN, state->id, "search below %s: %s%s%s", base_text(part),
		       ldap_err2string(code), str_empty(text) ? "" : ": ", text ? text : "");
		if ((ldap_error_is_unwell(code) || (code == LDAP_REFERRAL && base_is_lost(part))) &&
		    link_blame(state->domain->link, state->conn, ldap_err2string(code)))
			r = -E_DISCONNECTED;
		if (refused && r == -E_SERVER) {
			state->domain->offers_pages = false;
			r = -E_SIZE_LIMIT;
		}
		req_finish(state->req, r == -E_BIND ? -E_SERVER : r);
		return;
	}
	if (code == LDAP_SUCCESS && is_in_pages(state) && state->page->more) {
		next_page(part);
		return;
	}
	if (++state->n_ended < state->n_bases && is_in_pages(state)) {
		search_page_reset(state->page);
		submit(state);
		return;
	}
	if (state->n_ended == state->n_bases && state->n_wholes == 0)
		all_ended(state);
}

/* Without the control the server has given all it has. */
static int take_cookie(struct search_page *page, LDAP *ld, LDAPControl **controls)
{
	LDAPControl *control = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
	struct berval cookie = { 0 };
	ber_int_t estimate;
	int r;

	if (control) {
		r = ldap_parse_pageresponse_control(ld, control, &estimate, &cookie);
		if (r != LDAP_SUCCESS)
			return r;
	}
	ber_memfree(page->cookie.bv_val);
	page->cookie = cookie;
	page->more = cookie.bv_len > 0;
	return LDAP_SUCCESS;
}

/* A server may give what was not asked for. Aliases lead elsewhere, where they are followed. */
static int check_place(const struct part *part, const struct entry_values *values)
{
	const struct ldap_domain *domain = part->search->domain;

	return domain->conf.deref == LDAP_DEREF_NEVER ? base_holds(part->base, values->dn) : 0;
}

static void note_error(struct search_state *state, int r)
{
	if (state->entry_error == 0)
		state->entry_error = r == -EBADMSG ? -E_SERVER : r;
}

/* The server gave some of its values. */
static int ask_for_rest(struct search_state *state, struct entry_values *values)
{
	struct tevent_req *subreq;

	if (state->conn != link_conn(state->domain->link))
		return -E_DISCONNECTED;
	subreq = whole_send(state, state->domain, state->id, values, state->attrs);
	if (!subreq)
		return -ENOMEM;
	state->n_wholes++;
	tevent_req_set_callback(subreq, entry_is_whole, state);
	return 0;
}

static void entry_is_whole(struct tevent_req *subreq)
{
	struct search_state *state = tevent_req_callback_data(subreq, struct search_state);
	struct entry_values *values;
	int r = whole_recv(subreq, state, &values);

	TALLOC_FREE(subreq);
	/* The connection may break while one of these is being asked: they go with the search. */
	if (!tevent_req_is_in_progress(state->req))
		return;
	if (r == 0)
		r = state->entry(values, state->data);
	note_error(state, r);
	state->n_wholes--;
	if (state->n_ended == state->n_bases && state->n_wholes == 0)
		all_ended(state);
}

static int give_entry(struct part *part, struct entry_values *values)
{
	struct search_state *state = part->search;
	int r = check_place(part, values);

	if (r == -ENOENT) {
		refusals_report(state->domain->refusals, state->id, values->dn,
		                "it is not below the search base");
		talloc_free(values);
		return 0;
	}
	if (r == 0 && values->bad) {
		log_at(LEVEL_WARN, state->id, "entry %s: its %s makes no sense", values->dn,
		       values->bad);
		r = -E_SERVER;
	}
	if (r < 0) {
		talloc_free(values);
		return r;
	}
	return whole_is_needed(values, state->attrs) ? ask_for_rest(state, values)
	                                             : state->entry(values, state->data);
}

/* Takes msg over. The search goes on: each entry that cannot be read is to be named. */
static void take_entry(struct part *part, LDAP *ld, LDAPMessage *msg)
{
	struct search_state *state = part->search;
	struct entry_values *values = NULL;
	int r = entry_read(state, ld, msg, state->attrs, &values);

	metrics_count(METRICS_ENTRIES);
	state->n_entries++;
	part->n_entries++;
	if (r < 0)
		log_at(LEVEL_WARN, state->id, "an entry below %s cannot be read: %s",
		       base_text(part), error_text(r));
	else
		values->generation = state->generation;
	if (r == 0)
		r = give_entry(part, values);
	note_error(state, r);
}

/* A reference to another server (RFC 4511 section 4.5.3): not followed, and whoever wanted that
 * hears of it. Takes msg over. */
static void pass_reference_over(const struct search_state *state, LDAP *ld, LDAPMessage *msg)
{
	char **urls = NULL;

	if (state->domain->conf.referrals && ldap_msgtype(msg) == LDAP_RES_SEARCH_REFERENCE &&
	    ldap_parse_reference(ld, msg, &urls, NULL, 0) == LDAP_SUCCESS && urls && urls[0])
		refusals_report(state->domain->refusals, state->id, urls[0],
		                "referrals are not followed (ldap_referrals)");
	ldap_memvfree((void **)urls);
	ldap_msgfree(msg);
}

static void part_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last)
{
	struct part *part = list_item(op, struct part, op);
	struct search_state *state = part->search;
	auto_talloc char *printable = NULL;
	LDAPControl **controls = NULL;
	char *text = NULL;
	int code = LDAP_OTHER, r;

	if (ldap_msgtype(msg) == LDAP_RES_SEARCH_ENTRY) {
		take_entry(part, ld, msg);
		return;
	}
	if (!last) {
		pass_reference_over(state, ld, msg);
		return;
	}

	r = ldap_parse_result(ld, msg, &code, NULL, &text, NULL, &controls, 1);
	if (r == LDAP_SUCCESS && code == LDAP_SUCCESS && state->page)
		r = take_cookie(state->page, ld, controls);
	if (state->page)
		link_hold(state->domain->link, state->page->generation,
		          r == LDAP_SUCCESS && code == LDAP_SUCCESS && state->page->more);
	ldap_controls_free(controls);
	printable = text ? str_printable(NULL, text, strlen(text)) : NULL;
	ldap_memfree(text);
	part_ended(part, r == LDAP_SUCCESS ? code : r, printable);
}

static void part_failed(struct conn_op *op, int r)
{
	struct part *part = list_item(op, struct part, op);
	struct search_state *state = part->search;

	if (r == -ETIMEDOUT)
		log_at(LEVEL_WARN, state->id, "search below %s: no end of it within %u s (%s)",
		       base_text(part), timeout_s(state),
		       is_of_list(state) ? "ldap_enumeration_search_timeout"
		                         : "ldap_search_timeout");
	req_finish(state->req, r);
}

int search_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}

const char *search_waits_for(struct tevent_req *req)
{
	struct search_state *state = tevent_req_data(req, struct search_state);

	return state->queue  ? "another search in pages"
	       : state->wait ? link_waits_for(state->domain->link)
	                     : "the answer to a search";
}
