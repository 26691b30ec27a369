/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Errors - one convention for every function in the tree
 *
 * A function that can fail returns int: 0 for success, a negative code for failure.
 * Where errno(3) has the right word we use it (-ENOENT, -EBADMSG, -ETIMEDOUT); the
 * list below holds only what errno has no word for. Codes of LDAP, Kerberos, LMDB and
 * D-Bus are translated in the one folder that calls them and never travel further.
 */
#pragma once

#define ERROR_LIST(X)                                                     \
	X(E_OFFLINE, "the identity server cannot be reached")             \
	X(E_NO_BACKEND, "the backend of the domain is not running")       \
	X(E_BACKEND, "the backend reported a failure")                    \
	X(E_CONFIG, "the configuration is not valid")                     \
	X(E_NO_DOMAIN, "no domain is configured")                         \
	X(E_SERVER, "the identity server answered with an error")         \
	X(E_SIZE_LIMIT, "the identity server cut its answer short")       \
	X(E_TLS, "the TLS session could not be set up")                   \
	X(E_TLS_REFUSED, "the identity server offers no TLS")             \
	X(E_BIND, "the identity server refused the bind")                 \
	X(E_CACHE_VERSION, "the cache was written by another version")    \
	X(E_CACHE_DAMAGED, "the cache is damaged")                        \
	X(E_CACHE_REPLACED, "the cache file was replaced or removed")     \
	X(E_CACHE_QUOTA, "the cache has reached its size limit")          \
	X(E_CACHE_LOCKED, "somebody keeps the cache locked")              \
	X(E_CACHE_NO_SLOT, "the cache's reader table does not work here") \
	X(E_NETWORK_FS, "the file is on a network file system")           \
	X(E_BUS, "the message bus reported an error")                     \
	X(E_DISCONNECTED, "the peer closed the connection")               \
	X(E_CHANGED, "it changed while it was being read")

enum error {
	ERROR_FIRST = 2000, /* above every errno value of Linux */
#define X(code, text) code,
	ERROR_LIST(X)
#undef X
};

/* English text for the negative code r. Never NULL; owned by the library. */
const char *error_text(int r);

/* The code's own word, as in "E_OFFLINE" or "ETIMEDOUT": stable, for counters and logs that
 * programs read. Never NULL; owned by the library. */
const char *error_name(int r);
