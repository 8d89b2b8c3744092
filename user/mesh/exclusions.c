// SPDX-License-Identifier: Apache-2.0
/*
 * Exclusions: the mesh's own (SmcMesh) hold for every pod, in both directions,
 * also while the mesh switch is off, so that switching it on cannot open a gap.
 * A pod's own (its annotations, or its Namespace's) are written as soon as the
 * pod has a number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "mesh/parts.h"

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
	qsort(plan->cidrs, c->n_exclude_cidrs, sizeof(*plan->cidrs), cidr_cmp);
	for (size_t i = 0; i < c->n_exclude_cidrs; i++)
		if (!i || cidr_cmp(&plan->cidrs[i], &plan->cidrs[i - 1]))
			plan->cidrs[plan->n_cidrs++] = plan->cidrs[i];
	return 0;
}

static int add_ports(struct mesh_plan *plan, __u32 pod_id,
		     const struct mesh_ports *ports, bool in, bool out)
{
	for (size_t i = 0; i < ports->n; i++) {
		struct plan_port *row = array_push(plan->ports, plan->n_ports);

		if (!row)
			return -ENOMEM;
		row->key.pod_id = pod_id;
		row->key.port = ports->v[i];
		row->value.exclude_in = in;
		row->value.exclude_out = out;
	}
	return 0;
}

/* One row for each key: what any of them excludes is excluded. */
static void merge_ports(struct mesh_plan *plan)
{
	struct plan_port *v = plan->ports;
	size_t kept = 0;

	if (!plan->n_ports)
		return;
	qsort(v, plan->n_ports, sizeof(*v), port_row_cmp);
	for (size_t i = 1; i < plan->n_ports; i++) {
		if (port_row_cmp(&v[kept], &v[i])) {
			v[++kept] = v[i];
			continue;
		}
		v[kept].value.exclude_in |= v[i].value.exclude_in;
		v[kept].value.exclude_out |= v[i].value.exclude_out;
	}
	plan->n_ports = kept + 1;
}

int draft_exclusions(struct draft *d)
{
	struct mesh_plan *plan = &d->plan;
	int err = draft_cidrs(d);

	if (!err)
		err = add_ports(plan, 0, &d->world->config.exclude_ports, true,
				true);
	for (size_t i = 0; i < plan->n_pods && !err; i++) {
		const struct plan_pod *p = &plan->pods[i];

		if (!p->pod_id)
			continue;
		err = add_ports(plan, p->pod_id, p->says.exclude_in, true,
				false);
		if (!err)
			err = add_ports(plan, p->pod_id, p->says.exclude_out,
					false, true);
	}
	merge_ports(plan);
	return err;
}
