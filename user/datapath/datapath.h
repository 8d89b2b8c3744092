/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF side: probe the kernel, load the object, pin and attach it, write
 * its maps, take it away again. Everything is below BPFFS/smcmesh/vN, of ABI N:
 * maps under their names, links under links/.
 *
 * A restart adopts: pinned maps are re-used, a new program is attached before
 * the old one goes. A dead agent leaves everything working.
 */
#pragma once

#include <stdbool.h>
#include "base/buf.h"
#include "datapath/features.h"
#include <smcmesh/counters.h>
#include "mesh/plan.h"

struct datapath;

#define DATAPATH_BPFFS "/sys/fs/bpf"
#define DATAPATH_PROC "/proc"

struct datapath_options {
	const char *bpffs;  /* NULL: DATAPATH_BPFFS */
	const char *cgroup; /* cgroup v2 mount to attach to; NULL: find it */
	const char *proc;   /* NULL: DATAPATH_PROC */
	/* Load and attach also where nothing can be converted: to measure what
	 * the hooks cost, and to test them. Nothing is converted by that. */
	bool idle;
	unsigned int abi; /* of datapath_remove() alone */
};

/*
 * datapath_open - Probe, load, pin, attach what nobody but SMC sockets runs
 * through; and the rest, where the maps of an agent before us hold armed pods.
 * A kernel without a converter or without a selector is no error: nothing is
 * loaded then (unless @opt->idle), both are "none", there are no maps, and
 * every other call does nothing and succeeds. A program that the kernel does
 * not take is left out, with a line that says what is lost; only without its
 * selector, or without the guard of refused sockets, nothing is converted.
 * The selector is registered here, under a new generation's name.
 *
 * Return: 0; -EPROTO: pins of an ABI that cannot be taken over (said how to get
 * out, the datapath untouched); another negative errno, logged: no capability,
 * no bpffs. Free with datapath_close(), which detaches nothing.
 */
int datapath_open(const struct datapath_options *opt, struct datapath **out);
void datapath_close(struct datapath *dp);

/*
 * datapath_read - Only the pinned maps, as another process made them: for the
 * datapath_each_*() calls. Loads and changes nothing.
 * Return: 0; -ENOENT: nothing is pinned there; -EPROTO: of another ABI
 * version; or a negative errno, logged. Free with datapath_close().
 */
int datapath_read(const struct datapath_options *opt, struct datapath **out);

/* datapath_features - Every probe's answer (see features.h). */
const struct features *datapath_features(const struct datapath *dp);

/* datapath_has_converter - Can sockets be converted here? Not where what it
 * needs could not be attached, or an attempt of datapath_arm() has failed. */
bool datapath_has_converter(const struct datapath *dp);
bool datapath_has_selector(const struct datapath *dp);
const char *datapath_converter(const struct datapath *dp); /* or "none" */
const char *datapath_selector(const struct datapath *dp);  /* or "none" */

/* A converter, selector or recorder that we have, and whether this kernel can
 * do it. */
struct datapath_method {
	const char *kind; /* "converter", "selector" or "recorder" */
	const char *name;
	const char *cannot;	   /* what it cannot do; NULL: nothing */
	const enum feature *needs; /* ended by FEATURE_MAX */
	bool possible;
};

#define DATAPATH_METHODS_MAX 16 /* there are fewer */

/* datapath_methods - All of them, in the order in which they are tried. Return:
 * their number; at most @room are written. */
size_t datapath_methods(const struct features *fs, struct datapath_method *out,
			size_t room);

/* datapath_cgroup - The cgroup v2 that the flow programs are attached to; NULL
 * where there is none. */
const char *datapath_cgroup(const struct datapath *dp);

/* ---- what runs, and when ---- */

/*
 * datapath_record - Choose what writes the flow records (recorder.h), and bring
 * its programs up in place of the other's. Records are found by both.
 * @wanted: SmcMesh.spec.recorder; what this kernel cannot do is said, and the
 * other one taken.
 * Return: 0 or the first negative errno, logged.
 */
int datapath_record(struct datapath *dp, enum mesh_recorder wanted);
const char *datapath_recorder(const struct datapath *dp); /* or "none" */

/*
 * datapath_arm - Attach what programs of everybody run through (the hooks of
 * socket(), connect() and of passive connections): before the first pod of this
 * node is armed. Does nothing where all is attached. 25 to 35 ms.
 * Return: 0 or a negative errno, logged: nothing is converted then.
 */
