/* SPDX-License-Identifier: Apache-2.0 */
/* How one handshake is allowed or refused: one row for each way that kernels
 * offer. */
#pragma once

#include "base/buf.h"
#include "datapath/abis.h"
#include "datapath/state.h"

struct selector {
	const char *name;
	const char *cannot; /* what it cannot do, a sentence; NULL: nothing */
	/* It needs all of these; ended by FEATURE_MAX. */
	const enum feature *needs;
	/* A row of link_rows without which nothing may be converted where this
	 * is the selector; NULL: none. */
	const char *guard;
	/* Make its own part of a new @dp. Return: 0 or -ENOMEM. */
	int (*open)(struct datapath *dp);
	void (*close)(struct datapath *dp);
	/* Its programs in the object, NULL-terminated. */
	const char *const *programs;
	/* Before the object is loaded: @load it, or leave it out. */
	int (*prepare)(struct datapath *dp, struct bpf_object *obj, bool load);
	/* Register the loaded one, beside older generations. Return: 0;
	 * -EEXIST: the name was taken meanwhile, load again; or errno. */
	int (*enroll)(struct datapath *dp, struct bpf_object *obj);
	/* The value for a namespace that uses it; NULL: none. */
	const char *(*name_of)(const struct datapath *dp);
	/* Append the names of every generation of ours that the kernel still
	 * has, registered or not, to the NULL-terminated @names. Return: 0,
	 * also if this kernel has none; or a negative errno. */
	int (*names)(struct datapath *dp, char ***names);
	/* Is @dir/@name a generation of it? Only such pins have another name
	 * than their map. */
	bool (*pin_is_ours)(const char *dir, const char *name);
	/* The ids by which BPF must know it: its own, and those of earlier
	 * generations that namespaces have. @ids: smc_config.selectors, the old
	 * ones, replaced by the new. Return: 0 or a negative errno. */
	int (*ids)(struct datapath *dp, __u32 ids[SMC_SELECTORS]);
	/* Return: number of repairs; -ESTALE: gone, load and enroll again;
	 * -EEXIST: another process made the pin in its place; or another
	 * negative errno. */
	int (*check)(struct datapath *dp);
	/* Drop the older generations. Return: number dropped, or errno. */
	int (*retire)(struct datapath *dp);
	/* Drop every generation (@keep_newest: but one) and its pin in @dirs;
	 * @pinned: only those with a pin there. Needs no loaded object.
	 * Return: 0 or the first negative errno. */
	int (*remove)(struct datapath *dp, const struct abi_dirs *dirs,
		      bool pinned, bool keep_newest, struct buf *said);
};

extern const struct selector selector_hs_ctrl, selector_synfilter;

/* The datapath takes the first that works. NULL ends the table. */
extern const struct selector *const selectors[];

/* selector_for - The one to take with these features; NULL: none. */
const struct selector *selector_for(const struct features *fs);

/* pairs_impossible - Does every pair of @c and @s lack something? NULL ends
 * each of the lists. */
struct converter;
bool pairs_impossible(const struct converter *const *c,
		      const struct selector *const *s,
		      const struct features *fs);
