// SPDX-License-Identifier: Apache-2.0
/*
 * What the plan knows of the rows in the kernel and the rows do not say: whose
 * they are. Sorted as the plan is.
 */
#include <errno.h>
#include <string.h>
#include "pods/known.h"
#include "base/array.h"

/* ---- endpoints ----------------------------------------------------------- */

static void endpoints_free(struct agent *a)
{
	for (size_t i = 0; i < a->n_names; i++) {
		free(a->names[i].node);
		free(a->names[i].ns);
		free(a->names[i].pod);
		free(a->names[i].uid);
	}
	free(take_ptr(a->names));
	a->n_names = 0;
}

static int endpoint_cmp(const void *addr, const void *name)
{
	return addr_cmp(addr, &((const struct endpoint_name *)name)->addr);
}

const struct endpoint_name *agent_endpoint(const struct agent *a,
					   const struct smc_addr *addr)
{
	if (!a->n_names)
		return NULL;
	return bsearch(addr, a->names, a->n_names, sizeof(*a->names),
		       endpoint_cmp);
}

__u64 agent_endpoint_since(const struct agent *a, const struct smc_addr *addr)
{
	const struct endpoint_name *name = agent_endpoint(a, addr);

	return name ? name->since_ns : 0;
}

static __u64 since_of(const struct agent *old, const struct smc_addr *addr)
{
	const struct endpoint_name *was = agent_endpoint(old, addr);

	if (was)
		return was->since_ns;
	/* What the first plan has may have been there before this agent. */
	return old->synced ? uv_hrtime() : 0;
}

static int endpoints_keep(struct agent *a, const struct mesh_plan *plan)
{
	_cleanup_(endpoints_free) struct agent old = {
		.names = take_ptr(a->names),
		.n_names = a->n_names,
		.synced = a->synced,
	};

	a->n_names = 0;
	for (size_t i = 0; i < plan->n_endpoints; i++) {
		const struct plan_endpoint *e = &plan->endpoints[i];
		struct endpoint_name *name = array_push(a->names, a->n_names);

		if (!name)
			return -ENOMEM;
		name->addr = e->addr;
		name->since_ns = since_of(&old, &e->addr);
		name->node = strdup(e->node ?: "");
		name->ns = strdup(e->ns ?: "");
		name->pod = strdup(e->pod ?: "");
		name->uid = strdup(e->uid ?: "");
		if (!name->node || !name->ns || !name->pod || !name->uid)
			return -ENOMEM;
	}
	return 0;
}

/* ---- Services ------------------------------------------------------------ */

static void services_free(struct agent *a)
{
	for (size_t i = 0; i < a->n_services; i++) {
		free(a->services[i].ns);
		free(a->services[i].service);
		free(a->services[i].pod);
	}
	free(take_ptr(a->services));
	a->n_services = 0;
}

static int service_cmp(const void *key, const void *name)
{
	return addr_port_cmp(key, &((const struct service_name *)name)->key);
}

const struct service_name *agent_service(const struct agent *a,
					 const struct smc_addr_port *key)
{
	if (!a->n_services)
		return NULL;
	return bsearch(key, a->services, a->n_services, sizeof(*a->services),
		       service_cmp);
}

static int services_keep(struct agent *a, const struct mesh_plan *plan)
{
	services_free(a);
	for (size_t i = 0; i < plan->n_services; i++) {
		const struct plan_service *s = &plan->services[i];
		struct service_name *name =
			array_push(a->services, a->n_services);

		if (!name)
			return -ENOMEM;
		name->key = s->key;
		name->stranger = s->stranger;
		name->why = s->why;
		name->ns = strdup(s->ns ?: "");
		name->service = strdup(s->service ?: "");
		name->pod = strdup(s->pod ?: "");
		if (!name->ns || !name->service || !name->pod)
			return -ENOMEM;
	}
	return 0;
}

/* ---- both ---------------------------------------------------------------- */

int names_keep(struct agent *a, const struct mesh_plan *plan)
{
	return endpoints_keep(a, plan) ?: services_keep(a, plan);
}

void names_forget(struct agent *a)
{
	endpoints_free(a);
	services_free(a);
}
