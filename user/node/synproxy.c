// SPDX-License-Identifier: Apache-2.0
#include "node/synproxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include "node/iptc.h"
#include "node/nl.h"

#define TARGET "SYNPROXY"

/* ---- nftables, and iptables over it ---- */

static bool is_target(const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_TARGET_MAX + 1];
	char name[32];

	nl_nest(data, tb, NFTA_TARGET_MAX);
	nl_str(tb[NFTA_TARGET_NAME], name, sizeof(name));
	return !strcmp(name, TARGET);
}

static bool is_object(const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_OBJREF_MAX + 1];

	nl_nest(data, tb, NFTA_OBJREF_MAX);
	return ntohl(nl_u32(tb[NFTA_OBJREF_IMM_TYPE])) == NFT_OBJECT_SYNPROXY;
}

static bool is_synproxy(const struct nlattr *expr)
{
	const struct nlattr *tb[NFTA_EXPR_MAX + 1];
	char name[32];

	nl_nest(expr, tb, NFTA_EXPR_MAX);
	nl_str(tb[NFTA_EXPR_NAME], name, sizeof(name));
	if (!strcmp(name, "target"))
		return is_target(tb[NFTA_EXPR_DATA]);
	if (!strcmp(name, "objref"))
		return is_object(tb[NFTA_EXPR_DATA]);
	return !strcmp(name, "synproxy");
}

int synproxy_take(const struct nlmsghdr *h, void *what)
{
	const struct nlattr *tb[NFTA_RULE_MAX + 1], *expr;
	char table[64], chain[64];
	bool found = false;

	nl_attrs(h, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX);
	if (!tb[NFTA_RULE_EXPRESSIONS])
		return MNL_CB_OK;
	mnl_attr_for_each_nested(expr, tb[NFTA_RULE_EXPRESSIONS]) found |=
		is_synproxy(expr);
	if (!found)
		return MNL_CB_OK;
	nl_str(tb[NFTA_RULE_TABLE], table, sizeof(table));
	nl_str(tb[NFTA_RULE_CHAIN], chain, sizeof(chain));
	snprintf(what, SYNPROXY_TEXT_MAX, "nftables: table %s, chain %s", table,
		 chain);
	return MNL_CB_STOP;
}

static void forget(void *what)
{
	*(char *)what = '\0';
}

static int look_at_nft(char *what)
{
	struct nl_request r;
	int err;

	nl_nft_init(&r, NFT_MSG_GETRULE, NFPROTO_UNSPEC, NLM_F_DUMP);
	err = nl_dump(NETLINK_NETFILTER, &r, synproxy_take, forget, what);
	/* a kernel without nf_tables (nft_probe() of nft.c) */
	return err == -EINVAL || err == -ENOENT ? 0 : err;
}

/* ---- iptables-legacy ---- */

static void look_at_chain(const struct iptc_family *f, struct xtc_handle *h,
			  const char *table, const char *chain, char *what)
{
	const void *rule = NULL;
	struct iptc_rule r;

	while (!*what && (rule = f->next(chain, rule, h))) {
		f->read(rule, h, &r);
		if (!strcmp(r.target, TARGET))
			snprintf(what, SYNPROXY_TEXT_MAX,
				 "iptables-legacy: table %s, chain %s", table,
				 chain);
	}
}

static int look_at_table(const struct iptc_family *f, const char *table,
			 char *what)
{
	struct xtc_handle *h;
	int err = iptc_open(f, table, &h, NULL, 0);

	if (err <= 0)
		return err;
	for (const char *chain = f->chain_first(h); chain && !*what;
	     chain = f->chain_next(h))
		look_at_chain(f, h, table, chain, what);
	f->close(h);
	return 0;
}

/* Tables with the hooks that the target is for: LOCAL_IN and FORWARD. */
static int look_at_legacy(char *what)
{
	static const char *const tables[] = {"filter", "mangle", "security"};
	int err = 0;

	for (size_t i = 0; i < IPTC_FAMILIES; i++)
		for (size_t t = 0; !err && !*what && t < array_size(tables);
		     t++)
			err = look_at_table(&iptc_families[i], tables[t], what);
	return err;
}

int synproxy_find(char what[SYNPROXY_TEXT_MAX])
{
	int err;

	*what = '\0';
	err = look_at_nft(what);
	if (!err && !*what)
		err = look_at_legacy(what);
	return err ?: *what != '\0';
}
