/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metrics as text - see text.h
 *
 * A row of the table is a family; its cells stand in a row, too, one for each pair of labels.
 */
#include "common/metrics/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/str.h"
#include "common/wire/reader.h"

#define L (1u << METRICS_LOOKUPS)
#define T (1u << METRICS_TICKETS)
#define B (1u << METRICS_BACKEND)
#define M (1u << METRICS_MONITOR)
#define R (1u << METRICS_RENEWER)

/* ---- the families ---- */

struct value {
	const char *name;
	unsigned programs;
};

struct label {
	const char *name; /* NULL: no such label, one value */
	const struct value *values;
	unsigned count;
};

/* clang-format off */
static const struct value kinds[METRICS_KINDS] = {
	[METRICS_OTHER]           = { "other",           L | T | B },
	[QUERY_USER_BY_NAME]      = { "user_by_name",    L | B },
	[QUERY_USER_BY_ID]        = { "user_by_id",      L | B },
	[QUERY_GROUP_BY_NAME]     = { "group_by_name",   L | B },
	[QUERY_GROUP_BY_ID]       = { "group_by_id",     L | B },
	[QUERY_INITGROUPS]        = { "initgroups",      L | B },
	[QUERY_ALL]               = { "list",            L | B },
	[METRICS_TICKETS_READ]    = { "tickets_read",    T },
	[METRICS_TICKETS_CHANGED] = { "tickets_changed", T },
};
static const struct value results[METRICS_RESULTS] = {
	[METRICS_OK]          = { "ok",        L | T | B },
	[METRICS_NOT_FOUND]   = { "not_found", L | T },
	[METRICS_WAS_OFFLINE] = { "offline",   B },
	[METRICS_TIMEOUT]     = { "timeout",   L | B },
	[METRICS_ERROR]       = { "error",     L | T | B },
};
static const struct value exits[] = {
	{ "stopped", L | T | B | M | R }, { "idle", L | T | R },
};
static const struct value sources[] = {
	{ "fresh", L },    { "ageing", L },  { "stale", L },
	{ "negative", L }, { "nobodys", L }, { "backend", L },
};
static const struct value memory_events[] = {
	{ "stored", L }, { "renewed", L }, { "forgotten", L }, { "evicted", L },
};
static const struct value purposes[] = {
	{ "question", B }, { "list", B }, { "connection", B },
};
static const struct value outcomes[] = {
	{ "ok", B }, { "failed", B },
};
static const struct value states[] = {
	{ "online", B }, { "offline", B },
};

static const struct value renewals[METRICS_RENEWAL_RESULTS] = {
	[METRICS_RENEWED]       = { "renewed",       R },
	[METRICS_UNREACHED]     = { "unreached",     R },
	[METRICS_UNANSWERED]    = { "unanswered",    R },
	[METRICS_REFUSED]       = { "refused",       R },
	[METRICS_NOT_VALIDATED] = { "not_validated", R },
	[METRICS_RENEWAL_ERROR] = { "error",         R },
};

static const struct value turns[] = {
	{ "0.010000", L | T | B | M }, { "0.050000", L | T | B | M },
};

#define NO_LABEL           { NULL, NULL, 1 }
#define LABEL(name, items) { name, items, str_size(items) }

