/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sssd_be - one process per domain: asks its servers, writes its cache
 *
 *   conf_load ─▶ provider ─▶ listen at sbus-dp_DOMAIN ─▶ (monitor) ─▶ open the cache ─▶ queue_open
 *
 * It listens before anything that may take time, so that a responder is told "offline" or waits
 * within its deadline, and never finds nobody there.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/core/memcache.h"
#include "backend/core/modules.h"
#include "backend/core/online.h"
#include "backend/core/pool.h"
#include "backend/core/provider.h"
#include "backend/core/queue.h"
#include "backend/core/refresh.h"
#include "backend/core/registration.h"
#include "backend/core/serve.h"
#include "backend/core/store.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/signals.h"
#include "common/event/daemon.h"
#include "common/event/timer.h"
#include "common/metrics/metrics.h"
#include "common/sbus/sbus.h"
#include "common/wire/memcache.h"

#define DRAIN_LOOK_MS 20

#define LARGE (1 << 20) /* bytes: what takes more is a mapping of its own */

struct arguments {
	const char *domain, *debug_level, *logger;
	const char *conf_dir, *run_dir, *cache_dir, *module_dir, *mc_dir;
	const char *check;
	bool suspect;
};

struct backend {
	struct arguments args;
	struct daemon *daemon;
	char *name; /* "%BE_LDAP" */
	struct conf *conf;
	struct domain_conf options;
	struct cache_options cache_options;
	struct provider_host host;
	const struct provider *provider; /* NULL when the configuration cannot be used */
	void *provider_data;
	struct queue *queue; /* NULL likewise */
	struct memcache *memcache;
	struct refresh *refresh; /* NULL: refresh_expired_interval = 0 */
	struct serve *serve;
	struct registration *registration;
	struct timer *drain; /* while draining */
	struct deadline drain_until;
};

/* ---- the state of the domain ---- */

static void probe(void *data)
{
	struct backend *be = data;

	if (be->provider)
		be->provider->probe(be->provider_data);
}

static void tell(struct backend *be, const char *text)
{
	daemon_status(be->daemon, "%s: %s", be->args.domain, text);
	if (be->registration)
		registration_report(be->registration, text);
}

static void state_changed(void *data)
{
	struct backend *be = data;
	const char *text = online_text(be->host.online);

	log_notice("domain %s: %s", be->args.domain, text);
	if (be->host.writer && online_state(be->host.online) == ONLINE_YES)
		cache_end_bereft(cache_writer_reader(be->host.writer));
	tell(be, text);
}

static const struct online_hooks online_hooks = { .probe = probe, .changed = state_changed };

/* ---- the end ---- */

static void drain_look(void *data)
{
	struct backend *be = data;

	if (be->queue && queue_length(be->queue) > 0 && !deadline_passed(be->drain_until)) {
		timer_again(be->drain, DRAIN_LOOK_MS);
		return;
	}
	daemon_stop(be->daemon, EXIT_SUCCESS);
}

static void drain(void *data)
{
	struct backend *be = data;

	if (be->drain)
		return;
	TALLOC_FREE(be->refresh); /* it would ask and ask */
	daemon_stopping(be->daemon);
	be->drain_until = deadline_in_ms(DAEMON_DRAIN_MS);
	be->drain = timer_every(be, be->host.ev, DRAIN_LOOK_MS, 0, drain_look, be);
	if (!be->drain)
		daemon_stop(be->daemon, EXIT_SUCCESS);
}

/* Not even what waits to be written is worth going through a damaged file once more. A new process
 * has it checked first; whoever asked asks that one. */
static void cache_damaged(void *data)
{
	struct backend *be = data;
	int r = cache_mark_suspect(&be->cache_options);

	if (r < 0)
		log_error("cache of %s: damaged, and cannot be marked so: %s", be->args.domain,
		          error_text(r));
	log_warn("cache of %s: found damaged: ending, so that a new process checks it",
	         be->args.domain);
	_exit(EXIT_SUCCESS);
}

