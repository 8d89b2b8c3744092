/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as the ABI has them: 16 bytes, IPv4 mapped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <smcmesh/abi.h>

#define ADDR_STRLEN 48 /* "ffff:...:255.255.255.255/128" and the NUL */
#define ADDR_PORT_STRLEN (ADDR_STRLEN + 8) /* "[...]:65535" */

struct cidr {
	struct smc_addr addr;	/* bits below the prefix are zero */
	unsigned int prefixlen; /* of 128: an IPv4 /16 is 112 */
};

/* addr_parse - "10.0.0.1" or "fd00::1" to @out. Return: 0 or -EINVAL. */
int addr_parse(const char *text, struct smc_addr *out);

/* addr_from_bytes - @len bytes, 4 or 16, in network byte order. Return: false:
 * there is no address of that length. */
bool addr_from_bytes(const void *bytes, size_t len, struct smc_addr *out);

/* addr_from_sockaddr - The address of @sa, whose length is its family's; false
 * for NULL and for other families than AF_INET and AF_INET6. */
bool addr_from_sockaddr(const struct sockaddr *sa, struct smc_addr *out);

/* addr_format - Text of @addr, IPv4 without the mapping. Return: @text. */
const char *addr_format(const struct smc_addr *addr, char text[ADDR_STRLEN]);

/* addr_is_v4 - Is it an IPv4 address, mapped? */
bool addr_is_v4(const struct smc_addr *addr);

/* addr_is_loopback - Is it loopback, of either family? */
bool addr_is_loopback(const struct smc_addr *addr);

/* addr_usable - May it be an endpoint's at all: not unspecified, loopback,
 * link-local or multicast (of either family)? */
bool addr_usable(const struct smc_addr *addr);

/* addr_cmp - Order of memcmp(). */
int addr_cmp(const struct smc_addr *a, const struct smc_addr *b);

/* addr_order - The same, for qsort() and bsearch(). */
int addr_order(const void *a, const void *b);

/* addr_port - Address and port in one struct. */
struct smc_addr_port addr_port(const struct smc_addr *addr, __u16 port);

/* addr_port_parse - "10.0.0.1:80" or "[fd00::1]:80", the port not 0, to @out.
 * Return: 0, or -EINVAL with *@out untouched. */
int addr_port_parse(const char *text, struct smc_addr_port *out);

/* addr_port_format - Text of @at as above. Return: @text. */
const char *addr_port_format(const struct smc_addr_port *at,
			     char text[ADDR_PORT_STRLEN]);

/* host_port_format - "HOST:PORT", "[HOST]:PORT" where the host is an IPv6
 * address; cut to @room bytes with the NUL. Return: @text. */
const char *host_port_format(const char *host, const char *port, char *text,
			     size_t room);

/* addr_port_cmp - Order of addr_cmp(), and by port (host byte order) where the
 * addresses are equal. */
int addr_port_cmp(const struct smc_addr_port *a, const struct smc_addr_port *b);

/* cidr_parse - "10.0.0.0/8" or "fd00::/8". Return: 0, or -EINVAL, also if bits
 * are set below the prefix. */
int cidr_parse(const char *text, struct cidr *out);

/* cidr_of - The prefix of @prefixlen bits of 128 that @addr is in. */
struct cidr cidr_of(const struct smc_addr *addr, unsigned int prefixlen);

/* cidr_has - Is @addr one of @cidr's? */
bool cidr_has(const struct cidr *cidr, const struct smc_addr *addr);

/* cidr_format - Text of @cidr, IPv4 with its own prefix length. Return: @text.
 */
const char *cidr_format(const struct cidr *cidr, char text[ADDR_STRLEN]);
