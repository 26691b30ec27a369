/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Call - what the generated iface_NAME.c stand on: asking, serving, answering
 */
#pragma once

#include <stddef.h>

#include "common/sbus/sbus.h"
#include "common/sbus/value.h"

struct sbus_method {
	const char *name;
	struct sbus_args in, out;
};

struct sbus_interface {
	const char *name;
	const struct sbus_method *methods; /* ends with a NULL name */

	/* Calls the member of table (a struct NAME_methods) that stands for methods[method]; false
	 * when that is NULL. */
	bool (*invoke)(const void *table, size_t method, struct sbus_call *call, const void *in,
	               void *data);
};

/* Asks the peer. timeout_ms 0 has passed already.
 * Errors: -ETIMEDOUT; -E_DISCONNECTED; -EBUSY the peer does not read; -EILSEQ, -EMSGSIZE in cannot
 * be sent; -EBADMSG the answer is not one to this method; -ENOSYS the peer has no such method; the
 * peer's own. */
struct tevent_req *sbus_request_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                     struct sbus_conn *conn, const struct sbus_interface *interface,
                                     const struct sbus_method *method, const void *in,
                                     uint32_t timeout_ms);
int sbus_request_recv(struct tevent_req *req, TALLOC_CTX *mem, void *ret_out);

/* Serves interface to the peer for the connection's life; table is borrowed.
 * Errors: -EEXIST it is served already; -ENOMEM. */
int sbus_serve(struct sbus_conn *conn, const struct sbus_interface *interface, const void *table,
               void *data);

/* Answers call, which must be one of method. */
void sbus_reply(struct sbus_call *call, const struct sbus_method *method, const void *out);
