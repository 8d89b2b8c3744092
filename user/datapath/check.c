// SPDX-License-Identifier: Apache-2.0
/* Drift: what someone took away or changed is put back. */
#include <string.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "base/log.h"
#include "datapath/pins.h"
#include "datapath/selector.h"

/* Return: 1 repaired, 0 in order, or a negative errno. */
static int map_check(struct datapath *dp, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	int fd = bpf_map__fd(map), there, err;

	there = pin_is(dp->dir, name, fd);
	if (there == 1)
		return 0;
	if (!there)
		return log_warn(-EEXIST, "the pin %s/%s is not of this agent",
				dp->dir, name);
	if (there != -ENOENT)
		return there;
	err = pin_put(fd, dp->dir, name);
	if (err)
		return log_warn(err, "pin the map %s again", name);
	log_info("pinned the map %s again: its pin had gone", name);
	return 1;
}

static int maps_check(struct datapath *dp)
{
	const struct bpf_map *map;
	int repairs = 0, first = 0, did;

	bpf_object__for_each_map(map, dp->obj)
	{
		if (!object_is_pinned_map(map) || bpf_map__fd(map) < 0)
			continue;
		did = map_check(dp, map);
		if (did > 0)
			repairs += did;
		else if (did && !first)
			first = did;
	}
	return first ? first : repairs;
}

/* A struct_ops map can be registered once only: one that was unregistered by
 * someone is replaced by a new generation, loaded beside the rest. */
static int selector_renew(struct datapath *dp)
{
	struct load_set set = {.selector = dp->selector};
	_object_ struct bpf_object *obj = NULL;
	int err;

	err = object_load(dp, &set, &obj);
	if (!err)
		err = set.selector ? set.selector->enroll(dp, obj) : -ENOENT;
	if (err)
		return log_err(err, "register the selector again");
	log_info("the selector had been unregistered; it is %s now",
		 datapath_ctrl_name(dp));
	bpf_object__close(dp->ctrl_obj);
	dp->ctrl_obj = take_ptr(obj);
	return 1;
}

static int selector_check(struct datapath *dp)
{
	int did;

	if (!dp->selector)
		return 0;
	did = dp->selector->check(dp);
	return did == -ESTALE ? selector_renew(dp) : did;
}

static int dirs_check(const struct datapath *dp)
{
	struct statfs fs;
	int err;

	if (statfs(dp->bpffs, &fs) || fs.f_type != BPF_FS_MAGIC)
		return log_warn(-ENOTDIR, "%s is no BPF file system any more",
				dp->bpffs);
	err = pin_dir_make(dp->dir);
	return err ? err : pin_dir_make(dp->link_dir);
}

int datapath_check(struct datapath *dp)
{
	static int (*const checks[])(struct datapath *) = {
		maps_check, selector_check, links_check};
	int repairs = 0, first, did;

	if (!dp->obj)
		return 0;
	first = dirs_check(dp);
	for (size_t i = 0; i < array_size(checks); i++) {
		did = checks[i](dp);
		if (did > 0)
			repairs += did;
		else if (did && !first)
			first = did;
	}
	return first ? first : repairs;
}
