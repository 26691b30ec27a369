/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssd - the monitor: starts the backends, keeps the register, passes on what concerns all
 *
 *   main ─ (alone: lock, directories, sssd_conf, sockets, uid) ─▶ configuration ─▶ bus ─▶ backends
 *        ─ all registered, or 2 s ─▶ READY ─▶ loop ─ TERM ─▶ drain, TERM, 7 s, KILL ─▶ exit 0
 *
 * It is in nobody's data path: kill it and lookups go on. So it is slim, and READY does not wait
 * for any server.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/journal.h"
#include "common/base/mem.h"
#include "common/base/signals.h"
#include "common/base/str.h"
#include "common/event/pathwatch.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"
#include "monitor/activate.h"
#include "monitor/alone.h"
#include "monitor/arguments.h"
#include "monitor/backends.h"
#include "monitor/background.h"
#include "monitor/control.h"
#include "monitor/dirs.h"
#include "monitor/forget.h"
#include "monitor/loss.h"
#include "monitor/memcache.h"
#include "monitor/network.h"
#include "monitor/pidfile.h"
#include "monitor/ping.h"

#define READY_MS      2000
#define STOP_GRACE_MS (DAEMON_DRAIN_MS + 2000)
#define COMPILED_MS   500  /* after a new compiled file; sssctl reload is faster */
#define LOST_MS       1000 /* after what looks like a loss: it may be a replacement */
#define FORGET_MS     (24 * 3600 * 1000)
#define CACHE_DIR     "/var/lib/sss/db" /* common/cache is no library of ours */
#define RESOLV_CONF   "/etc/resolv.conf"
#define LOOK_MS       5000 /* at it, without inotify */

/* ---- what children are told ---- */

static void append(char **argv, unsigned *n, const char *option, const char *value)
{
	if (!value)
		return;
	argv[*n] = talloc_asprintf(argv, "%s=%s", option, value);
	if (argv[*n])
		++*n;
}

char **monitor_child_argv(TALLOC_CTX *mem, const struct monitor *monitor, const char *program,
                          const char *const *args)
{
	const struct monitor_paths *paths = &monitor->paths;
	char **argv = talloc_zero_array(mem, char *, 16);
	unsigned n = 0;

	if (!argv)
		return NULL;
	argv[n++] = talloc_asprintf(argv, "%s/%s", paths->libexec, program);
	while (*args)
		argv[n++] = talloc_strdup(argv, *args++);
	append(argv, &n, "--debug-level", monitor->debug_level);
	append(argv, &n, "--logger", monitor->logger);
	append(argv, &n, "--conf-dir", paths->conf_dir);
	append(argv, &n, "--cache-dir", paths->cache_dir);
	append(argv, &n, "--run-dir",
	       strcmp(paths->run_dir, SBUS_DIR) != 0 ? paths->run_dir : NULL);
	return argv;
}

/* ---- configuration ---- */

static void log_problem(const struct conf_problem *problem, int r)
{
	log_error("[sssd]: %s", r == -E_CONFIG && problem->text ? problem->text : error_text(r));
}

static void apply_debug_level(const struct monitor *monitor, const struct common_conf *common)
{
	uint32_t mask = LOG_DEFAULT_MASK;

	if (!monitor->debug_level &&
	    (!common->debug_level || log_mask_of(common->debug_level, &mask) == 0))
		log_set_mask(mask);
	log_set_timestamps(common->debug_timestamps);
	log_set_microseconds(common->debug_microseconds || monitor->microseconds);
}

static int watch_network(struct monitor *monitor);

/* Are they of one opinion about what watch_network() watches? */
static bool watch_alike(const struct sssd_conf *a, const struct sssd_conf *b)
{
	return a->monitor_resolv_conf == b->monitor_resolv_conf &&
	       a->try_inotify == b->try_inotify && a->disable_netlink == b->disable_netlink;
}

int monitor_load(struct monitor *monitor)
{
	auto_talloc struct conf *conf = NULL;
	struct conf_problem problem = { 0 };
	struct common_conf common;
	struct sssd_conf options;
	bool is_alike;
	int r;

	r = conf_load(monitor, monitor->paths.conf_dir, "sssd", &conf);
	if (r < 0)
		return r;
	r = conf_read(conf, conf, "sssd", sssd_opts, &options, &problem);
	if (r == 0)
		r = conf_read(conf, conf, "sssd", common_opts, &common, &problem);
	if (r < 0) {
		log_problem(&problem, r);
		return r;
	}
	apply_debug_level(monitor, &common);
	for (const char *const *name = conf_names(conf, "refused"); name && *name; name++)
		log_error("domain %s does not start: %s", *name,
		          conf_get(conf, "refused", *name)->text);

	talloc_free(monitor->conf);
	monitor->conf = take_ptr(conf);
	is_alike = watch_alike(&monitor->options, &options);
	monitor->options = options;
	memcache_settle(monitor);
	if (monitor->network && !is_alike && watch_network(monitor) < 0)
		log_error("what is watched of the network stays as it was: no memory");
	return 0;
}

