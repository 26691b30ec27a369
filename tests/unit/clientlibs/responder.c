/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Responder - a scripted one for the tests of the client libraries
 */
#include "tests/unit/clientlibs/responder.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/wire/frame.h"
#include "common/wire/proto.h"

#define CONNECTIONS_MAX 512
#define BIG_MEMBERS     5000
#define WALK_LAST       300
#define WALK_PORTION    100
#define FRAMES_SIZE     (64u << 10)

struct seen *seen;

void __asan_unpoison_memory_region(const void *start, size_t size) __attribute__((weak));

static char directory[] = "/tmp/test_nss_XXXXXX";
static int listening = -1;
static pid_t answering = -1;

void responder_listen(int backlog)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX, .sun_path = "nss" };

	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(listening, 0);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&where, sizeof(where)), 0);
	ck_assert_int_eq(listen(listening, backlog), 0);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(seen, MAP_FAILED);
}

void responder_clean(void)
{
	responder_kill();
	close(listening);
	munmap(seen, sizeof(*seen));
	unlink("nss");
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(directory);
}

static bool read_whole(int fd, void *bytes, size_t size)
{
	uint8_t *pos = bytes;
	ssize_t n;

	for (; size > 0; size -= (size_t)n, pos += n) {
		n = recv(fd, pos, size, MSG_WAITALL);
		if (n <= 0)
			return false;
	}
	return true;
}

/* Serves one message of a connection. */
static bool serve(struct call *call, script_fn *script)
{
	uint8_t header[PROTO_HEADER_SIZE], body[PROTO_REQUEST_MAX];
	struct frame_header request;

	if (!read_whole(call->fd, header, sizeof(header)))
		return false;
	request = frame_header(header);
	call->command = request.command;
	call->body = body;
	call->body_size = request.length - PROTO_HEADER_SIZE;
	if (call->body_size > sizeof(body) || !read_whole(call->fd, body, call->body_size))
		return false;

	if (request.command == PROTO_GET_VERSION)
		__atomic_add_fetch(&seen->handshakes, 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&seen->requests, 1, __ATOMIC_RELAXED);
	return script(call);
}

static void run(script_fn *script, pid_t test)
{
	static struct pollfd ready[CONNECTIONS_MAX];
	static unsigned connection[CONNECTIONS_MAX];
	nfds_t n = 1;

	ready[0] = (struct pollfd){ .fd = listening, .events = POLLIN };
	/* Until it is killed, or the test is gone. (PR_SET_PDEATHSIG would look at the thread.) */
	while (poll(ready, n, 500) > 0 || getppid() == test) {
		for (nfds_t i = n - 1; i > 0; i--) {
			struct call call = { .fd = ready[i].fd, .connection = connection[i] };

			if (!ready[i].revents || serve(&call, script))
				continue;
			close(ready[i].fd);
			n--;
			ready[i] = ready[n];
			connection[i] = connection[n];
		}
		if (ready[0].revents && n < CONNECTIONS_MAX) {
			ready[n] = (struct pollfd){ .fd = accept(listening, NULL, NULL),
				                    .events = POLLIN };
			connection[n++] =
				__atomic_add_fetch(&seen->connections, 1, __ATOMIC_RELAXED);
		}
	}
}

void responder_start(script_fn *script)
{
	pid_t test = getpid();

	answering = fork();
	ck_assert_int_ge(answering, 0);
	if (answering > 0)
		return;

	signal(SIGPIPE, SIG_IGN);
	run(script, test);
	_exit(EXIT_FAILURE);
}

void responder_kill(void)
{
	if (answering < 0)
		return;
	kill(answering, SIGKILL);
	waitpid(answering, NULL, 0);
	answering = -1;
}

void answer(const struct call *call, uint32_t status, const void *body, size_t size, size_t piece)
{
	struct writer out = writer_new(PROTO_REPLY_MAX);
	size_t left;

	frame_begin(&out, call->command, status);
	writer_bytes(&out, body, size);
	frame_finish(&out);
	for (size_t sent = 0; sent < out.size;) {
		left = out.size - sent;
		left = piece > 0 && piece < left ? piece : left;
		if (send(call->fd, out.bytes + sent, left, MSG_NOSIGNAL) != (ssize_t)left)
			break;
		sent += left;
	}
	writer_free(&out);
}

void answer_nothing(const struct call *call)
{
	static const uint32_t nothing[2] = { 0, 0 };

	answer(call, 0, nothing, sizeof(nothing), 0);
}

bool answer_version(const struct call *call)
{
	static const uint32_t version = PROTO_NSS_VERSION;

	if (call->command != PROTO_GET_VERSION)
		return false;
	answer(call, 0, &version, sizeof(version), 0);
	return true;
}

void put_user(struct writer *out, const char *name, uint32_t uid, uint32_t gid)
{
	writer_u32(out, uid);
	writer_u32(out, gid);
	writer_str(out, name);
	writer_str(out, "*");
	writer_str(out, "");
	writer_str(out, "/home/it");
	writer_str(out, "/bin/sh");
}

