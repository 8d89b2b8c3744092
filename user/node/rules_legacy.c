// SPDX-License-Identifier: Apache-2.0
/* iptables-legacy, both families, which differ in the shape of a rule only. */
#include "node/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>
#include <stdio.h>
#include <string.h>
#include "base/array.h"
#include "base/strv.h"

#define TABLE "nat"
#define CHAIN "OUTPUT"
#define PRIORITY (-100) /* NF_IP_PRI_NAT_DST */
#define PROTO_TCP 6

/* What is read of a rule, whatever its family. */
struct entry {
	unsigned int protocol; /* 0: any */
	bool not_protocol, not_out, not_dst;
	const char *out; /* interface: "" is any */
	const unsigned char *out_mask;
	bool dst_any, dst_loopback;
	bool more; /* it asks for something else of the packet */
	bool go;   /* its target is gone to, not jumped to */
	const char *target;
	const struct xt_entry_match *matches, *end;
};

struct family {
	unsigned int bit;
	int nfproto;
	struct xtc_handle *(*open)(const char *table);
	void (*close)(struct xtc_handle *h);
	const char *(*why)(int err);
	const char *(*chain_first)(struct xtc_handle *h);
	const char *(*chain_next)(struct xtc_handle *h);
	const char *(*policy)(const char *chain, struct xt_counters *counters,
			      struct xtc_handle *h);
	/* @prev: NULL for the first. Return: NULL after the last. */
	const void *(*rule)(const char *chain, const void *prev,
			    struct xtc_handle *h);
	void (*read)(const void *rule, struct xtc_handle *h, struct entry *e);
};

/* ---- IPv4, IPv6 ---------------------------------------------------------- */

static const void *rule4(const char *chain, const void *prev,
			 struct xtc_handle *h)
{
	return prev ? iptc_next_rule(prev, h) : iptc_first_rule(chain, h);
}

static const void *rule6(const char *chain, const void *prev,
			 struct xtc_handle *h)
{
	return prev ? ip6tc_next_rule(prev, h) : ip6tc_first_rule(chain, h);
}

static const void *at(const void *rule, size_t offset)
{
	return (const char *)rule + offset;
}

static void read4(const void *rule, struct xtc_handle *h, struct entry *e)
{
	const struct ipt_entry *r = rule;
	const struct ipt_ip *ip = &r->ip;

	*e = (struct entry){
		.protocol = ip->proto,
		.not_protocol = ip->invflags & IPT_INV_PROTO,
		.out = ip->outiface,
		.out_mask = ip->outiface_mask,
		.not_out = ip->invflags & IPT_INV_VIA_OUT,
		.dst_any = !ip->dmsk.s_addr,
		/* 127.0.0.0/8, or what is in it */
		.dst_loopback = (ip->dmsk.s_addr & htonl(0xff000000)) ==
					htonl(0xff000000) &&
				(ntohl(ip->dst.s_addr) >> 24) == 127,
		.not_dst = ip->invflags & IPT_INV_DSTIP,
		.more = ip->smsk.s_addr || ip->iniface[0] ||
			ip->flags & IPT_F_FRAG,
		.go = ip->flags & IPT_F_GOTO,
		.target = iptc_get_target(r, h),
		.matches = at(r, sizeof(*r)),
		.end = at(r, r->target_offset),
	};
}

static void read6(const void *rule, struct xtc_handle *h, struct entry *e)
{
	static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT, any;
	const struct ip6t_entry *r = rule;
	const struct ip6t_ip6 *ip = &r->ipv6;
	struct in6_addr all;

	memset(&all, 0xff, sizeof(all));
	*e = (struct entry){
		.protocol = ip->flags & IP6T_F_PROTO ? ip->proto : 0,
		.not_protocol = ip->invflags & IP6T_INV_PROTO,
		.out = ip->outiface,
		.out_mask = ip->outiface_mask,
		.not_out = ip->invflags & IP6T_INV_VIA_OUT,
		.dst_any = !memcmp(&ip->dmsk, &any, sizeof(any)),
		.dst_loopback = !memcmp(&ip->dmsk, &all, sizeof(all)) &&
				!memcmp(&ip->dst, &loopback, sizeof(loopback)),
		.not_dst = ip->invflags & IP6T_INV_DSTIP,
		.more = memcmp(&ip->smsk, &any, sizeof(any)) ||
			ip->iniface[0] || ip->flags & IP6T_F_TOS,
		.go = ip->flags & IP6T_F_GOTO,
		.target = ip6tc_get_target(r, h),
		.matches = at(r, sizeof(*r)),
		.end = at(r, r->target_offset),
	};
}

static const struct family families[] = {
	{REDIRECT_IP4, NFPROTO_IPV4, iptc_init, iptc_free, iptc_strerror,
	 iptc_first_chain, iptc_next_chain, iptc_get_policy, rule4, read4},
	{REDIRECT_IP6, NFPROTO_IPV6, ip6tc_init, ip6tc_free, ip6tc_strerror,
	 ip6tc_first_chain, ip6tc_next_chain, ip6tc_get_policy, rule6, read6},
};

/* ---- what a rule says ---------------------------------------------------- */

static enum holds inverted(enum holds holds, bool invert)
{
	return invert && holds != HOLDS_MAYBE ? HOLDS_YES - holds : holds;
}

static enum holds both(enum holds a, enum holds b)
{
	return a < b ? a : b;
}

/* "lo" to its end, and not every interface whose name begins so. */
static bool is_lo(const struct entry *e)
{
	return !strcmp(e->out, "lo") && e->out_mask[2];
}

