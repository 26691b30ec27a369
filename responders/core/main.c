/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Responder core - the life of a responder
 *
 *   resp_main ─ sockets, privileges, configuration ─▶ READY ─▶ loop ─┬ idle long enough ─┐
 *                                                                    └ TERM, "drain" ────┴▶
 * core_drain ─▶ exit 0
 *
 * The end loses no request (design §2 "Idle exit"; spec/systemd-notes.md §8): stop accepting, what
 * waits in the backlog stays with its owner and starts us again; SHUT_RD on every connection, so
 * that a client's next send fails and it repeats; answer what had arrived; exit.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/account.h"
#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/signals.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "common/conf/conf.h"
#include "common/event/listen.h"
#include "common/sbus/sbus.h"
#include "common/wire/memcache.h"
#include "responders/core/confwatch.h"
#include "responders/core/core.h"

#define GREETING_GRACE_MS   200
#define DRAIN_UNREAD_MS     1000 /* others wait for our successor meanwhile */
#define DRAIN_MIN_MS        6000 /* a request's usual budget and a bit */
#define DRAIN_MORE_MS       1000
#define DRAIN_MAX_MS        14000
#define NEGATIVE_MAX        8192 /* a few MiB of the longest names */
#define ACCEPT_REST_MS      100
#define FDS_RESERVED        32
#define UNTOLD_MS           15000 /* longer than a monitor waits for its backends */
#define NO_ACCOUNT_QUIET_MS 1000 /* without our user there is nothing to do here */

struct arguments {
	struct listen_fd sockets[RESP_SOCKETS_MAX];
	size_t n_sockets;
	const char *debug_level, *logger;
	struct resp_paths paths;
	int64_t idle_exit_ms;
};

/* ---- the end ---- */

void core_client_left(struct core *core)
{
	if (!core->draining || core->n_clients > 0)
		return;
	/* No STOPPING=1: systemd would call us "deactivating" until our process is gone. A
	 * restart of the socket in that moment leaves such a service alone, then finds it in
	 * the way ("Socket service already active, refusing") and fails. */
	daemon_stop(core->daemon, EXIT_SUCCESS);
}

static void drain_unserved(void *data)
{
	struct core *core = data;
	struct client *client;

	list_for_each(client, &core->clients, node)
		if (!client->busy)
			client_half_close(client);
}

static void drain_unread(void *data)
{
	struct core *core = data;
	struct client *client;

	list_for_each(client, &core->clients, node)
		if (client->sending)
			client_free(client);
}

static void drain_is_over(void *data)
{
	struct core *core = data;

	log_warn("%zu clients did not let us go in time", core->n_clients);
	daemon_stop(core->daemon, EXIT_SUCCESS);
}

/* As long as a lookup may take, within what the unit allows (TimeoutStopSec=). */
static int64_t drain_max_ms(const struct core *core)
{
	int64_t budget_ms = core->setup->service.request_timeout_ms;

	if (budget_ms + DRAIN_MORE_MS < DRAIN_MIN_MS)
		return DRAIN_MIN_MS;
	return budget_ms + DRAIN_MORE_MS < DRAIN_MAX_MS ? budget_ms + DRAIN_MORE_MS : DRAIN_MAX_MS;
}

void core_drain(struct core *core)
{
	struct client *client;

	if (core->draining)
		return;
	core->draining = true;
	for (size_t i = 0; i < core->n_listeners; i++)
		TALLOC_FREE(core->listeners[i].fde);

	/* A client that was answered once repeats what it cannot send. One in its handshake does
	 * not, so it has a moment to get through to the end of its first question; Debian's would
	 * even stand still for 300 s if we hung up with our part of the handshake unread (it polls
	 * a descriptor it has just closed). A busy one follows when it has its answer. */
	list_for_each(client, &core->clients, node)
		if (client->served && !client->busy)
			client_half_close(client);
	if (!timer_once(core, core->ev, GREETING_GRACE_MS, drain_unserved, core) ||
	    !timer_once(core, core->ev, DRAIN_UNREAD_MS, drain_unread, core) ||
	    !timer_once(core, core->ev, drain_max_ms(core), drain_is_over, core))
		drain_unserved(core);
	core_client_left(core);
}

