/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Client - what a program's threads need to ask a responder, and how it is shared among them
 *
 *   client_begin ─ a fork since? close what was inherited
 *     └─▶ client_lookup ─ open? ─▶ ask ──────────────────────▶ client_end
 *                          │  ▲     └ gone? connect, ask again, twice at most
 *                          └ connect
 *
 * Nothing runs when the library is unloaded, because it never is: it is linked with -z nodelete. A
 * thread may be on its way into free_thread() at the very moment of a dlclose(3), and there is no
 * way to wait for it. glibc itself keeps NSS modules until the process ends.
 */
#include "clientlibs/core/client.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clientlibs/core/conn.h"
#include "common/wire/frame.h"
#include "common/wire/proto.h"

#define LOOKUP_MS   10000 /* a responder's budget for identity, and 5 s (design.md section 3) */
#define KEEP_MS     1000
#define REPEATS_MAX 2

struct client {
	struct client *next, **back; /* in threads; none for a client of one call */
	volatile sig_atomic_t busy;
	bool once;            /* a client of one call */
	struct client *guest; /* owned: see ask_as_guest() */
	int saved_errno;
	bool uncancelled; /* see hold_cancellation() */
	int cancelling;   /* what it was before */

	struct conn conn;
	struct writer request; /* the last question asked */
	struct reader kept;    /* its answer, until kept_until */
	int64_t kept_until;

	struct walk walks[CLIENT_N_MAPS];
};

/* Lives in a page that a fork shows the child as zeros (MADV_WIPEONFORK): that is how the child
 * knows, without a system call per question, and how it finds the lock open though a thread of the
 * parent may have held it. A mutex of zeros is an unlocked one in all C libraries of Linux. */
struct process {
	pthread_mutex_t lock; /* of threads */
	bool known;
};
static struct process *process; /* NULL: the kernel refused, getpid(2) has to tell */

/* The clients of all threads, so that a child can close all it inherited. A fork may copy the list
 * half changed: forwards it is whole at every instant. */
static struct client *threads;

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool thread_key_made;

static void free_thread(void *client);

static void prepare(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED && madvise(page, size, MADV_WIPEONFORK) == 0) {
		process = page;
		process->known = true;
	} else if (page != MAP_FAILED) {
		munmap(page, size);
	}
	thread_key_made = pthread_key_create(&thread_key, free_thread) == 0;
}

static struct client *client_new(void)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->conn = conn_new();
	client->request = writer_new(PROTO_REQUEST_MAX);
	for (int i = 0; i < CLIENT_N_MAPS; i++)
		client->walks[i] = walk_new();
	return client;
}

static void client_free(struct client *client)
{
	conn_free(&client->conn);
	for (int i = 0; i < CLIENT_N_MAPS; i++)
		walk_free(&client->walks[i]);
	writer_free(&client->request);
	free(client);
}

/* Closes this process's copies of what client had open in the parent, which goes on with its own.
 * The memory of a thread that was not forked along stays: who knows what it was about to do. */
static void adopt(struct client *client)
{
	client->kept_until = 0;
	conn_adopt(&client->conn);
	for (int i = 0; i < CLIENT_N_MAPS; i++)
		walk_adopt(&client->walks[i]);
}

/* Comes before each use of threads and of their connections.
 * mine  the calling thread's client, or NULL */
static void notice_fork(struct client *mine)
{
	struct client **link = &threads;
	int cancel;

	if (!process) {
		if (mine && mine->conn.pid != getpid())
			adopt(mine);
		return;
	}
	if (__atomic_load_n(&process->known, __ATOMIC_ACQUIRE))
		return;

	/* No cancellation in close(2), with the lock held. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&process->lock);
	if (!process->known) {
		for (; *link; link = &(*link)->next) {
			(*link)->back = link;
			adopt(*link);
		}
		__atomic_store_n(&process->known, true, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&process->lock);
	pthread_setcancelstate(cancel, NULL);
}

static void add_thread(struct client *client)
{
	if (!process)
		return;
	pthread_mutex_lock(&process->lock);
	client->next = threads;
	client->back = &threads;
	if (threads)
		threads->back = &client->next;
	__atomic_store_n(&threads, client, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&process->lock);
}

static void remove_thread(struct client *client)
{
	if (!process)
		return;
	pthread_mutex_lock(&process->lock);
	__atomic_store_n(client->back, client->next, __ATOMIC_RELEASE);
	if (client->next)
		client->next->back = client->back;
	pthread_mutex_unlock(&process->lock);
}

/* The thread ends. */
static void free_thread(void *mine)
{
	struct client *client = mine;
	int saved_errno = errno;

	notice_fork(client);
	conn_close(&client->conn); /* first, or a fork right now would inherit it unseen */
	remove_thread(client);
	client_free(client);
	errno = saved_errno;
}

/* The calling thread's client, made if need be; NULL if that cannot be. */
static struct client *thread_client(void)
{
	struct client *client;

	if (!thread_key_made)
		return NULL;
	client = pthread_getspecific(thread_key);
	notice_fork(client);
	if (client)
		return client;

	client = client_new();
	if (!client)
		return NULL;
	add_thread(client);
	if (pthread_setspecific(thread_key, client) != 0) {
		remove_thread(client);
		client_free(client);
		return NULL;
	}
	return client;
}

/* What ends with the call hangs on no thread: nobody would free and close it if the thread was
 * cancelled before. */
static void hold_cancellation(struct client *client)
{
	if (!client->uncancelled)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &client->cancelling);
	client->uncancelled = true;
}

