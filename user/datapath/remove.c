// SPDX-License-Identifier: Apache-2.0
/*
 * Taking the datapath away, whatever version made it: works on pins and on the
 * kernel's list of objects, and knows nothing of what the BPF object of this
 * binary holds.
 *
 * A pin is ours when the object behind it has the pin's name: it is how we pin.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "datapath/converter.h"
#include "datapath/mapio.h"
#include "datapath/pins.h"
#include "datapath/selector.h"

struct removal {
	struct datapath *dp;
	bool keep_selector;
	__u32 *kept; /* ids of maps that the kept selector reads */
	size_t n_kept;
	struct buf *said;
	int err; /* the first one */
};

static void removal_free(struct removal *r)
{
	free(r->kept);
}

static void note(struct removal *r, int err, const char *what)
{
	if (!err)
		return;
	log_warn(err, "%s", what);
	if (!r->err)
		r->err = err;
}

/* ---- links ---- */

static int remove_link(const char *dir, const char *name, void *arg)
{
	struct removal *r = arg;
	int did;

	if (!link_pin_is_ours(dir, name)) {
		buf_printf(r->said, "left %s/%s: not made by smcmesh\n", dir,
			   name);
		return 0;
	}
	did = link_drop(dir, name);
	if (did > 0)
		buf_printf(r->said, "removed link %s\n", name);
	else
		note(r, did, "remove a link");
	return 0;
}

/* What converts goes first, so that nothing is converted without the rest. */
static void remove_links(struct removal *r)
{
	int did;

	for (size_t i = 0; converters[i]; i++) {
		did = converters[i]->detach(r->dp);
		if (did > 0)
			buf_printf(r->said, "removed converter %s\n",
				   converters[i]->name);
		else
			note(r, did, "detach the converter");
	}
	note(r, pin_each(r->dp->link_dir, remove_link, r), "list the links");
}

/* ---- what a kept selector reads ---- */

static bool is_selectors(const char *prog)
{
	for (size_t i = 0; selectors[i]; i++)
		for (size_t j = 0; selectors[i]->programs[j]; j++)
			if (!strcmp(selectors[i]->programs[j], prog))
				return true;
	return false;
}

/* Raise the ids of the maps that one program uses. */
static int keep_maps_of(struct removal *r, int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info), ids[64], *slot;
	int err;

	info.map_ids = (__u64)(unsigned long)ids;
	info.nr_map_ids = array_size(ids);
	err = bpf_prog_get_info_by_fd(prog_fd, &info, &len);
	if (err || info.type != BPF_PROG_TYPE_STRUCT_OPS ||
	    !is_selectors(info.name))
		return err;
	for (__u32 i = 0; i < info.nr_map_ids && i < array_size(ids); i++) {
		slot = array_push(r->kept, r->n_kept);
		if (!slot)
			return -ENOMEM;
		*slot = ids[i];
	}
	return 0;
}

static int find_kept_maps(struct removal *r)
{
	__u32 id = 0;
	int err = 0;

	while (!err && !bpf_prog_get_next_id(id, &id)) {
		_close_ int fd = bpf_prog_get_fd_by_id(id);

		if (fd >= 0)
			err = keep_maps_of(r, fd);
	}
	return err;
}

static bool is_kept(const struct removal *r, __u32 map_id)
{
	for (size_t i = 0; i < r->n_kept; i++)
		if (r->kept[i] == map_id)
			return true;
	return false;
}

/* ---- deny everything ---- */

/* A public map as it is pinned, with the sizes it has there. Return: 1; 0: no
 * such pin; or a negative errno. */
static int open_public(const struct removal *r, enum map_id id, int *fd,
		       struct rows *rows)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int err;

	*fd = pin_open(r->dp->dir, map_rows[id].name, PIN_MAP);
	if (*fd < 0)
		return *fd == -ENOENT ? 0 : *fd;
	err = bpf_map_get_info_by_fd(*fd, &info, &len);
	if (err)
		return err;
	/* Of every ABI version: fields are only added at the end. */
	if (info.value_size < map_rows[id].value_size ||
	    info.key_size != map_rows[id].key_size)
		return -EPROTO;
	rows->key_size = info.key_size;
	rows->value_size = info.value_size;
	err = map_read(*fd, rows);
	return err ? err : 1;
}

