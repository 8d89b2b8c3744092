/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PNET ids: a name that an interface and an RDMA port share, so that
 * connections over the one use the other. Without one the kernel takes the port
 * of the very interface that a connection's route leads out of, or of the
 * device below that (smc_pnet_find_roce_by_pnetid() in net/smc/smc_pnet.c).
 *
 * The kernel has a table of interfaces for each namespace, and one of RDMA
 * devices, the initial namespace's. It removes by name: all entries of one name
 * at once. So a name of ours is one that nobody else gives.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "mesh/nic.h"

#define MESH_PNET_ID_ROOM 17	 /* SMC_MAX_PNETID_LEN and the NUL */
#define MESH_PNET_DEVICE_ROOM 64 /* IB_DEVICE_NAME_MAX */
#define MESH_PNET_MAX 4		 /* interfaces of a namespace that are served */

/* An RDMA port that sockets of the namespace can use. */
struct mesh_pnet_port {
	char device[MESH_PNET_DEVICE_ROOM];
	unsigned int port; /* from 1 */
	char netdev[NIC_NAME_ROOM];
	struct cidr subnet; /* where SMC-Rv2 wants a connection's address */
};

/* An entry of a table: of an interface (device ""), or of a device (nic ""). */
struct mesh_pnet_entry {
	char id[MESH_PNET_ID_ROOM];
	char nic[NIC_NAME_ROOM];
	char device[MESH_PNET_DEVICE_ROOM];
	unsigned int port;
};

struct mesh_pnet_table {
	struct mesh_pnet_entry *v;
	size_t n;
};

/* An interface that needs an entry: for this port, by this name. */
struct mesh_pnet_need {
	char nic[NIC_NAME_ROOM];
	char device[MESH_PNET_DEVICE_ROOM];
	unsigned int port;
	char id[MESH_PNET_ID_ROOM];
};

/* What follows for a namespace. */
struct mesh_pnet_plan {
	struct mesh_pnet_need v[MESH_PNET_MAX];
	unsigned int n;
	/* An ipvlan or macvlan interface without a port here, whose parent is
	 * in another namespace: the number of that, and the interface's
	 * address. parent 0: none. The kernel asks the parent's table first. */
	unsigned int parent;
	struct smc_addr parent_addr;
};

/* mesh_pnet_id - The name that we give a port: the same in each namespace. */
void mesh_pnet_id(const char *device, unsigned int port,
		  char id[MESH_PNET_ID_ROOM]);

/* mesh_pnet_is_ours - Has it the form of those? */
bool mesh_pnet_is_ours(const char *id);

/* mesh_pnet_device, mesh_pnet_nic - The entry of that port, or interface; NULL:
 * it has none. */
const struct mesh_pnet_entry *mesh_pnet_device(const struct mesh_pnet_table *t,
					       const char *device,
					       unsigned int port);
const struct mesh_pnet_entry *mesh_pnet_nic(const struct mesh_pnet_table *t,
					    const char *nic);

/*
 * mesh_pnet_plan - Which interfaces need an entry?
 *
 * One with an IPv4 address in the subnet of a port's netdev, unless the kernel
 * finds the port of that interface, or of the device below it, by itself.
 * @view: the namespace's interfaces and addresses.
 * @ports: that its sockets can use.
 * @devices: the initial namespace's table: a device that has a name keeps it.
 * @host: it is the host's own namespace, where a name of somebody else's is not
 * used: removing ours would remove theirs.
 */
void mesh_pnet_plan(const struct nic_view *view,
		    const struct mesh_pnet_port *ports, size_t n,
		    const struct mesh_pnet_table *devices, bool host,
		    struct mesh_pnet_plan *out);

/* mesh_pnet_parent - Does the host's NIC number @parent need an entry for an
 * ipvlan interface of address @addr? Then it is added to @out. The other
 * arguments: as for mesh_pnet_plan() of the host's namespace. */
void mesh_pnet_parent(const struct nic_view *view,
		      const struct mesh_pnet_port *ports, size_t n,
		      const struct mesh_pnet_table *devices,
		      unsigned int parent, const struct smc_addr *addr,
		      struct mesh_pnet_plan *out);
