/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Network - addresses, routes, links or resolv.conf changed, the machine was suspended or its clock
 * set: backends should try again now
 */
#include "monitor/network.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/event/clock.h"
#include "common/event/pathwatch.h"
#include "common/event/timer.h"

/* Changes come in bursts: a link, its addresses, their routes. */
#define SETTLE_MS 1000

#define GROUPS                                                                       \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | \
	 RTMGRP_IPV6_ROUTE)

struct network {
	struct tevent_context *ev; /* borrowed */
	void (*changed)(void *data);
	void *data;
	int fd; /* of rtnetlink; -1 = not watched */
	struct tevent_fd *fde;
	struct timer *settle; /* while a burst lasts */
	const char *path;     /* borrowed: of resolv.conf */
	struct pathwatch *resolv_conf;
	struct stat seen; /* without inotify: how it was; all 0 = there was none */
};

/* The kernel also sends news that are none: statistics of wireless links (nothing in ifi_change),
 * routes it only cached. */
static bool message_is_change(unsigned type, const char *body, size_t size)
{
	struct ifinfomsg link;
	struct rtmsg route;

	switch (type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_DELLINK:
		return true;
	case RTM_NEWLINK:
		if (size < sizeof(link))
			return false;
		memcpy(&link, body, sizeof(link));
		return link.ifi_change != 0 && !(link.ifi_flags & IFF_LOOPBACK);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (size < sizeof(route))
			return false;
		memcpy(&route, body, sizeof(route));
		return !(route.rtm_flags & RTM_F_CLONED) && route.rtm_table != RT_TABLE_LOCAL;
	default:
		return false;
	}
}

bool network_is_change(const void *bytes, size_t size)
{
	const char *at = bytes;
	struct nlmsghdr header;
	size_t step;

	while (size >= sizeof(header)) {
		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size)
			return false;
		if (message_is_change(header.nlmsg_type, at + sizeof(header),
		                      header.nlmsg_len - sizeof(header)))
			return true;
		step = NLMSG_ALIGN((size_t)header.nlmsg_len);
		if (step > size)
			return false;
		at += step;
		size -= step;
	}
	return false;
}

static void settled(void *data)
{
	struct network *network = data;

	network->settle = NULL; /* freed by its firing */
	network->changed(network->data);
}

static void something_changed(struct network *network)
{
	if (!network->settle)
		network->settle = timer_once(network, network->ev, SETTLE_MS, settled, network);
}

static void readable(struct tevent_context *ev, struct tevent_fd *fde, uint16_t flags, void *data)
{
	struct network *network = data;
	char bytes[16384];
	struct sockaddr_nl from = { 0 };
	socklen_t from_size = sizeof(from);
	ssize_t size;

	(void)ev;
	(void)fde;
	(void)flags;
	size = recvfrom(network->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_size);
	if (size < 0) {
		if (errno == ENOBUFS) /* more than it could keep for us */
			something_changed(network);
		return;
	}
	/* Any process may send us one; the kernel is number 0. */
	if (from.nl_pid == 0 && network_is_change(bytes, (size_t)size))
		something_changed(network);
}

/* Servers may have been lost, or won, and certificates are in force that were not. */
static void clock_was_set(void *data)
{
	log_info("the clock was set, or the machine was suspended");
	something_changed(data);
}

static int network_free(struct network *network)
{
	TALLOC_FREE(network->fde);
	if (network->fd >= 0)
		close(network->fd);
	return 0;
}

static int watch_netlink(struct network *network)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = GROUPS };

	network->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (network->fd < 0 || bind(network->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	network->fde =
		tevent_add_fd(network->ev, network, network->fd, TEVENT_FD_READ, readable, network);
	return network->fde ? 0 : -ENOMEM;
}

/* ---- resolv.conf ---- */

static void resolv_conf_changed(void *data)
{
	struct network *network = data;

	network->changed(network->data);
}

static struct stat stamp_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st : (struct stat){ 0 };
}

static void look_at_resolv_conf(void *data)
{
	struct network *network = data;
	struct stat now = stamp_of(network->path), *seen = &network->seen;
	bool is_same = now.st_dev == seen->st_dev && now.st_ino == seen->st_ino &&
	               now.st_ctim.tv_sec == seen->st_ctim.tv_sec &&
	               now.st_ctim.tv_nsec == seen->st_ctim.tv_nsec;

	*seen = now;
	if (!is_same)
		something_changed(network);
}

static int watch_resolv_conf(struct network *network, const struct network_options *options)
{
	int r;

	network->path = options->resolv_conf;
	if (options->inotify) {
		r = pathwatch_new(network, network->ev, network->path, SETTLE_MS,
		                  resolv_conf_changed, network, &network->resolv_conf);
		if (r == 0)
			return 0;
		log_warn("inotify cannot watch %s: %s: it is looked at every %d ms", network->path,
		         error_text(r), (int)options->look_ms);
	}
	network->seen = stamp_of(network->path);
	return timer_every(network, network->ev, options->look_ms, 0, look_at_resolv_conf, network)
	               ? 0
	               : -ENOMEM;
}

struct network *network_new(TALLOC_CTX *mem, struct tevent_context *ev,
                            const struct network_options *options, void (*changed)(void *data),
                            void *data)
{
	struct network *network = talloc_zero(mem, struct network);
	int r;

	if (!network)
		return NULL;
	network->ev = ev;
	network->changed = changed;
	network->data = data;
	network->fd = -1;
	talloc_set_destructor(network, network_free);

	r = options->netlink ? watch_netlink(network) : 0;
	if (r < 0)
		log_warn("changes of the network cannot be watched: %s", error_text(r));
	r = clock_watch(network, ev, clock_was_set, network);
	if (r < 0)
		log_warn("steps of the clock cannot be watched: %s", error_text(r));
	r = options->resolv_conf ? watch_resolv_conf(network, options) : 0;
	if (r < 0)
		log_warn("changes of %s cannot be watched: %s", options->resolv_conf,
		         error_text(r));
	return network;
}
