/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NSS responder - shared by the files of this folder, by nobody else
 */
#pragma once

#include "common/conf/options.h"
#include "responders/core/resp.h"

/* What the options of [nss] come to. */
struct nss {
	struct nss_conf conf; /* the first: the core fills it */
	char **shells;        /* those of /etc/shells; read only where allowed_shells is set */
};

/* user.c: passwd; list_…: one entry among others */
void reply_user(struct writer *out, const struct answer *answer, const void *conf);
void list_user(struct writer *out, const struct answer *answer, const void *conf);
int parse_user_name(struct reader *in, struct question *ret_question);
int parse_user_id(struct reader *in, struct question *ret_question);
int parse_user_name_ex(struct reader *in, struct question *ret_question);
int parse_user_id_ex(struct reader *in, struct question *ret_question);

/* group.c: group */
void reply_group(struct writer *out, const struct answer *answer, const void *conf);
void list_group(struct writer *out, const struct answer *answer, const void *conf);
int parse_group_name(struct reader *in, struct question *ret_question);
int parse_group_id(struct reader *in, struct question *ret_question);
int parse_group_name_ex(struct reader *in, struct question *ret_question);
int parse_group_id_ex(struct reader *in, struct question *ret_question);

/* initgroups.c */
void reply_initgroups(struct writer *out, const struct answer *answer, const void *conf);
int parse_initgroups(struct reader *in, struct question *ret_question);
int parse_initgroups_ex(struct reader *in, struct question *ret_question);

/* request.c: the four forms of a request (common/wire/proto.h), for any kind of entry */
int parse_name(struct reader *in, enum query_kind kind, struct question *ret_question);
int parse_id(struct reader *in, enum query_kind kind, struct question *ret_question);
int parse_name_ex(struct reader *in, enum query_kind kind, struct question *ret_question);
int parse_id_ex(struct reader *in, enum query_kind kind, struct question *ret_question);

/* filter.c: filter_users and filter_groups (sssd.conf(5)). Entries are names or name@domain. */
bool nss_hides(const void *conf, const struct domain *domain, enum entry_kind kind,
               const char *name);

/* Which first bytes such names have, in every spelling: of a group's thousands of members hardly
 * one has to be held against the lists. */
void nss_hidden_begins(const void *conf, const struct domain *domain, enum entry_kind kind,
                       bool ret_begins[static 256]);

/* home.c: the home directory that is answered; on mem, or borrowed from user. */
const char *nss_home(TALLOC_CTX *mem, const struct nss *nss, const struct domain *domain,
                     const struct user *user);

/* shell.c: the shell that is answered for a user who has shell; borrowed. */
const char *nss_shell(const struct nss *nss, const struct domain *domain, const char *shell);

/* prepare of struct resp: reads /etc/shells where it is needed. */
int nss_prepare(TALLOC_CTX *mem, void *conf);

/* The paths in the text of shells(5), which is cut into pieces. Errors: -ENOMEM. */
int shells_parse(TALLOC_CTX *mem, char *text, char ***ret_shells);

/* user.c: the password field of users and groups. */
const char *nss_pwfield(const struct nss *nss, const struct domain *domain);

/* memcache.c: the files in which clients find answers by themselves (common/wire/memcache.h) */
extern const struct resp_memory nss_memcache;
