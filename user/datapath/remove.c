// SPDX-License-Identifier: Apache-2.0
/*
 * Removes the datapath, whatever version and ABI made it: works on pins and on
 * the kernel's list of objects, and does not use the BPF object of this binary.
 * (deny.c: the maps of a selector that stays.)
 *
 * A pin is ours if the object behind it has the pin's name (pin_is_named()),
 * for that is how we pin.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/array.h"
#include "base/log.h"
#include "datapath/converter.h"
#include "datapath/deny.h"
#include "base/pins.h"
#include "datapath/selector.h"

struct removal {
	struct datapath *dp;
	struct abi_dirs dirs;
	char suffix[16]; /* of messages: which ABI is being removed */
	bool keep_selector;
	struct kept kept; /* maps that the kept selector reads */
	struct buf *said;
	int err; /* the first one */
};

static void removal_free(struct removal *r)
{
	kept_free(&r->kept);
	abi_dirs_free(&r->dirs);
}

/* @dir: where it was, or NULL. @name: its name there; NULL: it is @dir. */
static void note(struct removal *r, int err, const char *what, const char *dir,
		 const char *name)
{
	if (!err)
		return;
	log_warn(err, "%s%s%s%s%s", what, dir ? " " : "", dir ?: "",
		 name ? "/" : "", name ?: "");
	if (!r->err)
		r->err = err;
}

/* Messages about our own ABI do not name it. */
static void begin(struct removal *r, const struct abi_dir *at)
{
	r->suffix[0] = '\0';
	if (at->abi != SMC_ABI_VERSION)
		snprintf(r->suffix, sizeof(r->suffix), " (ABI %u)", at->abi);
}

/* A pin that is not removed. @err: of link_open_ours() or map_open_ours(). With
 * -ENOENT it went by itself: pin_drop() drops a half-made pin with its whole
 * one. */
static void leave(struct removal *r, const char *dir, const char *name, int err)
{
	if (err == -ENOENT)
		return;
	if (err == -EMEDIUMTYPE) {
		buf_printf(r->said, "left %s/%s: not made by smcmesh\n", dir,
			   name);
		return;
	}
	buf_printf(r->said, "left %s/%s: it cannot be opened\n", dir, name);
	note(r, err, "find out who made the pin", dir, name);
}

/* ---- links ---- */

static int remove_link(const char *dir, const char *name, void *arg)
{
	_close_ int fd = link_open_ours(dir, name);
	struct removal *r = arg;
	int did;

	if (fd < 0) {
		leave(r, dir, name, fd);
		return 0;
	}
	did = link_drop(dir, name);
	if (did > 0)
		buf_printf(r->said, "removed link %s%s\n", name, r->suffix);
	else
		note(r, did, "remove the link", dir, name);
	return 0;
}

/* A converter detaches the link that is pinned in its datapath's link_dir: so
 * that is the one of this ABI meanwhile. */
static int detach(struct removal *r, const struct converter *c,
		  const struct abi_dir *at)
{
	char *own = r->dp->link_dir;
	int did;

	r->dp->link_dir = at->link_dir;
	did = c->detach(r->dp);
	r->dp->link_dir = own;
	return did;
}

/* The converter goes first, so that nothing is converted without the rest. */
static void remove_links(struct removal *r, const struct abi_dir *at)
{
	int did;

	begin(r, at);
	for (size_t i = 0; converters[i]; i++) {
		did = detach(r, converters[i], at);
		if (did > 0)
			buf_printf(r->said, "removed converter %s%s\n",
				   converters[i]->name, r->suffix);
		else
			note(r, did, "detach the converter", at->link_dir,
			     converters[i]->name);
	}
	note(r, pin_each(at->link_dir, remove_link, r), "list the links in",
	     at->link_dir, NULL);
}

/* ---- maps ---- */

static int remove_map(const char *dir, const char *name, void *arg)
{
	struct removal *r = arg;
	struct bpf_map_info info;
	_close_ int fd = map_open_ours(dir, name, &info);
	int did;

	if (fd < 0) {
		leave(r, dir, name, fd);
		return 0;
	}
	if (r->keep_selector && (info.type == BPF_MAP_TYPE_STRUCT_OPS ||
				 is_kept(&r->kept, info.id))) {
		buf_printf(r->said, "left map %s%s: the selector needs it\n",
			   name, r->suffix);
		return 0;
	}
	did = pin_drop(dir, name);
	if (did > 0)
		buf_printf(r->said, "removed map %s%s\n", name, r->suffix);
	else
		note(r, did, "remove the map", dir, name);
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
		note(r, -errno, "remove the directory", dir, NULL);
}

static void remove_maps(struct removal *r, const struct abi_dir *at)
{
	begin(r, at);
	note(r, pin_each(at->dir, remove_map, r), "list the maps in", at->dir,
	     NULL);
	remove_dir(r, at->link_dir);
	if (at->abi > 1)
		remove_dir(r, at->dir);
}

/* Of one ABI, or of all. */
static int find_dirs(struct removal *r, unsigned int abi)
{
	struct abi_dir *slot;

	if (!abi)
		return abi_dirs_read(r->dp->root, &r->dirs);
	slot = array_push(r->dirs.v, r->dirs.n);
	return slot ? abi_dir_set(slot, r->dp->root, abi) : -ENOMEM;
}

static void remove_all(struct removal *r, bool pinned)
{
	const struct abi_dirs *dirs = &r->dirs;

	for (size_t i = 0; i < dirs->n; i++)
		remove_links(r, &dirs->v[i]);
	for (size_t i = 0; selectors[i]; i++)
		note(r,
		     selectors[i]->remove(r->dp, dirs, pinned, r->keep_selector,
					  r->said),
		     "remove the selector", selectors[i]->name, NULL);
	if (r->keep_selector) {
		note(r, kept_find(&r->kept), "find the selector's maps", NULL,
		     NULL);
		for (size_t i = 0; i < dirs->n; i++)
			note(r, deny_everything(&dirs->v[i]),
			     "deny everything in", dirs->v[i].dir, NULL);
	}
	for (size_t i = 0; i < dirs->n; i++)
		remove_maps(r, &dirs->v[i]);
	/* ABI 1's own, in which those of the other ABIs are */
	if (!rmdir(r->dp->root))
		buf_printf(r->said, "removed directory %s\n", r->dp->root);
	else if (errno != ENOTEMPTY && errno != ENOENT)
		note(r, -errno, "remove the directory", r->dp->root, NULL);
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
	err = find_dirs(&r, opt->abi);
	if (err)
		return err;
	remove_all(&r, opt->abi);
	if (said->err)
		note(&r, said->err, "list what was removed", NULL, NULL);
	return r.err;
}
