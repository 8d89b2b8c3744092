// SPDX-License-Identifier: Apache-2.0
#include "datapath/other.h"

#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/passes.h"
#include "base/pins.h"

/* ---- which there are ---- */

static int refuse(const struct abi_dir *at, const char *why)
{
	return log_err(-EPROTO,
		       "%s holds the datapath of ABI %u, which this version "
		       "(ABI %u) cannot take over: %s; nothing was changed. "
		       "Start a version of that ABI, or take it away: smcmesh "
		       "cleanup --abi %u",
		       at->dir, at->abi, SMC_ABI_VERSION, why, at->abi);
}

static int see_ours(const char *dir, const char *name, void *arg)
{
	return !pin_is_half_made(name) && map_pin_is_ours(dir, name) ? -EEXIST
								     : 0;
}

/* An agent may have died before it made its first map, or after it removed the
 * last one: then nothing of ours is in there, but for a pin that it had half
 * made. datapath_take_over() removes that. */
static int check_rest(const struct abi_dir *at)
{
	int err = pin_each(at->dir, see_ours, NULL);

	return err == -EEXIST ? refuse(at, "it has no smc_config") : err;
}

static int check_maps(const struct other *o)
{
	static const enum map_id ids[] = {
		MAP_NETNS, MAP_CGROUP,	   MAP_ENDPOINT, MAP_SERVICE, MAP_CIDR,
		MAP_PORT,  MAP_QUARANTINE, MAP_FLOW,	 MAP_COUNTER};
	char why[64];

	for (size_t i = 0; i < array_size(ids); i++) {
		_close_ int fd = other_map(o, ids[i]);

		if (fd >= 0 || fd == -ENOENT)
			continue;
		if (fd != -EPROTO && fd != -EMEDIUMTYPE)
			return log_err(fd, "open the map %s/%s", o->at.dir,
				       map_rows[ids[i]].name);
		snprintf(why, sizeof(why), "its %s is something else",
			 map_rows[ids[i]].name);
		return refuse(&o->at, why);
	}
	return 0;
}

static int check_config(const struct other *o)
{
	/* ABI 1 has another word where abi_readable is. */
	size_t known = o->at.abi == 1 ? sizeof(__u32) : 2 * sizeof(__u32);
	struct smc_config c = {};
	char why[64];
	int err = abi_config(o->at.dir, &c, known);

	if (err == -ENOENT)
		return check_rest(&o->at);
	if (err == -EPROTO)
		return refuse(&o->at, "its smc_config is something else");
	if (err)
		return log_err(err, "read %s/smc_config", o->at.dir);
	/* 0: its agent died before it could write the version. */
	if (c.abi_version && c.abi_version != o->at.abi) {
		snprintf(why, sizeof(why), "it says it is of ABI %u",
			 c.abi_version);
		return refuse(&o->at, why);
	}
	if (c.abi_readable <= SMC_ABI_VERSION)
		return o->kind->config(o, &c) == -EPROTO
			       ? refuse(&o->at, "its smc_config is shorter")
			       : check_maps(o);
	snprintf(why, sizeof(why), "that takes ABI %u or later",
		 c.abi_readable);
	return refuse(&o->at, why);
}

static int other_add(struct datapath *dp, unsigned int abi)
{
	struct other *o = array_push(dp->others, dp->n_others);
	int err;

	if (!o)
		return -ENOMEM;
	o->kind = abi == 1 ? &other_first : &other_later;
	err = abi_dir_set(&o->at, dp->root, abi);
	return err ?: check_config(o);
}

int others_find(struct datapath *dp)
{
	_cleanup_(abi_dirs_free) struct abi_dirs dirs = {};
	int err;

	err = abi_dirs_read(dp->root, &dirs);
	if (err)
		return log_err(err, "look for other ABIs in %s", dp->root);
	for (size_t i = 0; !err && i < dirs.n; i++)
		if (dirs.v[i].abi != SMC_ABI_VERSION)
			err = other_add(dp, dirs.v[i].abi);
	return err;
}

void others_free(struct datapath *dp)
{
	for (size_t i = 0; i < dp->n_others; i++)
		abi_dir_free(&dp->others[i].at);
	free(take_ptr(dp->others));
	dp->n_others = 0;
}

/* ---- the first half ---- */

int others_pods(const struct datapath *dp, enum map_id id, struct rows *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < dp->n_others; i++)
		err = dp->others[i].kind->rows(&dp->others[i], id, out);
	rows_sort(out);
	return err;
}