/* Rows of shared namespaces stay: they let sockets pass that are not ours. */
static int disarm_namespaces(struct removal *r)
{
	_cleanup_(rows_free) struct rows rows = {}, pods = {};
	_close_ int fd = -1;
	struct smc_pod pod;
	int err = open_public(r, MAP_NETNS, &fd, &rows);

	if (err <= 0)
		return err;
	pods.key_size = rows.key_size;
	pods.value_size = rows.value_size;
	for (size_t i = 0; i < rows.n; i++) {
		memcpy(&pod, rows_value(&rows, i), sizeof(pod));
		if (pod.flags & SMC_POD_SHARED)
			continue;
		err = rows_add(&pods, rows_key(&rows, i), rows_value(&rows, i));
		if (err)
			return err;
	}
	err = 0;
	map_delete(fd, &pods, &err);
	return err;
}

/* Sets bits in one word of every row. */
static int edit_word(struct removal *r, enum map_id id, size_t at, __u32 and,
		     __u32 or)
{
	_cleanup_(rows_free) struct rows rows = {};
	_close_ int fd = -1;
	unsigned int full = 0;
	int err = open_public(r, id, &fd, &rows);
	__u32 word;

	if (err <= 0)
		return err;
	for (size_t i = 0; i < rows.n; i++) {
		unsigned char *p = (unsigned char *)rows_value(&rows, i) + at;

		memcpy(&word, p, sizeof(word));
		word = (word & and) | or ;
		memcpy(p, &word, sizeof(word));
	}
	err = 0;
	map_write(fd, &rows, 0, rows.n, &full, &err);
	return err;
}

/* With the switch off every verdict is "bypass"; and no namespace nor cgroup
 * stays armed for an agent that comes later. A cgroup's entry denies, since
 * beside it, in the host's namespace, sockets are none of our business. */
static void deny_everything(struct removal *r)
{
	note(r,
	     edit_word(r, MAP_CONFIG, offsetof(struct smc_config, enabled), 0,
		       0),
	     "switch off in smc_config");
	note(r, disarm_namespaces(r), "empty smc_netns");
	note(r,
	     edit_word(r, MAP_CGROUP, offsetof(struct smc_pod, flags), ~0U,
		       SMC_POD_DENY),
	     "deny in smc_cgroup");
}

/* ---- maps ---- */

static int remove_map(const char *dir, const char *name, void *arg)
{
	struct removal *r = arg;
	_close_ int fd = pin_open(dir, name, PIN_MAP);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int did;

	if (fd < 0 || bpf_map_get_info_by_fd(fd, &info, &len) ||
	    (strcmp(info.name, name) && !hs_ctrl_pin_is_ours(dir, name))) {
		buf_printf(r->said, "left %s/%s: not made by smcmesh\n", dir,
			   name);
		return 0;
	}
	if (r->keep_selector &&
	    (info.type == BPF_MAP_TYPE_STRUCT_OPS || is_kept(r, info.id))) {
		buf_printf(r->said, "left map %s: the selector needs it\n",
			   name);
		return 0;
	}
	did = pin_drop(dir, name);
	if (did > 0)
		buf_printf(r->said, "removed map %s\n", name);
	else
		note(r, did, "remove a map");
	return 0;
}

static void remove_dir(struct removal *r, const char *dir)
{
	if (!rmdir(dir)) {
		buf_printf(r->said, "removed directory %s\n", dir);
		return;
	}
	if (errno == ENOTEMPTY)
		buf_printf(r->said, "left directory %s: not empty\n", dir);
	else if (errno != ENOENT)
		note(r, -errno, "remove a directory");
}

int datapath_remove(const struct datapath_options *opt, bool keep_selector,
		    struct buf *said)
{
	_datapath_ struct datapath *dp = NULL;
	_cleanup_(removal_free) struct removal r = {
		.keep_selector = keep_selector, .said = said};
	int err;

	err = datapath_new(opt, &dp);
	if (err)
		return err;
	r.dp = dp;
	remove_links(&r);
	for (size_t i = 0; selectors[i]; i++)
		note(&r, selectors[i]->remove(dp, keep_selector, said),
		     "remove the selector");
	if (keep_selector) {
		note(&r, find_kept_maps(&r), "find the selector's maps");
		deny_everything(&r);
	}
	note(&r, pin_each(dp->dir, remove_map, &r), "list the maps");
	remove_dir(&r, dp->link_dir);
	remove_dir(&r, dp->dir);
	if (said->err)
		note(&r, said->err, "list what was removed");
	return r.err;
}
