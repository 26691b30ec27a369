/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Ticket - see child_ticket.h (krb5.h; the file format: MIT's doc/formats/ccache_file_format)
 *
 * The keys are copied to a keytab in memory, so that nothing is read with the privilege once a KDC
 * or a name server has said something.
 */
#include "backend/ldap/child_ticket.h"

#include <errno.h>
#include <krb5.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/ldap/principal.h"
#include "common/base/mem.h"

#define PRINCIPALS_MAX 1000
#define HOST_SIZE      256

#define FILE_VERSION 0x0504
#define TAG_OFFSET   1 /* of the KDC's clock, s and µs */

struct ticket {
	const struct ticket_wish *wish; /* borrowed */
	krb5_context context;
	krb5_keytab keys; /* a copy in memory */
	char keytab_name[1024];
	char *names[PRINCIPALS_MAX]; /* of the principals that have keys, each once */
	size_t n_names;
	krb5_principal client;
	const char *client_name; /* one of names */
	krb5_creds tgt;
	krb5_ccache ccache;
	char reason[CHILD_TEXT_MAX + 1]; /* "" = nothing is wrong yet */
};

/* ---- what is wrong ---- */

static void say(struct ticket *ticket, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct ticket *ticket, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ticket->reason, sizeof(ticket->reason), format, args);
	va_end(args);
}

/* What libkrb5 says does not always help to find the place where something has to be done. */
static const char *hint(krb5_error_code code)
{
	switch (code) {
	case KRB5KDC_ERR_PREAUTH_FAILED:
	case KRB5KRB_AP_ERR_BAD_INTEGRITY:
		return " (the key in the keytab is not the one that the KDC has)";
	case KRB5KRB_AP_ERR_SKEW:
	case KRB5_KDCREP_SKEW:
		return " (the clocks of this host and the KDC differ)";
	default:
		return "";
	}
}

/* Returns whether code is none; what was tried is named in front. */
static bool went_well(struct ticket *ticket, krb5_error_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool went_well(struct ticket *ticket, krb5_error_code code, const char *format, ...)
{
	const char *text;
	char what[1500];
	va_list args;

	if (code == 0)
		return true;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	text = krb5_get_error_message(ticket->context, code);
	say(ticket, "%s: %.400s%s", what, text, hint(code));
	krb5_free_error_message(ticket->context, text);
	return false;
}

/* ---- the keytab ---- */

static bool know_name(struct ticket *ticket, krb5_const_principal principal)
{
	char *name = NULL;

	if (ticket->n_names == PRINCIPALS_MAX ||
	    krb5_unparse_name(ticket->context, principal, &name) != 0)
		return false;
	for (size_t i = 0; i < ticket->n_names; i++)
		if (strcmp(ticket->names[i], name) == 0) {
			krb5_free_unparsed_name(ticket->context, name);
			return true;
		}
	ticket->names[ticket->n_names++] = name;
	return true;
}

static krb5_error_code copy_keys(struct ticket *ticket, krb5_keytab from)
{
	krb5_context context = ticket->context;
	krb5_keytab_entry entry;
	krb5_kt_cursor cursor;
	krb5_error_code code, end;

	code = krb5_kt_start_seq_get(context, from, &cursor);
	if (code)
		return code;
	while ((code = krb5_kt_next_entry(context, from, &entry, &cursor)) == 0) {
		code = krb5_kt_add_entry(context, ticket->keys, &entry);
		if (code == 0 && !know_name(ticket, entry.principal))
			code = ENOMEM;
		krb5_free_keytab_entry_contents(context, &entry);
		if (code)
			break;
	}
	end = krb5_kt_end_seq_get(context, from, &cursor);
	return code == KRB5_KT_END ? end : code;
}

static void read_keytab(struct ticket *ticket)
{
	krb5_context context = ticket->context;
	const char *path = ticket->wish->keytab;
	krb5_keytab from = NULL;
	krb5_error_code code;

	code = path ? krb5_kt_resolve(context, path, &from) : krb5_kt_default(context, &from);
	if (code == 0)
		code = krb5_kt_get_name(context, from, ticket->keytab_name,
		                        sizeof(ticket->keytab_name));
	if (code == 0)
		code = krb5_kt_resolve(context, "MEMORY:keys", &ticket->keys);
	if (code == 0)
		code = copy_keys(ticket, from);
	if (from)
		krb5_kt_close(context, from);
	went_well(ticket, code, "keytab %s",
	          *ticket->keytab_name ? ticket->keytab_name
	          : path               ? path
	                               : "");
}

/* ---- whose ---- */

/* This host's name, with its domain where that can be found. This may ask name servers. */
static void name_host(char *host, size_t size)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	if (gethostname(host, size) < 0)
		*host = '\0';
	host[size - 1] = '\0';
	if (strchr(host, '.') || getaddrinfo(host, NULL, &hints, &list) != 0)
		return;
	if (list->ai_canonname && strchr(list->ai_canonname, '.') &&
	    strlen(list->ai_canonname) < size)
		memcpy(host, list->ai_canonname, strlen(list->ai_canonname) + 1);
	freeaddrinfo(list);
}

