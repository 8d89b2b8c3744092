// SPDX-License-Identifier: Apache-2.0
/*
 * The users and groups that the rules name cut all users, and all groups, into
 * intervals: the rules treat all within one alike. So it is enough to run them
 * for one user and one group of each, and for a socket without a file.
 *
 * A run gives the set of what can become of a packet: a rule that may match or
 * not leaves both ways open. A chain's set does not depend on the jump to it,
 * so each chain is run once.
 */
#include "mesh/redirect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"

/* Bounds on what a program in the pod can make us compute. Real meshes have two
 * owners and thirty rules. */
#define CUTS_MAX 24
#define RULES_MAX 4096
/* Jumps within jumps: nftables has 16 (NFT_JUMP_STACK_SIZE). */
#define DEPTH_MAX 32

/* ---- the description ----------------------------------------------------- */

void redirects_free(struct redirects *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct redirect_chain *c = &r->v[i];

		for (size_t k = 0; k < c->n_rules; k++) {
			for (size_t t = 0; t < c->rules[k].n_tests; t++)
				free(c->rules[k].tests[t].v);
			free(c->rules[k].tests);
		}
		free(c->rules);
	}
	free(r->v);
	memset(r, 0, sizeof(*r));
}

struct redirect_chain *redirects_chain(struct redirects *r)
{
	return array_push(r->v, r->n);
}

struct redirect_rule *redirects_rule(struct redirects *r, size_t chain)
{
	struct redirect_chain *c = &r->v[chain];
	struct redirect_rule *rule = array_push(c->rules, c->n_rules);

	if (!rule)
		return NULL;
	rule->families = REDIRECT_FAMILIES;
	r->n_rules++;
	return rule;
}

struct redirect_test *redirect_test_add(struct redirect_rule *rule)
{
	return array_push(rule->tests, rule->n_tests);
}

int redirect_range_add(struct redirect_test *test, __u32 first, __u32 last)
{
	struct redirect_range *range = array_push(test->v, test->n);

	if (!range)
		return -ENOMEM;
	*range = (struct redirect_range){first, last};
	return 0;
}

/* ---- intervals ----------------------------------------------------------- */

/* Where each interval begins, sorted; the first at 0. */
struct cuts {
	__u32 v[CUTS_MAX];
	size_t n;
	bool full;
};

/* No user and no group has the last number, so nothing begins there. */
static void cut(struct cuts *c, __u32 at)
{
	size_t i = 0;

	if (at == SMC_ID_ANY)
		return;
	while (i < c->n && c->v[i] < at)
		i++;
	if (i < c->n && c->v[i] == at)
		return;
	if (c->n == CUTS_MAX) {
		c->full = true;
		return;
	}
	memmove(&c->v[i + 1], &c->v[i], (c->n - i) * sizeof(c->v[0]));
	c->v[i] = at;
	c->n++;
}

static void cut_test(struct cuts *c, const struct redirect_test *t)
{
	for (size_t i = 0; i < t->n; i++) {
		cut(c, t->v[i].first);
		if (t->v[i].last < SMC_ID_ANY)
			cut(c, t->v[i].last + 1);
	}
}

/* Does the interval have one user or group only? */
static bool is_one(const struct cuts *c, size_t i)
{
	return i + 1 < c->n ? c->v[i + 1] == c->v[i] + 1
			    : c->v[i] == SMC_ID_ANY - 1;
}

/* ---- one run ------------------------------------------------------------- */

enum { MAY_RETURN = 1, MAY_ACCEPT = 2, MAY_AWAY = 4, RAN = 8 };

struct run {
	const struct redirects *r;
	unsigned int family;
	bool no_file;
	__u32 uid, gid;
	unsigned char *sets; /* of each chain, once it was run */
	bool asked;	     /* a rule that can match asked for an owner */
	bool odd;	     /* and in a way that tests cannot answer */
};

static bool test_holds(const struct run *run, const struct redirect_test *t)
{
	__u32 id = t->gid ? run->gid : run->uid;

	if (run->no_file)
		return t->xt && t->invert;
	for (size_t i = 0; i < t->n; i++)
		if (id >= t->v[i].first && id <= t->v[i].last)
			return !t->invert;
	return t->invert;
}

