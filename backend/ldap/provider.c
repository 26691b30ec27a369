/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The LDAP provider: its table, and what the options of a domain come to
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/core/provider.h"
#include "backend/ldap/ahead.h"
#include "backend/ldap/domain.h"
#include "backend/ldap/enumerate.h"
#include "backend/ldap/guess.h"
#include "backend/ldap/initgroups.h"
#include "backend/ldap/link.h"
#include "backend/ldap/lookup.h"
#include "backend/ldap/purge.h"
#include "backend/ldap/sasl.h"
#include "backend/ldap/server.h"
#include "backend/ldap/tickets.h"
#include "backend/ldap/turn.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/ldap/attr.h"
#include "common/ldap/base.h"
#include "common/ldap/check.h"
#include "common/ldap/obfuscated.h"
#include "common/ldap/schema.h"
#include "common/ldap/uri.h"

/* What 0 means as the limit of a step. Who asks has a deadline of its own, and a round of attempts
 * that is silent is begun anew by the next who asks (link.h), so this only has to be longer than
 * all of these; libldap counts milliseconds in an int. */
#define NO_LIMIT_S 86400

/* The check of the configuration told all of this before (common/ldap/check.h), with the line of
 * the file that a person wrote, unless another version of it compiled this one. */
static int log_fault(const struct ldap_fault *fault, void *data)
{
	const struct provider_host *host = data;
	const struct conf_value *value = conf_get(host->conf, host->section, fault->option);

	if (fault->kind == LDAP_FAULT_WARNING) {
		log_warn("%s", fault->text);
		return 0;
	}
	if (value)
		log_error("%s (%s:%u is compiled: sssctl config-check names the line to change)",
		          fault->text, value->file, value->line);
	else
		log_error("%s", fault->text);
	return -E_CONFIG;
}

/* One item of ldap_uri or ldap_backup_uri. */
static int add_server(struct ldap_domain *domain, const char *text, bool backup)
{
	struct server_name name;
	int r;

	if (uri_is_discovery(text) && backup)
		return 0; /* passed over, as was told */
	if (uri_is_discovery(text) && domain->conf.id_use_start_tls == START_TLS_FALSE)
		log_warn("[%s] ldap_id_use_start_tls = false: servers that DNS names are spoken to "
		         "in "
		         "clear text%s",
		         domain->host->section,
		         domain->conf.bind_dn ? ", the bind password included" : "");
	if (uri_is_discovery(text))
		return failover_add_discovered(link_failover(domain->link),
		                               domain->conf.dns_service_name, domain->host->domain);

	r = server_from_uri(domain, text, &name);
	if (r < 0)
		return r;
	if (domain->conf.id_use_start_tls == START_TLS_FALSE && name.protocol == URI_LDAP)
		log_warn("[%s] ldap_id_use_start_tls = false: %s%s is spoken to in clear text",
		         domain->host->section, name.text,
		         domain->conf.bind_dn ? ", the bind password included," : "");
	return failover_add(link_failover(domain->link), &name, backup);
}

static int add_servers(struct ldap_domain *domain)
{
	static char discovery[] = "_srv_";
	static char *unset[] = { discovery, NULL };
	const struct ldap_conf *conf = &domain->conf;
	char **uris = conf->uri && *conf->uri ? conf->uri : unset;
	int r = 0;

	for (; *uris && r == 0; uris++)
		r = add_server(domain, *uris, false);
	for (uris = conf->backup_uri; uris && *uris && r == 0; uris++)
		r = add_server(domain, *uris, true);
	return r;
}

/* The words of ldap_user_search_scope in options_ldap.c, in their order. */
static const int scopes[] = { 2, 2, 1, 1, 0 };

static int read_bases(struct ldap_domain *domain, enum search_where where)
{
	const struct ldap_conf *conf = &domain->conf;
	bool users = where == SEARCH_USERS;
	const char *text = users ? conf->user_search_base : conf->group_search_base;
	struct narrowing *narrowing = &domain->narrowings[where];
	struct bases *bases = &domain->bases[where];
	int r;

	narrowing->scope = scopes[users ? conf->user_search_scope : conf->group_search_scope];
	narrowing->filter = users ? conf->user_search_filter : conf->group_search_filter;

	if (!text)
		text = conf->search_base;
	if (!text)
		return 0; /* the server will say */
	r = bases_parse(domain, text, bases);
	if (r == 0 && !strchr(text, '?'))
		r = bases_narrow(bases, narrowing->scope, narrowing->filter);
	return r;
}

