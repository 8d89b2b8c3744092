// SPDX-License-Identifier: Apache-2.0
/* iptables-legacy's nat table, chain by chain, from the one where packets come
 * in. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "node/forwards_impl.h"
#include "node/iptc.h"

#define CHAIN "PREROUTING"

/* ---- rules --------------------------------------------------------------- */

static bool is_for(const struct iptc_rule *r, const struct smc_addr *addr)
{
	const unsigned char *have = addr->ip + 16 - r->addr_len;

	for (size_t i = 0; i < r->addr_len; i++)
		if ((have[i] ^ r->dst[i]) & r->dst_mask[i])
			return false;
	return true;
}

/* May it match TCP to an address of the namespace? */
static bool concerns(const struct forwards *f, const struct iptc_rule *r)
{
	if (r->protocol && !r->not_protocol && r->protocol != IPPROTO_TCP)
		return false;
	if (r->not_dst)
		return true;
	for (size_t i = 0; i < f->own->n; i++) {
		const struct smc_addr *addr = &f->own->v[i];

		if (addr_is_v4(addr) == (r->addr_len == 4) && is_for(r, addr))
			return true;
	}
	return false;
}

/* ---- chains -------------------------------------------------------------- */

struct chain {
	const char *name; /* the table's */
	bool seen;
};

struct table {
	struct forwards *f;
	const struct iptc_family *family;
	struct xtc_handle *h;
	struct chain *chains; /* by name */
	size_t n_chains;
	struct chain **todo; /* found, but not read yet */
	size_t n_todo;
};

static int chain_cmp(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int list_chains(struct table *t)
{
	for (const char *name = t->family->chain_first(t->h); name;
	     name = t->family->chain_next(t->h)) {
		struct chain *slot = array_push(t->chains, t->n_chains);

		if (!slot)
			return -ENOMEM;
		slot->name = name;
	}
	if (t->n_chains)
		qsort(t->chains, t->n_chains, sizeof(*t->chains), chain_cmp);
	return 0;
}

/* Return: 1: @name is a chain, and will be read; 0: it is none; or -ENOMEM. */
static int reach(struct table *t, const char *name)
{
	const struct chain key = {.name = name};
	struct chain *c = t->n_chains ? bsearch(&key, t->chains, t->n_chains,
						sizeof(key), chain_cmp)
				      : NULL;
	struct chain **slot;

	if (!c)
		return 0;
	if (c->seen)
		return 1;
	slot = array_push(t->todo, t->n_todo);
	if (!slot)
		return -ENOMEM;
	*slot = c;
	c->seen = true;
	return 1;
}

/* A rule may not match our packets and still jump to a chain with rules that
 * do. */
static int read_rule(struct table *t, const void *from)
{
	const struct xt_entry_target *x;
	struct iptc_rule r;
	int err;

	t->family->read(from, t->h, &r);
	err = reach(t, r.target);
	if (err)
		return err < 0 ? err : 0;
	x = r.extension;
	if (*x->u.user.name && concerns(t->f, &r))
		forwards_target(t->f, t->family->nfproto, r.target,
				x->u.user.revision, x->data,
				x->u.target_size - sizeof(*x));
	return 0;
}

static int read_chain(struct table *t, const char *name)
{
	const void *rule = NULL;
	int err = 0;

	while (!err && (rule = t->family->next(name, rule, t->h)))
		err = read_rule(t, rule);
	return err;
}

static int look_at_family(struct forwards *f, const struct iptc_family *family)
{
	struct table t = {.f = f, .family = family};
	int err = iptc_open(family, IPTC_NAT, &t.h, NULL, 0);

	if (err <= 0)
		return err;
	err = list_chains(&t);
	err = err ?: reach(&t, CHAIN);
	while (err >= 0 && t.n_todo)
		err = read_chain(&t, t.todo[--t.n_todo]->name);
	free(t.todo);
	free(t.chains);
	family->close(t.h);
	return err < 0 ? err : 0;
}

int forwards_legacy(struct forwards *f)
{
	int err = 0;

	for (size_t i = 0; !err && !*f->what && i < IPTC_FAMILIES; i++)
		err = look_at_family(f, &iptc_families[i]);
	return err;
}
