// SPDX-License-Identifier: Apache-2.0
/*
 * Writes a plan into the maps: for each map the difference between what it
 * should hold and what the kernel holds, in two passes over all maps
 * (passes.h). The first takes away: it only makes verdicts stricter, until they
 * allow what both the old plan and the new one do. The second gives, and arms
 * last. If the agent dies in between, or a row cannot be deleted, the maps
 * never allow what one of the two plans does not.
 *
 * A full map takes no new row. A row that allows something is just left out:
 * that traffic is TCP. Rows that deny must not be missing: the apply writes
 * exclusions, and Services' rows that only deny, first, and does not arm a pod
 * while one of its exclusions found no room; if one that holds for the whole
 * node found none, the node's switch stays off.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/other.h"
#include "datapath/passes.h"
#include "datapath/uses.h"
#include "datapath/wants.h"

/* One map's part of an apply. */
struct part {
	enum map_id id;
	struct passes todo;
	unsigned int rows; /* of the map: first as read, then as written */
	unsigned int full; /* rows of the first pass that found no room */
	struct rows left; /* wanted rows of that pass that are not in the map */
};

struct apply {
	struct datapath *dp;
	const struct mesh_plan *plan;
	struct datapath_changes *did;
	struct missing missing;
	bool configured; /* did->changed has counted smc_config */
	int err;	 /* the first one */
};

static void part_free(struct part *p)
{
	passes_free(&p->todo);
	rows_free(&p->left);
}

static void note(struct apply *a, int err, const char *what, enum map_id id)
{
	if (!err)
		return;
	log_warn(err, "%s the map %s", what, map_rows[id].name);
	if (!a->err)
		a->err = err;
}

/* ---- one map ---- */

static struct rows shape(enum map_id id)
{
	return (struct rows){.key_size = map_rows[id].key_size,
			     .value_size = map_rows[id].value_size};
}

/* Find out what to write. A map that cannot be read is left alone. */
static void part_plan(struct apply *a, struct part *p)
{
	_cleanup_(rows_free) struct rows have = shape(p->id);
	_cleanup_(rows_free) struct rows want = shape(p->id);
	int err;

	err = map_read(a->dp->map_fd[p->id], &have);
	p->rows = have.n;
	err = err
		      ?: wants_rows(a->dp, a->plan, &a->missing, p->id, &have,
				    &want);
	err = err ?: passes_make(p->id, &want, &have, &p->todo);
	if (err) /* half a difference is useless */
		passes_free(&p->todo);
	note(a, err, "read", p->id);
}

/* Return: rows that found no room. */
static unsigned int part_put(struct apply *a, const struct part *p,
			     const struct rows *rows, unsigned int *count)
{
	unsigned int full = 0;
	int err = 0;

	if (rows->n)
		*count += map_write(a->dp->map_fd[p->id], rows, 0, rows->n,
				    &full, &err);
	note(a, err, "write", p->id);
	return full;
}

static void part_remove(struct apply *a, const struct part *p, enum pass pass)
{
	const struct rows *rows = &p->todo.removed[pass];
	int err = 0;

	if (rows->n)
		a->did->removed += map_delete(a->dp->map_fd[p->id], rows, &err);
	note(a, err, "delete from", p->id);
}

/* The big map, in quarters: tests kill the agent between two of them. */
static void part_put_endpoints(struct apply *a, const struct part *p)
{
	static const char *const at[] = {"maps:quarter", "maps:half",
					 "maps:three-quarters", NULL};
	const struct rows *rows = &p->todo.added[PASS_GIVE];
	int err = 0;

	for (size_t i = 0; i < array_size(at); i++) {
		a->did->added += map_write(a->dp->map_fd[p->id], rows,
					   rows->n * i / array_size(at),
					   rows->n * (i + 1) / array_size(at),
					   &a->did->full, &err);
		if (at[i])
			fault_point(at[i]);
	}
	note(a, err, "write", p->id);
}

/* Rows added so far, less those removed. */
static unsigned int came(const struct apply *a)
{
	return a->did->added - a->did->removed;
}

static void part_take(struct apply *a, struct part *p)
{
	/* Not counted: they are when they are written as wanted. */
	unsigned int again = 0;
	unsigned int before = came(a);

	part_put(a, p, &p->todo.halfway, &again);
	part_put(a, p, &p->todo.changed[PASS_TAKE], &a->did->changed);
	part_remove(a, p, PASS_TAKE);
	p->full = part_put(a, p, &p->todo.added[PASS_TAKE], &a->did->added);
	p->rows += came(a) - before;
}

static void part_give(struct apply *a, struct part *p)
{
	unsigned int before = came(a);

	part_put(a, p, &p->todo.changed[PASS_GIVE], &a->did->changed);
	part_remove(a, p, PASS_GIVE);
	if (p->id == MAP_ENDPOINT)
		part_put_endpoints(a, p);
	else
		a->did->full += part_put(a, p, &p->todo.added[PASS_GIVE],
					 &a->did->added);
	p->rows += came(a) - before;
}

/* ---- smc_config ---- */

