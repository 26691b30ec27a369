/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Client protocol - what travels between the client libraries and the responders
 *
 *   | length: u32 | command: u32 | status: u32 | reserved: u32 | body: length - 16 bytes |
 *
 * Host byte order, nothing aligned. length counts the header. A request's status is 0; a reply
 * repeats the command, its status is 0 or an errno value, and then there is no body. "Not found"
 * is status 0 and a body of two u32 zeros: an empty body makes the clients of other vendors crash.
 *
 *   name       | name \0 |                     id       | id: u32 |
 *   name_ex    | name \0 | flags: u32 |        id_ex    | id: u32 | flags: u32 |
 *   results    | number: u32 | 0: u32 | entries … |
 *   passwd     | uid: u32 | gid: u32 | name \0 | passwd \0 | gecos \0 | dir \0 | shell \0 |
 *   group      | gid: u32 | members: u32 | name \0 | passwd \0 | member \0 … |
 *   initgroups | groups: u32 | 0: u32 | gid: u32 … |     without the primary group
 *
 * Directly after connect(2) the client sends GET_VERSION with the version it speaks.
 */
#pragma once

#include <stdint.h>

#define PROTO_HEADER_SIZE  16u
#define PROTO_REQUEST_MAX  1536u        /* whole packet, as upstream */
#define PROTO_NAME_MAX     255u         /* in a request; the client library stops at 256 too */
#define PROTO_REPLY_MAX    (256u << 20) /* what our client library accepts: a group of millions */
#define PROTO_NSS_VERSION  1u
#define PROTO_NSS_SOCKET   "/var/lib/sss/pipes/nss"

#define PROTO_EX_NO_CACHE         1u /* ask the server even if the cached entry is fresh */
#define PROTO_EX_INVALIDATE_CACHE 2u /* expire the cached entry, then look up */

/* clang-format off */
enum proto_command {
	PROTO_GET_VERSION   = 0x01,

	PROTO_GETPWNAM      = 0x11, PROTO_GETPWUID    = 0x12,
	PROTO_SETPWENT      = 0x13, PROTO_GETPWENT    = 0x14, PROTO_ENDPWENT  = 0x15,
	PROTO_GETPWNAM_EX   = 0x19, PROTO_GETPWUID_EX = 0x1A,

	PROTO_GETGRNAM      = 0x21, PROTO_GETGRGID    = 0x22,
	PROTO_SETGRENT      = 0x23, PROTO_GETGRENT    = 0x24, PROTO_ENDGRENT  = 0x25,
	PROTO_INITGR        = 0x26,
	PROTO_GETGRNAM_EX   = 0x29, PROTO_GETGRGID_EX = 0x2A, PROTO_INITGR_EX = 0x2E,

	PROTO_GETHOSTBYNAME = 0x51, PROTO_GETHOSTBYNAME2 = 0x52, PROTO_GETHOSTBYADDR = 0x53,
	PROTO_SETHOSTENT    = 0x54, PROTO_GETHOSTENT  = 0x55, PROTO_ENDHOSTENT = 0x56,

	PROTO_SETNETGRENT   = 0x61,

	PROTO_GETNETBYNAME  = 0x71, PROTO_GETNETBYADDR = 0x72,
	PROTO_SETNETENT     = 0x73, PROTO_GETNETENT   = 0x74, PROTO_ENDNETENT = 0x75,

	PROTO_GETSERVBYNAME = 0xA1, PROTO_GETSERVBYPORT = 0xA2,
	PROTO_SETSERVENT    = 0xA3, PROTO_GETSERVENT  = 0xA4, PROTO_ENDSERVENT = 0xA5,

	PROTO_GETSIDBYNAME  = 0x111, PROTO_GETSIDBYID   = 0x112, PROTO_GETNAMEBYSID = 0x113,
	PROTO_GETIDBYSID    = 0x114, PROTO_GETORIGBYNAME = 0x115,
	PROTO_GETNAMEBYCERT = 0x116, PROTO_GETLISTBYCERT = 0x117,
	PROTO_GETSIDBYUID   = 0x118, PROTO_GETSIDBYGID  = 0x119,
	PROTO_GETORIGBYUSERNAME = 0x11A, PROTO_GETORIGBYGROUPNAME = 0x11B,
	PROTO_GETSIDBYUSERNAME  = 0x11C, PROTO_GETSIDBYGROUPNAME  = 0x11D,

	PROTO_GET_SUBID_RANGES = 0x130,
};
/* clang-format on */
