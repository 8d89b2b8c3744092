// SPDX-License-Identifier: Apache-2.0
#include "mesh/path_turns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"

#define USED (60 * CLOCK_SECOND)
#define YOUNG (60 * CLOCK_SECOND)
#define KNOWN (600 * CLOCK_SECOND)
#define OFTEN CLOCK_SECOND
#define SELDOM (10 * CLOCK_SECOND)
/* The agent asks once a second, but not to the millisecond: a path that is due
 * a moment later would wait for another whole second. */
#define MOMENT (CLOCK_SECOND / 4)

enum mesh_path_state mesh_path_state(const struct smc_path *row, __u64 now)
{
	if (row->bad_ns)
		return MESH_PATH_BAD;
	return row->proven_until_ns > now ? MESH_PATH_PROVEN
					  : MESH_PATH_UNPROVEN;
}

const char *mesh_path_word(enum mesh_path_state state)
{
	static const char *const words[MESH_PATH_STATES] = {
		[MESH_PATH_UNPROVEN] = "unproven",
		[MESH_PATH_PROVEN] = "proven",
		[MESH_PATH_BAD] = "bad",
	};

	return words[state];
}

void mesh_paths_free(struct mesh_paths *paths)
{
	free(paths->v);
	memset(paths, 0, sizeof(*paths));
}

int mesh_path_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct smc_path_key));
}

struct mesh_path *mesh_paths_find(struct mesh_paths *paths,
				  const struct smc_path_key *key)
{
	return paths->n ? bsearch(key, paths->v, paths->n, sizeof(*paths->v),
				  mesh_path_cmp)
			: NULL;
}

/* ---- which there are ----------------------------------------------------- */

static struct mesh_path begin(struct mesh_paths *paths,
			      const struct mesh_path_want *want, __u64 now)
{
	const struct mesh_path *old = mesh_paths_find(paths, &want->key);
	struct mesh_path p = {.key = want->key, .since_ns = now};

	if (old)
		p = *old;
	if (want->near && !p.near)
		p.since_ns = now;
	p.near = want->near;
	return p;
}

int mesh_paths_set(struct mesh_paths *paths, const struct mesh_path_want *wants,
		   size_t n, __u64 now)
{
	size_t near = 0, far, kept = 0;
	struct mesh_path *v;

	for (size_t i = 0; i < n; i++)
		near += wants[i].near;
	if (near > MESH_PATHS_MAX)
		near = MESH_PATHS_MAX;
	far = MESH_PATHS_MAX - near;
	v = calloc(n < MESH_PATHS_MAX ? n + !n : MESH_PATHS_MAX, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t *left = wants[i].near ? &near : &far;

		if (!*left)
			continue;
		--*left;
		v[kept++] = begin(paths, &wants[i], now);
	}
	free(paths->v);
	paths->v = v;
	paths->n = kept;
	return 0;
}

/* ---- which are due ------------------------------------------------------- */

static bool within(__u64 then, __u64 span, __u64 now)
{
	return then && now < then + span;
}

static __u64 latest(const struct mesh_path *p)
{
	__u64 use = p->row.used_ns > p->row.wished_ns ? p->row.used_ns
						      : p->row.wished_ns;

	return p->near && p->since_ns > use ? p->since_ns : use;
}

/* The time between two probes; 0: when its turn comes. */
static __u64 interval(const struct mesh_path *p, __u64 now)
{
	if (within(p->row.used_ns, USED, now) ||
	    (p->near && within(p->since_ns, YOUNG, now)))
		return OFTEN;
	if (p->row.links[0] || p->row.links[1] || within(latest(p), KNOWN, now))
		return SELDOM;
	return 0;
}

static bool is_past(__u64 then, __u64 span, __u64 now)
{
	return now + MOMENT >= then + span;
}

/* Was a flow refused for it since its last probe? */
static bool is_wished(const struct mesh_path *p)
{
	return p->row.wished_ns && p->row.wished_ns >= p->asked_ns;
}

