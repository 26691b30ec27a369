/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connection - one socket to a responder, inside somebody else's program
 *
 * A request on an open connection takes three system calls: fstat(2) to see that the descriptor is
 * still ours, send(2), recv(2). The socket is a blocking one whose time-outs stand for the deadline
 * as long as nothing was waited for; from then on poll(2) waits for what is left of it.
 */
#include "clientlibs/core/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clientlibs/core/own.h"
#include "common/wire/frame.h"
#include "common/wire/proto.h"

/* The unit tests build these sources with a path of their own. An environment variable would let
 * the caller of a setuid program choose who answers it. */
#ifndef CLIENT_SOCKET
#define CLIENT_SOCKET PROTO_NSS_SOCKET
#endif

#define FIRST_FD   64                /* above what daemons close and what shells redirect */
#define FIRST_ROOM ((size_t)8 << 10) /* holds nearly every reply */
#define KEPT_ROOM  ((size_t)64 << 10)
#define ERRNO_MAX  4095 /* the kernel's MAX_ERRNO: no errno is larger */

int64_t conn_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct conn conn_new(void)
{
	return (struct conn){ .fd = -1, .pid = getpid() };
}

void conn_adopt(struct conn *conn)
{
	conn->pid = getpid();
	conn_close(conn);
}

static bool is_ours(const struct conn *conn)
{
	return own_is(conn->fd, conn->dev, conn->ino);
}

bool conn_is_open(const struct conn *conn)
{
	return conn->fd >= 0 && !conn->abandoned && is_ours(conn);
}

void conn_close(struct conn *conn)
{
	if (conn->fd < 0)
		return;
	if (conn->pid != getpid()) {
		conn->abandoned = true;
		return;
	}
	own_close(conn->fd, conn->dev, conn->ino);
	conn->fd = -1;
	conn->abandoned = false;
}

void conn_trim(struct conn *conn)
{
	if (conn->reply_room <= KEPT_ROOM)
		return;
	free(conn->reply);
	conn->reply = NULL;
	conn->reply_size = conn->reply_room = 0;
}

void conn_free(struct conn *conn)
{
	conn_close(conn);
	free(conn->reply);
	conn->reply = NULL;
	conn->reply_size = conn->reply_room = 0;
}

/* Waits until the socket is ready for events, and makes sure that it is still ours: the program's
 * other threads were running. A hang-up counts as ready, the next call tells what it means. */
static int wait_for(const struct conn *conn, short events, int64_t deadline)
{
	struct pollfd ready = { .fd = conn->fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline - conn_now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&ready, 1, left < INT_MAX ? (int)left : INT_MAX);
	} while (n == 0 || (n < 0 && errno == EINTR));

	if (n < 0)
		return -errno;
	return is_ours(conn) ? 0 : -ECONNRESET;
}

/* A responder on its way out has shut its side for reading first: EPIPE means that it took nothing
 * of what we sent. ECONNRESET says the same, less clearly, of one that has gone. */