static const struct family {
	const char *name;
	unsigned first; /* cell */
	unsigned programs;
	bool is_histogram;
	struct label label, second;
	const char *help;
} families[] = {
	{ "sssd_starts", METRICS_STARTS, L | T | B | M | R, false, NO_LABEL, NO_LABEL,
	  "Processes of this name that started" },
	{ "sssd_exits", METRICS_STOPS, L | T | B | M | R, false, LABEL("reason", exits), NO_LABEL,
	  "Those that ended in an orderly way" },
	{ "sssd_backend_restarts", METRICS_RESTARTS, M, false, NO_LABEL, NO_LABEL,
	  "Backends that the monitor started again" },
	{ "sssd_loop_seconds", METRICS_LOOP, L | T | B | M, true, NO_LABEL, NO_LABEL,
	  "Time between two waits of the event loop" },
	{ "sssd_loop_slow", METRICS_TURNS_10MS, L | T | B | M, false, LABEL("over", turns), NO_LABEL,
	  "Times between two waits of the event loop that were longer than so many seconds" },
	{ "sssd_request_seconds", METRICS_REQUEST_TIMES, L | T | B, true, NO_LABEL, NO_LABEL,
	  "Time from the first byte of a request to the last of its answer" },
	{ "sssd_requests", METRICS_REQUESTS, L | T | B, false,
	  LABEL("kind", kinds), LABEL("result", results), "Requests that were answered" },
	{ "sssd_answers", METRICS_FRESH, L, false, LABEL("source", sources), NO_LABEL,
	  "Where the answers to lookups came from" },
	{ "sssd_memory_cache_records", METRICS_MEMORY_STORED, L, false,
	  LABEL("event", memory_events), NO_LABEL,
	  "Records of the memory cache, which clients read without asking" },
	{ "sssd_searches", METRICS_SEARCHES, B, false, LABEL("purpose", purposes), NO_LABEL,
	  "Searches sent to servers" },
	{ "sssd_entries", METRICS_ENTRIES, B, false, NO_LABEL, NO_LABEL,
	  "Entries that servers returned" },
	{ "sssd_connections", METRICS_CONNECTIONS, B, false, LABEL("result", outcomes), NO_LABEL,
	  "Connections to servers, made or attempted" },
	{ "sssd_state_changes", METRICS_WENT_ONLINE, B, false, LABEL("state", states), NO_LABEL,
	  "How often the domain went online or offline" },
	{ "sssd_commits", METRICS_COMMITS, T | B, false, NO_LABEL, NO_LABEL,
	  "Transactions written to the store on disk" },
	{ "sssd_committed_changes", METRICS_CHANGES, B, false, NO_LABEL, NO_LABEL,
	  "Changes in these transactions" },
	{ "sssd_committed_records", METRICS_RECORDS, B, false, NO_LABEL, NO_LABEL,
	  "Records put by these transactions" },
	{ "sssd_renewals_begun", METRICS_RENEWALS_BEGUN, R, false, NO_LABEL, NO_LABEL,
	  "Tickets that were to be renewed" },
	{ "sssd_renewal_seconds", METRICS_RENEWAL_TIMES, R, true, NO_LABEL, NO_LABEL,
	  "Time that a renewal took, whatever became of it" },
	{ "sssd_renewals", METRICS_RENEWALS, R, false, LABEL("result", renewals), NO_LABEL,
	  "What became of them" },
};
/* clang-format on */

static unsigned cells_of(const struct family *family)
{
	return family->is_histogram ? METRICS_HISTOGRAM
	                            : family->label.count * family->second.count;
}

static bool has(const struct label *label, unsigned i, enum metrics_program program)
{
	return !label->name || (label->values[i].programs & 1u << program);
}

const char *metrics_family_of(unsigned cell, enum metrics_program program)
{
	for (size_t i = 0; i < str_size(families); i++) {
		const struct family *family = &families[i];
		unsigned at = cell - family->first;

		if (cell < family->first || at >= cells_of(family) ||
		    !(family->programs & 1u << program))
			continue;
		if (family->is_histogram)
			return family->name;
		return has(&family->label, at / family->second.count, program) &&
		                       has(&family->second, at % family->second.count, program)
		               ? family->name
		               : NULL;
	}
	return NULL;
}

/* ---- reading ---- */

