/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: nobody else includes it. */
#pragma once

#include <bpf/libbpf.h>
#include <limits.h>

#include "base/cleanup.h"
#include "datapath/datapath.h"
#include "datapath/kbtf.h"

/* The public maps. X(ID, name, key's type, value's type) */
#define DATAPATH_MAPS(X)                                                    \
	X(CONFIG, "smc_config", __u32, struct smc_config)                   \
	X(NETNS, "smc_netns", __u64, struct smc_pod)                        \
	X(CGROUP, "smc_cgroup", __u64, struct smc_pod)                      \
	X(ENDPOINT, "smc_endpoint", struct smc_addr, struct smc_endpoint)   \
	X(SERVICE, "smc_service", struct smc_addr_port, struct smc_service) \
	X(CIDR, "smc_cidr", struct smc_cidr_key, struct smc_cidr)           \
	X(PORT, "smc_port", struct smc_port_key, struct smc_port)           \
	X(QUARANTINE, "smc_quarantine", struct smc_addr_port,               \
	  struct smc_quarantine)                                            \
	X(FLOW, "smc_flow", __u64, struct smc_flow)                         \
	X(COUNTER, "smc_counter", struct smc_counter_key, __u64)            \
	X(EVENT, "smc_event", __u8[0], __u8[0])

#define DATAPATH_MAP_ENUM(id, name, key, value) MAP_##id,
enum map_id { DATAPATH_MAPS(DATAPATH_MAP_ENUM) MAP_MAX };
#undef DATAPATH_MAP_ENUM

struct map_row {
	const char *name;
	__u32 key_size, value_size;
};
extern const struct map_row map_rows[MAP_MAX];

/* ---- links: one program, one pin ---- */

enum link_kind {
	LINK_TRACING, /* fentry, fexit, fmod_ret, tp_btf: no update */
	LINK_CGROUP,
};

struct link_row {
	const char *name; /* of the program and of the pin */
	enum link_kind kind;
	/* Without it not even tried; FEATURE_MAX: the hook alone decides. */
	enum feature needs;
	bool converter; /* the converter's own: not attached with the others */
	const char *lost; /* what is lost without it */
};

#define LINKS 10
/* In the order of attachment. */
extern const struct link_row link_rows[LINKS];

/* links_find - Index of the row of that name; it exists. */
size_t links_find(const char *name);

/* The selector hs_ctrl's own state. */
struct hs_ctrl {
	unsigned int generation; /* 0: none is registered */
	char name[SMC_CTRL_NAME_MAX];
	int map_fd; /* of the struct_ops map; -1: none */
	/* Where things are in the value of such a map, in bytes; 0: not looked
	 * up yet (the name is never at 0, the kernel's own header is). */
	__u32 name_at, state_at;
};

/* What datapath_check() last said of a thing. */
struct check_said {
	const char *what; /* lives as long as the datapath */
	int err;	  /* 0: it is in order again */
};

struct datapath {
	char *bpffs, *cgroup, *proc; /* cgroup: NULL where there is none */
	char *dir, *link_dir;	     /* BPFFS/smcmesh and its links/ */
	struct features features;
	const struct converter *converter; /* attached; NULL: none */
	const struct selector *selector;   /* registered; NULL: none */
	struct bpf_object *obj;		   /* NULL: nothing is loaded */
	struct bpf_object *ctrl_obj; /* a selector loaded later than obj */
	int cgroup_fd;		     /* or -1 */
	int map_fd[MAP_MAX];	     /* or -1 */
	int link_fd[LINKS];	     /* or -1 */
	struct hs_ctrl ctrl;
	struct check_said *said;
	size_t n_said;
	struct ring_buffer *events; /* NULL: none */
	datapath_event_fn event_fn; /* while datapath_events_read() runs */
	void *event_arg;
	int events_seen;
};

/* datapath_new - The state with its paths and nothing open: what open, read
 * and remove start from. Return: 0 or -ENOMEM. */
int must_check datapath_new(const struct datapath_options *opt,
			    struct datapath **out);
void datapath_cleanup(struct datapath **dp);
#define _datapath_ _cleanup_(datapath_cleanup)

/* ---- load.c ---- */

/* What is to be loaded: rows of link_rows, and the selector. */
struct load_set {
	bool link[LINKS];
	const struct selector *selector; /* NULL: none */
};

/* object_open - The BPF object of this binary, not loaded. NULL: errno says. */
struct bpf_object *object_open(void);
void object_cleanup(struct bpf_object **obj);
#define _object_ _cleanup_(object_cleanup)

/* object_check_version - Is what is pinned, if anything, of our ABI version?
 * Return: as object_check_pins(). */
int must_check object_check_version(const struct datapath *dp);

/* object_check_pins - May we adopt what is pinned? Return: 0; -EPROTO, logged
 * with the way out; or a negative errno, logged. Touches nothing. */
int must_check object_check_pins(struct datapath *dp);

/*
 * object_load - Load the programs of @set and the maps, adopting pinned ones.
 * Programs that this kernel refuses are taken out of @set, each with a line
 * that says what is lost, and the others are loaded.
 * Return: 0 or a negative errno, logged.
 */
int must_check object_load(struct datapath *dp, struct load_set *set,
			   struct bpf_object **out);

/* object_is_pinned_map - Is it one of the maps that are pinned by name? */
bool object_is_pinned_map(const struct bpf_map *map);

/* ---- check.c ---- */

/* What one datapath_check() came to. */
struct check {
	unsigned int repairs;
	int err; /* the first one */
};

/*
 * check_note - Add how it is with one thing; an error is logged when it is
 * another one than the last time.
 * @what: its name; must live as long as @dp.
 * @did: number of repairs, or a negative errno (-EEXIST: its pin is foreign).
 */
void check_note(struct datapath *dp, struct check *c, const char *what,
		int did);

/* ---- links.c ---- */

/* link_up - Attach a loaded program, in place of what is pinned. Return: 0 or
 * a negative errno, logged. */
int must_check link_up(struct datapath *dp, size_t i);

/* link_down - Drop a link and its pin. Return: 1 removed, 0 was not there, or
 * a negative errno. */
int link_down(struct datapath *dp, size_t i);

/* link_drop - Detach the link pinned as @dir/@name, and unpin it. Return: as
 * link_down(). */
int link_drop(const char *dir, const char *name);

/* links_check - Re-attach and re-pin what has gone. */
void links_check(struct datapath *dp, struct check *c);

/* links_sweep - Remove pins of ours that no running program has: an older
 * version's, and those of an agent that died while it attached. */
int links_sweep(struct datapath *dp);

/* link_pin_is_ours - Is @dir/@name a link to the program of that name? It is
 * how we pin, and how we tell our pins from others'. */
bool link_pin_is_ours(const char *dir, const char *name);

/* ---- apply.c ---- */

/*
 * service_expiry - Until when a row of smc_service is to hold.
 * @have: what the map has at its key, or NULL. @now: CLOCK_MONOTONIC, ns.
 */
__u64 service_expiry(const struct smc_service *want,
		     const struct smc_service *have, __u64 now);

/* ---- read.c ---- */

/* events_open - Map the ring buffer. Return: 0 or a negative errno, logged. */
int must_check events_open(struct datapath *dp);
