/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Store - see store.h
 *
 *   store_open_send ─▶ look ─┬─ check needed ─▶ (child) ─▶ check_ended ─┬─ sound, set aside ─┐
 *                     ▲  ▲    └─ clean, or absent ─▶ try_open ◀──────────┼────────────────────┘
 *                     │  └── in a moment ── cannot tell ─────────────────┘    │
 *                     └───── in a moment ── busy, full, not ours ◀────────────┴─▶ store_open_recv
 */
#include "backend/core/store.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/cache/file.h"
#include "common/event/child.h"
#include "common/event/req.h"
#include "common/event/timer.h"

/* 512 MiB from a slow disk; a child that loops in a damaged tree is not worth more. */
#define CHECK_DEADLINE_MS 60000
#define CHECK_GRACE_MS    1000

#define BUSY_RETRY_MS  500 /* the backend before us is about to end */
#define OTHER_RETRY_MS 2000

#define EXIT_DAMAGED 2 /* of the checking child */

struct store_open_state {
	struct tevent_context *ev;           /* borrowed */
	const struct cache_options *options; /* borrowed */
	int *error;                          /* borrowed */
	struct child *child;
	struct timer *timer; /* the child's deadline, then the next try */
	bool late;           /* the child used up its time */
	bool checked;        /* the file was called sound, or exchanged: not in a circle */
	bool set_aside;      /* the latter */
	struct cache_writer *writer; /* owned until received */
};

static void look(void *data);
static int start_check(struct tevent_req *req);
static void check_ended(struct child *child, int status, void *data);
static void check_late(void *data);
static void try_open(struct tevent_req *req);

struct tevent_req *store_open_send(TALLOC_CTX *mem, struct tevent_context *ev,
                                   const struct cache_options *options, int *error)
{
	struct store_open_state *state;
	struct tevent_req *req;

	req = tevent_req_create(mem, &state, struct store_open_state);
	if (!req)
		return NULL;
	state->ev = ev;
	state->options = options;
	state->error = error;
	tevent_req_defer_callback(req, ev);
	look(req);
	return req;
}

static void check(struct tevent_req *req)
{
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);
	int r = start_check(req);

	if (r == 0)
		return;
	/* Not knowing is no reason to throw a good cache away, nor to trust a bad one. */
	log_error("cache of %s: the checking child could not be started: %s",
	          state->options->domain, error_text(r));
	req_finish(req, r);
}

static void look(void *data)
{
	struct tevent_req *req = data;
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);

	state->timer = NULL;
	if (cache_check_needed(state->options))
		check(req);
	else
		try_open(req);
}

/* Each reason is logged once. */
static void look_later(struct tevent_req *req, int r)
{
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);

	if (r != *state->error)
		log_error("cache of %s cannot be opened: %s; trying again", state->options->domain,
		          error_text(r));
	*state->error = r;
	state->timer = timer_once(state, state->ev, r == -EBUSY ? BUSY_RETRY_MS : OTHER_RETRY_MS,
	                          look, req);
	if (!state->timer)
		req_finish(req, -ENOMEM);
}

static int start_check(struct tevent_req *req)
{
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);
	char check[] = "--check", program[] = "/proc/self/exe";
	auto_talloc struct cache_files *files = NULL;
	char *argv[] = { program, check, NULL, NULL };
	int r;

	r = files_of(NULL, state->options, &files);
	if (r < 0)
		return r;
	log_notice("cache of %s: it was not closed in order, checking it", state->options->domain);

	argv[2] = talloc_strdup(files, files->data);
	state->timer = timer_once(state, state->ev, CHECK_DEADLINE_MS, check_late, req);
	if (!argv[2] || !state->timer)
		return -ENOMEM;
	return child_start(state, state->ev, argv, NULL, NULL, 0, check_ended, req, &state->child);
}

static void check_late(void *data)
{
	struct tevent_req *req = data;
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);

	state->timer = NULL;
	state->late = true;
	log_warn("cache of %s: the check did not end within %d s", state->options->domain,
	         CHECK_DEADLINE_MS / 1000);
	child_stop(state->child, CHECK_GRACE_MS);
}

