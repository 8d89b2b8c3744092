// SPDX-License-Identifier: Apache-2.0
#include "node/diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/smc_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include "base/array.h"
#include "node/nl.h"
#include "node/proc.h"
#include "node/tcpinfo.h"

static __u64 cookie_of(const struct inet_diag_sockid *id)
{
	return id->idiag_cookie[0] | (__u64)id->idiag_cookie[1] << 32;
}

/* ---- SMC ----------------------------------------------------------------- */

struct smc_list {
	struct diag_smc *v;
	size_t n;
};

static void take_fallback(const struct nlattr *a, struct diag_smc *row)
{
	struct smc_diag_fallback f;

	if (!a || mnl_attr_get_payload_len(a) < sizeof(f))
		return;
	memcpy(&f, mnl_attr_get_payload(a), sizeof(f));
	row->fallback = f.reason;
	row->peer_diagnosis = f.peer_diagnosis;
}

static void forget_smc(void *list)
{
	((struct smc_list *)list)->n = 0;
}

static int take_smc(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[SMC_DIAG_MAX + 1];
	const struct smc_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct smc_list *list = arg;
	struct diag_smc *row;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	row = array_push(list->v, list->n);
	if (!row) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	row->local_port = ntohs(m->id.idiag_sport);
	row->remote_port = ntohs(m->id.idiag_dport);
	row->state = m->diag_state;
	row->mode = m->diag_mode;
	row->uid = m->diag_uid;
	row->inode = m->diag_inode;
	row->cookie = cookie_of(&m->id);
	nl_attrs(h, sizeof(*m), tb, SMC_DIAG_MAX);
	take_fallback(tb[SMC_DIAG_FALLBACK], row);
	return MNL_CB_OK;
}

