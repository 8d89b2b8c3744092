// SPDX-License-Identifier: Apache-2.0
#include "base/notify.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

/* The length of the address; 0: it is none. A name that begins with @ is an
 * abstract one. */
static socklen_t address_of(const char *name, struct sockaddr_un *out)
{
	size_t len = strlen(name);

	if ((*name != '/' && *name != '@') || len >= sizeof(out->sun_path))
		return 0;
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(out->sun_path, name, len);
	if (*name == '@')
		out->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + len;
}

int notify_tell(const char *lines)
{
	static const struct timeval most = {.tv_sec = 1};
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to;
	socklen_t len;
	_close_ int fd = -1;

	if (!name)
		return 0;
	len = address_of(name, &to);
	if (!len)
		return -EINVAL;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) ||
	    sendto(fd, lines, strlen(lines), MSG_NOSIGNAL,
		   (struct sockaddr *)&to, len) < 0)
		return -errno;
	return 0;
}

/* A number of the environment; 0: none. */
static unsigned long long number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long n;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return *end || errno ? 0 : n;
}

/* sd_watchdog_enabled(3): WATCHDOG_PID says whom it is for, since children
 * inherit it. */
unsigned int notify_watchdog_ms(void)
{
	unsigned long long ms = number_of("WATCHDOG_USEC") / 1000;

	if (getenv("WATCHDOG_PID") &&
	    number_of("WATCHDOG_PID") != (unsigned long long)getpid())
		return 0;
	return ms > UINT_MAX ? UINT_MAX : ms;
}
