/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Dereference - see deref.h
 */
#include "backend/ldap/deref.h"

#include <errno.h>
#include <ldap.h>
#include <string.h>
#include <strings.h>

#include "backend/ldap/conn.h"
#include "backend/ldap/error.h"
#include "backend/ldap/link.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"

#define SLICE 250 /* members in one turn of the loop: one or two milliseconds */

struct deref_state {
	struct conn_op op;
	struct tevent_req *req;
	struct ldap_domain *domain; /* borrowed */
	const struct request_id *id;
	const char *dn; /* borrowed */
	deref_member *member;
	void *data;
	LDAPControl **controls; /* owned: of the entry, while reader reads in them */
	struct deref_reader reader;
	struct timer *more; /* armed while controls are left from a slice */
	int code;           /* of the search's result, once it ended */
	bool told, ended;   /* all that the control says; the search */
};

static int send_search(struct conn_op *op, LDAP *ld, int *ret_msgid);
static void take_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last);
static void failed(struct conn_op *op, int r);
static void read_slice(void *data);

static bool have_no_filter(const struct bases *bases)
{
	for (size_t i = 0; i < bases->count; i++)
		if (bases->items[i].filter)
			return false;
	return true;
}

bool deref_is_usable(const struct ldap_domain *domain)
{
	return domain->offers_deref && domain->conf.deref_threshold > 0 &&
	       have_no_filter(&domain->bases[SEARCH_USERS]) &&
	       have_no_filter(&domain->bases[SEARCH_GROUPS]);
}

static void deref_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct deref_state *state = tevent_req_data(req, struct deref_state);

	(void)req_state;
	conn_op_cancel(&state->op);
	TALLOC_FREE(state->more);
	ldap_controls_free(state->controls);
	state->controls = NULL;
}

struct tevent_req *deref_send(TALLOC_CTX *mem, struct ldap_domain *domain,
                              const struct request_id *id, const char *dn, deref_member *member,
                              void *data)
{
	static const struct conn_op_type type = { send_search, take_message, failed };
	struct conn *conn = link_conn(domain->link);
	struct deref_state *state;
	struct tevent_req *req;

	req = tevent_req_create(mem, &state, struct deref_state);
	if (!req)
		return NULL;
	state->req = req;
	state->domain = domain;
	state->id = id;
	state->dn = dn;
	state->member = member;
	state->data = data;
	state->op = (struct conn_op){
		.type = &type,
		.timeout_ms = (int64_t)domain->conf.search_timeout_s * 1000,
	};
	list_init(&state->op.node);
	tevent_req_set_cleanup_fn(req, deref_cleanup);
	tevent_req_defer_callback(req, domain->host->ev);

	/* The group was found a moment ago: a connection stands, or the server went away. */
	if (conn)
		conn_submit(conn, &state->op);
	else
		req_finish(req, -E_DISCONNECTED);
	return req;
}

static char *modifiable(const char *text)
{
	return (char *)(uintptr_t)text; /* libldap only reads it */
}

static int send_search(struct conn_op *op, LDAP *ld, int *ret_msgid)
{
	struct deref_state *state = list_item(op, struct deref_state, op);
	const struct ldap_conf *conf = &state->domain->conf;
	static char no_attrs[] = LDAP_NO_ATTRS, object_class[] = "objectClass";
	char *attrs[] = { no_attrs, NULL };
	char *of_members[] = { object_class, modifiable(conf->user_name),
		               modifiable(conf->user_uid_number), NULL };
	LDAPDerefSpec spec[] = { { modifiable(conf->group_member), of_members }, { NULL, NULL } };
	LDAPControl *controls[] = { NULL, NULL };
	int code;

	code = ldap_create_deref_control(ld, spec, 1, &controls[0]);
	if (code == LDAP_SUCCESS)
		code = ldap_search_ext(ld, state->dn, LDAP_SCOPE_BASE, NULL, attrs, 0, controls,
		                       NULL, NULL, LDAP_NO_LIMIT, ret_msgid);
	ldap_control_free(controls[0]);
	if (code == LDAP_SUCCESS)
		metrics_count(METRICS_SEARCHES);
	log_at(LEVEL_DEBUG, state->id, "search %s for all its members: message %d", state->dn,
	       *ret_msgid);
	return ldap_error(code);
}

/* ---- what comes back ---- */

/* The control's value, in BER (X.690 section 8), as slapo-deref(5) and its draft have it:
 *
 *   SEQUENCE OF SEQUENCE { attribute, DN, [0] SEQUENCE OF SEQUENCE { type, SET OF value } OPTIONAL
 * }
 *
 * libldap's own reading of it loses memory when the value is cut. */
enum { BER_OCTETS = 0x04, BER_SEQUENCE = 0x30, BER_SET = 0x31, BER_ATTRIBUTES = 0xa0 };

/* What the next element holds; it must be one with this tag. */
static struct reader ber_inside(struct reader *in, uint8_t tag)
{
	uint32_t size;
	uint8_t n;

	if (reader_u8(in) != tag)
		reader_fail(in);
	size = reader_u8(in);
	if (size & 0x80) {
		n = size & 0x7f;
		if (n == 0 || n > sizeof(size))
			reader_fail(in);
		for (size = 0; n > 0 && !in->err; n--)
			size = size << 8 | reader_u8(in);
	}
	return reader_part(in, size);
}

/* A text, on mem; NULL after a failure. */
static char *ber_text(TALLOC_CTX *mem, struct reader *in, size_t *ret_size)
{
	struct reader inside = ber_inside(in, BER_OCTETS);

	char *text = in->err ? NULL : talloc_size(mem, reader_left(&inside) + 1);

	*ret_size = reader_left(&inside);
	if (!text)
		return NULL;
	memcpy(text, inside.pos, *ret_size); /* a NUL among them is the caller's business */
	text[*ret_size] = '\0';
	return text;
}