static void put_config(struct apply *a, const struct smc_config *c)
{
	struct smc_config now;
	__u32 zero = 0;
	int fd = a->dp->map_fd[MAP_CONFIG], err;

	err = bpf_map_lookup_elem(fd, &zero, &now);
	if (!err && !memcmp(&now, c, sizeof(now)))
		return;
	err = err ?: bpf_map_update_elem(fd, &zero, c, BPF_ANY);
	note(a, err, "write", MAP_CONFIG);
	a->did->changed += !err && !a->configured;
	a->configured |= !err;
}

/* Make the wanted configuration, and one that allows only what the present one
 * does, too. Return: 0 or a negative errno, noted. */
static int want_config(struct apply *a, const struct smc_config *config,
		       struct smc_config *want, struct smc_config *both)
{
	struct smc_config now;
	int err = datapath_config(a->dp, &now);

	*want = *config;
	want->abi_version = SMC_ABI_VERSION;
	want->abi_readable = SMC_ABI_READABLE;
	want->enabled = a->plan->enabled;
	want->offers_until_ns = now.offers_until_ns;
	memcpy(want->selectors, now.selectors, sizeof(want->selectors));
	want->ipproto = now.ipproto;
	want->uses = (now.uses & ~USES_OF_ROWS) | uses_of_plan(a->plan);
	config_less(&now, want, both);
	note(a, err, "read", MAP_CONFIG);
	return err;
}

/* ---- what denies and is not there ---- */

/* Find the rows that the first pass had to add and that are not in the map: ask
 * the kernel, but only if a row found no room. */
static void part_missing(struct apply *a, struct part *p)
{
	int err;

	if (!p->full)
		return;
	rows_free(&p->left);
	err = map_lacks(a->dp->map_fd[p->id], &p->todo.added[PASS_TAKE],
			&p->left);
	note(a, err, "read", p->id);
	missing_note(p->id, &p->left, &a->missing);
}

/*
 * Write the rows that deny before all others: the exclusions, and Services'
 * rows that only deny. If old rows keep out new ones that hold for the whole
 * node, delete the old ones first, while nothing is offered.
 */
static void deny(struct apply *a, struct part *port, struct part *cidr,
		 struct part *service, struct smc_config *both)
{
	struct part *const parts[] = {port, cidr, service};

	for (size_t i = 0; i < array_size(parts); i++) {
		part_plan(a, parts[i]);
		part_take(a, parts[i]);
		part_missing(a, parts[i]);
	}
	if (!a->missing.node || a->err)
		return;
	both->enabled = 0;
	put_config(a, both);
	a->missing = (struct missing){};
	for (size_t i = 0; i < array_size(parts); i++) {
		part_remove(a, parts[i], PASS_GIVE);
		parts[i]->full =
			part_put(a, parts[i], &parts[i]->left, &a->did->added);
		part_missing(a, parts[i]);
	}
}

static bool is_denied_first(const struct part *p)
{
	return p->id == MAP_PORT || p->id == MAP_CIDR || p->id == MAP_SERVICE;
}

/* ---- together ---- */

static void tell_missing(const struct apply *a)
{
	struct datapath_changes *did = a->did;

	did->full += a->missing.rows;
	did->missing = a->missing.rows;
	did->off = a->missing.node;
	memcpy(did->no_room, a->missing.pod, sizeof(did->no_room));
}

static void give(struct apply *a, struct part *const parts[], size_t n,
		 struct smc_config *want, const struct smc_config *both)
{
	__u32 last = want->uses;

	want->enabled &= !a->missing.node;
	/* Programs look old exclusions up until these are deleted. */
	want->uses |= both->uses;
	put_config(a, want);
	for (size_t i = n; i--;)
		part_give(a, parts[i]);
	want->uses = last;
	if (!a->err)
		put_config(a, want);
}

int datapath_apply(struct datapath *dp, const struct mesh_plan *plan,
		   const struct smc_config *config,
		   struct datapath_changes *did)
{
	/* In the order of taking away, after the rows that deny; giving goes in
	 * the opposite order, so that pods are disarmed first and armed
	 * last. */
	_cleanup_(part_free) struct part netns = {.id = MAP_NETNS};
	_cleanup_(part_free) struct part cgroup = {.id = MAP_CGROUP};
	_cleanup_(part_free) struct part port = {.id = MAP_PORT};
	_cleanup_(part_free) struct part cidr = {.id = MAP_CIDR};
	_cleanup_(part_free) struct part service = {.id = MAP_SERVICE};
	_cleanup_(part_free) struct part endpoint = {.id = MAP_ENDPOINT};
	struct part *const parts[] = {&netns, &cgroup,	&port,
				      &cidr,  &service, &endpoint};
	struct apply a = {.dp = dp, .plan = plan, .did = did};
	struct smc_config want, both;

	memset(did, 0, sizeof(*did));
	if (!dp->obj)
		return 0;
	if (want_config(&a, config, &want, &both))
		return a.err;
	put_config(&a, &both);
	deny(&a, &port, &cidr, &service, &both);
	for (size_t i = 0; i < array_size(parts); i++)
		if (!is_denied_first(parts[i]))
			part_plan(&a, parts[i]);
	for (size_t i = 0; i < array_size(parts); i++)
		if (!is_denied_first(parts[i]))
			part_take(&a, parts[i]);
	part_missing(&a, &cgroup);
	fault_point("maps:taken");
	tell_missing(&a);
	if (!a.err)
		give(&a, parts, array_size(parts), &want, &both);
	did->endpoints = endpoint.rows;
	return a.err;
}
