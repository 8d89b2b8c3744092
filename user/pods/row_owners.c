// SPDX-License-Identifier: Apache-2.0
/*
 * Whose the rows in the kernel are: the plan knows it, the rows do not say it.
 * Sorted as the plan is.
 */
#include <errno.h>
#include <string.h>
#include "pods/known.h"
#include "base/array.h"

/* ---- endpoints ----------------------------------------------------------- */

static void endpoints_free(struct owners *o)
{
	for (size_t i = 0; i < o->n_names; i++) {
		free(o->names[i].node);
		free(o->names[i].ns);
		free(o->names[i].pod);
		free(o->names[i].uid);
	}
	free(take_ptr(o->names));
	o->n_names = 0;
}

static int endpoint_cmp(const void *addr, const void *name)
{
	return addr_cmp(addr, &((const struct endpoint_name *)name)->addr);
}

static const struct endpoint_name *find(const struct owners *o,
					const struct smc_addr *addr)
{
	return o->n_names ? bsearch(addr, o->names, o->n_names,
				    sizeof(*o->names), endpoint_cmp)
			  : NULL;
}

const struct endpoint_name *agent_endpoint(const struct agent *a,
					   const struct smc_addr *addr)
{
	return find(&a->owners, addr);
}

__u64 agent_endpoint_since(const struct agent *a, const struct smc_addr *addr)
{
	const struct endpoint_name *name = agent_endpoint(a, addr);

	return name ? name->since_ns : 0;
}

/* @first: no plan was applied yet; what this one has may have been there before
 * this agent. */
static __u64 since_of(const struct owners *old, const struct smc_addr *addr,
		      bool first)
{
	const struct endpoint_name *was = find(old, addr);

	return was ? was->since_ns : first ? 0 : uv_hrtime();
}

static int endpoints_keep(struct owners *o, const struct mesh_plan *plan,
			  bool first)
{
	_cleanup_(endpoints_free) struct owners old = {
		.names = take_ptr(o->names),
		.n_names = o->n_names,
	};

	o->n_names = 0;
	for (size_t i = 0; i < plan->n_endpoints; i++) {
		const struct plan_endpoint *e = &plan->endpoints[i];
		struct endpoint_name *name = array_push(o->names, o->n_names);

		if (!name)
			return -ENOMEM;
		name->addr = e->addr;
		name->since_ns = since_of(&old, &e->addr, first);
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

static void services_free(struct owners *o)
{
	for (size_t i = 0; i < o->n_services; i++) {
		free(o->services[i].ns);
		free(o->services[i].service);
		free(o->services[i].pod);
	}
	free(take_ptr(o->services));
	o->n_services = 0;
}

static int service_cmp(const void *key, const void *name)
{
	return addr_port_cmp(key, &((const struct service_name *)name)->key);
}

const struct service_name *agent_service(const struct agent *a,
					 const struct smc_addr_port *key)
{
	const struct owners *o = &a->owners;

	if (!o->n_services)
		return NULL;
	return bsearch(key, o->services, o->n_services, sizeof(*o->services),
		       service_cmp);
}

static int services_keep(struct owners *o, const struct mesh_plan *plan)
{
	services_free(o);
	for (size_t i = 0; i < plan->n_services; i++) {
		const struct plan_service *s = &plan->services[i];
		struct service_name *name =
			array_push(o->services, o->n_services);

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
	return endpoints_keep(&a->owners, plan, !a->last.synced)
		       ?: services_keep(&a->owners, plan);
}

void names_forget(struct agent *a)
{
	endpoints_free(&a->owners);
	services_free(&a->owners);
}