static enum holds entry_holds(const struct entry *e)
{
	enum holds holds = e->more ? HOLDS_MAYBE : HOLDS_YES;

	if (e->protocol)
		holds = both(holds,
			     inverted(e->protocol == PROTO_TCP ? HOLDS_YES
							       : HOLDS_NO,
				      e->not_protocol));
	if (e->out[0])
		holds = both(holds, inverted(is_lo(e) ? HOLDS_NO : HOLDS_MAYBE,
					     e->not_out));
	if (!e->dst_any)
		holds = both(holds,
			     inverted(e->dst_loopback ? HOLDS_NO : HOLDS_MAYBE,
				      e->not_dst));
	return holds;
}

static int take_matches(struct redirect_rule *rule, const struct entry *e,
			enum holds *holds)
{
	const struct xt_entry_match *m = e->matches;
	enum holds one;
	int err = 0;

	while (!err && m < e->end) {
		size_t size = m->u.match_size;

		if (size < sizeof(*m) ||
		    size > (size_t)((const char *)e->end - (const char *)m))
			return -EPROTO;
		err = rules_xt_match(rule, m->u.user.name, m->u.user.revision,
				     m->data, size - sizeof(*m), &one);
		*holds = both(*holds, one);
		m = at(m, size);
	}
	return err;
}

static enum redirect_verdict verdict_of(const char *target)
{
	if (!strcmp(target, IPTC_LABEL_RETURN))
		return REDIRECT_RETURN;
	if (!strcmp(target, IPTC_LABEL_ACCEPT))
		return REDIRECT_ACCEPT;
	if (!strcmp(target, IPTC_LABEL_DROP) ||
	    !strcmp(target, IPTC_LABEL_QUEUE) || rules_xt_moves(target))
		return REDIRECT_AWAY;
	return REDIRECT_NEXT;
}

struct reading {
	const struct family *f;
	struct xtc_handle *h;
	struct redirects *out;
	size_t first; /* of its chains, in @out */
	char **names; /* of these */
	size_t n_names;
};

static void set_target(const struct reading *r, const struct entry *e,
		       struct redirect_rule *rule)
{
	rule->verdict = verdict_of(e->target);
	for (size_t i = 0; i < r->n_names; i++) {
		if (strcmp(r->names[i], e->target))
			continue;
		rule->verdict = e->go ? REDIRECT_GOTO : REDIRECT_JUMP;
		rule->target = r->first + i;
	}
}

static int take_rule(struct reading *r, size_t chain, const void *from)
{
	struct redirect_rule *rule = redirects_rule(r->out, chain);
	enum holds holds;
	struct entry e;
	int err;

	if (!rule)
		return -ENOMEM;
	r->f->read(from, r->h, &e);
	rule->families = r->f->bit;
	holds = entry_holds(&e);
	err = take_matches(rule, &e, &holds);
	rule->maybe = holds == HOLDS_MAYBE;
	if (holds == HOLDS_NO)
		rule->families = 0;
	set_target(r, &e, rule);
	return err;
}

/* ---- a table ------------------------------------------------------------- */

static int take_chains(struct reading *r)
{
	const struct family *f = r->f;
	struct redirect_chain *c;
	struct xt_counters counters;
	const char *policy;

	for (const char *name = f->chain_first(r->h); name;
	     name = f->chain_next(r->h)) {
		char **slot = array_push(r->names, r->n_names);

		c = redirects_chain(r->out);
		if (!slot || !c)
			return -ENOMEM;
		*slot = strdup(name);
		if (!*slot)
			return -ENOMEM;
		c->base = !strcmp(name, CHAIN);
		c->priority = PRIORITY;
		policy = c->base ? f->policy(name, &counters, r->h) : NULL;
		c->drops = policy && !strcmp(policy, IPTC_LABEL_DROP);
	}
	return 0;
}

static int take_table(struct reading *r)
{
	int err = take_chains(r);

	for (size_t i = 0; !err && i < r->n_names; i++) {
		const void *rule = NULL;

		while (!err && (rule = r->f->rule(r->names[i], rule, r->h)))
			err = take_rule(r, r->first + i, rule);
	}
	return err;
}

/* No such file: no such table. */
int rules_legacy_has(int family)
{
	_fclose_ FILE *names = fopen(
		family == NFPROTO_IPV4 ? "/proc/self/net/ip_tables_names"
				       : "/proc/self/net/ip6_tables_names",
		"re");
	char line[XT_TABLE_MAXNAMELEN + 1];

	if (!names)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), names))
		if (!strcmp(line, TABLE "\n"))
			return 1;
	return ferror(names) ? -EIO : 0;
}

int rules_legacy_any(void)
{
	int any = rules_legacy_has(NFPROTO_IPV4);

	return any ? any : rules_legacy_has(NFPROTO_IPV6);
}

static int read_family(const struct family *f, struct redirects *out,
		       char *detail, size_t room)
{
	struct reading r = {.f = f, .out = out, .first = out->n};
	int err = rules_legacy_has(f->nfproto);

	if (err <= 0)
		return err;
	r.h = f->open(TABLE);
	if (!r.h) {
		err = errno ? -errno : -EIO;
		snprintf(detail, room, "iptables-legacy: %s", f->why(errno));
		return err;
	}
	err = take_table(&r);
	for (size_t i = 0; i < r.n_names; i++)
		free(r.names[i]);
	free(r.names);
	f->close(r.h);
	return err;
}

int rules_legacy_read(struct redirects *out, char *detail, size_t room)
{
	int err = 0;

	for (size_t i = 0; !err && i < array_size(families); i++)
		err = read_family(&families[i], out, detail, room);
	return err;
}
