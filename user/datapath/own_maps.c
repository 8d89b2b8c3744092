// SPDX-License-Identifier: Apache-2.0
/* Tells our maps from others': we pin a map under its own name, but for a
 * selector's. */
#include <bpf/bpf.h>
#include <string.h>

#include "datapath/pins.h"
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

	if (fd < 0)
		return fd;
	memset(info, 0, sizeof(*info));
	if (bpf_map_get_info_by_fd(fd, info, &len) ||
	    (strcmp(info->name, name) && !is_selector(dir, name)))
		return -EMEDIUMTYPE;
	return take_fd(fd);
}

bool map_pin_is_ours(const char *dir, const char *name)
{
	struct bpf_map_info info;
	_close_ int fd = map_open_ours(dir, name, &info);

	return fd >= 0;
}
