// SPDX-License-Identifier: Apache-2.0
/*
 * parrot DEV echo|always|silent|leaves: a TCP peer that gets the SMC option
 * wrong, on every IPv4 address that is routed to the tun device DEV.
 *
 *   echo    answers a SYN with a copy of the SYN's own options, as some load
 *           balancers do: an offer comes back as an answer
 *   always  the same, and puts the SMC option in whether offered or not
 *   silent  as `always`, and says nothing to the SMC handshake that follows
 *   leaves  as `always`, accepts SMC-R in that handshake, which need not have
 *           been proposed, and resets the connection at once
 *
 * Then it echoes data as an echo server does. It keeps no state: every packet
 * says all that is needed to answer it. On SIGTERM one JSON object: how many
 * SYNs, how many of them offered SMC, how many SMC handshake messages came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "prog.h"
#include "tap.h"

#define MAX_OPTIONS 40
/* For the other end to read what it has got. */
#define PAUSE_US 200000

enum mode { ECHO, ALWAYS, SILENT, LEAVES };

/* struct smc_clc_msg_accept_confirm of version 1, net/smc/smc_clc.h: what the
 * kernel looks at before it asks whether it proposed SMC-R. The caller adds the
 * trailer, which is as the first four bytes. */
#define ACCEPT_LEN 68
static const uint8_t accept_head[] = {0xe2, 0xd4, 0xc3,	      0xd9,
				      2,    0,	  ACCEPT_LEN, 0x10};

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t rest[2048];
};

static unsigned long syns, offers, clc;

static uint32_t sum(const void *data, unsigned int len, uint32_t acc)
{
	const uint8_t *p = data;

	for (unsigned int i = 0; i < len; i++)
		acc += i % 2 ? p[i] : p[i] << 8;
	return acc;
}

static uint16_t fold(uint32_t acc)
{
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return htons(~acc);
}

static void transmit(int fd, struct packet *p, unsigned int rest)
{
	unsigned int tcp_len = sizeof(p->tcp) + rest;
	uint32_t acc = IPPROTO_TCP + tcp_len;

	p->ip.tot_len = htons(sizeof(p->ip) + tcp_len);
	p->ip.check = 0;
	p->ip.check = fold(sum(&p->ip, sizeof(p->ip), 0));
	p->tcp.check = 0;
	acc = sum(&p->ip.saddr, 8, acc);
	p->tcp.check = fold(sum(&p->tcp, tcp_len, acc));
	if (write(fd, p, sizeof(p->ip) + tcp_len) < 0)
		die("write to the tun device");
}

/* The answer's headers: ends swapped, everything received acknowledged. */
static void turn_round(const struct iphdr *ip, const struct tcphdr *tcp,
		       unsigned int got, struct packet *out)
{
	out->ip = (struct iphdr){.version = 4,
				 .ihl = 5,
				 .ttl = 64,
				 .protocol = IPPROTO_TCP,
				 .saddr = ip->daddr,
				 .daddr = ip->saddr};
	out->tcp = (struct tcphdr){.source = tcp->dest,
				   .dest = tcp->source,
				   .ack = 1,
				   .doff = 5,
				   .window = htons(32768)};
	out->tcp.seq = tcp->ack_seq;
	out->tcp.ack_seq = htonl(ntohl(tcp->seq) + got);
}

static void answer_syn(int fd, enum mode mode, const struct iphdr *ip,
		       const struct tcphdr *tcp)
{
	static const uint8_t smc[8] = {1, 1, 254, 6, 0xe2, 0xd4, 0xc3, 0xd9};
	unsigned int len = tcp->doff * 4 - sizeof(*tcp);
	const uint8_t *opt = (const void *)(tcp + 1);
	struct packet out;

	syns++;
	offers += tcp_has_smc(opt, len);
	turn_round(ip, tcp, 1, &out);
	out.tcp.syn = 1;
	out.tcp.seq = htonl(ntohl(tcp->seq) ^ 0x5a5a5a5a);
	memcpy(out.rest, opt, len);
	if (mode != ECHO && !tcp_has_smc(opt, len) &&
	    len + sizeof(smc) <= MAX_OPTIONS) {
		memcpy(out.rest + len, smc, sizeof(smc));
		len += sizeof(smc);
	}
	out.tcp.doff = 5 + len / 4;
	transmit(fd, &out, len);
}

