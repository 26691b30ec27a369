/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setup - see setup.h
 *
 *   setup_send ─▶ resolved ─▶ connected ─▶ opened ─┬─▶ StartTLS ─▶ tls_agreed ─▶ tls_done ─┐
 *       └─ ldapi ──▲             (ldaps: with TLS) └─ ldaps, ldapi, clear text ────────────┤
 *                                                                                          ▼
 *           setup_recv ◀─ base_message ◀─ root_dse_message ◀─ bound ◀─ bind, if a DN is set
 *                                               └─ sasl_bound ◀─ got_ticket ◀─ ldap_sasl_mech
 *
 * The root DSE comes before the bind, and after it only when it told too little; ldap_read_rootdse
 * may want it behind the bind at once (as drawn), or not at all.
 *
 * The bind password never leaves before TLS stands, except where the administrator wrote
 * ldap_id_use_start_tls = false, or the server is on the same host (ldapi).
 */
#include "backend/ldap/setup.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "backend/core/connect.h"
#include "backend/core/resolve.h"
#include "backend/ldap/error.h"
#include "backend/ldap/handle.h"
#include "backend/ldap/tickets.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/event/timer.h"
#include "common/ldap/uri.h"
#include "common/metrics/metrics.h"

/* A base that is slower than that behind the first one of users is not waited for. */
#define REST_MS 500

/* What the server says of one DN that is a search base, or several. */
struct probe {
	struct conn_op op;
	struct setup_state *state;
	const char *dn; /* borrowed */
	uint64_t bases; /* which are there, a bit each (domain.h) */
	bool refused;
	char *refusal; /* on the state: in words */
};

struct setup_state {
	struct ldap_domain *domain; /* borrowed */
	struct server *server;      /* borrowed */
	struct endpoint *endpoint;  /* of it: at the other end; NULL until connected */
	size_t *which;              /* owned; of its endpoints those it connects to, in order */
	size_t n_which;
	const char *step; /* what is going on, for people */
	int64_t step_us;  /* since when, of CLOCK_MONOTONIC */
	bool holds;       /* the server is busy because of us */
	char *waits_for;
	char *reason;
	int fd;            /* the handle's, kept for the event loop */
	uint32_t left_s;   /* how long the connection may last; UINT32_MAX: nothing ends it */
	struct conn *conn; /* owned */
	struct conn_op op; /* one after the other */
	struct tevent_req *req;
	bool bound, told; /* has the bind been, if any; has the root DSE said what is needed */
	char *default_base;
	unsigned n_bases;
	struct probe *probes; /* owned; all at once */
	size_t n_probes, n_unanswered;
	uint64_t there, lacking; /* search bases that are to be had, and that are not (domain.h) */
	struct timer *rest;      /* armed while only others than those of users may be silent */
};

static void resolved(struct tevent_req *subreq);
static void open_socket(struct tevent_req *req);
static void connected(struct tevent_req *subreq);
static void opened(struct tevent_req *subreq);
static void start_tls(struct tevent_req *req);
static void tls_agreed(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last);
static void tls_done(struct tevent_req *subreq);
static void ask_or_bind(struct tevent_req *req);
static void bind_if_needed(struct tevent_req *req);
static void bound(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last);
static void after_bind(struct tevent_req *req);
static void get_ticket(struct tevent_req *req);
static void got_ticket(struct tevent_req *subreq);
static void bind_with_sasl(struct tevent_req *req);
static void sasl_bound(struct tevent_req *subreq);
static void read_root_dse(struct tevent_req *req);
static void root_dse_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last);
static void use_bases(struct tevent_req *req);
static void look_at_bases(struct tevent_req *req);
static void base_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last);
static void base_failed(struct conn_op *op, int r);

/* ---- endings ---- */

static struct ldap_conf *conf_of(struct setup_state *state)
{
	return &state->domain->conf;
}

static void begin_step(struct setup_state *state, const char *step)
{
	state->step = step;
	state->step_us = monotonic_us();
}

/* The server, and which address of several. */
static char *where(struct setup_state *state)
{
	auto_talloc char *address = NULL;

	if (!state->endpoint || state->server->n_endpoints < 2)
		return talloc_strdup(state, state->server->name.text);
	address = address_text(state, &state->endpoint->address);
	return talloc_asprintf(state, "%s (%s)", state->server->name.text, address ? address : "");
}

