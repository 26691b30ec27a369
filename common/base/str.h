/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text - numbers without atoi, UTF-8, case folding, lists
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define str_size(array) (sizeof(array) / sizeof((array)[0]))

static inline bool str_empty(const char *text)
{
	return !text || !*text;
}

/* The whole of text as a number: decimal, or hexadecimal after 0x. No sign, no blanks, no
 * leading '+'. Errors: -EINVAL not a number; -ERANGE it does not fit. */
int str_to_u32(const char *text, uint32_t *ret_value);
int str_to_u64(const char *text, uint64_t *ret_value);

/* The same with an optional '-' in front. */
int str_to_i64(const char *text, int64_t *ret_value);

/* true/false in any case (sssd.conf(5)). Errors: -EINVAL. */
int str_to_bool(const char *text, bool *ret_value);

/* Splits at separator, trims blanks around each item and drops empty ones. The result is
 * NULL-terminated, its items hang below it. */
int str_split(TALLOC_CTX *mem, const char *text, char separator, char ***ret_items);

/* items may be NULL, an empty list; nocase is ASCII's case. */
bool str_list_contains(char *const *items, const char *text);
bool str_list_contains_nocase(char *const *items, const char *text);

/* Is this well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool str_is_utf8(const char *text, size_t size);

/* Unicode simple case folding (CaseFolding.txt, status C and S), independent of any locale:
 * two names are the same name exactly when their folded forms are equal bytes. ASCII takes a
 * short cut. Errors: -EILSEQ text is not UTF-8; -ENOMEM. */
int str_fold(TALLOC_CTX *mem, const char *text, char **ret_folded);

/* The Levenshtein distance of a and b, counted no further than limit + 1; ASCII case counts. limit
 * is a few letters: the work grows with its power of 3. */
unsigned str_distance(const char *a, const char *b, unsigned limit);

/* A printable copy of foreign text for a log line: control and formatting characters, invalid
 * UTF-8 and backslashes as \xNN; after 128 bytes of it "...". On mem, or NULL without memory. */
char *str_printable(TALLOC_CTX *mem, const char *text, size_t size);

/* The same with another limit than 128. */
char *str_printable_up_to(TALLOC_CTX *mem, const char *text, size_t size, unsigned max);

/* A part of a file name for any text: what is not a letter or digit of ASCII, '.' or '-' as _xx. On
 * mem, or NULL without memory. */
char *str_file_name(TALLOC_CTX *mem, const char *text);
