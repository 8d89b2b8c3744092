/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins: names of BPF objects in a bpffs directory.
 *
 * A trap: bpffs reserves names with a dot in every directory (bpf_lookup() in
 * kernel/bpf/inode.c answers EPERM), so no pin of ours has one.
 */
#pragma once

#include <stdbool.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include "base/cleanup.h"

enum pin_kind { PIN_OTHER = 0, PIN_MAP, PIN_LINK, PIN_PROG };

/* pin_path - "@dir/@name" to @out. Return: 0 or -ENAMETOOLONG. */
must_check int pin_path(char out[PATH_MAX], const char *dir, const char *name);

/*
 * pin_open - The object pinned as @dir/@name. The kernel opens an object of any
 * kind, so the caller says which it wants.
 * Return: a descriptor, close it; -ENOENT: no such pin; -EMEDIUMTYPE: pinned,
 * but of another kind; or another negative errno.
 */
must_check int pin_open(const char *dir, const char *name, enum pin_kind want);

/* pin_id - The kernel's id of the object behind @fd. Return: 0 or errno. */
must_check int pin_id(int fd, enum pin_kind kind, __u32 *id);

/* pin_link_device - The interface that a link is on, by what
 * bpf_link_get_info_by_fd() told; 0: it has gone. The headers of Debian 12 know
 * no info.tcx, which begins with it as info.xdp does. */
static inline int pin_link_device(const struct bpf_link_info *info)
{
	return info->xdp.ifindex;
}

/* pin_is - Is @dir/@name pinned, and the very object behind @fd?
 * Return: 1; 0: another one; -ENOENT: no such pin; or a negative errno. */
must_check int pin_is(const char *dir, const char *name, int fd);

/*
 * pin_put - Pin @fd as @dir/@name, in place of whatever was pinned there.
 * The name always has an object: the new pin takes it by rename(), which bpffs
 * has (simple_rename), and the old one then drops its reference.
 * Return: 0 or a negative errno.
 */
must_check int pin_put(int fd, const char *dir, const char *name);

/* pin_is_named - Is @pin the pin of an object called @name, or the half-made
 * one of an agent that died in pin_put()? */
bool pin_is_named(const char *pin, const char *name);

/* pin_is_half_made - Is it the latter, of whatever object? */
bool pin_is_half_made(const char *pin);

/* pin_drop - Remove a pin, and the half-made one of an agent that died in
 * pin_put(). Return: 1 removed, 0 neither was there, or errno. */
int pin_drop(const char *dir, const char *name);

/* pin_dir_make - Make @dir, mode 0700, unless it is there. */
must_check int pin_dir_make(const char *dir);

/* pin_each - Call @fn for each name in @dir that is no directory; non-zero
 * stops and is returned. The names are read before the first call, so @fn may
 * remove them. Return: 0, also where @dir is not there; -ENOMEM; errno. */
typedef int (*pin_fn)(const char *dir, const char *name, void *arg);
must_check int pin_each(const char *dir, pin_fn fn, void *arg);

/* pin_each_dir - The same for each directory in @dir. */
must_check int pin_each_dir(const char *dir, pin_fn fn, void *arg);
