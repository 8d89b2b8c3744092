// SPDX-License-Identifier: Apache-2.0
/*
 * Makes the content of every map from what is wanted and what was seen.
 *
 * 0. spec_limits.c: which transports may be used here.
 * 1. judge: a pod of this node is armed if mesh_want() wants it and its
 *    namespace was seen verified, with a transport, and with at least one of
 *    the addresses that the API says. (A pod that has no address in the API yet
 *    is armed at once: kubelet often says the address after the program has
 *    opened its sockets.)
 * 2. one pod for each namespace and cgroup, and no cgroup of an entry above
 *    another's.
 * 3. endpoints.c: who owns which address. A pod that lost all that it would
 *    have published is not armed after all: it is not the pod that it seems to
 *    be.
 * 4. externals.c, services.c: which Services, and which ports of hostNetwork
 *    pods, may be offered SMC, and which ports of an endpoint may not.
 * 5. A cgroup of a hostNetwork pod that was armed and is not now goes on
 *    denying: without an entry its SMC sockets would pass untouched, that is,
 *    offer to anyone.
 * 6. spec_limits.c: what a pod may hold, where it asks for less than the mesh
 *    gives.
 * 7. exclusions.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mesh/draft.h"

/* ---- 1. judge -------------------------------------------------------------
 */

static bool shares_address(const struct mesh_addrs *said,
			   const struct mesh_addrs *found)
{
	for (size_t i = 0; i < said->n; i++)
		for (size_t k = 0; k < found->n; k++)
			if (!addr_cmp(&said->v[i], &found->v[k]) &&
			    addr_usable(&said->v[i]))
				return true;
	return false;
}

static enum smc_reason why_not_armed(const struct mesh_host *host, __u32 usable,
				     const struct mesh_pod *pod,
				     const struct mesh_seen *seen)
{
	if (!seen)
		return SMC_REASON_NO_NETNS;
	if (!seen->pod_id || !seen->verified)
		return seen->reason ? seen->reason : SMC_REASON_NO_NETNS;
	if (pod->host_network && !seen->cgroup_id)
		return pod->cgroup_path ? SMC_REASON_BAD_CGROUP
					: SMC_REASON_NO_CGROUP2;
	if (!pod->host_network &&
	    (!seen->netns_cookie || seen->netns_cookie == host->netns_cookie))
		return SMC_REASON_NO_NETNS;
	/* The converter would convert nobody's sockets. */
	if (seen->sidecar && !seen->n_owners)
		return SMC_REASON_OWNER_RULE;
	if (!(seen->transports & usable))
		return SMC_REASON_NO_TRANSPORT;
	if (pod->addrs.n && !shares_address(&pod->addrs, &seen->addrs))
		return SMC_REASON_NO_ADDRESS;
	return SMC_REASON_NONE;
}

static void put_owners(struct smc_pod *value, const struct mesh_seen *seen)
{
	if (!seen->sidecar)
		return;
	value->flags |= SMC_POD_SIDECAR;
	value->n_owners = seen->n_owners;
	memcpy(value->owners, seen->owners,
	       seen->n_owners * sizeof(seen->owners[0]));
}

static void arm(struct plan_pod *p, const struct mesh_seen *seen, __u32 usable)
{
	p->armed = true;
	if (p->pod->host_network)
		p->cgroup_id = seen->cgroup_id;
	else
		p->netns_cookie = seen->netns_cookie;
	p->value = (struct smc_pod){
		.pod_id = seen->pod_id,
		.transports = seen->transports & usable,
	};
	if (p->cgroup_id)
		p->value.flags |= SMC_POD_CGROUP;
	put_owners(&p->value, seen);
}

static void disarm(struct plan_pod *p, enum smc_reason reason)
{
	p->armed = false;
	p->reason = reason;
	p->netns_cookie = 0;
	p->cgroup_id = 0;
	memset(&p->value, 0, sizeof(p->value));
}

/*
 * The kernel refused the pod a socket. Its row stays, marked: BPF converts
 * nothing for it, lets nobody but a sidecar's proxy have an SMC socket that it
 * asks for, and the next agent knows. (That one's trial socket would not tell:
 * the policy is for the pod's own cgroup or label.) draft_denied() does this
 * for a hostNetwork pod.
 */
