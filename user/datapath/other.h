/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent of another ABI left beside our pins, and how to read it: one
 * row per layout that we know.
 */
#pragma once

#include "datapath/abis.h"
#include "datapath/state.h"

struct other_kind;

struct other {
	struct abi_dir at;
	const struct other_kind *kind;
};

struct other_kind {
	/* sizes */
	__u32 flow_key, flow_value, counter_key, counter_value;
	__u32 quarantine_key, quarantine_value, port_key, service_value;
	__u32 pod_value;
	/* Into ours: the switch, transports, node id. Return: 0 or errno. */
	int (*config)(const struct other *o, struct smc_config *out);
	/* Append the rows of one of its maps, as rows of ours, to @out. */
	int (*rows)(const struct other *o, enum map_id id, struct rows *out);
	/* Its counters, by slot. @all: SMC_PODS of them, zeroed before. */
	int (*counters)(const struct other *o, struct smc_counters *all);
	/* Delete the counters of one slot. */
	int (*forget)(const struct other *o, __u32 slot);
	/* Its flows, open and closed, as records of ours. @fn returning
	 * non-zero stops and is returned. */
	int (*flows)(const struct other *o, datapath_flow_fn fn, void *arg);
};

extern const struct other_kind other_first; /* ABI 1 */
extern const struct other_kind other_later; /* the rest, if readable */

/*
 * others_find - Find them, into dp->others. Changes nothing.
 * Return: 0; -EPROTO: one cannot be read, logged with the way out; or another
 * negative errno, logged.
 */
must_check int others_find(struct datapath *dp);
void others_free(struct datapath *dp);

/* others_pods - Append their rows of smc_netns or smc_cgroup to @out, whose
 * sizes are set, and sort it. Return: 0 or a negative errno. */
must_check int others_pods(const struct datapath *dp, enum map_id id,
			   struct rows *out);

/*
 * others_rows - Copy their maps into ours, before the first verdict by ours:
 * only while our switch is off, that is until our agent has applied its first
 * plan.
 * Return: 0; -ENOSPC: a row that denies (row_denies()) found no room, and all
 * others are copied; or another negative errno.
 */
must_check int others_rows(struct datapath *dp);

/* others_config - Their switch, transports and node id. Return: 0; -ENOENT:
 * there is no other; or a negative errno. */
must_check int others_config(const struct datapath *dp, struct smc_config *out);

/* others_quarantine - Copy their peers in quarantine into ours, before a
 * verdict reads it. Return: 0 or a negative errno. */
must_check int others_quarantine(struct datapath *dp);

/* others_hush - Ours are attached: drop those links of theirs that would record
 * or convert beside ours. The others (the marks of an older sidecar rule) stay
 * until datapath_take_over(); so do all, if our maps lack rows of theirs
 * that deny. */
void others_hush(struct datapath *dp);

/* other_rows - Add the rows of one of its maps, of the same sizes as ours, to
 * @out.
 * Return: 0, also if there is no such map; or a negative errno. */
must_check int other_rows(const struct other *o, enum map_id id,
			  struct rows *out);

/* other_map - One of its maps. Return: a descriptor, close it; -ENOENT; or
 * another negative errno. */
must_check int other_map(const struct other *o, enum map_id id);