/* sssd_conf ran without anybody telling us. */
static void compiled_changed(void *data)
{
	struct monitor *monitor = data;
	auto_talloc struct conf *conf = NULL;

	if (monitor->stopping || conf_load(NULL, monitor->paths.conf_dir, "sssd", &conf) < 0 ||
	    conf_generation(conf) == conf_generation(monitor->conf))
		return;
	if (control_reload(monitor->control) < 0)
		log_error("the new configuration cannot be used, the old one stays");
}

/* ---- STATUS=, READY=1, the end: looked at whenever something changed ---- */

static void add_state(const char *domain, const char *state, void *data)
{
	char **text = data;

	if (*text)
		*text = talloc_asprintf_append_buffer(*text, "%s%s: %s", **text ? "; " : "", domain,
		                                      state);
}

/* "LDAP: online since …; B: offline since …". NULL without memory. */
static char *status_text(struct monitor *monitor)
{
	const char *const *refused = conf_names(monitor->conf, "refused");
	char *text = talloc_strdup(monitor, "");

	backends_each(monitor->backends, add_state, &text);
	for (; refused && *refused && text; refused++) {
		auto_talloc char *state =
			talloc_asprintf(NULL, "does not start: %s",
		                        conf_get(monitor->conf, "refused", *refused)->text);

		if (state)
			add_state(*refused, state, &text);
	}
	return text;
}

static void show_status(struct monitor *monitor)
{
	auto_talloc char *text = status_text(monitor);

	if (text)
		daemon_status(monitor->daemon, "%s", text);
}

static void become_ready(void *data)
{
	struct monitor *monitor = data;
	auto_talloc char *text = NULL;

	if (monitor->ready || monitor->stopping)
		return;
	monitor->ready = true;
	text = status_text(monitor);
	daemon_ready(monitor->daemon, "%s", text ? text : "");
	if (monitor->background)
		background_ready(monitor->background);
	monitor->background = NULL;
}

static void look(struct tevent_context *ev, struct tevent_immediate *im, void *data)
{
	struct monitor *monitor = data;

	(void)ev;
	(void)im;
	if (monitor->stopping) {
		if (backends_stopped(monitor->backends) &&
		    (!monitor->activate || activate_stopped(monitor->activate)))
			daemon_stop(monitor->daemon, monitor->exit_status);
		return;
	}
	backends_look(monitor->backends);
	control_look(monitor->control);
	if (!monitor->ready && backends_registered(monitor->backends))
		become_ready(monitor);
	else
		show_status(monitor);
}

void monitor_changed(struct monitor *monitor)
{
	tevent_schedule_immediate(monitor->look, monitor->ev, look, monitor);
}

static void registry_changed(void *data)
{
	monitor_changed(data);
}

/* ---- signals ---- */

static void terminate(void *data)
{
	struct monitor *monitor = data;

	if (monitor->stopping)
		return;
	monitor->stopping = true;
	daemon_stopping(monitor->daemon);
	control_tell(monitor->control, COMMAND_DRAIN);
	backends_stop(monitor->backends, STOP_GRACE_MS);
	if (monitor->activate)
		activate_stop(monitor->activate, STOP_GRACE_MS);
	monitor_changed(monitor);
}

static void lost(const char *path, void *data)
{
	struct monitor *monitor = data;

	if (monitor->stopping)
		return;
	log_warn("%s was removed: starting again, so that the unit's root steps restore what is "
	         "missing",
	         path);
	monitor->exit_status = EXIT_RESTORE;
	terminate(monitor);
}

static void hangup(void *data)
{
	struct monitor *monitor = data;

	memcache_clear(monitor);
	control_tell(monitor->control, COMMAND_HANGUP);
}

static void go_offline(void *data)
{
	struct monitor *monitor = data;

	control_tell(monitor->control, COMMAND_OFFLINE);
}

static void go_online(void *data)
{
	struct monitor *monitor = data;

	control_tell(monitor->control, COMMAND_ONLINE);
}

static void network_changed(void *data)
{
	struct monitor *monitor = data;

	control_tell(monitor->control, COMMAND_NETWORK);
}

