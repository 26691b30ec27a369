/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Configuration - what a process was told, as an immutable snapshot
 *
 * A snapshot is a talloc object: sections of names and values, each with the file and line it
 * came from. It is made from the administrator's files (ini.h, by sssd_conf only) or from the compiled file
 * of one process, /var/lib/sss/conf/NAME/current. Requests pin the snapshot they began with
 * (talloc reference counting is not used: see conf_pin()).
 *
 * The compiled file is in the same ini form, so that a person can read it:
 *
 *   [compiled]
 *   format = 1
 *   process = nss
 *   generation = 7
 *   sources = /etc/sssd/sssd.conf, /etc/sssd/conf.d/10-site.conf
 *   domains = LDAP, EXAMPLE        enabled, in lookup order
 *   [nss] …                        the options this process reads
 *   [domain/LDAP] …                likewise
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "common/conf/opt.h"

#define CONF_COMPILED_DIR "/var/lib/sss/conf"

struct conf;

struct conf_value {
	const char *text;
	const char *file; /* where it was written, for messages */
	unsigned line;
};

/* Reads CONF_COMPILED_DIR/process/current (dir NULL = CONF_COMPILED_DIR). process: "nss", "sssd", "be-LDAP".
 * Errors: -ENOENT nothing was ever compiled; -E_CONFIG not a file of ours. */
int conf_load(TALLOC_CTX *mem, const char *dir, const char *process, struct conf **ret_conf);

/* Only grows. 0 for one that was not compiled. */
uint64_t conf_generation(const struct conf *conf);

/* Enabled domains in lookup order; NULL-terminated, owned by conf. */
char *const *conf_domains(const struct conf *conf);

/* NULL when the option is not set. */
const struct conf_value *conf_get(const struct conf *conf, const char *section, const char *name);

/* The names of all sections, and of all options in one, NULL-terminated, owned by conf. */
const char *const *conf_sections(const struct conf *conf);
const char *const *conf_names(const struct conf *conf, const char *section);

/* Why a value cannot be used, for people: "/etc/sssd/sssd.conf:12: [nss] entry_negative_timeout: 'abc' is not a number". */
struct conf_problem {
	char *text; /* on the mem given */
};

/* Fills the struct of table from section, defaults where nothing is set. Texts and lists hang below mem.
 * Errors: -E_CONFIG and problem tells which value; -ENOMEM. */
int conf_read(const struct conf *conf, TALLOC_CTX *mem, const char *section, const struct opt *opts,
              void *ret_struct, struct conf_problem *ret_problem);
