/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pool - a few threads for library calls that block (TLS handshakes, libldap's first steps)
 *
 * Each job has a thread of its own, at most POOL_THREADS at once, others wait in line; idle, the
 * pool has no thread and no timer. talloc is not used across the threads: what a job works on is
 * its own until it has finished, which may be after all else is gone.
 */
#pragma once

#include <talloc.h>
#include <tevent.h>

#define POOL_THREADS 4

struct pool; /* a talloc object; jobs that still run when it is freed are left to themselves */

struct pool *pool_new(TALLOC_CTX *mem, struct tevent_context *ev);

struct pool_job {
	/* On the thread: may block. */
	void (*work)(void *data);

	/* When the request was freed while work may still run: makes it return soon (shutdown(2) of
	 * its socket, say). May be NULL. On the loop's thread. */
	void (*hurry)(void *data);

	/* When the request was freed: exactly once, not before work returned. On the loop's thread.
	 * A job whose end was seen by pool_recv() leaves data to the caller instead. */
	void (*drop)(void *data);
};

/* Runs job over data, which must not hang in a talloc tree. Free the request to abandon the job.
 * Errors: -EAGAIN no thread could be started. Without memory NULL; data is then the caller's. */
struct tevent_req *pool_send(TALLOC_CTX *mem, struct tevent_context *ev, struct pool *pool,
                             const struct pool_job *job, void *data);

/* From here on data is the caller's again, whatever the result. */
int pool_recv(struct tevent_req *req);
