/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Principal - see principal.h
 */
#include "backend/ldap/principal.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define NETBIOS_MAX 15 /* letters of a host's name in its account in Active Directory */

struct wanted {
	const char *host;   /* www.example.com */
	size_t short_size;  /* of "www" in it, at most NETBIOS_MAX */
	const char *authid; /* NULL = look for one */
	size_t authid_size; /* without its realm */
};

typedef bool is_match(const struct wanted *wanted, const char *name, size_t size);

/* A quoted @ is part of the name (krb5_parse_name()). */
static size_t size_without_realm(const char *name)
{
	size_t size = 0;

	while (name[size] && name[size] != '@') {
		if (name[size] == '\\' && name[size + 1])
			size++;
		size++;
	}
	return size;
}

static bool is_authid(const struct wanted *wanted, const char *name, size_t size)
{
	return size == wanted->authid_size && memcmp(name, wanted->authid, size) == 0;
}

static bool is_host(const struct wanted *wanted, const char *name, size_t size)
{
	return size == strlen(wanted->host) && strncasecmp(name, wanted->host, size) == 0;
}

static bool is_account(const struct wanted *wanted, const char *name, size_t size)
{
	return size == wanted->short_size + 1 && name[size - 1] == '$' &&
	       strncasecmp(name, wanted->host, size - 1) == 0;
}

static bool is_some_host_service(const struct wanted *wanted, const char *name, size_t size)
{
	(void)wanted;
	return size > strlen("host/") && strncmp(name, "host/", strlen("host/")) == 0;
}

static bool is_host_service(const struct wanted *wanted, const char *name, size_t size)
{
	return is_some_host_service(wanted, name, size) &&
	       is_host(wanted, name + strlen("host/"), size - strlen("host/"));
}

static bool is_some_account(const struct wanted *wanted, const char *name, size_t size)
{
	(void)wanted;
	return size > 1 && name[size - 1] == '$' && !memchr(name, '/', size);
}

static int find(const char *const *names, size_t n_names, const struct wanted *wanted,
                is_match *match, const char *realm)
{
	for (size_t i = 0; i < n_names; i++) {
		size_t size = size_without_realm(names[i]);

		if (realm && (names[i][size] != '@' || strcmp(names[i] + size + 1, realm) != 0))
			continue;
		if (match(wanted, names[i], size))
			return (int)i;
	}
	return -1;
}

static int search(const char *const *names, size_t n_names, const struct wanted *wanted,
                  const char *realm)
{
	static is_match *const order[] = { is_host, is_account, is_host_service, is_some_account,
		                           is_some_host_service };
	int place = -1;

	for (size_t i = 0; i < sizeof(order) / sizeof(*order) && place < 0; i++)
		place = find(names, n_names, wanted, order[i], realm);
	return place;
}

int principal_choose(const char *const *names, size_t n_names, const char *authid,
                     const char *realm, const char *host)
{
	struct wanted wanted = { .host = host, .authid = authid };
	int place;

	wanted.short_size = strcspn(host, ".");
	if (wanted.short_size > NETBIOS_MAX)
		wanted.short_size = NETBIOS_MAX;
	if (authid) {
		wanted.authid_size = size_without_realm(authid);
		if (authid[wanted.authid_size])
			realm = authid + wanted.authid_size + 1;
		return find(names, n_names, &wanted, is_authid, realm);
	}

	place = search(names, n_names, &wanted, realm);
	if (place < 0)
		place = search(names, n_names, &wanted, NULL);
	return place < 0 && n_names > 0 ? 0 : place;
}
