// SPDX-License-Identifier: Apache-2.0
#include "node/soft_roce.h"

#include <errno.h>
#include <stdio.h>
#include "base/cleanup.h"

#define ROCE_V2_PORT 4791

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

bool soft_roce_is_deaf(void)
{
	int v4 = has_socket("/proc/self/net/udp");
	int v6 = has_socket("/proc/self/net/udp6");

	return !v4 && (!v6 || v6 == -ENOENT);
}