static void keep_refused(struct plan_pod *p, const struct mesh_seen *seen)
{
	if (p->pod->host_network || !seen->pod_id)
		return;
	p->netns_cookie = seen->netns_cookie;
	p->value = (struct smc_pod){.pod_id = seen->pod_id,
				    .flags = SMC_POD_REFUSED};
	put_owners(&p->value, seen);
}

static const char *seen_uid(const struct mesh_seen *seen)
{
	return seen->pod_uid ? seen->pod_uid : "";
}

static int seen_cmp(const void *a, const void *b)
{
	const struct mesh_seen *const *x = a, *const *y = b;

	return strcmp(seen_uid(*x), seen_uid(*y));
}

static const struct mesh_seen *find_seen(const struct mesh_seen **by_uid,
					 size_t n, char *uid)
{
	const struct mesh_seen key = {.pod_uid = uid}, *pkey = &key, **found;

	if (!n || !*uid)
		return NULL;
	found = bsearch(&pkey, by_uid, n, sizeof(*by_uid), seen_cmp);
	return found ? *found : NULL;
}

static int judge(struct draft *d, const struct mesh_wants *wants,
		 const struct mesh_seen *seen, size_t n_seen)
{
	_free_ const struct mesh_seen **by_uid = NULL;

	if (!wants->n)
		return 0;
	d->plan.pods = calloc(wants->n, sizeof(*d->plan.pods));
	d->own = calloc(wants->n, sizeof(*d->own));
	by_uid = calloc(n_seen + 1, sizeof(*by_uid));
	if (!d->plan.pods || !d->own || !by_uid)
		return -ENOMEM;
	d->plan.n_pods = wants->n;
	for (size_t i = 0; i < n_seen; i++)
		by_uid[i] = &seen[i];
	qsort(by_uid, n_seen, sizeof(*by_uid), seen_cmp);
	for (size_t i = 0; i < wants->n; i++) {
		const struct mesh_want *want = &wants->v[i];
		struct plan_pod *p = &d->plan.pods[i];
		const struct mesh_seen *s =
			find_seen(by_uid, n_seen, want->pod->uid);

		d->own[i].seen = s;
		p->pod = want->pod;
		p->says = want->says;
		p->pod_id = s ? s->pod_id : 0;
		p->reason = want->reason;
		if (want->arm)
			p->reason =
				why_not_armed(d->host, d->usable, want->pod, s);
		if (p->reason == SMC_REASON_NONE)
			arm(p, s, d->usable);
		else if (p->reason == SMC_REASON_REFUSED)
			keep_refused(p, s);
	}
	return 0;
}

/* ---- 2. one pod for each namespace and cgroup -----------------------------
 */

static int place_cmp(const void *a, const void *b)
{
	const struct plan_pod *x = *(struct plan_pod *const *)a;
	const struct plan_pod *y = *(struct plan_pod *const *)b;

	if (x->netns_cookie != y->netns_cookie)
		return x->netns_cookie < y->netns_cookie ? -1 : 1;
	if (x->cgroup_id != y->cgroup_id)
		return x->cgroup_id < y->cgroup_id ? -1 : 1;
	if (x->pod->created != y->pod->created)
		return x->pod->created > y->pod->created ? -1 : 1;
	return (x > y) - (x < y);
}

static bool same_place(const struct plan_pod *a, const struct plan_pod *b)
{
	return a->netns_cookie == b->netns_cookie &&
	       a->cgroup_id == b->cgroup_id;
}

static enum smc_reason shared_place(const struct plan_pod *p)
{
	return p->pod->cgroup_path ? SMC_REASON_BAD_CGROUP
				   : SMC_REASON_NO_NETNS;
}

/* Of the armed pods at one place only the latest stays armed, or none if
 * another is as new. */
static int settle_place(struct draft *d, struct plan_pod **v, size_t n)
{
	bool tie = n > 1 && v[0]->pod->created == v[1]->pod->created;
	int err = 0;

	for (size_t i = 1; i < n && !err; i++) {
		err = draft_warn(d,
				 "pods %s/%s and %s/%s were found in one %s: "
				 "%s armed",
				 v[0]->pod->ns, v[0]->pod->name, v[i]->pod->ns,
				 v[i]->pod->name,
				 v[i]->cgroup_id ? "cgroup"
						 : "network namespace",
				 tie ? "neither is" : "only the first is");
		disarm(v[i], shared_place(v[i]));
	}
	if (tie)
		disarm(v[0], shared_place(v[0]));
	return err;
}