static bool can_match(struct run *run, const struct redirect_rule *rule)
{
	if (!(rule->families & run->family))
		return false;
	run->asked |= rule->n_tests || rule->odd;
	for (size_t i = 0; i < rule->n_tests; i++)
		if (!test_holds(run, &rule->tests[i]))
			return false;
	run->odd |= rule->odd;
	return true;
}

static unsigned int run_chain(struct run *run, size_t chain,
			      unsigned int depth);

/* What can become of a packet that matches @rule; 0: it goes on to the next
 * one. */
static unsigned int run_rule(struct run *run, const struct redirect_rule *rule,
			     unsigned int depth)
{
	switch (rule->verdict) {
	case REDIRECT_NEXT:
		return 0;
	case REDIRECT_RETURN:
		return MAY_RETURN;
	case REDIRECT_ACCEPT:
		return MAY_ACCEPT;
	case REDIRECT_JUMP:
	case REDIRECT_GOTO:
		return run_chain(run, rule->target, depth + 1);
	case REDIRECT_AWAY:
		break;
	}
	return MAY_AWAY;
}

static unsigned int run_chain(struct run *run, size_t chain, unsigned int depth)
{
	const struct redirect_chain *c;
	unsigned int set = 0, got;
	bool goes_on = true;

	/* No such chain, or the rules go round: the kernel has neither. */
	if (chain >= run->r->n || depth > DEPTH_MAX)
		return MAY_AWAY;
	c = &run->r->v[chain];
	if (run->sets[chain] & RAN)
		return run->sets[chain] & ~RAN;
	for (size_t i = 0; i < c->n_rules && goes_on; i++) {
		const struct redirect_rule *rule = &c->rules[i];

		if (!can_match(run, rule))
			continue;
		got = run_rule(run, rule, depth);
		goes_on = rule->maybe || rule->odd || !got;
		/* the jumping chain goes on where the other returns */
		if (rule->verdict == REDIRECT_JUMP && got & MAY_RETURN) {
			got &= ~MAY_RETURN;
			goes_on = true;
		}
		set |= got;
	}
	if (goes_on)
		set |= MAY_RETURN;
	run->sets[chain] = set | RAN;
	return set;
}

/* ---- all base chains ----------------------------------------------------- */

struct judge {
	const struct redirects *r;
	struct cuts uids, gids;
	unsigned char *sets;
	int before;
	bool asked, odd;
	bool early; /* a chain before ours moves something */
	bool all;   /* all that leaves is moved, in one of the families */
};

/* Can TCP of this owner be moved? */
static bool moved_in(struct judge *j, struct run *run)
{
	bool moved = false;

	memset(j->sets, 0, j->r->n);
	for (size_t i = 0; i < j->r->n; i++) {
		const struct redirect_chain *c = &j->r->v[i];
		unsigned int set;

		if (!c->base)
			continue;
		set = run_chain(run, i, 0);
		if (c->drops && set & MAY_RETURN)
			set = MAY_AWAY | (set & MAY_ACCEPT);
		moved |= set & MAY_AWAY;
		j->all |= set == MAY_AWAY;
		j->early |= set & MAY_AWAY && c->priority <= j->before;
	}
	j->asked |= run->asked;
	j->odd |= run->odd;
	return moved;
}

static bool moved(struct judge *j, bool no_file, __u32 uid, __u32 gid)
{
	bool any = false;

	for (unsigned int family = 1; family & REDIRECT_FAMILIES;
	     family <<= 1) {
		struct run run = {.r = j->r,
				  .family = family,
				  .no_file = no_file,
				  .uid = uid,
				  .gid = gid,
				  .sets = j->sets};

		any |= moved_in(j, &run);
	}
	return any;
}

/* ---- whom they let pass -------------------------------------------------- */

struct grid {
	bool passes[CUTS_MAX][CUTS_MAX]; /* by user, by group */
	size_t n_pass;
};

static void fill(struct judge *j, struct grid *g)
{
	for (size_t u = 0; u < j->uids.n; u++)
		for (size_t k = 0; k < j->gids.n; k++) {
			g->passes[u][k] =
				!moved(j, false, j->uids.v[u], j->gids.v[k]);
			g->n_pass += g->passes[u][k];
		}
}

