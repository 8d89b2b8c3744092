/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decisions: what this node should arm, whom it may offer SMC to, and what
 * it may publish. Pure functions of (world, host, what was seen); run twice
 * they give the same.
 *
 * A reconcile goes: mesh_want() says which pods of this node should be armed;
 * the agent lets user/node prepare each (selector set and read back, trial
 * socket, owner rule) and notes what it saw; mesh_plan() then gives the
 * content of every map. It publishes nothing that the agent has not seen
 * verified.
 */
#pragma once

#include <smcmesh/abi.h>
#include <smcmesh/reasons.h>
#include "mesh/model.h"

/* What this node's kernel can do (from user/datapath's probes). */
struct mesh_host {
	const char *node; /* own name */
	bool converter;	  /* one was attached */
	bool selector;	  /* one was registered */
	bool cgroup2;	  /* --cgroup is a cgroup v2 */
	__u32 transports; /* of the node */
	/* What encrypts its traffic, but not RDMA: "the WireGuard device wg0".
	 * NULL: nothing. */
	const char *encrypts;
	__u64 memory; /* of the node, bytes */
	/* The host's own namespace, 0: not known. It never arms a pod: that
	 * would convert every program of the machine. */
	__u64 netns_cookie;
	/* Addresses that the host's own namespace takes: packets there go to no
	 * proxy and to no pod. Prefixes, and single addresses, sorted. */
	const struct cidr *local_nets;
	size_t n_local_nets;
	struct mesh_addrs local;
};

/* The annotations that hold for a pod: each is its own or, where it has none,
 * its Namespace's. All points into the world. */
struct mesh_says {
	enum mesh_switch enabled;
	const char *problem; /* NULL, or why it is not enabled */
	const struct mesh_ranges *exclude_in, *exclude_out;
};

/* mesh_want's answer for one pod of this node. */
struct mesh_want {
	const struct mesh_pod *pod; /* into the world */
	struct mesh_says says;
	bool arm;		/* prepare and arm it */
	enum smc_reason reason; /* why not; SMC_REASON_NONE if arm */
};

struct mesh_wants {
	struct mesh_want *v; /* pods of this node, in the world's order */
	size_t n;
};

/*
 * mesh_want - Which pods of host->node should be armed.
 * Return: 0 or -ENOMEM. Free with mesh_wants_free().
 */
int mesh_want(const struct mesh_world *w, const struct mesh_host *host,
	      struct mesh_wants *out);
void mesh_wants_free(struct mesh_wants *wants);

/* What user/node saw of one wanted pod. */
struct mesh_seen {
	const char *pod_uid;
	bool verified;		/* selector read back, trial socket made */
	enum smc_reason reason; /* why not verified */
	__u32 pod_id; /* this node's number, given by the agent; 0: none yet */
	__u64 netns_cookie; /* 0: none */
	__u64 cgroup_id;    /* hostNetwork: 0: none */
	/* hostNetwork: cgroup_id has an entry of ours in smc_cgroup already
	 * (read back from the map), and the cgroup still exists. If the pod is
	 * not armed any more the plan keeps denying there: plan->denied. Such
	 * a row may belong to a pod that has left the world. */
	bool was_armed;
	__u32 transports; /* that this namespace can use */
	/* Rules in it redirect its TCP, and let these owners pass (IDs of the
	 * init user namespace): only theirs are converted. */
	bool sidecar;
	__u32 n_owners;
	struct smc_owner owners[SMC_OWNERS];
	struct mesh_addrs addrs; /* found in the namespace */
	/* hostNetwork: ports where only SMC sockets of its cgroup listen */
	struct mesh_ports listens;
};

/* ---- the plan ------------------------------------------------------------ */

