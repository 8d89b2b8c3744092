// SPDX-License-Identifier: Apache-2.0
/* nftables' rules as libnftables prints them, table by table. */
#include "node/rules.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include "base/array.h"
#include "base/buf.h"
#include "node/nft.h"
#include "node/nl.h"
#include "node/rules_expr.h"

static const struct {
	const char *name;
	unsigned char number;
	unsigned int families;
} families[] = {
	{"ip", NFPROTO_IPV4, REDIRECT_IP4},
	{"ip6", NFPROTO_IPV6, REDIRECT_IP6},
	{"inet", NFPROTO_INET, REDIRECT_FAMILIES},
};

static int family_of(const char *name)
{
	for (size_t i = 0; i < array_size(families); i++)
		if (!strcmp(families[i].name, name))
			return i;
	return -1;
}

static const char *str_of(yyjson_val *obj, const char *key)
{
	return yyjson_get_str(yyjson_obj_get(obj, key)) ?: "";
}

/* ---- a table's chains and rules ------------------------------------------ */

/* Names count within one table. */
struct decoding {
	const struct xt_infos *xt;
	struct redirects *out;
	unsigned int families;
	const char *own;
	struct chain_name {
		const char *name;
		size_t chain;
	} *names;
	size_t n_names;
};

static int add_chain(struct decoding *d, yyjson_val *chain)
{
	struct chain_name *slot = array_push(d->names, d->n_names);
	struct redirect_chain *c = redirects_chain(d->out);

	if (!slot || !c)
		return -ENOMEM;
	*slot = (struct chain_name){str_of(chain, "name"), d->out->n - 1};
	c->base = !strcmp(str_of(chain, "type"), "nat") &&
		  !strcmp(str_of(chain, "hook"), "output");
	c->priority = yyjson_get_int(yyjson_obj_get(chain, "prio"));
	c->drops = !strcmp(str_of(chain, "policy"), "drop");
	return 0;
}

static size_t find_chain(const struct decoding *d, const char *name)
{
	for (size_t i = 0; i < d->n_names; i++)
		if (!strcmp(d->names[i].name, name))
			return d->names[i].chain;
	return SIZE_MAX;
}

/* Return: is @key a verdict? @value: of the statement. */
static bool read_verdict(const struct decoding *d, const char *key,
			 yyjson_val *value, struct redirect_rule *rule)
{
	static const struct {
		const char *key;
		enum redirect_verdict verdict;
	} verdicts[] = {
		{"accept", REDIRECT_ACCEPT}, {"return", REDIRECT_RETURN},
		{"drop", REDIRECT_AWAY},     {"reject", REDIRECT_AWAY},
		{"queue", REDIRECT_AWAY},    {"redirect", REDIRECT_AWAY},
		{"dnat", REDIRECT_AWAY},     {"tproxy", REDIRECT_AWAY},
		{"jump", REDIRECT_JUMP},     {"goto", REDIRECT_GOTO},
	};

	for (size_t i = 0; i < array_size(verdicts); i++) {
		if (strcmp(verdicts[i].key, key))
			continue;
		rule->verdict = verdicts[i].verdict;
		if (rule->verdict == REDIRECT_JUMP ||
		    rule->verdict == REDIRECT_GOTO)
			rule->target = find_chain(d, str_of(value, "target"));
		return true;
	}
	return false;
}

/*
 * Many verdicts, by a key: make a chain, each rule of which may match. A
 * "return" there ends the rule's own chain, and here continues after the rule:
 * that may let less pass, never more. The content of a named map is not read.
 */
static int read_vmap(struct decoding *d, yyjson_val *vmap,
		     struct redirect_rule *rule)
{
	yyjson_val *set = yyjson_obj_get(yyjson_obj_get(vmap, "data"), "set"),
		   *pair;
	size_t chain = d->out->n, i, n;
	struct redirect_rule *one;