/* Puts the password in the place of what sss_obfuscate(8) made of it. */
static int reveal_password(struct ldap_domain *domain)
{
	struct ldap_conf *conf = &domain->conf;
	struct secret *password;
	int r;

	if (conf->authtok_type != LDAP_AUTHTOK_OBFUSCATED || !conf->bind_password)
		return 0;
	r = obfuscated_read(domain, conf->bind_password, &password);
	if (r < 0)
		return r;
	talloc_free(conf->bind_password);
	conf->bind_password = password;
	return 0;
}

static void set_attr(struct attrs *attrs, size_t place, const char *name)
{
	attrs->names[place] = str_empty(name) ? NULL : name;
	if (attrs->count <= place)
		attrs->count = place + 1;
}

static int add_extra(struct ldap_domain *domain, const char *item)
{
	struct user_rules *rules = &domain->user_rules;
	const char *name, *attr;
	int r;

	r = attr_split_extra(domain, item, &name, &attr);
	if (r < 0)
		return r;
	set_attr(&domain->user_attrs, N_USER_ATTRS + rules->n_extra, attr);
	rules->extra[rules->n_extra++] = name;
	return 0;
}

static int set_user_rules(struct ldap_domain *domain)
{
	char *const *item = domain->conf.user_extra_attrs;
	int r = 0;

	domain->user_rules.upper_case_realm = domain->conf.force_upper_case_realm;
	for (; item && *item && r == 0; item++)
		r = add_extra(domain, *item);
	return r;
}

/* Members of groups are read part by part (members.h), all else comes whole. */
static void set_ranges(struct ldap_domain *domain)
{
	struct attrs *all[] = {
		&domain->user_attrs,   &domain->group_attrs,  &domain->gid_attrs,
		&domain->member_attrs, &domain->nested_attrs, &domain->known_attrs,
	};

	for (size_t i = 0; i < str_size(all); i++)
		all[i]->no_ranges = domain->conf.disable_range_retrieval;
	domain->group_attrs.in_parts = domain->known_attrs.in_parts =
		domain->nested_attrs.in_parts = UINT64_C(1) << GROUP_MEMBER_DN;
}

static void set_attrs(struct ldap_domain *domain)
{
	const struct ldap_conf *conf = &domain->conf;
	struct attrs *user = &domain->user_attrs, *group = &domain->group_attrs;

	set_attr(user, USER_NAME, conf->user_name);
	set_attr(user, USER_UID, conf->user_uid_number);
	set_attr(user, USER_GID, conf->user_gid_number);
	set_attr(user, USER_GECOS, conf->user_gecos);
	set_attr(user, USER_HOME, conf->user_home_directory);
	set_attr(user, USER_SHELL, conf->user_shell);
	set_attr(user, USER_PRINCIPAL, conf->user_principal);
	set_attr(user, USER_FULLNAME, conf->user_fullname);
	set_attr(user, USER_EMAIL, conf->user_email);

	set_attr(group, GROUP_NAME, conf->group_name);
	set_attr(group, GROUP_GID, conf->group_gid_number);
	domain->gid_attrs = *group;
	if (!domain->host->options->ignore_group_members)
		set_attr(group, schema_lists_dns(conf) ? GROUP_MEMBER_DN : GROUP_MEMBER,
		         conf->group_member);
	domain->known_attrs = *group;
	set_attr(&domain->known_attrs, GROUP_CLASS, "objectClass");

	set_attr(&domain->member_attrs, USER_NAME, conf->user_name);
	set_attr(&domain->member_attrs, USER_UID, conf->user_uid_number);
	set_attr(&domain->nested_attrs, GROUP_MEMBER_DN, conf->group_member);
	set_ranges(domain);
}

/* The backend keeps libsasl2 from loading its plug-ins, which only mechanisms other than EXTERNAL
 * need. No handle was made yet, and no thread. */
static int prepare_sasl(struct ldap_domain *domain)
{
	const struct ldap_conf *conf = &domain->conf;
	const char *path = getenv("SASL_PATH");

	if (!conf->sasl_mech)
		return 0;
	if (strcmp(conf->sasl_mech, "EXTERNAL") != 0 && path &&
	    strcmp(path, PROVIDER_NO_SASL_PATH) == 0)
		unsetenv("SASL_PATH");
	if (!sasl_needs_tickets(conf->sasl_mech) || !conf->krb5_init_creds)
		return 0;
	return tickets_new(domain, domain, &domain->tickets);
}

