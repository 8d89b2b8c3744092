// SPDX-License-Identifier: Apache-2.0
/*
 * badpod MODE: a program that does its worst, without any capability, until
 * SIGTERM.
 *
 *   dead     keeps --count non-blocking connect() calls under way, to addresses
 *            where nobody answers; each is made anew when it fails
 *   storm    connects and closes, as fast as it can; every second close is a
 *            reset
 *   refuse   the same with sockets that fall back at once,
 *            TCP_FASTOPEN_CONNECT: each is an event for the agent
 *   buffers  keeps --count connections open that ask for buffers of 1 MiB, and
 *            makes the oldest anew
 *   flap     listens at the port of --to, accepts a few, resets all of them and
 *            begins again
 *
 *   --to SPAN        where to, or for flap where to listen
 *   --protocol P     of socket(): 0 (default), smc, or af_smc for the family
 *   --count N        (1)
 *   --threads N      (1)
 *   --pin CPU        all of them on this one
 *
 * Before it begins it says "ready". The result is one JSON object: sockets
 * made, and calls of socket() and connect() that failed.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "prog.h"

#ifndef AF_SMC
#define AF_SMC 43
#endif

#define BUFFER (1 << 20)
#define FLAP_BACKLOG 4
#define FLAP_ACCEPTS 8
#define FLAP_MS 20

static struct span to;
static int protocol;
static bool af_smc;
static unsigned long count = 1, threads = 1;
static int cpu = -1;

static atomic_bool stop;
static atomic_ulong made, no_socket, no_connect, next;

/* ---- sockets ---- */

static int open_socket(int type)
{
	int family = to.first.ss_family, fd;

	/* The number of AF_SMC's protocol says which family is inside. */
	if (af_smc)
		fd = socket(AF_SMC, SOCK_STREAM | type, family == AF_INET6);
	else
		fd = socket(family, SOCK_STREAM | type, protocol);
	atomic_fetch_add(fd < 0 ? &no_socket : &made, 1);
	return fd;
}

static int connect_next(int fd)
{
	socklen_t len;
	struct sockaddr_storage a =
		span_at(&to, atomic_fetch_add(&next, 1), &len);
	int err = connect(fd, (struct sockaddr *)&a, len) ? errno : 0;

	if (err && err != EINPROGRESS)
		atomic_fetch_add(&no_connect, 1);
	return err;
}

static void reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/* ---- dead ---- */

static void dead_one(struct pollfd *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = open_socket(SOCK_NONBLOCK);
	if (p->fd >= 0 && connect_next(p->fd) == EINPROGRESS)
		return;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static void dead(void)
{
	unsigned long n = count / threads;
	struct pollfd *p = calloc(n, sizeof(*p));

	if (!p)
		die("memory");
	for (unsigned long i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = -1, .events = POLLOUT};
	while (!stop) {
		for (unsigned long i = 0; i < n && !stop; i++)
			if (p[i].fd < 0 || p[i].revents)
				dead_one(&p[i]);
		poll(p, n, 50);
	}
}

/* ---- storm, refuse, buffers ---- */

static void storm(bool refused)
{
	const int on = 1;
	int fd;

	for (unsigned long i = 0; !stop; i++) {
		fd = open_socket(0);
		if (fd < 0)
			continue;
		sock_timeout(fd, 2);
		if (refused)
			setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on,
				   sizeof(on));
		if (!connect_next(fd) && refused)
			(void)!write(fd, "x", 1);
		if (i & 1)
			reset(fd);
		else
			close(fd);
	}
}

static int big_connection(void)
{
	const int size = BUFFER;
	int fd = open_socket(0);

	if (fd < 0)
		return -1;
	sock_timeout(fd, 2);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	connect_next(fd);
	return fd;
}

static void buffers(void)
{
	unsigned long n = count / threads;
	int *fds = malloc(n * sizeof(*fds));

	if (!fds)
		die("memory");
	memset(fds, -1, n * sizeof(*fds));
	for (unsigned long i = 0; !stop; i = (i + 1) % n) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = big_connection();
	}
}

/* ---- flap ---- */

static int flap_listen(void)
{
	const int on = 1;
	socklen_t len;
	struct sockaddr_storage a = span_at(&to, 0, &len);
	int fd = open_socket(0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (!bind(fd, (struct sockaddr *)&a, len) && !listen(fd, FLAP_BACKLOG))
		return fd;
	atomic_fetch_add(&no_connect, 1);
	close(fd);
	return -1;
}

static void flap(void)
{
	struct pollfd p = {.events = POLLIN};
	int fds[FLAP_ACCEPTS], n;

	while (!stop) {
		p.fd = flap_listen();
		for (n = 0; n < FLAP_ACCEPTS && poll(&p, 1, FLAP_MS) > 0; n++)
			fds[n] = accept(p.fd, NULL, NULL);
		while (n--)
			if (fds[n] >= 0)
				reset(fds[n]);
		if (p.fd >= 0)
			close(p.fd);
	}
}

/* ---- all ---- */

static void keep_storming(void)
{
	storm(false);
}

static void keep_refusing(void)
{
	storm(true);
}

static const struct mode {
	const char *name;
	void (*run)(void);
} modes[] = {
	{"dead", dead},
	{"storm", keep_storming},
	{"refuse", keep_refusing},
	{"buffers", buffers},
	{"flap", flap},
	{0},
};

static void usage(void)
{
	fputs("usage: badpod dead|storm|refuse|buffers|flap --to SPAN "
	      "[--protocol 0|smc|af_smc] [--count N] [--threads N] "
	      "[--pin CPU]\n",
	      stderr);
	_exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},
		{"protocol", required_argument, NULL, 'p'},
		{"count", required_argument, NULL, 'c'},
		{"threads", required_argument, NULL, 'n'},
		{"pin", required_argument, NULL, 'x'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't') {
			span_parse(optarg, &to);
		} else if (c == 'p') {
			af_smc = !strcmp(optarg, "af_smc");
			protocol = strcmp(optarg, "smc") ? 0 : IPPROTO_SMC;
		} else if (c == 'c') {
			count = number(optarg);
		} else if (c == 'n') {
			threads = number(optarg);
		} else if (c == 'x') {
			cpu = number(optarg);
		} else {
			usage();
		}
	}
	if (!to.n || optind + 1 != argc)
		usage();
}

static void *thread(void *arg)
{
	const struct mode *m = arg;

	m->run();
	return NULL;
}

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU %d", cpu);
}

int main(int argc, char **argv)
{
	const struct mode *m = modes;
	pthread_t one;
	sigset_t term;
	int got;

	parse(argc, argv);
	while (m->name && strcmp(m->name, argv[optind]))
		m++;
	if (!m->name || count < threads)
		usage();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	if (cpu >= 0)
		pin();
	puts("ready");
	fflush(stdout);
	for (unsigned long i = 0; i < threads; i++)
		if (pthread_create(&one, NULL, thread, (void *)m))
			die("thread %lu", i);
	sigwait(&term, &got);
	stop = true;
	printf("{\"made\": %lu, \"no_socket\": %lu, \"no_connect\": %lu}\n",
	       made, no_socket, no_connect);
	fflush(stdout);
	_exit(0); /* no thread is waited for: one may sleep in connect() */
}
