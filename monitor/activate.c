/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Activate - without systemd: own the responders' sockets, start each at its first connection
 *
 *   watching ─ readable, named in services=, or due ─▶ running ─ exit 0 ──────────────▶ watching …
 *                                                         └─ crash ─▶ (back-off) ─▶ watching …
 */
#include "monitor/activate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/event/child.h"
#include "common/event/helper.h"
#include "common/event/timer.h"
#include "common/wire/kcm.h"
#include "monitor/alone.h"
#include "monitor/backoff.h"
#include "monitor/holder.h"

#define HUNG_GRACE_MS 10000

/* What waits while a responder starts, as with systemd. */
#define BACKLOG 4096

/* A row for every responder that is built, and for the helpers that have a socket. */
/* clang-format off */
static const struct row {
	const char *name, *program;
	mode_t mode;                        /* of the socket; 0600: of our user alone */
	const char *path;                   /* of the socket; NULL: below the directory of pipes */
	bool shared;                        /* another supervisor may own it */
	const char *due;                    /* while this file is there, it runs without being asked */
	const char *variable, *value;       /* of its environment, unless set already */
} rows[] = {
	{ "nss",       "sssd_nss",  0666, NULL,             false },
	{ "kcm",       "sssd_kcm",  0666, KCM_SOCKET,       true, "/var/lib/sss/secrets/due",
	  "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0" }, /* as in its unit */
	{ "kcm-renew", "kcm_renew", 0600, KCM_RENEW_SOCKET, true },
	{ "ldap-child", "ldap_child", 0600, HELPER_LDAP_SOCKET, true },
};
/* clang-format on */

struct responder {
	struct activate *activate; /* borrowed: our parent */
	const struct row *row;
	int fd; /* listens; -1 = it is not ours */
	char *path;
	struct stat bound;       /* the file we made there */
	struct tevent_fd *watch; /* NULL while it runs or waits */
	struct child *child;     /* NULL unless it runs */
	struct timer *wait;
	struct backoff backoff;
};

struct activate {
	struct monitor *monitor; /* borrowed */
	struct responder responders[str_size(rows)];
	bool stopping;
};

static void start(struct responder *responder);

/* ---- sockets ---- */

/* We are root, and our responders will not be. */
static int give_away(const char *path)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || account_find(NULL, ACCOUNT_SERVICE, &uid, &gid) < 0)
		return 0; /* without that user all is root's */
	return chown(path, uid, gid);
}

/* Binds, gives it its mode and owner and then listens: nobody gets in before. */
static int listen_at(const char *path, mode_t mode, int *ret_fd, struct stat *ret_bound)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, mode) < 0 ||
	    (mode == 0600 && give_away(path) < 0) || lstat(path, ret_bound) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static bool somebody_listens(const char *path)
{
	auto_close int fd = -1;
	int r = fd_connect_unix(path, &fd);

	return r == 0 || r == -EAGAIN;
}

/* Does somebody listen who is not a monitor that was killed? The kernel remembers who began to; the
 * responders still have its socket, and another process may have its number. */
static bool is_anothers(const char *path)
{
	struct peer peer = { 0 };
	auto_close int fd = -1;
	int r = fd_connect_unix(path, &fd);

	return r == -EAGAIN ||
	       (r == 0 && fd_peer(fd, &peer) == 0 && peer.pid > 0 &&
	        (kill(peer.pid, 0) == 0 || errno == EPERM) && holder_is(peer.pid, path));
}

/* A test's, in which nothing has its place. */
static bool is_own_tree(const struct monitor_paths *paths)
{
	return paths->conf_dir || paths->cache_dir;
}

static int open_socket(struct responder *responder)
{
	const struct monitor_paths *paths = &responder->activate->monitor->paths;
	const struct row *row = responder->row;
	int r;

	if (row->path && !is_own_tree(paths))
		responder->path = talloc_strdup(responder->activate, row->path);
	else
		responder->path =
			talloc_asprintf(responder->activate, "%s/%s", paths->pipes_dir, row->name);
	if (!responder->path)
		return -ENOMEM;
	if (row->shared && alone_has_systemd() && !is_own_tree(paths))
		return 0; /* its sockets need no monitor */
	if (row->shared && is_anothers(responder->path)) {
		log_notice("%s: somebody listens there already, so this is left to them",
		           responder->path);
		return 0;
	}
	if (alone_has_systemd() && somebody_listens(responder->path)) {
		log_warn("%s: somebody listens there already, so this is left to them",
		         responder->path);
		return 0;
	}
	r = listen_at(responder->path, row->mode, &responder->fd, &responder->bound);
	if (r < 0)
		log_fatal("%s: %s", responder->path, error_text(r));
	return r;
}

/* Who has put another file there since listens at that one. */
static void close_socket(struct responder *responder)
{
	struct stat now;

	if (responder->fd < 0)
		return;
	if (lstat(responder->path, &now) == 0 && now.st_ino == responder->bound.st_ino &&
	    now.st_dev == responder->bound.st_dev)
		unlink(responder->path);
	close(responder->fd);
	responder->fd = -1;
}

static int activate_free(struct activate *activate)
{
	for (size_t i = 0; i < str_size(rows); i++) {
		TALLOC_FREE(activate->responders[i].watch);
		close_socket(&activate->responders[i]);
	}
	return 0;
}