static void lift_limits(struct ldap_conf *conf)
{
	uint32_t *limits[] = { &conf->network_timeout_s, &conf->opt_timeout_s,
		               &conf->search_timeout_s, &conf->enumeration_search_timeout_s };

	for (size_t i = 0; i < str_size(limits); i++)
		if (*limits[i] == 0)
			*limits[i] = NO_LIMIT_S;
}

static int start(TALLOC_CTX *mem, const struct provider_host *host, void **ret_data)
{
	auto_talloc struct ldap_domain *domain = talloc_zero(mem, struct ldap_domain);
	const struct domain_conf *options = host->options;
	struct conf_problem problem = { 0 };
	int r;

	if (!domain)
		return -ENOMEM;
	domain->host = host;
	domain->range = (struct id_range){
		.min = options->min_id,
		.max = options->max_id,
		.private_groups = options->auto_private_groups == PRIVATE_GROUPS_TRUE,
		.own_uid = getuid(),
		.own_gid = getgid(),
	};
	domain->user_lifetime_s =
		opt_number_or(options->entry_cache_user_timeout_s, options->entry_cache_timeout_s);
	domain->group_lifetime_s =
		opt_number_or(options->entry_cache_group_timeout_s, options->entry_cache_timeout_s);
	domain->refusals = refusals_new(domain);
	domain->ahead = ahead_new(domain);
	domain->guess = guess_new(domain);
	domain->turns = turns_new(domain, host->ev);
	if (!domain->refusals || !domain->ahead || !domain->guess || !domain->turns)
		return -ENOMEM;

	r = conf_read(host->conf, domain, host->section, ldap_opts, &domain->conf, &problem);
	if (r == -E_CONFIG)
		log_error("%s", problem.text);
	lift_limits(&domain->conf);
	schema_set_defaults(host->conf, host->section, &domain->conf);
	if (r == 0)
		r = ldap_check(&domain->conf, host->section, log_fault, (void *)host);
	if (r == 0 && domain->conf.referrals &&
	    conf_get(host->conf, host->section, "ldap_referrals"))
		log_notice("[%s] ldap_referrals is not implemented: referrals are not followed",
		           host->section);
	if (r == 0)
		r = reveal_password(domain);
	if (r == 0)
		r = prepare_sasl(domain);
	if (r == 0)
		r = read_bases(domain, SEARCH_USERS);
	if (r == 0)
		r = read_bases(domain, SEARCH_GROUPS);
	if (r < 0)
		return r;
	set_attrs(domain);
	r = set_user_rules(domain);
	if (r < 0)
		return r;

	r = link_new(domain, domain, &domain->link);
	if (r == 0)
		r = add_servers(domain);
	if (r < 0)
		return r;
	if (options->enumerate) {
		domain->enumeration = enumeration_new(domain, domain);
		if (!domain->enumeration)
			return -ENOMEM;
	}
	if (domain->conf.purge_cache_timeout_s && !purge_new(domain, domain))
		return -ENOMEM;
	*ret_data = take_ptr(domain);
	return 0;
}

static void probe(void *data)
{
	struct ldap_domain *domain = data;

	link_probe(domain->link);
}

static void network_changed(void *data)
{
	struct ldap_domain *domain = data;

	link_check(domain->link);
}

static void disconnect(void *data)
{
	struct ldap_domain *domain = data;

	link_disconnect(domain->link);
}

static void servers(void *data, void (*each)(const struct server *server, void *data),
                    void *each_data)
{
	struct ldap_domain *domain = data;

	failover_each(link_failover(domain->link), each, each_data);
}

/* clang-format off */
static const struct provider_op ops[] = {
	{ QUERY_USER_BY_NAME,  LANE_IDENTITY, lookup_send,     lookup_recv,     lookup_waits_for },
	{ QUERY_USER_BY_ID,    LANE_IDENTITY, lookup_send,     lookup_recv,     lookup_waits_for },
	{ QUERY_GROUP_BY_NAME, LANE_IDENTITY, lookup_send,     lookup_recv,     lookup_waits_for },
	{ QUERY_GROUP_BY_ID,   LANE_IDENTITY, lookup_send,     lookup_recv,     lookup_waits_for },
	{ QUERY_INITGROUPS,    LANE_IDENTITY, initgroups_send, initgroups_recv, initgroups_waits_for },
	{ QUERY_ALL,           LANE_IDENTITY, enumerate_send,  enumerate_recv,  enumerate_waits_for },
	{ 0 },
};
/* clang-format on */

const struct provider sssd_provider = {
	.name = "ldap",
	.start = start,
	.probe = probe,
	.network_changed = network_changed,
	.disconnect = disconnect,
	.servers = servers,
	.ops = ops,
};
