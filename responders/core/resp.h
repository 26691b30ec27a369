/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Responder core - what a responder says about itself
 *
 * A responder is a table of commands: bytes become a question, the answer becomes bytes. Sockets,
 * credentials, framing, cache, backends, negative answers, reload and idle exit live in this
 * folder, once for all. One that asks no domain (kcm) has a service of its own instead of commands.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

#include "common/base/fd.h"
#include "common/conf/opt.h"
#include "common/ident/entry.h"
#include "common/ident/query.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

struct domain;
struct lookups;
struct resp_paths;
struct tevent_context;

enum caller_kind {
	ANYONE,
	ROOT_ONLY,
};

/* What a client asks, before it is known which domain shall answer. */
struct question {
	enum query_kind kind;
	const char *text; /* the name as the client wrote it, maybe with @domain; borrowed from its
	                   * message; NULL for the kinds by id */
	uint32_t id;
	uint32_t flags;   /* PROTO_EX_* */
	int64_t asked_us; /* when, of CLOCK_MONOTONIC: from then on its time runs */
};

/* What a reply is made from; valid only inside the reply function. */
struct answer {
	const struct domain *domain;
	const struct entry *entry; /* texts point into the cache's map */
	int64_t fresh_s;           /* how long it may be told again without asking us, 0 = not */
};

/* A command that lists all entries of a kind, a few at a time. */
enum resp_listing {
	LIST_NONE,
	LIST_REWIND, /* set…ent, end…ent: the client's place is the beginning */
	LIST_NEXT,   /* get…ent: | entries at most: u32 |; parse is not called, reply writes one
	              * entry without the number of results, and answer is never NULL */
};

struct resp_cmd {
	uint32_t opcode; /* common/wire/proto.h */

	/* Reads the body. NULL: the command asks nothing, whatever its body says.
	 * Errors: the client gets the errno as status. */
	int (*parse)(struct reader *in, struct question *ret_question);

	/* Writes the body of the reply; answer is NULL for "not found" and for commands without
	 * parse. conf is the struct that opts fill. NULL: an empty body. */
	void (*reply)(struct writer *out, const struct answer *answer, const void *conf);

	enum caller_kind caller; /* checked with SO_PEERCRED before parse */
	uint32_t max;            /* longest message in bytes; 0 = PROTO_REQUEST_MAX */
	enum resp_listing listing;
	enum entry_kind kind; /* of which entries: users or groups */
};

/* What a service was asked: for the log and the metrics. */
struct resp_served {
	const char *what;
	unsigned kind; /* of common/metrics/metrics.h */
};

/* How far a service came with a request; all zero: it is to begin. Only the service reads it. */
struct resp_place {
	uint8_t bytes[64];
};

/* A responder that answers each request at once, from a store of its own, in a protocol whose
 * messages begin with their length (frame_be_length()). */
struct resp_service {
	uint32_t request_max, reply_max; /* whole messages */

	/* Opens what it answers from; conf is the struct that opts fill. */
	int (*start)(TALLOC_CTX *mem, struct tevent_context *ev, const struct resp_paths *paths,
	             const void *conf, void **ret_service);

	/* The configuration is another one. */
	void (*reload)(void *service, const void *conf);

	/* Will there soon be something to do, so that an end because of idleness makes no sense? */
	bool (*stays)(void *service);

	/* Reads the request, behind its length, and writes the whole reply; *ret_served as far as
	 * it was understood. Errors are for log and metrics: the reply was written all the same;
	 * but -E_CACHE_REPLACED: this process cannot go on, the next one may; and -EAGAIN: this
	 * was enough for a turn, nothing was written, and the same request and place are to come
	 * again when others had theirs. No turn should be much over 1 ms. */
	int (*answer)(void *service, const struct peer *caller, struct reader *in,
	              struct writer *out, struct resp_place *place, struct resp_served *ret_served);
};

struct setup;

/* What a responder lets its clients find by themselves. Each function gets what new made, which is
 * a talloc object. */
struct resp_memory {
	void *(*new)(TALLOC_CTX *mem, struct tevent_context *ev, const struct resp_paths *paths);

	/* A setup comes into force. */
	void (*configure)(void *memory, const struct setup *setup);

	/* A question got its answer; NULL: "not there". body is what the client is told. */
	void (*answered)(void *memory, const struct setup *setup, const struct question *question,
	                 const struct answer *answer, struct reader body);

	/* Everybody may be told for that long that there is no answer. False: it was not noted
	 * down, because that may be outdated just now, and has to be found out again. */
	bool (*unknown)(void *memory, const struct question *question, uint32_t for_s);

	/* Somebody may be there now who was unknown. */
	void (*forget_unknown)(void *memory);

	/* Forget all. */
	void (*clear)(void *memory);
};

struct resp {
	const char *name;            /* unit name and [section] of the configuration: "nss" */
	uint32_t version;            /* answered to GET_VERSION */
	const struct resp_cmd *cmds; /* ends with opcode 0; NULL with a service */
	const struct resp_service *service;
	const struct opt *opts;      /* of the section; ends with OPT_END */
	size_t conf_size;            /* of the struct opts fill, or that begins with it */
	const struct opt *service_opts; /* where its defaults differ from service_opts; or NULL */

	/* Completes the struct once opts have filled it, with what hangs below mem. May be NULL.
	 * Errors: -ENOMEM. */
	int (*prepare)(TALLOC_CTX *mem, void *conf);

	/* Is this name one the configuration hides? kind tells users from groups. May be NULL. */
	bool (*hides)(const void *conf, const struct domain *domain, enum entry_kind kind,
	              const char *name);

	/* Sets the times in lookups (lookup.h) to the responder's options; what it leaves alone
	 * keeps its default. May be NULL. */
	void (*tune)(const void *conf, struct lookups *lookups);

	/* May be NULL. */
	const struct resp_memory *memory;

	/* Starts as root and drops to the service user by itself, because User= in its unit would
	 * be an NSS lookup (spec/systemd-notes.md §1). */
	bool drops_privileges;

	/* Holds keys or passwords: is not dumped unless core_dumpable is set, out of reach of other
	 * processes of its user (ptrace(2)), and wipes its messages. */
	bool secretive;
};

/* Runs the responder on the sockets it was given, until it is told to stop or was idle for
 * long enough. Returns the exit status of main(). */
int resp_main(const struct resp *resp, int argc, char *argv[]);

/* Are the domain's names answered as they are? */
bool resp_names_are_plain(const struct domain *domain);

/* Writes name as the domain's clients shall see it, and its NUL. */
void resp_write_name(struct writer *out, const struct domain *domain, const char *name);

/* The name without its domain, on mem or borrowed: folded where the domain answers so. */
const char *resp_short_name(TALLOC_CTX *mem, const struct domain *domain, const char *name);