static struct berval *read_values(TALLOC_CTX *mem, struct reader *in)
{
	struct berval *values = talloc_zero(mem, struct berval);

	for (unsigned n = 0; values && reader_left(in) > 0; n++) {
		struct berval *more = talloc_realloc(mem, values, struct berval, n + 2);
		size_t size;

		if (!more)
			return NULL;
		values = more;
		values[n].bv_val = ber_text(values, in, &size);
		values[n].bv_len = size;
		values[n + 1] = (struct berval){ 0 };
		if (!values[n].bv_val)
			return NULL;
	}
	return values && values[0].bv_val ? values : NULL;
}

static bool has_word(const struct berval *values, const char *word)
{
	for (; values && values->bv_val; values++)
		if (strcasecmp(values->bv_val, word) == 0)
			return true;
	return false;
}

static void read_member(struct reader *in, const struct ldap_conf *conf, deref_member *member,
                        void *data)
{
	auto_talloc TALLOC_CTX *scratch = talloc_new(NULL);
	struct reader result = ber_inside(in, BER_SEQUENCE), attributes = { 0 };
	struct entry_values values = { 0 };
	struct berval *classes = NULL;
	size_t size;

	ber_inside(&result, BER_OCTETS); /* the attribute: we asked for one */
	values.dn = ber_text(scratch, &result, &size);
	if (reader_left(&result) > 0)
		attributes = ber_inside(&result, BER_ATTRIBUTES);

	while (reader_left(&attributes) > 0) {
		struct reader attribute = ber_inside(&attributes, BER_SEQUENCE);
		const char *type = ber_text(scratch, &attribute, &size);
		struct reader set = ber_inside(&attribute, BER_SET);
		struct berval *array = read_values(scratch, &set);

		if (!type || reader_end(&set) < 0 || reader_end(&attribute) < 0)
			reader_fail(&attributes);
		else if (strcasecmp(type, "objectClass") == 0)
			classes = array;
		else if (strcasecmp(type, conf->user_name) == 0)
			values.values[USER_NAME] = array;
		else if (strcasecmp(type, conf->user_uid_number) == 0)
			values.values[USER_UID] = array;
	}

	if (!values.dn || reader_end(&result) < 0 || reader_end(&attributes) < 0)
		reader_fail(in);
	else if (classes)
		member(&values, has_word(classes, conf->user_object_class),
		       has_word(classes, conf->group_object_class) ||
		               (conf->group_object_class_alt &&
		                has_word(classes, conf->group_object_class_alt)),
		       data);
}

struct deref_reader deref_reader_over(const struct berval *control)
{
	struct deref_reader reader = { .value = reader_over(control->bv_val, control->bv_len) };

	reader.members = ber_inside(&reader.value, BER_SEQUENCE);
	return reader;
}

int deref_read(struct deref_reader *reader, unsigned n_most, const struct ldap_conf *conf,
               deref_member *member, void *data)
{
	for (; n_most > 0 && reader_left(&reader->members) > 0; n_most--)
		read_member(&reader->members, conf, member, data);
	if (reader_left(&reader->members) > 0)
		return 1;
	return reader_end(&reader->value) < 0 || reader_end(&reader->members) < 0 ? -EBADMSG : 0;
}

static void take_entry(struct deref_state *state, LDAP *ld, LDAPMessage *msg)
{
	LDAPControl *control = NULL;

	if (state->controls || state->told)
		return; /* one entry was asked for */
	if (ldap_get_entry_controls(ld, msg, &state->controls) == LDAP_SUCCESS && state->controls)
		control = ldap_control_find(LDAP_CONTROL_X_DEREF, state->controls, NULL);
	if (control) {
		state->reader = deref_reader_over(&control->ldctl_value);
		read_slice(state);
		return;
	}
	ldap_controls_free(state->controls);
	state->controls = NULL;
}

static void all_came(struct deref_state *state)
{
	if (state->code == LDAP_SUCCESS && state->told) {
		req_finish(state->req, 0);
		return;
	}
	log_at(LEVEL_NOTICE, state->id, "%s: its members cannot be dereferenced: %s", state->dn,
	       ldap_err2string(state->code));
	req_finish(state->req, -ENOTSUP);
}

static void read_slice(void *data)
{
	struct deref_state *state = data;
	int r;

	state->more = NULL;
	r = deref_read(&state->reader, SLICE, &state->domain->conf, state->member, state->data);
	if (r == 1) {
		state->more = timer_once(state, state->domain->host->ev, 0, read_slice, state);
		if (!state->more)
			req_finish(state->req, -ENOMEM);
		return;
	}
	state->told = r == 0;
	ldap_controls_free(state->controls);
	state->controls = NULL;
	if (state->ended)
		all_came(state);
}

static void take_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last)
{
	struct deref_state *state = list_item(op, struct deref_state, op);
	int code = LDAP_OTHER, r;

	if (ldap_msgtype(msg) == LDAP_RES_SEARCH_ENTRY)
		take_entry(state, ld, msg);
	if (!last) {
		ldap_msgfree(msg);
		return;
	}

	r = ldap_parse_result(ld, msg, &code, NULL, NULL, NULL, NULL, 1);
	state->code = r == LDAP_SUCCESS ? code : r;
	state->ended = true;
	if (state->code != LDAP_SUCCESS || !state->controls)
		all_came(state);
}

static void failed(struct conn_op *op, int r)
{
	struct deref_state *state = list_item(op, struct deref_state, op);

	req_finish(state->req, r);
}

int deref_recv(struct tevent_req *req)
{
	int r = req_result(req);

	tevent_req_received(req);
	return r;
}