struct plan_pod { /* one per pod of this node, in the world's order */
	const struct mesh_pod *pod;
	struct mesh_says says;
	bool armed;
	enum smc_reason reason;
	__u32 pod_id;
	/* One of them, if armed; netns_cookie also if the kernel refused it a
	 * socket, as value then says. */
	__u64 netns_cookie, cgroup_id;
	struct smc_pod value;	     /* of smc_netns or smc_cgroup */
	struct mesh_addrs published; /* of this pod, usable and unclaimed */
	/* Those that it would publish, armed or not, but lost: other nodes
	 * learn only of the claim. */
	struct mesh_addrs claimed;
	struct mesh_ports listens; /* hostNetwork: published with them */
	/* Its own bounds (smc_usage), below the mesh's; 0: the mesh's. */
	__u32 pending_max, connections_max;
};

struct plan_endpoint { /* a row of smc_endpoint, and where it comes from */
	struct smc_addr addr;
	struct smc_endpoint value;
	const char *node, *ns, *pod, *uid; /* into the world */
	long long created;
};

/* A row of smc_cgroup with SMC_POD_DENY: a hostNetwork pod that is not armed
 * (any more, or left the world) while its cgroup, and so perhaps SMC sockets of
 * it, are still there. */
struct plan_denied {
	__u64 cgroup_id;
	struct smc_pod value;
};

/*
 * Why a Service's row has no transports. X(ID, label, sentence, remedy)
 *   label     JSON's `why`
 *   sentence  what a person reads
 *   remedy    what that person can do; "" where mixed-service's own is right
 */
/* clang-format off */
#define MESH_SERVICE_WHYS(X)                                                   \
	X(NONE, "", "", "")                                                    \
	X(BACKEND, "backend",                                                  \
	  "not all of its backends are endpoints that share a transport",      \
	  "")                                                                  \
	X(UNREAD, "unread",                                                    \
	  "not all of its backends could be read (smcmesh status)",            \
	  "mend the EndpointSlice that smcmesh status names: what was not "    \
	  "understood there may be another backend")                           \
	X(ELSEWHERE, "elsewhere",                                              \
	  "its EndpointSlices do not tell who is behind it: it is another "    \
	  "proxy's, or has backends in other clusters",                        \
	  "nothing can be done at this address: connect to the pods "          \
	  "themselves, as with a headless Service")                            \
	X(LOCAL, "local",                                                      \
	  "its address is local on this node, which answers in its backends' " \
	  "stead",                                                             \
	  "nothing can be done while an interface of this node has the "       \
	  "address: connect to the pods themselves")                           \
	X(EXTERNAL, "external",                                                \
	  "its external address is also a pod's, a node's or another "         \
	  "Service's",                                                         \
	  "nothing can be done at this port: take the address away from one "  \
	  "of the two, or connect to the Service's ClusterIP")
/* clang-format on */

#define MESH_SERVICE_WHY_ENUM(id, label, sentence, remedy) MESH_SERVICE_##id,
enum mesh_service_why { MESH_SERVICE_WHYS(MESH_SERVICE_WHY_ENUM) };
#undef MESH_SERVICE_WHY_ENUM

/* mesh_service_why_label - The label of @why. */
const char *mesh_service_why_label(enum mesh_service_why why);

/* mesh_service_why_sentence - The sentence of the row whose label is @label, ""
 * of no row's. */
const char *mesh_service_why_sentence(const char *label);

/* mesh_service_why_remedy - What to do about it, "" where the remedy of the
 * reason mixed-service says it. */
const char *mesh_service_why_remedy(enum mesh_service_why why);

/*
 * A row of smc_service: a port of a ClusterIP, of a hostNetwork pod, or of a
 * Service's external address that is an endpoint's. Transports 0: not offered
 * SMC, reason mixed-service. The datapath sets its time.
 */
struct plan_service {
	struct smc_addr_port key;
	__u32 transports;
	/* The Service, or the hostNetwork pod (pod is set), into the world. */
	const char *ns, *service, *pod;
	enum mesh_service_why why; /* where transports is 0 */
	/* BACKEND: one of those to blame, else zero. */
	struct smc_addr stranger;
};

/* Two pods, created at the same second, claim an address: neither has it. Of
 * more than two, those of this node are named. */
struct plan_conflict {
	struct smc_addr addr;
	struct plan_claimant {
		const char *node, *ns, *pod, *uid; /* into the world */
	} by[2];
};

