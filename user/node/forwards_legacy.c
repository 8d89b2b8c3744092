// SPDX-License-Identifier: Apache-2.0
/*
 * iptables-legacy's nat table, as the kernel gives it: all chains in one block,
 * one entry after the other, a jump being the offset of its target's first one
 * (translate_table(), net/ipv4/netfilter/ip_tables.c). Both families look the
 * same but for the part that says what an entry matches.
 */
#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/array.h"
#include "node/forwards_impl.h"
#include "node/rules.h"

/* ---- targets, iptables-nft's too ----------------------------------------- */

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

/* NETMAP of IPv4 has revision 0 only, in the old form; of IPv6 in the new one,
 * as all later ones. Without an address DNAT changes the port alone. */
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

/* ---- entries ------------------------------------------------------------- */

struct entry {
	size_t target, next; /* offsets from its beginning */
	__u16 protocol;	     /* 0: any */
	bool unconditional;
	const void *daddr, *mask; /* NULL: it is inverted */
	size_t addr_len;
};

struct table {
	struct forwards *f;
	int family;
	const char *v; /* @size bytes of entries */
	size_t size;
	bool *seen; /* by offset */
};

static bool zeros(const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n && !*p)
		p++, n--;
	return !n;
}

static size_t entry_size(const struct table *t)
{
	return t->family == NFPROTO_IPV4 ? sizeof(struct ipt_entry)
					 : sizeof(struct ip6t_entry);
}

static void read_v4(const struct ipt_entry *e, struct entry *out)
{
	*out = (struct entry){
		.target = e->target_offset,
		.next = e->next_offset,
		.protocol = e->ip.invflags & IPT_INV_PROTO ? 0 : e->ip.proto,
		.unconditional = e->target_offset == sizeof(*e) &&
				 zeros(&e->ip, sizeof(e->ip)),
		.addr_len = sizeof(e->ip.dst),
	};
	if (e->ip.invflags & IPT_INV_DSTIP)
		return;
	out->daddr = &e->ip.dst;
	out->mask = &e->ip.dmsk;
}

static void read_v6(const struct ip6t_entry *e, struct entry *out)
{
	*out = (struct entry){
		.target = e->target_offset,
		.next = e->next_offset,
		.protocol =
			e->ipv6.invflags & IP6T_INV_PROTO ? 0 : e->ipv6.proto,
		.unconditional = e->target_offset == sizeof(*e) &&
				 zeros(&e->ipv6, sizeof(e->ipv6)),
		.addr_len = sizeof(e->ipv6.dst),
	};
	if (e->ipv6.invflags & IP6T_INV_DSTIP)
		return;
	out->daddr = &e->ipv6.dst;
	out->mask = &e->ipv6.dmsk;
}

static const struct xt_entry_target *target_of(const struct table *t, size_t at,
					       struct entry *e)
{
	const struct xt_entry_target *target;

	if (at + entry_size(t) > t->size)
		return NULL;
	if (t->family == NFPROTO_IPV4)
		read_v4((const void *)(t->v + at), e);
	else
		read_v6((const void *)(t->v + at), e);
	if (e->next > t->size - at || e->target < entry_size(t) ||
	    e->target + sizeof(*target) > e->next)
		return NULL;
	target = (const void *)(t->v + at + e->target);
	return target->u.target_size >= sizeof(*target) &&
			       target->u.target_size <= e->next - e->target
		       ? target
		       : NULL;
}

static bool is_for(const struct entry *e, const struct smc_addr *addr)
{
	const unsigned char *want = e->daddr, *mask = e->mask;
	const unsigned char *have = addr->ip + 16 - e->addr_len;

	for (size_t i = 0; i < e->addr_len; i++)
		if ((have[i] ^ want[i]) & mask[i])
			return false;
	return true;
}

