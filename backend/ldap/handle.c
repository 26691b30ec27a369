/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handle - see handle.h
 */
#include "backend/ldap/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <openldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/ldap/error.h"
#include "backend/ldap/sasl.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/ldap/uri.h"

/* libldap reads a message with two calls of read(2), its head and its body. One larger buffer
 * below everything, TLS too, takes hundreds of small entries with a single one. */
#define READ_AHEAD_SIZE  65536
#define READ_AHEAD_LEVEL 15 /* between LBER_SBIOD_LEVEL_PROVIDER and _TRANSPORT, where TLS is */

/* libldap takes memory for a whole message, as long as the server says that it is, before that has
 * come. The cache takes no longer record. */
#define MESSAGE_MAX ((ber_len_t)64 << 20)

/* What the socket has no room for waits for a turn of the loop (sockbuf.h): there is room for a few
 * filters of 48 KiB. */
#define SEND_ROOM 262144

#define REASON_MAX 400 /* of what is passed on: the server writes some of it */

/* What the thread works on. It may go on when the domain, and all else, is gone. */
struct work {
	LDAP *ld;               /* owned */
	int fd;                 /* owned until ld is there, which may close it at any time */
	int hurry_fd;           /* owned: the same socket, for who hurries */
	char *text, *host;      /* owned */
	struct ldap_conf *conf; /* owned, a talloc object that the thread only reads */
	bool local, tls, bind;
	int result;
	char reason[1024];
};

struct handle_state {
	struct work *working; /* the job's */
	struct work *work;    /* the same, ours once the job has ended */
};

static void handle_done(struct tevent_req *subreq);

/* ---- on the thread ---- */

static int set_text(LDAP *ld, int option, const char *value)
{
	return value ? ldap_set_option(ld, option, value) : LDAP_OPT_SUCCESS;
}

