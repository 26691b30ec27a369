/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metrics - what a process counts, in a file that outlives it
 *
 * Each process has one file, RUN_DIR/metrics/NAME, mapped by all processes of that name, the one
 * that leaves and its successor at once: a count is one atomic addition and no system call. The
 * file stays when the process goes, however it goes, until the host is booted anew. Host byte
 * order.
 *
 *   | magic "SSSmetr\0": 8 | version: u32 | program: u32 | cells: u32 | 0: u32 | cell: u64 … |
 *
 * Which cell means what is METRICS_VERSION's: another order is another version. A process that
 * finds no such file of its own kind and version at its path puts a new one there; where it cannot
 * (a full or a read-only file system, no directory yet), it counts in its own memory, and brings
 * that along when it can. Who shortens a file that is mapped ends its processes (mmap(2), SIGBUS);
 * only root and ours may. Like the log there is one for the process, and no functions take it.
 */
#pragma once

#include <stdint.h>

#include "common/ident/query.h"

#define METRICS_DIR      "metrics" /* below the directory of the bus */
#define METRICS_MAGIC    "SSSmetr" /* with its NUL: 8 bytes */
#define METRICS_VERSION  3u
#define METRICS_HEAD     24u
#define METRICS_FILE     (METRICS_HEAD + METRICS_CELLS * sizeof(uint64_t))
#define METRICS_CELL_MAX (UINT64_C(1) << 56) /* nobody counts that far: what is above is damage */

enum metrics_program {
	METRICS_LOOKUPS = 1, /* a responder that asks domains */
	METRICS_TICKETS,     /* sssd_kcm */
	METRICS_BACKEND,
	METRICS_MONITOR,
	METRICS_RENEWER,  /* kcm_renew */
	METRICS_PROGRAMS, /* one more than the last */
};

/* What a request was for: an enum query_kind, or one of these. */
enum {
	METRICS_OTHER = 0, /* could not be read, or is not built */
	METRICS_TICKETS_READ = QUERY_ALL + 1,
	METRICS_TICKETS_CHANGED,
	METRICS_KINDS,
};

enum metrics_result {
	METRICS_OK,
	METRICS_NOT_FOUND,
	METRICS_WAS_OFFLINE,
	METRICS_TIMEOUT,
	METRICS_ERROR,
	METRICS_RESULTS,
};

/* What became of a ticket that was to be renewed. */
enum metrics_renewal {
	METRICS_RENEWED,
	METRICS_UNREACHED,     /* no KDC of its realm */
	METRICS_UNANSWERED,    /* the time was over */
	METRICS_REFUSED,       /* by a KDC */
	METRICS_NOT_VALIDATED, /* by a key of this host */
	METRICS_RENEWAL_ERROR, /* what is left: a request that makes no sense, no memory, a crash */
	METRICS_RENEWAL_RESULTS,
};

/* A histogram is METRICS_BOUNDS counts of what took up to 16 µs, 64 µs, 256 µs … 16.8 s, one of
 * what took longer, and the sum in microseconds. */
#define METRICS_BOUNDS    11u
#define METRICS_HISTOGRAM (METRICS_BOUNDS + 2)

enum metrics_cell {
	METRICS_STARTS,
	METRICS_STOPS,      /* orderly ends, but for … */
	METRICS_IDLE_EXITS, /* … these */
	METRICS_RESTARTS,   /* monitor: a backend that had ended was started again */

	METRICS_LOOP, /* a histogram: how long the loop worked between two waits */
	METRICS_TURNS_10MS = METRICS_LOOP + METRICS_HISTOGRAM, /* of it, what took longer … */
	METRICS_TURNS_50MS,                                    /* … those among them */
	METRICS_REQUEST_TIMES,                                 /* one more histogram */
	METRICS_REQUESTS = METRICS_REQUEST_TIMES + METRICS_HISTOGRAM, /* [kind][result] */

	/* lookups: where the answer came from */
	METRICS_FRESH = METRICS_REQUESTS + METRICS_KINDS * METRICS_RESULTS, /* the cache … */
	METRICS_AGEING,   /* … which was refreshed behind it */
	METRICS_STALE,    /* … because its server could not say */
	METRICS_NEGATIVE, /* the server said "not there" a moment ago */
	METRICS_NOBODYS,  /* no domain may have it */
	METRICS_ASKED,    /* a backend; "not there" and "cannot tell" among them */

	/* lookups: records of the memory cache */
	METRICS_MEMORY_STORED,
	METRICS_MEMORY_RENEWED,
	METRICS_MEMORY_FORGOTTEN,
	METRICS_MEMORY_EVICTED,

	/* backend: searches sent, each base and page one */
	METRICS_SEARCHES,            /* for a question */
	METRICS_SEARCHES_LIST,       /* for all users and groups */
	METRICS_SEARCHES_CONNECTION, /* a new connection's, and those that see whether it stands */
	METRICS_ENTRIES,             /* that came, for the first two */
	METRICS_CONNECTIONS,
	METRICS_CONNECTIONS_FAILED,
	METRICS_WENT_ONLINE,
	METRICS_WENT_OFFLINE,

	/* backend, tickets: the store on disk */
	METRICS_COMMITS,
	METRICS_CHANGES, /* backend: questions' results in these */
	METRICS_RECORDS, /* backend: put by these */

	/* renewer */
	METRICS_RENEWALS_BEGUN,
	METRICS_RENEWAL_TIMES,                                        /* a histogram */
	METRICS_RENEWALS = METRICS_RENEWAL_TIMES + METRICS_HISTOGRAM, /* [result] */
	METRICS_CELLS = METRICS_RENEWALS + METRICS_RENEWAL_RESULTS,
};

/* Where the cells are now. Never unmapped. */
extern uint64_t *metrics_cells;

/* From now on this process counts in run_dir/METRICS_DIR/name; that is a start. What it counted
 * before is not lost. Errors: why it counts in its own memory, for the log: errno of open(2),
 * fallocate(2), rename(2); -EINVAL name is no file's; -ENAMETOOLONG. */
int metrics_start(const char *run_dir, const char *name, enum metrics_program program);

/* Looks whether the file is still at its path, and goes over to the one that is. To be called when
 * somebody may have repaired the tree. Errors: as above. */
int metrics_look(void);

enum metrics_result metrics_result_of(int r);

static inline void metrics_add(unsigned cell, uint64_t n)
{
	uint64_t *cells = __atomic_load_n(&metrics_cells, __ATOMIC_RELAXED);

	__atomic_fetch_add(&cells[cell], n, __ATOMIC_RELAXED);
}

static inline void metrics_count(unsigned cell)
{
	metrics_add(cell, 1);
}

/* us of a histogram that begins at cell. */
static inline void metrics_time(unsigned cell, int64_t us)
{
	uint64_t over = us > 0 ? (uint64_t)(us - 1) >> 4 : 0; /* in units of 16 µs */
	unsigned bucket = over ? (unsigned)(63 - __builtin_clzll(over)) / 2 + 1 : 0;

	metrics_count(cell + (bucket < METRICS_BOUNDS ? bucket : METRICS_BOUNDS));
	metrics_add(cell + METRICS_BOUNDS + 1, us > 0 ? (uint64_t)us : 0);
}

/* A request was answered with r, us after it began. */
static inline void metrics_request(unsigned kind, int r, int64_t us)
{
	metrics_count(METRICS_REQUESTS + kind * METRICS_RESULTS + metrics_result_of(r));
	metrics_time(METRICS_REQUEST_TIMES, us);
}
