/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of [kcm]
 */
#include "common/conf/options.h"

#define AT(field) offsetof(struct kcm_conf, field)

/* clang-format off */
const struct opt kcm_opts[] = {
	{ "max_ccaches", OPT_NUMBER, AT(max_ccaches), .fallback = "0",
	  .help = "Credential caches of all users together; 0 = no limit" },
	{ "max_uid_ccaches", OPT_NUMBER, AT(max_uid_ccaches), .fallback = "64",
	  .help = "Credential caches of one user; 0 = no limit" },
	{ "max_ccache_size", OPT_NUMBER, AT(max_ccache_size_kib), .fallback = "65536", .unit = "KiB",
	  .help = "Size of one credential cache with all its tickets; 0 = no limit" },
	{ "tgt_renewal", OPT_BOOL, AT(tgt_renewal), .fallback = "false",
	  .help = "Renew renewable TGTs after half their life, while their user is logged in" },
	{ "tgt_renewal_inherit", OPT_TEXT, AT(tgt_renewal_inherit),
	  .help = "The domain whose krb5_ options count where they are not set here" },
	{ "krb5_renew_interval", OPT_SPAN, AT(krb5_renew_interval_s), .fallback = "600", .unit = "s",
	  .help = "How long to wait before another try; 0 = nothing is renewed" },
	{ "krb5_validate", OPT_BOOL, AT(krb5_validate), .fallback = "false", .flags = OPT_ACCESS,
	  .help = "Take a renewed TGT only if a key of this host proves its KDC" },
	{ "krb5_auth_timeout", OPT_NUMBER, AT(krb5_auth_timeout_s), 1, 120, .fallback = "6", .unit = "s",
	  .help = "How long one renewal may take" },
	{ "purge_at_logout", OPT_BOOL, AT(purge_at_logout), .fallback = "false",
	  .help = "Remove the caches of a user when the last session ends" },
	OPT_END
};
#undef AT

#define AT(field) offsetof(struct service_conf, field)

/* Those of every responder, where kcm has another default. */
const struct opt kcm_service_opts[] = {
	{ "responder_idle_timeout", OPT_NUMBER, AT(responder_idle_timeout_s), .fallback = "300", .unit = "s",
	  .help = "A responder that nobody asks for so long exits; 0 = never, 1 to 59 count as 60" },
	{ "client_idle_timeout", OPT_NUMBER, AT(client_idle_timeout_s), .fallback = "300", .unit = "s",
	  .help = "A connection without requests is closed after this; under 10 means 10" },
	{ "fd_limit", OPT_NUMBER, AT(fd_limit), .fallback = "2048", .flags = OPT_RESTART,
	  .help = "Soft limit of open files, within the hard one" },
	OPT_END
};

/* No identity server is ever asked; and a KDC gives a renewed ticket the life of the one before and
 * the same client (RFC 4120 section 3.3.3), whatever it is asked for. */
const struct opt kcm_ignored_opts[] = {
	{ "krb5_renewable_lifetime", OPT_NONE, .state = OPT_IGNORED },
	{ "krb5_lifetime", OPT_NONE, .state = OPT_IGNORED },
	{ "krb5_canonicalize", OPT_NONE, .state = OPT_IGNORED },
	{ "request_timeout", OPT_NONE, .state = OPT_IGNORED },
	{ "cache_first", OPT_NONE, .state = OPT_IGNORED },
	OPT_END
};
/* clang-format on */
