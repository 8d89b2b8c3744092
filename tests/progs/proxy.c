// SPDX-License-Identifier: Apache-2.0
/*
 * proxy - what a service mesh's sidecar does to a connection, without what it
 * does to its bytes. Connections that a redirect rule sent to the outbound
 * port go on to where the application dialled; those sent to the inbound port
 * go on to the application, from 127.0.0.6 or ::6, as istio's proxy does.
 *
 *	proxy [-o PORT] [-i PORT] [-l LIMIT] [-m MARK] [-4] [-t]
 *
 * Standard output is one JSON object per line: {"ready": true}, then for each
 * connection {"dir": "in"|"out", "from": [address, port], "to": [address,
 * port], "via": PORT, "error": N}; "to" is the original destination, "via" the
 * local port of the proxy's own connection. LIMIT connections (default 2000)
 * end the program with 3: a proxy that is redirected to itself makes a new
 * connection for each one, for ever. With MARK it marks what it opens
 * (SO_MARK). With -t what comes to the inbound port was led there by TPROXY,
 * its address is as it was.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "prog.h"

#define ORIGINAL_DST 80 /* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST */

struct listener {
	int fd;
	int family;
	bool inbound;
};

struct connection {
	int client;
	struct listener *l;
};

static int limit = 2000, mark;
static bool transparent;

static uint16_t port_of(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)ss)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
}

static const char *text_of(const struct sockaddr_storage *ss,
			   char buf[INET6_ADDRSTRLEN])
{
	const void *ip =
		ss->ss_family == AF_INET
			? (const void *)&((const struct sockaddr_in *)ss)
				  ->sin_addr
			: (const void *)&((const struct sockaddr_in6 *)ss)
				  ->sin6_addr;

	return inet_ntop(ss->ss_family, ip, buf, INET6_ADDRSTRLEN);
}

static void tell(const struct listener *l, int client, int server,
		 const struct sockaddr_storage *to, int err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int count;
	struct sockaddr_storage from = {0}, via = {0};
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	socklen_t len = sizeof(from);

	getpeername(client, (struct sockaddr *)&from, &len);
	len = sizeof(via);
	if (server < 0 || getsockname(server, (struct sockaddr *)&via, &len))
		via.ss_family = AF_INET;
	pthread_mutex_lock(&lock);
	printf("{\"dir\": \"%s\", \"from\": [\"%s\", %u], "
	       "\"to\": [\"%s\", %u], \"via\": %u, \"error\": %d}\n",
	       l->inbound ? "in" : "out", text_of(&from, a), port_of(&from),
	       text_of(to, b), port_of(to), port_of(&via), err);
	fflush(stdout);
	if (++count >= limit) {
		fprintf(stderr, "proxy: %d connections: a loop\n", count);
		_exit(3);
	}
	pthread_mutex_unlock(&lock);
}

static int come_from_loopback(int fd, int family)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (family == AF_INET) {
		inet_pton(AF_INET, "127.0.0.6", &v4.sin_addr);
		return bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	}
	inet_pton(AF_INET6, "::6", &v6.sin6_addr);
	return bind(fd, (struct sockaddr *)&v6, sizeof(v6));
}

/* Where the client wanted to. Return: 0 or -1. */
static int original(const struct connection *c, struct sockaddr_storage *to,
		    socklen_t *len)
{
	int level = c->l->family == AF_INET ? SOL_IP : SOL_IPV6;

	return transparent && c->l->inbound
		       ? getsockname(c->client, (struct sockaddr *)to, len)
		       : getsockopt(c->client, level, ORIGINAL_DST, to, len);
}

/* go_on - Connect to where the client wanted to. Return: fd or -errno. */
static int go_on(const struct connection *c, struct sockaddr_storage *to)
{
	socklen_t len = sizeof(*to);
	int fd, err;

	if (original(c, to, &len))
		return -errno;
	fd = socket(c->l->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if ((mark &&
	     setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark))) ||
	    (c->l->inbound && come_from_loopback(fd, c->l->family)) ||
	    connect(fd, (struct sockaddr *)to, len)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static bool pass(int from, int to)
{
	char buf[16384];
	ssize_t n = read(from, buf, sizeof(buf));

	return n > 0 && !send_all(to, buf, n);
}

static void shuttle(int a, int b)
{
	struct pollfd p[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0)
			return;
		if (p[0].revents && !pass(a, b)) {
			shutdown(b, SHUT_WR);
			p[0].fd = -1;
			p[0].revents = 0;
		}
		if (p[1].revents && !pass(b, a)) {
			shutdown(a, SHUT_WR);
			p[1].fd = -1;
			p[1].revents = 0;
		}
	}
}

static void *carry(void *arg)
{
	struct connection c = *(struct connection *)arg;
	struct sockaddr_storage to = {.ss_family = AF_INET};
	int server;

	free(arg);
	server = go_on(&c, &to);
	tell(c.l, c.client, server, &to, server < 0 ? -server : 0);
	if (server >= 0) {
		shuttle(c.client, server);
		close(server);
	}
	close(c.client);
	return NULL;
}

static void *listen_on(void *arg)
{
	struct listener *l = arg;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	for (;;) {
		struct connection *c = malloc(sizeof(*c));
		pthread_t t;

		if (!c)
			die("malloc");
		c->l = l;
		c->client = accept(l->fd, NULL, NULL);
		if (c->client < 0)
			die("accept");
		if (pthread_create(&t, &attr, carry, c))
			die("pthread_create");
	}
	return NULL;
}

static void start(int family, int port, bool inbound)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons((uint16_t)port)};
	int one = 1;
	pthread_t t;

	if (!l)
		die("calloc");
	l->family = family;
	l->inbound = inbound;
	l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		die("socket");
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(l->fd, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (transparent && inbound && family == AF_INET &&
	    setsockopt(l->fd, SOL_IP, IP_TRANSPARENT, &one, sizeof(one)))
		die("IP_TRANSPARENT");
	if (family == AF_INET ? bind(l->fd, (struct sockaddr *)&v4, sizeof(v4))
			      : bind(l->fd, (struct sockaddr *)&v6, sizeof(v6)))
		die("bind");
	if (listen(l->fd, 128))
		die("listen");
	if (pthread_create(&t, NULL, listen_on, l))
		die("pthread_create");
}

int main(int argc, char **argv)
{
	int out = 15001, in = 15006;
	bool v6 = true;
	int c;

	while ((c = getopt(argc, argv, "o:i:l:m:4t")) != -1) {
		if (c == 'o')
			out = number(optarg);
		else if (c == 'i')
			in = number(optarg);
		else if (c == 'l')
			limit = number(optarg);
		else if (c == 'm')
			mark = number(optarg);
		else if (c == '4')
			v6 = false;
		else if (c == 't')
			transparent = true;
		else
			return 2;
	}
	start(AF_INET, out, false);
	start(AF_INET, in, true);
	if (v6) {
		start(AF_INET6, out, false);
		start(AF_INET6, in, true);
	}
	puts("{\"ready\": true}");
	fflush(stdout);
	for (;;)
		pause();
}
