/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * URI - see uri.h
 */
#include "common/ldap/uri.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"

#define LDAPI_DEFAULT_PATH "/var/run/slapd/ldapi" /* libldap's own */

/* clang-format off */
static const struct scheme {
	const char *start;
	enum uri_scheme scheme;
	uint16_t port;
} schemes[] = {
	{ "ldap://",  URI_LDAP,  389 },
	{ "ldaps://", URI_LDAPS, 636 },
	{ "ldapi://", URI_LDAPI, 0 },
};
/* clang-format on */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place: %2F becomes '/'. Errors: -EINVAL no hex digits, or a NUL. */
static int unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		int high, low;

		if (*in != '%') {
			*out++ = *in;
			continue;
		}
		high = hex_value(in[1]);
		low = high < 0 ? -1 : hex_value(in[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -EINVAL;
		*out++ = (char)(high << 4 | low);
		in += 2;
	}
	*out = '\0';
	return 0;
}

/* host, host:port, [address], [address]:port; host is cut where the port begins. */
static int split_port(char *host, char **ret_host, uint16_t *ret_port)
{
	char *port, *end;
	uint32_t number;

	if (*host == '[') {
		end = strchr(++host, ']');
		if (!end)
			return -EINVAL;
		*end++ = '\0';
		if (*end && *end != ':')
			return -EINVAL;
		port = *end ? end : NULL;
	} else {
		port = strchr(host, ':');
		if (port && strchr(port + 1, ':'))
			return -EINVAL; /* an IPv6 address needs its brackets */
	}

	if (port) {
		*port++ = '\0';
		if (!*port || port[strspn(port, "0123456789")] || str_to_u32(port, &number) < 0 ||
		    number < 1 || number > UINT16_MAX)
			return -EINVAL;
		*ret_port = (uint16_t)number;
	}
	if (!*host)
		return -EINVAL;
	*ret_host = host;
	return 0;
}

/* What may stand in a host name or a numeric address; the name of a certificate is compared with
 * it, and it goes into log lines. */
static bool host_is_sane(const char *host)
{
	for (; *host; host++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:",
		            *host))
			return false;
	return true;
}

bool uri_is_discovery(const char *text)
{
	return strcasecmp(text, "_srv_") == 0;
}

int uri_parse(TALLOC_CTX *mem, const char *text, struct uri *ret_uri)
{
	const struct scheme *scheme = NULL;
	struct uri uri = { 0 };
	size_t size;
	char *host;
	int r;

	for (size_t i = 0; i < str_size(schemes); i++)
		if (strncasecmp(text, schemes[i].start, strlen(schemes[i].start)) == 0)
			scheme = &schemes[i];
	if (!scheme)
		return -EINVAL;
	uri.scheme = scheme->scheme;
	uri.port = scheme->port;

	/* What may follow (a base, a scope) has options of its own. */
	text += strlen(scheme->start);
	size = strcspn(text, "/?");
	host = talloc_strndup(mem, text, size);
	if (!host)
		return -ENOMEM;

	if (uri.scheme == URI_LDAPI) {
		r = unescape(host);
		uri.host = *host ? host : talloc_strdup(mem, LDAPI_DEFAULT_PATH);
		if (r == 0 && (!uri.host || *uri.host != '/'))
			r = uri.host ? -EINVAL : -ENOMEM;
		uri.text = talloc_asprintf(mem, "%s%.*s", scheme->start, (int)size, text);
	} else {
		r = split_port(host, &uri.host, &uri.port);
		if (r == 0 && !host_is_sane(uri.host))
			r = -EINVAL;
		if (r == 0) {
			uri.host = talloc_strdup(mem, uri.host);
			uri.text = talloc_asprintf(mem, *host == '[' ? "%s[%s]:%u" : "%s%s:%u",
			                           scheme->start, uri.host, uri.port);
			talloc_free(host);
		}
	}
	if (r < 0)
		return r;
	if (!uri.text || !uri.host)
		return -ENOMEM;

	*ret_uri = uri;
	return 0;
}
