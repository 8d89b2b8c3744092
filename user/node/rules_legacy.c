// SPDX-License-Identifier: Apache-2.0
/* iptables-legacy, both families; they differ only in the shape of a rule. */
#include "node/rules.h"

#include <errno.h>
#include <libiptc/libiptc.h>
#include <netinet/in.h>
#include <string.h>
#include "base/array.h"
#include "base/strv.h"
#include "node/iptc.h"

#define CHAIN "OUTPUT"
#define PRIORITY (-100) /* NF_IP_PRI_NAT_DST */

/* ---- what a rule says ---------------------------------------------------- */

static enum holds inverted(enum holds holds, bool invert)
{
	return invert && holds != HOLDS_MAYBE ? HOLDS_YES - holds : holds;
}

static enum holds both(enum holds a, enum holds b)
{
	return a < b ? a : b;
}

static bool all_of(const unsigned char *bytes, size_t n, unsigned char value)
{
	while (n && *bytes == value)
		bytes++, n--;
	return !n;
}

/* Does it match only 127.0.0.0/8, or a part of that; or ::1? */
static bool is_for_loopback(const struct iptc_rule *e)
{
	static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;

	if (e->addr_len == 4)
		return e->dst_mask[0] == 0xff && e->dst[0] == IN_LOOPBACKNET;
	return all_of(e->dst_mask, e->addr_len, 0xff) &&
	       !memcmp(e->dst, &loopback, sizeof(loopback));
}

/* All of "lo", not every interface whose name begins so. */
static bool is_lo(const struct iptc_rule *e)
{
	return !strcmp(e->out, "lo") && e->out_mask[2];
}

static enum holds entry_holds(const struct iptc_rule *e)
{
	enum holds holds = e->more ? HOLDS_MAYBE : HOLDS_YES;

	if (e->protocol)
		holds = both(holds,
			     inverted(e->protocol == IPPROTO_TCP ? HOLDS_YES
								 : HOLDS_NO,
				      e->not_protocol));
	if (e->out[0])
		holds = both(holds, inverted(is_lo(e) ? HOLDS_NO : HOLDS_MAYBE,
					     e->not_out));
	if (!all_of(e->dst_mask, e->addr_len, 0))
		holds = both(holds, inverted(is_for_loopback(e) ? HOLDS_NO
								: HOLDS_MAYBE,
					     e->not_dst));
	return holds;
}

static int take_matches(struct redirect_rule *rule, const struct iptc_rule *e,
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
		m = (const void *)((const char *)m + size);
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
	const struct iptc_family *f;
	struct xtc_handle *h;
	struct redirects *out;
	size_t first; /* of its chains in @out */
	char **names; /* of these */
	size_t n_names;
};

static void set_target(const struct reading *r, const struct iptc_rule *e,
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
	struct iptc_rule e;
	int err;

	if (!rule)
		return -ENOMEM;
	r->f->read(from, r->h, &e);
	rule->families =
		r->f->nfproto == NFPROTO_IPV4 ? REDIRECT_IP4 : REDIRECT_IP6;
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
	const struct iptc_family *f = r->f;
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

		while (!err && (rule = r->f->next(r->names[i], rule, r->h)))
			err = take_rule(r, r->first + i, rule);
	}
	return err;
}

static int read_family(const struct iptc_family *f, struct redirects *out,
		       char *detail, size_t room)
{
	struct reading r = {.f = f, .out = out, .first = out->n};
	int err = iptc_open(f, IPTC_NAT, &r.h, detail, room);

	if (err <= 0)
		return err;
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

	for (size_t i = 0; !err && i < IPTC_FAMILIES; i++)
		err = read_family(&iptc_families[i], out, detail, room);
	return err;
}
