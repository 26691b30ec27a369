/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockbuf - see sockbuf.h
 */
#include "backend/ldap/sockbuf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/time.h"

/* Of messages of a dozen bytes these are some milliseconds of work. */
#define TURN_BYTES 262144

/* When a server begins a TLS handshake anew, libldap tries until that has ended and does not return
 * meanwhile: it is let go on, for a while. Otherwise few reads of a turn find nothing. */
#define TURN_EMPTY_MAX 1000
#define HANDSHAKE_US   500000

/* 64 KiB for each operation that may be under way. For more, many must have been given up while the
 * server did not read. */
#define KEPT_MAX ((size_t)4 << 20)

struct sockbuf_layer {
	Sockbuf *sockbuf; /* borrowed, as is desc in it */
	Sockbuf_IO_Desc *desc;
	struct tevent_fd *fde; /* borrowed; NULL once closed */
	uint8_t *kept;         /* owned: to be written */
	size_t kept_size;
	size_t left;      /* that may be read in this turn */
	unsigned n_empty; /* reads of this turn that found nothing */
	int64_t stuck_us; /* since they are too many, of CLOCK_MONOTONIC */
	const char *reason;
};

/* Whoever called libldap may not be prepared for the end of everything: the loop will learn of it
 * from the descriptor. */
static void end_connection(struct sockbuf_layer *layer, const char *reason)
{
	ber_socket_t fd = -1;

	layer->reason = reason;
	if (layer->fde)
		TEVENT_FD_NOT_WRITEABLE(layer->fde);
	if (ber_sockbuf_ctrl(layer->sockbuf, LBER_SB_OPT_GET_FD, &fd) == 1)
		shutdown(fd, SHUT_RDWR);
}

/* ---- called by libldap ---- */

static int layer_setup(Sockbuf_IO_Desc *desc, void *arg)
{
	struct sockbuf_layer *layer = arg;

	desc->sbiod_pvt = layer;
	layer->desc = desc;
	return 0;
}

static int layer_ctrl(Sockbuf_IO_Desc *desc, int option, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(desc, option, arg);
}

/* Ends what libldap would not. */
static void found_nothing(struct sockbuf_layer *layer)
{
	if (++layer->n_empty == TURN_EMPTY_MAX)
		layer->stuck_us = monotonic_us();
	if (layer->n_empty < TURN_EMPTY_MAX)
		return;
	layer->left = TURN_BYTES;
	if (monotonic_us() - layer->stuck_us > HANDSHAKE_US)
		end_connection(layer, "the server began a TLS handshake and did not end it");
}

static ber_slen_t layer_read(Sockbuf_IO_Desc *desc, void *buf, ber_len_t size)
{
	struct sockbuf_layer *layer = desc->sbiod_pvt;
	ber_slen_t n = -1;

	if (layer->reason) {
		errno = ECONNRESET;
		return -1;
	}
	if (layer->left > 0)
		n = LBER_SBIOD_READ_NEXT(desc, buf, size < layer->left ? size : layer->left);
	else
		errno = EAGAIN;
	if (n > 0)
		layer->left -= (size_t)n;
	if (n < 0 && errno == EAGAIN) {
		found_nothing(layer);
		errno = EAGAIN;
	}
	return n;
}

static bool keep(struct sockbuf_layer *layer, const uint8_t *bytes, size_t size)
{
	size_t room = talloc_get_size(layer->kept), needed = layer->kept_size + size;
	uint8_t *kept = layer->kept;

	if (needed > KEPT_MAX)
		return false;
	if (needed > room)
		kept = talloc_realloc_size(layer, kept, needed > room * 2 ? needed : room * 2);
	if (!kept)
		return false;
	memcpy(kept + layer->kept_size, bytes, size);
	layer->kept = kept;
	layer->kept_size = needed;
	return true;
}

static ber_slen_t layer_write(Sockbuf_IO_Desc *desc, void *buf, ber_len_t size)
{
	struct sockbuf_layer *layer = desc->sbiod_pvt;
	ber_slen_t n = 0;

	if (layer->kept_size == 0 && !layer->reason) {
		n = LBER_SBIOD_WRITE_NEXT(desc, buf, size);
		if ((n < 0 && errno != EAGAIN) || n == (ber_slen_t)size || !layer->fde)
			return n;
		if (n < 0)
			n = 0;
	}
	if (!layer->reason && layer->fde) {
		TEVENT_FD_WRITEABLE(layer->fde);
		if (keep(layer, (uint8_t *)buf + n, size - (size_t)n))
			return (ber_slen_t)size;
		end_connection(layer, "the server does not take what it is sent");
	}
	errno = EPIPE;
	return -1;
}

static Sockbuf_IO layer_io = {
	.sbi_setup = layer_setup,
	.sbi_ctrl = layer_ctrl,
	.sbi_read = layer_read,
	.sbi_write = layer_write,
};

/* ---- called by us ---- */

int sockbuf_add(TALLOC_CTX *mem, LDAP *ld, struct tevent_fd *fde, struct sockbuf_layer **ret_layer)
{
	struct sockbuf_layer *layer = talloc_zero(mem, struct sockbuf_layer);

	if (!layer)
		return -ENOMEM;
	layer->fde = fde;
	sockbuf_begin_turn(layer);
	if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &layer->sockbuf) != LDAP_OPT_SUCCESS ||
	    ber_sockbuf_add_io(layer->sockbuf, &layer_io, LBER_SBIOD_LEVEL_PROVIDER, layer) != 0) {
		talloc_free(layer);
		return -ENOMEM;
	}
	*ret_layer = layer;
	return 0;
}

void sockbuf_begin_turn(struct sockbuf_layer *layer)
{
	layer->left = TURN_BYTES;
	layer->n_empty = 0;
}

void sockbuf_flush(struct sockbuf_layer *layer)
{
	ber_slen_t n;

	if (layer->kept_size == 0 || layer->reason)
		return;
	n = LBER_SBIOD_WRITE_NEXT(layer->desc, layer->kept, layer->kept_size);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		end_connection(layer, "the connection was closed");
	if (n <= 0)
		return;
	layer->kept_size -= (size_t)n;
	memmove(layer->kept, layer->kept + n, layer->kept_size);
	if (layer->kept_size == 0) {
		TALLOC_FREE(layer->kept);
		TEVENT_FD_NOT_WRITEABLE(layer->fde);
	}
}

const char *sockbuf_reason(const struct sockbuf_layer *layer)
{
	return layer->reason;
}

void sockbuf_close(struct sockbuf_layer *layer)
{
	layer->fde = NULL;
}

void sockbuf_remove(struct sockbuf_layer *layer)
{
	if (layer->kept_size > 0)
		end_connection(layer, "");
	ber_sockbuf_remove_io(layer->sockbuf, &layer_io, LBER_SBIOD_LEVEL_PROVIDER);
}
