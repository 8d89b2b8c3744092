// SPDX-License-Identifier: Apache-2.0
#include "mesh/smcnode_status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/cleanup.h"

struct mesh_ready mesh_ready_from(const struct mesh_node *own)
{
	struct mesh_ready ready = {};

	if (own && own->ready_since) {
		ready.known = true;
		ready.ready = own->ready;
		ready.since = own->ready_since;
	}
	if (own && own->capable_since) {
		ready.capable = own->capable;
		ready.capable_since = own->capable_since;
	}
	return ready;
}

long long mesh_capable_since(struct mesh_ready *ready, enum mesh_truth is,
			     long long now)
{
	if (ready->capable != is)
		ready->capable_since = now;
	ready->capable = is;
	return ready->capable_since;
}

/* ---- doctor's checks ------------------------------------------------------
 */

#define WRONG_MS 60000 /* a list stays at least so long */

void mesh_wrong_add(struct mesh_wrong *w, const char *id, bool fails)
{
	size_t at = fails ? w->n_fails : w->n;

	if (at == MESH_WRONG_MAX || strlen(id) >= MESH_WRONG_ID)
		return;
	w->n += w->n < MESH_WRONG_MAX;
	w->n_fails += fails;
	for (size_t i = w->n - 1; i > at; i--)
		memcpy(w->id[i], w->id[i - 1], MESH_WRONG_ID);
	strcpy(w->id[at], id);
}

static bool same_wrong(const struct mesh_wrong *a, const struct mesh_wrong *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = !strcmp(a->id[i], b->id[i]);
	return same;
}

const struct mesh_wrong *mesh_wrong_hold(struct mesh_ready *ready,
					 const struct mesh_wrong *found,
					 __u64 now_ms)
{
	if (ready->wrong_known &&
	    (now_ms < ready->wrong_until || same_wrong(&ready->wrong, found)))
		return &ready->wrong;
	ready->wrong = *found;
	ready->wrong_known = true;
	ready->wrong_until = now_ms + WRONG_MS;
	return &ready->wrong;
}

/* Without a boot id nobody can tell from which boot the list is. */
bool mesh_rebooted(const struct mesh_node *own, const char *boot_id)
{
	if (!own || !own->n_endpoints)
		return false;
	return !own->boot_id || strcmp(own->boot_id, boot_id);
}

/* ---- endpoints ------------------------------------------------------------
 */

static int endpoint_cmp(const void *a, const void *b)
{
	const struct mesh_publish_endpoint *x = a, *y = b;
	int order = addr_cmp(&x->addr, &y->addr);

	return order ? order : strcmp(x->pod->uid, y->pod->uid);
}

static int add_addrs(struct mesh_publish *out, const struct plan_pod *p,
		     const struct mesh_addrs *addrs, __u32 transports)
{
	for (size_t i = 0; i < addrs->n; i++) {
		const struct smc_addr *addr = &addrs->v[i];
		struct mesh_publish_endpoint *e =
			array_push(out->endpoints, out->n);

		if (!e)
			return -ENOMEM;
		e->addr = *addr;
		e->transports = mesh_transports_at(addr, transports);
		e->pod = p->pod;
		e->ports = p->pod->host_network ? &p->listens : NULL;
		out->n_claims += !e->transports;
	}
	return 0;
}

static int add_pods(struct mesh_publish *out, const struct mesh_plan *plan,
		    bool (*armed)(const struct plan_pod *p, void *arg),
		    void *arg)
{
	int err = 0;

	for (size_t i = 0; i < plan->n_pods && !err; i++) {
		const struct plan_pod *p = &plan->pods[i];

		/* The API server knows no such pod. */
		if (p->pod->cgroup_path)
			continue;
		out->n_enabled += p->says.enabled == MESH_ON && !p->pod->ended;
		err = add_addrs(out, p, &p->claimed, 0);
		if (err || !p->armed || (armed && !armed(p, arg)))
			continue;
		out->n_armed++;
		err = add_addrs(out, p, &p->published, p->value.transports);
	}
	if (!err && out->n)
		qsort(out->endpoints, out->n, sizeof(*out->endpoints),
		      endpoint_cmp);
	return err;
}

