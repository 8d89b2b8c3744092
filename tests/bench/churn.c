// SPDX-License-Identifier: Apache-2.0
/*
 * churn serve PROTOCOL PORT
 *     accept and close for ever
 * churn run PROTOCOL ADDRESS PORT N [PID...]
 *     N times socket(), connect(), close(); prints the median and mean in ns,
 *     and the mean of what the processes PID ran meanwhile, with the interrupts
 *     that hit them
 * churn check PROTOCOL ADDRESS PORT
 *     one connection: is it SMC? prints yes or no
 *
 * PROTOCOL is socket()'s third argument: 0 or 256 (IPPROTO_SMC). Time is
 * CLOCK_MONOTONIC; in a VM run with -icount it follows executed instructions.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int open_socket(const char *protocol)
{
	int fd = socket(AF_INET, SOCK_STREAM, atoi(protocol));

	if (fd < 0)
		die("socket");
	return fd;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(atoi(port))};

	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		die(ip);
	return a;
}

static void __attribute__((noreturn)) serve(char **argv)
{
	struct sockaddr_in a = address("0.0.0.0", argv[3]);
	int fd = open_socket(argv[2]);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1024))
		die("listen");
	for (;;) {
		char byte;
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			die("accept");
		/* the client closes first: its end of file */
		while (read(c, &byte, 1) > 0)
			;
		close(c);
	}
}

static int by_value(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* The CPU time of processes so far, all their threads. */
static long long ran(char **pids)
{
	long long sum = 0;

	for (; *pids; pids++) {
		struct timespec t;
		clockid_t clock;

		if (clock_getcpuclockid(atoi(*pids), &clock) ||
		    clock_gettime(clock, &t))
			die(*pids);
		sum += t.tv_sec * 1000000000LL + t.tv_nsec;
	}
	return sum;
}

static int run(char **argv)
{
	struct sockaddr_in a = address(argv[3], argv[4]);
	long n = atol(argv[5]);
	long long *took = calloc(n, sizeof(*took));
	long long sum = 0, others;

	if (!took)
		die("calloc");
	others = ran(argv + 6);
	for (long i = 0; i < n; i++) {
		long long start = now();
		int fd = open_socket(argv[2]);

		if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
			die("connect");
		close(fd);
		took[i] = now() - start;
		sum += took[i];
	}
	others = ran(argv + 6) - others;
	qsort(took, n, sizeof(*took), by_value);
	printf("{\"median_ns\": %lld, \"mean_ns\": %lld, "
	       "\"others_ns\": %lld, \"n\": %ld}\n",
	       took[n / 2], sum / n, others / n, n);
	return 0;
}

/* An SMC socket that fell back is its inner TCP socket from then on. */
static int check(char **argv)
{
	struct sockaddr_in a = address(argv[3], argv[4]);
	int fd = open_socket(argv[2]), protocol = 0;
	socklen_t len = sizeof(protocol);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len))
		die("SO_PROTOCOL");
	puts(protocol == IPPROTO_TCP ? "no" : "yes");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(argv);
	if (argc == 5 && !strcmp(argv[1], "check"))
		return check(argv);
	if (argc >= 6 && !strcmp(argv[1], "run"))
		return run(argv);
	fprintf(stderr, "usage: churn serve PROTOCOL PORT\n"
			"       churn run PROTOCOL ADDRESS PORT N [PID...]\n"
			"       churn check PROTOCOL ADDRESS PORT\n");
	return 2;
}
