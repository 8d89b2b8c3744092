// SPDX-License-Identifier: Apache-2.0
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const __u8 v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

int addr_parse(const char *text, struct smc_addr *out)
{
	struct smc_addr a;

	memcpy(a.ip, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, text, a.ip + 12) != 1 &&
	    inet_pton(AF_INET6, text, a.ip) != 1)
		return -EINVAL;
	*out = a;
	return 0;
}

bool addr_from_bytes(const void *bytes, size_t len, struct smc_addr *out)
{
	if (len != 4 && len != sizeof(out->ip))
		return false;
	memset(out, 0, sizeof(*out));
	if (len == 4)
		memcpy(out->ip, v4_prefix, sizeof(v4_prefix));
	memcpy(out->ip + sizeof(out->ip) - len, bytes, len);
	return true;
}

bool addr_from_sockaddr(const struct sockaddr *sa, struct smc_addr *out)
{
	if (sa && sa->sa_family == AF_INET)
		return addr_from_bytes(&((struct sockaddr_in *)sa)->sin_addr, 4,
				       out);
	if (sa && sa->sa_family == AF_INET6)
		return addr_from_bytes(&((struct sockaddr_in6 *)sa)->sin6_addr,
				       16, out);
	return false;
}

bool addr_is_v4(const struct smc_addr *addr)
{
	return !memcmp(addr->ip, v4_prefix, sizeof(v4_prefix));
}

const char *addr_format(const struct smc_addr *addr, char text[ADDR_STRLEN])
{
	if (addr_is_v4(addr))
		inet_ntop(AF_INET, addr->ip + 12, text, ADDR_STRLEN);
	else
		inet_ntop(AF_INET6, addr->ip, text, ADDR_STRLEN);
	return text;
}

bool addr_is_loopback(const struct smc_addr *addr)
{
	static const struct smc_addr loopback6 = {.ip[15] = 1};

	return addr_is_v4(addr) ? addr->ip[12] == 127
				: !addr_cmp(addr, &loopback6);
}

static bool v4_usable(const __u8 *ip)
{
	bool link_local = ip[0] == 169 && ip[1] == 254;

	return ip[0] != 0 && ip[0] < 224 && !link_local;
}

bool addr_usable(const struct smc_addr *addr)
{
	static const struct smc_addr unspecified;
	bool link_local;

	if (addr_is_loopback(addr))
		return false;
	if (addr_is_v4(addr))
		return v4_usable(addr->ip + 12);
	link_local = addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
	return addr_cmp(addr, &unspecified) && addr->ip[0] != 0xff &&
	       !link_local;
}

int addr_cmp(const struct smc_addr *a, const struct smc_addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip));
}

int addr_order(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

struct smc_addr_port addr_port(const struct smc_addr *addr, __u16 port)
{
	struct smc_addr_port both = {.port = port};

	memcpy(both.ip, addr->ip, sizeof(both.ip));
	return both;
}

static int port_parse(const char *text, __u16 *out)
{
	size_t len = strspn(text, "0123456789");
	unsigned long port =
		len && len <= 5 && !text[len] ? strtoul(text, NULL, 10) : 0;

	if (!port || port > 0xffff)
		return -EINVAL;
	*out = port;
	return 0;
}

int addr_port_parse(const char *text, struct smc_addr_port *out)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? colon - text : 0;
	bool v6 = len > 2 && text[0] == '[' && text[len - 1] == ']';
	char ip[ADDR_STRLEN];
	struct smc_addr a;
	__u16 port;

	if (!len || len >= sizeof(ip) || port_parse(colon + 1, &port))
		return -EINVAL;
	snprintf(ip, sizeof(ip), "%.*s", (int)(v6 ? len - 2 : len), text + v6);
	if (addr_parse(ip, &a) || !!strchr(ip, ':') != v6)
		return -EINVAL;
	*out = addr_port(&a, port);
	return 0;
}

const char *host_port_format(const char *host, const char *port, char *text,
			     size_t room)
{
	snprintf(text, room, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		 port);
	return text;
}

const char *addr_port_format(const struct smc_addr_port *at,
			     char text[ADDR_PORT_STRLEN])
{
	char ip[ADDR_STRLEN], port[8];
	struct smc_addr a;

	memcpy(a.ip, at->ip, sizeof(a.ip));
	snprintf(port, sizeof(port), "%u", at->port);
	return host_port_format(addr_format(&a, ip), port, text,
				ADDR_PORT_STRLEN);
}

int addr_port_cmp(const struct smc_addr_port *a, const struct smc_addr_port *b)
{
	int order = memcmp(a->ip, b->ip, sizeof(a->ip));

	return order ? order : (int)a->port - (int)b->port;
}

static bool cidr_is_clean(const struct cidr *c)
{
	for (unsigned int bit = c->prefixlen; bit < 128; bit++)
		if (c->addr.ip[bit / 8] & (0x80 >> (bit % 8)))
			return false;
	return true;
}

int cidr_parse(const char *text, struct cidr *out)
{
	const char *slash = strchr(text, '/');
	unsigned long len, max;
	char addr[ADDR_STRLEN];
	struct cidr c;
	char *end;

	if (!slash || (size_t)(slash - text) >= sizeof(addr) ||
	    slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	memcpy(addr, text, slash - text);
	addr[slash - text] = '\0';
	if (addr_parse(addr, &c.addr))
		return -EINVAL;
	/* The notation decides, so that ::ffff:0:0/96 is an IPv6 prefix. */
	max = strchr(addr, ':') ? 128 : 32;
	len = strtoul(slash + 1, &end, 10);
	if (*end || len > max)
		return -EINVAL;
	c.prefixlen = len + (128 - max);
	if (!cidr_is_clean(&c))
		return -EINVAL;
	*out = c;
	return 0;
}

struct cidr cidr_of(const struct smc_addr *addr, unsigned int prefixlen)
{
	struct cidr c = {*addr, prefixlen};

	for (unsigned int bit = prefixlen; bit < 128; bit++)
		c.addr.ip[bit / 8] &= ~(0x80 >> (bit % 8));
	return c;
}

bool cidr_has(const struct cidr *cidr, const struct smc_addr *addr)
{
	const __u8 *net = cidr->addr.ip, *ip = addr->ip;
	unsigned int bytes = cidr->prefixlen / 8, bits = cidr->prefixlen % 8;

	if (memcmp(net, ip, bytes))
		return false;
	return !bits || !((net[bytes] ^ ip[bytes]) >> (8 - bits));
}

const char *cidr_format(const struct cidr *cidr, char text[ADDR_STRLEN])
{
	bool v4 = addr_is_v4(&cidr->addr) && cidr->prefixlen >= 96;
	char addr[ADDR_STRLEN];

	if (v4)
		addr_format(&cidr->addr, addr);
	else
		inet_ntop(AF_INET6, cidr->addr.ip, addr, sizeof(addr));
	snprintf(text, ADDR_STRLEN, "%.43s/%u", addr,
		 v4 ? cidr->prefixlen - 96 : cidr->prefixlen);
	return text;
}