static void set_aside(struct store_open_state *state)
{
	int r = cache_set_aside(state->options);

	state->checked = state->set_aside = true;
	if (r < 0)
		log_error("cache of %s: damaged, and cannot be set aside: %s",
		          state->options->domain, error_text(r));
	else
		log_warn("cache of %s: damaged, set aside; a new one is begun",
		         state->options->domain);
}

/* Did the child find the file damaged, or fall over it? Only these signals come from its own steps
 * (signal(7)): any other is somebody's, meant for all of us maybe, and says nothing. */
static bool is_damaged(const struct store_open_state *state, int status)
{
	static const int falls[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };

	if (WIFEXITED(status))
		return WEXITSTATUS(status) == EXIT_DAMAGED;
	for (size_t i = 0; i < str_size(falls); i++)
		if (WTERMSIG(status) == falls[i])
			return true;
	return state->late;
}

static void check_ended(struct child *child, int status, void *data)
{
	struct tevent_req *req = data;
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);
	int r = 0;

	(void)child;
	state->child = NULL;
	TALLOC_FREE(state->timer);

	if (is_damaged(state, status)) {
		set_aside(state);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
		state->checked = true;
		r = cache_mark_checked(state->options);
	} else {
		r = -EBUSY;
	}
	if (r < 0)
		look_later(req, r);
	else
		try_open(req);
}

static void try_open(struct tevent_req *req)
{
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);
	int r;

	r = cache_writer_open(state, state->ev, state->options, &state->writer);
	if (r == -E_CACHE_DAMAGED && !state->checked) {
		check(req);
		return;
	}

	/* Another version of ours has files with other names: this is one of nobody. */
	if ((r == -E_CACHE_DAMAGED || r == -E_CACHE_VERSION) && !state->set_aside) {
		set_aside(state);
		r = cache_writer_open(state, state->ev, state->options, &state->writer);
	}
	if (r < 0 && r != -ENOMEM) {
		look_later(req, r);
		return;
	}
	*state->error = 0;
	req_finish(req, r);
}

int store_open_recv(struct tevent_req *req, TALLOC_CTX *mem, struct cache_writer **ret_writer)
{
	struct store_open_state *state = tevent_req_data(req, struct store_open_state);
	int r = req_result(req);

	if (r == 0)
		*ret_writer = talloc_move(mem, &state->writer);
	tevent_req_received(req);
	return r;
}

/* ---- the child ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The domain in a path as files_of() makes them, on mem: cache_EXAMPLE_20.mdb is "EXAMPLE ".
 * NULL when it is no such path. */
static char *domain_of(TALLOC_CTX *mem, const char *path)
{
	static const char start[] = "cache_", end[] = ".mdb";
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t size = strlen(name), n = 0;
	char *domain;

	if (size <= strlen(start) + strlen(end) || strncmp(name, start, strlen(start)) != 0 ||
	    strcmp(name + size - strlen(end), end) != 0)
		return NULL;
	name += strlen(start);
	size -= strlen(start) + strlen(end);

	domain = talloc_size(mem, size + 1);
	if (!domain)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		int high, low;

		if (name[i] != '_') {
			domain[n++] = name[i];
			continue;
		}
		high = i + 2 < size ? hex_digit(name[i + 1]) : -1;
		low = i + 2 < size ? hex_digit(name[i + 2]) : -1;
		if (high < 0 || low < 0)
			return NULL;
		domain[n++] = (char)(high << 4 | low);
		i += 2;
	}
	domain[n] = '\0';
	return domain;
}

int store_check_main(const char *path)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	const char *slash = strrchr(path, '/');
	struct cache_options options = { .domain = domain_of(mem, path) };
	int r;

	/* Started as /proc/self/exe, we would be called "exe", and nobody would find us. */
	prctl(PR_SET_NAME, "sssd_be");
	if (!options.domain) {
		fprintf(stderr, "%s: not the name of a cache\n", path);
		return EXIT_FAILURE;
	}
	options.dir = slash ? talloc_strndup(mem, path, (size_t)(slash - path)) : ".";

	r = cache_check(&options);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", path, error_text(r));
	if (r == -E_CACHE_DAMAGED || r == -E_CACHE_VERSION)
		return EXIT_DAMAGED;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