	if (!redirects_chain(d->out))
		return -ENOMEM;
	rule->odd |= expr_asks_owner(yyjson_obj_get(vmap, "key"));
	rule->verdict = REDIRECT_JUMP;
	rule->target = chain;
	if (!set) {
		one = redirects_rule(d->out, chain);
		if (!one)
			return -ENOMEM;
		one->maybe = true;
		one->verdict = REDIRECT_AWAY;
	}
	yyjson_arr_foreach (set, i, n, pair) {
		yyjson_obj_iter it =
			yyjson_obj_iter_with(yyjson_arr_get(pair, 1));
		yyjson_val *key = yyjson_obj_iter_next(&it);

		one = redirects_rule(d->out, chain);
		if (!one)
			return -ENOMEM;
		one->maybe = true;
		if (key)
			read_verdict(d, yyjson_get_str(key),
				     yyjson_obj_iter_get_val(key), one);
	}
	return 0;
}

/* The next one of that rule; NULL: the kernel's list and libnftables' output
 * are not from the same time. */
static const struct xt_info *next_xt(const struct xt_infos *xt, __u64 handle,
				     const char *name, size_t *skip)
{
	size_t seen = 0;

	for (size_t i = 0; i < xt->n; i++) {
		if (xt->v[i].rule != handle || seen++ < *skip)
			continue;
		(*skip)++;
		return strcmp(xt->v[i].name, name) ? NULL : &xt->v[i];
	}
	return NULL;
}

static int read_xt(const struct decoding *d, yyjson_val *xt, __u64 handle,
		   size_t *skip, struct redirect_rule *rule, enum holds *holds)
{
	const char *name = str_of(xt, "name");
	const struct xt_info *info;

	if (!strcmp(str_of(xt, "type"), "target")) {
		/* one per rule, its last */
		if (rules_xt_moves(name))
			rule->verdict = REDIRECT_AWAY;
		return 0;
	}
	info = next_xt(d->xt, handle, name, skip);
	if (!info) {
		rule->odd = true;
		return 0;
	}
	return rules_xt_match(rule, info->name, info->rev, info->data,
			      info->len, holds);
}

/* A statement that does not change where the packet goes, and matches all. */
static bool is_idle(const char *key)
{
	static const char *const idle[] = {"counter", "comment", "log",
					   "notrack", "mangle",	 "set",
					   "continue"};

	for (size_t i = 0; i < array_size(idle); i++)
		if (!strcmp(idle[i], key))
			return true;
	return false;
}

static int read_statement(struct decoding *d, const char *key, yyjson_val *val,
			  __u64 handle, size_t *skip,
			  struct redirect_rule *rule, enum holds *holds)
{
	enum holds one = HOLDS_YES;
	int err = 0;

	if (!strcmp(key, "match"))
		err = expr_match(val, rule, &one);
	else if (!strcmp(key, "vmap"))
		err = read_vmap(d, val, rule);
	else if (!strcmp(key, "xt"))
		err = read_xt(d, val, handle, skip, rule, &one);
	else if (!read_verdict(d, key, val, rule) && !is_idle(key))
		one = HOLDS_MAYBE; /* a limit, a quota, an unknown one */
	*holds = one < *holds ? one : *holds;
	return err;
}

/* Build the rule outside of the chains, since one with a map adds a chain. */
static int add_rule(struct decoding *d, yyjson_val *val)
{
	__u64 handle = yyjson_get_uint(yyjson_obj_get(val, "handle"));
	size_t chain = find_chain(d, str_of(val, "chain")), skip = 0, i, n;
	struct redirect_rule rule = {.families = d->families}, *slot;
	yyjson_val *statement, *key;
	enum holds holds = HOLDS_YES;
	int err = 0;

	if (chain == SIZE_MAX)
		return -EPROTO;
	slot = redirects_rule(d->out, chain);
	if (!slot)
		return -ENOMEM;
	yyjson_arr_foreach (yyjson_obj_get(val, "expr"), i, n, statement) {
		yyjson_obj_iter it = yyjson_obj_iter_with(statement);

		key = yyjson_obj_iter_next(&it);
		if (key && !err)
			err = read_statement(d, yyjson_get_str(key),
					     yyjson_obj_iter_get_val(key),
					     handle, &skip, &rule, &holds);
	}
	rule.maybe = holds == HOLDS_MAYBE;
	if (holds == HOLDS_NO)
		rule.families = 0;
	/* the chain may have moved */
	slot = &d->out->v[chain].rules[d->out->v[chain].n_rules - 1];
	*slot = rule;
	return err;
}

