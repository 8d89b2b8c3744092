// SPDX-License-Identifier: Apache-2.0
#include "node/rdma.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_netlink.h>
#include <string.h>
#include "node/nl.h"
#include "node/soft_roce.h"

/* include/rdma/ib_verbs.h of the kernel; not part of its uapi. */
#define IB_PORT_ACTIVE 4

struct device_id {
	__u32 index;
	__u8 node_type;
	char name[64];
};

struct device_ids {
	struct device_id v[64];
	unsigned int n;
};

struct ports {
	struct rdma_device *v;
	unsigned int n, room;
	/* Of the device being listed, and where its ports begin. */
	__u8 node_type;
	unsigned int first;
	__u32 index;
};

static void forget_devices(void *ids)
{
	((struct device_ids *)ids)->n = 0;
}

static int take_device(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[RDMA_NLDEV_ATTR_DEV_NODE_TYPE + 1];
	struct device_ids *ids = arg;
	struct device_id *id;

	nl_attrs(h, 0, tb, RDMA_NLDEV_ATTR_DEV_NODE_TYPE);
	if (!tb[RDMA_NLDEV_ATTR_DEV_INDEX] || ids->n == array_size(ids->v))
		return MNL_CB_OK;
	id = &ids->v[ids->n++];
	id->index = nl_u32(tb[RDMA_NLDEV_ATTR_DEV_INDEX]);
	id->node_type = nl_u8(tb[RDMA_NLDEV_ATTR_DEV_NODE_TYPE]);
	nl_str(tb[RDMA_NLDEV_ATTR_DEV_NAME], id->name, sizeof(id->name));
	return MNL_CB_OK;
}

static void forget_ports(void *arg)
{
	struct ports *ports = arg;

	ports->n = ports->first;
}

static int take_port(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[RDMA_NLDEV_ATTR_NDEV_NAME + 1];
	struct ports *ports = arg;
	struct rdma_device *d;

	nl_attrs(h, 0, tb, RDMA_NLDEV_ATTR_NDEV_NAME);
	if (!tb[RDMA_NLDEV_ATTR_PORT_INDEX] || ports->n == ports->room)
		return MNL_CB_OK;
	d = &ports->v[ports->n++];
	memset(d, 0, sizeof(*d));
	nl_str(tb[RDMA_NLDEV_ATTR_DEV_NAME], d->name, sizeof(d->name));
	nl_str(tb[RDMA_NLDEV_ATTR_NDEV_NAME], d->netdev, sizeof(d->netdev));
	d->index = ports->index;
	d->port = nl_u32(tb[RDMA_NLDEV_ATTR_PORT_INDEX]);
	d->active = nl_u8(tb[RDMA_NLDEV_ATTR_PORT_STATE]) == IB_PORT_ACTIVE;
	d->channel_adapter = ports->node_type == RDMA_NODE_IB_CA;
	return MNL_CB_OK;
}

static int list_ports(const struct device_id *id, struct ports *ports)
{
	struct nl_request r;
	int err;

	nl_init(&r, RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_PORT_GET),
		NLM_F_DUMP);
	mnl_attr_put_u32(r.head, RDMA_NLDEV_ATTR_DEV_INDEX, id->index);
	ports->node_type = id->node_type;
	ports->index = id->index;
	ports->first = ports->n;
	err = nl_dump(NETLINK_RDMA, &r, take_port, forget_ports, ports);
	/* The kernel's error for a device that was removed since it was
	 * listed. */
	return err == -EINVAL ? 0 : err;
}

bool rdma_subnet(const struct ifaddrs *ifa, struct smc_addr *addr,
		 struct cidr *out)
{
	const struct sockaddr_in *a = (void *)ifa->ifa_addr;
	const struct sockaddr_in *mask = (void *)ifa->ifa_netmask;

	if (!a || !mask || a->sin_family != AF_INET)
		return false;
	addr_from_bytes(&a->sin_addr, 4, addr);
	*out = cidr_of(addr, 96 + __builtin_popcount(mask->sin_addr.s_addr));
	return addr_usable(addr);
}

static void find_subnet(struct rdma_device *d, const struct ifaddrs *all)
{
	struct smc_addr addr;
	struct cidr subnet;

	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, d->netdev) ||
		    !rdma_subnet(i, &addr, &subnet))
			continue;
		d->subnet = subnet;
		d->address = addr;
		return;
	}
}

static int add_subnets(struct rdma_device *v, unsigned int n)
{
	struct ifaddrs *all;

	if (!n)
		return 0;
	if (getifaddrs(&all))
		return -errno;
	for (unsigned int i = 0; i < n; i++)
		find_subnet(&v[i], all);
	freeifaddrs(all);
	return 0;
}

static int list_devices(struct device_ids *ids)
{
	struct nl_request r;

	nl_init(&r, RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET),
		NLM_F_DUMP);
	return nl_dump(NETLINK_RDMA, &r, take_device, forget_devices, ids);
}

/* ---- drivers ---- */

static int take_driver(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID + 1];

	nl_attrs(h, 0, tb, RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID);
	*(__u32 *)arg = nl_uint(tb[RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID]);
	return MNL_CB_OK;
}

/* enum rdma_driver_id */
static int driver_of(__u32 index, __u32 *out)
{
	struct nl_request r;

	*out = RDMA_DRIVER_UNKNOWN;
	nl_init(&r, RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET_CHARDEV),
		0);
	mnl_attr_put_u32(r.head, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	mnl_attr_put_strz(r.head, RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs");
	return nl_talk(NETLINK_RDMA, &r, take_driver, out);
}

/* Mark the ports of soft RoCE if it carries nothing for this namespace. Not
 * where that cannot be told, e.g. without ib_uverbs, which names a device's
 * driver. */
static void mark_deaf(struct rdma_device *v, unsigned int n)
{
	__u32 driver;

	if (!n || !soft_roce_is_deaf())
		return;
	for (unsigned int i = 0; i < n; i++)
		v[i].deaf = rdma_usable(&v[i]) &&
			    !driver_of(v[i].index, &driver) &&
			    driver == RDMA_DRIVER_RXE;
}

/* ---- the list ---- */

int rdma_list(struct rdma_device *out, unsigned int room)
{
	struct ports ports = {.v = out, .room = room};
	struct device_ids ids = {};
	int err = list_devices(&ids);

	for (unsigned int i = 0; !err && i < ids.n; i++)
		err = list_ports(&ids.v[i], &ports);
	err = err ?: add_subnets(out, ports.n);
	if (err)
		return err;
	mark_deaf(out, ports.n);
	return ports.n;
}

bool rdma_usable(const struct rdma_device *dev)
{
	return dev->active && dev->channel_adapter && dev->netdev[0] &&
	       dev->subnet.prefixlen && !dev->deaf;
}

/* ---- of software ---- */

int rdma_software(char name[64])
{
	struct device_ids ids = {};
	int err = list_devices(&ids);
	bool all = ids.n;
	__u32 driver;

	name[0] = '\0';
	for (unsigned int i = 0; !err && all && i < ids.n; i++) {
		err = driver_of(ids.v[i].index, &driver);
		all = driver == RDMA_DRIVER_RXE || driver == RDMA_DRIVER_SIW;
	}
	if (!err && all)
		snprintf(name, 64, "%s", ids.v[0].name);
	return err;
}
