// SPDX-License-Identifier: Apache-2.0
#include "base/ipproto.h"

#include <errno.h>
#include <sys/socket.h>
#include "base/cleanup.h"

static const int numbers[] = {IPPROTO_SMC, IPPROTO_SMC_VENDOR};

int ipproto_smc(void)
{
	int first = 0;

	for (size_t i = 0; i < array_size(numbers); i++) {
		_close_ int fd =
			socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, numbers[i]);

		if (fd >= 0)
			return numbers[i];
		/* what mainline's number gets tells more */
		first = first ?: -errno;
	}
	return first;
}

bool ipproto_is_smc(int protocol)
{
	for (size_t i = 0; i < array_size(numbers); i++)
		if (protocol == numbers[i])
			return true;
	return false;
}