int metrics_read(const void *bytes, size_t size, struct metrics_file *ret_file)
{
	struct reader in = reader_over(bytes, size);
	const uint8_t *magic = reader_bytes(&in, sizeof(METRICS_MAGIC));
	uint32_t version = reader_u32(&in), program = reader_u32(&in), n = reader_u32(&in);
	struct metrics_file file;

	reader_u32(&in);
	if (in.err < 0 || memcmp(magic, METRICS_MAGIC, sizeof(METRICS_MAGIC)) != 0)
		return -EBADMSG;
	if (version != METRICS_VERSION || n != METRICS_CELLS)
		return -EPROTONOSUPPORT;
	if (program < METRICS_LOOKUPS || program >= METRICS_PROGRAMS)
		return -EBADMSG;
	for (unsigned i = 0; i < METRICS_CELLS; i++) {
		file.cells[i] = reader_u64(&in);
		if (file.cells[i] >= METRICS_CELL_MAX)
			reader_fail(&in);
	}
	if (reader_end(&in) < 0)
		return -EBADMSG;
	file.name = ret_file->name;
	file.program = program;
	*ret_file = file;
	return 0;
}

/* ---- printing ---- */

/* The label value of OpenMetrics is UTF-8, and this may be a terminal. */
static void print_name(FILE *out, const char *name)
{
	bool utf8 = str_is_utf8(name, strlen(name));

	for (const char *c = name; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc((unsigned char)*c < ' ' || *c == 0x7f || (!utf8 && (unsigned char)*c > 0x7f)
		              ? '?'
		              : *c,
		      out);
	}
}

/* "sssd_exits_total{process="nss"" without the closing brace. */
static void print_sample(FILE *out, const struct family *family, const char *suffix,
                         const struct metrics_file *file)
{
	fprintf(out, "%s%s{process=\"", family->name, suffix);
	print_name(out, file->name);
	fputc('"', out);
}

static void print_seconds(FILE *out, uint64_t us)
{
	fprintf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void print_histogram(FILE *out, const struct family *family, const struct metrics_file *file)
{
	const uint64_t *cells = &file->cells[family->first];
	uint64_t count = 0, bound_us = 16;

	for (unsigned i = 0; i <= METRICS_BOUNDS; i++, bound_us *= 4) {
		count += cells[i];
		print_sample(out, family, "_bucket", file);
		fputs(",le=\"", out);
		if (i == METRICS_BOUNDS)
			fputs("+Inf", out);
		else
			print_seconds(out, bound_us);
		fprintf(out, "\"} %" PRIu64 "\n", count);
	}
	print_sample(out, family, "_count", file);
	fprintf(out, "} %" PRIu64 "\n", count);
	print_sample(out, family, "_sum", file);
	fputs("} ", out);
	print_seconds(out, cells[METRICS_BOUNDS + 1]);
	fputc('\n', out);
}

static void print_label(FILE *out, const struct label *label, unsigned i)
{
	if (label->name)
		fprintf(out, ",%s=\"%s\"", label->name, label->values[i].name);
}

static void print_counters(FILE *out, const struct family *family, const struct metrics_file *file)
{
	const struct label *label = &family->label, *second = &family->second;

	for (unsigned at = 0; at < cells_of(family); at++) {
		unsigned i = at / second->count, j = at % second->count;

		if (!has(label, i, file->program) || !has(second, j, file->program))
			continue;
		print_sample(out, family, "_total", file);
		print_label(out, label, i);
		print_label(out, second, j);
		fprintf(out, "} %" PRIu64 "\n", file->cells[family->first + at]);
	}
}

void metrics_print(FILE *out, const struct metrics_file *files, size_t n_files)
{
	for (const struct family *family = families; family < families + str_size(families);
	     family++) {
		fprintf(out, "# TYPE %s %s\n", family->name,
		        family->is_histogram ? "histogram" : "counter");
		if (family->is_histogram)
			fprintf(out, "# UNIT %s seconds\n", family->name);
		fprintf(out, "# HELP %s %s.\n", family->name, family->help);
		for (size_t i = 0; i < n_files; i++) {
			if (!(family->programs & 1u << files[i].program))
				continue;
			if (family->is_histogram)
				print_histogram(out, family, &files[i]);
			else
				print_counters(out, family, &files[i]);
		}
	}
	fputs("# EOF\n", out);
}