static void terminate(void *data)
{
	core_drain(data);
}

/* ---- idleness ---- */

static int64_t idle_limit_ms(const struct core *core)
{
	if (core->idle_exit_ms >= 0)
		return core->idle_exit_ms;
	if (core->setup->kept_running)
		return 0;
	return (int64_t)core->setup->service.responder_idle_timeout_s * 1000;
}

static void watch_idleness(struct core *core);

static void maybe_idle(void *data)
{
	struct core *core = data;
	int64_t now_us = monotonic_us();
	int64_t quiet_ms;
	struct client *client;

	core->idle_timer = NULL;
	list_for_each(client, &core->clients, node)
		if (client->busy || list_is_open(client))
			core->last_request_us = now_us;
	if (core->resp->service && core->resp->service->stays(core->service))
		core->last_request_us = now_us;
	quiet_ms = (now_us - core->last_request_us) / 1000;
	if (idle_limit_ms(core) > 0 && quiet_ms >= idle_limit_ms(core)) {
		log_debug("idle for %lld ms", (long long)quiet_ms);
		core->left_idle = !core->draining;
		core_drain(core);
		return;
	}
	watch_idleness(core);
}

static void watch_idleness(struct core *core)
{
	int64_t limit_ms = idle_limit_ms(core);
	int64_t quiet_ms = (monotonic_us() - core->last_request_us) / 1000;

	TALLOC_FREE(core->idle_timer);
	if (limit_ms == 0 || core->draining)
		return;
	core->idle_timer = timer_once(core, core->ev, limit_ms > quiet_ms ? limit_ms - quiet_ms : 1,
	                              maybe_idle, core);
}

/* ---- configuration ---- */

static void tune(struct core *core)
{
	uint32_t mask;

	core->lookups.negative_timeout_s = 15;
	core->lookups.local_negative_timeout_s = 14400;
	core->lookups.nowait_percent = 50;
	if (core->resp->tune)
		core->resp->tune(core->setup->conf, &core->lookups);
	if (!core->debug_level &&
	    log_mask_of(core->setup->common.debug_level ? core->setup->common.debug_level : "",
	                &mask) < 0)
		mask = LOG_DEFAULT_MASK;
	if (!core->debug_level)
		log_set_mask(mask);
	log_set_timestamps(core->setup->common.debug_timestamps);
	log_set_microseconds(core->setup->common.debug_microseconds);
}

void core_clear_memory(struct core *core)
{
	if (core->memory)
		core->resp->memory->clear(core->memory);
}

void core_clear_negative(struct core *core)
{
	negative_clear(core->lookups.negative);
	if (core->memory)
		core->resp->memory->forget_unknown(core->memory);
}

static void hang_up(void *data)
{
	core_clear_memory(data);
}

/* fd_limit, within the hard limit. Some are kept for the cache, the backends and the monitor: they
 * may have to be opened again at any time. */
static void limit_descriptors(struct core *core)
{
	struct rlimit limit = { 0 };
	rlim_t wanted = core->setup->service.fd_limit;

	if (wanted < 2 * FDS_RESERVED)
		wanted = 2 * FDS_RESERVED;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	core->clients_max =
		limit.rlim_cur > 2 * FDS_RESERVED ? limit.rlim_cur - FDS_RESERVED : FDS_RESERVED;
}

/* What the service manager shows. NULL without memory. */
static char *status_text(struct core *core)
{
	size_t n = core->setup->n_domains;

	return core->resp->service
	               ? talloc_strdup(core, "Serving")
	               : talloc_asprintf(core, "Serving %zu %s", n, n == 1 ? "domain" : "domains");
}