static void list_servers(void *data, void (*each)(const struct server *server, void *data),
                         void *each_data)
{
	struct backend *be = data;

	if (be->provider)
		be->provider->servers(be->provider_data, each, each_data);
}

static const struct serve_hooks serve_hooks = {
	.cache_damaged = cache_damaged,
	.servers = list_servers,
};

/* ---- commands ---- */

static void reopen_logs(void *data)
{
	(void)data;
	log_reopen();
}

static void go_offline(void *data)
{
	struct backend *be = data;

	online_force_off(be->host.online);
	if (be->provider)
		be->provider->disconnect(be->provider_data);
}

static void go_online(void *data)
{
	struct backend *be = data;

	online_retry(be->host.online, true);
}

static void network_changed(void *data)
{
	struct backend *be = data;

	if (be->provider)
		be->provider->network_changed(be->provider_data);
	online_retry(be->host.online, false);
}

static void apply_debug_level(const struct backend *be, const struct conf *conf)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct common_conf common;
	struct conf_problem problem;
	uint32_t mask = LOG_DEFAULT_MASK;

	if (!mem || conf_read(conf, mem, be->host.section, common_opts, &common, &problem) < 0)
		return;
	if (!be->args.debug_level &&
	    (!common.debug_level || log_mask_of(common.debug_level, &mask) == 0))
		log_set_mask(mask);
	log_set_timestamps(common.debug_timestamps);
	log_set_microseconds(common.debug_microseconds);
}

/* We hold a bind password. Not PR_SET_DUMPABLE: it would hide us from the monitor, which looks at
 * /proc/PID/stat under ProtectProc=invisible. A limit of one byte stops the kernel from dumping to
 * files and to programs alike (core(5)); zero would not stop the latter. */
static void forbid_core_dump(struct backend *be)
{
	static const struct rlimit one_byte = { 1, 1 };
	struct conf_problem problem;
	struct sssd_conf sssd;

	if (conf_read(be->conf, be, "sssd", sssd_opts, &sssd, &problem) == 0 && sssd.core_dumpable)
		return;
	if (setrlimit(RLIMIT_CORE, &one_byte) < 0)
		log_warn("core dumps cannot be switched off: %s", error_text(-errno));
}

/* Do both say the same, apart from how much to log? */
static bool same_options(const struct conf *a, const struct conf *b)
{
	const char *const *section = conf_sections(a);

	for (; *section; section++)
		for (const char *const *name = conf_names(a, *section); *name; name++) {
			const struct conf_value *x = conf_get(a, *section, *name);
			const struct conf_value *y = conf_get(b, *section, *name);

			if (strcmp(*section, "compiled") == 0 ||
			    strncmp(*name, "debug", strlen("debug")) == 0)
				continue;
			if (!x != !y || (x && strcmp(x->text, y->text) != 0))
				return false;
		}
	return true;
}

/* The monitor's idea of the configuration. What changes how we talk to servers needs a new
 * process: connections, maps and search bases all come from it, and starting one takes less time
 * than a single question to a server. The cached answers do not notice. */
static bool generation(uint64_t generation_now, void *data)
{
	struct backend *be = data;
	struct conf *conf;
	char *process;
	int r;

	if (generation_now <= conf_generation(be->conf))
		return false;
	process = talloc_asprintf(be, CONF_BACKENDS "/%s", be->args.domain);
	r = process ? conf_load(be, be->args.conf_dir, process, &conf) : -ENOMEM;
	talloc_free(process);
	if (r < 0) {
		log_warn("the new configuration cannot be read (%s), the old one stays",
		         error_text(r));
		return false;
	}

	if (conf_generation(conf) == conf_generation(be->conf)) {
		talloc_free(conf); /* the news is of others */
		return false;
	}
	if (!same_options(be->conf, conf) || !same_options(conf, be->conf)) {
		log_notice("the configuration changed: ending, so that a new process takes over");
		drain(be);
		return true;
	}
	if (be->memcache)
		memcache_set_domains(be->memcache, conf);
	apply_debug_level(be, conf);

	/* The first snapshot stays: the structs made of it may point into it. */
	if (be->conf != be->host.conf)
		talloc_free(be->conf);
	be->conf = conf;
	return false;
}

