// SPDX-License-Identifier: Apache-2.0
/*
 * sigconn [--smc] [--no-restart] COUNT SPAN: a blocking connect() that a signal
 * interrupts while the SYN-ACK is on its way, COUNT times.
 *
 * The timer fires 20 ms into connect(); its handler is still running when the
 * SYN-ACK comes (the test delays that by some 100 ms) and ends after 300 ms.
 * With SA_RESTART the kernel then calls connect() once more on a socket whose
 * handshake is over; without it the program gets EINTR and polls, as connect(2)
 * says. Prints one JSON object: how many worked, and what became of the others.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "prog.h"

#define FIRE_US 20000
#define HANDLER_NS 300000000L

static unsigned int handled, ok, connect_failed, stuck, echo_failed;

static void handler(int sig)
{
	struct timespec ts = {.tv_nsec = HANDLER_NS};

	(void)sig;
	handled++;
	nanosleep(&ts, NULL);
}

/* After EINTR the connection goes on by itself: wait for it. */
static int finish(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int err = 0;
	socklen_t len = sizeof(err);

	if (poll(&p, 1, 2000) != 1)
		return -EINPROGRESS;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return -err;
}

static void once(const struct span *to, unsigned int i, bool smc)
{
	struct itimerval soon = {.it_value.tv_usec = FIRE_US};
	socklen_t len;
	struct sockaddr_storage a = span_at(to, i, &len);
	int fd = socket(a.ss_family, SOCK_STREAM, smc ? IPPROTO_SMC : 0);
	int err;

	if (fd < 0)
		die("socket");
	/* no SO_SNDTIMEO: with one, the kernel never restarts connect() */
	setitimer(ITIMER_REAL, &soon, NULL);
	err = connect(fd, (void *)&a, len) ? -errno : 0;
	if (err == -EINTR)
		err = finish(fd);
	if (err) {
		stuck += err == -EINPROGRESS;
		connect_failed += err != -EINPROGRESS;
	} else {
		sock_timeout(fd, 5);
		err = echo_once(fd, i);
		echo_failed += err != 0;
		ok += err == 0;
	}
	if (err)
		fprintf(stderr, "%u: %s\n", i, strerror(-err));
	close(fd);
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	bool smc = false;
	struct span to;
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		smc |= !strcmp(argv[at], "--smc");
		if (!strcmp(argv[at], "--no-restart"))
			sa.sa_flags = 0;
	}
	errno = 0;
	if (argc - at != 2)
		die("usage: sigconn [--smc] [--no-restart] COUNT SPAN");
	span_parse(argv[at + 1], &to);
	sigaction(SIGALRM, &sa, NULL);
	for (unsigned int i = 0; i < number(argv[at]); i++)
		once(&to, i, smc);
	printf("{\"handled\": %u, \"ok\": %u, \"connect_failed\": %u, "
	       "\"stuck\": %u, \"echo_failed\": %u}\n",
	       handled, ok, connect_failed, stuck, echo_failed);
	return 0;
}
