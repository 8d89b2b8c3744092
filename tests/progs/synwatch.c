// SPDX-License-Identifier: Apache-2.0
/*
 * synwatch FILE: write a line for every SYN and SYN-ACK that this network
 * namespace sends or receives, until SIGTERM:
 *
 *   WALL_NS sent|got syn|synack SRC SPORT DST DPORT SEQ smc|-
 *
 * Prints "ready" at the start and one JSON object at the end; "dropped" must
 * be 0 for the file to be whole.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include "prog.h"
#include "tap.h"

static void line(FILE *f, const struct syn *s)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	inet_ntop(s->family, s->src, src, sizeof(src));
	inet_ntop(s->family, s->dst, dst, sizeof(dst));
	fprintf(f, "%" PRIu64 " %s %s %s %u %s %u %u %s\n", s->wall_ns,
		s->sent ? "sent" : "got", s->ack ? "synack" : "syn", src,
		s->sport, dst, s->dport, s->seq, s->smc ? "smc" : "-");
}

int main(int argc, char **argv)
{
	unsigned long seen = 0;
	struct pollfd p[2];
	struct syn s;
	sigset_t set;
	FILE *f;

	errno = 0;
	if (argc != 2)
		die("usage: synwatch FILE");
	f = fopen(argv[1], "w");
	if (!f)
		die("%s", argv[1]);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[0] = (struct pollfd){.fd = tap_open(), .events = POLLIN};
	p[1] = (struct pollfd){.fd = signalfd(-1, &set, 0), .events = POLLIN};
	printf("ready\n");
	fflush(stdout);
	do {
		poll(p, 2, -1);
		for (; tap_read(p[0].fd, &s); seen++)
			line(f, &s);
	} while (!p[1].revents);
	if (fclose(f))
		die("%s", argv[1]);
	printf("{\"seen\": %lu, \"dropped\": %lu}\n", seen,
	       tap_dropped(p[0].fd));
	return 0;
}
