// SPDX-License-Identifier: Apache-2.0
#include "node/synconnect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include "base/clock.h"

/* How long the peer may take to acknowledge an end, and how often that is
 * looked at: nothing wakes who waits for it. */
#define ACK_MAX_MS 1000
#define ACK_LOOK_MS 5

static long long now_ms(void)
{
	return clock_now() / CLOCK_MS;
}

/* Return: a socket, or a negative errno. */
static int tcp_socket(int family)
{
	_close_ int fd =
		socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       IPPROTO_TCP);
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len))
		return -errno;
	return protocol == IPPROTO_TCP ? take_fd(fd) : -EPROTOTYPE;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info;
}

/* A socket error, positive; 0: none. It is told once. */
static int error_of(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? errno : err;
}

/* Wait until it is connected or has an error: that, or EINPROGRESS. */
static int wait_connected(int fd, long long until_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	long long left;
	int got;

	do {
		left = until_ms - now_ms();
		got = poll(&p, 1, left > 0 ? left : 0);
	} while (got < 0 && errno == EINTR);
	return got > 0 ? error_of(fd) : EINPROGRESS;
}

/*
 * Is the connection reset? It is ended from here, and the peer's kernel
 * acknowledges that at once; what it, or something on the way, sent before has
 * come by then, however slow they are. Data or an end by the peer say that it
 * is not.
 */
static bool is_cut(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};
	long long until = now_ms() + ACK_MAX_MS;

	shutdown(fd, SHUT_WR);
	do {
		if (poll(&p, 1, ACK_LOOK_MS) > 0)
			return p.revents & POLLERR;
	} while (info_of(fd).tcpi_state == TCP_FIN_WAIT1 && now_ms() < until);
	return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

static int patiently(int fd, const struct sockaddr_storage *to)
{
	socklen_t len = to->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						 : sizeof(struct sockaddr_in6);
	long long begin = now_ms();
	int err;

	err = connect(fd, (const struct sockaddr *)to, len) ? errno : 0;
	if (err == EINPROGRESS)
		err = wait_connected(fd, begin + SYN_PATIENCE_MS);
	if (err == EINPROGRESS &&
	    info_of(fd).tcpi_total_retrans + 1 < SYN_REPEATS)
		err = wait_connected(fd, begin + 2 * SYN_PATIENCE_MS);
	return err;
}

int syn_connect(const struct sockaddr_storage *to, struct syn_outcome *out)
{
	_close_ int fd = tcp_socket(to->ss_family);
	int err;

	if (fd < 0)
		return fd;
	err = patiently(fd, to);
	out->syns = info_of(fd).tcpi_total_retrans + 1;
	if (!err) {
		out->end = is_cut(fd) ? SYN_CUT : SYN_ACCEPTED;
	} else if (err == ECONNRESET) {
		/* tcp_reset(): of a SYN it would be ECONNREFUSED */
		out->end = SYN_CUT;
	} else if (err == EINPROGRESS || err == ETIMEDOUT) {
		out->end = SYN_UNANSWERED;
		return out->syns < SYN_REPEATS ? -ETIME : 0;
	} else {
		out->end = SYN_REFUSED;
		out->err = err;
	}
	return 0;
}
