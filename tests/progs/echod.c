// SPDX-License-Identifier: Apache-2.0
/*
 * echod [--smc] [--backlog N] [--each N] SPAN...: an echo server with one
 * listener per address, or N of them (SO_REUSEPORT). Prints "ready" when all of
 * them listen; on SIGTERM one JSON object: what the accepted connections were,
 * as the kernel says, how many broke, and how many SMC handshake messages
 * reached the application.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "prog.h"

#define MAX_FD 65536

enum kind { UNUSED, SIGNAL, LISTENER, CONNECTION };

static unsigned char kinds[MAX_FD];
static unsigned long accepted_smc, accepted_tcp, broken, clc;
static unsigned long backlog = 4096, each = 1;
static int protocol;

static void watch(int ep, int fd, enum kind kind)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= MAX_FD || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		die("watch descriptor %d", fd);
	kinds[fd] = kind;
}

static void listen_on(int ep, const struct span *s, unsigned int i)
{
	socklen_t len;
	struct sockaddr_storage a = span_at(s, i, &len);
	int one = 1;
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (each > 1)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (void *)&a, len) || listen(fd, backlog))
		die("listen on address %u of the span", i);
	watch(ep, fd, LISTENER);
}

static void take(int ep, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (sock_is_smc(fd))
			accepted_smc++;
		else
			accepted_tcp++;
		watch(ep, fd, CONNECTION);
	}
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		broken++;
}

/* Messages are a few bytes, far below a send buffer: a short write is an
 * error of the connection, not something to queue. */
static void echo(int fd)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* the start of an SMC handshake message: a client that took a plain
	 * connection for SMC */
	clc += n >= 4 && !memcmp(buf, "\xe2\xd4\xc3", 3);
	if (n > 0 && send(fd, buf, n, MSG_NOSIGNAL) == n)
		return;
	if (n)
		broken++;
	kinds[fd] = UNUSED;
	close(fd);
}

static int catch_sigterm(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void serve(int ep)
{
	struct epoll_event ev[64];

	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (kinds[fd] == SIGNAL)
				return;
			if (kinds[fd] == LISTENER)
				take(ep, fd);
			else if (kinds[fd] == CONNECTION)
				echo(fd);
		}
	}
}

static void options(int argc, char **argv)
{
	static const struct option table[] = {
		{"smc", 0, NULL, 's'},
		{"backlog", 1, NULL, 'b'},
		{"each", 1, NULL, 'e'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 's')
			protocol = IPPROTO_SMC;
		else if (c == 'b')
			backlog = number(optarg);
		else if (c == 'e')
			each = number(optarg);
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {MAX_FD, MAX_FD};
	int ep = epoll_create1(EPOLL_CLOEXEC);

	options(argc, argv);
	setrlimit(RLIMIT_NOFILE, &files);
	watch(ep, catch_sigterm(), SIGNAL);
	for (int i = optind; i < argc; i++) {
		struct span s;

		span_parse(argv[i], &s);
		for (unsigned int a = 0; a < s.n; a++)
			for (unsigned long k = 0; k < each; k++)
				listen_on(ep, &s, a);
	}
	printf("ready\n");
	fflush(stdout);
	serve(ep);
	printf("{\"smc\": %lu, \"tcp\": %lu, \"broken\": %lu, "
	       "\"clc\": %lu}\n",
	       accepted_smc, accepted_tcp, broken, clc);
	return 0;
}