static int watch_network(struct monitor *monitor)
{
	const struct sssd_conf *conf = &monitor->options;
	struct network_options options = {
		.netlink = !monitor->disable_netlink && !conf->disable_netlink,
		.resolv_conf = conf->monitor_resolv_conf ? RESOLV_CONF : NULL,
		.inotify = conf->try_inotify,
		.look_ms = LOOK_MS,
	};
	struct network *network =
		network_new(monitor, monitor->ev, &options, network_changed, monitor);

	if (!network)
		return -ENOMEM;
	talloc_free(monitor->network);
	monitor->network = network;
	return 0;
}

static const struct daemon_hooks hooks = {
	.terminate = terminate,
	.hangup = hangup,
	.offline = go_offline,
	.online = go_online,
};

/* ---- the start ---- */

static int load_first(struct monitor *monitor)
{
	int r = monitor_load(monitor);

	if (r < 0) {
		log_fatal("the compiled configuration (%s/sssd/current) cannot be used: %s",
		          monitor->paths.conf_dir ?: CONF_COMPILED_DIR, error_text(r));
		return EXIT_UNREADABLE;
	}
	if (!*conf_domains(monitor->conf)) {
		log_fatal("no domain can be started: none is enabled, or the configuration of all "
		          "is bad");
		return EXIT_CONFIG;
	}
	return 0;
}

/* 0, or the status to exit with. */
static int take_pidfile(struct monitor *monitor)
{
	auto_talloc char *path = talloc_asprintf(NULL, "%s/sssd.pid", monitor->paths.run_dir);
	struct pidfile *pidfile;
	int r = path ? pidfile_take(monitor, path, &pidfile) : -ENOMEM;
	uid_t uid;
	gid_t gid;

	if (r == -EEXIST) {
		log_fatal("SSSD is already running (%s)", path);
		return EXIT_RUNNING;
	}
	if (r < 0) {
		log_fatal("%s: %s", path, error_text(r));
		return EXIT_UNREADABLE;
	}
	if (geteuid() == 0 && account_find(NULL, ACCOUNT_SERVICE, &uid, &gid) == 0)
		pidfile_give(pidfile, uid, gid);
	return 0;
}

static int watch_compiled(struct monitor *monitor)
{
	auto_talloc char *path = talloc_asprintf(NULL, "%s/sssd/current",
	                                         monitor->paths.conf_dir ?: CONF_COMPILED_DIR);
	struct pathwatch *watch;

	return path ? pathwatch_new(monitor, monitor->ev, path, COMPILED_MS, compiled_changed,
	                            monitor, &watch)
	            : -ENOMEM;
}

/* What root made for us, and the sockets of the responders that are built. */
static int watch_tree(struct monitor *monitor)
{
	static const char *const sockets[] = { "/run/sss/pipes/nss" };
	const char *paths[32];
	struct loss *loss;
	size_t n = 0;

	/* Only under a service manager can anybody restore them for us. */
	if (monitor->owns_sockets || monitor->paths.conf_dir || monitor->paths.cache_dir)
		return 0;
	for (const struct dirs_item *item = dirs_items; item->path; item++)
		paths[n++] = item->path;
	for (size_t i = 0; i < str_size(sockets); i++)
		paths[n++] = sockets[i];
	assert(n < str_size(paths));
	paths[n] = NULL;
	return loss_new(monitor, monitor->ev, paths, LOST_MS, lost, monitor, &loss);
}

/* At the start and once a day, not at a reload: the backend of a domain that has just gone has yet
 * to close its file, which may be the first time in a long while that somebody writes to it. */
static void forget(void *data)
{
	const struct monitor *monitor = data;

	forget_gone(monitor->paths.cache_dir ?: CACHE_DIR,
	            (const char *const *)conf_domains(monitor->conf),
	            conf_names(monitor->conf, "refused"), walltime_now());
}

static int make_parts(struct monitor *monitor, const struct arguments *args)
{
	int r;

	monitor->look = tevent_create_immediate(monitor);
	monitor->registry = registry_new(monitor, registry_changed, monitor);
	monitor->backends = backends_new(monitor, monitor);
	monitor->ping = ping_new(monitor, monitor);
	if (!monitor->look || !monitor->registry || !monitor->backends || !monitor->ping ||
	    !timer_every(monitor, monitor->ev, FORGET_MS, 0, forget, monitor))
		return -ENOMEM;
	forget(monitor);
	r = control_new(monitor, monitor, &monitor->control);
	if (r < 0)
		return r;
	monitor->disable_netlink = args->disable_netlink;
	r = watch_network(monitor);
	if (r < 0)
		return r;
	r = watch_tree(monitor);
	if (r < 0)
		return r;
	r = watch_compiled(monitor);
	if (r < 0)
		log_warn("new compiled configurations are only noticed by sssctl reload: %s",
		         error_text(r));
	return 0;
}

