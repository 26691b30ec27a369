/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options - one row each: the table feeds the parser, config-check, the man pages and the structs
 */
#include "common/conf/opt.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/base/str.h"
#include "common/base/template.h"

#define NEAR      2   /* letters between a slip of the keyboard and what was meant */
#define NAME_SIZE 128 /* no option's name comes near */

/* ---- sections ---- */

static const char *const services[] = { "nss", "pam", "sudo", "autofs", "ssh",
	                                "pac", "ifp", "kcm",  NULL };
static const char *const plain[] = { "sssd", "session_recording", NULL };
static const char *const prompting[] = { "prompting/password", "prompting/2fa", "prompting/passkey",
	                                 "prompting/oauth2", NULL };

static const char *word_of(const char *const *words, const char *text)
{
	while (*words && strcasecmp(*words, text) != 0)
		words++;
	return *words;
}

/* Parts of a section's name stand between slashes; none is empty or has an "@". */
static bool parts_are_good(const char *parts)
{
	return *parts && *parts != '/' && parts[strlen(parts) - 1] != '/' && !strstr(parts, "//") &&
	       !strchr(parts, '@');
}

static unsigned count_parts(const char *parts)
{
	unsigned n = 1;

	while ((parts = strchr(parts, '/')) != NULL) {
		parts++;
		n++;
	}
	return n;
}

/* Is section PREFIX and n good parts behind it? */
static bool is_below(const char *section, const char *prefix, unsigned n)
{
	size_t size = strlen(prefix);

	return strncasecmp(section, prefix, size) == 0 && parts_are_good(section + size) &&
	       count_parts(section + size) == n;
}

const char *opt_kind(const char *section)
{
	const char *kind = word_of(plain, section);

	if (!kind)
		kind = word_of(services, section);
	if (!kind)
		kind = word_of(prompting, section);
	if (kind)
		return kind;

	if (is_below(section, "domain/", 1))
		return "domain";
	if (is_below(section, "domain/", 2))
		return "subdomain";
	if (is_below(section, "application/", 1))
		return "application";
	if (is_below(section, "certmap/", 2))
		return "certmap";
	for (const char *const *method = prompting; *method; method++) {
		size_t size = strlen(*method);

		/* [prompting/password/SERVICE] */
		if (strncasecmp(section, *method, size) == 0 && is_below(section + size, "/", 1))
			return *method;
	}
	return NULL;
}

bool opt_table_is_for(const struct opt_table *table, const char *kind)
{
	if (strcmp(table->section, "*") == 0)
		return strcmp(kind, "session_recording") != 0;
	if (strcmp(table->section, "service") == 0)
		return word_of(services, kind) != NULL;
	if (strcmp(table->section, "domain") == 0 && strcmp(kind, "application") == 0)
		return true;
	return strcmp(table->section, kind) == 0;
}

const struct opt *opt_find(const char *section, const char *name)
{
	const char *kind = opt_kind(section);

	if (!kind)
		return NULL;
	for (const struct opt_table *table = opt_tables; table->section; table++) {
		if (!opt_table_is_for(table, kind))
			continue;
		for (const struct opt *opt = table->opts; opt->name; opt++)
			if (strcasecmp(opt->name, name) == 0)
				return opt;
	}
	return NULL;
}

const struct opt *opt_nearest(const char *section, const char *name, unsigned flags)
{
	const struct opt *nearest = NULL;
	const char *kind = opt_kind(section);
	unsigned least = NEAR + 1;
	char lower[NAME_SIZE] = "";

	if (!kind || strlen(name) >= sizeof(lower))
		return NULL;
	for (size_t i = 0; name[i]; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);

	for (const struct opt_table *table = opt_tables; table->section; table++) {
		if (!opt_table_is_for(table, kind))
			continue;
		for (const struct opt *opt = table->opts; opt->name; opt++) {
			unsigned distance;

			if ((opt->flags & flags) != flags)
				continue;
			distance = str_distance(lower, opt->name, NEAR);
			if (distance < least) {
				least = distance;
				nearest = opt;
			}
		}
	}
	return nearest;
}