/* The default realm may be in DNS, too. */
static bool choose(struct ticket *ticket)
{
	const struct ticket_wish *wish = ticket->wish;
	char *default_realm = NULL;
	const char *realm = wish->realm;
	char host[HOST_SIZE] = "";
	int place;

	if (!realm && krb5_get_default_realm(ticket->context, &default_realm) == 0)
		realm = default_realm;
	if (!wish->authid)
		name_host(host, sizeof(host));
	place = principal_choose((const char *const *)ticket->names, ticket->n_names, wish->authid,
	                         realm, host);
	if (place >= 0)
		ticket->client_name = ticket->names[place];
	else if (wish->authid)
		say(ticket, "keytab %s has no key for %.200s%s%.200s", ticket->keytab_name,
		    wish->authid, realm && !strchr(wish->authid, '@') ? "@" : "",
		    realm && !strchr(wish->authid, '@') ? realm : "");
	else
		say(ticket, "keytab %s has no keys", ticket->keytab_name);
	krb5_free_default_realm(ticket->context, default_realm);
	return place >= 0 &&
	       went_well(ticket,
	                 krb5_parse_name(ticket->context, ticket->client_name, &ticket->client),
	                 "principal %s", ticket->client_name);
}

struct ticket *ticket_open(const struct ticket_wish *wish)
{
	struct ticket *ticket = calloc(1, sizeof(*ticket));
	krb5_error_code code;

	if (!ticket)
		return NULL;
	ticket->wish = wish;
	code = krb5_init_context(&ticket->context);
	if (!went_well(ticket, code, "krb5.conf"))
		return ticket;
	/* In whose domain a host is unless krb5.conf says, and what a name without realm means. */
	if (wish->realm && !went_well(ticket, krb5_set_default_realm(ticket->context, wish->realm),
	                              "realm %s", wish->realm))
		return ticket;
	read_keytab(ticket);
	return ticket;
}

/* ---- the KDC ---- */

static krb5_error_code get_tgt(struct ticket *ticket)
{
	krb5_context context = ticket->context;
	krb5_get_init_creds_opt *options;
	krb5_error_code code;

	code = krb5_get_init_creds_opt_alloc(context, &options);
	if (code)
		return code;
	krb5_get_init_creds_opt_set_tkt_life(options, (krb5_deltat)ticket->wish->lifetime_s);
	krb5_get_init_creds_opt_set_canonicalize(options, 1);
	krb5_get_init_creds_opt_set_forwardable(options, 0);
	krb5_get_init_creds_opt_set_proxiable(options, 0);
	code = krb5_get_init_creds_keytab(context, &ticket->tgt, ticket->client, ticket->keys, 0,
	                                  NULL, options);
	krb5_get_init_creds_opt_free(context, options);
	return code;
}

static krb5_error_code keep_tgt(struct ticket *ticket)
{
	krb5_context context = ticket->context;
	krb5_error_code code;

	code = krb5_cc_new_unique(context, "MEMORY", NULL, &ticket->ccache);
	if (code == 0)
		code = krb5_cc_initialize(context, ticket->ccache, ticket->tgt.client);
	return code ? code : krb5_cc_store_cred(context, ticket->ccache, &ticket->tgt);
}

/* For the name under which libsasl2 will ask for it; lowers end. */
static krb5_error_code get_ticket(struct ticket *ticket, krb5_timestamp *end)
{
	krb5_context context = ticket->context;
	krb5_creds wanted = { .client = ticket->tgt.client }, *got = NULL;
	krb5_error_code code;

	code = krb5_sname_to_principal(context, ticket->wish->host, "ldap", KRB5_NT_SRV_HST,
	                               &wanted.server);
	if (code)
		return code;
	code = krb5_get_credentials(context, 0, ticket->ccache, &wanted, &got);
	krb5_free_principal(context, wanted.server);
	if (code)
		return code;
	if ((uint32_t)got->times.endtime < (uint32_t)*end)
		*end = got->times.endtime;
	krb5_free_creds(context, got);
	return 0;
}

/* ---- the reply ---- */

static void write_data(struct writer *out, const krb5_data *data)
{
	writer_be32(out, data->length);
	writer_bytes(out, data->data, data->length);
}

static void write_principal(struct writer *out, krb5_const_principal principal)
{
	writer_be32(out, (uint32_t)principal->type);
	writer_be32(out, (uint32_t)principal->length);
	write_data(out, &principal->realm);
	for (krb5_int32 i = 0; i < principal->length; i++)
		write_data(out, &principal->data[i]);
}

