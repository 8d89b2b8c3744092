/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned maps as JSON, by the types that the kernel has of them: for people
 * and for maps of any ABI. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/* More rows of a map are left out, and counted. */
#define MAP_DUMP_ROWS 65536

/*
 * map_dump_each - Call @fn for each map of ours below @bpffs, of every ABI.
 * @fn: @name: "v2/smc_netns"; @json: {"map","entries","rows":[{"key","value"}],
 *      "left_out"}; or @err is negative, and it could not be read. Its strings
 *      are addresses; nothing in it is a name of a pod's or node's.
 * Return: 0; -ENOENT: nothing is pinned there; or a negative errno.
 */
typedef void (*map_dump_fn)(const char *name, const struct buf *json, int err,
			    void *arg);
must_check int map_dump_each(const char *bpffs, map_dump_fn fn, void *arg);

struct btf;

/* map_dump_value - Append @data of @type as JSON (the pure part of that):
 * structs are objects, sixteen bytes an address and four an IPv4 one. Return:
 * 0, -EINVAL: a type that no map of ours has; -ENOMEM. */
must_check int map_dump_value(const struct btf *btf, unsigned int type,
			      const void *data, struct buf *out);
