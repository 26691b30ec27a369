/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: the bytes of an entry, as a server sends it and libldap hands it to us
 *   | objectName | attributes |, RFC 4511 section 4.5.2; what stands around it is right
 * Parts of the values of an attribute (range.h) are whole, or named as bad.
 * Values lie within the message and end with a NUL, and so they come to users and groups.
 */
#include <assert.h>
#include <openldap.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/ldap/entry.h"
#include "backend/ldap/records.h"
#include "common/base/str.h"
#include "common/ident/accept.h"
#include "common/wire/writer.h"

#define SIZE_MAX_ENTRY 32768 /* what a socket takes without a reader */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t walked; /* so that no walk is left out */

static const struct attrs user_attrs = {
	{ [USER_NAME] = "uid",
	  [USER_UID] = "uidNumber",
	  [USER_GID] = "gidNumber",
	  [USER_GECOS] = "gecos",
	  [USER_HOME] = "homeDirectory",
	  [USER_SHELL] = "loginShell",
	  [USER_PRINCIPAL] = "krbPrincipalName",
	  [USER_FULLNAME] = "cn",
	  [USER_EMAIL] = "mail" },
	N_USER_ATTRS,
};
static const struct attrs group_attrs = {
	{ [GROUP_NAME] = "cn",
	  [GROUP_GID] = "gidNumber",
	  [GROUP_MEMBER] = "memberUid",
	  [GROUP_MEMBER_DN] = "member",
	  [GROUP_CLASS] = "cn" },
	N_GROUP_ATTRS,
};

/* The next part of a large group. */
static const struct attrs part_attrs = {
	{ [GROUP_NAME] = "cn", [GROUP_GID] = "gidNumber", [GROUP_MEMBER_DN] = "member;range=3-*" },
	N_GROUP_ATTRS,
};
static const struct attrs whole_attrs = {
	{ [USER_NAME] = "uid", [USER_UID] = "uidNumber", [USER_EMAIL] = "member" },
	N_USER_ATTRS,
	.no_ranges = true,
};
static const struct {
	const struct attrs *attrs;
	uint32_t first; /* number of the first value that was asked for, where not all were */
} kinds[] = { { &user_attrs, 0 }, { &group_attrs, 0 }, { &part_attrs, 3 }, { &whole_attrs, 0 } };
enum { USERS, GROUPS, PARTS, WHOLES };

static void put_head(struct writer *out, uint8_t tag, size_t size)
{
	writer_u8(out, tag);
	writer_u8(out, 0x84);
	for (int shift = 24; shift >= 0; shift -= 8)
		writer_u8(out, (uint8_t)(size >> shift));
}

/* Sends the entry as the answer to message 1. */
static void send_entry(int fd, const uint8_t *data, size_t size)
{
	static const uint8_t msgid[] = { 0x02, 0x01, 0x01 };
	struct writer out = writer_new(SIZE_MAX_ENTRY + 64);

	put_head(&out, 0x30, sizeof(msgid) + 6 + size);
	writer_bytes(&out, msgid, sizeof(msgid));
	put_head(&out, 0x64, size);
	writer_bytes(&out, data, size);
	assert(writer_end(&out) == 0);
	assert(write(fd, out.bytes, out.size) == (ssize_t)out.size);
	writer_free(&out);
}

static LDAPMessage *take_entry(LDAP *ld)
{
	struct timeval now = { 0 };
	LDAPMessage *msg = NULL;
	int msgid;

	if (ldap_search_ext(ld, "", LDAP_SCOPE_BASE, NULL, NULL, 0, NULL, NULL, NULL, 0, &msgid) !=
	    LDAP_SUCCESS)
		return NULL;
	assert(msgid == 1);
	for (int n = 0; n < 8 && !msg; n++) /* a long message comes in pieces */
		if (ldap_result(ld, msgid, LDAP_MSG_ONE, &now, &msg) < 0)
			break;
	if (msg && ldap_msgtype(msg) != LDAP_RES_SEARCH_ENTRY) {
		ldap_msgfree(msg);
		msg = NULL;
	}
	return msg;
}

static size_t walk_values(const struct berval *values)
{
	size_t n = 0;

	for (; values && values[n].bv_val; n++) {
		assert(values[n].bv_val[values[n].bv_len] == '\0');
		assert(strlen(values[n].bv_val) <= values[n].bv_len);
	}
	return n;
}

/* What is cut is whole up to there. */
static void walk(const struct entry_values *values, size_t kind)
{
	walked += strlen(values->dn);
	walked += values->bad ? strlen(values->bad) : 0;
	assert(kind != WHOLES || (!values->bad && !values->cut));
	for (size_t i = 0; i < kinds[kind].attrs->count; i++) {
		size_t n = walk_values(values->values[i]);
		uint32_t cut = entry_cut(values, i);

		if (cut && !values->bad)
			assert(n > 0 && (cut == n || cut == n + kinds[kind].first));
	}
}

static void read_one(TALLOC_CTX *mem, LDAP *ld, LDAPMessage *msg, size_t kind)
{
	static const struct id_range range = { 1, 0 };
	struct entry_values *values;
	struct group group;
	struct user user;

	if (entry_read(mem, ld, msg, kinds[kind].attrs, &values) < 0)
		return;
	walk(values, kind);
	if (kind == USERS && !user_from(mem, values, "uid", "asked", &range, NULL, &user))
		assert(accept_name(user.name) == ACCEPTED);
	if (kind == GROUPS && !group_from(mem, values, "cn", "asked", &range, &group))
		assert(accept_name(group.name) == ACCEPTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > SIZE_MAX_ENTRY)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	for (size_t kind = 0; kind < str_size(kinds); kind++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		LDAPMessage *msg;
		LDAP *ld = NULL;
		int ends[2];

		assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		assert(ldap_init_fd(ends[0], LDAP_PROTO_IPC, NULL, &ld) == LDAP_SUCCESS);
		send_entry(ends[1], data, size);
		msg = take_entry(ld);
		if (msg)
			read_one(mem, ld, msg, kind);
		talloc_free(mem);
		ldap_unbind_ext(ld, NULL, NULL);
		close(ends[1]);
	}
	return 0;
}