static bool is_own(const struct decoding *d, yyjson_val *rule)
{
	return d->own && !strcmp(str_of(rule, "table"), d->own) &&
	       !strcmp(str_of(rule, "family"), "inet") &&
	       !strcmp(str_of(rule, "comment"), d->own);
}

int rules_nft_decode(yyjson_val *objects, const struct xt_infos *xt,
		     const char *own, struct redirects *out)
{
	struct decoding d = {.xt = xt, .out = out, .own = own};
	yyjson_val *item, *val;
	size_t i, n;
	int err = 0, family;

	/* chains first: a rule may jump to a chain that is listed later */
	yyjson_arr_foreach (objects, i, n, item) {
		val = yyjson_obj_get(item, "chain");
		if (val && !err)
			err = add_chain(&d, val);
	}
	yyjson_arr_foreach (objects, i, n, item) {
		val = yyjson_obj_get(item, "rule");
		if (!val || err || is_own(&d, val))
			continue;
		family = family_of(str_of(val, "family"));
		d.families = family < 0 ? REDIRECT_FAMILIES
					: families[family].families;
		err = add_rule(&d, val);
	}
	free(d.names);
	return err;
}

/* ---- what the kernel holds of xtables' matches --------------------------- */

static int add_info(struct xt_infos *to, __u64 rule, const struct nlattr *data)
{
	const struct nlattr *tb[NFTA_MATCH_MAX + 1];
	struct xt_info *x = array_push(to->v, to->n);

	if (!x)
		return -ENOMEM;
	nl_nest(data, tb, NFTA_MATCH_MAX);
	x->rule = rule;
	nl_str(tb[NFTA_MATCH_NAME], x->name, sizeof(x->name));
	if (tb[NFTA_MATCH_REV])
		x->rev = ntohl(nl_u32(tb[NFTA_MATCH_REV]));
	if (!tb[NFTA_MATCH_INFO])
		return 0;
	x->len = mnl_attr_get_payload_len(tb[NFTA_MATCH_INFO]);
	if (x->len > sizeof(x->data))
		x->len = sizeof(x->data);
	memcpy(x->data, mnl_attr_get_payload(tb[NFTA_MATCH_INFO]), x->len);
	return 0;
}

static int see_rule(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *tb[NFTA_RULE_MAX + 1], *expr;
	__u64 handle;
	int err = 0;

	nl_attrs(h, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX);
	if (!tb[NFTA_RULE_EXPRESSIONS] || !tb[NFTA_RULE_HANDLE] ||
	    mnl_attr_get_payload_len(tb[NFTA_RULE_HANDLE]) != sizeof(handle))
		return MNL_CB_OK;
	handle = be64toh(mnl_attr_get_u64(tb[NFTA_RULE_HANDLE]));
	mnl_attr_for_each_nested(expr, tb[NFTA_RULE_EXPRESSIONS])
	{
		const struct nlattr *e[NFTA_EXPR_MAX + 1];
		char name[16];

		nl_nest(expr, e, NFTA_EXPR_MAX);
		nl_str(e[NFTA_EXPR_NAME], name, sizeof(name));
		if (!err && !strcmp(name, "match"))
			err = add_info(arg, handle, e[NFTA_EXPR_DATA]);
	}
	errno = -err;
	return err ? MNL_CB_ERROR : MNL_CB_OK;
}

static void forget_infos(void *arg)
{
	struct xt_infos *xt = arg;

	free(xt->v);
	*xt = (struct xt_infos){};
}

static int read_infos(unsigned char family, const char *table,
		      struct xt_infos *out)
{
	struct nl_request r;

	if (strlen(table) > NFT_NAME_MAXLEN)
		return -EPROTO;
	nl_nft_init(&r, NFT_MSG_GETRULE, family, NLM_F_DUMP);
	mnl_attr_put_strz(r.head, NFTA_RULE_TABLE, table);
	return nl_dump(NETLINK_NETFILTER, &r, see_rule, forget_infos, out);
}

/* ---- the tables ---------------------------------------------------------- */

struct table {
	unsigned char family;
	bool dormant;
	char name[NFT_NAME_MAXLEN];
};

