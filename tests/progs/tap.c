// SPDX-License-Identifier: Apache-2.0
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "prog.h"

#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_EXP 254
#define LEN_EXP_SMC 6

#define TCP_SYN 0x02
#define TCP_ACK 0x10

bool tcp_has_smc(const uint8_t *opt, unsigned int len)
{
	static const uint8_t magic[4] = {0xe2, 0xd4, 0xc3, 0xd9};
	unsigned int at = 0;

	while (at < len && opt[at] != TCPOPT_EOL) {
		if (opt[at] == TCPOPT_NOP) {
			at++;
			continue;
		}
		if (at + 2 > len || opt[at + 1] < 2 || at + opt[at + 1] > len)
			return false;
		if (opt[at] == TCPOPT_EXP && opt[at + 1] >= LEN_EXP_SMC &&
		    !memcmp(opt + at + 2, magic, sizeof(magic)))
			return true;
		at += opt[at + 1];
	}
	return false;
}

/* TCP packets with SYN set, IPv4 (no fragments' tails) and IPv6 (no extension
 * headers: a SYN here has none). */
static void only_syns(int fd)
{
	struct sock_filter code[] = {
		/* 0 */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 SKF_AD_OFF + SKF_AD_PROTOCOL),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 5, 10),
		/* 3: IPv4 */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 8),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_SYN, 4, 5),
		/* 8: IPv6 */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 53),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_SYN, 0, 1),
		/* 12 */
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		die("attach the filter");
}

int tap_open(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int size = 64 << 20, one = 1;
	struct sockaddr_ll all = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL)};

	if (fd < 0)
		die("packet socket");
	only_syns(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)))
		die("packet socket's options");
	if (bind(fd, (void *)&all, sizeof(all)))
		die("bind the packet socket");
	return fd;
}

static bool dissect(const uint8_t *p, unsigned int len, struct syn *out)
{
	bool six = len && p[0] >> 4 == 6;
	unsigned int ihl = six ? 40 : (p[0] & 15) * 4;
	unsigned int size = six ? 16 : 4, at = six ? 8 : 12;
	const uint8_t *tcp = p + ihl;
	unsigned int doff;

	if (len < ihl + 20)
		return false;
	doff = (tcp[12] >> 4) * 4;
	if (doff < 20 || len < ihl + doff || !(tcp[13] & TCP_SYN))
		return false;
	out->family = six ? AF_INET6 : AF_INET;
	memcpy(out->src, p + at, size);
	memcpy(out->dst, p + at + size, size);
	out->sport = tcp[0] << 8 | tcp[1];
	out->dport = tcp[2] << 8 | tcp[3];
	memcpy(&out->seq, tcp + 4, 4);
	out->seq = ntohl(out->seq);
	out->ack = tcp[13] & TCP_ACK;
	out->smc = tcp_has_smc(tcp + 20, doff - 20);
	return true;
}

static uint64_t stamp(struct msghdr *msg)
{
	struct timespec ts;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
		}
	}
	return now_ns(CLOCK_REALTIME);
}

int tap_read(int fd, struct syn *out)
{
	uint8_t buf[256], control[128];
	struct sockaddr_ll from;
	struct iovec iov = {buf, sizeof(buf)};
	ssize_t n;

	for (;;) {
		struct msghdr msg = {.msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};

		n = recvmsg(fd, &msg, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0)
			die("read the tap");
		memset(out, 0, sizeof(*out));
		out->wall_ns = stamp(&msg);
		out->sent = from.sll_pkttype == PACKET_OUTGOING;
		if (dissect(buf, n, out))
			return 1;
	}
}

unsigned long tap_dropped(int fd)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		die("the tap's statistics");
	return st.tp_drops;
}