static int open_handle(struct work *work)
{
	int version = LDAP_VERSION3, size = READ_AHEAD_SIZE, deref = work->conf->deref;
	struct timeval network = { .tv_sec = work->conf->network_timeout_s };
	ber_len_t most = MESSAGE_MAX;
	Sockbuf *sockbuf = NULL;
	int r;

	r = ldap_init_fd(work->fd, work->local ? LDAP_PROTO_IPC : LDAP_PROTO_TCP, work->text,
	                 &work->ld);
	if (r != LDAP_SUCCESS)
		return r;

	if (ldap_set_option(work->ld, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(work->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(work->ld, LDAP_OPT_RESTART, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(work->ld, LDAP_OPT_DEREF, &deref) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(work->ld, LDAP_OPT_NETWORK_TIMEOUT, &network) != LDAP_OPT_SUCCESS ||
	    ldap_get_option(work->ld, LDAP_OPT_SOCKBUF, &sockbuf) != LDAP_OPT_SUCCESS ||
	    ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &most) != 1 ||
	    ber_sockbuf_add_io(sockbuf, &ber_sockbuf_io_readahead, READ_AHEAD_LEVEL, &size) != 0)
		return LDAP_LOCAL_ERROR;
	return LDAP_SUCCESS;
}

static int install_tls(struct work *work)
{
	static const int reqcerts[] = {
		[LDAP_REQCERT_NEVER] = LDAP_OPT_X_TLS_NEVER,
		[LDAP_REQCERT_ALLOW] = LDAP_OPT_X_TLS_ALLOW,
		[LDAP_REQCERT_TRY] = LDAP_OPT_X_TLS_TRY,
		[LDAP_REQCERT_DEMAND] = LDAP_OPT_X_TLS_DEMAND,
		[LDAP_REQCERT_HARD] = LDAP_OPT_X_TLS_HARD,
	};
	const struct ldap_conf *conf = work->conf;
	int reqcert = reqcerts[conf->tls_reqcert], client = 0;

	if (ldap_set_option(work->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &reqcert) != LDAP_OPT_SUCCESS ||
	    set_text(work->ld, LDAP_OPT_X_TLS_CACERTFILE, conf->tls_cacert) != LDAP_OPT_SUCCESS ||
	    set_text(work->ld, LDAP_OPT_X_TLS_CACERTDIR, conf->tls_cacertdir) != LDAP_OPT_SUCCESS ||
	    set_text(work->ld, LDAP_OPT_X_TLS_CERTFILE, conf->tls_cert) != LDAP_OPT_SUCCESS ||
	    set_text(work->ld, LDAP_OPT_X_TLS_KEYFILE, conf->tls_key) != LDAP_OPT_SUCCESS ||
	    set_text(work->ld, LDAP_OPT_X_TLS_CIPHER_SUITE, conf->tls_cipher_suite) !=
	            LDAP_OPT_SUCCESS) {
		snprintf(work->reason, sizeof(work->reason),
		         "an ldap_tls_* option is not accepted");
		return -E_TLS;
	}

	/* A context of this handle's own, made of the options above; it reads the files. */
	if (ldap_set_option(work->ld, LDAP_OPT_X_TLS_NEWCTX, &client) != LDAP_OPT_SUCCESS) {
		snprintf(work->reason, sizeof(work->reason),
		         "a file of ldap_tls_cacert, ldap_tls_cacertdir, ldap_tls_cert or "
		         "ldap_tls_key cannot be used");
		return -E_TLS;
	}
	if (ldap_install_tls(work->ld) != LDAP_SUCCESS) {
		char *text = NULL;

		/* libldap has no word for a certificate that was refused. */
		ldap_get_option(work->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
		if (!text || !*text || strstr(text, "unknown error"))
			snprintf(work->reason, sizeof(work->reason),
			         "TLS handshake: its certificate is not trusted, has expired, or "
			         "is not for %s",
			         work->host);
		else
			snprintf(work->reason, sizeof(work->reason), "TLS handshake: %s", text);
		ldap_memfree(text);
		return -E_TLS;
	}
	return 0;
}

static void work_do(void *data)
{
	struct work *work = data;

	if (!work->ld)
		work->result = ldap_error(open_handle(work));
	if (work->result == 0 && work->tls)
		work->result = install_tls(work);
	if (work->result == 0 && work->bind)
		work->result = sasl_bind(work->ld, work->conf, work->reason, sizeof(work->reason));
}

/* ---- on the loop ---- */

/* What the thread reads of it, and nothing else. */
static struct ldap_conf *copy_conf(const struct ldap_conf *conf)
{
	struct ldap_conf *copy = talloc_zero(NULL, struct ldap_conf);
	const struct {
		const char **to, *from;
	} texts[] = {
		{ &copy->tls_cacert, conf->tls_cacert },
		{ &copy->tls_cacertdir, conf->tls_cacertdir },
		{ &copy->tls_cert, conf->tls_cert },
		{ &copy->tls_key, conf->tls_key },
		{ &copy->tls_cipher_suite, conf->tls_cipher_suite },
		{ &copy->sasl_mech, conf->sasl_mech },
		{ &copy->sasl_authid, conf->sasl_authid },
		{ &copy->sasl_realm, conf->sasl_realm },
		{ &copy->krb5_realm, conf->krb5_realm },
	};
	const struct secret *password = conf->bind_password;
	bool whole = copy != NULL;

	for (size_t i = 0; i < str_size(texts) && whole; i++) {
		*texts[i].to = talloc_strdup(copy, texts[i].from);
		whole = !texts[i].from == !*texts[i].to;
	}
	if (whole && password)
		whole = secret_new(copy, secret_bytes(password), secret_size(password),
		                   &copy->bind_password) == 0;
	if (!whole) {
		talloc_free(copy);
		return NULL;
	}
	copy->deref = conf->deref;
	copy->network_timeout_s = conf->network_timeout_s;
	copy->tls_reqcert = conf->tls_reqcert;
	copy->sasl_canonicalize = conf->sasl_canonicalize;
	copy->sasl_minssf = conf->sasl_minssf;
	copy->sasl_maxssf = conf->sasl_maxssf;
	return copy;
}

static void work_free(struct work *work)
{
	talloc_free(work->conf);
	close_fd(&work->hurry_fd);
	free(work->text);
	free(work->host);
	free(work);
}

static void work_hurry(void *data)
{
	struct work *work = data;

	shutdown(work->hurry_fd, SHUT_RDWR);
}

static void work_drop(void *data)
{
	struct work *work = data;

	if (work->ld)
		ldap_unbind_ext(work->ld, NULL, NULL); /* closes fd */
	else
		close(work->fd);
	work_free(work);
}

static const struct pool_job job = { .work = work_do, .hurry = work_hurry, .drop = work_drop };

static int handle_destroy(struct handle_state *state)
{
	if (state->work)
		work_drop(state->work);
	return 0;
}

static struct tevent_req *handle_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                      const struct server_name *name, const struct ldap_conf *conf,
                                      const struct work *template)
{
	struct work *work = malloc(sizeof(*work));
	struct handle_state *state;
	struct tevent_req *req, *subreq;

	if (work) {
		*work = *template;
		work->conf = copy_conf(conf);
		work->text = strdup(name->text);
		work->host = strdup(name->host);
		work->local = name->protocol == URI_LDAPI;
		work->hurry_fd = fcntl(template->fd, F_DUPFD_CLOEXEC, 3);
	}
	if (!work || !work->conf || !work->text || !work->host || work->hurry_fd < 0) {
		if (work)
			work_free(work);
		/* As if it had been begun: the socket is ours to close. */
		if (template->ld)
			ldap_unbind_ext(template->ld, NULL, NULL);
		else
			close(template->fd);
		return NULL;
	}

	req = tevent_req_create(mem, &state, struct handle_state);
	if (!req) {
		work_drop(work);
		return NULL;
	}
	subreq = pool_send(state, ev, pool, &job, work);
	if (!subreq) {
		work_drop(work);
		return req_finish_now(req, ev, -ENOMEM);
	}
	state->working = work;
	talloc_set_destructor(state, handle_destroy);
	tevent_req_set_callback(subreq, handle_done, req);
	return req;
}

static void handle_done(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq, struct tevent_req);
	struct handle_state *state = tevent_req_data(req, struct handle_state);
	int r = pool_recv(subreq);

	TALLOC_FREE(subreq);
	state->work = take_ptr(state->working);
	req_finish(req, r < 0 ? r : state->work->result);
}

int handle_recv(struct tevent_req *req, TALLOC_CTX *mem, LDAP **ret_ld, char **ret_reason)
{
	struct handle_state *state = tevent_req_data(req, struct handle_state);
	int r = req_result(req);

	if (r == 0) {
		*ret_ld = state->work->ld; /* and the descriptor with it */
		work_free(take_ptr(state->work));
	} else if (state->work && *state->work->reason) {
		*ret_reason = str_printable_up_to(mem, state->work->reason,
		                                  strlen(state->work->reason), REASON_MAX);
	}
	tevent_req_received(req);
	return r;
}

struct tevent_req *handle_open_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                    int fd, const struct server_name *name,
                                    const struct ldap_conf *conf, bool tls)
{
	struct work work = { .fd = fd, .tls = tls };
	int size = SEND_ROOM;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* as far as it may be */
	return handle_send(mem, ev, pool, name, conf, &work);
}

struct tevent_req *handle_tls_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                   LDAP *ld, int fd, const struct server_name *name,
                                   const struct ldap_conf *conf)
{
	struct work work = { .ld = ld, .fd = fd, .tls = true };

	return handle_send(mem, ev, pool, name, conf, &work);
}

struct tevent_req *handle_bind_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                                    LDAP *ld, int fd, const struct server_name *name,
                                    const struct ldap_conf *conf)
{
	struct work work = { .ld = ld, .fd = fd, .bind = true };

	return handle_send(mem, ev, pool, name, conf, &work);
}