/* What the root steps of the unit do under systemd. 0, or the status to exit with. */
static int prepare_alone(struct monitor *monitor, const struct arguments *args)
{
	int r;

	/* Who runs, or starts at the same moment, keeps its sockets. */
	alone_make_run_dir(&monitor->paths);
	r = take_pidfile(monitor);
	if (r > 0)
		return r;
	alone_make_dirs(&monitor->paths);
	r = alone_run_conf(&monitor->paths, "--write", args->config);
	if (r > 0)
		return r; /* it has told why */
	if (r < 0)
		fprintf(stderr, "sssd: %s/sssd_conf: %s\n", monitor->paths.libexec, error_text(r));
	if (r == 0)
		r = activate_new(monitor, monitor, &monitor->activate);
	if (r == 0)
		r = alone_drop();
	if (r < 0)
		fprintf(stderr, "sssd: cannot start: %s\n", error_text(r));
	return r == 0 ? 0 : r == -ENOMEM ? EXIT_NO_MEMORY : EXIT_UNREADABLE;
}

static int start_daemon(struct monitor *monitor)
{
	struct daemon_args args = { .name = "sssd",
		                    .debug_level = monitor->debug_level,
		                    .logger = monitor->logger };
	int r = daemon_start(monitor, &args, &hooks, monitor, &monitor->daemon);

	if (r < 0) {
		fprintf(stderr, "sssd: cannot start: %s\n", error_text(r));
		return r == -ENOMEM ? EXIT_NO_MEMORY : EXIT_UNREADABLE;
	}
	monitor->ev = daemon_events(monitor->daemon);
	r = metrics_start(monitor->paths.run_dir, "sssd", METRICS_MONITOR);
	if (r < 0)
		log_info("metrics are counted in memory only: %s", error_text(r));
	return 0;
}

/* Without stderr and journal there are files. */
static void detach(struct monitor *monitor)
{
	background_detach(monitor->logger && strcmp(monitor->logger, "stderr") == 0);
	if (monitor->logger || access(JOURNAL_SOCKET, F_OK) == 0)
		return;
	monitor->logger = "files";
	log_start("sssd", LOG_TO_FILE);
}

static int run(struct monitor *monitor, const struct arguments *args)
{
	int status = 0, r;

	if (monitor->owns_sockets)
		status = prepare_alone(monitor, args);
	if (status == 0)
		status = start_daemon(monitor);
	if (status == 0 && !monitor->owns_sockets)
		status = take_pidfile(monitor);
	if (status == 0)
		status = load_first(monitor);
	if (status != 0)
		return status;
	if (geteuid() == 0 && !monitor->owns_sockets)
		log_warn("running as root: the unit should say User=sssd");

	r = make_parts(monitor, args);
	if (r == 0 && !timer_once(monitor, monitor->ev, READY_MS, become_ready, monitor))
		r = -ENOMEM;
	if (r < 0) {
		log_fatal("cannot start: %s", error_text(r));
		return r == -ENOMEM ? EXIT_NO_MEMORY : EXIT_UNREADABLE;
	}
	if (monitor->background)
		detach(monitor);
	backends_follow(monitor->backends);
	if (monitor->activate)
		activate_follow(monitor->activate);
	status = daemon_run(monitor->daemon);
	metrics_count(METRICS_STOPS);

	/* What its connections hold looks at the other parts once more. */
	TALLOC_FREE(monitor->control);
	return status;
}

int main(int argc, char *argv[])
{
	auto_talloc struct monitor *monitor = talloc_zero(NULL, struct monitor);
	struct background background;
	struct arguments args;
	int r;

	signals_calm();
	if (!monitor)
		return EXIT_NO_MEMORY;
	r = arguments_read(argc, argv, &args);
	if (r >= 0)
		return r;
	if (args.check_only) {
		r = alone_run_conf(&args.paths, "--check", args.config);
		return r < 0 ? EXIT_UNREADABLE : r;
	}

	monitor->paths = args.paths;
	monitor->debug_level = args.debug_level;
	monitor->logger = args.logger;
	monitor->microseconds = args.microseconds;
	monitor->owns_sockets = !alone_is_supervised();
	if (args.config && !monitor->owns_sockets) {
		fprintf(stderr, "sssd: --config belongs to sssd_conf, in ExecStartPre= and "
		                "ExecReload= of the unit\n");
		return EXIT_CONFIG;
	}
	if (!args.interactive) {
		r = background_enter(&background);
		if (r < 0) {
			fprintf(stderr, "sssd: %s\n", error_text(r));
			return EXIT_UNREADABLE;
		}
		monitor->background = &background;
	}
	return run(monitor, &args);
}
