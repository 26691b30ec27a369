/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Limit - what the machine itself needs: no answer of ours can be faster
 *
 *   limit socket CLIENTS SECONDS              a request and a reply of a passwd entry over AF_UNIX,
 *                                             one process answers all
 *   limit ldap URI BASE CLIENTS FROM TO FILTER…
 *                                             the searches of FILTER…, one after the other, for
 * each number from FROM to TO, which stands where '#' are, as in "(uid=user#####)"; each client has
 * its share of the numbers and a connection
 *
 * One line of JSON as nsscall's: per_second, and the microseconds of a round trip or of the
 * searches for one number.
 */
#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX  (4 << 20)
#define REQUEST_SIZE 26  /* getpwnam("user00001") */
#define REPLY_SIZE   100 /* its passwd entry */

/* What a client leaves behind, in memory it shares with its parent. */
struct samples {
	size_t n;
	float us[SAMPLES_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "limit: %s\n", what);
	exit(2);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct samples *shared_samples(size_t n)
{
	void *p = mmap(NULL, n * sizeof(struct samples), PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("out of memory");
	return p;
}

static void sample(struct samples *samples, double begin)
{
	if (samples->n < SAMPLES_MAX)
		samples->us[samples->n++] = (float)((now() - begin) * 1e6);
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void report(const struct samples *samples, size_t n_clients, double took)
{
	size_t n = 0, at = 0;
	float *us;

	for (size_t i = 0; i < n_clients; i++)
		n += samples[i].n;
	us = calloc(n + 1, sizeof(*us));
	if (!us || n == 0)
		die("nothing was measured");
	for (size_t i = 0; i < n_clients; at += samples[i++].n)
		memcpy(us + at, samples[i].us, samples[i].n * sizeof(*us));
	qsort(us, n, sizeof(*us), by_size);
	printf("{\"calls\": %zu, \"per_second\": %.0f, \"median_us\": %.1f, \"p99_us\": %.1f, "
	       "\"max_us\": %.1f}\n",
	       n, (double)n / took, (double)us[n / 2], (double)us[n * 99 / 100], (double)us[n - 1]);
	free(us);
}

static void wait_for_children(size_t n)
{
	int status;

	for (; n > 0; n--)
		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			die("a client did not live to its end");
}

/* ---- round trips over a socket ---- */

static void ask_socket(int fd, double seconds, struct samples *samples)
{
	char request[REQUEST_SIZE] = { 0 }, reply[REPLY_SIZE];
	double end = now() + seconds, begin;

	while ((begin = now()) < end) {
		if (write(fd, request, sizeof(request)) != sizeof(request) ||
		    read(fd, reply, sizeof(reply)) != sizeof(reply))
			die("a round trip failed");
		sample(samples, begin);
	}
}

/* Until every client has closed its end: epoll, as whoever serves more than one must do. */
static void serve_socket(int epoll, size_t n_open)
{
	char request[REQUEST_SIZE], reply[REPLY_SIZE] = { 0 };
	struct epoll_event events[64];

	while (n_open > 0) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			if (read(events[i].data.fd, request, sizeof(request)) > 0) {
				if (write(events[i].data.fd, reply, sizeof(reply)) < 0)
					die("a client does not read");
			} else {
				/* Later clients have inherited it: close() alone leaves it in the
				 * set. */
				epoll_ctl(epoll, EPOLL_CTL_DEL, events[i].data.fd, NULL);
				close(events[i].data.fd);
				n_open--;
			}
		}
	}
}

static int limit_socket(size_t n_clients, double seconds)
{
	struct samples *samples = shared_samples(n_clients);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double begin = now();

	for (size_t i = 0; i < n_clients; i++) {
		struct epoll_event event = { .events = EPOLLIN };
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
			die("no socket");
		event.data.fd = ends[0];
		if (fork() == 0) {
			close(epoll);
			close(ends[0]);
			ask_socket(ends[1], seconds, &samples[i]);
			_exit(0);
		}
		close(ends[1]);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) < 0)
			die("no epoll");
	}
	serve_socket(epoll, n_clients);
	wait_for_children(n_clients);
	report(samples, n_clients, now() - begin);
	return 0;
}