struct client *client_begin(void)
{
	int saved_errno = errno;
	struct client *client;

	pthread_once(&prepared, prepare);
	client = thread_client();
	if (!client || client->busy) {
		client = client_new();
		if (client) {
			client->once = true;
			hold_cancellation(client);
		}
	}
	if (client) {
		client->busy = true;
		client->saved_errno = saved_errno;
	}
	errno = saved_errno;
	return client;
}

static int ask_as_guest(struct client *client, const struct writer *request, int64_t deadline,
                        struct reader *ret_body);

/* Every request here can be repeated, also when it is not known what became of it. */
static int ask(struct client *client, const struct writer *request, int64_t deadline,
               struct reader *ret_body)
{
	struct conn *conn = &client->conn;
	int repeats = 0;
	bool was_open;
	int r;

	do {
		was_open = conn_is_open(conn);
		r = was_open ? 0 : conn_open(conn, deadline);
		if (r == -EBUSY)
			return ask_as_guest(client, request, deadline, ret_body);
		if (r == 0)
			r = conn_ask(conn, request, deadline, was_open);
		if (r == 0)
			return conn_reply(conn, request, ret_body);
		/* One that was idle for too long had not seen the question yet. */
		if (r != -EPIPE || !was_open)
			repeats++;
	} while ((r == -EPIPE || r == -ECONNRESET) && repeats <= REPEATS_MAX);
	return r;
}

/* This is a child of vfork(2). It works in its parent's memory, where a descriptor of its own must
 * not appear: it asks over a connection that ends with the call. (The parent's connection would do
 * while it lasts, since the parent's thread stands still.) */
static int ask_as_guest(struct client *client, const struct writer *request, int64_t deadline,
                        struct reader *ret_body)
{
	hold_cancellation(client);
	client->guest = client_new();
	if (!client->guest)
		return -ENOMEM;
	return ask(client->guest, request, deadline, ret_body);
}

static bool is_kept(const struct client *client, int64_t now, uint32_t command, const void *body,
                    size_t size)
{
	const struct writer *request = &client->request;

	return now < client->kept_until && request->size == PROTO_HEADER_SIZE + size &&
	       frame_header(request->bytes).command == command &&
	       memcmp(request->bytes + PROTO_HEADER_SIZE, body, size) == 0;
}

int client_lookup(struct client *client, uint32_t command, const void *body, size_t size,
                  struct reader *ret_body)
{
	int64_t now = conn_now_ms();
	int r;

	if (is_kept(client, now, command, body, size)) {
		*ret_body = client->kept;
		return 0;
	}

	client->kept_until = 0;
	writer_reset(&client->request);
	frame_begin(&client->request, command, 0);
	writer_bytes(&client->request, body, size);
	r = frame_finish(&client->request);
	if (r == 0)
		r = ask(client, &client->request, now + LOOKUP_MS, &client->kept);
	if (r == 0)
		*ret_body = client->kept;
	return r;
}

struct walk *client_walk(struct client *client, enum client_map map)
{
	return client->once ? NULL : &client->walks[map];
}

void client_end(struct client *client, int r)
{
	int saved_errno = client->saved_errno, cancelling = client->cancelling;
	bool uncancelled = client->uncancelled;

	client->kept_until = r == -ERANGE && !client->guest ? conn_now_ms() + KEEP_MS : 0;
	if (client->kept_until == 0)
		conn_trim(&client->conn);
	if (r == -EBADMSG)
		conn_close(&client->conn);
	if (client->guest)
		client_free(client->guest);
	client->guest = NULL;
	client->uncancelled = false;
	client->busy = false;
	if (client->once)
		client_free(client);
	if (uncancelled)
		pthread_setcancelstate(cancelling, NULL);
	errno = saved_errno;
}
