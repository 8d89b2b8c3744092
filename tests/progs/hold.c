// SPDX-License-Identifier: Apache-2.0
/*
 * hold - a plain TCP client: makes connections, proves that each one carries
 * data both ways, says what it made, and holds them until its standard input
 * ends. It knows nothing of SMC; a test asks the kernel what the held
 * connections are.
 *
 *   --protocol P   third argument of socket(): 0 (default), tcp, mptcp or smc
 *   --from SPAN    bind to these addresses in turn
 *   --mark N       SO_MARK
 *   --buffer N     SO_RCVBUF and SO_SNDBUF, bytes
 *   --fastopen     TCP_FASTOPEN_CONNECT: an SMC socket falls back at once
 *   --count N      so many connections (default 1), to the span's addresses
 *   ADDRESS[+COUNT]:PORT
 *
 * One JSON object per line: {"local": [ip, port], "remote": [ip, port],
 * "protocol": N, "us": N} for each connection, then {"held": N}. `protocol` is
 * SO_PROTOCOL, `us` the time of connect() and the first round trip.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "prog.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define PATIENCE_S 20

static struct span to, from;
static int protocol;
static unsigned int mark, buffer;
static bool fastopen;

static int protocol_of(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {
		{"0", 0},
		{"tcp", IPPROTO_TCP},
		{"mptcp", IPPROTO_MPTCP},
		{"smc", IPPROTO_SMC},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(name, known[i].name))
			return known[i].number;
	die("'%s' is not 0, tcp, mptcp or smc", name);
}

static void print_end(const char *key, int fd,
		      int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[INET6_ADDRSTRLEN], port[8];

	if (get(fd, (struct sockaddr *)&ss, &len) ||
	    getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		die("%s address", key);
	printf("\"%s\": [\"%s\", %s], ", key, host, port);
}

static int protocol_now(int fd)
{
	int now = -1;
	socklen_t len = sizeof(now);

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &now, &len))
		die("SO_PROTOCOL");
	return now;
}

static void set_options(int fd)
{
	const int on = 1;

	if (mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		die("SO_MARK");
	if (buffer &&
	    (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)) ||
	     setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer))))
		die("SO_RCVBUF, SO_SNDBUF");
	if (fastopen &&
	    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)))
		die("TCP_FASTOPEN_CONNECT");
}

static void one_connection(unsigned int i)
{
	socklen_t len, from_len;
	struct sockaddr_storage a = span_at(&to, i, &len), b;
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	int fd = socket(a.ss_family, SOCK_STREAM, protocol);

	if (fd < 0)
		die("socket");
	sock_timeout(fd, PATIENCE_S);
	set_options(fd);
	if (from.n) {
		b = span_at(&from, i, &from_len);
		if (bind(fd, (struct sockaddr *)&b, from_len))
			die("bind");
	}
	if (connect(fd, (struct sockaddr *)&a, len))
		die("connect");
	errno = -echo_once(fd, i);
	if (errno)
		die("the first message");
	putchar('{');
	print_end("local", fd, getsockname);
	print_end("remote", fd, getpeername);
	printf("\"protocol\": %d, \"us\": %llu}\n", protocol_now(fd),
	       (unsigned long long)(now_ns(CLOCK_MONOTONIC) - start) / 1000);
}

static void usage(void)
{
	fputs("usage: hold [--protocol P] [--from SPAN] [--mark N] [--buffer N] "
	      "[--fastopen] [--count N] SPAN\n",
	      stderr);
	_exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"protocol", required_argument, NULL, 'p'},
		{"from", required_argument, NULL, 'f'},
		{"mark", required_argument, NULL, 'm'},
		{"buffer", required_argument, NULL, 'b'},
		{"fastopen", no_argument, NULL, 'o'},
		{"count", required_argument, NULL, 'c'},
		{0},
	};
	unsigned long count = 1;
	char byte;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			protocol = protocol_of(optarg);
		else if (c == 'f')
			span_parse(optarg, &from);
		else if (c == 'm')
			mark = number(optarg);
		else if (c == 'b')
			buffer = number(optarg);
		else if (c == 'o')
			fastopen = true;
		else if (c == 'c')
			count = number(optarg);
		else
			usage();
	}
	if (optind + 1 != argc)
		usage();
	span_parse(argv[optind], &to);
	for (unsigned long i = 0; i < count; i++)
		one_connection(i);
	printf("{\"held\": %lu}\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
