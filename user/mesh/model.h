/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of the mesh, as a source (user/source/) found them. Plain values:
 * no JSON, no file descriptors, no kernel state.
 *
 * Ownership: every pointer below belongs to the struct that holds it; a world
 * is freed whole by mesh_world_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "base/cleanup.h"
#include "mesh/ranges.h"
#include "mesh/settings.h"

#define MESH_UEID_MAX 32
#define MESH_DEFAULT_UEID "SMCMESH"
#define MESH_DEFAULT_MARK 0x100
#define MESH_DEFAULT_MARK_MASK 0xff00
#define MESH_DEFAULT_PROXY_UID 1337
#define MESH_DEFAULT_PENDING_POD 128
#define MESH_DEFAULT_PENDING_NODE 512
#define MESH_DEFAULT_CONNECTIONS_POD 1000
#define MESH_DEFAULT_MEMORY_PERCENT 5
#define MESH_DEFAULT_LEASE_S 300

enum mesh_switch { MESH_UNSET = 0, MESH_OFF, MESH_ON };

/* SmcMesh.spec.recorder: what writes the records of flows. */
enum mesh_recorder {
	MESH_RECORDER_AUTO = 0, /* smc if the kernel has what it needs */
	MESH_RECORDER_SMC,	/* the selector and SMC's own functions */
	MESH_RECORDER_SOCKOPS,	/* a sockops program on the root cgroup */
};

struct mesh_ports {
	__u16 *v; /* sorted, no doubles */
	size_t n;
};

struct mesh_addrs {
	struct smc_addr *v;
	size_t n;
};

/* SmcMesh.spec.limits: how much a pod, and a node, may hold at once of what all
 * share in the kernel's SMC. */
struct mesh_limits {
	__u32 pending_pod, pending_node; /* SMC sockets under way */
	__u32 connections_pod;		 /* open SMC connections */
	__u32 memory_percent;		 /* of the node's memory, for buffers */
};

/* SmcMesh/default and ASMMeshConfig/default. */
struct mesh_config {
	enum mesh_switch enabled;     /* SmcMesh.spec.enabled */
	enum mesh_switch asm_enabled; /* ASMMeshConfig.spec.smcEnabled */
	struct cidr *exclude_cidrs;
	size_t n_exclude_cidrs;
	struct mesh_ranges exclude_ports; /* both directions, every pod */
	char ueid[MESH_UEID_MAX + 1];	  /* never empty: it has a default */
	__u32 mark, mark_mask;
	enum mesh_recorder recorder;
	struct mesh_limits limits;
	__u32 lease_s; /* offers end so long after the agent's last sign of
			* life; 0: never */
	bool allow_unencrypted; /* smcr though other traffic is encrypted */
	struct mesh_settings settings; /* spec.sysctls, spec.pnet */
};

/* The user and group of its programs, as the API has them: in the container's
 * or else the pod's securityContext. SMC_ID_ANY: the image decides. */
struct mesh_container {
	char *name;
	__u32 uid, gid;
};

struct mesh_pod {
	char *ns, *name, *uid;
	char *node;	  /* "" while not scheduled */
	char *netns_path; /* file source only: smcmesh.io/netns; else NULL */
	/* Its cgroup v2, below the mount: "/system.slice/nginx.service". File
	 * source: smcmesh.io/cgroup; or a program of `smcmesh run`; else NULL.
	 * host_network is set with it. */
	char *cgroup_path;
	/* Of a static pod: its cgroup is named by this hash of its file, not by
	 * its UID. Else NULL. */
	char *cgroup_uid;
	long long created; /* seconds since 1970, metadata.creationTimestamp */
	bool replaced;	   /* evicted, its controller makes another one */
	bool ended;	   /* phase Succeeded or Failed: owns no address */
	bool running;	   /* phase Running: a container of it was started */
	bool host_network;
	bool forwards; /* the API tells that its TCP ends in a guest */
	/* Annotated for the erdma-controller's way to SMC, which converts its
	 * sockets without a selector. */
	bool other_product;
	/* Ports of its node that lead to it. A hostNetwork pod has none: the
	 * node's ports are its own. */
	struct mesh_ports host_ports;
	enum mesh_switch enabled; /* the annotation */
	char *problem; /* NULL, or a sentence: annotation, value, expected */
	struct mesh_addrs addrs;	/* status.podIPs */
	struct mesh_ranges exclude_in;	/* smcmesh.io/exclude-inbound-ports */
	struct mesh_ranges exclude_out; /* smcmesh.io/exclude-outbound-ports */
	/* It has that annotation, so its Namespace's default does not count. */
	bool says_in, says_out;
	/* smcmesh.io/limits: the bounds that it asks for; 0: the mesh's */
	__u32 pending_max, connections_max;
	/* It seems to have a proxy, with this user and group in its own user
	 * namespace. That holds until a look finds whom the rules in its
	 * network namespace let pass. */
	bool sidecar;
	struct smc_owner proxy;
	struct mesh_container *containers; /* those that stay */
	size_t n_containers;
};