int datapath_arm(struct datapath *dp);

/*
 * datapath_disarm - Detach them: no pod of this node is to be armed.
 * @guarded: a namespace of ours still holds SMC sockets: what guards their
 * connect() stays, and what closes their records.
 */
void datapath_disarm(struct datapath *dp, bool guarded);

/*
 * datapath_listen - Attach what every SYN to this machine runs through, where
 * the hooks above are and a pod has opened an SMC listener since: it makes a
 * SYN to a full one wait. Does nothing twice; what cannot be attached is said
 * once. datapath_disarm() detaches it with the rest.
 */
void datapath_listen(struct datapath *dp);

/* datapath_is_armed - Is any of these hooks attached? */
bool datapath_is_armed(const struct datapath *dp);

/* datapath_follow - Does somebody read the events of every flow? Otherwise only
 * fall-backs and refused sockets are told. Return: 0 or a negative errno. */
int datapath_follow(struct datapath *dp, bool followed);

/* datapath_ctrl_name - The name to write into net.smc.hs_ctrl of a namespace;
 * NULL where there is no selector. Changes when datapath_check() had to make
 * a new one: then write it into every armed namespace again. Valid until the
 * next datapath_check(). */
const char *datapath_ctrl_name(const struct datapath *dp);

/* datapath_ctrl_names - The names of every generation of ours that the kernel
 * still has, NULL-terminated: who finds one of them in a namespace has found a
 * selector of ours, and with any other that looks alike someone else's. Valid
 * until the next datapath_check() or datapath_retire_selectors(). */
char *const *datapath_ctrl_names(const struct datapath *dp);

/* datapath_ctrl_names_read - The same for who has no datapath open. Return: 0
 * (free with strv_free()) or a negative errno. */
int datapath_ctrl_names_read(const struct datapath_options *opt, char ***out);

/* datapath_retire_selectors - Unregister our older generations, after every
 * armed namespace was switched to datapath_ctrl_name(). */
int datapath_retire_selectors(struct datapath *dp);

/* What datapath_apply() did, for log and metrics. */
struct datapath_changes {
	unsigned int added, changed, removed;
	unsigned int endpoints; /* in the map afterwards */
	unsigned int full;	/* rows that found their map full, left out */
	unsigned int missing;	/* of those, rows that deny; so... */
	bool off; /* the switch stays off: one holds for the node */
	bool no_room[SMC_PODS]; /* by slot: not armed, for one is this pod's */
};

/*
 * datapath_apply - Make the maps hold @plan: reads what is there, applies the
 * difference. Order: what takes away first (switch off, disarmed pods, new
 * exclusions, endpoints that went), arming last. BPF's own flags, REFUSED and
 * LISTENS, are kept while the entry is of the same pod_id.
 * A full map keeps its oldest content: counted in did->full, no error. Where a
 * row that denies found no room, what it is about is not armed.
 * After an error nothing is given, only taken away: the next one goes on.
 * @config: of it, enabled is taken from @plan and abi_version is ours; the
 * lease stays.
 *
 * Return: 0, or the first negative errno.
 */
int datapath_apply(struct datapath *dp, const struct mesh_plan *plan,
		   const struct smc_config *config,
		   struct datapath_changes *did);

/* datapath_config - What is applied now, by us or an agent before us. Return:
 * 0; -ENOENT: there is no such map; or another negative errno. */
int datapath_config(const struct datapath *dp, struct smc_config *out);

/*
 * datapath_offer_until - Move the lease: smc_config.offers_until_ns, which
 * datapath_apply() leaves as it is. @ns: CLOCK_MONOTONIC, or SMC_NO_END.
 * Return: 0, also where there are no maps; or a negative errno.
 */
int datapath_offer_until(const struct datapath *dp, __u64 ns);

/* datapath_offers_left - Seconds until then: 0 when it is over, INFINITY where
 * it has no end. */
double datapath_offers_left(const struct smc_config *c);

/* Iterate over pinned maps as they are in the kernel. @fn returning non-zero
 * stops and is returned. Work without a loaded object, on pins alone. */
typedef int (*datapath_pod_fn)(__u64 key, const struct smc_pod *v, void *arg);
typedef int (*datapath_endpoint_fn)(const struct smc_addr *key,
				    const struct smc_endpoint *v, void *arg);