/* Ends req with r; the reason is what the step was and, unless something better is known, r's text.
 */
static void fail(struct tevent_req *req, int r, const char *reason)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	struct server *server = state->server;

	if (!tevent_req_is_in_progress(req))
		return;
	if (!reason)
		reason = error_text(r);
	if (state->endpoint)
		health_failed(server, &state->endpoint->health, reason);
	else if (server->n_endpoints == 0)
		health_failed(server, &server->health, reason);
	state->reason = talloc_asprintf(state, "%s: %s", where(state), reason);
	req_finish(req, r < 0 ? r : -E_SERVER);
}

/* "bind: Invalid credentials (…)": what was tried, and what the server said. */
static char *refusal(struct setup_state *state, int code, const char *what, const char *text)
{
	return talloc_asprintf(state, "%s: %s%s%s%s", what, ldap_err2string(code),
	                       str_empty(text) ? "" : " (", text ? text : "",
	                       str_empty(text) ? "" : ")");
}

static char *no_answer(struct setup_state *state, const char *what)
{
	return talloc_asprintf(state, "%s: no answer within %u s (ldap_opt_timeout)", what,
	                       conf_of(state)->opt_timeout_s);
}

static void op_failed(struct conn_op *op, int r)
{
	struct setup_state *state = list_item(op, struct setup_state, op);

	fail(state->req, r, r == -ETIMEDOUT ? no_answer(state, state->step) : NULL);
}

static void lost(struct conn *conn, const char *reason, void *data)
{
	struct tevent_req *req = data;
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	(void)conn;
	fail(req, -E_DISCONNECTED, talloc_asprintf(state, "%s: %s", state->step, reason) ?: reason);
}

/* Others may go for another address of the server. */
static void let_go(struct setup_state *state)
{
	if (!state->holds)
		return;
	state->holds = false;
	state->server->busy = false;
}

static void setup_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	TALLOC_FREE(state->rest);
	conn_op_cancel(&state->op);
	for (size_t i = 0; i < state->n_probes; i++)
		conn_op_cancel(&state->probes[i].op);
	state->n_probes = 0;
	let_go(state);
	if (req_state == TEVENT_REQ_DONE)
		return;
	if (state->conn) {
		conn_give(state->conn, state->domain, NULL, NULL); /* it frees itself */
		conn_close(state->conn);
		state->conn = NULL;
	}
}

const char *setup_waits_for(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	talloc_free(state->waits_for);
	state->waits_for = talloc_asprintf(state, "%s, %s", state->server->name.text, state->step);
	return state->waits_for ? state->waits_for : state->step;
}

int64_t setup_silent_us(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	return monotonic_us() - state->step_us;
}

void setup_pass_over(struct tevent_req *req, const char *reason)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	struct server *server = state->server;

	if (state->endpoint)
		health_failed(server, &state->endpoint->health, reason);
	else if (state->n_which == 0)
		health_failed(server, &server->health, reason);
	for (size_t i = 0; i < state->n_which && !state->endpoint; i++)
		health_failed(server, &server->endpoints[state->which[i]].health, reason);
}

/* ---- the way to a socket ---- */

/* For addresses that are still good DNS is given one chance: whoever waits shall not wait for two
 * things that are away. */
static int64_t resolve_ms(const struct domain_conf *conf, const struct server *server)
{
	if (server->n_endpoints > 0 && !server_is_bad(server))
		return conf->dns_resolver_server_timeout_ms;
	return (int64_t)conf->dns_resolver_timeout_s * 1000;
}

struct tevent_req *setup_send(TALLOC_CTX *mem, struct ldap_domain *domain, struct server *server)
{
	struct address local = { .local.sun_family = AF_UNIX, .size = sizeof(local.local) };
	const struct server_name *name = &server->name;
	struct setup_state *state;
	struct tevent_req *req, *subreq;

	req = tevent_req_create(mem, &state, struct setup_state);
	if (!req)
		return NULL;
	state->domain = domain;
	state->server = server;
	state->req = req;
	state->fd = -1;
	state->left_s = UINT32_MAX;
	list_init(&state->op.node);
	state->holds = server->busy = true;
	tevent_req_set_cleanup_fn(req, setup_cleanup);
	tevent_req_defer_callback(req, domain->host->ev);

