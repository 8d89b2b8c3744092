/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of mesh_plan() share; nobody else includes this. */
#pragma once

#include "base/cleanup.h"
#include "mesh/plan.h"

/* The world's Namespaces, by name. */
struct spaces {
	const struct mesh_namespace **v;
	size_t n;
};

must_check int spaces_make(const struct mesh_world *w, struct spaces *out);
void spaces_free(struct spaces *s);

/* spaces_says - The annotations that hold for @pod. */
struct mesh_says spaces_says(const struct spaces *s,
			     const struct mesh_pod *pod);

/* want_in - mesh_want() with sorted Namespaces. */
must_check int want_in(const struct mesh_world *w, const struct mesh_host *host,
		       const struct spaces *spaces, struct mesh_wants *out);

/* A plan in the making. */
struct draft {
	const struct mesh_world *world;
	const struct mesh_host *host;
	struct spaces spaces;
	__u32 usable;			/* transports, on this node */
	struct smc_addr *service_addrs; /* every ClusterIP, sorted */
	size_t n_service_addrs;
	struct mesh_ports node_ports; /* of every Service */
	/* hostPorts of this node's pods: the network plugin leads them there */
	struct mesh_ports host_ports;
	struct mesh_plan plan;
	struct own_pod *own; /* beside plan.pods */
};

struct own_pod {
	const struct mesh_seen *seen; /* NULL: no look has seen it */
	bool lost; /* an address of it went to another, or to nobody */
	/* hostNetwork: ports where it listens, and no proxy or plugin comes
	 * first */
	struct mesh_ports listens;
};

/* draft_warn - Add a sentence; past MESH_WARNINGS_MAX only that there are
 * more. Return: 0 or -ENOMEM. */
#define MESH_WARNINGS_MAX 64
must_check int draft_warn(struct draft *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* draft_service_addrs - Collect the ClusterIPs and the NodePorts. Return: 0 or
 * -ENOMEM. */
must_check int draft_service_addrs(struct draft *d);

/* draft_listens - Fill `listens` of this node's pods, without ports that are
 * another's hostPort here. Return: 0 or -ENOMEM. */
must_check int draft_listens(struct draft *d);

/* draft_is_service - Is @addr a ClusterIP? */
bool draft_is_service(const struct draft *d, const struct smc_addr *addr);

/* draft_endpoints - Settle who owns which address: fills plan.endpoints and the
 * pods' `published` and `claimed`, marks own_pod.lost; the ports of hostNetwork
 * pods go to plan.services. Return: 0 or -ENOMEM. */
must_check int draft_endpoints(struct draft *d);

/* draft_listeners - A row of plan.services for each of @ports of a hostNetwork
 * pod at @e. Return: 0 or -ENOMEM. */
must_check int draft_listeners(struct draft *d, const struct plan_endpoint *e,
			       __u32 transports,
			       const struct mesh_ports *ports);

/* draft_externals - Add a row to plan.services that denies, for each port of a
 * Service's external address that is an endpoint's. An address whose rows find
 * no room is offered SMC at no port. After draft_endpoints(). Return: 0 or
 * -ENOMEM. */
must_check int draft_externals(struct draft *d);

/* draft_shared_addrs - Make rows of plan.services, which are in order, deny
 * where a ClusterIP's port is also another Service's external one. */
void draft_shared_addrs(struct draft *d);

/* The most rows of smc_service, and of those that deny at an endpoint. */
#define SERVICES_MAX SMC_SERVICE_ENTRIES
#define EXTERNALS_MAX (SERVICES_MAX / 2)

/* draft_services - Add the Services' other rows, and sort all. After
 * draft_externals(). Return: 0 or -ENOMEM. */
must_check int draft_services(struct draft *d);

/* services_find - The row at @key of the @n sorted ones at @v, or NULL. For a
 * plan in the making; a finished one has mesh_service_find(). */
const struct plan_service *services_find(const struct plan_service *v, size_t n,
					 const struct smc_addr_port *key);

/* exclusion_rows - How many rows of smc_port a pod's own exclusions take. */
size_t exclusion_rows(const struct mesh_says *says);

/* draft_usable - Settle which transports may be used here: fills draft.usable
 * and plan.transports. Return: 0 or -ENOMEM. */
must_check int draft_usable(struct draft *d, const struct mesh_seen *seen,
			    size_t n_seen);

/* draft_limits - Settle what each pod may hold: fills plan_pod.pending_max and
 * connections_max. Return: 0 or -ENOMEM. */
must_check int draft_limits(struct draft *d);

/* draft_exclusions - Fill plan.cidrs and plan.ports. Return: 0 or -ENOMEM. */
must_check int draft_exclusions(struct draft *d);
