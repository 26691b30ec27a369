/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssctl kcm - the Kerberos credential caches of all users, for root
 *
 *   sssctl kcm list  [UID] [--json]     a line for each cache
 *   sssctl kcm show  [UID] [--json]     and one for each ticket in it
 *   sssctl kcm purge UID|--all|--expired [--json]
 *
 * Asks sssd_kcm at its socket (common/wire/kcm.h), which need not run yet.
 */
#include "monitor/tools/kcm.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h> /* optind */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "common/wire/kcm.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "monitor/tools/command.h"

#define ANSWER_S   20
#define REPLY_HEAD 12
#define TEXT_MAX   65536

struct kcm_client {
	int fd;
	uint8_t *reply; /* owned, malloc(3)ed */
	struct reader result;
};

/* ---- requests ---- */

static int client_open(struct kcm_client *client)
{
	struct timeval limit = { .tv_sec = ANSWER_S };
	int flags, r;

	*client = (struct kcm_client){ .fd = -1 };
	r = fd_connect_unix(KCM_SOCKET, &client->fd);
	if (r < 0)
		return r;
	flags = fcntl(client->fd, F_GETFL);
	if (flags < 0 || fcntl(client->fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
	    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	return 0;
}

static void client_close(struct kcm_client *client)
{
	close_fd(&client->fd);
	free(client->reply);
}

static struct writer request_of(uint16_t opcode)
{
	struct writer out = writer_new(1024);

	writer_be32(&out, 0);
	writer_u8(&out, KCM_VERSION_MAJOR);
	writer_u8(&out, 0);
	writer_be16(&out, opcode);
	return out;
}

static int receive(int fd, uint8_t *bytes, size_t size)
{
	ssize_t n;

	if (size == 0)
		return 0; /* recv(2) would wait for a byte */
	n = recv(fd, bytes, size, MSG_WAITALL);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return (size_t)n == size ? 0 : -E_DISCONNECTED;
}

/* Sends what out has, which is freed, and gives the result as client->result, until the next call.
 */
static int ask(struct kcm_client *client, struct writer *out)
{
	uint8_t head[REPLY_HEAD];
	struct reader in;
	uint32_t length, code, status;
	int r;

	writer_patch_u32(out, 0, htobe32((uint32_t)out->size - 4));
	r = writer_end(out);
	if (r == 0 && send(client->fd, out->bytes, out->size, MSG_NOSIGNAL) != (ssize_t)out->size)
		r = -E_DISCONNECTED;
	writer_free(out);
	if (r == 0)
		r = receive(client->fd, head, sizeof(head));
	if (r < 0)
		return r;

	in = reader_over(head, sizeof(head));
	length = reader_be32(&in);
	code = reader_be32(&in);
	status = reader_be32(&in);
	if (length < 4 || length > KCM_MESSAGE_MAX)
		return -EBADMSG;
	free(client->reply);
	client->reply = malloc(length);
	if (!client->reply)
		return -ENOMEM;
	r = receive(client->fd, client->reply, length - 4);
	if (r < 0)
		return r;
	client->result = reader_over(client->reply, length - 4);
	return code == 0 && status == 0 ? 0 : -ENOTSUP; /* another server's */
}

/* ---- printing ---- */

static bool is_c1(const char *c)
{
	return (unsigned char)c[0] == 0xc2 && (unsigned char)c[1] < 0xa0;
}

/* A JSON string (RFC 8259 section 7); what is no UTF-8 is '?'. Control characters of both sets are
 * written as numbers: a terminal would obey them. */
static void print_json_text(const char *text)
{
	bool utf8 = str_is_utf8(text, strlen(text));

	putchar('"');
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if ((unsigned char)*c < ' ' || *c == 0x7f)
			printf("\\u%04x", (unsigned)*c);
		else if (utf8 && is_c1(c))
			printf("\\u%04x", (unsigned)(unsigned char)*++c);
		else
			putchar(!utf8 && (unsigned char)*c > 0x7f ? '?' : *c);
	}
	putchar('"');
}

static void print_text(const char *text)
{
	auto_talloc char *printable = str_printable(NULL, text, strlen(text));

	fputs(printable ? printable : "?", stdout);
}

static const char *until(int64_t expires_s, char text[32])
{
	time_t moment = (time_t)expires_s;
	struct tm when;

	if (expires_s == 0)
		return "never";
	if (!localtime_r(&moment, &when) || strftime(text, 32, "%F %T", &when) == 0)
		return "?";
	return text;
}

struct list {
	bool tickets, json;
	unsigned n; /* caches printed */
	uint32_t uid;
	char name[256]; /* of the last cache, with uid */
};

static void print_ticket(const struct list *list, const char *server, int64_t expires_s, bool first)
{
	char text[32];

	if (!list->tickets)
		return;
	if (list->json) {
		printf("%s{\"server\": ", first ? "" : ", ");
		print_json_text(server);
		printf(", \"expires\": %" PRId64 "}", expires_s);
		return;
	}
	printf("    %-20s ", until(expires_s, text));
	print_text(server);
	printf("%s\n", expires_s != 0 && expires_s <= walltime_now().s ? "  (expired)" : "");
}

static void print_ccache(const struct list *list, bool is_default, const char *principal,
                         uint32_t n_tickets)
{
	if (list->json) {
		printf("%s{\"uid\": %" PRIu32 ", \"name\": ", list->n > 0 ? ",\n " : "[",
		       list->uid);
		print_json_text(list->name);
		printf(", \"principal\": ");
		print_json_text(principal);
		printf(", \"default\": %s, \"tickets\": ", is_default ? "true" : "false");
		printf(list->tickets ? "[" : "%" PRIu32, n_tickets);
		return;
	}
	printf("%-10" PRIu32 " %c %-4" PRIu32 " KCM:", list->uid, is_default ? '*' : ' ',
	       n_tickets);
	print_text(list->name);
	printf("  ");
	print_text(*principal ? principal : "-");
	putchar('\n');
}

/* One part of the list. */
static int print_part(struct list *list, struct reader *in)
{
	while (reader_left(in) > 0) {
		const char *name, *principal;
		uint32_t n_tickets;
		bool is_default;

		list->uid = reader_be32(in);
		is_default = reader_u8(in);
		name = reader_str(in, sizeof(list->name) - 1, NULL);
		principal = reader_str(in, TEXT_MAX, NULL);
		n_tickets = reader_be32(in);
		if (in->err < 0)
			return in->err;
		snprintf(list->name, sizeof(list->name), "%s", name);
		print_ccache(list, is_default, principal, n_tickets);
		for (uint32_t i = 0; i < n_tickets; i++) {
			const char *server = reader_str(in, TEXT_MAX, NULL);
			int64_t expires_s = (int64_t)reader_be64(in);

			if (in->err < 0)
				return in->err;
			print_ticket(list, server, expires_s, i == 0);
		}
		if (list->json)
			printf(list->tickets ? "]}" : "}");
		list->n++;
	}
	return reader_end(in);
}

/* ---- the commands ---- */

static int list_ccaches(struct kcm_client *client, struct list *list, uint32_t uid)
{
	int r;

	do {
		struct writer out = request_of(KCM_ADMIN_LIST);

		writer_be32(&out, uid);
		writer_be32(&out, list->uid);
		writer_str(&out, list->name);
		r = ask(client, &out);
		if (r < 0)
			return r;
		if (reader_left(&client->result) == 0)
			break;
		r = print_part(list, &client->result);
	} while (r == 0);
	if (r == 0 && list->json)
		printf(list->n > 0 ? "]\n" : "[]\n");
	return r;
}

static int purge(struct kcm_client *client, uint32_t uid, bool expired_only, bool json)
{
	struct writer out = request_of(KCM_ADMIN_PURGE);
	uint32_t n;
	int r;

	writer_be32(&out, uid);
	writer_u8(&out, expired_only);
	r = ask(client, &out);
	n = reader_be32(&client->result);
	if (r == 0)
		r = reader_end(&client->result);
	if (r == 0)
		printf(json ? "{\"removed\": %" PRIu32 "}\n" : "%" PRIu32 " removed\n", n);
	return r;
}

int sssctl_kcm(int argc, char *argv[])
{
	bool all = false, expired = false, removes;
	uint32_t uid = KCM_EVERYBODY;
	struct kcm_client client;
	struct list list = { 0 };
	const struct command_option options[] = {
		{ "json", '\0', "Print JSON", &list.json },
		{ "all", '\0', "Purge those of all users", &all },
		{ "expired", '\0', "Purge those that have expired", &expired },
		{ NULL },
	};
	const struct command_line line = { .argument = "list|show|purge [UID]",
		                           .many = true,
		                           .options = options };
	const char *what;
	int r;

	r = command_read(&line, argc, argv, NULL);
	if (r >= 0)
		return r;
	what = optind < argc ? argv[optind++] : "";
	removes = strcmp(what, "purge") == 0;
	list.tickets = strcmp(what, "show") == 0;
	if (!removes && !list.tickets && strcmp(what, "list") != 0)
		return command_refuse(&line, argv[0]);
	if (optind < argc && (str_to_u32(argv[optind++], &uid) < 0 || uid == KCM_EVERYBODY))
		return command_refuse(&line, argv[0]);
	if (optind < argc || (!removes && (all || expired)) ||
	    (removes && all + expired + (uid != KCM_EVERYBODY) != 1))
		return command_refuse(&line, argv[0]);

	r = client_open(&client);
	if (r < 0) {
		fprintf(stderr, "%s: %s; is sssd-kcm.socket active?\n", KCM_SOCKET, error_text(r));
		client_close(&client);
		return EXIT_FAILURE;
	}
	r = removes ? purge(&client, uid, expired, list.json) : list_ccaches(&client, &list, uid);
	if (r < 0)
		fprintf(stderr, "kcm %s: %s\n", what, error_text(r));
	client_close(&client);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
