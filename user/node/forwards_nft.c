// SPDX-License-Identifier: Apache-2.0
/*
 * nftables' rules as the kernel lists them, those of iptables-nft among them.
 * The look asks for two lists: of the chains, and of the rules with their
 * jumps. It begins at the chains that have a hook on the way in, and at those
 * to which no rule jumps: a verdict map may lead there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "node/forwards_impl.h"
#include "node/nl.h"

#define NAME_LEN NFT_NAME_MAXLEN
#define REGISTERS 24 /* NFT_REG_1 to 4, NFT_REG32_00 to 15 */

/* ---- what a rule does ---------------------------------------------------- */

enum held { UNKNOWN, PROTOCOL, DADDR, CONSTANT };

struct rule {
	struct forwards *f; /* a copy: what this rule alone does */
	int family;
	struct {
		enum held held;
		const struct nlattr *value; /* CONSTANT */
	} registers[REGISTERS];
	bool other;	   /* it does not match TCP to the namespace */
	char to[NAME_LEN]; /* "": it jumps nowhere */
};

static __u32 be32(const struct nlattr *a)
{
	return ntohl(nl_u32(a));
}

static void hold(struct rule *r, const struct nlattr *reg, enum held held,
		 const struct nlattr *value)
{
	__u32 number = be32(reg);

	if (number >= REGISTERS)
		return;
	r->registers[number].held = held;
	r->registers[number].value = value;
}

static enum held held_in(const struct rule *r, const struct nlattr *reg)
{
	__u32 number = be32(reg);

	return reg && number < REGISTERS ? r->registers[number].held : UNKNOWN;
}

static void do_meta(struct rule *r, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_META_MAX + 1];

	nl_nest(data, tb, NFTA_META_MAX);
	if (tb[NFTA_META_DREG])
		hold(r, tb[NFTA_META_DREG],
		     be32(tb[NFTA_META_KEY]) == NFT_META_L4PROTO ? PROTOCOL
								 : UNKNOWN,
		     NULL);
}

/* The fields of an IPv4 and of an IPv6 header; no other one of either is at
 * the same place and of the same size. */
static enum held payload_field(__u32 offset, __u32 len)
{
	if ((offset == 16 && len == 4) || (offset == 24 && len == 16))
		return DADDR;
	return len == 1 && (offset == 9 || offset == 6) ? PROTOCOL : UNKNOWN;
}

static void do_payload(struct rule *r, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_PAYLOAD_MAX + 1];
	enum held held = UNKNOWN;

	nl_nest(data, tb, NFTA_PAYLOAD_MAX);
	if (be32(tb[NFTA_PAYLOAD_BASE]) == NFT_PAYLOAD_NETWORK_HEADER)
		held = payload_field(be32(tb[NFTA_PAYLOAD_OFFSET]),
				     be32(tb[NFTA_PAYLOAD_LEN]));
	if (tb[NFTA_PAYLOAD_DREG])
		hold(r, tb[NFTA_PAYLOAD_DREG], held, NULL);
}

/* After a mask or arithmetic it is no address any more. */
static void do_bitwise(struct rule *r, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_BITWISE_MAX + 1];

	nl_nest(data, tb, NFTA_BITWISE_MAX);
	hold(r, tb[NFTA_BITWISE_DREG], UNKNOWN, NULL);
}

static const struct nlattr *value_of(const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_DATA_MAX + 1];

	nl_nest(data, tb, NFTA_DATA_MAX);
	return tb[NFTA_DATA_VALUE];
}

static bool is_own(const struct rule *r, const struct nlattr *value)
{
	struct smc_addr addr;

	return value &&
	       addr_from_bytes(mnl_attr_get_payload(value),
			       mnl_attr_get_payload_len(value), &addr) &&
	       forwards_is_own(r->f, &addr);
}

static void do_cmp(struct rule *r, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_CMP_MAX + 1], *value;
	enum held held;

	nl_nest(data, tb, NFTA_CMP_MAX);
	held = held_in(r, tb[NFTA_CMP_SREG]);
	value = value_of(tb[NFTA_CMP_DATA]);
	if (!value || be32(tb[NFTA_CMP_OP]) != NFT_CMP_EQ)
		return;
	if (held == PROTOCOL)
		r->other |= nl_u8(value) != IPPROTO_TCP;
	else if (held == DADDR)
		r->other |= !is_own(r, value);
}