/* ---- values ---- */

static int refuse(TALLOC_CTX *mem, const char *text, char **ret_reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* "'abc' " and what format says about it. */
static int refuse(TALLOC_CTX *mem, const char *text, char **ret_reason, const char *format, ...)
{
	auto_talloc char *shown = str_printable(mem, text, strlen(text));
	char *reason;
	va_list args;

	reason = shown ? talloc_asprintf(mem, "'%s' ", shown) : NULL;
	if (!reason)
		return -ENOMEM;
	va_start(args, format);
	*ret_reason = talloc_vasprintf_append(reason, format, args);
	va_end(args);
	return *ret_reason ? -E_CONFIG : -ENOMEM;
}

static const char *separator_after(const char *const *words)
{
	if (!words[1])
		return "";
	return words[2] ? ", " : " or ";
}

/* "never, allow or hard" */
static char *enumerate(TALLOC_CTX *mem, const char *const *words)
{
	char *text = talloc_strdup(mem, "");

	for (; text && *words; words++)
		if (**words)
			text = talloc_asprintf_append(text, "%s%s", *words, separator_after(words));
	return text;
}

static int refuse_word(TALLOC_CTX *mem, const char *text, const char *const *words,
                       char **ret_reason)
{
	auto_talloc char *allowed = enumerate(mem, words);

	if (!allowed)
		return -ENOMEM;
	return refuse(mem, text, ret_reason, "is not %s", allowed);
}

/* What may be written. */
static void range_of(const struct opt *opt, int64_t *ret_min, int64_t *ret_max)
{
	bool is_signed = opt->type == OPT_SIGNED, any = opt->min == 0 && opt->max == 0;

	*ret_min = any && is_signed ? INT32_MIN : opt->min;
	*ret_max = any ? (is_signed ? INT32_MAX : UINT32_MAX) : opt->max;
	if (opt->flags & OPT_MILLI && *ret_max > UINT32_MAX / 1000)
		*ret_max = UINT32_MAX / 1000;
}

static int parse_number(TALLOC_CTX *mem, const struct opt *opt, const char *text,
                        int64_t *ret_number, char **ret_reason)
{
	int64_t number = 0, min, max;
	int r;

	range_of(opt, &min, &max);
	r = str_to_i64(text, &number);
	if (r == -EINVAL)
		return refuse(mem, text, ret_reason, "is not a number");
	if (r < 0 || number < min || number > max)
		return refuse(mem, text, ret_reason, "is not within %lld to %lld", (long long)min,
		              (long long)max);

	*ret_number = opt->flags & OPT_MILLI ? number * 1000 : number;
	return 0;
}

/* "90", "90s", "15m", "8h" or "7d". */
static int parse_span(TALLOC_CTX *mem, const char *text, uint32_t *ret_s, char **ret_reason)
{
	static const struct {
		char letter;
		uint32_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t size = strlen(text);
	char digits[16];
	uint32_t number, unit = 1;

	for (size_t i = 0; i < str_size(units) && size > 0; i++)
		if (text[size - 1] == units[i].letter) {
			unit = units[i].s;
			size--;
			break;
		}
	if (size >= sizeof(digits))
		return refuse(mem, text, ret_reason, "is too long a time");
	memcpy(digits, text, size);
	digits[size] = '\0';
	if (str_to_u32(digits, &number) < 0)
		return refuse(mem, text, ret_reason, "is not a number with s, m, h or d behind it");
	if (number > UINT32_MAX / unit)
		return refuse(mem, text, ret_reason, "is too long a time");
	*ret_s = number * unit;
	return 0;
}

/* The values of all types but texts and lists, which are one pointer each. */
union value {
	bool truth;
	char character;
	uint32_t number;
	int32_t signed_number;
	int word;
	const void *pointer;
};

static int parse_list(TALLOC_CTX *mem, const struct opt *opt, const char *text,
                      union value *ret_value, char **ret_reason)
{
	auto_talloc char **items = NULL;
	int r;

	r = str_split(mem, text, ',', &items);
	if (r < 0)
		return r;
	for (char **item = items; opt->words && *item; item++)
		if (!word_of(opt->words, *item))
			return refuse_word(mem, *item, opt->words, ret_reason);

	ret_value->pointer = take_ptr(items);
	return 0;
}

static int parse_word(TALLOC_CTX *mem, const struct opt *opt, const char *text,
                      union value *ret_value, char **ret_reason)
{
	for (int i = 0; opt->words[i]; i++)
		if (*text && strcasecmp(opt->words[i], text) == 0) {
			ret_value->word = i;
			return 0;
		}
	return refuse_word(mem, text, opt->words, ret_reason);
}

static int parse_template(TALLOC_CTX *mem, const char *text, const char *letters, char **ret_reason)
{
	const char *fault = template_fault(text, letters);
	auto_talloc char *known = talloc_strdup(mem, "");

	if (!fault)
		return 0;
	for (; known && *letters; letters++)
		known = talloc_asprintf_append_buffer(known, "%%%c, ", *letters);
	if (!known)
		return -ENOMEM;
	return refuse(mem, text, ret_reason,
	              "has a '%%' that is followed by no letter with a meaning: %sor %%%%", known);
}

static int parse_secret(TALLOC_CTX *mem, const char *text, union value *ret_value,
                        char **ret_reason)
{
	struct secret *secret;
	int r;

	r = secret_new(mem, text, strlen(text), &secret);
	if (r == -EINVAL) {
		*ret_reason = talloc_strdup(mem, "the value is too long");
		return *ret_reason ? -E_CONFIG : -ENOMEM;
	}
	if (r < 0)
		return r;
	ret_value->pointer = secret;
	return 0;
}

static int parse(TALLOC_CTX *mem, const struct opt *opt, const char *text, union value *ret_value,
                 char **ret_reason)
{
	int64_t number = 0;
	uint32_t mask;
	int r = 0;

	switch (opt->type) {
	case OPT_BOOL:
		if (str_to_bool(text, &ret_value->truth) < 0)
			return refuse(mem, text, ret_reason, "is not true or false");
		return 0;
	case OPT_NUMBER:
	case OPT_SIGNED:
		r = parse_number(mem, opt, text, &number, ret_reason);
		if (opt->type == OPT_NUMBER)
			ret_value->number = (uint32_t)number;
		else
			ret_value->signed_number = (int32_t)number;
		return r;
	case OPT_SPAN:
		return parse_span(mem, text, &ret_value->number, ret_reason);
	case OPT_CHAR:
		/* A blank, or what a name is taken apart at, would stand for something else. */
		if (text[0] <= ' ' || text[0] > '~' || text[1] || strchr("/:@", text[0]))
			return refuse(mem, text, ret_reason,
			              "is not one character that a name may hold");
		ret_value->character = text[0];
		return 0;
	case OPT_LEVEL:
		if (log_mask_of(text, &mask) < 0)
			return refuse(mem, text, ret_reason,
			              "is not a debug level: 0 to 10, or a mask like 0x0270");
		/* fall through */
	case OPT_TEXT:
		if (opt->letters)
			r = parse_template(mem, text, opt->letters, ret_reason);
		if (r == 0 && !(ret_value->pointer = talloc_strdup(mem, text)))
			r = -ENOMEM;
		return r;
	case OPT_LIST:
		return parse_list(mem, opt, text, ret_value, ret_reason);
	case OPT_WORD:
		return parse_word(mem, opt, text, ret_value, ret_reason);
	case OPT_SECRET:
		return parse_secret(mem, text, ret_value, ret_reason);
	case OPT_NONE:
		return 0;
	}
	return -EINVAL;
}

static size_t size_of(enum opt_type type)
{
	switch (type) {
	case OPT_BOOL:
		return sizeof(bool);
	case OPT_CHAR:
		return sizeof(char);
	case OPT_NUMBER:
	case OPT_SIGNED:
	case OPT_SPAN:
		return sizeof(uint32_t);
	case OPT_WORD:
		return sizeof(int);
	case OPT_TEXT:
	case OPT_LIST:
	case OPT_LEVEL:
	case OPT_SECRET:
		return sizeof(void *);
	case OPT_NONE:
		return 0;
	}
	return 0;
}

int opt_set(TALLOC_CTX *mem, const struct opt *opt, const char *text, void *ret_struct,
            char **ret_reason)
{
	TALLOC_CTX *owner = ret_struct ? mem : talloc_new(mem);
	union value value = { 0 };
	int r = 0;

	if (!ret_struct && !owner)
		return -ENOMEM;
	if (text)
		r = parse(owner, opt, text, &value, ret_reason);
	else if (opt->type == OPT_NUMBER)
		value.number = OPT_UNSET;

	if (r == 0 && ret_struct)
		memcpy((char *)ret_struct + opt->offset, &value, size_of(opt->type));
	if (!ret_struct) {
		if (r == -E_CONFIG)
			talloc_steal(mem, *ret_reason);
		talloc_free(owner);
	}
	return r;
}

/* ---- for the man pages ---- */

static const char *type_name(enum opt_type type)
{
	static const char *const names[] = {
		[OPT_BOOL] = "bool",      [OPT_NUMBER] = "number", [OPT_SIGNED] = "signed",
		[OPT_CHAR] = "character", [OPT_TEXT] = "text",     [OPT_LIST] = "list",
		[OPT_WORD] = "word",      [OPT_LEVEL] = "level",   [OPT_SECRET] = "secret",
		[OPT_SPAN] = "span",      [OPT_NONE] = "any",
	};
	return names[type];
}

static void print_flags(FILE *out, unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = { { OPT_ACCESS, "access" },
		      { OPT_RESTART, "restart" },
		      { OPT_HIDDEN, "hidden" } };
	const char *comma = "";

	for (size_t i = 0; i < str_size(names); i++)
		if (flags & names[i].flag) {
			fprintf(out, "%s%s", comma, names[i].name);
			comma = ",";
		}
	if (!*comma)
		fputc('-', out);
}

static void print_values(FILE *out, const struct opt *opt)
{
	const char *comma = "";
	int64_t min, max;

	if (opt->type == OPT_NUMBER || opt->type == OPT_SIGNED || opt->type == OPT_SPAN) {
		range_of(opt, &min, &max);
		fprintf(out, "%lld..%lld", (long long)min, (long long)max);
	} else if (opt->words) {
		for (const char *const *word = opt->words; *word; word++)
			if (**word) {
				fprintf(out, "%s%s", comma, *word);
				comma = ",";
			}
	} else {
		fputc('-', out);
	}
}

void opt_list(FILE *out)
{
	static const char *const states[] = {
		[OPT_BUILT] = "built", [OPT_LATER] = "later", [OPT_IGNORED] = "ignored"
	};

	for (const struct opt_table *table = opt_tables; table->section; table++)
		for (const struct opt *opt = table->opts; opt->name; opt++) {
			fprintf(out, "%s%s%s\t", table->section, table->condition ? ":" : "",
			        table->condition ? table->condition : "");
			fprintf(out, "%s\t%s\t%s\t%s\t%s\t", opt->name, type_name(opt->type),
			        opt->unit ? opt->unit : "-", opt->fallback ? opt->fallback : "-",
			        states[opt->state]);
			print_flags(out, opt->flags);
			fprintf(out, "\t%s\t", opt->help ? opt->help : "-");
			print_values(out, opt);
			fputc('\n', out);
		}
}