struct tables {
	const char *but;
	struct table *v;
	size_t n;
};

static int see_table(const struct nlmsghdr *h, void *arg)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[NFTA_TABLE_MAX + 1];
	struct tables *all = arg;
	struct table t = {.family = g->nfgen_family}, *slot;

	nl_attrs(h, sizeof(*g), tb, NFTA_TABLE_MAX);
	nl_str(tb[NFTA_TABLE_NAME], t.name, sizeof(t.name));
	t.dormant = ntohl(nl_u32(tb[NFTA_TABLE_FLAGS])) & NFT_TABLE_F_DORMANT;
	if (t.dormant ||
	    (t.family == NFPROTO_INET && all->but && !strcmp(t.name, all->but)))
		return MNL_CB_OK;
	slot = array_push(all->v, all->n);
	if (!slot) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	*slot = t;
	return MNL_CB_OK;
}

static void forget_tables(void *arg)
{
	struct tables *all = arg;

	free(take_ptr(all->v));
	all->n = 0;
}

static int list_tables(struct tables *out)
{
	struct nl_request r;
	int err;

	nl_nft_init(&r, NFT_MSG_GETTABLE, NFPROTO_UNSPEC, NLM_F_DUMP);
	err = nl_dump(NETLINK_NETFILTER, &r, see_table, forget_tables, out);
	/* a kernel without nf_tables: nft_probe(), nft.c */
	return err == -ENOENT || err == -EINVAL ? 0 : err;
}

int rules_nft_any(const char *but)
{
	struct tables all = {.but = but};
	int err = list_tables(&all);

	free(all.v);
	return err ?: all.n > 0;
}

static bool has_output(yyjson_val *objects, const char *family,
		       const char *table)
{
	yyjson_val *item;
	size_t i, n;

	yyjson_arr_foreach (objects, i, n, item) {
		yyjson_val *c = yyjson_obj_get(item, "chain");

		if (c && !strcmp(str_of(c, "family"), family) &&
		    !strcmp(str_of(c, "table"), table) &&
		    !strcmp(str_of(c, "hook"), "output") &&
		    !strcmp(str_of(c, "type"), "nat"))
			return true;
	}
	return false;
}

/* The name becomes part of a command: quote it as JSON does. */
static int list_command(struct buf *b, const char *family, const char *table)
{
	buf_printf(b,
		   "{\"nftables\":[{\"list\":{\"table\":{\"family\":\"%s\","
		   "\"name\":\"",
		   family);
	for (; *table; table++)
		buf_printf(b, *table == '"' || *table == '\\' ? "\\%c" : "%c",
			   *table);
	return buf_printf(b, "\"}}}]}");
}

static int read_table(struct nft_ctx *nft, const struct table *t,
		      const char *family, const char *own,
		      struct redirects *out, char *detail, size_t room)
{
	_nftdoc_ yyjson_doc *doc = NULL;
	struct xt_infos xt = {};
	_buf_ struct buf b = {};
	int err = list_command(&b, family, t->name);

	err = err ?: read_infos(t->family, t->name, &xt);
	err = err ?: nft_json(nft, b.data, &doc, detail, room);
	err = err ?: rules_nft_decode(nft_objects(doc), &xt, own, out);
	forget_infos(&xt);
	if (err == -EPROTO)
		snprintf(detail, room, "the table %s %s cannot be read", family,
			 t->name);
	return err;
}

int rules_nft_read(struct nft_ctx *nft, const char *own, struct redirects *out,
		   char *detail, size_t room)
{
	_nftdoc_ yyjson_doc *chains = NULL;
	struct tables all = {};
	int err = nft_json(nft, "{\"nftables\":[{\"list\":{\"chains\":null}}]}",
			   &chains, detail, room);

	err = err ?: list_tables(&all);
	for (size_t i = 0; !err && i < all.n; i++)
		for (size_t f = 0; !err && f < array_size(families); f++)
			if (families[f].number == all.v[i].family &&
			    has_output(nft_objects(chains), families[f].name,
				       all.v[i].name))
				err = read_table(nft, &all.v[i],
						 families[f].name, own, out,
						 detail, room);
	free(all.v);
	return err;
}
