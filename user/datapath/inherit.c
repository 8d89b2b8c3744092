// SPDX-License-Identifier: Apache-2.0
/*
 * Decides which pinned maps of an earlier start to use again: those that have
 * the form of a new one. A map with another number of entries is replaced by a
 * new one with its content:
 *
 *   copy, attach the programs that use the new one, swap the pin, and copy once
 *   more what the old programs wrote meanwhile.
 *
 * Wherever the agent dies in between, the pinned map is the old one, or the new
 * one that lacks at most what that last copy adds.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "base/array.h"
#include "base/fault.h"
#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/other.h"
#include "base/pins.h"
#include "datapath/state.h"

/* ---- may it be adopted? ---- */

static int refuse(const struct datapath *dp, const char *what)
{
	return log_err(-EPROTO,
		       "the pins in %s were made by another version of smcmesh "
		       "(%s); nothing was changed. Start that version, or take "
		       "its datapath away: smcmesh cleanup --abi %u",
		       dp->dir, what, SMC_ABI_VERSION);
}

int adopt_check_version(const struct datapath *dp)
{
	struct smc_config c = {};
	char what[64];
	int err;

	err = abi_config(dp->dir, &c, sizeof(c.abi_version));
	if (err == -ENOENT)
		return 0;
	if (err == -EPROTO)
		return refuse(dp, "smc_config is something else");
	if (err)
		return log_err(err, "read %s/smc_config", dp->dir);
	/* 0: its agent died before it could write the version. */
	if (!c.abi_version || c.abi_version == SMC_ABI_VERSION)
		return 0;
	snprintf(what, sizeof(what), "ABI version %u, ours is %u",
		 c.abi_version, SMC_ABI_VERSION);
	return refuse(dp, what);
}

static int resized_add(struct datapath *dp, const char *name, int *fd)
{
	struct resized *r = array_push(dp->resized, dp->n_resized);

	if (!r)
		return -ENOMEM;
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->fd = take_fd(*fd);
	return 0;
}

static bool is_same_but_size(const struct bpf_map_info *is,
			     const struct bpf_map *map)
{
	return is->type == bpf_map__type(map) &&
	       is->key_size == bpf_map__key_size(map) &&
	       is->value_size == bpf_map__value_size(map) &&
	       is->map_flags == bpf_map__map_flags(map) &&
	       is->map_extra == bpf_map__map_extra(map);
}

static int check_definition(struct datapath *dp, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	_close_ int fd = pin_open(dp->dir, name, PIN_MAP);
	struct bpf_map_info is = {};
	__u32 len = sizeof(is);
	char what[128];
	int err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return log_err(fd, "open the map %s/%s", dp->dir, name);
	err = bpf_map_get_info_by_fd(fd, &is, &len);
	if (err)
		return log_err(err, "ask about %s/%s", dp->dir, name);
	if (is_same_but_size(&is, map))
		return is.max_entries == bpf_map__max_entries(map)
			       ? 0
			       : resized_add(dp, name, &fd);
	snprintf(what, sizeof(what),
		 "%s: type %u, key %u, value %u, %u entries; ours: %u, %u, %u, "
		 "%u",
		 name, is.type, is.key_size, is.value_size, is.max_entries,
		 bpf_map__type(map), bpf_map__key_size(map),
		 bpf_map__value_size(map), bpf_map__max_entries(map));
	return refuse(dp, what);
}

int adopt_check_pins(struct datapath *dp)
{
	_object_ struct bpf_object *obj = NULL;
	const struct bpf_map *map;
	int err;

	err = adopt_check_version(dp);
	if (err)
		return err;
	obj = object_open();
	if (!obj)
		return log_err(-errno, "open the BPF object");
	bpf_object__for_each_map(map, obj)
	{
		err = object_is_pinned_map(map) ? check_definition(dp, map) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* ---- another size ---- */

static struct resized *find(const struct datapath *dp, const char *map)
{
	for (size_t i = 0; i < dp->n_resized; i++)
		if (!strcmp(dp->resized[i].name, map))
			return &dp->resized[i];
	return NULL;
}

bool adopt_is_resized(const struct datapath *dp, const char *map)
{
	return find(dp, map);
}

void adopt_free(struct datapath *dp)
{
	for (size_t i = 0; i < dp->n_resized; i++) {
		cleanup_close(&dp->resized[i].fd);
		rows_free(&dp->resized[i].first);
	}
	free(take_ptr(dp->resized));
	dp->n_resized = 0;
}

static int new_fd(const struct datapath *dp, const struct resized *r)
{
	return bpf_map__fd(bpf_object__find_map_by_name(dp->obj, r->name));
}

/* The sizes of its rows as the kernel returns them. Return: does it have
 * any? */
static bool rows_shape(int fd, struct rows *out)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_map_get_info_by_fd(fd, &info, &len) ||
	    info.type == BPF_MAP_TYPE_RINGBUF)
		return false;
	out->key_size = info.key_size;
	out->value_size = info.value_size;
	if (info.type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	    info.type == BPF_MAP_TYPE_PERCPU_HASH)
		out->value_size = (info.value_size + 7) / 8 * 8 *
				  libbpf_num_possible_cpus();
	return true;
}

/* The last rows of an array that is longer than the new one find no place: they
 * are left out. */
static int copy_one(const struct datapath *dp, struct resized *r)
{
	unsigned int full = 0;
	size_t did;
	int err;

	if (!rows_shape(r->fd, &r->first))
		return 0;
	err = map_read(r->fd, &r->first);
	if (err)
		return err;
	did = map_write(new_fd(dp, r), &r->first, 0, r->first.n, &full, &err);
	log_info("the map %s has another size now, rows copied=%zu left out=%u",
		 r->name, did, full);
	return err;
}

int adopt_copy(struct datapath *dp)
{
	int err = 0;

	for (size_t i = 0; !err && i < dp->n_resized; i++) {
		err = copy_one(dp, &dp->resized[i]);
		if (err)
			log_err(err, "copy the map %s", dp->resized[i].name);
	}
	return err;
}

/* Copy a row that an old program has made or changed since the first copy; rows
 * that are newer in the new map, or were deleted there, stay so. */
static void copy_late(int to, const struct rows *first, const void *key,
		      const void *value, void *room)
{
	const void *was = rows_find(first, key);

	if (!was)
		bpf_map_update_elem(to, key, value, BPF_NOEXIST);
	else if (memcmp(was, value, first->value_size) &&
		 !bpf_map_lookup_elem(to, key, room) &&
		 !memcmp(was, room, first->value_size))
		bpf_map_update_elem(to, key, value, BPF_EXIST);
}

static int finish_one(const struct datapath *dp, struct resized *r)
{
	_cleanup_(rows_free) struct rows now = {};
	_free_ void *room = NULL;
	int to = new_fd(dp, r), err;

	err = pin_put(to, dp->dir, r->name);
	if (err || !rows_shape(r->fd, &now))
		return err;
	fault_point("resize:pinned");
	room = malloc(now.value_size);
	if (!room)
		return -ENOMEM;
	err = map_read(r->fd, &now);
	for (size_t i = 0; !err && i < now.n; i++)
		copy_late(to, &r->first, rows_key(&now, i), rows_value(&now, i),
			  room);
	return err;
}

void adopt_finish(struct datapath *dp)
{
	int err;

	for (size_t i = 0; i < dp->n_resized; i++) {
		err = finish_one(dp, &dp->resized[i]);
		if (err)
			log_warn(err, "replace the map %s/%s", dp->dir,
				 dp->resized[i].name);
	}
	adopt_free(dp);
}