typedef int (*datapath_service_fn)(const struct smc_addr_port *key,
				   const struct smc_service *v, void *arg);
typedef int (*datapath_flow_fn)(const struct smc_handshake *key,
				const struct smc_flow *v, void *arg);
/* @key: of a slot (smc_slot()). @value: summed over the CPUs; counters that are
 * 0 are left out. */
typedef int (*datapath_counter_fn)(const struct smc_counter_key *key,
				   __u64 value, void *arg);
/* The row of a shared namespace (SMC_POD_SHARED) is no pod, and left out. */
int datapath_each_netns(struct datapath *dp, datapath_pod_fn fn, void *arg);
int datapath_each_cgroup(struct datapath *dp, datapath_pod_fn fn, void *arg);
int datapath_each_endpoint(struct datapath *dp, datapath_endpoint_fn fn,
			   void *arg);
int datapath_each_service(struct datapath *dp, datapath_service_fn fn,
			  void *arg);
/* datapath_each_flow - The open ones, then those of the closed ones that are
 * still kept (v->closed), both in no order. @open_only: not those. */
int datapath_each_flow(struct datapath *dp, bool open_only, datapath_flow_fn fn,
		       void *arg);

/* datapath_flow_seen - What socket diagnosis told of a flow that only it can
 * tell of: @v in place of the open record at @key, if there still is one.
 * Return: 0; -ENOENT: it has gone; or another negative errno. */
int datapath_flow_seen(struct datapath *dp, const struct smc_handshake *key,
		       const struct smc_flow *v);

/* datapath_flow_close - Move the open record at @key to the closed ones, as @v.
 * Return: as above. */
int datapath_flow_close(struct datapath *dp, const struct smc_handshake *key,
			const struct smc_flow *v);

/* datapath_flows_evicted - Could a record be missing of a flow that was opened
 * since its pod was armed: were some lost for want of room? */
bool datapath_flows_evicted(struct datapath *dp);
int datapath_each_counter(struct datapath *dp, datapath_counter_fn fn,
			  void *arg);

/* datapath_usage - What the pod of this slot (smc_slot()) holds now; of
 * SMC_SLOT_NODE: all. Return: 0 or a negative errno; nothing is held, then and
 * where there is no such map. */
int datapath_usage(const struct datapath *dp, __u32 slot,
		   struct smc_usage *out);

/* datapath_each_quarantine - What is held against peers, by which pod; also
 * what has ended, and is remembered. */
typedef int (*datapath_quarantine_fn)(const struct smc_quarantine_key *key,
				      const struct smc_quarantine *v,
				      void *arg);
int datapath_each_quarantine(struct datapath *dp, datapath_quarantine_fn fn,
			     void *arg);

/* datapath_quarantine_clear - Forget what is held against @peer, by whomever;
 * NULL: against all. Pods offer them SMC again at once. Return: number of rows
 * that were taken away, or a negative errno (some may be gone then). */
int datapath_quarantine_clear(struct datapath *dp,
			      const struct smc_addr_port *peer);

/* datapath_forget_pod - Set a pod's counters to 0, and its own limits to none:
 * its slot is free. */
int datapath_forget_pod(struct datapath *dp, __u32 pod_id);

/* datapath_sweep_counters - The same of every slot that is not @known; those of
 * no pod stay. Return: number of slots that were not 0, or a negative errno. */
typedef bool (*datapath_known_fn)(__u32 slot, void *arg);
int datapath_sweep_counters(struct datapath *dp, datapath_known_fn known,
			    void *arg);

/* ---- rations ---- */

/* datapath_rations - Are SMC sockets under way counted, and rationed? Not where
 * the kernel lacks one of the functions by which they come and go. */
bool datapath_rations(const struct datapath *dp);

/* datapath_rationed - How many sockets of this slot became plain TCP, or were
 * refused, because of that; of SMC_SLOT_NODE: all. Return: 0 or a negative
 * errno. */
int datapath_rationed(struct datapath *dp, __u32 slot, __u64 *out);

/* datapath_limit_pod - A pod's own bounds, 0: the mesh's. Return: 0, or a
 * negative errno. */
int datapath_limit_pod(const struct datapath *dp, __u32 pod_id,
		       __u32 pending_max, __u32 connections_max);