/* One entry of SmcNode.status.endpoints. */
struct mesh_endpoint {
	struct smc_addr addr;
	__u32 transports; /* enum smc_transport bits */
	char *ns, *pod, *uid;
	long long created;
	bool host_network;	 /* `ports` counts, also when empty */
	struct mesh_ports ports; /* hostNetwork: only these */
};

/* The status of a condition. */
enum mesh_truth { MESH_NOT_SAID = 0, MESH_TRUE, MESH_FALSE, MESH_UNKNOWN };

struct mesh_node {
	char *name;
	char *boot_id;	       /* NULL: not said */
	char *version;	       /* metadata.resourceVersion, NULL: not said */
	struct smc_addr rdma;  /* of its own RDMA port; 0: none is said */
	bool ready;	       /* condition Ready is not "False" */
	long long ready_since; /* its lastTransitionTime, 0: not said */
	/* The same for the condition Capable. */
	enum mesh_truth capable;
	long long capable_since;
	__u32 transports;
	char **ueids;
	size_t n_ueids;
	struct mesh_endpoint *endpoints;
	size_t n_endpoints;
};

/* One annotation of a Namespace: the default of its pods. */
struct mesh_default {
	bool said;
	char *problem; /* NULL, or a sentence as of mesh_pod */
	enum mesh_switch enabled;
	struct mesh_ranges ports;
};

struct mesh_namespace {
	char *name;
	struct mesh_default enabled; /* of it, `enabled` counts */
	struct mesh_default in, out; /* of these, `ports` */
};

struct mesh_service_port {
	char *name; /* "" where it has none */
	__u16 port;
};

/* A Service: a proxy on each node turns its address into a backend's. */
struct mesh_service {
	char *ns, *name;
	struct mesh_addrs addrs; /* ClusterIPs; none where it is headless */
	/* Other addresses where it has its ports: spec.externalIPs, its
	 * balancers'. They may be anybody's. */
	struct mesh_addrs externals;
	struct mesh_service_port *ports; /* TCP only */
	size_t n_ports;
	struct mesh_ports node_ports; /* taken at every node's addresses */
	/* It has backends that its slices do not list, or a proxy other than
	 * the node's own. */
	bool elsewhere;
	bool broken; /* a port was not understood, and is not in `ports` */
};

/* One EndpointSlice: some of the backends of a Service. */
struct mesh_slice {
	char *ns, *name;
	char *service; /* of the same namespace; "" if it belongs to none */
	/* Something in it was not understood, so it may have other backends
	 * than those here: no port of the Service is offered SMC. */
	bool broken;
	struct mesh_service_port *ports; /* TCP only; names of the Service's */
	size_t n_ports;
	struct mesh_addrs backends; /* ready or serving */
};

struct mesh_world {
	struct mesh_config config;
	struct mesh_pod *pods;
	size_t n_pods;
	struct mesh_node *nodes;
	size_t n_nodes;
	/* The objects in any order, each name (in its namespace) once. */
	struct mesh_namespace *namespaces;
	size_t n_namespaces;
	struct mesh_service *services;
	size_t n_services;
	struct mesh_slice *slices;
	size_t n_slices;
};

/* mesh_world_init - An empty world with the defaults of the configuration. */
void mesh_world_init(struct mesh_world *w);

/* mesh_world_free - Free all that @w holds; safe on a zeroed struct. */
void mesh_world_free(struct mesh_world *w);

/* mesh_config_reset - The defaults again; frees what @c held. */
void mesh_config_reset(struct mesh_config *c);

/* mesh_config_copy - *@out is overwritten. Return: 0 or -ENOMEM, then *@out
 * holds nothing. */
must_check int mesh_config_copy(const struct mesh_config *c,
				struct mesh_config *out);

/* Free what one of its members holds, and zero it: for builders of a world. */
void mesh_pod_free(struct mesh_pod *p);
void mesh_endpoint_free(struct mesh_endpoint *e);
void mesh_node_free(struct mesh_node *n);
void mesh_namespace_free(struct mesh_namespace *n);
void mesh_service_free(struct mesh_service *s);
void mesh_slice_free(struct mesh_slice *s);

/* mesh_enabled - Is the mesh switch on? SmcMesh wins where it says something,
 * then ASMMeshConfig; neither: off. */
bool mesh_enabled(const struct mesh_config *c);

/*
 * mesh_switch_parse - An annotation's value: "true" or "false", nothing else.
 * Return: 0, or -EINVAL with *@out untouched.
 */
int mesh_switch_parse(const char *text, enum mesh_switch *out);

/* mesh_ueid_valid - 1 to 32 of A-Z 0-9 . -, the first alphanumeric: what the
 * kernel takes (smc_clc_ueid_valid() in net/smc/smc_clc.c). */
bool mesh_ueid_valid(const char *ueid);

/*
 * mesh_ports_set - A copy of the @n ports at @v, sorted and without doubles;
 * what was in @out is freed. Return: 0, or -ENOMEM with *@out untouched.
 */
int mesh_ports_set(struct mesh_ports *out, const __u16 *v, size_t n);

/* mesh_ports_has - Is @port in @p? */
bool mesh_ports_has(const struct mesh_ports *p, __u16 port);
