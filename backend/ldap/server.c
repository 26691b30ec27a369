/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Server - see server.h
 */
#include "backend/ldap/server.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "backend/core/srv.h"
#include "common/base/mem.h"
#include "common/ldap/uri.h"

int server_from_uri(TALLOC_CTX *mem, const char *text, struct server_name *ret_name)
{
	struct uri uri;
	int r;

	r = uri_parse(mem, text, &uri);
	if (r < 0)
		return r;
	*ret_name = (struct server_name){
		.text = uri.text,
		.host = uri.host,
		.port = uri.port,
		.protocol = (int)uri.scheme,
	};
	return 0;
}

int server_from_srv(TALLOC_CTX *mem, const struct srv *srv, const char *service,
                    struct server_name *ret_name)
{
	bool tls = srv->port == 636 || strcasecmp(service, "ldaps") == 0;
	auto_talloc char *text =
		talloc_asprintf(mem, "%s://%s:%u", tls ? "ldaps" : "ldap", srv->host, srv->port);
	struct server_name name;
	int r;

	if (!text)
		return -ENOMEM;
	r = server_from_uri(mem, text, &name);
	if (r < 0)
		return r;
	if (strcmp(name.host, srv->host) != 0)
		return -EINVAL; /* a part of it was taken for something else */
	*ret_name = name;
	return 0;
}