bool core_reload(struct core *core)
{
	auto_talloc char *status = NULL;
	const char *restarts;
	struct setup *setup;

	TALLOC_FREE(core->untold);
	if (setup_load(core, core->resp, &core->paths, core->stores, &setup) < 0)
		return false; /* no memory: the one we have stays in force */
	/* The same one; or it is gone (somebody tidied up), and the one we have stays in force. */
	if (setup->generation == core->setup->generation || setup->generation == 0) {
		setup_unpin(setup);
		return false;
	}
	log_notice("configuration %llu in force", (unsigned long long)setup->generation);
	restarts = setup_restarts(core->resp, core->setup, setup);
	setup_unpin(core->setup);
	core->setup = setup;
	negative_clear(core->lookups.negative);
	tune(core);
	if (core->resp->service)
		core->resp->service->reload(core->service, core->setup->conf);
	if (core->memory)
		core->resp->memory->configure(core->memory, core->setup);
	watch_idleness(core);
	status = status_text(core);
	if (status)
		daemon_status(core->daemon, "%s", status);
	if (restarts) {
		log_notice("%s changed: ending, so that the next process begins with it", restarts);
		core_drain(core);
	}
	return true;
}

static void untold(void *data)
{
	struct core *core = data;

	if (core_reload(core))
		log_warn("the monitor has not told of the new configuration, it is taken all the "
		         "same");
}

/* This is how we hear of a new configuration without a monitor. With one it is too early: a domain
 * may be in it whose backend has yet to be started, and to ask that one would be an error where
 * "not found" is the answer. So the monitor has the first word. */
static void compiled(void *data)
{
	struct core *core = data;

	if (monitor_client_is_known(core->monitor)) {
		if (!core->untold)
			core->untold = timer_once(core, core->ev, UNTOLD_MS, untold, core);
		if (core->untold)
			return;
	}
	core_reload(core);
}

static void watch_configuration(struct core *core)
{
	struct confwatch *watch;
	int r;

	r = confwatch_new(core, core->ev, core->paths.conf_dir, core->resp->name, compiled, core,
	                  &watch);
	if (r < 0)
		log_warn("of new configurations only a monitor can tell: %s", error_text(r));
}

/* ---- sockets ---- */

static void listen_again(void *data)
{
	struct listener *listener = data;

	if (listener->fde)
		tevent_fd_set_flags(listener->fde, TEVENT_FD_READ);
}

static void somebody_comes(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags,
                           void *data)
{
	struct listener *listener = data;
	bool exhausted;

	(void)flags;
	client_accept(listener->core, listener->fd, &exhausted);
	if (exhausted && timer_once(listener->core, ev, ACCEPT_REST_MS, listen_again, listener))
		tevent_fd_set_flags(fde, 0);
}

static int start_listening(struct core *core, const struct arguments *args)
{
	for (size_t i = 0; i < args->n_sockets; i++) {
		struct listener *listener = &core->listeners[core->n_listeners++];

		listener->core = core;
		listener->fd = args->sockets[i].fd;
		listener->fde = tevent_add_fd(core->ev, core, listener->fd, TEVENT_FD_READ,
		                              somebody_comes, listener);
		if (!listener->fde)
			return -ENOMEM;
	}
	return 0;
}

/* ---- the beginning ---- */

static void usage(FILE *out, const char *program)
{
	fprintf(out,
	        "Usage: %s [OPTION…]\n"
	        "Answers on the sockets a service manager passes (sd_listen_fds(3)), or on:\n"
	        "  --fd [NAME=]NUMBER      a listening socket this process inherited\n"
	        "  --debug-level LEVEL     as debug_level in sssd.conf(5)\n"
	        "  --logger TARGET         stderr, files or journald\n",
	        program);
}

