// SPDX-License-Identifier: Apache-2.0
#include "node/exchange.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/smc_diag.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "base/addr.h"
#include "base/clock.h"
#include "base/ipproto.h"
#include "node/diag.h"

#define STEP_MS 10000
#define TRIPS 16
#define BACKLOG 128 /* what busy-listener wants, and much more */

union endpoint {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Return: its length. */
static socklen_t endpoint_of(const struct smc_addr *addr, __u16 port,
			     union endpoint *out)
{
	memset(out, 0, sizeof(*out));
	if (addr_is_v4(addr)) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		memcpy(&out->v4.sin_addr, addr->ip + 12, 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(port);
	memcpy(&out->v6.sin6_addr, addr->ip, 16);
	return sizeof(out->v6);
}

static __u16 port_of(const union endpoint *e)
{
	return ntohs(e->sa.sa_family == AF_INET ? e->v4.sin_port
						: e->v6.sin6_port);
}

/* As programs call it. */
static int open_socket(const union endpoint *e, bool *converted)
{
	int fd = socket(e->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len))
		protocol = 0;
	*converted = ipproto_is_smc(protocol);
	return fd;
}

static int own_port(int fd, __u16 *out)
{
	union endpoint own = {};
	socklen_t len = sizeof(own);

	if (getsockname(fd, &own.sa, &len))
		return -errno;
	*out = port_of(&own);
	return 0;
}

/* Return: 0, -ETIMEDOUT, or another errno. */
static int wait_for(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do {
		n = poll(&p, 1, ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* ---- the server ---------------------------------------------------------- */

int exchange_listen(const struct smc_addr *at, __u16 *port, bool *converted)
{
	union endpoint e;
	socklen_t len = endpoint_of(at, 0, &e);
	_close_ int fd = open_socket(&e, converted);
	int err;

	if (fd < 0)
		return fd;
	if (bind(fd, &e.sa, len) || listen(fd, BACKLOG))
		return -errno;
	err = own_port(fd, port);
	return err ?: take_fd(fd);
}

/* Until the client closes it, or is silent. Return: its first byte, or 0. */
static char echo(int fd)
{
	char first = 0, byte;

	while (!wait_for(fd, POLLIN, STEP_MS) && recv(fd, &byte, 1, 0) == 1) {
		if (!first)
			first = byte;
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	return first;
}

static void serve_one(int fd, __u16 port, struct exchange_served *out)
{
	switch (echo(fd)) {
	case EXCHANGE_CHECK:
		if (out->n < EXCHANGE_MAX)
			out->ports[out->n++] = port;
		break;
	case EXCHANGE_LAST:
		out->last = true;
		break;
	}
}

int exchange_serve(int listener, struct exchange_served *out)
{
	while (!out->last) {
		int err = wait_for(listener, POLLIN, EXCHANGE_IDLE_S * 1000);
		union endpoint peer = {};
		socklen_t len = sizeof(peer);
		_close_ int fd = -1;

		if (err)
			return err == -ETIMEDOUT ? 0 : err;
		fd = accept4(listener, &peer.sa, &len, SOCK_CLOEXEC);
		if (fd >= 0)
			serve_one(fd, port_of(&peer), out);
		else if (errno != EAGAIN && errno != ECONNABORTED)
			return -errno;
	}
	return 0;
}

/* ---- the client ---------------------------------------------------------- */

/* Non-blocking, for a peer that says nothing more. */
static int connect_to(int fd, const struct sockaddr *to, socklen_t len)
{
	int flags = fcntl(fd, F_GETFL), so_error = 0, err;
	socklen_t size = sizeof(so_error);

	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	if (connect(fd, to, len) && errno != EINPROGRESS)
		return -errno;
	err = wait_for(fd, POLLOUT, STEP_MS);
	if (err)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &so_error, &size))
		return -errno;
	if (so_error)
		return -so_error;
	return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

static int trip(int fd, char byte)
{
	ssize_t n;
	int err;

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return -errno;
	err = wait_for(fd, POLLIN, STEP_MS);
	if (err)
		return err;
	n = recv(fd, &byte, 1, 0);
	return n == 1 ? 0 : n ? -errno : -ECONNRESET;
}

static int by_time(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int talk_to(int fd, enum exchange_kind kind, __u64 began,
		   struct exchange *out)
{
	__u64 ns[TRIPS];
	int err = trip(fd, kind);

	if (err)
		return err;
	out->answered = true;
	out->first_ns = clock_now() - began;
	for (int i = 0; i < TRIPS; i++) {
		ns[i] = clock_now();
		err = trip(fd, kind);
		if (err)
			return err;
		ns[i] = clock_now() - ns[i];
	}
	qsort(ns, TRIPS, sizeof(*ns), by_time);
	out->trip_ns = ns[TRIPS / 2];
	return 0;
}

static enum exchange_mode mode_of(const struct diag_smc *s)
{
	if (s->mode == SMC_DIAG_MODE_FALLBACK_TCP)
		return EXCHANGE_IS_TCP;
	if (s->state != DIAG_SMC_ACTIVE)
		return EXCHANGE_UNTOLD;
	return s->mode == SMC_DIAG_MODE_SMCD ? EXCHANGE_IS_SMCD
					     : EXCHANGE_IS_SMCR;
}

static void diagnose(int fd, struct exchange *out)
{
	_free_ struct diag_smc *v = NULL;
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);
	int n;

	if (!out->converted) {
		out->mode = EXCHANGE_IS_TCP;
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		return;
	n = diag_smc_list(&v);
	for (int i = 0; i < n; i++) {
		if (v[i].cookie != cookie)
			continue;
		out->mode = mode_of(&v[i]);
		out->fallback = v[i].fallback;
	}
}

static int use(int fd, const struct smc_addr_port *to, enum exchange_kind kind,
	       bool talk, struct exchange *out)
{
	struct smc_addr addr;
	union endpoint e;
	socklen_t len;
	__u64 began = clock_now();
	int err;

	memcpy(addr.ip, to->ip, sizeof(addr.ip));
	len = endpoint_of(&addr, to->port, &e);
	err = connect_to(fd, &e.sa, len);
	if (err)
		return err;
	out->connected = true;
	err = own_port(fd, &out->port);
	if (!err && talk)
		err = talk_to(fd, kind, began, out);
	diagnose(fd, out);
	return err;
}

void exchange_connect(const struct smc_addr_port *to, enum exchange_kind kind,
		      bool talk, struct exchange *out)
{
	struct smc_addr addr;
	_close_ int fd = -1;
	union endpoint e;

	*out = (struct exchange){};
	memcpy(addr.ip, to->ip, sizeof(addr.ip));
	endpoint_of(&addr, to->port, &e);
	fd = open_socket(&e, &out->converted);
	out->err = fd < 0 ? fd : use(fd, to, kind, talk, out);
}
