// SPDX-License-Identifier: Apache-2.0
#include "node/tcpinfo.h"

#include <string.h>
#include <linux/tcp.h>

bool tcpinfo_bytes(const void *info, size_t len, __u64 *rx, __u64 *tx)
{
	struct tcp_info i = {};

	if (len < offsetof(struct tcp_info, tcpi_bytes_retrans) +
			  sizeof(i.tcpi_bytes_retrans))
		return false;
	memcpy(&i, info, len < sizeof(i) ? len : sizeof(i));
	*rx = i.tcpi_bytes_received;
	*tx = i.tcpi_bytes_sent - i.tcpi_bytes_retrans;
	return true;
}
