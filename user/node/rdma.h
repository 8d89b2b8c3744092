/* SPDX-License-Identifier: Apache-2.0 */
/* RDMA devices over RDMA netlink, which honours network namespaces (the device
 * dump of SMC's own netlink does not). */
#pragma once

#include <stdbool.h>
#include "base/addr.h"
#include "base/cleanup.h"

/* More ports than a machine has; callers have room for so many. */
#define RDMA_MAX 64

/* A port of an RDMA device as seen in the caller's network namespace. */
struct rdma_device {
	char name[64];	   /* IB_DEVICE_NAME_MAX */
	char netdev[16];   /* the port's; "" if not in this namespace */
	__u32 index;	   /* of the device, in RDMA netlink */
	unsigned int port; /* from 1 */
	bool active;
	bool channel_adapter; /* InfiniBand or RoCE; SMC uses no iWARP */
	/* Soft RoCE that carries nothing for this namespace: soft_roce.h. Asked
	 * for where all else is well. */
	bool deaf;
	struct cidr subnet; /* of netdev's first usable IPv4 address, or zero */
	struct smc_addr address; /* that address */
};

/*
 * rdma_list - The ports that the caller's namespace may use.
 * @room: places in @out; further ports are left out.
 * Return: rows written, -ENOENT: no RDMA in the kernel, or another errno.
 */
must_check int rdma_list(struct rdma_device *out, unsigned int room);

/*
 * rdma_software - Are all RDMA devices that the caller's namespace may use made
 * of software (soft RoCE, soft iWARP)? By the driver's number, as user space's
 * part of RDMA asks for it.
 * @name: of the first one, if so; else "".
 * Return: 0, or a negative errno: it cannot be told.
 */
must_check int rdma_software(char name[64]);

/* rdma_subnet - Is @ifa a usable IPv4 address? Then @addr is that, @out its
 * subnet. */
struct ifaddrs;
bool rdma_subnet(const struct ifaddrs *ifa, struct smc_addr *addr,
		 struct cidr *out);

/*
 * rdma_usable - Can sockets of this namespace use the port for SMC-R?
 *
 * What SMC-Rv2 needs (net/smc of Linux 7.3), and how this tells:
 * - an InfiniBand or RoCE device (smc_ib_add_dev(): RDMA_NODE_IB_CA), active
 *   (smc_ib_port_active()), that this namespace may use
 *   (rdma_dev_access_netns()): the node type, port state and mere presence in
 *   a dump asked for in this namespace;
 * - without a PNET id, the port's netdev is the one below the route of the
 *   connection (smc_pnet_find_rdma_dev()), and where it is another one, found
 *   by a PNET id, the next two still hold;
 * - an IPv4 RoCEv2 GID, and an IPv4 subnet on that netdev that holds the
 *   socket's own address (smc_ib_determine_gid_rcu()); RoCE cores make such a
 *   GID from each IPv4 address of the netdev;
 * - a route from the socket's address to the peer's GID, looked up in the
 *   netdev's namespace, not the socket's (smc_ib_find_route() with
 *   dev_net(ndev)). An output route needs a local source address, so the
 *   address of the pod must be local where the netdev is: the netdev has to be
 *   in the pod's own namespace. A device shared with a pod whose address is
 *   behind a veth or ipvlan is declined, 0x03030002.
 * Hence: netdev named (that is, in this namespace) and with a usable IPv4
 * address. A native IPv6 connection has no SMC-Rv2 at all on these kernels.
 */
bool rdma_usable(const struct rdma_device *dev);