	begin_step(state, "the name servers");
	if (server->resolved) {
		open_socket(req);
		return req;
	}
	if (name->protocol == URI_LDAPI) {
		server->resolved = true;
		if (strlen(name->host) >= sizeof(local.local.sun_path)) {
			fail(req, -ENAMETOOLONG, NULL);
			return req;
		}
		memcpy(local.local.sun_path, name->host, strlen(name->host) + 1);
		if (failover_set_addresses(server, &local, 1) < 0)
			fail(req, -ENOMEM, NULL);
		else
			open_socket(req);
		return req;
	}

	subreq = resolve_send(state, domain->host->ev, domain->host->options, name->host,
	                      name->port, resolve_ms(domain->host->options, server));
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, resolved, req);
	return req;
}

static const char *resolve_reason(int r)
{
	switch (r) {
	case -ENOENT:
		return "there is no such host name";
	case -EHOSTUNREACH:
		return "the name servers cannot be reached";
	case -ETIMEDOUT:
		return "no answer from the name servers (dns_resolver_op_timeout)";
	default:
		return error_text(r);
	}
}

static void resolved(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	struct server *server = state->server;
	struct address *addresses = NULL;
	size_t count = 0;
	int r = resolve_recv(subreq, state, &addresses, &count);

	TALLOC_FREE(subreq);
	server->resolved = true;

	/* While there is no DNS to be had, an address that was right a while ago is better than
	 * none: TLS proves who is there. */
	if (r < 0 && r != -ENOENT && server->n_endpoints > 0) {
		log_notice("%s: %s: the addresses known before are used", server->name.text,
		           resolve_reason(r));
		open_socket(req);
		return;
	}
	if (r == 0 || r == -ENOENT) {
		int set = failover_set_addresses(server, addresses, count);

		r = set < 0 ? set : r;
	}
	if (r < 0)
		fail(req, r, resolve_reason(r));
	else
		open_socket(req);
}

/* The addresses that were not tried in this round: first those nothing speaks against. */
static void open_socket(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	struct server *server = state->server;
	auto_talloc struct address *addresses =
		talloc_zero_array(state, struct address, (unsigned)server->n_endpoints);
	struct tevent_req *subreq;

	state->which = talloc_zero_array(state, size_t, (unsigned)server->n_endpoints);
	if (tevent_req_nomem(addresses, req) || tevent_req_nomem(state->which, req))
		return;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < server->n_endpoints; i++) {
			struct endpoint *endpoint = &server->endpoints[i];

			if (endpoint->tried || health_is_bad(&endpoint->health) != (pass == 1))
				continue;
			addresses[state->n_which] = endpoint->address;
			state->which[state->n_which++] = i;
		}

	begin_step(state, "the connection");
	subreq = connect_send(state, state->domain->host->ev, addresses, state->n_which,
	                      (int64_t)conf_of(state)->network_timeout_s * 1000);
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, connected, req);
}

/* What connecting told about each address. */
static void judge(struct setup_state *state, const int *results, bool timed_out)
{
	for (size_t i = 0; i < state->n_which; i++) {
		struct endpoint *endpoint = &state->server->endpoints[state->which[i]];
		const char *reason =
			results[i] != -EINPROGRESS ? error_text(results[i])
			: timed_out ? "no answer to connecting (ldap_network_timeout)"
				    : "no answer to connecting while another address gave one";

		if (results[i] == -EAGAIN)
			continue;
		endpoint->tried = true;
		if (results[i] == 0)
			state->endpoint = endpoint;
		else
			health_failed(state->server, &endpoint->health, reason);
	}
}

/* For the thread that works on the handle. */
static void wait_for_handle(struct tevent_req *req, struct tevent_req *subreq,
                            void (*done)(struct tevent_req *))
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	if (tevent_req_nomem(subreq, req))
		return;
	tevent_req_set_callback(subreq, done, req);
	req_set_deadline(subreq, state->domain->host->ev,
	                 deadline_in_ms((int64_t)conf_of(state)->opt_timeout_s * 1000));
}

static void connected(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	bool tls = state->server->name.protocol == URI_LDAPS;
	auto_talloc int *results = talloc_zero_array(state, int, (unsigned)state->n_which);
	int r = connect_recv(subreq, &state->fd, results);

	TALLOC_FREE(subreq);
	if (results)
		judge(state, results, r == -ETIMEDOUT);
	let_go(state);
	if (r < 0) {
		fail(req, r,
		     r == -ETIMEDOUT ? "no answer to connecting (ldap_network_timeout)" : NULL);
		return;
	}

	begin_step(state, tls ? "the TLS handshake" : "the library");
	subreq = handle_open_send(state, state->domain->host->ev, state->domain->host->pool,
	                          state->fd, &state->server->name, conf_of(state), tls);
	wait_for_handle(req, subreq, opened);
}

