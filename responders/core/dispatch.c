/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Dispatch - opcode → row → parse → lookup → reply
 *
 *   dispatch ─ cached ──────────────▶ reply ─▶ client_replied
 *       ├─ a list ─▶ list.c
 *       └─ lookup_send ─▶ answered ─▶ reply ─▶ client_replied_later
 */
#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/wire/frame.h"
#include "responders/core/core.h"

static void answered(struct tevent_req *subreq);

/* ---- replies ---- */

void dispatch_status(struct client *client, int r)
{
	writer_reset(&client->out);
	frame_begin(&client->out, client->cmd->opcode, (uint32_t)-r);
	frame_finish(&client->out);
	client->result = r;
}

/* answer NULL: "not found", or a command that asks nothing. */
static void reply_body(struct client *client, const struct setup *setup,
                       const struct answer *answer)
{
	int r;

	client->result = answer || !client->cmd->parse ? 0 : -ENOENT;
	frame_begin(&client->out, client->cmd->opcode, 0);
	if (client->cmd->reply)
		client->cmd->reply(&client->out, answer, setup->conf);
	r = frame_finish(&client->out);
	if (r < 0)
		dispatch_status(client, r);
}

/* Others than this client may be told what it was told, unless a reload has changed what is told
 * while the backend was asked. */
static void remember(struct client *client, const struct setup *setup, const struct answer *answer)
{
	const struct core *core = client->core;

	if (core->memory && setup == core->setup && frame_header(client->out.bytes).status == 0)
		core->resp->memory->answered(core->memory, setup, &client->question, answer,
		                             reader_over(client->out.bytes + PROTO_HEADER_SIZE,
		                                         client->out.size - PROTO_HEADER_SIZE));
}

/* The same about what is not there. */
static void remember_unknown(struct client *client, const struct setup *setup)
{
	struct core *core = client->core;
	bool noted = !core->memory || setup != core->setup;

	for (int attempt = 0; attempt < 2 && !noted; attempt++) {
		uint32_t for_s = lookup_unknown_s(&core->lookups, setup, &client->question);

		noted = for_s == 0 ||
		        core->resp->memory->unknown(core->memory, &client->question, for_s);
	}
}

static void log_request(struct client *client, const char *outcome)
{
	struct question *question = &client->question;
	struct query query = { .kind = question->kind, .name = question->text, .id = question->id };
	auto_talloc char *text = NULL;

	if (!log_wants(LEVEL_INFO))
		return;
	request_id_ensure(&client->id);
	text = query_text(NULL, &query);
	log_at(LEVEL_INFO, &client->id, "uid %u pid %d asks for %s: %s", (unsigned)client->peer.uid,
	       (int)client->peer.pid, text ? text : "?", outcome);
}

/* ---- the handshake ---- */

static const struct resp_cmd get_version = { .opcode = PROTO_GET_VERSION };

/* Whatever version the client wants: there is only one (client-protocol.md §3). */
static void answer_version(struct client *client)
{
	client->cmd = &get_version;
	client->greeting = true;
	frame_begin(&client->out, PROTO_GET_VERSION, 0);
	writer_u32(&client->out, client->core->resp->version);
	frame_finish(&client->out);
	client_replied(client);
}

/* ---- questions ---- */

static bool may_ask(const struct client *client)
{
	return client->cmd->caller == ANYONE || client->peer.uid == 0;
}

static int parse(struct client *client)
{
	struct reader in = reader_over(client->in + PROTO_HEADER_SIZE,
	                               client->request_size - PROTO_HEADER_SIZE);

	int r;

	client->question = (struct question){ 0 };
	r = client->cmd->parse(&in, &client->question);
	client->question.asked_us = client->active_us;
	if (r == 0)
		client->kind = client->question.kind;
	return r;
}

static void ask(struct client *client)
{
	struct core *core = client->core;

	if (!client_takes_turn(client))
		return;
	request_id_ensure(&client->id);
	client->lookup =
		lookup_send(client, &core->lookups, core->setup, &client->question, &client->id);
	if (!client->lookup) {
		dispatch_status(client, -ENOMEM);
		client_replied(client);
		return;
	}
	tevent_req_set_callback(client->lookup, answered, client);
}

/* ---- requests to a service ---- */

