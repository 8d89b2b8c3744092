// SPDX-License-Identifier: Apache-2.0
#include "node/iptc.h"

#include <errno.h>
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>
#include <stdio.h>
#include <string.h>

/* ---- IPv4, IPv6 ---------------------------------------------------------- */

static const void *next4(const char *chain, const void *prev,
			 struct xtc_handle *h)
{
	return prev ? iptc_next_rule(prev, h) : iptc_first_rule(chain, h);
}

static const void *next6(const char *chain, const void *prev,
			 struct xtc_handle *h)
{
	return prev ? ip6tc_next_rule(prev, h) : ip6tc_first_rule(chain, h);
}

static const void *at(const void *rule, size_t offset)
{
	return (const char *)rule + offset;
}

static void read4(const void *rule, struct xtc_handle *h, struct iptc_rule *out)
{
	const struct ipt_entry *r = rule;
	const struct ipt_ip *ip = &r->ip;

	*out = (struct iptc_rule){
		.protocol = ip->proto,
		.not_protocol = ip->invflags & IPT_INV_PROTO,
		.out = ip->outiface,
		.out_mask = ip->outiface_mask,
		.not_out = ip->invflags & IPT_INV_VIA_OUT,
		.dst = (const void *)&ip->dst,
		.dst_mask = (const void *)&ip->dmsk,
		.addr_len = sizeof(ip->dst),
		.not_dst = ip->invflags & IPT_INV_DSTIP,
		.more = ip->smsk.s_addr || ip->iniface[0] ||
			ip->flags & IPT_F_FRAG,
		.go = ip->flags & IPT_F_GOTO,
		.matches = at(r, sizeof(*r)),
		.end = at(r, r->target_offset),
		.target = iptc_get_target(r, h),
		.extension = at(r, r->target_offset),
	};
}

static void read6(const void *rule, struct xtc_handle *h, struct iptc_rule *out)
{
	static const struct in6_addr any;
	const struct ip6t_entry *r = rule;
	const struct ip6t_ip6 *ip = &r->ipv6;

	*out = (struct iptc_rule){
		.protocol = ip->flags & IP6T_F_PROTO ? ip->proto : 0,
		.not_protocol = ip->invflags & IP6T_INV_PROTO,
		.out = ip->outiface,
		.out_mask = ip->outiface_mask,
		.not_out = ip->invflags & IP6T_INV_VIA_OUT,
		.dst = (const void *)&ip->dst,
		.dst_mask = (const void *)&ip->dmsk,
		.addr_len = sizeof(ip->dst),
		.not_dst = ip->invflags & IP6T_INV_DSTIP,
		.more = memcmp(&ip->smsk, &any, sizeof(any)) ||
			ip->iniface[0] || ip->flags & IP6T_F_TOS,
		.go = ip->flags & IP6T_F_GOTO,
		.matches = at(r, sizeof(*r)),
		.end = at(r, r->target_offset),
		.target = ip6tc_get_target(r, h),
		.extension = at(r, r->target_offset),
	};
}

const struct iptc_family iptc_families[IPTC_FAMILIES] = {
	{NFPROTO_IPV4, iptc_init, iptc_free, iptc_strerror, iptc_first_chain,
	 iptc_next_chain, iptc_get_policy, next4, read4},
	{NFPROTO_IPV6, ip6tc_init, ip6tc_free, ip6tc_strerror,
	 ip6tc_first_chain, ip6tc_next_chain, ip6tc_get_policy, next6, read6},
};

/* ---- the table ----------------------------------------------------------- */

/* No such file: no such table. */
static int has_table(const struct iptc_family *f, const char *table)
{
	_fclose_ FILE *names = fopen(
		f->nfproto == NFPROTO_IPV4 ? "/proc/self/net/ip_tables_names"
					   : "/proc/self/net/ip6_tables_names",
		"re");
	char line[XT_TABLE_MAXNAMELEN + 1];

	if (!names)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), names))
		if (!strncmp(line, table, strlen(table)) &&
		    line[strlen(table)] == '\n')
			return 1;
	return ferror(names) ? -EIO : 0;
}

int iptc_any(void)
{
	int any = has_table(&iptc_families[0], IPTC_NAT);

	return any ? any : has_table(&iptc_families[1], IPTC_NAT);
}

int iptc_open(const struct iptc_family *f, const char *table,
	      struct xtc_handle **h, char *detail, size_t room)
{
	int err = has_table(f, table);

	if (err <= 0)
		return err;
	*h = f->open(table);
	if (*h)
		return 1;
	err = errno ? -errno : -EIO;
	if (detail)
		snprintf(detail, room, "iptables-legacy: %s", f->why(-err));
	return err;
}