/* A handle came from a thread: make a connection of it. */
static int take_handle(struct tevent_req *req, struct tevent_req *subreq)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	char *reason = NULL;
	LDAP *ld = NULL;
	int r = handle_recv(subreq, state, &ld, &reason);

	TALLOC_FREE(subreq);
	if (r == -ETIMEDOUT)
		reason = talloc_asprintf(state, "%s: not done within %u s (ldap_opt_timeout)",
		                         state->step, conf_of(state)->opt_timeout_s);
	if (r == 0) {
		r = conn_new(state, state->domain->host->ev, ld, state->fd, lost, req,
		             &state->conn);
		if (r < 0)
			ldap_unbind_ext(ld, NULL, NULL);
	}
	if (r < 0)
		fail(req, r, reason);
	return r;
}

static void opened(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	if (take_handle(req, subreq) < 0)
		return;
	if (state->server->name.protocol == URI_LDAP &&
	    conf_of(state)->id_use_start_tls != START_TLS_FALSE)
		start_tls(req);
	else
		ask_or_bind(req);
}

/* ---- operations on the connection ---- */

static void submit_op(struct setup_state *state, struct conn_op *op,
                      const struct conn_op_type *type)
{
	*op = (struct conn_op){
		.type = type,
		.timeout_ms = (int64_t)conf_of(state)->opt_timeout_s * 1000,
	};
	list_init(&op->node);
	conn_submit(state->conn, op);
}

static void submit(struct setup_state *state, const struct conn_op_type *type, const char *step)
{
	begin_step(state, step);
	submit_op(state, &state->op, type);
}

/* The result code of msg, which is freed; ret_text, on state, what the server says about it. */
static int take_result(struct setup_state *state, LDAP *ld, LDAPMessage *msg, char **ret_text)
{
	int code = LDAP_OTHER, r;
	char *text = NULL;

	r = ldap_parse_result(ld, msg, &code, NULL, &text, NULL, NULL, 1);
	*ret_text = text ? str_printable(state, text, strlen(text)) : NULL;
	ldap_memfree(text);
	return r != LDAP_SUCCESS ? r : code;
}

static int send_start_tls(struct conn_op *op, LDAP *ld, int *ret_msgid)
{
	(void)op;
	return ldap_error(ldap_start_tls(ld, NULL, NULL, ret_msgid));
}

static void start_tls(struct tevent_req *req)
{
	static const struct conn_op_type type = { send_start_tls, tls_agreed, op_failed };

	submit(tevent_req_data(req, struct setup_state), &type, "StartTLS");
}

static void tls_agreed(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last)
{
	struct setup_state *state = list_item(op, struct setup_state, op);
	struct tevent_req *req = state->req, *subreq;
	char *text;
	int code = take_result(state, ld, msg, &text);

	(void)last;
	if (code != LDAP_SUCCESS) {
		if (conf_of(state)->id_use_start_tls == START_TLS_UNSET)
			text = talloc_asprintf(
				state,
				"it refuses StartTLS (%s); if it is meant to be spoken to in clear "
				"text, write ldap_id_use_start_tls = false in [%s]",
				ldap_err2string(code), state->domain->host->section);
		else
			text = talloc_asprintf(state, "it refuses StartTLS (%s)",
			                       ldap_err2string(code));
		fail(req, -E_TLS_REFUSED, text);
		return;
	}

	begin_step(state, "the TLS handshake");
	subreq = handle_tls_send(state, state->domain->host->ev, state->domain->host->pool,
	                         conn_take(take_ptr(state->conn)), state->fd, &state->server->name,
	                         conf_of(state));
	wait_for_handle(req, subreq, tls_done);
}

static void tls_done(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);

	if (take_handle(req, subreq) == 0)
		ask_or_bind(req);
}

static bool must_bind(struct setup_state *state)
{
	return conf_of(state)->sasl_mech || conf_of(state)->bind_dn;
}

static void ask_or_bind(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	if (conf_of(state)->read_rootdse == LDAP_ROOTDSE_ANONYMOUS)
		read_root_dse(req);
	else
		bind_if_needed(req);
}

/* ---- who we are ---- */