static const struct registration_hooks registration_hooks = {
	.rotate_logs = reopen_logs,
	.go_offline = go_offline,
	.reset_offline = go_online,
	.network_changed = network_changed,
	.generation = generation,
	.drain = drain,
};

static const struct daemon_hooks daemon_hooks = {
	.terminate = drain,
	.offline = go_offline,
	.online = go_online,
};

/* ---- the start ---- */

static void cache_opened(struct tevent_req *req)
{
	struct backend *be = tevent_req_callback_data(req, struct backend);
	int r = store_open_recv(req, be, &be->host.writer);

	talloc_free(req);
	if (r < 0) {
		log_fatal("cache of %s: %s", be->args.domain, error_text(r));
		daemon_stop(be->daemon, EXIT_FAILURE);
		return;
	}
	/* Who is not enumerated for a while is not known in full afterwards. */
	if (!be->options.enumerate)
		cache_set_listed(be->host.writer, false);
	cache_on_change(be->host.writer, memcache_changed, be->memcache);
	queue_open(be->queue);

	/* Not only for the first question's sake: people want to know whether the domain works. */
	probe(be);
}

static uint32_t least_life_s(const struct domain_conf *options)
{
	uint32_t all_s = options->entry_cache_timeout_s;
	uint32_t users_s = opt_number_or(options->entry_cache_user_timeout_s, all_s);
	uint32_t groups_s = opt_number_or(options->entry_cache_group_timeout_s, all_s);

	return users_s < groups_s ? users_s : groups_s;
}

/* What is refreshed less often than it expires would not be refreshed in time. */
static int start_refresh(struct backend *be)
{
	uint32_t life_s = least_life_s(&be->options);
	uint32_t interval_s = be->options.refresh_expired_interval_s;
	uint32_t offset_s = be->options.refresh_expired_interval_offset_s;

	if (interval_s == 0)
		return 0;
	if (life_s == 0) {
		log_warn("[%s] refresh_expired_interval: nothing is refreshed where users or "
		         "groups live 0 s (entry_cache_timeout and those of its kind)",
		         be->host.section);
		return 0;
	}
	if ((uint64_t)interval_s + offset_s > life_s) {
		interval_s = (uint32_t)((uint64_t)life_s * 7 / 10);
		interval_s = interval_s ?: 1;
		offset_s = interval_s / 10;
		log_warn("[%s] refresh_expired_interval is longer than entries live: %u s, and up "
		         "to %u s more, are taken instead",
		         be->host.section, interval_s, offset_s);
	}
	be->refresh = refresh_new(be, &be->host, be->queue, interval_s, offset_s);
	return be->refresh ? 0 : -ENOMEM;
}

/* Makes the provider ready. -E_CONFIG: the line in the log has been written. */
static int start_provider(struct backend *be)
{
	struct conf_problem problem = { 0 };
	int r;

	r = conf_read(be->conf, be, be->host.section, domain_opts, &be->options, &problem);
	if (r == -E_CONFIG)
		log_error("%s", problem.text);
	if (r < 0)
		return r;
	be->cache_options = (struct cache_options){
		.dir = be->args.cache_dir ?: CACHE_DIR,
		.domain = be->args.domain,
		.names = be->options.case_sensitive == CASE_TRUE ? CACHE_CASE_SENSITIVE
		                                                 : CACHE_CASE_FOLDED,
		.max_size = (uint64_t)be->options.cache_max_size_mib << 20,
	};

	r = memcache_new(be, be->args.mc_dir ?: MEMCACHE_DIR, be->args.domain, be->conf,
	                 &be->options, &be->memcache);
	if (r < 0)
		return r;
	r = module_find(be->args.module_dir, be->options.id_provider, &be->provider);
	if (r < 0) {
		log_error("[%s] id_provider: %s is not built yet", be->host.section,
		          be->options.id_provider ?: "(unset)");
		return -E_CONFIG;
	}
	r = be->provider->start(be, &be->host, &be->provider_data);
	if (r < 0) {
		be->provider = NULL;
		return r;
	}
	be->queue = queue_new(be, be->host.ev, be->provider->ops, be->provider_data);
	return be->queue ? start_refresh(be) : -ENOMEM;
}