static void send_on(int fd, struct packet *out, const void *data,
		    unsigned int len)
{
	memcpy(out->rest, data, len);
	transmit(fd, out, len);
	out->tcp.seq = htonl(ntohl(out->tcp.seq) + len);
}

/* The kernel looks for a reset when it has the header, and not again before it
 * has the rest: so the header comes alone, and the rest with the reset. */
static void accept_and_leave(int fd, struct packet *out)
{
	uint8_t accept[ACCEPT_LEN] = {};
	unsigned int head = sizeof(accept_head);

	memcpy(accept, accept_head, head);
	memcpy(accept + ACCEPT_LEN - 4, accept_head, 4);
	out->tcp.psh = 1;
	send_on(fd, out, accept, head);
	usleep(PAUSE_US);
	send_on(fd, out, accept + head, ACCEPT_LEN - head);
	out->tcp.psh = 0;
	out->tcp.rst = 1;
	transmit(fd, out, 0);
}

static void answer_data(int fd, enum mode mode, const struct iphdr *ip,
			const struct tcphdr *tcp, const uint8_t *data,
			unsigned int len)
{
	bool is_clc = len >= 4 && !memcmp(data, "\xe2\xd4\xc3", 3);
	struct packet out;

	clc += is_clc;
	if (!len && !tcp->fin)
		return;
	turn_round(ip, tcp, len + tcp->fin, &out);
	if (is_clc && mode == LEAVES) {
		accept_and_leave(fd, &out);
		return;
	}
	if (is_clc && mode == SILENT)
		len = 0;
	out.tcp.psh = len > 0;
	out.tcp.fin = tcp->fin;
	memcpy(out.rest, data, len);
	transmit(fd, &out, len);
}

static void answer(int fd, enum mode mode, const uint8_t *p, unsigned int len)
{
	const struct iphdr *ip = (const void *)p;
	const struct tcphdr *tcp = (const void *)(p + ip->ihl * 4);
	unsigned int headers = ip->ihl * 4 + 20;

	if (ip->version != 4 || ip->protocol != IPPROTO_TCP || len < headers)
		return;
	headers += tcp->doff * 4 - 20;
	if (len < headers || tcp->rst)
		return;
	if (tcp->syn)
		answer_syn(fd, mode, ip, tcp);
	else
		answer_data(fd, mode, ip, tcp, p + headers, len - headers);
}

static int tun_open(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr))
		die("attach to %s", name);
	return fd;
}

static enum mode mode_of(const char *text)
{
	static const char *const names[] = {"echo", "always", "silent",
					    "leaves"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(text, names[i]))
			return i;
	errno = 0;
	die("'%s' is not echo, always, silent or leaves", text);
}

int main(int argc, char **argv)
{
	/* the TCP header is read as words */
	uint8_t buf[2048] __attribute__((aligned(4)));
	struct pollfd p[2];
	enum mode mode;
	sigset_t set;
	ssize_t n;

	errno = 0;
	if (argc != 3)
		die("usage: parrot DEV echo|always|silent|leaves");
	mode = mode_of(argv[2]);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[0] = (struct pollfd){.fd = tun_open(argv[1]), .events = POLLIN};
	p[1] = (struct pollfd){.fd = signalfd(-1, &set, 0), .events = POLLIN};
	printf("ready\n");
	fflush(stdout);
	do {
		poll(p, 2, -1);
		while ((n = read(p[0].fd, buf, sizeof(buf))) > 0)
			answer(p[0].fd, mode, buf, n);
	} while (!p[1].revents);
	printf("{\"syns\": %lu, \"offers\": %lu, \"clc\": %lu}\n", syns, offers,
	       clc);
	return 0;
}
