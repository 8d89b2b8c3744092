// SPDX-License-Identifier: Apache-2.0
#include "mesh/record_fate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"

/* The socket of a new record may not be in the kernel's tables yet. */
#define YOUNG_NS (2 * CLOCK_SECOND)

/* No handshake takes so long. Either connect() failed and the program used the
 * socket again, so that nothing leads to the record any more; or a client never
 * answered our SYN-ACK, which the kernel repeats for a minute and tells no hook
 * of. */
#define CONNECTING_NS (300 * CLOCK_SECOND)
#define ACCEPTING_NS (90 * CLOCK_SECOND)

int mesh_records_add(struct mesh_records *r, const struct smc_handshake *key,
		     const struct smc_flow *flow)
{
	struct mesh_record *row = array_push(r->v, r->n);

	if (!row)
		return -ENOMEM;
	*row = (struct mesh_record){*key, *flow};
	return 0;
}

void mesh_records_free(struct mesh_records *r)
{
	free(r->v);
	free(r->by_cookie);
	free(r->by_ends);
	memset(r, 0, sizeof(*r));
}

/* ---- in order ------------------------------------------------------------ */

/* Of equal ones. */
static int best_first(const struct smc_flow *a, const struct smc_flow *b)
{
	if (a->closed != b->closed)
		return a->closed ? 1 : -1;
	return (a->opened_ns < b->opened_ns) - (a->opened_ns > b->opened_ns);
}

static int ends_order(const struct smc_flow *a, const struct smc_flow *b)
{
	int order = memcmp(a->remote_ip, b->remote_ip, sizeof(a->remote_ip));

	if (!order)
		order = memcmp(a->local_ip, b->local_ip, sizeof(a->local_ip));
	if (!order)
		order = (int)a->local_port - b->local_port;
	return order ? order : (int)a->remote_port - b->remote_port;
}

static int cookie_order(const struct smc_flow *a, const struct smc_flow *b)
{
	return (a->cookie > b->cookie) - (a->cookie < b->cookie);
}

static int by_ends(const void *a, const void *b)
{
	const struct mesh_record *const *x = a, *const *y = b;
	int order = ends_order(&(*x)->flow, &(*y)->flow);

	return order ? order : best_first(&(*x)->flow, &(*y)->flow);
}

static int by_cookie(const void *a, const void *b)
{
	const struct mesh_record *const *x = a, *const *y = b;
	int order = cookie_order(&(*x)->flow, &(*y)->flow);

	return order ? order : best_first(&(*x)->flow, &(*y)->flow);
}

int mesh_records_index(struct mesh_records *r)
{
	r->by_cookie = calloc(r->n + 1, sizeof(*r->by_cookie));
	r->by_ends = calloc(r->n + 1, sizeof(*r->by_ends));
	if (!r->by_cookie || !r->by_ends)
		return -ENOMEM;
	r->n_cookies = 0;
	for (size_t i = 0; i < r->n; i++) {
		r->by_ends[i] = &r->v[i];
		if (r->v[i].flow.cookie)
			r->by_cookie[r->n_cookies++] = &r->v[i];
	}
	qsort(r->by_ends, r->n, sizeof(*r->by_ends), by_ends);
	qsort(r->by_cookie, r->n_cookies, sizeof(*r->by_cookie), by_cookie);
	return 0;
}

typedef int (*order_fn)(const struct smc_flow *a, const struct smc_flow *b);

/* The place of the first of @v that is not before @key. */
static size_t first_of(const struct mesh_record **v, size_t n,
		       const struct smc_flow *key, order_fn order)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;

		if (order(&v[middle]->flow, key) < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

const struct mesh_record *mesh_record_of(const struct mesh_records *r,
					 const struct mesh_socket *s)
{
	struct smc_flow key = {.local_port = s->local_port,
			       .remote_port = s->remote_port,
			       .cookie = s->cookie};
	size_t i;

	i = first_of(r->by_cookie, r->n_cookies, &key, cookie_order);
	if (i < r->n_cookies && !cookie_order(&r->by_cookie[i]->flow, &key))
		return r->by_cookie[i];
	memcpy(key.local_ip, s->local.ip, sizeof(key.local_ip));
	memcpy(key.remote_ip, s->remote.ip, sizeof(key.remote_ip));
	i = first_of(r->by_ends, r->n, &key, ends_order);
	for (; i < r->n && !ends_order(&r->by_ends[i]->flow, &key); i++)
		if (!r->by_ends[i]->flow.cookie)
			return r->by_ends[i];
	return NULL;
}

/* ---- what becomes of one ------------------------------------------------- */

bool mesh_record_untold(const struct smc_handshake *key,
			const struct smc_flow *flow)
{
	return key->kind == SMC_KIND_SOCKET ||
	       flow->flags & (SMC_FLOW_ATTEMPT | SMC_FLOW_DIAGNOSED |
			      SMC_FLOW_UPGRADED);
}

static void close_at(struct smc_flow *f, __u64 now_ns)
{
	f->closed = 1;
	f->closed_ns = now_ns;
}

static bool is_tcp(const struct smc_flow *f)
{
	return f->outcome == SMC_OUTCOME_TCP ||
	       f->outcome == SMC_OUTCOME_FALLBACK;
}

static void learn(struct smc_flow *f, const struct mesh_socket *s)
{
	f->cookie = s->cookie;
	if (s->counted && is_tcp(f)) {
		f->rx_bytes = s->rx_bytes;
		f->tx_bytes = s->tx_bytes;
	}
	if (!(f->flags & SMC_FLOW_ATTEMPT) || !s->connected)
		return;
	f->flags &= ~SMC_FLOW_ATTEMPT;
	f->flags |= SMC_FLOW_DIAGNOSED;
	memcpy(f->local_ip, s->local.ip, sizeof(f->local_ip));
	memcpy(f->remote_ip, s->remote.ip, sizeof(f->remote_ip));
	f->local_port = s->local_port;
	f->remote_port = s->remote_port;
}

enum mesh_fate mesh_record_fate(const struct mesh_record *r,
				const struct mesh_socket *s, __u64 asked_ns,
				struct smc_flow *out)
{
	*out = r->flow;
	if (r->flow.closed || !mesh_record_untold(&r->key, &r->flow))
		return MESH_FATE_STAYS;
	if (s) {
		learn(out, s);
		return memcmp(out, &r->flow, sizeof(*out)) ? MESH_FATE_SEEN
							   : MESH_FATE_STAYS;
	}
	if (r->flow.opened_ns + YOUNG_NS > asked_ns)
		return MESH_FATE_STAYS;
	close_at(out, asked_ns);
	return MESH_FATE_CLOSED;
}

enum mesh_fate mesh_record_fate_alone(const struct mesh_record *r,
				      bool netns_there, __u64 now_ns,
				      struct smc_flow *out)
{
	bool gone = !netns_there && mesh_record_untold(&r->key, &r->flow) &&
		    r->flow.opened_ns + YOUNG_NS <= now_ns;
	__u64 most =
		r->flow.role == SMC_ROLE_SERVER ? ACCEPTING_NS : CONNECTING_NS;
	bool stuck = r->flow.outcome == SMC_OUTCOME_PENDING &&
		     !(r->flow.flags & SMC_FLOW_OPENED) &&
		     r->flow.opened_ns + most <= now_ns;

	*out = r->flow;
	if (r->flow.closed || (!gone && !stuck))
		return MESH_FATE_STAYS;
	close_at(out, now_ns);
	return MESH_FATE_CLOSED;
}