static int draft_places(struct draft *d)
{
	struct mesh_plan *plan = &d->plan;
	_free_ struct plan_pod **v = calloc(plan->n_pods + 1, sizeof(*v));
	size_t n = 0, next;
	int err = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_pods; i++)
		if (plan->pods[i].armed)
			v[n++] = &plan->pods[i];
	qsort(v, n, sizeof(*v), place_cmp);
	for (size_t i = 0; i < n && !err; i = next) {
		for (next = i + 1; next < n && same_place(v[i], v[next]);)
			next++;
		err = settle_place(d, v + i, next - i);
	}
	return err;
}

static bool is_above(const char *path, const char *other)
{
	size_t len = strlen(path);

	return !strncmp(path, other, len) && other[len] == '/';
}

/* Who shares the outer one's row is told apart from it by nothing but the row
 * below: once that goes, its sockets would be the outer one's. */
static int settle_above(struct draft *d, struct plan_pod *p,
			const struct plan_pod *other)
{
	if (!p->armed || !other->armed || !other->pod->cgroup_path ||
	    !is_above(p->pod->cgroup_path, other->pod->cgroup_path))
		return 0;
	disarm(p, SMC_REASON_BAD_CGROUP);
	return draft_warn(d,
			  "pod %s/%s is not armed: its cgroup %s is above %s, "
			  "that of pod %s/%s",
			  p->pod->ns, p->pod->name, p->pod->cgroup_path,
			  other->pod->cgroup_path, other->pod->ns,
			  other->pod->name);
}

/* Entries with a cgroup of their own are few. */
static int draft_nested(struct draft *d)
{
	struct mesh_plan *plan = &d->plan;
	int err = 0;

	for (size_t i = 0; i < plan->n_pods; i++)
		for (size_t k = 0; k < plan->n_pods && !err; k++)
			if (plan->pods[i].pod->cgroup_path)
				err = settle_above(d, &plan->pods[i],
						   &plan->pods[k]);
	return err;
}

/* ---- 3. pods that lost their addresses ------------------------------------
 */

static void disarm_losers(struct draft *d)
{
	for (size_t i = 0; i < d->plan.n_pods; i++) {
		struct plan_pod *p = &d->plan.pods[i];

		if (p->armed && d->own[i].lost && !p->published.n)
			disarm(p, SMC_REASON_ADDRESS_CONFLICT);
	}
}

/* ---- 5. cgroups that go on denying ----------------------------------------
 */

static int denied_key_cmp(const void *a, const void *b)
{
	const struct plan_denied *x = a, *y = b;

	return (x->cgroup_id > y->cgroup_id) - (x->cgroup_id < y->cgroup_id);
}

static int denied_cmp(const void *a, const void *b)
{
	const struct plan_denied *x = a, *y = b;

	return denied_key_cmp(a, b)
		       ?: (x->value.pod_id > y->value.pod_id) -
				  (x->value.pod_id < y->value.pod_id);
}

static int u64_cmp(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x > y) - (x < y);
}

static int draft_denied(struct draft *d, const struct mesh_seen *seen,
			size_t n_seen)
{
	struct mesh_plan *plan = &d->plan;
	_free_ __u64 *armed = calloc(plan->n_pods + 1, sizeof(*armed));
	size_t n_armed = 0;

	if (!armed)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_pods; i++)
		if (plan->pods[i].cgroup_id)
			armed[n_armed++] = plan->pods[i].cgroup_id;
	qsort(armed, n_armed, sizeof(*armed), u64_cmp);
	for (size_t i = 0; i < n_seen; i++) {
		struct plan_denied *row;
		__u64 id = seen[i].cgroup_id;

		if (!seen[i].was_armed || !id ||
		    bsearch(&id, armed, n_armed, sizeof(id), u64_cmp))
			continue;
		row = array_push(plan->denied, plan->n_denied);
		if (!row)
			return -ENOMEM;
		row->cgroup_id = id;
		row->value.pod_id = seen[i].pod_id;
		row->value.flags = SMC_POD_DENY;
		if (seen[i].reason == SMC_REASON_REFUSED)
			row->value.flags |= SMC_POD_REFUSED;
	}
	plan->n_denied = array_sort_once(plan->denied, plan->n_denied,
					 sizeof(*plan->denied), denied_cmp,
					 denied_key_cmp);
	return 0;
}

