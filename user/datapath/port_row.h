/* SPDX-License-Identifier: Apache-2.0 */
/* A row of smc_port: a block of ports that a pod excludes. */
#pragma once

#include <smcmesh/abi.h>

#include "base/cleanup.h"
#include "datapath/rows.h"

/* port_row_add - Add the row of smc_port that excludes a block of ports
 * (mesh_block()). Return: 0 or -ENOMEM. */
must_check int port_row_add(struct rows *out, __u32 pod_id, __u32 role,
			    __u16 first, __u16 last);
