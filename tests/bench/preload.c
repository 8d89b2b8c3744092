// SPDX-License-Identifier: Apache-2.0
/*
 * LD_PRELOAD: stream sockets of a program become native SMC sockets, the
 * measure that ours are held against. Not a part of smcmesh.
 */
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define PROTO_SMC 256

int socket(int family, int type, int protocol)
{
	static int (*real)(int, int, int);
	int inet = family == AF_INET || family == AF_INET6;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "socket");
	if (inet && (type & 0xf) == SOCK_STREAM &&
	    (protocol == 0 || protocol == IPPROTO_TCP))
		protocol = PROTO_SMC;
	return real(family, type, protocol);
}
