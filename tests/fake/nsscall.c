/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * nsscall - asks an NSS module the same things again and again, and counts
 *
 *   nsscall [options] passwd|group|initgroups KEY…
 *     --library PATH   the module; libnss_sss.so.2. "libc": the C library's own functions
 *     --clients N      processes, each with its own connection; 1
 *     --count N        calls of each client; once through the keys
 *     --seconds S      instead of --count
 *     --until-success  no longer than until a client's first success
 *     --until-eof      no longer than until the end of standard input
 *     --pause-us N     between the calls of a client; 0
 *     --jitter-us N    more pause, random up to this; 0
 *     --every-us N     instead of a pause: a call at each multiple of N, plus the jitter; the
 *                      clients of all nsscalls with the same N ask at the same time
 *     --random         the keys in no order
 *     --fresh          each call from a process of its own, so over a connection of its own
 *     --unread         the answers are not looked at, so that nothing but the calls takes time
 *     --whole          the entries change: another answer than the first is right, but one whose
 *                      gecos, home and shell differ in their last words, behind a space or a
 *                      slash, is not: it is of two states
 *     --cpu            what a call takes of the processor, and whether it waits
 *     --failures       in the JSON: when each call that got no answer began and ended
 *     --print          the answers, as getent(1) does
 *
 * It calls the module's functions itself: neither nscd nor nsswitch.conf is in between, unless that
 * is asked for. A KEY is a name, a number, or a range as in "user%05u:1:10000" (the clients begin
 * at different places of it).
 *
 * The last line is JSON for the tests: how many calls there were, how they ended (success,
 * notfound, unavail, tryagain), how many answers were wrong (not what was asked for, or not what
 * the same key gave the first time), calls per second, microseconds: first, median, p99, max, and
 * least_calls, those of the client with the fewest. With --cpu, of the calls that were answered:
 * max_cpu_us, the longest time of one on a processor, and waits, how often one gave its processor
 * up (getrusage(2), ru_nvcsw). "failures" is a list of [client, begin, end], in seconds of
 * CLOCK_MONOTONIC.
 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_MAX   (64 << 20)
#define GROUPS_MAX   65536
#define FAILURES_MAX 4096 /* of a client; more are counted, not listed */

enum map {
	MAP_PASSWD,
	MAP_GROUP,
	MAP_INITGROUPS,
};

struct module {
	enum nss_status (*getpwnam_r)(const char *, struct passwd *, char *, size_t, int *);
	enum nss_status (*getpwuid_r)(uid_t, struct passwd *, char *, size_t, int *);
	enum nss_status (*getgrnam_r)(const char *, struct group *, char *, size_t, int *);
	enum nss_status (*getgrgid_r)(gid_t, struct group *, char *, size_t, int *);
	enum nss_status (*initgroups_dyn)(const char *, gid_t, long *, long *, gid_t **, long,
	                                  int *);
};

struct key {
	char name[256];
	bool is_number;
	uint32_t number;
	uint64_t answer; /* hash of the first; 0 = none yet */
};

struct failure {
	double begin, end;
};

/* What a client leaves behind, in memory it shares with its parent. */
struct result {
	uint64_t ends[4]; /* tryagain, unavail, notfound, success: nss_status + 2 */
	uint64_t calls, wrong;
	float *us; /* of each call; shared too */
	double max_cpu_us;
	long waits;
	struct failure failures[FAILURES_MAX];
	size_t n_failures;

	/* what a call in a process of its own brought */
	enum nss_status fresh_status;
	uint64_t fresh_sum;
};

static struct {
	enum map map;
	struct key *keys;
	size_t n_keys, n_clients, count, n_slots;
	double seconds;
	unsigned pause_us, jitter_us, every_us;
	bool print, fresh, failures, until_eof, until_success, random, unread, whole, cpu;
	volatile bool *stop; /* shared */
} opts = { .n_clients = 1 };

static struct module module;
static char *buffer;
static size_t buffer_size = 4096;