static int send_bind(struct conn_op *op, LDAP *ld, int *ret_msgid)
{
	struct setup_state *state = list_item(op, struct setup_state, op);
	const struct secret *password = conf_of(state)->bind_password;
	struct berval credentials = { 0 };

	credentials.bv_val = (char *)(uintptr_t)secret_bytes(password);
	credentials.bv_len = secret_size(password);
	return ldap_error(ldap_sasl_bind(ld, conf_of(state)->bind_dn, LDAP_SASL_SIMPLE,
	                                 &credentials, NULL, NULL, ret_msgid));
}

static void bind_if_needed(struct tevent_req *req)
{
	static const struct conn_op_type type = { send_bind, bound, op_failed };
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	if (conf_of(state)->sasl_mech)
		get_ticket(req);
	else if (conf_of(state)->bind_dn)
		submit(state, &type, "the bind");
	else
		after_bind(req);
}

static void bound(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last)
{
	struct setup_state *state = list_item(op, struct setup_state, op);
	char *text;
	int code = take_result(state, ld, msg, &text);

	(void)last;
	if (code != LDAP_SUCCESS)
		fail(state->req, ldap_error(code), refusal(state, code, "bind", text));
	else
		after_bind(state->req);
}

/* Whoever has bound, or need not. */
static void after_bind(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);

	state->bound = true;
	if (conf_of(state)->read_rootdse == LDAP_ROOTDSE_NEVER)
		use_bases(req);
	else if (state->told)
		look_at_bases(req);
	else
		read_root_dse(req);
}

/* The name that the server has in the KDC's database; "": what libldap makes of its address, or
 * on ldapi of our own name, is not known here, and its ticket is fetched within the handshake. */
static const char *ticket_host(struct setup_state *state)
{
	const struct server_name *name = &state->server->name;

	return name->protocol == URI_LDAPI || conf_of(state)->sasl_canonicalize ? "" : name->host;
}

static void get_ticket(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	struct tevent_req *subreq;

	if (!state->domain->tickets) {
		bind_with_sasl(req);
		return;
	}
	begin_step(state, "a ticket from the KDC");
	subreq = tickets_get_send(state, state->domain->tickets, ticket_host(state));
	if (!tevent_req_nomem(subreq, req))
		tevent_req_set_callback(subreq, got_ticket, req);
}

static void got_ticket(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	char *reason = NULL;
	int r = tickets_get_recv(subreq, state, &state->left_s, &reason);

	TALLOC_FREE(subreq);
	if (r < 0)
		fail(req, r, reason);
	else if (!state->conn)
		fail(req, -E_DISCONNECTED, NULL);
	else
		bind_with_sasl(req);
}

static void bind_with_sasl(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	struct tevent_req *subreq;

	begin_step(state, "the SASL bind");
	subreq = handle_bind_send(state, state->domain->host->ev, state->domain->host->pool,
	                          conn_take(take_ptr(state->conn)), state->fd, &state->server->name,
	                          conf_of(state));
	wait_for_handle(req, subreq, sasl_bound);
}

static void sasl_bound(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	int r = take_handle(req, subreq);

	if (r == 0)
		after_bind(req);
	else if (state->domain->tickets && r != -ETIMEDOUT && r != -E_DISCONNECTED)
		tickets_doubt(state->domain->tickets, ticket_host(state));
}

static int send_root_dse(struct conn_op *op, LDAP *ld, int *ret_msgid)
{
	static char contexts[] = "namingContexts", preferred[] = "defaultNamingContext",
		    controls[] = "supportedControl";
	char *attrs[] = { contexts, preferred, controls, NULL };

	(void)op;
	metrics_count(METRICS_SEARCHES_CONNECTION);
	return ldap_error(ldap_search_ext(ld, "", LDAP_SCOPE_BASE, NULL, attrs, 0, NULL, NULL, NULL,
	                                  LDAP_NO_LIMIT, ret_msgid));
}

static void read_root_dse(struct tevent_req *req)
{
	static const struct conn_op_type type = { send_root_dse, root_dse_message, op_failed };

	submit(tevent_req_data(req, struct setup_state), &type, "the root DSE");
}

enum { CONTEXTS, PREFERRED, CONTROLS };

