/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Call - one method call, as a request on one side and as an object to answer on the other
 *
 *   sbus_request_send ─▶ … ─▶ (peer) sbus_deliver ─▶ its method ─▶ sbus_reply, sbus_call_fail
 *   sbus_request_recv ◀─ answered ◀─ sbus_deliver ◀─ …
 *        └ or: late, connection ended
 */
#include "common/sbus/call.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/event/req.h"
#include "common/sbus/conn.h"

#define OBJECT_PATH "/sssd"

/* ---- asking ---- */

struct request_state {
	struct tevent_req *req;
	struct tevent_context *ev;        /* borrowed */
	struct sbus_conn *conn;           /* borrowed; NULL once it is not in the list any more */
	const struct sbus_method *method; /* static */
	struct list node;                 /* in conn->requests, the oldest first */
	uint32_t serial;
	struct deadline deadline;
	DBusMessage *answer; /* owned */
};

static int wait_until(struct sbus_conn *conn, struct deadline deadline);

static int request_free(struct request_state *state)
{
	list_remove(&state->node);
	if (state->answer)
		dbus_message_unref(state->answer);
	return 0;
}

struct tevent_req *sbus_request_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                     struct sbus_conn *conn, const struct sbus_interface *interface,
                                     const struct sbus_method *method, const void *in,
                                     uint32_t timeout_ms)
{
	cleanup_with(dbus_message_unref) DBusMessage *message = NULL;
	struct request_state *state;
	struct tevent_req *req;
	int r;

	req = tevent_req_create(mem, &state, struct request_state);
	if (!req)
		return NULL;
	state->req = req;
	state->ev = ev;
	state->method = method;
	state->deadline = deadline_in_ms(timeout_ms);
	list_init(&state->node);
	talloc_set_destructor(state, request_free);
	if (timeout_ms == 0)
		return req_finish_now(req, ev, -ETIMEDOUT);

	message = dbus_message_new_method_call(NULL, OBJECT_PATH, interface->name, method->name);
	if (!message)
		return req_finish_now(req, ev, -ENOMEM);
	r = sbus_args_write(message, &method->in, in);
	if (r == 0)
		r = wait_until(conn, state->deadline);
	if (r == 0)
		r = sbus_conn_write(conn, message, &state->serial);
	if (r < 0)
		return req_finish_now(req, ev, r);

	state->conn = conn;
	list_append(&conn->requests, &state->node);
	return req;
}

/* Ends a request; its callback may free anything. */
static void request_end(struct request_state *state, int r)
{
	list_remove(&state->node);
	state->conn = NULL;
	req_finish(state->req, r);
}

static void answered(struct sbus_conn *conn, DBusMessage *message)
{
	uint32_t serial = dbus_message_get_reply_serial(message);
	struct request_state *state;

	/* Mostly the first: answers come nearly in the order of the questions. */
	list_for_each(state, &conn->requests, node) {
		if (state->serial != serial)
			continue;
		state->answer = dbus_message_ref(message);
		request_end(state, 0);
		return;
	}
	/* A late answer to a request that has ended is nobody's business. */
}

int sbus_request_recv(struct tevent_req *req, TALLOC_CTX *mem, void *ret_out)
{
	struct request_state *state = tevent_req_data(req, struct request_state);
	int r = req_result(req);

	if (r == 0 && dbus_message_get_type(state->answer) == DBUS_MESSAGE_TYPE_ERROR)
		r = sbus_error_code(dbus_message_get_error_name(state->answer));
	else if (r == 0)
		r = sbus_args_read(state->answer, &state->method->out, mem, true, ret_out);
	tevent_req_received(req);
	return r;
}

/* ---- deadlines: one timer for a connection, moved only when one is due before it fires ---- */

static void some_due(void *data)
{
	struct sbus_conn *conn = data;
	struct sbus_life *life = sbus_conn_hold(conn);
	struct request_state *state;
	struct deadline next;

	conn->request_timer = NULL; /* freed by its firing */

	/* From the start after each end: the callback may have freed any other. */
again:
	next.us = 0;
	list_for_each(state, &conn->requests, node) {
		if (deadline_passed(state->deadline)) {
			request_end(state, -ETIMEDOUT);
			if (life->gone)
				goto out;
			goto again;
		}
		next = deadline_earlier(next, state->deadline);
	}
	if (next.us)
		wait_until(conn, next);
out:
	sbus_life_release(life);
}

static int wait_until(struct sbus_conn *conn, struct deadline deadline)
{
	if (conn->request_timer && conn->request_due.us <= deadline.us)
		return 0;

	TALLOC_FREE(conn->request_timer);
	conn->request_timer =
		timer_once(conn, conn->ev, deadline_left_ms(deadline), some_due, conn);
	conn->request_due = deadline;
	return conn->request_timer ? 0 : -ENOMEM;
}

void sbus_fail_requests(struct sbus_conn *conn)
{
	struct sbus_life *life = sbus_conn_hold(conn);

	while (!life->gone && !list_empty(&conn->requests))
		request_end(list_item(conn->requests.next, struct request_state, node),
		            -E_DISCONNECTED);
	sbus_life_release(life);
}

void sbus_forget_requests(struct sbus_conn *conn)
{
	/* Inside talloc_free(): their callbacks have to wait for the loop. */
	while (!list_empty(&conn->requests)) {
		struct request_state *state =
			list_item(conn->requests.next, struct request_state, node);

		tevent_req_defer_callback(state->req, state->ev);
		request_end(state, -E_DISCONNECTED);
	}
}

