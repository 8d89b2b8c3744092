// SPDX-License-Identifier: Apache-2.0
#include "mesh/nic_want.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BITS_MIN 8
#define BITS_MAX 30
/* What an IPv4 address is mapped by, in bits. */
#define MAPPED 96
/* 224.0.0.0 and above: multicast, reserved, broadcast. */
#define HOSTS_END 224

#define SHOWN_ROOM 48

/* @text as errors show it: cut, and safe for a terminal. */
static const char *show(const char *text, char out[SHOWN_ROOM])
{
	size_t n = 0;

	for (; text[n] && n < SHOWN_ROOM - 4; n++)
		out[n] = isprint((unsigned char)text[n]) ? text[n] : '?';
	strcpy(out + n, text[n] ? "..." : "");
	return out;
}

static int wrong(const char *what, const char *text, const char *expected,
		 struct buf *why)
{
	char shown[SHOWN_ROOM];

	buf_printf(why, "the %s is '%s', not %s", what, show(text, shown),
		   expected);
	return -EINVAL;
}

/* In dotted decimal, nothing else. */
static bool parse_v4(const char *text, struct smc_addr *out)
{
	return !strchr(text, ':') && !addr_parse(text, out);
}

static __u32 number(const struct smc_addr *a)
{
	const __u8 *ip = a->ip + MAPPED / 8;

	return (__u32)ip[0] << 24 | ip[1] << 16 | ip[2] << 8 | ip[3];
}

int nic_want_address(struct nic_want *w, const char *text, struct buf *why)
{
	if (!parse_v4(text, &w->addr))
		return wrong("address", text, "an IPv4 address", why);
	return 0;
}

int nic_want_gateway(struct nic_want *w, const char *text, struct buf *why)
{
	if (!parse_v4(text, &w->gateway))
		return wrong("gateway", text, "an IPv4 address", why);
	w->has_gateway = true;
	return 0;
}

int nic_want_netmask(struct nic_want *w, const char *text, struct buf *why)
{
	struct smc_addr mask;
	__u32 hosts;

	if (!parse_v4(text, &mask))
		return wrong("netmask", text, "a netmask", why);
	hosts = ~number(&mask);
	if (hosts & (hosts + 1))
		return wrong("netmask", text,
			     "ones and then zeros: it has holes", why);
	w->bits = 32 - __builtin_popcount(hosts);
	return 0;
}

int nic_want_block(struct nic_want *w, const char *text, struct buf *why)
{
	char addr[ADDR_STRLEN];
	struct cidr block;

	if (strchr(text, ':') || cidr_parse(text, &block))
		return wrong("subnet", text,
			     "an IPv4 prefix without bits below it", why);
	if (!cidr_has(&block, &w->addr)) {
		buf_printf(why, "the subnet %s does not hold the address %s",
			   text, addr_format(&w->addr, addr));
		return -EINVAL;
	}
	w->bits = block.prefixlen - MAPPED;
	return 0;
}

int nic_want_given(struct nic_want *w, const char *text, struct buf *why)
{
	const char *slash = strchr(text, '/');
	char addr[ADDR_STRLEN];
	unsigned int bits;
	int end = 0;

	snprintf(addr, sizeof(addr), "%.*s",
		 slash ? (int)strcspn(text, "/") : 0, text);
	if (!slash || !isdigit((unsigned char)slash[1]) ||
	    sscanf(slash + 1, "%2u%n", &bits, &end) != 1 || slash[1 + end] ||
	    !parse_v4(addr, &w->addr))
		return wrong(
			"address", text,
			"an IPv4 address with its prefix length, as 10.0.0.6/24",
			why);
	w->bits = bits;
	return 0;
}

struct cidr nic_want_subnet(const struct nic_want *w)
{
	return cidr_of(&w->addr, MAPPED + w->bits);
}

const char *nic_want_format(const struct nic_want *w, char text[ADDR_STRLEN])
{
	char addr[ADDR_STRLEN];

	snprintf(text, ADDR_STRLEN, "%.43s/%u", addr_format(&w->addr, addr),
		 w->bits);
	return text;
}

/* Of a host: neither the subnet's own nor its broadcast address. */
static bool is_hosts(const struct nic_want *w)
{
	__u32 hosts = ~0U >> w->bits, host = number(&w->addr) & hosts;

	return addr_usable(&w->addr) && w->addr.ip[12] < HOSTS_END &&
	       w->addr.ip[12] && host && host != hosts;
}

int nic_want_check(const struct nic_want *w, struct buf *why)
{
	struct cidr subnet = nic_want_subnet(w);
	char address[ADDR_STRLEN], gateway[ADDR_STRLEN];

	nic_want_format(w, address);
	if (w->bits < BITS_MIN || w->bits > BITS_MAX) {
		buf_printf(
			why,
			"the address %s: its prefix length is not from %u to %u",
			address, BITS_MIN, BITS_MAX);
		return -EINVAL;
	}
	if (!is_hosts(w)) {
		buf_printf(why,
			   "the address %s is not one that a host can have",
			   address);
		return -EINVAL;
	}
	if (!w->has_gateway)
		return 0;
	addr_format(&w->gateway, gateway);
	if (cidr_has(&subnet, &w->gateway) &&
	    addr_cmp(&w->gateway, &w->addr) != 0)
		return 0;
	buf_printf(why,
		   "the gateway %s is not another address of the subnet of %s",
		   gateway, address);
	return -EINVAL;
}