static void take_root_dse(struct setup_state *state, LDAP *ld, LDAPMessage *msg)
{
	static const struct attrs attrs = {
		{ "namingContexts", "defaultNamingContext", "supportedControl" }, 3
	};
	struct entry_values *values;
	const char *base;

	if (entry_read(state, ld, msg, &attrs, &values) < 0)
		return;
	state->told = true;
	state->n_bases = 0;
	base = entry_text(values, PREFERRED);
	for (size_t i = 0; values->values[CONTEXTS] && values->values[CONTEXTS][i].bv_val; i++) {
		state->n_bases++;
		if (!base)
			base = values->values[CONTEXTS][i].bv_val;
	}
	if (entry_text(values, PREFERRED))
		state->n_bases = 1;
	state->default_base = base ? talloc_strdup(state, base) : NULL;
	state->domain->offers_deref = entry_has_value(values, CONTROLS, LDAP_CONTROL_X_DEREF);
	state->domain->offers_pages = entry_has_value(values, CONTROLS, LDAP_CONTROL_PAGEDRESULTS);
	talloc_free(values);
}

/* Fills in what the configuration left open. Errors: -E_SERVER the server does not say either. */
static int set_default_bases(struct setup_state *state)
{
	struct ldap_domain *domain = state->domain;
	int r;

	for (size_t i = 0; i < N_SEARCHES; i++) {
		struct bases *bases = &domain->bases[i];

		if (bases->count > 0)
			continue;
		if (str_empty(state->default_base) || state->n_bases != 1)
			return -E_SERVER;
		r = bases_of_dn(domain, state->default_base, bases);
		if (r == 0)
			r = bases_narrow(bases, domain->narrowings[i].scope,
			                 domain->narrowings[i].filter);
		if (r < 0)
			return r;
	}
	return 0;
}

static void root_dse_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last)
{
	struct setup_state *state = list_item(op, struct setup_state, op);

	if (!last) {
		if (ldap_msgtype(msg) == LDAP_RES_SEARCH_ENTRY)
			take_root_dse(state, ld, msg);
		else
			ldap_msgfree(msg);
		return;
	}

	/* Whatever the result, it is an answer: not everybody may read the root DSE. */
	ldap_msgfree(msg);
	if (state->bound || !must_bind(state)) {
		use_bases(state->req);
		return;
	}
	state->told = state->told && set_default_bases(state) == 0;
	bind_if_needed(state->req);
}

static void use_bases(struct tevent_req *req)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	int r = set_default_bases(state);

	if (r == -E_SERVER)
		fail(req, r,
		     conf_of(state)->read_rootdse == LDAP_ROOTDSE_NEVER
		             ? "it is not asked for a search base (ldap_read_rootdse); set "
		               "ldap_search_base"
		             : "it does not name one search base; set ldap_search_base");
	else if (r < 0)
		fail(req, r, NULL);
	else
		look_at_bases(req);
}

static int send_base(struct conn_op *op, LDAP *ld, int *ret_msgid)
{
	struct probe *probe = list_item(op, struct probe, op);
	static char no_attrs[] = LDAP_NO_ATTRS;
	char *attrs[] = { no_attrs, NULL };

	metrics_count(METRICS_SEARCHES_CONNECTION);
	return ldap_error(ldap_search_ext(ld, probe->dn, LDAP_SCOPE_BASE, NULL, attrs, 0, NULL,
	                                  NULL, NULL, LDAP_NO_LIMIT, ret_msgid));
}

/* The one for dn, made where there is none. */
static struct probe *probe_for(struct setup_state *state, const char *dn)
{
	struct probe *probe = state->probes;

	while (probe < state->probes + state->n_probes && strcasecmp(probe->dn, dn) != 0)
		probe++;
	if (probe == state->probes + state->n_probes) {
		*probe = (struct probe){ .state = state, .dn = dn };
		list_init(&probe->op.node);
		state->n_probes++;
	}
	return probe;
}

/* A server may be well and its database hang, or be another one than we need: the root DSE does
 * not tell, the entries we depend on do. */
static void look_at_bases(struct tevent_req *req)
{
	static const struct conn_op_type type = { send_base, base_message, base_failed };
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	const struct bases *bases = state->domain->bases;

	state->probes = talloc_zero_array(state, struct probe, N_SEARCHES * BASES_MAX);
	if (tevent_req_nomem(state->probes, req))
		return;
	for (int where = 0; where < N_SEARCHES; where++)
		for (size_t i = 0; i < bases[where].count; i++)
			probe_for(state, bases[where].items[i].dn)->bases |= base_bit(where, i);

	begin_step(state, "the search base");
	state->n_unanswered = state->n_probes;
	for (size_t i = 0; i < state->n_probes && tevent_req_is_in_progress(req); i++)
		submit_op(state, &state->probes[i].op, &type);
}

