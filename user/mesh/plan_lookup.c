// SPDX-License-Identifier: Apache-2.0
/* A row of the plan by its key: the rows are sorted. */
#include <stdlib.h>

#include "mesh/draft.h"

static int endpoint_cmp(const void *addr, const void *row)
{
	return addr_cmp(addr, &((const struct plan_endpoint *)row)->addr);
}

const struct plan_endpoint *mesh_endpoint_find(const struct mesh_plan *plan,
					       const struct smc_addr *addr)
{
	if (!plan->n_endpoints)
		return NULL;
	return bsearch(addr, plan->endpoints, plan->n_endpoints,
		       sizeof(*plan->endpoints), endpoint_cmp);
}

static int service_cmp(const void *key, const void *row)
{
	return addr_port_cmp(key, &((const struct plan_service *)row)->key);
}

const struct plan_service *services_find(const struct plan_service *v, size_t n,
					 const struct smc_addr_port *key)
{
	return n ? bsearch(key, v, n, sizeof(*v), service_cmp) : NULL;
}

const struct plan_service *mesh_service_find(const struct mesh_plan *plan,
					     const struct smc_addr *addr,
					     __u16 port)
{
	const struct smc_addr_port key = addr_port(addr, port);

	return services_find(plan->services, plan->n_services, &key);
}

static int port_cmp(const void *key, const void *block)
{
	const struct plan_port *x = key, *row = block;

	if (x->pod_id != row->pod_id)
		return x->pod_id < row->pod_id ? -1 : 1;
	if (x->role != row->role)
		return x->role < row->role ? -1 : 1;
	return x->first < row->first ? -1 : x->first > row->last;
}

const struct plan_port *mesh_port_find(const struct mesh_plan *plan,
				       __u32 pod_id, __u32 role, __u16 port)
{
	const struct plan_port key = {pod_id, role, port, port};

	if (!plan->n_ports)
		return NULL;
	return bsearch(&key, plan->ports, plan->n_ports, sizeof(key), port_cmp);
}
