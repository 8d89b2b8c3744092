// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_row.h"

#include "mesh/ranges.h"

int port_row_add(struct rows *out, __u32 pod_id, __u32 role, __u16 first,
		 __u16 last)
{
	const struct smc_port_key key = {
		.prefixlen = SMC_PORT_PREFIX + mesh_block_bits(first, last),
		.pod_id = pod_id,
		.role = role,
		.port = {first >> 8, first & 0xff},
	};
	const struct smc_port value = {first, last};

	return rows_add(out, &key, &value);
}