/* datapath_each_pending - The SMC sockets that are counted as under way, in no
 * order. Return: as the others above. */
typedef int (*datapath_pending_fn)(__u64 cookie, const struct smc_pending *v,
				   void *arg);
int datapath_each_pending(struct datapath *dp, datapath_pending_fn fn,
			  void *arg);

/* datapath_pending_drop - Count this one no longer. Return: 0; -ENOENT: it is
 * not counted (any more); or another negative errno. */
int datapath_pending_drop(const struct datapath *dp, __u64 cookie);

/* datapath_pending_counts - How many are said to be under way: @out has
 * SMC_PODS numbers, by slot. Return: 0 or a negative errno. */
int datapath_pending_counts(struct datapath *dp, __u32 *out);

/* datapath_pending_mend - Add @n, which may be negative, to what is said of one
 * slot. Return: 0 or a negative errno. */
int datapath_pending_mend(const struct datapath *dp, __u32 slot, __s32 n);

/* ---- RDMA paths ---- */

/* datapath_use_paths - From now on RDMA is used over proven paths alone,
 * whether or not an agent is there to prove them. Return: 0, also where there
 * are no maps; or a negative errno. */
int datapath_use_paths(struct datapath *dp);

/* datapath_each_path - The rows of smc_path, in no order. Return: as the others
 * above. */
typedef int (*datapath_path_fn)(const struct smc_path_key *key,
				const struct smc_path *v, void *arg);
int datapath_each_path(struct datapath *dp, datapath_path_fn fn, void *arg);

/* datapath_path_told - Write down what was found out about a path; abi.h has
 * the job. Return: 0 with job->made set, or a negative errno. */
int datapath_path_told(const struct datapath *dp, struct smc_path_job *job);

/* datapath_path_drop - Forget a path. Return: 0, also where it was not known;
 * or a negative errno. */
int datapath_path_drop(const struct datapath *dp,
		       const struct smc_path_key *key);

/*
 * datapath_take_over - The second half of a live upgrade, when every namespace
 * that the agent of another ABI had armed has been looked at and is judged by
 * our selector: its links go, its counters are added to ours, its open flows
 * are shown as opened before the upgrade, its maps go.
 * (The first half is in datapath_open(): what its maps hold is put into ours,
 * so that a namespace is judged by the same when it gets our selector.) Return:
 * 0, also where there is nothing to take over; or a negative errno.
 */
int datapath_take_over(struct datapath *dp);

/* datapath_events_fd - The ring buffer's epoll fd for the loop, or -1; on
 * POLLIN call datapath_events_read(). */
int datapath_events_fd(const struct datapath *dp);
typedef void (*datapath_event_fn)(const struct smc_event *e, void *arg);

/* datapath_events_read - Hand over what is in the ring buffer, a bounded
 * number: POLLIN comes again while there is more. Return: number of events, or
 * a negative errno. */
#define DATAPATH_EVENTS_AT_ONCE 1024
int datapath_events_read(struct datapath *dp, datapath_event_fn fn, void *arg);

/*
 * datapath_check - Is everything still attached, pinned and registered as we
 * made it? Heals what is missing (re-pin, re-attach, register anew). A pin in
 * the place of ours that another process made is reported and left. An error is
 * logged when it comes, not again while it lasts.
 * @repairs: their number, also where something else could not be repaired.
 * Return: 0, or the first negative errno (the rest was still done).
 */
int datapath_check(struct datapath *dp, unsigned int *repairs);

/*
 * datapath_remove - `smcmesh cleanup`'s BPF part: links, struct_ops maps of
 * ours (every generation, found by name), map pins, the directory. What is not
 * ours is left. @said: one line for each thing removed or left, and why.
 * @keep_selector: namespaces still hold SMC sockets: leave the newest ctrl
 * registered, with the maps that its verdict reads, switched off: it denies
 * everything.
 * @opt->abi: only what an agent of that ABI made; 0: of every ABI.
 * No agent may be running. Return: 0, or the first negative errno.
 */
int datapath_remove(const struct datapath_options *opt, bool keep_selector,
		    struct buf *said);

/* datapath_abis - Of which ABIs are there pins, in ascending order? Return:
 * their number, of which at most @room are written; or a negative errno. */
int datapath_abis(const struct datapath_options *opt, unsigned int *out,
		  size_t room);