static int send_all(const struct conn *conn, const struct writer *request, int64_t deadline)
{
	size_t sent = 0;
	ssize_t n;
	int r;

	while (sent < request->size) {
		n = send(conn->fd, request->bytes + sent, request->size - sent,
		         MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return sent == 0 ? -EPIPE : -ECONNRESET;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		r = wait_for(conn, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Room for a reply of length bytes. The length is only a claim: no more than 64 KiB are believed
 * without bytes to show for it. */
static int make_room(struct conn *conn, size_t length)
{
	size_t room = conn->reply_room * 2;
	uint8_t *reply;

	if (conn->reply_size < conn->reply_room)
		return 0;
	if (room < KEPT_ROOM)
		room = KEPT_ROOM;
	if (room > length)
		room = length;
	if (room < FIRST_ROOM)
		room = FIRST_ROOM;

	reply = realloc(conn->reply, room);
	if (!reply)
		return -ENOMEM;
	conn->reply = reply;
	conn->reply_room = room;
	return 0;
}

/* Receives one whole message, and no byte beyond it: we asked one question.
 * flags  of the first recv(2): 0 lets it wait as long as the socket's own time-out */
static int receive_reply(struct conn *conn, int64_t deadline, int flags)
{
	int64_t length = 0; /* 0: not known yet */
	ssize_t n;
	int r;

	conn->reply_size = 0;
	do {
		r = make_room(conn, (size_t)length);
		if (r < 0)
			return r;

		n = recv(conn->fd, conn->reply + conn->reply_size,
		         conn->reply_room - conn->reply_size, flags);
		flags = MSG_DONTWAIT;
		if (n == 0)
			return -ECONNRESET;
		if (n < 0) {
			if (errno == ECONNRESET || errno == ENOTCONN)
				return -ECONNRESET;
			if (errno != EINTR && errno != EAGAIN)
				return -errno;
			r = wait_for(conn, POLLIN, deadline);
			if (r < 0)
				return r;
			continue;
		}

		conn->reply_size += (size_t)n;
		length = frame_length(conn->reply, conn->reply_size, PROTO_REPLY_MAX);
		if (length < 0 || (length > 0 && (size_t)length < conn->reply_size))
			return -EBADMSG;
	} while (length == 0 || conn->reply_size < (size_t)length);
	return 0;
}

int conn_ask(struct conn *conn, const struct writer *request, int64_t deadline, bool at_once)
{
	int r;

	r = send_all(conn, request, deadline);
	if (r == 0)
		r = receive_reply(conn, deadline, at_once ? 0 : MSG_DONTWAIT);
	if (r < 0)
		conn_close(conn);
	return r;
}

/* The status of a reply is an errno, or one of upstream's own numbers (from 0x555D0000), which mean
 * nothing outside. ERANGE would tell glibc to come back with a larger buffer, again and again. */
static int status_error(uint32_t status)
{
	if (status == 0)
		return 0;
	return status > ERRNO_MAX || status == ERANGE ? -EIO : -(int)status;
}

int conn_reply(struct conn *conn, const struct writer *request, struct reader *ret_body)
{
	struct frame_header asked = frame_header(request->bytes);
	struct frame_header header = frame_header(conn->reply);
	int r = status_error(header.status);

	if (header.command != asked.command)
		r = -EBADMSG;
	if (r < 0) {
		conn_close(conn);
		return r;
	}
	*ret_body =
		reader_over(conn->reply + PROTO_HEADER_SIZE, conn->reply_size - PROTO_HEADER_SIZE);
	return 0;
}

/* Moves fd away from the numbers that programs close, reuse and count on. */
static int move_high(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);

	if (high < 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); /* a low RLIMIT_NOFILE */
	close(fd);
	return high;
}

static int set_timeout(int fd, int option, int64_t ms)
{
	struct timeval time = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (ms <= 0)
		return -ETIMEDOUT; /* for the kernel, 0 means for ever */
	return setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time)) == 0 ? 0 : -errno;
}

/* A full backlog makes connect(2) wait until the socket's time-out for sending. */
static int connect_until(int fd, int64_t deadline)
{
	static const struct sockaddr_un where = { .sun_family = AF_UNIX,
		                                  .sun_path = CLIENT_SOCKET };
	int r;

	do {
		r = set_timeout(fd, SO_SNDTIMEO, deadline - conn_now_ms());
		if (r < 0)
			return r;
		if (connect(fd, (const struct sockaddr *)&where, sizeof(where)) == 0)
			return 0;
	} while (errno == EINTR || errno == EAGAIN);
	return -errno;
}

/* An AF_UNIX socket of ours, connected, at a number out of the way. */
static int open_socket(struct conn *conn, int64_t deadline)
{
	struct stat st;
	int fd, r;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	fd = move_high(fd);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	conn->fd = fd;
	conn->dev = st.st_dev;
	conn->ino = st.st_ino;

	r = connect_until(fd, deadline);
	if (r < 0)
		return r;
	/* For conn_ask(at_once): where it is too short, poll(2) waits for the rest. */
	return set_timeout(fd, SO_RCVTIMEO, deadline - conn_now_ms());
}

/* | version: u32 |   the same both ways */
static int handshake(struct conn *conn, int64_t deadline)
{
	struct writer request = writer_new(PROTO_REQUEST_MAX);
	struct reader body = { 0 };
	uint32_t version = 0;
	int r;

	frame_begin(&request, PROTO_GET_VERSION, 0);
	writer_u32(&request, PROTO_NSS_VERSION);
	r = frame_finish(&request);
	if (r == 0)
		r = conn_ask(conn, &request, deadline, false);
	if (r == 0 && conn_reply(conn, &request, &body) == 0)
		version = reader_u32(&body);
	writer_free(&request);

	if (r < 0)
		return r == -EPIPE ? -ECONNRESET : r;
	return version == PROTO_NSS_VERSION && reader_end(&body) == 0 ? 0 : -EFAULT;
}

/* A thread that is cancelled has its connection closed (client.c), but not a descriptor or memory
 * that is in nobody's hands yet: until there is a connection it is not. */
int conn_open(struct conn *conn, int64_t deadline)
{
	int r, cancelling;

	if (conn->pid != getpid() && conn->pid == getppid())
		return -EBUSY;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
	conn_adopt(conn); /* if it was not ours, then that of a vforked child of ours, now gone */
	r = open_socket(conn, deadline);
	if (r == 0)
		r = handshake(conn, deadline);
	if (r < 0)
		conn_close(conn);
	pthread_setcancelstate(cancelling, NULL);
	return r;
}
