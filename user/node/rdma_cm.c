// SPDX-License-Identifier: Apache-2.0
#include "node/rdma_cm.h"

#include <rdma/rdma_netlink.h>
#include "node/nl.h"

/* Who asks for the device of a client that there is not makes the kernel load
 * the module "rdma-client-rdma_cm" (ib_get_client_nl_info(),
 * drivers/infiniband/core/device.c). */
int rdma_cm_load(void)
{
	struct nl_request r;

	nl_init(&r, RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET_CHARDEV),
		0);
	mnl_attr_put_strz(r.head, RDMA_NLDEV_ATTR_CHARDEV_TYPE, "rdma_cm");
	return nl_talk(NETLINK_RDMA, &r, NULL, NULL);
}