static bool add_owner(struct redirect_pass *out, __u32 uid, __u32 gid)
{
	if (out->n_owners == SMC_OWNERS)
		return false;
	out->owners[out->n_owners++] = (struct smc_owner){uid, gid};
	return true;
}

static bool whole_user(const struct judge *j, const struct grid *g, size_t u)
{
	for (size_t k = 0; k < j->gids.n; k++)
		if (!g->passes[u][k])
			return false;
	return true;
}

static bool whole_group(const struct judge *j, const struct grid *g, size_t k)
{
	for (size_t u = 0; u < j->uids.n; u++)
		if (!g->passes[u][k])
			return false;
	return true;
}

/* Write them as a few owners: users, groups, users in a group. Return: false if
 * that cannot be done. */
static bool name_owners(const struct judge *j, const struct grid *g,
			struct redirect_pass *out)
{
	bool said = true;

	for (size_t u = 0; u < j->uids.n; u++)
		if (is_one(&j->uids, u) && whole_user(j, g, u))
			said &= add_owner(out, j->uids.v[u], SMC_ID_ANY);
	for (size_t k = 0; k < j->gids.n; k++)
		if (is_one(&j->gids, k) && whole_group(j, g, k))
			said &= add_owner(out, SMC_ID_ANY, j->gids.v[k]);
	for (size_t u = 0; u < j->uids.n; u++)
		for (size_t k = 0; k < j->gids.n; k++) {
			bool one_u = is_one(&j->uids, u);
			bool one_g = is_one(&j->gids, k);

			if (!g->passes[u][k] ||
			    (one_u && whole_user(j, g, u)) ||
			    (one_g && whole_group(j, g, k)))
				continue;
			said &= one_u && one_g &&
				add_owner(out, j->uids.v[u], j->gids.v[k]);
		}
	return said;
}

static void unknown(struct redirect_pass *out, const char *why)
{
	out->answer = REDIRECT_UNKNOWN;
	out->n_owners = 0;
	out->why = why;
}

static void conclude(struct judge *j, const struct grid *g,
		     struct redirect_pass *out)
{
	if (g->n_pass == j->uids.n * j->gids.n) {
		if (j->asked && moved(j, true, 0, 0))
			unknown(out, "what is redirected is what has no owner");
	} else if (!g->n_pass) {
		if (j->asked)
			unknown(out, j->odd ? "the redirect asks for its "
					      "owner in a way that has no "
					      "equivalent here"
					    : "the redirect asks for owners, "
					      "and lets nobody pass for sure");
		else if (j->all)
			unknown(out, "the redirect lets nobody pass");
		else
			out->answer = REDIRECT_ALIKE;
	} else if (!name_owners(j, g, out)) {
		unknown(out, "whom the redirect lets pass are more than a few "
			     "users and groups");
	} else if (j->early) {
		unknown(out, "something is redirected before a rule of ours "
			     "could let it pass");
	} else {
		out->answer = REDIRECT_OWNERS;
	}
}

static void cut_all(struct judge *j)
{
	cut(&j->uids, 0);
	cut(&j->gids, 0);
	for (size_t i = 0; i < j->r->n; i++)
		for (size_t k = 0; k < j->r->v[i].n_rules; k++) {
			const struct redirect_rule *rule = &j->r->v[i].rules[k];

			for (size_t t = 0; t < rule->n_tests; t++)
				cut_test(rule->tests[t].gid ? &j->gids
							    : &j->uids,
					 &rule->tests[t]);
		}
}

int redirects_judge(const struct redirects *r, int before,
		    struct redirect_pass *out)
{
	struct judge j = {.r = r, .before = before};
	_free_ unsigned char *sets = NULL;
	struct grid g = {};

	*out = (struct redirect_pass){.answer = REDIRECT_NONE};
	if (!r->n)
		return 0;
	cut_all(&j);
	if (r->n_rules > RULES_MAX || j.uids.full || j.gids.full) {
		unknown(out, "the namespace has more rules, or owners in them, "
			     "than are looked at");
		return 0;
	}
	sets = calloc(r->n, 1);
	if (!sets)
		return -ENOMEM;
	j.sets = sets;
	fill(&j, &g);
	conclude(&j, &g, out);
	return 0;
}