/* Exit status when the program must not go on, else -1. */
static int read_arguments(int argc, char *argv[], struct arguments *args)
{
	enum {
		FD = 256,
		DEBUG,
		LOGGER,
		IDLE,
		CONF_DIR,
		CACHE_DIR_,
		RUN_DIR,
		SECRETS_DIR_,
		MC_DIR,
		ACTIVATED,
	};
	static const struct option options[] = {
		{ "fd", required_argument, NULL, FD },
		{ "debug-level", required_argument, NULL, DEBUG },
		{ "logger", required_argument, NULL, LOGGER },
		{ "socket-activated", no_argument, NULL, ACTIVATED },
		{ "idle-exit-ms", required_argument, NULL, IDLE },
		{ "conf-dir", required_argument, NULL, CONF_DIR },
		{ "cache-dir", required_argument, NULL, CACHE_DIR_ },
		{ "run-dir", required_argument, NULL, RUN_DIR },
		{ "secrets-dir", required_argument, NULL, SECRETS_DIR_ },
		{ "mc-dir", required_argument, NULL, MC_DIR },
		{ "help", no_argument, NULL, 'h' },
		{ NULL },
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case FD:
			if (args->n_sockets == RESP_SOCKETS_MAX ||
			    listen_argument(optarg, &args->sockets[args->n_sockets]) < 0) {
				fprintf(stderr, "%s: --fd %s: not a listening socket\n", argv[0],
				        optarg);
				return EXIT_FAILURE;
			}
			args->n_sockets++;
			break;
		case DEBUG:
			args->debug_level = optarg;
			break;
		case LOGGER:
			args->logger = optarg;
			break;
		case IDLE:
			if (str_to_i64(optarg, &args->idle_exit_ms) < 0) {
				fprintf(stderr, "%s: --idle-exit-ms %s: not a number\n", argv[0],
				        optarg);
				return EXIT_FAILURE;
			}
			break;
		case CONF_DIR:
			args->paths.conf_dir = optarg;
			break;
		case CACHE_DIR_:
			args->paths.cache_dir = optarg;
			break;
		case RUN_DIR:
			args->paths.run_dir = optarg;
			break;
		case SECRETS_DIR_:
			args->paths.secrets_dir = optarg;
			break;
		case MC_DIR:
			args->paths.mc_dir = optarg;
			break;
		case ACTIVATED:
			break; /* what upstream's units pass; it is always so */
		case 'h':
			usage(stdout, argv[0]);
			return EXIT_SUCCESS;
		default:
			usage(stderr, argv[0]);
			return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		usage(stderr, argv[0]);
		return EXIT_FAILURE;
	}
	return -1;
}

/* Before the first byte of anybody is read. ret_known: false when the service user does not exist
 * (yet): we are nobody then, and what we may not read is not there. */
static int drop_privileges(bool *ret_known)
{
	uid_t uid = ACCOUNT_NOBODY;
	gid_t gid = ACCOUNT_NOBODY;

	*ret_known = account_find(NULL, ACCOUNT_SERVICE, &uid, &gid) == 0;
	return account_become(uid, gid);
}

static void forbid_core_dump(void)
{
	int r = daemon_forbid_core_dump();

	if (r < 0)
		log_warn("core dumps cannot be switched off: %s", error_text(r));
}

static int core_start(struct core *core, const struct arguments *args)
{
	const struct resp_cmd *cmd;
	int r;

	list_init(&core->clients);
	for (cmd = core->resp->cmds; cmd && cmd->opcode; cmd++)
		core->by_opcode[cmd->opcode] = cmd;

	core->ev = daemon_events(core->daemon);
	r = metrics_start(core->paths.run_dir, core->resp->name,
	                  core->resp->service ? METRICS_TICKETS : METRICS_LOOKUPS);
	if (r < 0)
		log_info("metrics are counted in memory only: %s", error_text(r));
	core->turn = tevent_create_immediate(core);
	core->callers = callers_new(core);
	core->stores = stores_new(core, core->ev, &core->paths);
	core->lookups.ev = core->ev;
	core->lookups.resp = core->resp;
	core->lookups.negative = negative_new(core, NEGATIVE_MAX);
	core->lookups.locals = locals_new(core, core->ev, "/etc/passwd", "/etc/group");
	if (!core->turn || !core->callers || !core->stores || !core->lookups.negative ||
	    !core->lookups.locals)
		return -ENOMEM;
	r = clients_start(core);
	if (r < 0)
		return r;

	r = setup_load(core, core->resp, &core->paths, core->stores, &core->setup);
	if (r < 0)
		return r;
	tune(core);
	limit_descriptors(core);
	if (core->resp->secretive && !core->setup->sssd.core_dumpable)
		forbid_core_dump();
	watch_configuration(core);
	if (core->resp->memory) {
		core->memory = core->resp->memory->new(core, core->ev, &core->paths);
		if (!core->memory)
			return -ENOMEM;
		core->resp->memory->configure(core->memory, core->setup);
	}

	if (core->resp->service)
		r = core->resp->service->start(core, core->ev, &core->paths, core->setup->conf,
		                               &core->service);
	if (r < 0)
		return r;

	core->monitor = monitor_client_new(core);
	core->last_request_us = monotonic_us();
	watch_idleness(core);
	return core->monitor ? start_listening(core, args) : -ENOMEM;
}

