/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of ports, as ranges, and the blocks that an LPM trie holds of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include <smcmesh/abi.h>

/* An annotation may have so many ports or ranges. */
#define MESH_RANGES_MAX 256

struct mesh_range {
	__u16 first, last; /* both are in it */
};

struct mesh_ranges {
	struct mesh_range *v; /* sorted; between two a port is missing */
	size_t n;
};

/*
 * mesh_ranges_set - The ports of the @n ranges at @v, in any order; what was in
 * @out is freed. Return: 0, or -ENOMEM with *@out untouched.
 */
must_check int mesh_ranges_set(struct mesh_ranges *out,
			       const struct mesh_range *v, size_t n);

/* mesh_ranges_has - Is @port in @r? */
bool mesh_ranges_has(const struct mesh_ranges *r, __u16 port);

/*
 * mesh_range_parse - "3306" or "8000-8999", the first not the larger one, no
 * blanks. Return: 0, or -EINVAL with *@out untouched.
 */
must_check int mesh_range_parse(const char *text, size_t len,
				struct mesh_range *out);

/*
 * mesh_ranges_parse - "3306, 8000-8999": blanks are allowed around each part.
 * @bad: of -EINVAL the text of the first part that is neither a port nor a
 *       range, up to 31 characters.
 * Return: 0, -EINVAL, -E2BIG (more than MESH_RANGES_MAX parts) or -ENOMEM;
 * *@out untouched on failure.
 */
must_check int mesh_ranges_parse(const char *text, struct mesh_ranges *out,
				 char bad[32]);

/*
 * mesh_block - The largest block that begins at @first and ends at @last or
 * before: 2^n ports, of which the first is a multiple of that. Every range has
 * at most 30 blocks.
 * Return: its last port.
 */
__u16 mesh_block(__u16 first, __u16 last);

/* mesh_block_bits - How many leading bits all ports of a block share. */
unsigned int mesh_block_bits(__u16 first, __u16 last);

/* mesh_blocks - How many blocks @r has. */
size_t mesh_blocks(const struct mesh_ranges *r);