static void do_immediate(struct rule *r, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_IMMEDIATE_MAX + 1];
	const struct nlattr *value[NFTA_DATA_MAX + 1];
	const struct nlattr *verdict[NFTA_VERDICT_MAX + 1];

	nl_nest(data, tb, NFTA_IMMEDIATE_MAX);
	nl_nest(tb[NFTA_IMMEDIATE_DATA], value, NFTA_DATA_MAX);
	nl_nest(value[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX);
	if (verdict[NFTA_VERDICT_CHAIN])
		nl_str(verdict[NFTA_VERDICT_CHAIN], r->to, sizeof(r->to));
	else
		hold(r, tb[NFTA_IMMEDIATE_DREG], CONSTANT,
		     value[NFTA_DATA_VALUE]);
}

/* Without an address nat changes only the port; and the address that the packet
 * has already leads nowhere else. */
static void do_nat(struct rule *r, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_NAT_MAX + 1], *reg;
	struct smc_addr addr;
	const struct nlattr *value;

	nl_nest(data, tb, NFTA_NAT_MAX);
	reg = tb[NFTA_NAT_REG_ADDR_MIN];
	if (be32(tb[NFTA_NAT_TYPE]) != NFT_NAT_DNAT || !reg ||
	    held_in(r, reg) == DADDR)
		return;
	if (held_in(r, reg) != CONSTANT) {
		forwards_note(r->f, NULL);
		return;
	}
	value = r->registers[be32(reg)].value;
	if (value &&
	    addr_from_bytes(mnl_attr_get_payload(value),
			    mnl_attr_get_payload_len(value), &addr) &&
	    !forwards_is_own(r->f, &addr))
		forwards_note(r->f, &addr);
}

/* A target of iptables-nft. */
static void do_target(struct rule *r, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_TARGET_MAX + 1];
	char name[32];

	nl_nest(data, tb, NFTA_TARGET_MAX);
	nl_str(tb[NFTA_TARGET_NAME], name, sizeof(name));
	if (tb[NFTA_TARGET_INFO])
		forwards_target(r->f, r->family, name,
				be32(tb[NFTA_TARGET_REV]),
				mnl_attr_get_payload(tb[NFTA_TARGET_INFO]),
				mnl_attr_get_payload_len(tb[NFTA_TARGET_INFO]));
}

static void do_fwd(struct rule *r, const struct nlattr *data)
{
	strcpy(r->f->what, "a rule of nftables forwards to another device");
}

static const struct {
	const char *name;
	void (*run)(struct rule *r, const struct nlattr *data);
} expressions[] = {
	{"meta", do_meta},	     {"payload", do_payload},
	{"bitwise", do_bitwise},     {"cmp", do_cmp},
	{"immediate", do_immediate}, {"nat", do_nat},
	{"target", do_target},	     {"fwd", do_fwd},
};

static void run_expression(struct rule *r, const struct nlattr *expr)
{
	const struct nlattr *tb[NFTA_EXPR_MAX + 1];
	char name[32];

	nl_nest(expr, tb, NFTA_EXPR_MAX);
	nl_str(tb[NFTA_EXPR_NAME], name, sizeof(name));
	for (size_t i = 0; i < array_size(expressions); i++)
		if (!strcmp(name, expressions[i].name))
			expressions[i].run(r, tb[NFTA_EXPR_DATA]);
}

/* ---- chains -------------------------------------------------------------- */

struct chain {
	int family;
	char table[NAME_LEN], name[NAME_LEN];
	bool base, in;		      /* has a hook; one on the way in */
	bool jumped, reached;	      /* by some rule; from the way in */
	char does[FORWARDS_TEXT_MAX]; /* where a rule of it forwards to */
};

struct jump {
	size_t from, to; /* indices */
};

struct ruleset {
	const struct mesh_addrs *own;
	struct chain *chains;
	size_t n_chains;
	struct jump *jumps;
	size_t n_jumps;
};

static void ruleset_free(struct ruleset *s)
{
	free(s->chains);
	free(s->jumps);
}

static int family_of(const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);

	return g->nfgen_family;
}

static void begin_chains(void *arg)
{
	struct ruleset *s = arg;

	s->n_chains = 0;
}

