/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the pins of each ABI are: ABI 1's in BPFFS/smcmesh itself, with the
 * links in links/; every later one's in BPFFS/smcmesh/vN and vN/links.
 */
#pragma once

#include <stddef.h>
#include "base/cleanup.h"
#include <smcmesh/abi.h>

struct abi_dir {
	unsigned int abi;
	char *dir, *link_dir;
};

struct abi_dirs {
	struct abi_dir *v; /* sorted by ABI */
	size_t n;
};

/* abi_dir_set - Set the directories of @abi below @root, "BPFFS/smcmesh"; they
 * need not exist. Return: 0 or -ENOMEM. */
must_check int abi_dir_set(struct abi_dir *out, const char *root,
			   unsigned int abi);
void abi_dir_free(struct abi_dir *d);

/* abi_dirs_read - Find those that exist: ABI 1's if there is a pin of any kind
 * in @root, or links/. Return: 0, also if @root does not exist; or a negative
 * errno. Free with abi_dirs_free(), also after an error. */
must_check int abi_dirs_read(const char *root, struct abi_dirs *out);
void abi_dirs_free(struct abi_dirs *dirs);

/* abi_config - Copy the first @size bytes of the row of @dir/smc_config to
 * @out, whatever ABI made it. Return: 0; -ENOENT: no such pin; -EPROTO: it is
 * no array, or its row is shorter; or another negative errno. */
must_check int abi_config(const char *dir, void *out, size_t size);

/* abi_config_write - Replace these bytes, and leave what follows them, which an
 * ABI later than ours may have. Return: as above. */
must_check int abi_config_write(const char *dir, const void *first,
				size_t size);

/* abi_map_open - The map pinned as @dir/@name, if it has these sizes. Return: a
 * descriptor, close it; -ENOENT; -EPROTO: of other sizes; or another negative
 * errno. */
must_check int abi_map_open(const char *dir, const char *name, __u32 key_size,
			    __u32 value_size);