static bool is_due(const struct mesh_path *p, __u64 now)
{
	__u64 often = interval(p, now);

	if (p->row.bad_ns && p->row.bad_until_ns > now)
		return false;
	if (!p->asked_ns)
		return true;
	if (is_wished(p))
		often = OFTEN;
	return is_past(p->asked_ns, often ?: SELDOM, now);
}

/*
 * A token bucket that was full at @full: each of the @rate probes in a second
 * moves that by its share. Return: tokens in it, at most @most.
 */
static size_t has(__u64 full, unsigned int rate, __u64 now, size_t most)
{
	__u64 owed = full > now ? (full - now) * rate / CLOCK_SECOND : 0;
	size_t left = owed < rate ? rate - owed : 0;

	return left < most ? left : most;
}

static void take_from(__u64 *full, unsigned int rate, __u64 now, size_t n)
{
	if (*full < now)
		*full = now;
	*full += n * CLOCK_SECOND / rate;
}

enum kind {
	OVERDUE, /* its proof would end */
	NEEDED,
	REST,
	KINDS
};

struct turn {
	size_t at; /* in paths->v */
	enum kind kind;
	__u64 use, asked;
};

/* By kind, then the one needed last first; those that wait for their turn in
 * that order. */
static int turn_cmp(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->use != y->use && x->kind == NEEDED)
		return x->use > y->use ? -1 : 1;
	if (x->asked != y->asked)
		return x->asked < y->asked ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static enum kind kind_of(const struct mesh_path *p, __u64 now)
{
	if (!interval(p, now))
		return REST;
	/* a flow refused for it needs it now, however long it has waited */
	return is_past(p->asked_ns, SELDOM, now) && !is_wished(p) ? OVERDUE
								  : NEEDED;
}

static size_t find_due(const struct mesh_paths *paths, __u64 now,
		       struct turn *turns, size_t found[KINDS])
{
	size_t n = 0;

	for (size_t i = 0; i < paths->n; i++) {
		const struct mesh_path *p = &paths->v[i];

		if (!is_due(p, now))
			continue;
		turns[n] = (struct turn){.at = i,
					 .kind = kind_of(p, now),
					 .use = latest(p),
					 .asked = p->asked_ns};
		found[turns[n++].kind]++;
	}
	return n;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Share @left probes out among those found. The overdue get half, and more if
 * there is nothing else: so 3,000 paths that are all in use stay proven. */
static void share_out(size_t left, size_t rest, const size_t found[KINDS],
		      size_t shares[KINDS])
{
	size_t needed = least(found[NEEDED], left - left / 2);

	shares[OVERDUE] = least(found[OVERDUE], left - needed);
	shares[NEEDED] = least(found[NEEDED], left - shares[OVERDUE]);
	left -= shares[OVERDUE] + shares[NEEDED];
	shares[REST] = least(least(found[REST], left), rest);
}

size_t mesh_paths_due(struct mesh_paths *paths, __u64 now, size_t *out,
		      size_t room)
{
	size_t left = has(paths->full_ns, MESH_PATHS_RATE, now, room);
	size_t rest = has(paths->rest_full_ns, MESH_PATHS_REST_RATE, now, left);
	size_t found[KINDS] = {}, shares[KINDS], n, taken = 0;
	_free_ struct turn *turns = NULL;

	if (!paths->n || !left)
		return 0;
	turns = malloc(paths->n * sizeof(*turns));
	if (!turns)
		return 0; /* it is tried again */
	n = find_due(paths, now, turns, found);
	if (n)
		qsort(turns, n, sizeof(*turns), turn_cmp);
	share_out(left, rest, found, shares);
	take_from(&paths->rest_full_ns, MESH_PATHS_REST_RATE, now,
		  shares[REST]);
	for (size_t i = 0; i < n; i++) {
		if (!shares[turns[i].kind])
			continue;
		shares[turns[i].kind]--;
		paths->v[turns[i].at].asked_ns = now;
		out[taken++] = turns[i].at;
	}
	take_from(&paths->full_ns, MESH_PATHS_RATE, now, taken);
	return taken;
}
