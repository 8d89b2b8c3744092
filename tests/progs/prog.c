// SPDX-License-Identifier: Apache-2.0
#include "prog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s%s\n", err ? ": " : "", err ? strerror(err) : "");
	exit(1);
}

uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

unsigned long number(const char *text)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end)
		die("'%s' is not a number", text);
	return v;
}

/* Cut "@text" at the last @sep and return what follows, or NULL. */
static char *cut(char *text, char sep)
{
	char *at = strrchr(text, sep);

	if (!at)
		return NULL;
	*at = 0;
	return at + 1;
}

void span_parse(const char *text, struct span *out)
{
	char buf[128], *bracket, *tail, *count = NULL, *port = NULL;
	struct sockaddr_in6 *six = (void *)&out->first;
	struct sockaddr_in *four = (void *)&out->first;

	memset(out, 0, sizeof(*out));
	snprintf(buf, sizeof(buf), "%s", text);
	bracket = buf[0] == '[' ? strchr(buf, ']') : NULL;
	tail = bracket ? bracket + 1 : buf;
	port = cut(tail, ':');
	count = cut(tail, '+');
	out->n = count ? number(count) : 1;
	if (bracket) {
		*bracket = 0;
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port ? number(port) : 0);
	} else {
		four->sin_family = AF_INET;
		four->sin_port = htons(port ? number(port) : 0);
	}
	if (!out->n || inet_pton(out->first.ss_family, bracket ? buf + 1 : buf,
				 bracket ? (void *)&six->sin6_addr
					 : (void *)&four->sin_addr) != 1) {
		errno = 0;
		die("'%s' is not ADDRESS[+COUNT][:PORT]", text);
	}
}

struct sockaddr_storage span_at(const struct span *s, unsigned int i,
				socklen_t *len)
{
	struct sockaddr_storage a = s->first;

	i %= s->n;
	if (a.ss_family == AF_INET) {
		struct sockaddr_in *four = (void *)&a;

		four->sin_addr.s_addr = htonl(ntohl(four->sin_addr.s_addr) + i);
		*len = sizeof(*four);
	} else {
		struct sockaddr_in6 *six = (void *)&a;

		six->sin6_addr.s6_addr32[3] =
			htonl(ntohl(six->sin6_addr.s6_addr32[3]) + i);
		*len = sizeof(*six);
	}
	return a;
}

void span_ip(const struct span *s, unsigned int i, uint8_t ip[16])
{
	socklen_t len;
	struct sockaddr_storage a = span_at(s, i, &len);

	if (a.ss_family == AF_INET6) {
		memcpy(ip, &((struct sockaddr_in6 *)&a)->sin6_addr, 16);
		return;
	}
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	memcpy(ip + 12, &((struct sockaddr_in *)&a)->sin_addr, 4);
}

void sock_timeout(int fd, unsigned int seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
		die("socket time-outs");
}

bool sock_is_smc(int fd)
{
	int proto = -1;
	socklen_t len = sizeof(proto);

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &len))
		die("SO_PROTOCOL");
	return proto == IPPROTO_SMC;
}

int send_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;

	for (; len; p += n, len -= n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
	}
	return 0;
}

int recv_all(int fd, void *buf, size_t len)
{
	char *p = buf;
	ssize_t n;

	for (; len; p += n, len -= n) {
		n = recv(fd, p, len, 0);
		if (n < 0)
			return -errno;
		if (!n)
			return -EPIPE;
	}
	return 0;
}

int echo_once(int fd, unsigned int seed)
{
	unsigned int out[16], in[16];
	int err;

	for (unsigned int i = 0; i < 16; i++)
		out[i] = seed * 2654435761U + i;
	err = send_all(fd, out, sizeof(out));
	if (!err)
		err = recv_all(fd, in, sizeof(in));
	if (!err && memcmp(out, in, sizeof(in)))
		err = -EBADMSG;
	return err;
}

static int bpf(int cmd, union bpf_attr *attr)
{
	int ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

int map_open(const char *pin)
{
	union bpf_attr attr = {.pathname = (uintptr_t)pin};

	return bpf(BPF_OBJ_GET, &attr);
}

int map_get(int fd, const void *key, void *value)
{
	union bpf_attr attr = {
		.map_fd = fd, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

int map_put(int fd, const void *key, const void *value)
{
	union bpf_attr attr = {
		.map_fd = fd, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

int map_del(int fd, const void *key)
{
	union bpf_attr attr = {.map_fd = fd, .key = (uintptr_t)key};

	return bpf(BPF_MAP_DELETE_ELEM, &attr);
}

int map_next(int fd, const void *key, void *next)
{
	union bpf_attr attr = {.map_fd = fd,
			       .key = (uintptr_t)key,
			       .next_key = (uintptr_t)next};

	return bpf(BPF_MAP_GET_NEXT_KEY, &attr);
}