static void die(const char *what)
{
	fprintf(stderr, "nsscall: %s\n", what);
	exit(2);
}

static double now_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double now(void)
{
	return now_of(CLOCK_MONOTONIC);
}

static long waits(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("out of memory");
	return p;
}

/* FNV-1a */
static void hash(uint64_t *sum, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*sum = (*sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
}

static void hash_text(uint64_t *sum, const char *text)
{
	hash(sum, text, strlen(text) + 1);
}

/* Does the answer match the question? A name may come back qualified or in other case. */
static bool is_asked(const struct key *key, const char *name, uint32_t number)
{
	size_t size = strcspn(key->name, "@");

	if (key->is_number)
		return number == key->number;
	return strcspn(name, "@") == size && strncasecmp(name, key->name, size) == 0;
}

static const char *last_word(const char *text)
{
	const char *space = strrchr(text, ' '), *slash = strrchr(text, '/');
	const char *before = space > slash ? space : slash;

	return before ? before + 1 : text;
}

static bool is_whole(const struct passwd *pw)
{
	const char *word = last_word(pw->pw_gecos);

	return strcmp(word, last_word(pw->pw_dir)) == 0 &&
	       strcmp(word, last_word(pw->pw_shell)) == 0;
}

/* One call; ret_sum is a hash of the answer, 0 when it is no answer to the question. */
static enum nss_status ask_passwd(const struct key *key, uint64_t *ret_sum, int *ret_errno)
{
	enum nss_status status;
	struct passwd pw;

	status = key->is_number
	                 ? module.getpwuid_r(key->number, &pw, buffer, buffer_size, ret_errno)
	                 : module.getpwnam_r(key->name, &pw, buffer, buffer_size, ret_errno);
	if (status != NSS_STATUS_SUCCESS || opts.unread)
		return status;

	*ret_sum = UINT64_C(0xcbf29ce484222325);
	hash_text(ret_sum, pw.pw_name);
	hash(ret_sum, &pw.pw_uid, sizeof(pw.pw_uid));
	hash(ret_sum, &pw.pw_gid, sizeof(pw.pw_gid));
	if (!opts.whole) {
		hash_text(ret_sum, pw.pw_gecos);
		hash_text(ret_sum, pw.pw_dir);
		hash_text(ret_sum, pw.pw_shell);
	}
	if (!is_asked(key, pw.pw_name, pw.pw_uid) || (opts.whole && !is_whole(&pw)))
		*ret_sum = 0;
	if (opts.print)
		printf("%s:%s:%u:%u:%s:%s:%s\n", pw.pw_name, pw.pw_passwd, pw.pw_uid, pw.pw_gid,
		       pw.pw_gecos, pw.pw_dir, pw.pw_shell);
	return status;
}

static enum nss_status ask_group(const struct key *key, uint64_t *ret_sum, int *ret_errno)
{
	enum nss_status status;
	struct group gr;

	status = key->is_number
	                 ? module.getgrgid_r(key->number, &gr, buffer, buffer_size, ret_errno)
	                 : module.getgrnam_r(key->name, &gr, buffer, buffer_size, ret_errno);
	if (status != NSS_STATUS_SUCCESS || opts.unread)
		return status;

	*ret_sum = UINT64_C(0xcbf29ce484222325);
	hash_text(ret_sum, gr.gr_name);
	hash(ret_sum, &gr.gr_gid, sizeof(gr.gr_gid));
	for (char **member = gr.gr_mem; *member; member++)
		hash_text(ret_sum, *member);
	if (!is_asked(key, gr.gr_name, gr.gr_gid))
		*ret_sum = 0;
	if (opts.print) {
		printf("%s:%s:%u:", gr.gr_name, gr.gr_passwd, gr.gr_gid);
		for (char **member = gr.gr_mem; *member; member++)
			printf("%s%s", member == gr.gr_mem ? "" : ",", *member);
		printf("\n");
	}
	return status;
}

static enum nss_status ask_initgroups(const struct key *key, uint64_t *ret_sum, int *ret_errno)
{
	long start = 0, size = 16;
	gid_t *groups = calloc((size_t)size, sizeof(*groups));
	enum nss_status status;

	if (!groups)
		die("out of memory");
	status = module.initgroups_dyn(key->name, (gid_t)-1, &start, &size, &groups, GROUPS_MAX,
	                               ret_errno);
	if (status == NSS_STATUS_SUCCESS && !opts.unread) {
		*ret_sum = UINT64_C(0xcbf29ce484222325);
		hash(ret_sum, groups, (size_t)start * sizeof(*groups));
		if (opts.print) {
			printf("%s", key->name);
			for (long i = 0; i < start; i++)
				printf(" %u", groups[i]);
			printf("\n");
		}
	}
	free(groups);
	return status;
}

static enum nss_status ask(const struct key *key, uint64_t *ret_sum)
{
	static enum nss_status (*const asks[])(const struct key *, uint64_t *, int *) = {
		[MAP_PASSWD] = ask_passwd,
		[MAP_GROUP] = ask_group,
		[MAP_INITGROUPS] = ask_initgroups,
	};
	enum nss_status status;
	int error = 0;

	for (;;) {
		status = asks[opts.map](key, ret_sum, &error);
		if (status != NSS_STATUS_TRYAGAIN || error != ERANGE || buffer_size >= BUFFER_MAX)
			return status;
		buffer_size *= 2;
		buffer = realloc(buffer, buffer_size);
		if (!buffer)
			die("out of memory");
	}
}

static enum nss_status ask_afresh(const struct key *key, struct result *result, uint64_t *ret_sum)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("cannot fork");
	if (pid == 0) {
		result->fresh_sum = 0;
		result->fresh_status = ask(key, &result->fresh_sum);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("a call did not live to its end");
	*ret_sum = result->fresh_sum;
	return result->fresh_status;
}

static void pause_between(unsigned *seed)
{
	unsigned wait_us = opts.pause_us;

	if (opts.every_us)
		wait_us = opts.every_us - (unsigned)((uint64_t)(now() * 1e6) % opts.every_us);
	if (opts.jitter_us)
		wait_us += (unsigned)rand_r(seed) % opts.jitter_us;
	if (wait_us)
		usleep(wait_us);
}

static void note_failure(struct result *result, double begin, double end)
{
	if (result->n_failures < FAILURES_MAX)
		result->failures[result->n_failures++] = (struct failure){ begin, end };
}

struct effort {
	double cpu;
	long waits;
};

static void begin_effort(struct effort *effort)
{
	if (!opts.cpu)
		return;
	effort->waits = waits();
	effort->cpu = now_of(CLOCK_THREAD_CPUTIME_ID);
}

static void end_effort(const struct effort *effort, struct result *result)
{
	double cpu_us;

	if (!opts.cpu)
		return;
	cpu_us = (now_of(CLOCK_THREAD_CPUTIME_ID) - effort->cpu) * 1e6;
	if (cpu_us > result->max_cpu_us)
		result->max_cpu_us = cpu_us;
	result->waits += waits() - effort->waits;
}

static void run_client(size_t client, struct result *result)
{
	size_t at = client * opts.n_keys / opts.n_clients;
	double end = now() + opts.seconds;
	unsigned seed = (unsigned)getpid();

	for (; !*opts.stop && (opts.seconds > 0 ? now() < end : result->calls < opts.count); at++) {
		size_t which = opts.random ? (size_t)rand_r(&seed) : at;
		struct key *key = &opts.keys[which % opts.n_keys];
		enum nss_status status;
		uint64_t sum = 0;
		struct effort effort;
		double begin;

		begin_effort(&effort);
		begin = now();
		status = opts.fresh ? ask_afresh(key, result, &sum) : ask(key, &sum);
		if (result->calls < opts.n_slots)
			result->us[result->calls] = (float)((now() - begin) * 1e6);
		result->calls++;
		if (status == NSS_STATUS_SUCCESS)
			end_effort(&effort, result);

		if (status < NSS_STATUS_TRYAGAIN || status > NSS_STATUS_SUCCESS)
			die("the module returned what is no status");
		result->ends[status + 2]++;
		if (status == NSS_STATUS_UNAVAIL || status == NSS_STATUS_TRYAGAIN)
			note_failure(result, begin, now());
		if (status == NSS_STATUS_SUCCESS && !opts.unread) {
			if (sum == 0 || (key->answer != 0 && key->answer != sum))
				result->wrong++;
			else
				key->answer = sum;
		}
		if (opts.until_success && status == NSS_STATUS_SUCCESS)
			break;
		pause_between(&seed);
	}
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void report_failures(const struct result *results)
{
	const char *comma = "";

	printf(", \"failures\": [");
	for (size_t i = 0; i < opts.n_clients; i++)
		for (size_t j = 0; j < results[i].n_failures; j++, comma = ", ")
			printf("%s[%zu, %.6f, %.6f]", comma, i, results[i].failures[j].begin,
			       results[i].failures[j].end);
	printf("]");
}

static void report(const struct result *results, double took)
{
	struct result all = { .us = calloc(opts.n_slots * opts.n_clients + 1, sizeof(float)) };
	uint64_t least = results[0].calls;
	float first = results[0].us[0];
	size_t n = 0;

	if (!all.us)
		die("out of memory");
	for (size_t i = 0; i < opts.n_clients; i++) {
		size_t timed = results[i].calls < opts.n_slots ? results[i].calls : opts.n_slots;

		for (size_t j = 0; j < 4; j++)
			all.ends[j] += results[i].ends[j];
		all.calls += results[i].calls;
		if (results[i].calls < least)
			least = results[i].calls;
		all.wrong += results[i].wrong;
		all.waits += results[i].waits;
		if (results[i].max_cpu_us > all.max_cpu_us)
			all.max_cpu_us = results[i].max_cpu_us;
		memcpy(all.us + n, results[i].us, timed * sizeof(float));
		n += timed;
	}
	qsort(all.us, n, sizeof(float), by_size);
	printf("{\"calls\": %ju, \"success\": %ju, \"notfound\": %ju, \"unavail\": %ju, "
	       "\"tryagain\": %ju, "
	       "\"wrong\": %ju, \"per_second\": %.0f, \"first_us\": %.1f, \"median_us\": %.3f, "
	       "\"p99_us\": %.1f, \"max_us\": %.1f, \"least_calls\": %ju",
	       (uintmax_t)all.calls, (uintmax_t)all.ends[3], (uintmax_t)all.ends[2],
	       (uintmax_t)all.ends[1], (uintmax_t)all.ends[0], (uintmax_t)all.wrong,
	       (double)all.calls / took, (double)first, n ? (double)all.us[n / 2] : 0,
	       n ? (double)all.us[n * 99 / 100] : 0, n ? (double)all.us[n - 1] : 0,
	       (uintmax_t)least);
	if (opts.cpu)
		printf(", \"max_cpu_us\": %.1f, \"waits\": %ld", all.max_cpu_us, all.waits);
	if (opts.failures)
		report_failures(results);
	printf("}\n");
	free(all.us);
}

static void add_key(const char *text)
{
	struct key *key;
	char *end;

	opts.keys = realloc(opts.keys, (opts.n_keys + 1) * sizeof(*opts.keys));
	if (!opts.keys)
		die("out of memory");
	key = &opts.keys[opts.n_keys++];
	*key = (struct key){ 0 };
	snprintf(key->name, sizeof(key->name), "%s", text);
	key->number = (uint32_t)strtoul(text, &end, 10);
	key->is_number = *text && !*end && opts.map != MAP_INITGROUPS;
}

/* "user%05u:1:10000": the number stands at the end of the name, with this many digits. */
static void add_keys(const char *text)
{
	unsigned digits = 0, from, to;
	char prefix[200], name[256];

	if (sscanf(text,
	           "%199[^%]%%%u"
	           "u:%u:%u",
	           prefix, &digits, &from, &to) == 4) {
		for (; from <= to; from++) {
			snprintf(name, sizeof(name), "%s%0*u", prefix, (int)digits, from);
			add_key(name);
		}
	} else if (sscanf(text, "%%u:%u:%u", &from, &to) == 2) {
		for (; from <= to; from++) {
			snprintf(name, sizeof(name), "%u", from);
			add_key(name);
		}
	} else {
		add_key(text);
	}
}

/* The function of "libnss_NAME.so.2": nsswitch.conf(5), glibc's rule for its name. */
static void *function(void *handle, const char *library, const char *name)
{
	const char *file = strrchr(library, '/') ? strrchr(library, '/') + 1 : library;
	char symbol[128], module_name[64];
	void *found;

	if (sscanf(file, "libnss_%63[^.]", module_name) != 1)
		die("the library's name is not libnss_NAME.so.2");
	snprintf(symbol, sizeof(symbol), "_nss_%s_%s", module_name, name);
	found = dlsym(handle, symbol);
	if (!found)
		die("the library is no NSS module for users and groups");
	return found;
}

/* ---- the C library in the place of a module ---- */

static enum nss_status libc_status(int error, const void *found, int *ret_errno)
{
	*ret_errno = error;
	if (error == 0)
		return found ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
	return error == ERANGE ? NSS_STATUS_TRYAGAIN : NSS_STATUS_UNAVAIL;
}

static enum nss_status libc_getpwnam_r(const char *name, struct passwd *pw, char *room, size_t size,
                                       int *ret_errno)
{
	struct passwd *found = NULL;
	int error = getpwnam_r(name, pw, room, size, &found);

	return libc_status(error, found, ret_errno);
}

static enum nss_status libc_getpwuid_r(uid_t uid, struct passwd *pw, char *room, size_t size,
                                       int *ret_errno)
{
	struct passwd *found = NULL;
	int error = getpwuid_r(uid, pw, room, size, &found);

	return libc_status(error, found, ret_errno);
}

static enum nss_status libc_getgrnam_r(const char *name, struct group *gr, char *room, size_t size,
                                       int *ret_errno)
{
	struct group *found = NULL;
	int error = getgrnam_r(name, gr, room, size, &found);

	return libc_status(error, found, ret_errno);
}

static enum nss_status libc_getgrgid_r(gid_t gid, struct group *gr, char *room, size_t size,
                                       int *ret_errno)
{
	struct group *found = NULL;
	int error = getgrgid_r(gid, gr, room, size, &found);

	return libc_status(error, found, ret_errno);
}

/* Just the given group, which getgrouplist(3) puts first: not found. The room that was enough is
 * enough the next time. */
static enum nss_status libc_initgroups(const char *name, gid_t group, long *start, long *size,
                                       gid_t **groups, long limit, int *ret_errno)
{
	static int n_known = 64;
	int n = n_known;

	if (*size < n) {
		*size = n;
		*groups = realloc(*groups, (size_t)n * sizeof(**groups));
		if (!*groups)
			die("out of memory");
	}
	if (getgrouplist(name, group, *groups, &n) < 0) {
		n_known = n;
		return n > limit ? NSS_STATUS_UNAVAIL
		                 : libc_initgroups(name, group, start, size, groups, limit,
		                                   ret_errno);
	}
	*start = n;
	return n > 1 ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

static const struct module libc = {
	libc_getpwnam_r, libc_getpwuid_r, libc_getgrnam_r, libc_getgrgid_r, libc_initgroups,
};

static void load(const char *library)
{
	void *handle;

	if (strcmp(library, "libc") == 0) {
		module = libc;
		return;
	}
	handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		die(dlerror());
	*(void **)&module.getpwnam_r = function(handle, library, "getpwnam_r");
	*(void **)&module.getpwuid_r = function(handle, library, "getpwuid_r");
	*(void **)&module.getgrnam_r = function(handle, library, "getgrnam_r");
	*(void **)&module.getgrgid_r = function(handle, library, "getgrgid_r");
	*(void **)&module.initgroups_dyn = function(handle, library, "initgroups_dyn");
}

static const char *parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "library", required_argument, NULL, 'l' },
		{ "clients", required_argument, NULL, 'c' },
		{ "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "pause-us", required_argument, NULL, 'p' },
		{ "jitter-us", required_argument, NULL, 'j' },
		{ "every-us", required_argument, NULL, 'e' },
		{ "random", no_argument, NULL, 'r' },
		{ "fresh", no_argument, NULL, 'f' },
		{ "unread", no_argument, NULL, 'R' },
		{ "whole", no_argument, NULL, 'W' },
		{ "cpu", no_argument, NULL, 'C' },
		{ "failures", no_argument, NULL, 'F' },
		{ "until-eof", no_argument, NULL, 'E' },
		{ "until-success", no_argument, NULL, 'S' },
		{ "print", no_argument, NULL, 'P' },
		{ 0 },
	};
	static const char *const maps[] = { "passwd", "group", "initgroups" };
	const char *library = "libnss_sss.so.2";
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'l')
			library = optarg;
		else if (option == 'c')
			opts.n_clients = strtoul(optarg, NULL, 10);
		else if (option == 'n')
			opts.count = strtoul(optarg, NULL, 10);
		else if (option == 's')
			opts.seconds = strtod(optarg, NULL);
		else if (option == 'p')
			opts.pause_us = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'j')
			opts.jitter_us = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'e')
			opts.every_us = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'r')
			opts.random = true;
		else if (option == 'f')
			opts.fresh = true;
		else if (option == 'R')
			opts.unread = true;
		else if (option == 'W')
			opts.whole = true;
		else if (option == 'C')
			opts.cpu = true;
		else if (option == 'F')
			opts.failures = true;
		else if (option == 'E')
			opts.until_eof = true;
		else if (option == 'S')
			opts.until_success = true;
		else if (option == 'P')
			opts.print = true;
		else
			exit(2);
	}

	for (; opts.map <= MAP_INITGROUPS; opts.map++)
		if (optind < argc && strcmp(argv[optind], maps[opts.map]) == 0)
			break;
	if (opts.map > MAP_INITGROUPS || optind + 1 >= argc || opts.n_clients == 0)
		die("usage: nsscall [options] passwd|group|initgroups KEY…");
	for (int i = optind + 1; i < argc; i++)
		add_keys(argv[i]);
	if (opts.count == 0)
		opts.count = opts.n_keys;
	/* The memory of all together is to fit into a small machine. */
	opts.n_slots = opts.seconds <= 0 ? opts.count : opts.n_clients <= 16 ? 4 << 20 : 1 << 18;
	return library;
}

int main(int argc, char **argv)
{
	const char *library = parse(argc, argv);
	struct result *results = shared(opts.n_clients * sizeof(*results));
	int status, failed = 0;
	double begin;
	char byte;

	opts.stop = shared(sizeof(*opts.stop));
	for (size_t i = 0; i < opts.n_clients; i++)
		results[i].us = shared((opts.n_slots + 1) * sizeof(float));
	buffer = malloc(buffer_size);
	if (!buffer)
		die("out of memory");
	load(library);

	begin = now();
	for (size_t i = 0; i < opts.n_clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("cannot fork");
		if (pid == 0) {
			run_client(i, &results[i]);
			fflush(stdout);
			_exit(0);
		}
	}
	while (opts.until_eof && read(STDIN_FILENO, &byte, 1) > 0)
		;
	*opts.stop = opts.until_eof;
	while (wait(&status) > 0)
		failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	if (failed)
		die("a client did not live to the end");
	report(results, now() - begin);
	return 0;
}
