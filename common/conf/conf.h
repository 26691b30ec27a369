/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Configuration - what a process was told, as an immutable snapshot
 *
 * A snapshot is a talloc object: sections of names and values, each with the file and line it
 * came from. It is made from the administrator's files (files.h, by sssd_conf and sssctl only) or
 * from the compiled file of one process, /var/lib/sss/conf/NAME/current. It never changes; who
 * still works with an old one keeps it as long as needed.
 *
 * The compiled file is in the same ini form, so that a person can read it:
 *
 *   [compiled]
 *   format = 1
 *   process = nss
 *   generation = 7                 of the run of sssd_conf that last changed this file
 *   sources = /etc/sssd/sssd.conf, /etc/sssd/conf.d/10-site.conf
 *   stamps = 812:1700000000.123456789, …   size and mtime of each, when the file was written
 *   domains = LDAP, EXAMPLE        enabled, in lookup order
 *   named = true                   responders: services= has this one, it does not idle out
 *   services = nss                 the monitor's only: what services= names and is built
 *   [refused]                      the monitor's only: domains that do not start, and why
 *   OTHER = /etc/sssd/sssd.conf:9: [domain/OTHER] min_id: 'x' is not a number
 *   [sssd] …                       the options this process reads
 *   [nss] …
 *   [domain/LDAP] …
 *
 * The monitor's file gets a new generation whenever any file does: its generation is that of the
 * suite. A process whose own file keeps a lower one has nothing to do.
 *
 * Sections and names are compared without (ASCII) case: upstream's store does so, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "common/conf/opt.h"

#define CONF_COMPILED_DIR "/var/lib/sss/conf"

/* Below it: what only backends may see, bind passwords among it. One directory, so that the units
 * of responders can make it inaccessible. */
#define CONF_BACKENDS     "be"
#define CONF_COMPILED_MAX (16u * 1024 * 1024)
#define CONF_FORMAT       1

struct conf;
struct ini;

struct conf_value {
	const char *text;
	const char *file; /* where it was written, for messages */
	unsigned line;
};

/* Reads CONF_COMPILED_DIR/process/current (dir NULL = CONF_COMPILED_DIR).
 * process: "nss", "sssd", "be/LDAP".
 * Errors: -ENOENT nothing was ever compiled; -E_CONFIG not a file of ours. */
int conf_load(TALLOC_CTX *mem, const char *dir, const char *process, struct conf **ret_conf);

/* Only grows. 0 for one that was not compiled. */
uint64_t conf_generation(const struct conf *conf);

/* Enabled domains in lookup order; NULL-terminated, owned by conf. */
char *const *conf_domains(const struct conf *conf);

/* What services= names and is built; NULL-terminated, owned by conf. The monitor's file only,
 * empty in others. */
char *const *conf_services(const struct conf *conf);

/* Does services= name this process? */
bool conf_named(const struct conf *conf);

/* NULL when the option is not set; "name =" counts as not set. */
const struct conf_value *conf_get(const struct conf *conf, const char *section, const char *name);

/* Where name was written last, even if empty; with NULL a heading of the section. */
const struct conf_value *conf_written(const struct conf *conf, const char *section,
                                      const char *name);

/* The names of all sections, and of all options in one, as written last (of sections the spelling
 * with more capitals in front); sorted, NULL-terminated, owned by conf. Never NULL. */
const char *const *conf_sections(const struct conf *conf);
const char *const *conf_names(const struct conf *conf, const char *section);

/* Why a value cannot be used, for people:
 * "/etc/sssd/sssd.conf:12: [nss] entry_negative_timeout: 'abc' is not a number". */
struct conf_problem {
	char *text; /* on the mem given */
};

/* Fills the struct of table from section, defaults where nothing is set. Texts and lists hang
 * below mem. Errors: -E_CONFIG some value is bad: its field has the default, all others are as
 * written, and problem tells of the first; -ENOMEM. */
int conf_read(const struct conf *conf, TALLOC_CTX *mem, const char *section, const struct opt *opts,
              void *ret_struct, struct conf_problem *ret_problem);

/* ---- making one: conf_new(), any number of conf_add(), conf_seal() ---- */

struct conf *conf_new(TALLOC_CTX *mem);

/* What ini says wins over what was added before. Takes over ini and the bytes behind it; file is
 * copied. Errors: -ENOMEM. */
int conf_add(struct conf *conf, const char *file, struct ini *ini, char *bytes);

/* After this the snapshot can be read and no longer changes. Errors: -ENOMEM. */
int conf_seal(struct conf *conf);
