// SPDX-License-Identifier: Apache-2.0
/*
 * Exclusions: the mesh's own (SmcMesh) hold for every pod, in both directions,
 * also while the mesh switch is off, so that switching it on cannot open a gap.
 * The agent writes a pod's own (its annotations, or its Namespace's) as soon as
 * the pod has a number. A pod with more than its share of the map is never
 * armed (want.c), and takes no other's room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mesh/draft.h"

static int cidr_cmp(const void *a, const void *b)
{
	const struct cidr *x = a, *y = b;
	int order = addr_cmp(&x->addr, &y->addr);

	if (order)
		return order;
	return (x->prefixlen > y->prefixlen) - (x->prefixlen < y->prefixlen);
}

static int draft_cidrs(struct draft *d)
{
	const struct mesh_config *c = &d->world->config;
	struct mesh_plan *plan = &d->plan;

	if (!c->n_exclude_cidrs)
		return 0;
	plan->cidrs =
		reallocarray(NULL, c->n_exclude_cidrs, sizeof(*plan->cidrs));
	if (!plan->cidrs)
		return -ENOMEM;
	memcpy(plan->cidrs, c->exclude_cidrs,
	       c->n_exclude_cidrs * sizeof(*plan->cidrs));
	plan->n_cidrs =
		array_sort_once(plan->cidrs, c->n_exclude_cidrs,
				sizeof(*plan->cidrs), cidr_cmp, cidr_cmp);
	return 0;
}

static int add_range(struct mesh_plan *plan, __u32 pod_id, __u32 role,
		     const struct mesh_range *range)
{
	for (__u32 at = range->first; at <= range->last;) {
		struct plan_port *row = array_push(plan->ports, plan->n_ports);

		if (!row)
			return -ENOMEM;
		*row = (struct plan_port){pod_id, role, at,
					  mesh_block(at, range->last)};
		at = row->last + 1U;
	}
	return 0;
}

static int add_ports(struct mesh_plan *plan, __u32 pod_id, __u32 role,
		     const struct mesh_ranges *ports)
{
	int err = 0;

	for (size_t i = 0; i < ports->n && !err; i++)
		err = add_range(plan, pod_id, role, &ports->v[i]);
	return err;
}

static int add_pod(struct mesh_plan *plan, __u32 pod_id,
		   const struct mesh_ranges *in, const struct mesh_ranges *out)
{
	int err = add_ports(plan, pod_id, SMC_ROLE_CLIENT, out);

	return err ?: add_ports(plan, pod_id, SMC_ROLE_SERVER, in);
}

static int port_cmp(const void *a, const void *b)
{
	const struct plan_port *x = a, *y = b;

	if (x->pod_id != y->pod_id)
		return x->pod_id < y->pod_id ? -1 : 1;
	if (x->role != y->role)
		return x->role < y->role ? -1 : 1;
	return (int)x->first - (int)y->first;
}

size_t exclusion_rows(const struct mesh_says *says)
{
	return mesh_blocks(says->exclude_in) + mesh_blocks(says->exclude_out);
}

int draft_exclusions(struct draft *d)
{
	const struct mesh_ranges *all = &d->world->config.exclude_ports;
	struct mesh_plan *plan = &d->plan;
	int err = draft_cidrs(d);

	err = err ?: add_pod(plan, 0, all, all);
	for (size_t i = 0; i < plan->n_pods && !err; i++) {
		const struct plan_pod *p = &plan->pods[i];

		if (p->pod_id && exclusion_rows(&p->says) <= SMC_PORT_SHARE)
			err = add_pod(plan, p->pod_id, p->says.exclude_in,
				      p->says.exclude_out);
	}
	if (!err && plan->n_ports)
		qsort(plan->ports, plan->n_ports, sizeof(*plan->ports),
		      port_cmp);
	return err;
}
