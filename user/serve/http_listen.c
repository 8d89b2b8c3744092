// SPDX-License-Identifier: Apache-2.0
/* The sockets at which the server listens: TCP by a text, and the control
 * socket. */
#include "serve/http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/addr.h"
#include "base/log.h"

/* getaddrinfo() would take the lower 16 bits of any number. */
static bool port_ok(const char *port)
{
	size_t digits = strspn(port, "0123456789");

	return digits && !port[digits] && digits <= 5 &&
	       strtoul(port, NULL, 10) <= 65535;
}

static int split_host_port(const char *where, char host[64], char port[8])
{
	const char *colon = strrchr(where, ':');
	size_t len = colon ? (size_t)(colon - where) : 0;
	bool brackets = len > 1 && where[0] == '[' && where[len - 1] == ']';

	if (!len || !port_ok(colon + 1))
		return -EINVAL;
	if (brackets) {
		where++;
		len -= 2;
	}
	if (len >= 64 || (!brackets && memchr(where, ':', len)))
		return -EINVAL;
	memcpy(host, where, len);
	host[len] = '\0';
	strcpy(port, colon + 1);
	return 0;
}

static void name_bound(int fd, char bound[64])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[48] = "?", port[8] = "?";

	if (!getsockname(fd, (struct sockaddr *)&ss, &len))
		getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host),
			    port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	host_port_format(host, port, bound, 64);
}

static int bind_and_listen(const struct addrinfo *ai)
{
	_close_ int fd = -1;
	int one = 1;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, 64))
		return -errno;
	return take_fd(fd);
}

static int address_parse(const char *where, struct addrinfo **out)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	char host[64], port[8];

	if (split_host_port(where, host, port) ||
	    getaddrinfo(host, port, &hints, out))
		return log_refuse(
			"--listen %s: expected ADDRESS:PORT, e.g. 127.0.0.1:9469",
			where);
	return 0;
}

int http_address_check(const char *where)
{
	struct addrinfo *ai;
	int err = address_parse(where, &ai);

	if (!err)
		freeaddrinfo(ai);
	return err;
}

int http_listen_tcp(const char *where, char bound[64])
{
	struct addrinfo *ai;
	int fd, err;

	err = address_parse(where, &ai);
	if (err)
		return err;
	fd = bind_and_listen(ai);
	freeaddrinfo(ai);
	if (fd < 0)
		return log_err(fd, "listen on %s", where);
	name_bound(fd, bound);
	return fd;
}

int http_listen_unix(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	_close_ int fd = -1;
	mode_t mask;
	int err;

	if (strlen(path) >= sizeof(un.sun_path))
		return log_err(-ENAMETOOLONG, "the control socket %s", path);
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	/* The mode at the moment of bind(): chmod() afterwards would leave a
	 * moment in which anyone can connect. */
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&un, sizeof(un)) ? -errno : 0;
	umask(mask);
	if (!err && listen(fd, 64))
		err = -errno;
	if (err)
		return log_err(err, "listen on the control socket %s", path);
	return take_fd(fd);
}