static bool has_cgroup_rows(const struct mesh_plan *plan)
{
	for (size_t i = 0; i < plan->n_pods; i++)
		if (plan->pods[i].cgroup_id)
			return true;
	return plan->n_denied;
}

/* ---- all of it ------------------------------------------------------------
 */

static int warn_problems(struct draft *d)
{
	int err = 0;

	for (size_t i = 0; i < d->plan.n_pods && !err; i++) {
		const struct plan_pod *p = &d->plan.pods[i];

		size_t rows = exclusion_rows(&p->says);

		if (p->reason == SMC_REASON_BAD_ANNOTATION)
			err = draft_warn(d, "pod %s/%s is not enabled: %s",
					 p->pod->ns, p->pod->name,
					 p->says.problem);
		else if (p->reason == SMC_REASON_OTHER_PRODUCT)
			err = draft_warn(
				d,
				"pod %s/%s is not armed: it is annotated for the erdma-controller, too (network.alibabacloud.com/erdma-smcr): take one of the two annotations away",
				p->pod->ns, p->pod->name);
		else if (p->says.enabled == MESH_ON && rows > SMC_PORT_SHARE)
			err = draft_warn(
				d,
				"pod %s/%s is not armed: the ports that it excludes take %zu rows of smc_port, and a pod has %d (a range takes up to 30, fewer where it begins and ends at multiples of a power of two)",
				p->pod->ns, p->pod->name, rows, SMC_PORT_SHARE);
	}
	return err;
}

static int make(struct draft *d, const struct mesh_seen *seen, size_t n_seen)
{
	_cleanup_(mesh_wants_free) struct mesh_wants wants = {};
	int err = spaces_make(d->world, &d->spaces);

	err = err ?: draft_usable(d, seen, n_seen);
	err = err ?: want_in(d->world, d->host, &d->spaces, &wants);
	err = err ?: judge(d, &wants, seen, n_seen);
	err = err ?: warn_problems(d);
	err = err ?: draft_limits(d);
	err = err ?: draft_places(d) ?: draft_nested(d);
	if (!err && d->plan.enabled) {
		err = draft_service_addrs(d);
		err = err ?: draft_listens(d);
		err = err ?: draft_endpoints(d);
		err = err ?: draft_externals(d);
		err = err ?: draft_services(d);
	}
	if (err)
		return err;
	disarm_losers(d);
	err = draft_denied(d, seen, n_seen);
	if (has_cgroup_rows(&d->plan))
		d->plan.shared_netns = d->host->netns_cookie;
	return err ?: draft_exclusions(d);
}

int mesh_plan(const struct mesh_world *w, const struct mesh_host *host,
	      const struct mesh_seen *seen, size_t n_seen,
	      struct mesh_plan *out)
{
	struct draft d = {.world = w, .host = host};
	int err;

	d.plan.enabled = mesh_enabled(&w->config);
	err = make(&d, seen, n_seen);
	for (size_t i = 0; d.own && i < d.plan.n_pods; i++)
		free(d.own[i].listens.v);
	free(d.own);
	free(d.service_addrs);
	free(d.node_ports.v);
	free(d.host_ports.v);
	spaces_free(&d.spaces);
	if (err)
		mesh_plan_free(&d.plan);
	else
		*out = d.plan;
	return err;
}

static void free_pod(struct plan_pod *p)
{
	free(p->published.v);
	free(p->claimed.v);
	free(p->listens.v);
}

void mesh_plan_free(struct mesh_plan *plan)
{
	for (size_t i = 0; i < plan->n_pods; i++)
		free_pod(&plan->pods[i]);
	for (size_t i = 0; i < plan->n_warnings; i++)
		free(plan->warnings[i]);
	free(plan->pods);
	free(plan->denied);
	free(plan->endpoints);
	free(plan->services);
	free(plan->conflicts);
	free(plan->cidrs);
	free(plan->ports);
	free(plan->warnings);
	memset(plan, 0, sizeof(*plan));
}