static bool is_way_in(int family, __u32 hook)
{
	if (family == NFPROTO_NETDEV)
		return hook == NF_NETDEV_INGRESS;
	return hook == NF_INET_PRE_ROUTING ||
	       (family == NFPROTO_INET && hook == NF_INET_INGRESS);
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	struct ruleset *s = arg;
	struct chain *c = array_push(s->chains, s->n_chains);

	if (!c) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	nl_attrs(h, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX);
	nl_nest(tb[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);
	memset(c, 0, sizeof(*c));
	c->family = family_of(h);
	nl_str(tb[NFTA_CHAIN_TABLE], c->table, sizeof(c->table));
	nl_str(tb[NFTA_CHAIN_NAME], c->name, sizeof(c->name));
	c->base = tb[NFTA_CHAIN_HOOK];
	c->in = c->base && is_way_in(c->family, be32(hook[NFTA_HOOK_HOOKNUM]));
	return MNL_CB_OK;
}

static int chain_cmp(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;
	int order = x->family - y->family;

	if (!order)
		order = strcmp(x->table, y->table);
	return order ? order : strcmp(x->name, y->name);
}

/* The chain of @like's name, or NULL. */
static struct chain *chain_find(const struct ruleset *s,
				const struct chain *like)
{
	return s->n_chains ? bsearch(like, s->chains, s->n_chains,
				     sizeof(*like), chain_cmp)
			   : NULL;
}

static int add_jump(struct ruleset *s, struct chain *from, const struct rule *r)
{
	struct chain like = {.family = from->family}, *to;
	struct jump *j;

	strcpy(like.table, from->table);
	strcpy(like.name, r->to);
	to = chain_find(s, &like);
	if (!to)
		return 0;
	to->jumped = true;
	if (r->other)
		return 0;
	j = array_push(s->jumps, s->n_jumps);
	if (!j)
		return -ENOMEM;
	*j = (struct jump){from - s->chains, to - s->chains};
	return 0;
}

static void begin_rules(void *arg)
{
	struct ruleset *s = arg;

	s->n_jumps = 0;
	for (size_t i = 0; i < s->n_chains; i++) {
		s->chains[i].jumped = false;
		s->chains[i].does[0] = '\0';
	}
}

/* Rules of a chain that is newer than the list of chains wait for the next
 * look. */
static int take_rule(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[NFTA_RULE_MAX + 1], *expr;
	char what[FORWARDS_TEXT_MAX] = "";
	struct ruleset *s = arg;
	struct forwards f = {s->own, what};
	struct rule r = {.f = &f, .family = family_of(h)};
	struct chain like = {.family = r.family}, *c;

	nl_attrs(h, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX);
	nl_str(tb[NFTA_RULE_TABLE], like.table, sizeof(like.table));
	nl_str(tb[NFTA_RULE_CHAIN], like.name, sizeof(like.name));
	c = chain_find(s, &like);
	if (!c || !tb[NFTA_RULE_EXPRESSIONS])
		return MNL_CB_OK;
	mnl_attr_for_each_nested(expr, tb[NFTA_RULE_EXPRESSIONS])
		run_expression(&r, expr);
	if (*what && !r.other)
		strcpy(c->does, what);
	if (*r.to && add_jump(s, c, &r)) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

/* ---- together ------------------------------------------------------------ */

static int list(struct ruleset *s, int what, mnl_cb_t take,
		void (*begin)(void *arg))
{
	struct nl_request r;

	nl_nft_init(&r, what, NFPROTO_UNSPEC, NLM_F_DUMP);
	return nl_dump(NETLINK_NETFILTER, &r, take, begin, s);
}

static void follow(struct ruleset *s)
{
	bool more = true;

	for (size_t i = 0; i < s->n_chains; i++) {
		struct chain *c = &s->chains[i];

		c->reached = c->base ? c->in : !c->jumped;
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < s->n_jumps; i++) {
			const struct jump *j = &s->jumps[i];

			if (!s->chains[j->from].reached ||
			    s->chains[j->to].reached)
				continue;
			s->chains[j->to].reached = more = true;
		}
	}
}

int forwards_nft(struct forwards *f)
{
	_cleanup_(ruleset_free) struct ruleset s = {.own = f->own};
	int err = list(&s, NFT_MSG_GETCHAIN, take_chain, begin_chains);

	/* a kernel without nf_tables (nft_probe() of nft.c) */
	if (err == -EINVAL || err == -ENOENT)
		return 0;
	if (err || !s.n_chains)
		return err;
	qsort(s.chains, s.n_chains, sizeof(*s.chains), chain_cmp);
	err = list(&s, NFT_MSG_GETRULE, take_rule, begin_rules);
	if (err)
		return err;
	follow(&s);
	for (size_t i = 0; i < s.n_chains; i++)
		if (s.chains[i].reached && *s.chains[i].does)
			strcpy(f->what, s.chains[i].does);
	return 0;
}