/* ---- serving ---- */

struct served {
	struct served *next;
	const struct sbus_interface *interface; /* static */
	const void *table;                      /* borrowed */
	void *data;
};

struct sbus_call {
	struct sbus_conn *conn;           /* borrowed: we hang below it */
	DBusMessage *message;             /* owned: in points into it */
	const struct sbus_method *method; /* static */
	struct tevent_immediate *done;    /* owned; set once it is answered */
};

int sbus_serve(struct sbus_conn *conn, const struct sbus_interface *interface, const void *table,
               void *data)
{
	struct served *served;

	for (served = conn->served; served; served = served->next)
		if (served->interface == interface)
			return -EEXIST;

	served = talloc(conn, struct served);
	if (!served)
		return -ENOMEM;
	*served = (struct served){ conn->served, interface, table, data };
	conn->served = served;
	return 0;
}

static void refuse(struct sbus_conn *conn, DBusMessage *message, const char *error,
                   const char *text)
{
	cleanup_with(dbus_message_unref) DBusMessage *answer = NULL;

	if (dbus_message_get_no_reply(message))
		return;
	answer = dbus_message_new_error(message, error, text);
	if (answer)
		sbus_conn_write(conn, answer, NULL);
}

static void refuse_with(struct sbus_conn *conn, DBusMessage *message, int r, const char *text)
{
	auto_talloc char *error = sbus_error_name(NULL, r);

	if (error)
		refuse(conn, message, error, text);
}

static int call_free(struct sbus_call *call)
{
	if (!call->done && !call->conn->ended)
		refuse_with(call->conn, call->message, -ECANCELED, "nobody answered");
	dbus_message_unref(call->message);
	return 0;
}

/* Runs the method of ours that message asks for. */
static void serve(struct sbus_conn *conn, const struct served *served, size_t method,
                  DBusMessage *message)
{
	const struct sbus_method *asked = &served->interface->methods[method];
	struct sbus_call *call = talloc_zero(conn, struct sbus_call);
	void *in = call && asked->in.size ? talloc_size(call, asked->in.size) : NULL;
	int r = 0;

	if (!call || (asked->in.size && !in)) {
		talloc_free(call);
		refuse_with(conn, message, -ENOMEM, "no memory");
		return;
	}
	call->conn = conn;
	call->message = dbus_message_ref(message);
	call->method = asked;
	talloc_set_destructor(call, call_free);

	r = sbus_args_read(message, &asked->in, call, false, in);
	if (r < 0)
		sbus_call_fail(call, r, "not the arguments of %s", asked->name);
	else if (!served->interface->invoke(served->table, method, call, in, served->data))
		sbus_call_fail(call, -ENOSYS, "%s is not built", asked->name);
}

static void called(struct sbus_conn *conn, DBusMessage *message)
{
	const char *interface = dbus_message_get_interface(message);
	const char *member = dbus_message_get_member(message);

	for (const struct served *served = conn->served; served && interface;
	     served = served->next) {
		const struct sbus_method *methods = served->interface->methods;

		if (strcmp(interface, served->interface->name) != 0)
			continue;
		for (size_t i = 0; methods[i].name; i++)
			if (strcmp(member, methods[i].name) == 0) {
				serve(conn, served, i, message);
				return;
			}
	}
	refuse(conn, message, DBUS_ERROR_UNKNOWN_METHOD, member);
}

void sbus_deliver(struct sbus_conn *conn, DBusMessage *message)
{
	switch (dbus_message_get_type(message)) {
	case DBUS_MESSAGE_TYPE_METHOD_CALL:
		called(conn, message);
		break;
	case DBUS_MESSAGE_TYPE_METHOD_RETURN:
	case DBUS_MESSAGE_TYPE_ERROR:
		answered(conn, message);
		break;
	default: /* signals: we have none but libdbus' own "Disconnected", which conn.c notices */
		break;
	}
}

/* ---- answering ---- */

struct sbus_conn *sbus_call_conn(const struct sbus_call *call)
{
	return call->conn;
}

static void call_done(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	(void)ev;
	(void)im;
	talloc_free(data);
}

/* The caller may still use what hangs below call until it returns to the loop. */
static void end_call(struct sbus_call *call)
{
	call->done = tevent_create_immediate(call);
	if (call->done)
		tevent_schedule_immediate(call->done, call->conn->ev, call_done, call);
}

void sbus_reply(struct sbus_call *call, const struct sbus_method *method, const void *out)
{
	cleanup_with(dbus_message_unref) DBusMessage *answer = NULL;
	int r;

	assert(call->method == method && !call->done);
	if (!call->conn->ended && !dbus_message_get_no_reply(call->message)) {
		answer = dbus_message_new_method_return(call->message);
		r = answer ? sbus_args_write(answer, &method->out, out) : -ENOMEM;
		if (r == 0)
			r = sbus_conn_write(call->conn, answer, NULL);
		if (r < 0) {
			log_debug("cannot answer %s: %s", method->name, error_text(r));
			refuse_with(call->conn, call->message, r, error_text(r));
		}
	}
	end_call(call);
}

void sbus_call_fail(struct sbus_call *call, int r, const char *format, ...)
{
	auto_talloc char *text = NULL;
	va_list args;

	assert(r < 0 && !call->done);
	va_start(args, format);
	text = talloc_vasprintf(NULL, format, args);
	va_end(args);
	if (!call->conn->ended)
		refuse_with(call->conn, call->message, r,
		            text && str_is_utf8(text, strlen(text)) ? text : "");
	end_call(call);
}