static bool serve(struct client *client, uint32_t size)
{
	struct reader in = reader_over(client->in + FRAME_BE_SIZE, size - FRAME_BE_SIZE);
	struct core *core = client->core;
	struct resp_served served = { .what = "?" };
	int r;

	client->id.text[0] = '\0';
	r = core->resp->service->answer(core->service, &client->peer, &in, &client->out,
	                                &client->place, &served);
	client->unfinished = r == -EAGAIN;
	if (client->unfinished)
		return true;
	client->place = (struct resp_place){ 0 };
	client->kind = served.kind;
	client->result = r;
	if (log_wants(LEVEL_INFO)) {
		request_id_ensure(&client->id);
		log_at(LEVEL_INFO, &client->id, "uid %u pid %d: %s: %s", (unsigned)client->peer.uid,
		       (int)client->peer.pid, served.what, r < 0 ? error_text(r) : "done");
	}
	if (r == -E_CACHE_REPLACED)
		core_drain(core);
	client_replied(client);
	return true;
}

/* ---- requests ---- */

int64_t request_length(const struct client *client)
{
	const struct resp_service *service = client->core->resp->service;
	const struct resp_cmd *cmd = NULL;
	uint32_t command;

	if (service)
		return frame_be_length(client->in, client->in_size, service->request_max);
	if (client->in_size < PROTO_HEADER_SIZE)
		return 0;
	command = frame_header(client->in).command;
	if (command < RESP_OPCODES)
		cmd = client->core->by_opcode[command];
	return frame_length(client->in, client->in_size,
	                    cmd && cmd->max ? cmd->max : PROTO_REQUEST_MAX);
}

uint32_t reply_max(const struct core *core)
{
	return core->resp->service ? core->resp->service->reply_max : PROTO_REPLY_MAX;
}

bool dispatch(struct client *client, uint32_t size)
{
	struct core *core = client->core;
	struct frame_header header;
	struct answer answer;
	int r;

	client->kind = METRICS_OTHER;
	client->result = 0;
	if (core->resp->service)
		return serve(client, size);

	header = frame_header(client->in);
	if (header.command == PROTO_GET_VERSION) {
		answer_version(client);
		return true;
	}
	client->cmd = header.command < RESP_OPCODES ? core->by_opcode[header.command] : NULL;
	if (!client->cmd || !may_ask(client)) {
		log_info("uid %u pid %d: command 0x%x is not served", (unsigned)client->peer.uid,
		         (int)client->peer.pid, header.command);
		return false;
	}
	if (client->cmd->listing) {
		list_dispatch(client);
		return true;
	}
	if (!client->cmd->parse) {
		reply_body(client, core->setup, NULL);
		client_replied(client);
		return true;
	}

	r = parse(client);
	if (r < 0) {
		dispatch_status(client, -EINVAL);
		client_replied(client);
		return true;
	}

	client->id.text[0] = '\0';
	r = lookup_cached(&core->lookups, core->setup, &client->question, &client->id, &answer);
	if (r == -ESTALE) {
		ask(client);
		return true;
	}

	reply_body(client, core->setup, r == 0 ? &answer : NULL);
	if (r == 0) {
		remember(client, core->setup, &answer);
		lookup_release(&answer);
	} else {
		remember_unknown(client, core->setup);
	}
	log_request(client, r == 0 ? "cached" : "not there, known");
	client_replied(client);
	return true;
}

static void answered(struct tevent_req *subreq)
{
	struct client *client = tevent_req_callback_data(subreq, struct client);
	struct core *core = client->core;
	struct answer answer;
	struct found found;
	int r;

	r = lookup_recv(subreq, &found);
	if (r == 0)
		r = lookup_found(&core->lookups, &found, &client->question, &answer);
	if (r == 0) {
		reply_body(client, found.setup, &answer);
		remember(client, found.setup, &answer);
		lookup_release(&answer);
	} else if (r == -ENOENT) {
		reply_body(client, found.setup, NULL);
		remember(client, found.setup, NULL);
		remember_unknown(client, found.setup);
	} else {
		dispatch_status(client, r);
	}
	log_request(client, r == 0 ? "found" : r == -ENOENT ? "not there" : error_text(r));

	TALLOC_FREE(client->lookup);
	setup_unpin(found.setup);
	client_replied_later(client);
}
