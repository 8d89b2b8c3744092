// SPDX-License-Identifier: Apache-2.0
#include "node/nl.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Dumps come in parts of up to 32 KiB (smc_diag asks for that much). */
#define ANSWER_ROOM 65536
#define ANSWER_SECONDS 2

/* Somebody who changes a list faster than we read it does so on purpose. */
#define DUMP_TRIES 10

static void cleanup_mnl(struct mnl_socket **nl)
{
	int saved = errno;

	if (*nl)
		mnl_socket_close(*nl);
	errno = saved;
}

void nl_init(struct nl_request *r, __u16 type, __u16 flags)
{
	memset(r, 0, sizeof(*r));
	r->head = mnl_nlmsg_put_header(r->room);
	r->head->nlmsg_type = type;
	r->head->nlmsg_flags = NLM_F_REQUEST | flags;
	r->head->nlmsg_seq = 1; /* each of our sockets sends one request */
}

void nl_nft_init(struct nl_request *r, int what, __u8 family, __u16 flags)
{
	struct nfgenmsg *g;

	nl_init(r, NFNL_SUBSYS_NFTABLES << 8 | what, flags);
	g = mnl_nlmsg_put_extra_header(r->head, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
}

void nl_genl_init(struct nl_request *r, int id, __u8 cmd, __u8 version,
		  __u16 flags)
{
	struct genlmsghdr *g;

	nl_init(r, id, flags);
	g = mnl_nlmsg_put_extra_header(r->head, sizeof(*g));
	g->cmd = cmd;
	g->version = version;
}

/* A kernel without this option lists everything. */
static int nl_be_strict(const struct mnl_socket *nl)
{
	int yes = 1;

	if (!setsockopt(mnl_socket_get_fd(nl), SOL_NETLINK,
			NETLINK_GET_STRICT_CHK, &yes, sizeof(yes)) ||
	    errno == ENOPROTOOPT)
		return 0;
	return -errno;
}

static int nl_open(int bus, bool strict, struct mnl_socket **out)
{
	struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	_cleanup_(cleanup_mnl) struct mnl_socket *nl = NULL;
	int err;

	nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl) {
		err = -errno;
		return err == -EPROTONOSUPPORT ? -ENOENT : err;
	}
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	if (setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &limit,
		       sizeof(limit)))
		return -errno;
	err = strict ? nl_be_strict(nl) : 0;
	if (!err)
		*out = take_ptr(nl);
	return err;
}

int nl_talk(int bus, struct nl_request *r, mnl_cb_t cb, void *arg)
{
	_cleanup_(cleanup_mnl) struct mnl_socket *nl = NULL;
	_free_ char *room = malloc(ANSWER_ROOM);
	int err = nl_open(bus, r->strict, &nl);
	ssize_t n;

	if (err)
		return err;
	if (!room)
		return -ENOMEM;
	/* RDMA's bus ends an answer by nothing else (rdma_nl_rcv_msg()). */
	if ((r->head->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		r->head->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl, r->head, r->head->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, room, ANSWER_ROOM);
		if (n < 0) {
			err = -errno;
			return err == -EAGAIN ? -ETIMEDOUT : err;
		}
		n = mnl_cb_run(room, n, r->head->nlmsg_seq,
			       mnl_socket_get_portid(nl), cb, arg);
		if (n < 0)
			return -errno;
	} while (n > MNL_CB_STOP);
	return 0;
}

int nl_dump(int bus, struct nl_request *r, mnl_cb_t cb,
	    void (*begin)(void *arg), void *arg)
{
	int err = -EINTR;

	for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++) {
		begin(arg);
		err = nl_talk(bus, r, cb, arg);
	}
	return err;
}

static int take_family_id(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[CTRL_ATTR_MAX + 1];

	nl_attrs(h, sizeof(struct genlmsghdr), tb, CTRL_ATTR_MAX);
	*(int *)arg = nl_u16(tb[CTRL_ATTR_FAMILY_ID]);
	return MNL_CB_OK;
}

int nl_genl_id(const char *family)
{
	struct nl_request r;
	int id = 0, err;

	nl_genl_init(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	mnl_attr_put_strz(r.head, CTRL_ATTR_FAMILY_NAME, family);
	err = nl_talk(NETLINK_GENERIC, &r, take_family_id, &id);
	if (err)
		return err;
	return id ? id : -EPROTO;
}

static void index_attrs(const char *first, size_t len, const struct nlattr **tb,
			unsigned int max)
{
	const struct nlattr *a = (const struct nlattr *)first;

	for (; mnl_attr_ok(a, first + len - (const char *)a);
	     a = mnl_attr_next(a))
		if (mnl_attr_get_type(a) <= max)
			tb[mnl_attr_get_type(a)] = a;
}

void nl_attrs(const struct nlmsghdr *h, size_t skip, const struct nlattr **tb,
	      unsigned int max)
{
	const char *payload = mnl_nlmsg_get_payload(h);
	size_t len = mnl_nlmsg_get_payload_len(h);

	skip = MNL_ALIGN(skip);
	memset(tb, 0, (max + 1) * sizeof(*tb));
	if (len > skip)
		index_attrs(payload + skip, len - skip, tb, max);
}

void nl_nest(const struct nlattr *nest, const struct nlattr **tb,
	     unsigned int max)
{
	memset(tb, 0, (max + 1) * sizeof(*tb));
	if (nest)
		index_attrs(mnl_attr_get_payload(nest),
			    mnl_attr_get_payload_len(nest), tb, max);
}

static bool holds(const struct nlattr *a, size_t len)
{
	return a && mnl_attr_get_payload_len(a) >= len;
}

__u8 nl_u8(const struct nlattr *a)
{
	return holds(a, sizeof(__u8)) ? mnl_attr_get_u8(a) : 0;
}

__u16 nl_u16(const struct nlattr *a)
{
	return holds(a, sizeof(__u16)) ? mnl_attr_get_u16(a) : 0;
}

__u32 nl_u32(const struct nlattr *a)
{
	return holds(a, sizeof(__u32)) ? mnl_attr_get_u32(a) : 0;
}

__u64 nl_uint(const struct nlattr *a)
{
	return holds(a, sizeof(__u64)) ? mnl_attr_get_u64(a) : nl_u32(a);
}

bool nl_addr(const struct nlattr *a, int family, struct smc_addr *out)
{
	static const __u8 zeros[16];
	size_t len = family == AF_INET ? 4 : 16;

	if ((family != AF_INET && family != AF_INET6) || (a && !holds(a, len)))
		return false;
	return addr_from_bytes(a ? mnl_attr_get_payload(a) : zeros, len, out);
}

void nl_str(const struct nlattr *a, char *to, size_t room)
{
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;

	if (len >= room)
		len = room - 1;
	if (len)
		memcpy(to, mnl_attr_get_payload(a), len);
	to[len] = '\0';
}
