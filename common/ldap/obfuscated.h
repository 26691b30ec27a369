/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Obfuscated passwords - what sss_obfuscate(8) writes to ldap_default_authtok
 *
 * base64 (RFC 4648 section 4) of
 *   | method: u16 = 0 | size: u16 | key: 32 bytes | iv: 16 bytes | size bytes | 00 01 02 03 |
 * with the lowest byte of a number first; the size bytes are the password and a NUL, in AES-256-CBC
 * with PKCS #7 padding. The key stands beside it: this hides the password from a glance, no more.
 * There is no document of the form: it is what the program of Debian 12 (2.8.2) was seen to write.
 */
#pragma once

#include <talloc.h>

struct secret;

/* The password in text, on mem. Errors: -EBADMSG it is of no such form; -ENOMEM. */
int obfuscated_read(TALLOC_CTX *mem, const struct secret *text, struct secret **ret_password);
