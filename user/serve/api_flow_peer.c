// SPDX-License-Identifier: Apache-2.0
/* Whose a flow's remote address is, by what the agent holds anyway: the rows of
 * endpoints and Services, and this node's pods. */
#include "serve/api.h"

#include <string.h>

struct peer {
	const char *node, *ns, *pod, *service;
};

static bool has(const struct mesh_addrs *addrs, const struct smc_addr *addr)
{
	for (size_t i = 0; i < addrs->n; i++)
		if (!addr_cmp(&addrs->v[i], addr))
			return true;
	return false;
}

const struct pod *api_pod_at(const struct agent *a, const struct smc_addr *addr)
{
	for (size_t i = 0; i < a->pods.n; i++)
		if (!a->pods.v[i]->host_network &&
		    has(&a->pods.v[i]->addrs, addr))
			return a->pods.v[i];
	return NULL;
}

/* The address that a client connected to may be a Service's, or a port of a
 * hostNetwork pod's. */
static bool service_of(const struct agent *a, const struct smc_addr *addr,
		       const struct smc_flow *f, struct peer *out)
{
	const struct smc_addr_port at = addr_port(addr, f->remote_port);
	const struct service_name *s = agent_service(a, &at);

	if (!s || f->role == SMC_ROLE_SERVER)
		return false;
	*out = (struct peer){"", s->ns, s->pod, s->service};
	return true;
}

/* An address that became this endpoint's after the flow had closed was
 * another's. */
static bool endpoint_of(const struct agent *a, const struct smc_addr *addr,
			const struct smc_flow *f, struct peer *out)
{
	const struct endpoint_name *e = agent_endpoint(a, addr);

	if (!e || (f->closed && e->since_ns > f->closed_ns))
		return false;
	*out = (struct peer){e->node, e->ns, e->pod, ""};
	return true;
}

static bool pod_of(const struct agent *a, const struct smc_addr *addr,
		   struct peer *out)
{
	const struct pod *p = api_pod_at(a, addr);

	if (p)
		*out = (struct peer){a->opt->node, p->ns, p->name, ""};
	return p;
}

static bool add(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
		const char *text)
{
	return yyjson_mut_obj_add_strcpy(doc, o, key, text ?: "");
}

bool api_add_peer(const struct agent *a, yyjson_mut_doc *doc, yyjson_mut_val *o,
		  const struct smc_flow *f)
{
	struct smc_addr addr;
	struct peer peer = {};

	memcpy(addr.ip, f->remote_ip, sizeof(addr.ip));
	if (!service_of(a, &addr, f, &peer) && !endpoint_of(a, &addr, f, &peer))
		pod_of(a, &addr, &peer);
	return add(doc, o, "peer_node", peer.node) &&
	       add(doc, o, "peer_namespace", peer.ns) &&
	       add(doc, o, "peer_pod", peer.pod) &&
	       add(doc, o, "peer_service", peer.service);
}
