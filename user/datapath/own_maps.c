// SPDX-License-Identifier: Apache-2.0
/* Tells our maps from others': we pin a map under its own name, but for a
 * selector's. */
#include <bpf/bpf.h>
#include <string.h>

#include "base/log.h"
#include "base/pins.h"
#include "datapath/selector.h"

static bool is_selector(const char *dir, const char *name)
{
	for (size_t i = 0; selectors[i]; i++)
		if (selectors[i]->pin_is_ours(dir, name))
			return true;
	return false;
}

int map_open_ours(const char *dir, const char *name, struct bpf_map_info *info)
{
	_close_ int fd = pin_open(dir, name, PIN_MAP);
	__u32 len = sizeof(*info);
	int err;

	if (fd < 0)
		return fd;
	memset(info, 0, sizeof(*info));
	err = bpf_map_get_info_by_fd(fd, info, &len);
	if (err)
		return err;
	return pin_is_named(name, info->name) || is_selector(dir, name)
		       ? take_fd(fd)
		       : -EMEDIUMTYPE;
}

bool map_pin_is_ours(const char *dir, const char *name)
{
	struct bpf_map_info info;
	_close_ int fd = map_open_ours(dir, name, &info);

	return fd >= 0;
}

static int sweep_one(const char *dir, const char *name, void *arg)
{
	if (pin_is_half_made(name) && map_pin_is_ours(dir, name) &&
	    pin_drop(dir, name) > 0)
		log_info("removed the half-made pin %s/%s", dir, name);
	return 0;
}

int maps_sweep(const struct datapath *dp)
{
	return pin_each(dp->dir, sweep_one, NULL);
}