int activate_new(TALLOC_CTX *mem, struct monitor *monitor, struct activate **ret_activate)
{
	auto_talloc struct activate *activate = talloc_zero(mem, struct activate);
	int r;

	if (!activate)
		return -ENOMEM;
	activate->monitor = monitor;
	for (size_t i = 0; i < str_size(rows); i++)
		activate->responders[i] = (struct responder){ activate, &rows[i], -1 };
	talloc_set_destructor(activate, activate_free);

	for (size_t i = 0; i < str_size(rows); i++) {
		r = open_socket(&activate->responders[i]);
		if (r < 0)
			return r;
	}
	*ret_activate = take_ptr(activate);
	return 0;
}

/* ---- one responder ---- */

static bool is_named(const struct responder *responder)
{
	return str_list_contains(conf_services(responder->activate->monitor->conf),
	                         responder->row->name);
}

/* Does it run without being asked? */
static bool is_wanted(const struct responder *responder)
{
	const struct row *row = responder->row;

	return is_named(responder) ||
	       (row->due && !is_own_tree(&responder->activate->monitor->paths) &&
	        access(row->due, F_OK) == 0);
}

static void connection_waits(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                             void *data)
{
	(void)ev;
	(void)fde;
	(void)flags;
	start(data);
}

static void wait_is_over(void *data);

static void wait_first(struct responder *responder)
{
	struct activate *activate = responder->activate;
	int64_t wait_ms = backoff_ended(&responder->backoff, monotonic_us());

	responder->wait =
		timer_once(activate, activate->monitor->ev, wait_ms, wait_is_over, responder);
	if (!responder->wait)
		log_error("%s: no memory to start it again", responder->row->name);
}

static void watch(struct responder *responder)
{
	struct activate *activate = responder->activate;

	if (activate->stopping || responder->fd < 0 || responder->child || responder->wait)
		return;
	TALLOC_FREE(responder->watch);
	if (is_wanted(responder)) {
		start(responder);
		return;
	}
	responder->watch = tevent_add_fd(activate->monitor->ev, activate, responder->fd,
	                                 TEVENT_FD_READ, connection_waits, responder);
	if (!responder->watch)
		wait_first(responder);
}

static void wait_is_over(void *data)
{
	struct responder *responder = data;

	responder->wait = NULL; /* freed by its firing */
	watch(responder);
}

static void ended(struct child *child, int status, void *data)
{
	struct responder *responder = data;
	struct monitor *monitor = responder->activate->monitor;

	(void)child;
	responder->child = NULL;
	monitor_changed(monitor);
	if (responder->activate->stopping)
		return;

	/* Wanted and gone within no time, again and again: the back-off is for these as well. */
	if (status == 0 && !is_wanted(responder)) {
		watch(responder);
		return;
	}
	if (status != 0)
		log_error("%s ended (wait status 0x%x)", responder->row->program, (unsigned)status);
	if (backoff_is_kill(status))
		backoff_forgive(&responder->backoff);
	wait_first(responder);
}

/* child_start() hands our environment down. */
static int start_child(struct responder *responder, char *argv[])
{
	const char *name = responder->row->variable;
	struct activate *activate = responder->activate;
	bool set = name && !getenv(name);
	int r;

	if (set && setenv(name, responder->row->value, true) < 0)
		return -errno;
	r = child_start(activate, activate->monitor->ev, argv, NULL, &responder->fd, 1, ended,
	                responder, &responder->child);
	if (set)
		unsetenv(name);
	return r;
}

static void start(struct responder *responder)
{
	struct monitor *monitor = responder->activate->monitor;
	auto_talloc char *socket = talloc_asprintf(NULL, "%s=3", responder->row->name);
	const char *args[] = { "--fd", socket, NULL };
	auto_talloc char **argv = monitor_child_argv(NULL, monitor, responder->row->program, args);
	int r;

	TALLOC_FREE(responder->watch);
	backoff_started(&responder->backoff, monotonic_us());
	r = socket && argv ? start_child(responder, argv) : -ENOMEM;
	if (r < 0) {
		log_error("%s cannot be started: %s", responder->row->program, error_text(r));
		wait_first(responder);
	}
}

/* ---- all of them ---- */

void activate_follow(struct activate *activate)
{
	for (size_t i = 0; i < str_size(rows); i++)
		watch(&activate->responders[i]);
}

bool activate_is_orphan(struct activate *activate, const char *name, pid_t pid)
{
	for (size_t i = 0; i < str_size(rows); i++) {
		struct responder *responder = &activate->responders[i];

		if (strcmp(rows[i].name, name) == 0)
			return responder->fd >= 0 &&
			       !(responder->child && child_pid(responder->child) == pid);
	}
	return false;
}

bool activate_end(struct activate *activate, pid_t pid)
{
	for (size_t i = 0; i < str_size(rows); i++) {
		struct child *child = activate->responders[i].child;

		if (child && child_pid(child) == pid) {
			child_stop(child, HUNG_GRACE_MS);
			return true;
		}
	}
	return false;
}

void activate_stop(struct activate *activate, int64_t grace_ms)
{
	activate->stopping = true;
	for (size_t i = 0; i < str_size(rows); i++) {
		struct responder *responder = &activate->responders[i];

		TALLOC_FREE(responder->watch);
		TALLOC_FREE(responder->wait);
		close_socket(responder);
		if (responder->child)
			child_stop(responder->child, grace_ms);
	}
}

bool activate_stopped(struct activate *activate)
{
	for (size_t i = 0; i < str_size(rows); i++)
		if (activate->responders[i].child)
			return false;
	return true;
}
