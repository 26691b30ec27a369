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
	OPT_NUMBER, /* uint32_t, within min..max; the unit is part of the field's name */
	OPT_SIGNED, /* int32_t */
	OPT_TEXT,   /* const char *, NULL when unset and without a default */
	OPT_LIST,   /* char **, NULL-terminated; NULL when unset and without a default */
	OPT_WORD,   /* int: the position in words, which are compared without case */
	OPT_SECRET, /* struct secret *, NULL when unset */
	OPT_NONE,   /* known, nothing reads it: see state */
};

enum opt_state {
	OPT_BUILT,    /* honoured */
	OPT_LATER,    /* known but not built: accepted, one line "not implemented" at start and in config-check */
	OPT_IGNORED,  /* known, and rightly without effect here (say, an option upstream removed): one line tells so */
};

enum opt_flags {
	OPT_ACCESS = 1,  /* an access or TLS option: an unknown option within two letters of it stops the domain */
	OPT_RESTART = 2, /* a change needs the process to drain and start again; others are swapped on reload */
	OPT_HIDDEN = 4,  /* not in the man page */
};

struct opt {
	const char *name;
	enum opt_type type;
	size_t offset;        /* of the field in the struct the table fills */
	int64_t min, max;     /* for numbers */
	const char *fallback; /* the default as one would write it; NULL = unset */
	const char *const *words; /* NULL-terminated, for OPT_WORD (and OPT_LIST: allowed items, NULL = any) */
	enum opt_state state;
	unsigned flags;
	const char *unit; /* "s", "ms", "%", "id", … or NULL */
	const char *help; /* one line */
};

#define OPT_END { NULL }

/* A table and the section it is for. */
struct opt_table {
	const char *section; /* "sssd", "nss", "domain" (every domain/NAME), or "*" (every section but session_recording) */
	const char *condition; /* NULL, or the provider that reads it: "ldap", "krb5", … */
	const struct opt *opts; /* ends with OPT_END */
	size_t size;            /* of the struct; 0 for tables of names only */
};

/* Every table there is, ends with a NULL section. */
extern const struct opt_table opt_tables[];

/* The row for name in section ("nss", "domain/LDAP"), NULL when nobody knows it. Names are compared without
 * case, as the daemon's store does. */
const struct opt *opt_find(const char *section, const char *name);

/* Prints every table, one option a line, tab-separated: section, name, type, unit, default, state, flags, help. For
 * tests/lint and the man pages. */
void opt_list(FILE *out);