/* Is there no base of users to be had? */
static bool lacks_users(const struct setup_state *state)
{
	for (size_t i = 0; i < state->domain->bases[SEARCH_USERS].count; i++)
		if (!(state->lacking & base_bit(SEARCH_USERS, i)))
			return false;
	return true;
}

/* All refusals; NULL: there are none. Those of bases of users come first. */
static char *refusals_text(struct setup_state *state)
{
	char *text = NULL;

	for (size_t i = 0; i < state->n_probes; i++)
		if (state->probes[i].refusal)
			text = talloc_asprintf(state, "%s%s%s", text ? text : "", text ? "; " : "",
			                       state->probes[i].refusal);
	return text;
}

/* Enough answered. */
static void bases_known(struct setup_state *state)
{
	TALLOC_FREE(state->rest);
	if (lacks_users(state)) {
		fail(state->req, -E_SERVER, refusals_text(state));
		return;
	}
	if (state->lacking)
		state->reason =
			talloc_asprintf(state, "%s: %s", where(state), refusals_text(state));
	req_finish(state->req, 0);
}

/* Those that are silent still count as there: whoever needs them will see. */
static void rest_is_late(void *data)
{
	struct setup_state *state = data;

	state->rest = NULL;
	bases_known(state);
}

static bool is_of_users(uint64_t bases)
{
	return bases & (base_bit(SEARCH_USERS, BASES_MAX) - 1);
}

static void probe_answered(struct probe *probe)
{
	struct setup_state *state = probe->state;

	if (probe->refused)
		state->lacking |= probe->bases;
	else
		state->there |= probe->bases;
	if (--state->n_unanswered == 0) {
		bases_known(state);
		return;
	}
	if (is_of_users(state->there) && !state->rest) {
		state->rest =
			timer_once(state, state->domain->host->ev, REST_MS, rest_is_late, state);
		tevent_req_nomem(state->rest, state->req);
	}
}

static char *base_text(struct probe *probe)
{
	return talloc_asprintf(probe->state, "search base %s",
	                       *probe->dn ? probe->dn : "(the root)");
}

/* Whatever code it is refused with, a search for the base alone asks for nothing peculiar: none
 * below that base will do better. A limit says nothing about the base. */
static void base_message(struct conn_op *op, LDAP *ld, LDAPMessage *msg, bool last)
{
	struct probe *probe = list_item(op, struct probe, op);
	struct setup_state *state = probe->state;
	char *text;
	int code, r;

	if (!last) {
		ldap_msgfree(msg);
		return;
	}
	code = take_result(state, ld, msg, &text);
	r = ldap_error(code);
	probe->refused = r < 0 && r != -E_SIZE_LIMIT;
	if (probe->refused)
		probe->refusal = refusal(state, code, base_text(probe), text);
	if (ldap_error_is_unwell(code))
		fail(state->req, r, probe->refusal);
	else
		probe_answered(probe);
}

static void base_failed(struct conn_op *op, int r)
{
	struct probe *probe = list_item(op, struct probe, op);
	struct setup_state *state = probe->state;

	if (r != -ETIMEDOUT) {
		fail(state->req, r, NULL);
		return;
	}
	probe->refused = true;
	probe->refusal = no_answer(state, base_text(probe));
	probe_answered(probe);
}

int setup_recv(struct tevent_req *req, TALLOC_CTX *mem, struct ready *ret_ready, char **ret_reason)
{
	struct setup_state *state = tevent_req_data(req, struct setup_state);
	int r = req_result(req);

	if (r == 0) {
		conn_give(state->conn, mem, NULL, NULL);
		ret_ready->conn = take_ptr(state->conn);
		ret_ready->address = state->endpoint->address;
		ret_ready->left_s = state->left_s;
		ret_ready->lacking = state->lacking;
		health_works(&state->endpoint->health);
		health_works(&state->server->health);
	}
	if (state->reason)
		*ret_reason = talloc_move(mem, &state->reason);
	else if (r < 0)
		*ret_reason =
			talloc_asprintf(mem, "%s: %s", state->server->name.text, error_text(r));
	tevent_req_received(req);
	return r;
}
