/* SPDX-License-Identifier: Apache-2.0 */
/* What sysfs says of RDMA devices beyond RDMA netlink (rdma.h): the kind of
 * device, the link layer, the GIDs. For advice: no decision is made by it. */
#pragma once

#include "node/host.h"
#include "node/rdma.h"

#define RDMA_SYSFS "/sys/class/infiniband"
#define RDMA_NETNS_MODE "/sys/module/ib_core/parameters/netns_mode"

/* A port, with the kernel's own words; "" where a file could not be read. */
struct rdma_port {
	char device[64];
	unsigned int port;
	char node_type[24];  /* "1: CA", "4: RNIC" */
	char state[24];	     /* "4: ACTIVE", "1: DOWN" */
	char link_layer[16]; /* "Ethernet", "InfiniBand" */
	char netdev[16];     /* of its first GID; "": none */
	/* GIDs that are an IPv4 address, of RoCE version 1 and 2. */
	unsigned int gids_v1, gids_v2;
};

/*
 * rdma_sysfs_read - The ports of the host's devices, in no order.
 * @room: places in @out; further ports are left out.
 * Return: rows written; -ENOENT: there is no such class; or another negative
 * errno.
 */
must_check int rdma_sysfs_read(const struct host *h, struct rdma_port *out,
			       unsigned int room);

/* rdma_is_adapter - Is it an InfiniBand or RoCE device (RDMA_NODE_IB_CA)? */
bool rdma_is_adapter(const struct rdma_port *p);

/* rdma_is_active - Is the port's state ACTIVE? */
bool rdma_is_active(const struct rdma_port *p);

/*
 * rdma_netns_shared - May all network namespaces use every RDMA device?
 * Return: 1: yes; 0: exclusive mode; or a negative errno.
 */
must_check int rdma_netns_shared(const struct host *h);
