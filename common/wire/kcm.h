/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * KCM - the protocol by which libkrb5 keeps credential caches in a daemon
 *
 *   request  | length: u32 | version: u8, u8 | opcode: u16 | parameters |
 *   reply    | length: u32 of what follows code | code: u32 | status: u32 | result |
 *
 * Network byte order. code is 0 when there is a status; we always say it there. Numbers are those
 * of MIT krb5 (include/kcm.h) and Heimdal. A name is text and a NUL, "" that of the default cache.
 * A uuid is | id: u64 of the cache | number: u64 of the credential, 0 = the cache itself |.
 *
 * The last two are ours, and root's only; sssctl(8) uses them:
 *
 *   ADMIN_LIST   | uid: u32, KCM_EVERYBODY = all | after: u32 uid, name |
 *                a part of what follows that cache in the order of uids and names; nothing at the
 *                end:
 *                | uid: u32 | is default: u8 | name \0 | principal \0 | tickets: u32, each |
 *                | | server \0 | expires: u64 by the wall clock, 0 = never | … |
 *   ADMIN_PURGE  | uid: u32 or KCM_EVERYBODY | expired only: u8 |
 *                | caches removed: u32 |
 */
#pragma once

#include <stdint.h>

#define KCM_SOCKET        "/run/.heim_org.h5l.kcm-socket"
#define KCM_RENEW_SOCKET  "/run/sssd-kcm/renew" /* of our helper */
#define KCM_MESSAGE_MAX   (10u << 20)           /* behind the length, either way */
#define KCM_VERSION_MAJOR 2
#define KCM_EVERYBODY     UINT32_MAX

enum kcm_opcode {
	KCM_NOOP = 0,
	KCM_GET_NAME = 1,
	KCM_RESOLVE = 2,
	KCM_GEN_NEW = 3,
	KCM_INITIALIZE = 4,
	KCM_DESTROY = 5,
	KCM_STORE = 6,
	KCM_RETRIEVE = 7,
	KCM_GET_PRINCIPAL = 8,
	KCM_GET_CRED_UUID_LIST = 9,
	KCM_GET_CRED_BY_UUID = 10,
	KCM_REMOVE_CRED = 11,
	KCM_SET_FLAGS = 12,
	KCM_CHOWN = 13,
	KCM_CHMOD = 14,
	KCM_MOVE_CACHE = 17,
	KCM_GET_CACHE_UUID_LIST = 18,
	KCM_GET_CACHE_BY_UUID = 19,
	KCM_GET_DEFAULT_CACHE = 20,
	KCM_SET_DEFAULT_CACHE = 21,
	KCM_GET_KDC_OFFSET = 22,
	KCM_SET_KDC_OFFSET = 23,
	KCM_GET_CRED_LIST = 13001,
	KCM_REPLACE = 13002,
	KCM_ADMIN_LIST = 31001,
	KCM_ADMIN_PURGE = 31002,
};