static int start(struct backend *be)
{
	struct online_times times;
	struct tevent_req *req;
	char *path;
	int r;

	/* The capped defaults do until the options are known. */
	be->host.pool = pool_new(be, be->host.ev);
	be->host.options = &be->options;
	be->host.online = online_new(be, be->host.ev, online_times(60, 0, 30), &online_hooks, be);
	if (!be->host.pool || !be->host.online)
		return -ENOMEM;

	r = start_provider(be);
	if (r < 0 && r != -E_CONFIG)
		return r;
	times = online_times(be->options.offline_timeout_s, be->options.offline_timeout_max_s,
	                     be->options.offline_timeout_random_offset_s);
	if (r == 0)
		online_set_times(be->host.online, times);

	path = sbus_backend_path(be, be->args.run_dir ?: SBUS_DIR, be->args.domain);
	if (!path)
		return -ENOMEM;
	r = serve_new(be, &be->host, path, be->queue, &serve_hooks, be, &be->serve);
	if (r < 0) {
		log_fatal("%s: %s", path, error_text(r));
		return r;
	}

	path = talloc_asprintf(be, "%s/sbus-monitor", be->args.run_dir ?: SBUS_DIR);
	if (!path)
		return -ENOMEM;
	r = registration_new(be, be->host.ev, path, be->name, &registration_hooks, be,
	                     &be->registration);
	if (r < 0)
		return r;

	if (!be->queue) {
		tell(be, "not usable: its configuration is not valid, see the log");
		return 0;
	}
	tell(be, online_text(be->host.online));

	if (be->args.suspect) {
		r = cache_mark_suspect(&be->cache_options);
		if (r < 0)
			log_warn("cache of %s: %s", be->args.domain, error_text(r));
	}
	req = store_open_send(be, be->host.ev, &be->cache_options, &be->host.cache_error);
	if (!req)
		return -ENOMEM;
	tevent_req_set_callback(req, cache_opened, be);
	return 0;
}

static void count_metrics(const struct backend *be)
{
	auto_talloc char *name = talloc_asprintf(NULL, "be_%s", be->args.domain);
	int r = name ? metrics_start(be->args.run_dir ?: SBUS_DIR, name, METRICS_BACKEND) : -ENOMEM;

	if (r < 0)
		log_info("metrics are counted in memory only: %s", error_text(r));
}

static int usage(FILE *out, int status)
{
	fputs("Usage: sssd_be --domain DOMAIN [--suspect] [--debug-level LEVEL] [--logger WHERE]\n"
	      "       sssd_be --check FILE\n",
	      out);
	return status;
}

static int parse_arguments(int argc, char *argv[], struct arguments *args)
{
	static const struct option options[] = {
		{ "domain", required_argument, NULL, 'D' },
		{ "check", required_argument, NULL, 'c' },
		{ "suspect", no_argument, NULL, 's' },
		{ "debug-level", required_argument, NULL, 'd' },
		{ "logger", required_argument, NULL, 'l' },
		{ "conf-dir", required_argument, NULL, 'C' }, /* these five for tests */
		{ "module-dir", required_argument, NULL, 'L' },
		{ "run-dir", required_argument, NULL, 'R' },
		{ "cache-dir", required_argument, NULL, 'M' },
		{ "mc-dir", required_argument, NULL, 'm' },
		{ NULL },
	};

	for (;;) {
		switch (getopt_long(argc, argv, "d:", options, NULL)) {
		case 'D':
			args->domain = optarg;
			break;
		case 'c':
			args->check = optarg;
			break;
		case 's':
			args->suspect = true;
			break;
		case 'd':
			args->debug_level = optarg;
			break;
		case 'l':
			args->logger = optarg;
			break;
		case 'C':
			args->conf_dir = optarg;
			break;
		case 'L':
			args->module_dir = optarg;
			break;
		case 'R':
			args->run_dir = optarg;
			break;
		case 'M':
			args->cache_dir = optarg;
			break;
		case 'm':
			args->mc_dir = optarg;
			break;
		case -1:
			return optind == argc && (args->domain || args->check) ? 0 : -EINVAL;
		default:
			return -EINVAL;
		}
	}
}

