/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options - one row each: the table feeds the parser, config-check, the man pages and the structs
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <talloc.h>

enum opt_type {
	OPT_BOOL,   /* bool */
	OPT_NUMBER, /* uint32_t, within min..max; OPT_UNSET when unset and without a default. The
	             * unit is part of the field's name */
	OPT_SIGNED, /* int32_t, within min..max */
	OPT_SPAN,   /* uint32_t seconds: a number, and s, m, h or d behind it or nothing */
	OPT_CHAR,   /* char, '\0' when unset: one printable character that names may hold */
	OPT_TEXT,   /* const char *, NULL when unset and without a default */
	OPT_LIST,   /* char **, NULL-terminated; NULL when unset and without a default */
	OPT_WORD,   /* int: the position in words, which are compared without case; 0 when unset and
	             * without a default. An empty word at 0 means "unset": nobody can write it. */
	OPT_LEVEL,  /* const char *, NULL when unset; log_mask_of() takes it */
	OPT_SECRET, /* struct secret *, NULL when unset */
	OPT_NONE,   /* known, any value */
};

/* For 0 is a value like any other. Where there is no default max keeps it from being written. */
#define OPT_UNSET UINT32_MAX

enum opt_state {
	OPT_BUILT,   /* honoured */
	OPT_LATER,   /* known but not built: accepted, one line "not implemented" at start and in
	              * config-check. A type other than OPT_NONE is checked all the same. */
	OPT_IGNORED, /* known, and rightly without effect here (say, an option upstream removed):
	              * one line tells so with OPT_NONE or a help, else silence */
};

enum opt_flags {
	OPT_ACCESS = 1, /* an access or TLS option: an unknown option within two letters of it stops
	                 * the domain */
	OPT_RESTART = 2, /* a change needs the process to drain and start again; others are swapped
	                  * on reload */
	OPT_HIDDEN = 4,  /* not in the man page */
	OPT_MILLI = 8,   /* OPT_NUMBER: written in seconds, kept in milliseconds */
};

struct opt {
	const char *name;
	enum opt_type type;
	size_t offset;            /* of the field in the struct the table fills */
	int64_t min, max;         /* for numbers, as written; both 0 = whatever the type holds */
	const char *fallback;     /* the default as one would write it; NULL = unset */
	const char *const *words; /* NULL-terminated; for OPT_WORD, and for OPT_LIST: the items that
	                           * are allowed, NULL = any */
	const char *letters; /* for OPT_TEXT: it is a template (common/base/template.h) of these */
	enum opt_state state;
	unsigned flags;
	const char *unit; /* "s", "ms", "%", "id", … or NULL */
	const char *help; /* one line; NULL for what is not built; of what is ignored: why, which
	                   * config-check tells */
};

/* clang-format off */
#define OPT_END { NULL }
/* clang-format on */

/* A table and the kind of section it is for. */
struct opt_table {
	const char *section; /* a kind of opt_kind(), "service" (all of nss, pam, …), or "*" (every
	                      * section but session_recording) */
	const char *condition;  /* NULL, or the provider that reads it: "ldap", "krb5", … */
	const struct opt *opts; /* ends with OPT_END */
	size_t size;            /* of the struct; 0 for tables of names only */
};

/* Every table there is, ends with a NULL section. */
extern const struct opt_table opt_tables[];

/* What kind of section this is: "sssd", "nss", "pam", …, "session_recording", "domain",
 * "application", "subdomain" (domain/NAME/TRUSTED), "certmap", "prompting/password", … NULL when
 * it is not allowed (options.md §3.1). Without case. */
const char *opt_kind(const char *section);

/* Does table hold for sections of this kind? An application is a domain. */
bool opt_table_is_for(const struct opt_table *table, const char *kind);

/* The row for name in section ("nss", "domain/LDAP"), NULL when nobody knows it. Names are
 * compared without case, as the daemon's store does. */
const struct opt *opt_find(const char *section, const char *name);

/* The row whose name is nearest to the unknown name, at most two letters away, with all of flags;
 * NULL when there is none. */
const struct opt *opt_nearest(const char *section, const char *name, unsigned flags);

/* Gives the field of opt the value of text (NULL = unset). Texts and lists hang below mem. With
 * ret_struct NULL it only judges.
 * Errors: -E_CONFIG and ret_reason, on mem, says why, as in "'abc' is not a number"; -ENOMEM. */
int opt_set(TALLOC_CTX *mem, const struct opt *opt, const char *text, void *ret_struct,
            char **ret_reason);

/* What an OPT_NUMBER holds whose default is another's value. */
static inline uint32_t opt_number_or(uint32_t number, uint32_t other)
{
	return number == OPT_UNSET ? other : number;
}

/* Prints every table, one option a line, tab-separated: section ("nss", "domain:ldap" with the
 * condition), name, type, unit, default, state, flags, help, values ("MIN..MAX" of numbers, the
 * words of others, with commas); "-" for what is not set. For the tests and the man pages. */
void opt_list(FILE *out);
