// SPDX-License-Identifier: Apache-2.0
/* What a nat rule does to packets to an address of the namespace. */
#include <netinet/in.h>
/* after <netinet/in.h>: both have struct in_addr */
#include <linux/netfilter/nf_nat.h>
#include <stdio.h>
#include <string.h>
#include "node/forwards_impl.h"

bool forwards_is_own(const struct forwards *f, const struct smc_addr *addr)
{
	if (addr_is_loopback(addr))
		return true;
	for (size_t i = 0; i < f->own->n; i++)
		if (!addr_cmp(&f->own->v[i], addr))
			return true;
	return false;
}

void forwards_note(struct forwards *f, const struct smc_addr *addr)
{
	char text[ADDR_STRLEN];

	if (addr)
		snprintf(f->what, FORWARDS_TEXT_MAX, "a nat rule leads to %s",
			 addr_format(addr, text));
	else
		snprintf(f->what, FORWARDS_TEXT_MAX,
			 "a nat rule leads to other addresses");
}

/* The first address of a range, where it has one. */
static const void *range_first(unsigned int revision, const void *info,
			       size_t len, bool v4)
{
	const struct nf_nat_ipv4_multi_range_compat *old = info;
	const struct nf_nat_range *range = info;

	if (v4 && !revision) {
		if (len < sizeof(*old) ||
		    !(old->range[0].flags & NF_NAT_RANGE_MAP_IPS))
			return NULL;
		return &old->range[0].min_ip;
	}
	if (len < sizeof(*range) || !(range->flags & NF_NAT_RANGE_MAP_IPS))
		return NULL;
	return &range->min_addr;
}

/* NETMAP for IPv4 has only revision 0, in the old form; for IPv6 it has the new
 * form, as all later ones. Without an address DNAT changes only the port. */
void forwards_target(struct forwards *f, int family, const char *name,
		     unsigned int revision, const void *info, size_t len)
{
	bool v4 = family == NFPROTO_IPV4;
	struct smc_addr addr;
	const void *first;

	if (strcmp(name, "DNAT") && strcmp(name, "NETMAP"))
		return;
	first = range_first(revision, info, len, v4);
	if (first && addr_from_bytes(first, v4 ? 4 : 16, &addr) &&
	    !forwards_is_own(f, &addr))
		forwards_note(f, &addr);
}