/* The one whose selector judges connections now: of several the last that is
 * on, or the last where none is. */
static const struct other *live_one(const struct datapath *dp)
{
	for (size_t i = dp->n_others; i--;) {
		const struct other *o = &dp->others[i];
		struct smc_config c = {};

		if (!o->kind->config(o, &c) && c.enabled)
			return o;
	}
	return dp->n_others ? &dp->others[dp->n_others - 1] : NULL;
}

int others_config(const struct datapath *dp, struct smc_config *out)
{
	const struct other *o = live_one(dp);

	return o ? o->kind->config(o, out) : -ENOENT;
}

static void shape(enum map_id id, struct rows *out)
{
	out->key_size = map_rows[id].key_size;
	out->value_size = map_rows[id].value_size;
}

/* Does a row deny that a full map has no room for? Return: 1, 0 or errno. */
static int lacks_denying(int fd, enum map_id id, const struct rows *want)
{
	_cleanup_(rows_free) struct rows left = {};
	int err = map_lacks(fd, want, &left);

	for (size_t i = 0; !err && i < left.n; i++)
		err = row_denies(id, rows_value(&left, i));
	return err;
}

/* Make our map have the rows @want. @keep: its other rows stay, too.
 * Return: 1: a row that denies found no room; 0; or a negative errno. */
static int replace(struct datapath *dp, enum map_id id, const struct rows *want,
		   bool keep)
{
	_cleanup_(rows_delta_free) struct rows_delta delta = {};
	_cleanup_(rows_free) struct rows have = {};
	int fd = dp->map_fd[id], err;
	unsigned int full = 0;

	shape(id, &have);
	err = map_read(fd, &have);
	err = err ?: rows_diff(want, &have, &delta);
	if (err)
		return err;
	if (!keep)
		map_delete(fd, &delta.removed, &err);
	map_write(fd, &delta.changed, 0, delta.changed.n, &full, &err);
	map_write(fd, &delta.added, 0, delta.added.n, &full, &err);
	return err || !full ? err : lacks_denying(fd, id, want);
}

static int take_map(struct datapath *dp, enum map_id id)
{
	const struct other *o = live_one(dp);
	_cleanup_(rows_free) struct rows rows = {};
	int err = 0;

	shape(id, &rows);
	if (o)
		err = o->kind->rows(o, id, &rows);
	rows_sort(&rows);
	return err ?: replace(dp, id, &rows, false);
}

static int take_pods(struct datapath *dp, enum map_id id)
{
	_cleanup_(rows_free) struct rows rows = {};
	int err;

	shape(id, &rows);
	err = others_pods(dp, id, &rows);
	return err ?: replace(dp, id, &rows, true);
}

int others_rows(struct datapath *dp)
{
	static const struct {
		enum map_id id;
		int (*take)(struct datapath *dp, enum map_id id);
	} maps[] = {{MAP_CIDR, take_map},    {MAP_PORT, take_map},
		    {MAP_SERVICE, take_map}, {MAP_ENDPOINT, take_map},
		    {MAP_NETNS, take_pods},  {MAP_CGROUP, take_pods}};
	bool lacks = false;
	int err = 0;

	for (size_t i = 0; err >= 0 && i < array_size(maps); i++) {
		err = maps[i].take(dp, maps[i].id);
		lacks |= err > 0;
	}
	return err < 0 ? err : lacks ? -ENOSPC : 0;
}

/* By a program: those that record what pods hold may run already. */
static int put_quarantine(const struct datapath *dp, const struct rows *rows)
{
	int err = 0;

	for (size_t i = 0; !err && i < rows->n; i++) {
		struct smc_quarantine_job job = {};

		memcpy(&job.key, rows_key(rows, i), sizeof(job.key));
		memcpy(&job.row, rows_value(rows, i), sizeof(job.row));
		err = job_run(dp, JOB_QUARANTINE_PUT, &job, sizeof(job));
		if (!err && job.result != -EEXIST)
			err = job.result;
	}
	return err == -ENOSYS ? 0 : err; /* logged when it was not loaded */
}

int others_quarantine(struct datapath *dp)
{
	_cleanup_(rows_free) struct rows rows = {};
	int err = 0;

	shape(MAP_QUARANTINE, &rows);
	for (size_t i = 0; !err && i < dp->n_others; i++)
		err = dp->others[i].kind->rows(&dp->others[i], MAP_QUARANTINE,
					       &rows);
	return err ?: put_quarantine(dp, &rows);
}
