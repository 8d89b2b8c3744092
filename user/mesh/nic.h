/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's NICs, as `smcmesh node` sees them: which is the primary one, and
 * which are in other hands. node/nic_read.h fills this in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/cleanup.h"

#define NIC_NAME_ROOM 16  /* IFNAMSIZ */
#define NIC_MAC_ROOM 18	  /* "00:16:3e:00:00:01" and the NUL */
#define NIC_WHERE_ROOM 64 /* a namespace's path, cut */

/* Of linux/rtnetlink.h: where a node's own routes are. */
#define NIC_TABLE_MAIN 254

struct nic {
	unsigned int ifindex;
	char name[NIC_NAME_ROOM];
	char mac[NIC_MAC_ROOM]; /* lower case; "": it is no Ethernet NIC */
	bool loopback;
	bool up;	     /* administratively */
	bool running;	     /* and has a carrier */
	unsigned int master; /* ifindex of the bridge, bond or VRF; 0: none */
	/* Of a VLAN, macvlan or ipvlan device the ifindex of the one below it,
	 * which may be in another namespace; 0: it is none. */
	unsigned int lower;
	bool lower_elsewhere;
};

/* An address that stays until somebody deletes it, not of scope link. */
struct nic_addr {
	unsigned int ifindex;
	struct smc_addr addr;
	unsigned int prefixlen; /* of 128, as in struct cidr */
	__u32 metric;	/* of the connected route that the kernel makes */
	bool routeless; /* the kernel makes none (IFA_F_NOPREFIXROUTE) */
};

/* A unicast route, or one next hop of it. */
struct nic_route {
	unsigned int ifindex;
	struct cidr dst;
	__u32 table, metric;
	bool direct;	/* no gateway */
	bool automatic; /* the kernel made it, for an address or an RA */
};

/* A device of kind ipvlan, macvlan, ipvtap or macvtap. */
struct nic_child {
	unsigned int parent; /* ifindex of a NIC of the view */
	char name[NIC_NAME_ROOM], kind[NIC_NAME_ROOM];
	char where[NIC_WHERE_ROOM]; /* the namespace it is in; "": the view's */
};

/* All of a namespace. Zeroed: empty. */
struct nic_view {
	struct nic *nics;
	size_t n_nics;
	struct nic_addr *addrs;
	size_t n_addrs;
	struct nic_route *routes;
	size_t n_routes;
	struct nic_child *children;
	size_t n_children;
};

/* nic_view_free - Safe on a zeroed struct; zeroes it. */
void nic_view_free(struct nic_view *v);

/* nic_of, nic_named - NULL: there is none of that number, or name. */
const struct nic *nic_of(const struct nic_view *v, unsigned int ifindex);
const struct nic *nic_named(const struct nic_view *v, const char *name);

/*
 * nic_primary - The NIC of the IPv4 default route with the lowest metric.
 * @why: a sentence, if there is none.
 * Return: 0, with @out a NIC of @v; -ENOTUNIQ: two share that metric;
 * -EAFNOSUPPORT: only IPv6 has a default route; -ENOENT: there is none at all.
 */
must_check int nic_primary(const struct nic_view *v, const struct nic **out,
			   struct buf *why);

/* nic_barred - Is @nic one that is never touched: @primary itself, or the
 * loopback device? @why then gets a sentence. */
bool nic_barred(const struct nic *primary, const struct nic *nic,
		struct buf *why);

/*
 * nic_held - Does a CNI, or another owner, have this NIC? @why then gets a
 * sentence with the sign that was found:
 * - it is a port of a bridge, bond or VRF;
 * - it is the parent of an ipvlan or macvlan device, here or in a pod;
 * - a routing table other than main, local and default leads out of it.
 * Terway's is number 1000 + ifindex.
 */
bool nic_held(const struct nic_view *v, const struct nic *nic, struct buf *why);

/* nic_is_default - Is @dst the default route's, of either family? */
bool nic_is_default(const struct cidr *dst);

/* nic_other_default - A default route by @nic, whichever metric; NULL: none. */
const struct nic_route *nic_other_default(const struct nic_view *v,
					  const struct nic *nic);