/* A row of smc_port: a block of excluded ports (mesh_block()). */
struct plan_port {
	__u32 pod_id; /* 0: every pod's */
	__u32 role;   /* enum smc_role */
	__u16 first, last;
};

struct mesh_plan {
	bool enabled;
	__u32 transports; /* of the node, as far as they may be used */
	/* The host's own namespace, if programs there must obey rows of
	 * smc_cgroup (SMC_POD_SHARED); 0: there is no such row. */
	__u64 shared_netns;
	struct plan_pod *pods;
	size_t n_pods;
	struct plan_denied *denied; /* sorted by cgroup_id, no doubles */
	size_t n_denied;
	struct plan_endpoint *endpoints; /* sorted by address, no doubles */
	size_t n_endpoints;
	struct plan_service *services; /* sorted by address, port; no doubles */
	size_t n_services;
	struct plan_conflict *conflicts; /* sorted by address */
	size_t n_conflicts;
	struct cidr *cidrs;
	size_t n_cidrs;
	/* sorted by pod_id, role, first; no port is in two of a pod and role */
	struct plan_port *ports;
	size_t n_ports;
	char **warnings; /* sentences: conflicts, pods with a problem */
	size_t n_warnings;
};

/* mesh_node_id - The number of a node (smc_config.node_id and
 * smc_endpoint.node_id): a hash of its name, never 0, the same on every node
 * and after every restart. Two names may share one: it tells nodes apart for
 * pacing and display, never whether an endpoint is on this node. */
__u32 mesh_node_id(const char *name);

/* The node's share of the kernel's 5,000 receive buffers of SMC-D: the rest is
 * for buffers made while the agent counts. */
#define MESH_BUFFERS_NODE 4000

/*
 * A pod has an eighth of the memory for buffers. The kernel keeps the buffers
 * of a connection that has ended, in each of nine sizes, for as long as their
 * link group lives: so a pod that opens and closes connections of all sizes
 * leaves at most all of it behind, which budget.h allows.
 */
#define MESH_BYTES_PODS 8

/* mesh_limits - What @config's limits are on a node of @memory bytes: the
 * limits of smc_config. */
struct smc_limits mesh_limits(const struct mesh_config *config, __u64 memory);

/*
 * mesh_transports_at - Those of @transports by which @addr itself can be
 * reached: SMC-Rv2 does not route native IPv6, the kernel takes it out of the
 * proposal (smc_find_rdma_v2_device_clnt(), net/smc/af_smc.c).
 */
__u32 mesh_transports_at(const struct smc_addr *addr, __u32 transports);

/*
 * mesh_plan - What every map should hold, from what is wanted and was seen.
 * @seen: by pod UID, any order; a wanted pod that is missing in it is not
 *        armed, reason SMC_REASON_NO_NETNS.
 *
 * The rules: see plan.c. Endpoints are the armed pods of this node and
 * what the SmcNodes of the fabric publish; without an SmcNode of its node, an
 * annotated running pod of another node counts as published with this node's
 * own transports. smcd is kept only for pods of this node. Two claims on one
 * address: the later created wins; equal: neither, and a warning. A pod that
 * lost an address goes on claiming it.
 *
 * Return: 0 or -ENOMEM. The plan points into @w; free with mesh_plan_free().
 */
int mesh_plan(const struct mesh_world *w, const struct mesh_host *host,
	      const struct mesh_seen *seen, size_t n_seen,
	      struct mesh_plan *out);
void mesh_plan_free(struct mesh_plan *plan);

/* The row of plan->endpoints, services or ports of that key, or NULL. */
const struct plan_endpoint *mesh_endpoint_find(const struct mesh_plan *plan,
					       const struct smc_addr *addr);
const struct plan_service *mesh_service_find(const struct mesh_plan *plan,
					     const struct smc_addr *addr,
					     __u16 port);
/* mesh_port_find - The block that @port is in. */
const struct plan_port *mesh_port_find(const struct mesh_plan *plan,
				       __u32 pod_id, __u32 role, __u16 port);
