/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NSS responder - users, groups and group lists for libnss_sss: every command in one view
 */
#include "common/conf/options.h"
#include "common/wire/proto.h"
#include "responders/core/lookup.h"
#include "responders/nss/nss.h"

#define CERTIFICATE_MAX 10240

/* "Nothing found": also the end of every list that is not built. */
static void reply_nothing(struct writer *out, const struct answer *answer, const void *conf)
{
	(void)answer;
	(void)conf;
	writer_u32(out, 0);
	writer_u32(out, 0);
}

/* clang-format off */
static const struct resp_cmd nss_cmds[] = {
	/* opcode                       parse                reply             who may ask */
	{ PROTO_GETPWNAM,               parse_user_name,     reply_user,       ANYONE },
	{ PROTO_GETPWUID,               parse_user_id,       reply_user,       ANYONE },
	{ PROTO_GETPWNAM_EX,            parse_user_name_ex,  reply_user,       ANYONE },
	{ PROTO_GETPWUID_EX,            parse_user_id_ex,    reply_user,       ANYONE },

	{ PROTO_GETGRNAM,               parse_group_name,    reply_group,      ANYONE },
	{ PROTO_GETGRGID,               parse_group_id,      reply_group,      ANYONE },
	{ PROTO_GETGRNAM_EX,            parse_group_name_ex, reply_group,      ANYONE },
	{ PROTO_GETGRGID_EX,            parse_group_id_ex,   reply_group,      ANYONE },

	{ PROTO_INITGR,                 parse_initgroups,    reply_initgroups, ANYONE },
	{ PROTO_INITGR_EX,              parse_initgroups_ex, reply_initgroups, ANYONE },

	{ PROTO_SETPWENT,               NULL,                NULL,             ANYONE, 0, LIST_REWIND, ENTRY_USER },
	{ PROTO_GETPWENT,               NULL,                list_user,        ANYONE, 0, LIST_NEXT,   ENTRY_USER },
	{ PROTO_ENDPWENT,               NULL,                NULL,             ANYONE, 0, LIST_REWIND, ENTRY_USER },
	{ PROTO_SETGRENT,               NULL,                NULL,             ANYONE, 0, LIST_REWIND, ENTRY_GROUP },
	{ PROTO_GETGRENT,               NULL,                list_group,       ANYONE, 0, LIST_NEXT,   ENTRY_GROUP },
	{ PROTO_ENDGRENT,               NULL,                NULL,             ANYONE, 0, LIST_REWIND, ENTRY_GROUP },

	/* Not built: the other databases know nothing. */
	{ PROTO_SETNETGRENT,            NULL,                reply_nothing,    ANYONE },

	{ PROTO_GETSERVBYNAME,          NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETSERVBYPORT,          NULL,                reply_nothing,    ANYONE },
	{ PROTO_SETSERVENT,             NULL,                NULL,             ANYONE },
	{ PROTO_GETSERVENT,             NULL,                reply_nothing,    ANYONE },
	{ PROTO_ENDSERVENT,             NULL,                NULL,             ANYONE },

	{ PROTO_GETHOSTBYNAME,          NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETHOSTBYNAME2,         NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETHOSTBYADDR,          NULL,                reply_nothing,    ANYONE },
	{ PROTO_SETHOSTENT,             NULL,                NULL,             ANYONE },
	{ PROTO_GETHOSTENT,             NULL,                reply_nothing,    ANYONE },
	{ PROTO_ENDHOSTENT,             NULL,                NULL,             ANYONE },

	{ PROTO_GETNETBYNAME,           NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETNETBYADDR,           NULL,                reply_nothing,    ANYONE },
	{ PROTO_SETNETENT,              NULL,                NULL,             ANYONE },
	{ PROTO_GETNETENT,              NULL,                reply_nothing,    ANYONE },
	{ PROTO_ENDNETENT,              NULL,                NULL,             ANYONE },

	{ PROTO_GETSIDBYNAME,           NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETSIDBYID,             NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETSIDBYUID,            NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETSIDBYGID,            NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETSIDBYUSERNAME,       NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETSIDBYGROUPNAME,      NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETNAMEBYSID,           NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETIDBYSID,             NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETORIGBYNAME,          NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETORIGBYUSERNAME,      NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETORIGBYGROUPNAME,     NULL,                reply_nothing,    ANYONE },
	{ PROTO_GETNAMEBYCERT,          NULL,                reply_nothing,    ANYONE, CERTIFICATE_MAX },
	{ PROTO_GETLISTBYCERT,          NULL,                reply_nothing,    ANYONE, CERTIFICATE_MAX },

	{ PROTO_GET_SUBID_RANGES,       NULL,                reply_nothing,    ANYONE },
	{ 0 },
};
/* clang-format on */

static void nss_tune(const void *conf, struct lookups *lookups)
{
	const struct nss *nss = conf;

	lookups->negative_timeout_s = nss->conf.entry_negative_timeout_s;
	lookups->local_negative_timeout_s = nss->conf.local_negative_timeout_s;
	lookups->nowait_percent = nss->conf.entry_cache_nowait_percentage;
}

static const struct resp nss = {
	.name = "nss",
	.version = PROTO_NSS_VERSION,
	.cmds = nss_cmds,
	.opts = nss_opts,
	.conf_size = sizeof(struct nss),
	.prepare = nss_prepare,
	.hides = nss_hides,
	.tune = nss_tune,
	.memory = &nss_memcache,
	.drops_privileges = true,
};

int main(int argc, char *argv[])
{
	return resp_main(&nss, argc, argv);
}
