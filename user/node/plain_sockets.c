// SPDX-License-Identifier: Apache-2.0
#include "node/plain_sockets.h"

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

/* So many ends by one helper: one request each, within its time. */
#define END_MAX 4096

/* States of connections that programs would call plain and established; and of
 * all that are not over. */
#define ESTABLISHED (1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT)
#define LIVE                                                           \
	(ESTABLISHED | 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECV |         \
	 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_LAST_ACK | \
	 1 << TCP_CLOSING)

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
 * SMC's rows have ports and no addresses, and a TCP row does not say that it is
 * an inner socket. Two connections with the same two ports, one of them SMC,
 * look alike: then neither counts as plain.
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
	const struct mesh_records *asked;
	struct mesh_socket *told; /* one for each of them */
};

static void tell(struct flows *flows, const struct diag_tcp *s)
{
	const struct mesh_socket socket = {
		.local = s->local,
		.remote = s->remote,
		.local_port = s->local_port,
		.remote_port = s->remote_port,
		.connected =
			s->state != TCP_SYN_SENT && s->state != TCP_SYN_RECV,
		.counted = s->counted,
		.cookie = s->cookie,
		.rx_bytes = s->rx_bytes,
		.tx_bytes = s->tx_bytes,
	};
	const struct mesh_record *r = mesh_record_of(flows->asked, &socket);

	if (r)
		flows->told[r - flows->asked->v] = socket;
}

static bool in_here(const struct diag_tcp *s)
{
	return !addr_cmp(&s->local, &s->remote) || addr_is_loopback(&s->local);
}

static int take_flow(const struct diag_tcp *s, void *arg)
{
	struct flows *flows = arg;
	struct plain_flow *f;

	if (flows->told)
		tell(flows, s);
	if (!(1 << s->state & ESTABLISHED) || in_here(s) ||
	    flows->n == PLAIN_MAX)
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
		.counted = s->counted,
		.rx_bytes = s->rx_bytes,
		.tx_bytes = s->tx_bytes,
	};
	return 0;
}

struct find_job {
	const char *proc;
	const struct mesh_records *asked; /* NULL: none */
};

/* The answer: this, the listeners, the sockets asked for, the connections. */
struct answer_head {
	__u64 n_listeners, n_told;
};

static int add_listeners(const struct find_job *job, struct buf *answer)
{
	_free_ struct netns_listener *late = NULL;
	int n = diag_late_listeners(job->proc, &late);
	const struct answer_head head = {
		.n_listeners = n,
		.n_told = job->asked ? job->asked->n : 0,
	};

	if (n < 0)
		return n;
	buf_add(answer, &head, sizeof(head));
	return buf_add(answer, late, n * sizeof(*late));
}

static int list_flows(struct flows *flows)
{
	_free_ struct diag_smc *smc = NULL;
	int err, n_smc;

	err = diag_tcp_each(flows->told ? LIVE : ESTABLISHED, flows->told,
			    take_flow, flows);
	if (err)
		return err;
	/* After the connections, to know those that became SMC in between. */
	n_smc = diag_smc_list(&smc);
	if (n_smc < 0 && n_smc != -ENOENT)
		return n_smc;
	flows->n = plain_without_smc(flows->v, flows->n, smc,
				     n_smc < 0 ? 0 : n_smc);
	return 0;
}

static int add_flows(const struct find_job *job, struct buf *answer)
{
	size_t n_told = job->asked ? job->asked->n : 0;
	struct flows flows = {.asked = job->asked};
	int err;

	if (n_told)
		flows.told = calloc(n_told, sizeof(*flows.told));
	err = n_told && !flows.told ? -ENOMEM : list_flows(&flows);
	if (!err) {
		buf_add(answer, flows.told, n_told * sizeof(*flows.told));
		err = buf_add(answer, flows.v, flows.n * sizeof(*flows.v));
	}
	free(flows.told);
	free(flows.v);
	return err;
}

static int find_in_netns(const void *arg, struct buf *answer)
{
	return add_listeners(arg, answer) ?: add_flows(arg, answer);
}

/* Return: NULL without memory, and only then. */
static void *copy_of(const void *from, size_t len)
{
	void *copy = malloc(len + 1);

	return copy ? memcpy(copy, from, len) : NULL;
}

static int take_answer(const struct buf *answer, struct plain *out)
{
	size_t listeners, told, flows;
	struct answer_head head;
	const char *rows;

	if (answer->len < sizeof(head))
		return -EIO;
	memcpy(&head, answer->data, sizeof(head));
	listeners = head.n_listeners * sizeof(*out->listeners);
	told = head.n_told * sizeof(*out->told);
	flows = answer->len - sizeof(head) - listeners - told;
	if (head.n_listeners > answer->len || head.n_told > answer->len ||
	    answer->len < sizeof(head) + listeners + told ||
	    flows % sizeof(*out->flows))
		return -EIO;
	rows = answer->data + sizeof(head);
	out->listeners = copy_of(rows, listeners);
	out->told = copy_of(rows + listeners, told);
	out->flows = copy_of(rows + listeners + told, flows);
	if (!out->listeners || !out->told || !out->flows) {
		plain_free(out);
		return -ENOMEM;
	}
	out->n_listeners = head.n_listeners;
	out->n_told = head.n_told;
	out->n_flows = flows / sizeof(*out->flows);
	return 0;
}

int plain_find(const struct netns_ref *ref, const struct mesh_records *asked,
	       struct plain *out)
{
	const struct find_job job = {ref->proc ?: PROC_DEFAULT, asked};
	_buf_ struct buf answer = {};
	int err = helper_run(ref, find_in_netns, &job, HELPER_TIMEOUT_MS,
			     &answer);

	memset(out, 0, sizeof(*out));
	return err ?: take_answer(&answer, out);
}

struct mesh_socket plain_socket(const struct plain_flow *f)
{
	return (struct mesh_socket){
		.local = f->local,
		.remote = f->remote,
		.local_port = f->local_port,
		.remote_port = f->remote_port,
		.connected = true,
		.counted = f->counted,
		.cookie = f->cookie,
		.rx_bytes = f->rx_bytes,
		.tx_bytes = f->tx_bytes,
	};
}

/* Of a user in a certain group the user is enough: a hint too many is better
 * than none. */
static bool is_user(const struct smc_owner *v, size_t n, __u32 uid)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].uid != SMC_ID_ANY && v[i].uid == uid)
			return true;
	return false;
}

void plain_keep_owners(struct plain *p, const struct smc_owner *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_listeners; i++)
		if (is_user(v, n, p->listeners[i].uid))
			p->listeners[kept++] = p->listeners[i];
	p->n_listeners = kept;
	kept = 0;
	for (size_t i = 0; i < p->n_flows; i++)
		if (is_user(v, n, p->flows[i].uid))
			p->flows[kept++] = p->flows[i];
	p->n_flows = kept;
}

void plain_free(struct plain *p)
{
	free(p->listeners);
	free(p->told);
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

	nl_init(&r, SOCK_DESTROY, 0);
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
		int got = helper_run(ref, end_in_netns, &job, HELPER_TIMEOUT_MS,
				     NULL);

		if (got < 0)
			return ended ?: got;
		ended += got;
		v += job.n;
		n -= job.n;
	}
	return ended;
}