/* ---- searches ---- */

/* "(uid=user#####)" and 7 → "(uid=user00007)" */
static void fill_in(char *filter, size_t size, const char *pattern, unsigned number)
{
	size_t before = strcspn(pattern, "#"), digits = strspn(pattern + before, "#");

	if (digits == 0)
		snprintf(filter, size, "%s", pattern);
	else
		snprintf(filter, size, "%.*s%0*u%s", (int)before, pattern, (int)digits, number,
		         pattern + before + digits);
}

static LDAP *connect_to(const char *uri)
{
	struct berval nobody = { 0 };
	int version = LDAP_VERSION3;
	LDAP *ld;

	if (ldap_initialize(&ld, uri) != LDAP_SUCCESS ||
	    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_SUCCESS ||
	    ldap_sasl_bind_s(ld, NULL, LDAP_SASL_SIMPLE, &nobody, NULL, NULL, NULL) != LDAP_SUCCESS)
		die("the server cannot be reached");
	return ld;
}

/* Asks for what RFC 2307 has about users and groups; whose groups these are knows their members. */
static void search(LDAP *ld, const char *base, const char *filter)
{
	char *all[] = { "objectClass", "uid",           "uidNumber",  "gidNumber", "cn",
		        "gecos",       "homeDirectory", "loginShell", "memberUid", NULL };
	LDAPMessage *found = NULL;

	if (strstr(filter, "memberUid="))
		all[5] = NULL;
	if (ldap_search_ext_s(ld, base, LDAP_SCOPE_SUBTREE, filter, all, 0, NULL, NULL, NULL, 0,
	                      &found) != LDAP_SUCCESS)
		die("a search failed");
	ldap_msgfree(found);
}

static int limit_ldap(const char *uri, const char *base, size_t n_clients, unsigned from,
                      unsigned to, char **patterns)
{
	struct samples *samples = shared_samples(n_clients);
	unsigned share = (to - from + 1) / (unsigned)n_clients;
	int ready[2], go[2];
	double begin;
	char byte;

	if (pipe(ready) < 0 || pipe(go) < 0)
		die("no pipe");
	for (size_t i = 0; i < n_clients; i++) {
		if (fork() == 0) {
			unsigned first = from + share * (unsigned)i;
			LDAP *ld = connect_to(uri);
			char filter[256];

			close(go[1]);
			if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 0)
				die("the start went wrong");
			for (unsigned number = first; number < first + share; number++) {
				begin = now();
				for (char **pattern = patterns; *pattern; pattern++) {
					fill_in(filter, sizeof(filter), *pattern, number);
					search(ld, base, filter);
				}
				sample(&samples[i], begin);
			}
			_exit(0);
		}
	}
	/* Connections are made once in a backend's life: the clock starts when all stand. */
	for (size_t i = 0; i < n_clients; i++)
		if (read(ready[0], &byte, 1) != 1)
			die("the start went wrong");
	begin = now();
	close(go[1]);
	wait_for_children(n_clients);
	report(samples, n_clients, now() - begin);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "socket") == 0 && strtoul(argv[2], NULL, 10) > 0)
		return limit_socket(strtoul(argv[2], NULL, 10), strtod(argv[3], NULL));
	if (argc >= 8 && strcmp(argv[1], "ldap") == 0 && strtoul(argv[4], NULL, 10) > 0)
		return limit_ldap(argv[2], argv[3], strtoul(argv[4], NULL, 10),
		                  (unsigned)strtoul(argv[5], NULL, 10),
		                  (unsigned)strtoul(argv[6], NULL, 10), argv + 7);
	die("usage: limit socket CLIENTS SECONDS | limit ldap URI BASE CLIENTS FROM TO FILTER…");
}
