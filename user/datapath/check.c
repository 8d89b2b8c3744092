// SPDX-License-Identifier: Apache-2.0
/* Repairs drift: puts back what someone else removed or changed. */
#include <sys/vfs.h>
#include <linux/magic.h>

#include "base/log.h"
#include "base/pins.h"
#include "datapath/selector.h"

/* ---- the parts ---- */

/* Return: 1 repaired, 0 in order, or a negative errno: see check_note(). */
static int map_check(struct datapath *dp, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	int fd = bpf_map__fd(map), there, err;

	there = pin_is(dp->dir, name, fd);
	if (there == 1)
		return 0;
	if (there != -ENOENT)
		return there ? there : -EEXIST;
	err = pin_put(fd, dp->dir, name);
	if (err)
		return err;
	log_info("pinned the map %s again: its pin had gone", name);
	return 1;
}

static void maps_check(struct datapath *dp, struct check *c)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, dp->obj)
	{
		if (!object_is_pinned_map(map) || bpf_map__fd(map) < 0)
			continue;
		check_note(dp, c, bpf_map__name(map), map_check(dp, map));
	}
}

/* Someone unregistered the selector. The kernel registers a struct_ops map only
 * once: so load a new generation of it alone, and register that. Return: 1, or
 * a negative errno. */
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
	dp->ids_untold = true;
	(void)ctrl_names_refresh(dp);
	return 1;
}

static void selector_check(struct datapath *dp, struct check *c)
{
	int did;

	if (!dp->selector)
		return;
	did = dp->selector->check(dp);
	if (did == -ESTALE)
		did = selector_renew(dp);
	/* The kernel frees an older one with the last namespace that has it,
	 * and then anybody may use its name. */
	else if (dp->ctrl_names && dp->ctrl_names[0] && dp->ctrl_names[1])
		(void)ctrl_names_refresh(dp);
	/* Until BPF knows the id nothing is converted where it is chosen: so
	 * each check tries again. */
	if (did >= 0 && dp->ids_untold)
		did = config_selectors(dp) ?: 1;
	check_note(dp, c, dp->selector->name, did);
}

static int dirs_check(const struct datapath *dp)
{
	struct statfs fs;

	if (statfs(dp->bpffs, &fs) || fs.f_type != BPF_FS_MAGIC)
		return -ENOTDIR; /* the BPF file system is gone */
	return dirs_make(dp);
}

int datapath_check(struct datapath *dp, unsigned int *repairs)
{
	struct check c = {};

	*repairs = 0;
	if (!dp->obj)
		return 0;
	check_note(dp, &c, dp->bpffs, dirs_check(dp));
	maps_check(dp, &c);
	selector_check(dp, &c);
	links_check(dp, &c);
	*repairs = c.repairs;
	return c.err;
}