static krb5_error_code write_creds(krb5_context context, struct writer *out, krb5_creds *creds)
{
	krb5_data *bytes = NULL;
	krb5_error_code code = krb5_marshal_credentials(context, creds, &bytes);

	if (code)
		return code;
	writer_bytes(out, bytes->data, bytes->length);
	krb5_free_data(context, bytes);
	return 0;
}

/* | version: u16 | size of the tags: u16 | tag: u16 | size: u16 | s: u32 | µs: u32 | principal | */
static krb5_error_code write_base(struct ticket *ticket, struct writer *out)
{
	krb5_int32 offset_s = 0, offset_us = 0;

	krb5_get_time_offsets(ticket->context, &offset_s, &offset_us);
	writer_be16(out, FILE_VERSION);
	writer_be16(out, 12);
	writer_be16(out, TAG_OFFSET);
	writer_be16(out, 8);
	writer_be32(out, (uint32_t)offset_s);
	writer_be32(out, (uint32_t)offset_us);
	write_principal(out, ticket->tgt.client);
	return write_creds(ticket->context, out, &ticket->tgt);
}

/* All but the TGT we began with; a ticket of another realm's KDC among them. */
static krb5_error_code write_tickets(struct ticket *ticket, struct writer *out)
{
	krb5_context context = ticket->context;
	krb5_error_code code, end;
	krb5_cc_cursor cursor;
	krb5_creds creds;

	code = krb5_cc_start_seq_get(context, ticket->ccache, &cursor);
	if (code)
		return code;
	while ((code = krb5_cc_next_cred(context, ticket->ccache, &cursor, &creds)) == 0) {
		if (!krb5_is_config_principal(context, creds.server) &&
		    !krb5_principal_compare(context, creds.server, ticket->tgt.server))
			code = write_creds(context, out, &creds);
		krb5_free_cred_contents(context, &creds);
		if (code)
			break;
	}
	end = krb5_cc_end_seq_get(context, ticket->ccache, &cursor);
	return code == KRB5_CC_END ? end : code;
}

static void write_reply(struct ticket *ticket, krb5_timestamp end, struct writer *out)
{
	struct writer base = writer_new_secretive(CHILD_MESSAGE_MAX);
	struct writer tickets = writer_new_secretive(CHILD_MESSAGE_MAX);
	struct child_reply reply = { .text = ticket->client_name };
	krb5_timestamp now = 0;
	krb5_error_code code = write_base(ticket, &base);

	if (code == 0)
		code = write_tickets(ticket, &tickets);
	if (code == 0 && (writer_end(&base) < 0 || writer_end(&tickets) < 0))
		code = ENOMEM;
	if (code == 0)
		code = krb5_timeofday(ticket->context, &now);
	if (went_well(ticket, code, "tickets of %s", ticket->client_name)) {
		/* The first time that a krb5_timestamp cannot hold is in 2106 when read so. */
		if ((uint32_t)end > (uint32_t)now)
			reply.left_s = (uint32_t)end - (uint32_t)now;
		else
			say(ticket, "the ticket of %s has no time left", ticket->client_name);
	}
	if (reply.left_s > 0) {
		reply.base = base.bytes;
		reply.base_size = base.size;
		reply.tickets = tickets.bytes;
		reply.tickets_size = tickets.size;
	} else {
		reply.text = ticket->reason;
	}
	child_write_reply(out, &reply);
	writer_free(&base);
	writer_free(&tickets);
}

static bool fetch(struct ticket *ticket, krb5_timestamp *ret_end)
{
	const char *host = ticket->wish->host;
	krb5_timestamp end;

	if (*ticket->reason || !choose(ticket))
		return false;
	if (!went_well(ticket, get_tgt(ticket), "TGT for %s with keytab %s", ticket->client_name,
	               ticket->keytab_name) ||
	    !went_well(ticket, keep_tgt(ticket), "TGT for %s", ticket->client_name))
		return false;
	end = ticket->tgt.times.endtime;
	if (*host && !went_well(ticket, get_ticket(ticket, &end), "ticket of %s for ldap/%s",
	                        ticket->client_name, host))
		return false;
	*ret_end = end;
	return true;
}

void ticket_fetch(struct ticket *ticket, struct writer *out)
{
	krb5_timestamp end;

	if (fetch(ticket, &end)) {
		write_reply(ticket, end, out);
	} else {
		struct child_reply reply = { .text = ticket->reason };

		child_write_reply(out, &reply);
	}
}

void ticket_end(struct ticket *ticket)
{
	krb5_context context = ticket->context;

	if (!context) {
		free(ticket);
		return;
	}
	if (ticket->ccache)
		krb5_cc_destroy(context, ticket->ccache);
	krb5_free_cred_contents(context, &ticket->tgt);
	krb5_free_principal(context, ticket->client);
	for (size_t i = 0; i < ticket->n_names; i++)
		krb5_free_unparsed_name(context, ticket->names[i]);
	if (ticket->keys)
		krb5_kt_close(context, ticket->keys);
	krb5_free_context(context);
	free(ticket);
}