/* May it be for TCP to an address of the namespace? */
static bool concerns(const struct table *t, const struct entry *e)
{
	if (e->protocol && e->protocol != IPPROTO_TCP)
		return false;
	if (!e->daddr)
		return true;
	for (size_t i = 0; i < t->f->own->n; i++) {
		const struct smc_addr *addr = &t->f->own->v[i];

		if (addr_is_v4(addr) == (e->addr_len == 4) && is_for(e, addr))
			return true;
	}
	return false;
}

/* ---- chains -------------------------------------------------------------- */

static int walk(struct table *t, size_t at);

/* Return: 1 the chain goes on, 0 it ends here, or a negative errno. */
static int step(struct table *t, size_t at, const struct entry *e,
		const struct xt_entry_target *target)
{
	const struct xt_standard_target *standard = (const void *)target;
	int err = 0;

	if (!strcmp(target->u.user.name, XT_ERROR_TARGET))
		return 0;
	if (*target->u.user.name) {
		if (concerns(t, e))
			forwards_target(t->f, t->family, target->u.user.name,
					target->u.user.revision, target->data,
					target->u.target_size -
						sizeof(*target));
		return 1;
	}
	if (target->u.target_size < sizeof(*standard))
		return -EIO;
	if (standard->verdict >= 0)
		err = walk(t, standard->verdict);
	return err ? err : standard->verdict >= 0 || !e->unconditional;
}

/* The kernel lets no chain jump in a circle; and each entry is read once. */
static int walk(struct table *t, size_t at)
{
	const struct xt_entry_target *target;
	struct entry e;
	int more = 1;

	for (; more > 0; at += e.next) {
		if (at >= t->size)
			return -EIO;
		if (t->seen[at])
			return 0;
		t->seen[at] = true;
		target = target_of(t, at, &e);
		if (!target)
			return -EIO;
		more = step(t, at, &e, target);
	}
	return more;
}

/* ---- a table ------------------------------------------------------------- */

#define TABLE "nat"

static int walk_entries(struct forwards *f, int family, const void *v,
			size_t size, size_t prerouting)
{
	_free_ bool *seen = calloc(size + 1, sizeof(*seen));
	struct table t = {f, family, v, size, seen};

	return seen ? walk(&t, prerouting) : -ENOMEM;
}

/* Between the two questions somebody may have changed it. */
#define TRIES 5

/* Both families ask the same, at their own level. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
		       sizeof(struct ipt_get_entries) ==
			       sizeof(struct ip6t_get_entries) &&
		       (int)IPT_SO_GET_INFO == (int)IP6T_SO_GET_INFO &&
		       (int)IPT_SO_GET_ENTRIES == (int)IP6T_SO_GET_ENTRIES,
	       "one function reads both");

static int read_table(struct forwards *f, int family, int level, int fd)
{
	for (int i = 0; i < TRIES; i++) {
		struct ipt_getinfo info = {.name = TABLE};
		_free_ struct ipt_get_entries *all = NULL;
		socklen_t len = sizeof(info);

		if (getsockopt(fd, level, IPT_SO_GET_INFO, &info, &len))
			return -errno;
		len = sizeof(*all) + info.size;
		all = calloc(1, len);
		if (!all)
			return -ENOMEM;
		strcpy(all->name, TABLE);
		all->size = info.size;
		if (!getsockopt(fd, level, IPT_SO_GET_ENTRIES, all, &len))
			return walk_entries(
				f, family, all->entrytable, all->size,
				info.hook_entry[NF_INET_PRE_ROUTING]);
		if (errno != EAGAIN)
			return -errno;
	}
	return -EAGAIN;
}

/* Any socket of the family will do. */
static int look_at_family(struct forwards *f, int family)
{
	bool v4 = family == NFPROTO_IPV4;
	_close_ int fd = -1;
	int got = rules_legacy_has(family);

	if (got <= 0)
		return got;
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	return read_table(f, family, v4 ? IPPROTO_IP : IPPROTO_IPV6, fd);
}

int forwards_legacy(struct forwards *f)
{
	int err = look_at_family(f, NFPROTO_IPV4);

	return err || *f->what ? err : look_at_family(f, NFPROTO_IPV6);
}
