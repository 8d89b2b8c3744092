// SPDX-License-Identifier: Apache-2.0
#include "node/plain.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/smc_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include "base/array.h"
#include "node/helper.h"
#include "node/nl.h"
#include "node/proc.h"

/* One request each, in the time that a helper has. */
#define END_MAX 4096

/* ---- which are SMC's ----------------------------------------------------- */

static __u32 port_pair(__u16 local, __u16 remote)
{
	return (__u32)local << 16 | remote;
}

static int pair_cmp(const void *a, const void *b)
{
	__u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return (x > y) - (x < y);
}

/* After a fall-back the TCP socket is the program's own. */
static bool has_inner(const struct diag_smc *s)
{
	if (s->state == DIAG_SMC_LISTEN || s->state == DIAG_SMC_CLOSED)
		return false;
	return s->state != DIAG_SMC_ACTIVE ||
	       s->mode != SMC_DIAG_MODE_FALLBACK_TCP;
}

/*
 * SMC's rows have ports and no addresses, and nothing in a TCP row says that it
 * is an inner socket. Two connections with the same two ports, one of them SMC,
 * cannot be told apart: then neither counts as plain.
 */
size_t plain_without_smc(struct plain_flow *v, size_t n,
			 const struct diag_smc *smc, size_t n_smc)
{
	_free_ __u32 *pairs = calloc(n_smc + 1, sizeof(*pairs));
	size_t n_pairs = 0, kept = 0;

	if (!pairs)
		return 0;
	for (size_t i = 0; i < n_smc; i++)
		if (has_inner(&smc[i]))
			pairs[n_pairs++] = port_pair(smc[i].local_port,
						     smc[i].remote_port);
	qsort(pairs, n_pairs, sizeof(*pairs), pair_cmp);
	for (size_t i = 0; i < n; i++) {
		__u32 pair = port_pair(v[i].local_port, v[i].remote_port);

		if (!bsearch(&pair, pairs, n_pairs, sizeof(pair), pair_cmp))
			v[kept++] = v[i];
	}
	return kept;
}

/* ---- the list, in the namespace ------------------------------------------ */

struct flows {
	struct plain_flow *v;
	size_t n;
};

static bool in_here(const struct diag_tcp *s)
{
	return !addr_cmp(&s->local, &s->remote) || addr_is_loopback(&s->local);
}

static int take_flow(const struct diag_tcp *s, void *arg)
{
	struct flows *flows = arg;
	struct plain_flow *f;

	if (in_here(s) || flows->n == PLAIN_MAX)
		return 0;
	f = array_push(flows->v, flows->n);
	if (!f)
		return -ENOMEM;
	*f = (struct plain_flow){
		.local = s->local,
		.remote = s->remote,
		.local_port = s->local_port,
		.remote_port = s->remote_port,
		.bound_if = s->bound_if,
		.uid = s->uid,
		.cookie = s->cookie,
		.cgroup = s->cgroup,
	};
	return 0;
}

/* The answer: how many listeners, they, the connections. */
static int add_listeners(const char *proc, struct buf *answer)
{
	_free_ struct netns_listener *late = NULL;
	int n = diag_late_listeners(proc, &late);
	__u64 count = n;

	if (n < 0)
		return n;
	buf_add(answer, &count, sizeof(count));
	return buf_add(answer, late, n * sizeof(*late));
}

static int add_flows(struct buf *answer)
{
	_free_ struct diag_smc *smc = NULL;
	struct flows flows = {};
	int err, n_smc;
	size_t n;

	err = diag_tcp_each(1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT,
			    take_flow, &flows);
	/* After the connections: one that became SMC in between is known. */
	n_smc = err ?: diag_smc_list(&smc);
	if (!err && n_smc < 0 && n_smc != -ENOENT)
		err = n_smc;
	if (!err) {
		n = plain_without_smc(flows.v, flows.n, smc,
				      n_smc < 0 ? 0 : n_smc);
		err = buf_add(answer, flows.v, n * sizeof(*flows.v));
	}
	free(flows.v);
	return err;
}

static int find_in_netns(const void *proc, struct buf *answer)
{
	return add_listeners(proc, answer) ?: add_flows(answer);
}

