// SPDX-License-Identifier: Apache-2.0
/* A row of the plan by its key: the rows are sorted. */
#include <stdlib.h>

#include "mesh/parts.h"

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

int port_row_cmp(const void *a, const void *b)
{
	const struct smc_port_key *x = &((const struct plan_port *)a)->key;
	const struct smc_port_key *y = &((const struct plan_port *)b)->key;

	if (x->pod_id != y->pod_id)
		return x->pod_id < y->pod_id ? -1 : 1;
	return (int)x->port - (int)y->port;
}

const struct plan_port *mesh_port_find(const struct mesh_plan *plan,
				       __u32 pod_id, __u16 port)
{
	const struct plan_port row = {.key = {.pod_id = pod_id, .port = port}};

	if (!plan->n_ports)
		return NULL;
	return bsearch(&row, plan->ports, plan->n_ports, sizeof(row),
		       port_row_cmp);
}