static int run(const struct arguments *args)
{
	auto_talloc struct backend *be = talloc_zero(NULL, struct backend);
	struct daemon_args daemon_args = { .name = "sssd_be",
		                           .debug_level = args->debug_level,
		                           .logger = args->logger };
	char *process;
	int r;

	if (!be)
		return EXIT_FAILURE;
	be->args = *args;
	be->name = talloc_asprintf(be, "%%BE_%s", args->domain);
	be->host.domain = args->domain;
	be->host.cache_damaged = cache_damaged;
	be->host.data = be;
	be->host.section = talloc_asprintf(be, "domain/%s", args->domain);
	daemon_args.log_name = talloc_asprintf(be, "sssd_%s", args->domain);
	process = talloc_asprintf(be, CONF_BACKENDS "/%s", args->domain);
	if (!be->name || !be->host.section || !daemon_args.log_name || !process)
		return EXIT_FAILURE;

	r = daemon_start(be, &daemon_args, &daemon_hooks, be, &be->daemon);
	if (r < 0)
		return EXIT_FAILURE;
	be->host.ev = daemon_events(be->daemon);
	count_metrics(be);

	r = conf_load(be, args->conf_dir, process, &be->conf);
	if (r < 0) {
		log_fatal("configuration of domain %s: %s", args->domain, error_text(r));
		return EXIT_FAILURE;
	}
	be->host.conf = be->conf;
	apply_debug_level(be, be->conf);
	forbid_core_dump(be);

	cache_watch_crashes();
	r = start(be);
	if (r < 0) {
		log_fatal("domain %s: %s", args->domain, error_text(r));
		return EXIT_FAILURE;
	}
	daemon_ready(be->daemon, "%s: %s", args->domain, online_text(be->host.online));
	r = daemon_run(be->daemon);
	metrics_count(METRICS_STOPS);

	/* From the askers down to the cache, which finishes what it was given and marks itself
	 * clean. */
	TALLOC_FREE(be->serve);
	TALLOC_FREE(be->refresh);
	TALLOC_FREE(be->queue);
	TALLOC_FREE(be->provider_data);
	TALLOC_FREE(be->host.writer);
	return r;
}

int main(int argc, char *argv[])
{
	struct arguments args = { 0 };

	signals_calm();
	if (parse_arguments(argc, argv, &args) < 0)
		return usage(stderr, EXIT_FAILURE);
	if (args.check)
		return store_check_main(args.check);
	cache_watch_crashes();

	/* One heap for the few threads: what each would set aside for itself is never used. */
	mallopt(M_ARENA_MAX, 1);

	/* The memory of a large entry goes back when it has been read. By itself glibc would take
	 * the first that is freed for the size of the next ones, and keep twice as much. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, LARGE);

	/* libldap asks for this host's own name, once, on a thread of ours, through glibc. */
	daemon_hurry_resolver();

	/* Nor shall it load all the SASL plug-ins of the system, until one of them is of use to us:
	 * they bring OpenSSL and Berkeley DB along, more than a megabyte. It wants a folder that is
	 * there, or it complains to the log. */
	setenv("SASL_PATH", PROVIDER_NO_SASL_PATH, 0);
	return run(&args);
}