/* ---- the condition --------------------------------------------------------
 */

static const struct {
	const char *reason, *message;
} whys[] = {
	{"NoConverter", "this kernel cannot make SMC sockets of TCP sockets"},
	{"NoSelector", "this kernel cannot select who is offered SMC"},
	{"NoTransport",
	 "there is neither a usable RDMA device nor shared memory"},
	{"Starting", "nothing was armed since the node started"},
};

/* Why can this node do nothing? An index of whys, or -1. */
static int why_not(const struct mesh_host *host, const struct mesh_plan *plan)
{
	if (!host->converter)
		return 0;
	if (!host->selector)
		return 1;
	if (!host->transports)
		return 2;
	return plan ? -1 : 3;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static bool is_ours(const struct mesh_host *host, const struct plan_conflict *c)
{
	return !strcmp(c->by[0].node, host->node) ||
	       !strcmp(c->by[1].node, host->node);
}

/* Other nodes report conflicts between their own pods: else one tie would have
 * every node of the cluster rewrite its SmcNode. */
static void add_conflicts(const struct mesh_host *host,
			  const struct mesh_plan *plan, struct buf *text)
{
	const struct plan_conflict *first = NULL;
	char addr[ADDR_STRLEN];
	size_t n = 0;

	for (size_t i = 0; i < plan->n_conflicts; i++) {
		if (!is_ours(host, &plan->conflicts[i]))
			continue;
		if (!n++)
			first = &plan->conflicts[i];
	}
	if (!n)
		return;
	buf_printf(text,
		   "; pods %s/%s and %s/%s, created at the same time, both "
		   "claim %s: neither has it",
		   first->by[0].ns, first->by[0].pod, first->by[1].ns,
		   first->by[1].pod, addr_format(&first->addr, addr));
	if (n > 1)
		buf_printf(text, ", and %zu more such", n - 1);
}

static int say(const struct mesh_host *host, const struct mesh_plan *plan,
	       struct mesh_publish *out)
{
	size_t n = out->n - out->n_claims;
	_buf_ struct buf text = {};
	int why = why_not(host, plan);

	out->ready = why < 0;
	if (why >= 0) {
		out->reason = whys[why].reason;
		buf_printf(&text, "%s", whys[why].message);
	} else if (!plan->enabled) {
		out->reason = "MeshOff";
		buf_printf(&text, "the mesh switch is off");
	} else {
		out->reason = out->n_armed ? "Armed" : "NoPods";
		buf_printf(&text,
			   "%zu of %zu enabled pod%s armed, %zu address%s "
			   "published",
			   out->n_armed, out->n_enabled, plural(out->n_enabled),
			   n, n == 1 ? "" : "es");
		add_conflicts(host, plan, &text);
	}
	out->message = buf_take(&text);
	return out->message ? 0 : -ENOMEM;
}

static void stamp(struct mesh_ready *ready, long long now,
		  struct mesh_publish *out)
{
	if (!ready->known || ready->ready != out->ready)
		ready->since = now;
	ready->known = true;
	ready->ready = out->ready;
	out->since = ready->since;
}

/* ---- together -------------------------------------------------------------
 */

int mesh_publish(const struct mesh_host *host, const struct mesh_plan *plan,
		 bool (*armed)(const struct plan_pod *p, void *arg), void *arg,
		 struct mesh_ready *ready, long long now,
		 struct mesh_publish *out)
{
	struct mesh_publish made = {};
	int err = plan ? add_pods(&made, plan, armed, arg) : 0;

	err = err ?: say(host, plan, &made);
	if (err) {
		mesh_publish_free(&made);
		return err;
	}
	stamp(ready, now, &made);
	*out = made;
	return 0;
}

void mesh_publish_free(struct mesh_publish *p)
{
	free(p->endpoints);
	free(p->message);
	memset(p, 0, sizeof(*p));
}
