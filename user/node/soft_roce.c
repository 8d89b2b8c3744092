// SPDX-License-Identifier: Apache-2.0
#include "node/soft_roce.h"

#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_netlink.h>
#include <stdio.h>
#include "base/array.h"
#include "node/nl.h"

#define ROCE_V2_PORT 4791

/* ---- the device ---- */

static int take_driver(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID + 1];
	bool *soft = arg;

	nl_attrs(h, 0, tb, RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID);
	*soft = tb[RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID] &&
		nl_uint(tb[RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID]) ==
			RDMA_DRIVER_RXE;
	return MNL_CB_OK;
}

static bool is_soft(__u32 index)
{
	struct nl_request r;
	bool soft = false;

	nl_init(&r, RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET_CHARDEV),
		NLM_F_ACK);
	mnl_attr_put_u32(r.head, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	mnl_attr_put_strz(r.head, RDMA_NLDEV_ATTR_CHARDEV_TYPE, "uverbs");
	return !nl_talk(NETLINK_RDMA, &r, take_driver, &soft) && soft;
}

/* ---- the namespace ---- */

/* Has it a UDP socket on the port? Return: -errno: it cannot be told. */
static int has_socket(const char *path)
{
	_fclose_ FILE *f = fopen(path, "re");
	unsigned int port;
	char line[256];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u: %*[0-9A-Fa-f]:%x", &port) == 1 &&
		    port == ROCE_V2_PORT)
			return 1;
	return ferror(f) ? -EIO : 0;
}

static bool hears_nothing(void)
{
	int v4 = has_socket("/proc/self/net/udp");
	int v6 = has_socket("/proc/self/net/udp6");

	return !v4 && (!v6 || v6 == -ENOENT);
}

bool soft_roce_is_deaf(__u32 index)
{
	return hears_nothing() && is_soft(index);
}