static void put_group(struct writer *out, const char *name, uint32_t gid, uint32_t members)
{
	char member[16];

	writer_u32(out, gid);
	writer_u32(out, members);
	writer_str(out, name);
	writer_str(out, "*");
	for (uint32_t i = 0; i < members; i++) {
		snprintf(member, sizeof(member), "user%u", i);
		writer_str(out, member);
	}
}

/* The number behind prefix in the name or id that call asks for, or -1. */
static int asked_for(const struct call *call, const char *prefix, uint32_t first_id)
{
	bool by_id = call->command == PROTO_GETPWUID || call->command == PROTO_GETGRGID;
	char name[PROTO_NAME_MAX + 2] = "";
	int number = -1;
	uint32_t id;

	if (by_id) {
		ck_assert_uint_eq(call->body_size, sizeof(id));
		memcpy(&id, call->body, sizeof(id));
		return id >= first_id && id < first_id + 10000 ? (int)(id - first_id) : -1;
	}
	ck_assert_uint_ge(call->body_size, 2);
	ck_assert_uint_le(call->body_size, sizeof(name) - 1);
	memcpy(name, call->body, call->body_size);
	ck_assert_uint_eq(strlen(name) + 1, call->body_size);
	if (strncmp(name, prefix, strlen(prefix)) != 0 ||
	    sscanf(name + strlen(prefix), "%4d", &number) != 1)
		return -1;
	return number;
}

void forget_frames(void *unused)
{
	const uint8_t *end = __builtin_frame_address(0);

	(void)unused;
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(end - FRAMES_SIZE, FRAMES_SIZE);
}

static void find_user(const struct call *call, struct writer *out)
{
	int number = asked_for(call, "user", 1000);
	char name[16];

	if (number < 0)
		return;
	snprintf(name, sizeof(name), "user%d", number);
	writer_u32(out, 1);
	writer_u32(out, 0);
	put_user(out, name, 1000 + (uint32_t)number, 20000);
}

static void find_group(const struct call *call, struct writer *out)
{
	int number = asked_for(call, "group", 20000);
	bool big = number < 0 && (asked_for(call, "nobody", 30000) == 0 ||
	                          (call->body_size == 4 && memcmp(call->body, "big", 4) == 0));
	char name[16] = "big";

	if (number < 0 && !big)
		return;
	if (!big)
		snprintf(name, sizeof(name), "group%d", number);
	writer_u32(out, 1);
	writer_u32(out, 0);
	put_group(out, name, big ? 30000 : 20000 + (uint32_t)number, big ? BIG_MEMBERS : 3);
}

static void find_groups_of(const struct call *call, struct writer *out)
{
	int number = asked_for(call, "user", 0);

	if (number < 0)
		return;
	writer_u32(out, (uint32_t)number + 1);
	writer_u32(out, 0);
	for (int i = 0; i <= number; i++)
		writer_u32(out, 20000 + (uint32_t)i);
}

/* One walk at a time is enough for tests: its place is in the answering process. */
static void walk(const struct call *call, struct writer *out)
{
	static uint32_t place;
	uint32_t last = place + WALK_PORTION < WALK_LAST ? place + WALK_PORTION : WALK_LAST;
	char name[16];

	if (call->command == PROTO_SETPWENT || call->command == PROTO_SETGRENT) {
		place = 0;
		return;
	}
	writer_u32(out, last - place);
	writer_u32(out, 0);
	for (; place < last; place++) {
		if (call->command == PROTO_GETPWENT) {
			snprintf(name, sizeof(name), "user%u", place);
			put_user(out, name, 1000 + place, 20000);
		} else {
			snprintf(name, sizeof(name), "group%u", place);
			put_group(out, name, 20000 + place, 3);
		}
	}
}

bool script_directory(const struct call *call)
{
	struct writer out = writer_new(PROTO_REPLY_MAX);

	switch (call->command) {
	case PROTO_GET_VERSION:
		return answer_version(call);
	case PROTO_GETPWNAM:
	case PROTO_GETPWUID:
		find_user(call, &out);
		break;
	case PROTO_GETGRNAM:
	case PROTO_GETGRGID:
		find_group(call, &out);
		break;
	case PROTO_INITGR:
		find_groups_of(call, &out);
		break;
	case PROTO_SETPWENT:
	case PROTO_SETGRENT:
		walk(call, &out);
		answer(call, 0, NULL, 0, 0);
		return true;
	case PROTO_GETPWENT:
	case PROTO_GETGRENT:
		walk(call, &out);
		break;
	default:
		return false;
	}

	ck_assert_int_eq(writer_end(&out), 0);
	if (out.size > 0)
		answer(call, 0, out.bytes, out.size, 0);
	else
		answer_nothing(call);
	writer_free(&out);
	return true;
}