/* Return: NULL without memory, and only then. */
static void *copy_of(const void *from, size_t len)
{
	void *copy = malloc(len + 1);

	return copy ? memcpy(copy, from, len) : NULL;
}

static int take_answer(const struct buf *answer, struct plain *out)
{
	size_t listeners, flows;
	const char *rows;
	__u64 n;

	if (answer->len < sizeof(n))
		return -EIO;
	memcpy(&n, answer->data, sizeof(n));
	listeners = n * sizeof(*out->listeners);
	flows = answer->len - sizeof(n) - listeners;
	if (n > answer->len || answer->len < sizeof(n) + listeners ||
	    flows % sizeof(*out->flows))
		return -EIO;
	rows = answer->data + sizeof(n);
	out->listeners = copy_of(rows, listeners);
	out->flows = copy_of(rows + listeners, flows);
	if (!out->listeners || !out->flows) {
		plain_free(out);
		return -ENOMEM;
	}
	out->n_listeners = n;
	out->n_flows = flows / sizeof(*out->flows);
	return 0;
}

int plain_find(const struct netns_ref *ref, struct plain *out)
{
	_buf_ struct buf answer = {};
	int err =
		helper_run(ref->path, find_in_netns, ref->proc ?: PROC_DEFAULT,
			   HELPER_TIMEOUT_MS, &answer);

	memset(out, 0, sizeof(*out));
	return err ? err : take_answer(&answer, out);
}

void plain_keep_uid(struct plain *p, __u32 uid)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_listeners; i++)
		if (p->listeners[i].uid == uid)
			p->listeners[kept++] = p->listeners[i];
	p->n_listeners = kept;
	kept = 0;
	for (size_t i = 0; i < p->n_flows; i++)
		if (p->flows[i].uid == uid)
			p->flows[kept++] = p->flows[i];
	p->n_flows = kept;
}

void plain_free(struct plain *p)
{
	free(p->listeners);
	free(p->flows);
	memset(p, 0, sizeof(*p));
}

/* ---- the end, in the namespace ------------------------------------------- */

/* For the kernel's look-up an IPv4 connection of an IPv6 socket is IPv4. */
static void put_addr(__be32 *to, const struct smc_addr *from)
{
	if (addr_is_v4(from))
		memcpy(to, from->ip + 12, 4);
	else
		memcpy(to, from->ip, sizeof(from->ip));
}

static int end_one(const struct plain_flow *f)
{
	struct inet_diag_req_v2 *req;
	struct nl_request r;

	nl_init(&r, SOCK_DESTROY, NLM_F_ACK);
	req = mnl_nlmsg_put_extra_header(r.head, sizeof(*req));
	req->sdiag_family = addr_is_v4(&f->local) ? AF_INET : AF_INET6;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = ~0U;
	put_addr(req->id.idiag_src, &f->local);
	put_addr(req->id.idiag_dst, &f->remote);
	req->id.idiag_sport = htons(f->local_port);
	req->id.idiag_dport = htons(f->remote_port);
	req->id.idiag_if = f->bound_if;
	req->id.idiag_cookie[0] = (__u32)f->cookie;
	req->id.idiag_cookie[1] = f->cookie >> 32;
	return nl_talk(NETLINK_SOCK_DIAG, &r, NULL, NULL);
}

struct end_job {
	const struct plain_flow *v;
	size_t n;
};

static int end_in_netns(const void *arg, struct buf *answer)
{
	const struct end_job *job = arg;
	int ended = 0, first = 0;

	for (size_t i = 0; i < job->n; i++) {
		int err = end_one(&job->v[i]);

		ended += !err;
		/* ESTALE: another socket has these addresses by now. */
		if (err && err != -ENOENT && err != -ESTALE && !first)
			first = err;
	}
	return ended || !first ? ended : first;
}

int plain_end(const struct netns_ref *ref, const struct plain_flow *v, size_t n)
{
	int ended = 0;

	while (n) {
		struct end_job job = {v, n < END_MAX ? n : END_MAX};
		int got = helper_run(ref->path, end_in_netns, &job,
				     HELPER_TIMEOUT_MS, NULL);

		if (got < 0)
			return ended ?: got;
		ended += got;
		v += job.n;
		n -= job.n;
	}
	return ended;
}