int diag_smc_list(struct diag_smc **out)
{
	struct smc_list list = {};
	struct smc_diag_req *req;
	struct nl_request r;
	int err;

	nl_init(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	req = mnl_nlmsg_put_extra_header(r.head, sizeof(*req));
	req->diag_family = AF_SMC;
	req->diag_ext = 1 << (SMC_DIAG_FALLBACK - 1);
	err = nl_dump(NETLINK_SOCK_DIAG, &r, take_smc, forget_smc, &list);
	if (err) {
		free(list.v);
		return err;
	}
	*out = list.v;
	return list.n;
}

/* ---- TCP ----------------------------------------------------------------- */

static void take_address(const struct inet_diag_msg *m, const __be32 *from,
			 struct smc_addr *to)
{
	addr_from_bytes(from, m->idiag_family == AF_INET6 ? 16 : 4, to);
}

static void take_attributes(const struct nlmsghdr *h, struct diag_tcp *s)
{
	const struct nlattr *tb[INET_DIAG_CGROUP_ID + 1];
	const struct nlattr *cgroup, *info;

	nl_attrs(h, sizeof(struct inet_diag_msg), tb, INET_DIAG_CGROUP_ID);
	cgroup = tb[INET_DIAG_CGROUP_ID];
	if (cgroup && mnl_attr_get_payload_len(cgroup) >= sizeof(__u64))
		s->cgroup = mnl_attr_get_u64(cgroup);
	info = tb[INET_DIAG_INFO];
	s->counted = info && tcpinfo_bytes(mnl_attr_get_payload(info),
					   mnl_attr_get_payload_len(info),
					   &s->rx_bytes, &s->tx_bytes);
}

struct tcp_call {
	diag_tcp_fn fn;
	void *arg;
};

static int take_tcp(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	const struct tcp_call *call = arg;
	struct diag_tcp s = {};
	int err;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	take_address(m, m->id.idiag_src, &s.local);
	take_address(m, m->id.idiag_dst, &s.remote);
	s.local_port = ntohs(m->id.idiag_sport);
	s.remote_port = ntohs(m->id.idiag_dport);
	s.bound_if = m->id.idiag_if;
	s.uid = m->idiag_uid;
	s.inode = m->idiag_inode;
	s.cookie = cookie_of(&m->id);
	s.state = m->idiag_state;
	take_attributes(h, &s);
	err = call->fn(&s, call->arg);
	if (!err)
		return MNL_CB_OK;
	errno = -err;
	return MNL_CB_ERROR;
}

static int each_tcp(int family, __u32 states, bool bytes, struct tcp_call *call)
{
	struct inet_diag_req_v2 *req;
	struct nl_request r;
	int err;

	nl_init(&r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	req = mnl_nlmsg_put_extra_header(r.head, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = states;
	req->idiag_ext = bytes ? 1 << (INET_DIAG_INFO - 1) : 0;
	err = nl_talk(NETLINK_SOCK_DIAG, &r, take_tcp, call);
	/* A kernel without IPv6. */
	return err == -ENOENT && family == AF_INET6 ? 0 : err;
}

int diag_tcp_each(__u32 states, bool bytes, diag_tcp_fn fn, void *arg)
{
	struct tcp_call call = {fn, arg};

	return each_tcp(AF_INET, states, bytes, &call)
		       ?: each_tcp(AF_INET6, states, bytes, &call);
}

/* ---- TCP listeners ------------------------------------------------------- */

struct listeners {
	struct netns_listener *v;
	size_t n;
};

static int take_listener(const struct diag_tcp *s, void *arg)
{
	struct listeners *list = arg;
	struct netns_listener *l = array_push(list->v, list->n);

	if (!l)
		return -ENOMEM;
	*l = (struct netns_listener){
		.addr = s->local,
		.port = s->local_port,
		.uid = s->uid,
		.inode = s->inode,
		.cgroup = s->cgroup,
	};
	return 0;
}

int diag_tcp_listeners(struct netns_listener **out)
{
	struct listeners list = {};
	int err = diag_tcp_each(1 << TCP_LISTEN, false, take_listener, &list);

	if (err) {
		free(list.v);
		return err;
	}
	*out = list.v;
	return list.n;
}

static int by_port(const void *a, const void *b)
{
	const struct netns_listener *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return addr_cmp(&x->addr, &y->addr);
}

size_t diag_smc_listening(const struct diag_smc *smc, size_t n, __u16 port)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += smc[i].state == DIAG_SMC_LISTEN &&
			 smc[i].local_port == port;
	return found;
}

/* Keep those of @l that a process has open. Return: how many. */
static size_t keep_held(struct netns_listener *l, size_t n, const char *proc)
{
	_free_ unsigned long *inode = calloc(n, sizeof(*inode));
	_free_ bool *held = calloc(n, sizeof(*held));
	size_t kept = 0;

	if (!inode || !held)
		return 0;
	for (size_t i = 0; i < n; i++)
		inode[i] = l[i].inode;
	proc_holds_sockets(proc, inode, held, n);
	for (size_t i = 0; i < n; i++)
		if (held[i])
			l[kept++] = l[i];
	return kept;
}

/*
 * In the kernel's tables the inner TCP socket of an SMC listener looks like any
 * TCP listener, and SMC's own rows have ports, but no addresses. Usually a port
 * has listeners of one kind, and comparing ports is enough. Different
 * addresses, or SO_REUSEPORT, allow both at one port; then a listener that no
 * process has open is the inner one: only the outer socket has a file.
 */
size_t diag_without_smc(struct netns_listener *tcp, size_t n_tcp,
			const struct diag_smc *smc, size_t n_smc,
			const char *proc)
{
	size_t kept = 0, end;

	if (!n_tcp)
		return 0;
	qsort(tcp, n_tcp, sizeof(*tcp), by_port);
	for (size_t i = 0; i < n_tcp; i = end) {
		size_t inner = diag_smc_listening(smc, n_smc, tcp[i].port), n;

		for (end = i + 1; end < n_tcp; end++)
			if (tcp[end].port != tcp[i].port)
				break;
		n = end - i;
		if (inner >= n)
			continue;
		memmove(&tcp[kept], &tcp[i], n * sizeof(*tcp));
		kept += inner ? keep_held(&tcp[kept], n, proc) : n;
	}
	return kept;
}

int diag_late_listeners(const char *proc, struct netns_listener **out)
{
	_free_ struct netns_listener *tcp = NULL;
	_free_ struct diag_smc *smc = NULL;
	size_t n, kept = 0;
	int n_tcp, n_smc;

	n_tcp = diag_tcp_listeners(&tcp);
	if (n_tcp < 0)
		return n_tcp;
	n_smc = diag_smc_list(&smc);
	if (n_smc < 0 && n_smc != -ENOENT)
		return n_smc;
	n = diag_without_smc(tcp, n_tcp, smc, n_smc < 0 ? 0 : n_smc, proc);
	for (size_t i = 0; i < n; i++)
		if (!addr_is_loopback(&tcp[i].addr))
			tcp[kept++] = tcp[i];
	*out = take_ptr(tcp);
	return kept;
}