/* systemd-sysusers makes it while the host boots, and is one of those who ask us. As nobody we can
 * not become anybody else: the next one will. */
static void look_for_account(void *data)
{
	uid_t uid;
	gid_t gid;

	if (account_find(NULL, ACCOUNT_SERVICE, &uid, &gid) == 0)
		core_drain(data);
}

static int run(const struct resp *resp, const struct arguments *args)
{
	auto_talloc struct core *core = talloc_zero(NULL, struct core);
	struct daemon_hooks hooks = { .terminate = terminate, .hangup = hang_up };
	char *name = talloc_asprintf(core, "sssd_%s", resp->name);
	struct daemon_args daemon = { .name = name,
		                      .debug_level = args->debug_level,
		                      .logger = args->logger };
	bool account_known = true;
	char *status;
	int r;

	if (!core || !name)
		return EXIT_FAILURE;
	core->resp = resp;
	core->paths = args->paths;
	core->idle_exit_ms = args->idle_exit_ms;
	core->debug_level = args->debug_level;

	if (resp->drops_privileges && geteuid() == 0) {
		r = drop_privileges(&account_known);
		if (r < 0) {
			fprintf(stderr, "%s: cannot drop privileges: %s\n", name, error_text(r));
			return EXIT_FAILURE;
		}
		if (!account_known)
			core->idle_exit_ms = NO_ACCOUNT_QUIET_MS;
	}

	cache_watch_crashes();
	r = daemon_start(core, &daemon, &hooks, core, &core->daemon);
	if (r == 0)
		r = core_start(core, args);
	if (r < 0) {
		log_fatal("cannot start: %s", error_text(r));
		return EXIT_FAILURE;
	}
	if (!account_known) {
		log_warn("there is no user " ACCOUNT_SERVICE
		         " in /etc/passwd: nothing can be looked up");
		if (!timer_every(core, core->ev, NO_ACCOUNT_QUIET_MS, 0, look_for_account, core))
			return EXIT_FAILURE;
	}

	status = status_text(core);
	daemon_ready(core->daemon, "%s", status ? status : "");
	r = daemon_run(core->daemon);
	metrics_count(core->left_idle ? METRICS_IDLE_EXITS : METRICS_STOPS);

	/* Before the setups that their lookups pin. */
	while (!list_empty(&core->clients))
		talloc_free(list_item(core->clients.next, struct client, node));
	return r;
}

int resp_main(const struct resp *resp, int argc, char *argv[])
{
	struct arguments args = {
		.paths = { CONF_COMPILED_DIR, CACHE_DIR, SBUS_DIR, SECRETS_DIR, MEMCACHE_DIR },
		.idle_exit_ms = -1,
	};
	int r;

	signals_calm();
	r = read_arguments(argc, argv, &args);
	if (r >= 0)
		return r;

	r = listen_inherited(args.sockets + args.n_sockets, RESP_SOCKETS_MAX - args.n_sockets);
	if (r > 0)
		args.n_sockets += (size_t)r;
	if (args.n_sockets == 0) {
		fprintf(stderr, "%s: no socket was passed: start sssd-%s.socket, or see --help\n",
		        argv[0], resp->name);
		return EXIT_FAILURE;
	}
	return run(resp, &args);
}
