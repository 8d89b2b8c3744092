/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF side: probe the kernel, load the object, pin and attach it, write
 * its maps, remove it again. Everything is below BPFFS/smcmesh/vN, of ABI N:
 * maps under their names, links under links/.
 *
 * A restarted agent adopts pinned maps, and attaches each new program before it
 * detaches the old one. When an agent dies all goes on working.
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
	/* Load and attach even if nothing can be converted: to measure what the
	 * hooks cost, and to test them. Nothing is converted by that. */
	bool idle;
	unsigned int abi; /* of datapath_remove() alone */
};

/*
 * datapath_open - Probe, load, pin, and attach the programs that only SMC
 * sockets run through; the others, too, if an agent before us left armed pods
 * in the maps. A kernel without a converter or without a selector is no error:
 * nothing is loaded then (unless @opt->idle), both are "none", there are no
 * maps, and every other call does nothing and succeeds. A program that the
 * kernel refuses is left out, with a line that says what is lost; nothing is
 * converted if that is the selector, or the guard against refused sockets.
 * The selector is registered here, under a new generation's name.
 *
 * Return: 0; -EPROTO: pins of an ABI that cannot be taken over (logged with the
 * way out, the datapath untouched); another negative errno, logged: no
 * capability, no bpffs. Free with datapath_close(), which detaches nothing.
 */
int datapath_open(const struct datapath_options *opt, struct datapath **out);
void datapath_close(struct datapath *dp);

/*
 * datapath_read - Open only the pinned maps that another process made: for the
 * datapath_each_*() calls. Loads and changes nothing.
 * Return: 0; -ENOENT: nothing is pinned there; -EPROTO: of another ABI
 * version; or a negative errno, logged. Free with datapath_close().
 */
int datapath_read(const struct datapath_options *opt, struct datapath **out);

/* datapath_features - Every probe's answer (see features.h). */
const struct features *datapath_features(const struct datapath *dp);

/* datapath_has_converter - Can sockets be converted here? Not if something that
 * the converter needs could not be attached, or the last datapath_arm()
 * failed. */
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

/* datapath_cgroup - The cgroup v2 that the flow programs are attached to; NULL:
 * none. */
const char *datapath_cgroup(const struct datapath *dp);

/* ---- what runs, and when ---- */

/*
 * datapath_record - Choose the recorder of flows (recorder.h), and attach its
 * programs in place of the other's. Both find the same records.
 * @wanted: SmcMesh.spec.recorder; if this kernel cannot do it the other one is
 * taken, with a log line.
 * Return: 0 or the first negative errno, logged.
 */
int datapath_record(struct datapath *dp, enum mesh_recorder wanted);
const char *datapath_recorder(const struct datapath *dp); /* or "none" */

/*
 * datapath_arm - Attach the hooks that all programs run through (of socket(),
 * connect() and passive connections): before the first pod of this node is
 * armed. Does nothing if all are attached. Takes 25 to 35 ms.
 * Return: 0 or a negative errno, logged: nothing is converted then.
 */
int datapath_arm(struct datapath *dp);

/*
 * datapath_disarm - Detach them: no pod of this node is to be armed any more.
 * @guarded: a namespace of ours still holds SMC sockets: keep the guard of
 * their connect(), the program that lets SYNs to their listeners wait, and the
 * one that closes their records.
 */
void datapath_disarm(struct datapath *dp, bool guarded);

/*
 * datapath_listen - Attach the program that every SYN to this machine runs
 * through, if the hooks above are attached and a pod has opened an SMC listener
 * since: it makes a SYN to a full one wait. A second call does nothing; a
 * failure is logged once. datapath_disarm() detaches it with the rest.
 */
void datapath_listen(struct datapath *dp);

/* datapath_is_armed - Is any of these hooks attached? */
bool datapath_is_armed(const struct datapath *dp);

/* datapath_follow - Tell BPF whether somebody reads the events of every flow.
 * Otherwise it sends only fall-backs and failures, refused sockets, and the
 * first SMC listener of a pod. Return: 0 or a negative errno. */
int datapath_follow(struct datapath *dp, bool followed);

/* datapath_guards - Does BPF convert only in namespaces that a look has found
 * guarded (SMC_POD_GUARDED)? */
bool datapath_guards(const struct datapath *dp);

/* datapath_ctrl_name - The name to write into net.smc.hs_ctrl of a namespace;
 * NULL if there is no selector. Changes when datapath_check() had to make a new
 * one: then write it into every armed namespace again. Valid until the next
 * datapath_check(). */
const char *datapath_ctrl_name(const struct datapath *dp);

/* datapath_ctrl_names - The names of every generation of ours that the kernel
 * still has, NULL-terminated: a namespace with one of them has a selector of
 * ours; one with another name, however similar, has someone else's. Valid until
 * the next datapath_check() or datapath_retire_selectors(). */
char *const *datapath_ctrl_names(const struct datapath *dp);

/* datapath_ctrl_names_read - The same for callers without an open datapath.
 * Return: 0 (free with strv_free()) or a negative errno. */
int datapath_ctrl_names_read(const struct datapath_options *opt, char ***out);

/* datapath_retire_selectors - Unregister our older generations, after every
 * armed namespace was switched to datapath_ctrl_name(). */
int datapath_retire_selectors(struct datapath *dp);

/* What datapath_apply() did, for log and metrics. */
struct datapath_changes {
	unsigned int added, changed, removed;
	unsigned int endpoints; /* in the map afterwards */
	unsigned int full;	/* rows left out of full maps */
	unsigned int missing;	/* of those, rows that deny */
	bool off;		/* one is the node's, so its switch is off */
	bool no_room[SMC_PODS]; /* by slot: one is this pod's, so not armed */
};

/*
 * datapath_apply - Make the maps hold @plan: reads what is there, applies the
 * difference. Order: what takes away first (switch off, disarmed pods, new
 * exclusions, endpoints that went), arming last. BPF's own flags, REFUSED and
 * LISTENS, are kept while the entry is of the same pod_id; an entry that it
 * changes is not GUARDED any more.
 * A full map keeps its oldest content: did->full counts that, it is no error.
 * If a row that denies found no room its pod, or the node, is not armed.
 * After an error it only takes away, and gives nothing: the next call goes on.
 * @config: its limits, transports and node_id count. enabled comes from @plan;
 * the lease, the selectors, the protocol's number and the bits of uses that no
 * plan sets stay.
 *
 * Return: 0, or the first negative errno.
 */
int datapath_apply(struct datapath *dp, const struct mesh_plan *plan,
		   const struct smc_config *config,
		   struct datapath_changes *did);

/* datapath_config - The configuration applied now, by us or an agent before us.
 * Return: 0; -ENOENT: there is no such map; or another negative errno. */
int datapath_config(const struct datapath *dp, struct smc_config *out);

/*
 * datapath_offer_until - Move the lease: smc_config.offers_until_ns, which
 * datapath_apply() leaves as it is. @ns: CLOCK_MONOTONIC, or SMC_NO_END.
 * Return: 0, also if there are no maps; or a negative errno.
 */
int datapath_offer_until(const struct datapath *dp, __u64 ns);

/* datapath_offers_left - Seconds until the lease of @c ends; 0: it has ended,
 * INFINITY: it has no end. */
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
/* datapath_each_flow - The open flows, then the closed ones that are still kept
 * (v->closed), both in no order. @open_only: only the former. */
int datapath_each_flow(struct datapath *dp, bool open_only, datapath_flow_fn fn,
		       void *arg);

/*
 * datapath_closed_since - The flows that closed after the one of number
 * *@serial, the oldest first. The map keeps SMC_FLOW_CLOSED_ENTRIES of them.
 * @serial: moved to the last one that there is. @missed: raised by those that
 *          were overwritten by others since, or are being written now.
 * @fn:     NULL: only move *@serial.
 * Return: 0, also where there are no maps; or a negative errno.
 */
typedef void (*datapath_closed_fn)(const struct smc_flow *v, void *arg);
int datapath_closed_since(const struct datapath *dp, __u64 *serial,
			  __u64 *missed, datapath_closed_fn fn, void *arg);

/* datapath_flow_seen - Put @v, which socket diagnosis found out, in place of
 * the open record at @key, if there still is one.
 * Return: 0; -ENOENT: it has gone; or another negative errno. */
int datapath_flow_seen(struct datapath *dp, const struct smc_handshake *key,
		       const struct smc_flow *v);

/* datapath_flow_close - Move the open record at @key to the closed ones, as @v.
 * Return: as above. */
int datapath_flow_close(struct datapath *dp, const struct smc_handshake *key,
			const struct smc_flow *v);

/* datapath_flows_evicted - May a flow that was opened since its pod was armed
 * have no record: were some lost for want of room? */
bool datapath_flows_evicted(struct datapath *dp);
int datapath_each_counter(struct datapath *dp, datapath_counter_fn fn,
			  void *arg);

/* datapath_slot_counters - The same of one slot. Return: 0, also where there is
 * no such map; what @fn returned; or a negative errno. */
int datapath_slot_counters(struct datapath *dp, __u32 slot,
			   datapath_counter_fn fn, void *arg);

/* datapath_usage - What the pod of this slot (smc_slot()) holds now; of
 * SMC_SLOT_NODE: all. Return: 0 or a negative errno; @out is zero then, and if
 * there is no such map. */
int datapath_usage(const struct datapath *dp, __u32 slot,
		   struct smc_usage *out);

/* datapath_each_quarantine - What pods hold against peers; also rows that have
 * ended, which BPF remembers. */
typedef int (*datapath_quarantine_fn)(const struct smc_quarantine_key *key,
				      const struct smc_quarantine *v,
				      void *arg);
int datapath_each_quarantine(struct datapath *dp, datapath_quarantine_fn fn,
			     void *arg);

/* datapath_quarantine_clear - Delete all rows against @peer, of any pod; NULL:
 * against all peers. Pods offer them SMC again at once. Return: number of rows
 * deleted, or a negative errno (some may be gone then). */
int datapath_quarantine_clear(struct datapath *dp,
			      const struct smc_addr_port *peer);

/* datapath_forget_pod - Set a pod's counters to 0, and its own limits to none,
 * which frees its slot. */
int datapath_forget_pod(struct datapath *dp, __u32 pod_id);

/* datapath_sweep_counters - The same for every slot that is not @known; the
 * slots of no pod stay. Return: number of slots that were not 0, or a negative
 * errno. */
typedef bool (*datapath_known_fn)(__u32 slot, void *arg);
int datapath_sweep_counters(struct datapath *dp, datapath_known_fn known,
			    void *arg);

/* ---- questions: nothing is changed ---- */

struct datapath_verdict {
	__u32 reason;	  /* enum smc_reason; NONE: accelerate */
	__u32 transports; /* of both ends */
};

/* datapath_ask_verdict - Run the verdict for the connection of @job, in the
 * kernel, by its maps as they are now.
 * Return: 0; -ENOSYS: the program is not loaded; or another negative errno. */
must_check int datapath_ask_verdict(const struct datapath *dp,
				    struct smc_verdict_job *job,
				    struct datapath_verdict *out);

/* The rows that a verdict reads of a peer; those without `has` are zero. */
struct datapath_peer {
	bool has_endpoint, has_service, has_path;
	bool mesh_excludes, pod_excludes, cidr_excludes;
	struct smc_endpoint endpoint;
	struct smc_service service;
	struct smc_path path;
	struct smc_port mesh_ports, pod_ports; /* the blocks, if they exclude */
	/* Of the pod, and of all pods; rows that have ended, too. */
	bool has_quarantine[2];
	struct smc_quarantine_key against[2];
	struct smc_quarantine quarantine[2];
};

/* datapath_peer_rows - Look them up for the connection of @job; where there are
 * no maps none is there. */
void datapath_peer_rows(const struct datapath *dp, __u32 pod_id,
			const struct smc_verdict_job *job,
			struct datapath_peer *out);

/* ---- rations ---- */

/* datapath_rations - Does BPF count and ration SMC sockets under way? Not if
 * the kernel lacks one of the functions by which they come and go. */
bool datapath_rations(const struct datapath *dp);

/* datapath_rationed - How many sockets of this slot became plain TCP, or were
 * refused, by the ration; of SMC_SLOT_NODE: all. Return: 0 or a negative
 * errno. */
int datapath_rationed(struct datapath *dp, __u32 slot, __u64 *out);

/* datapath_limit_pod - Set a pod's own bounds, 0: the mesh's. Return: 0, or a
 * negative errno. */
int datapath_limit_pod(const struct datapath *dp, __u32 pod_id,
		       __u32 pending_max, __u32 connections_max);

/* datapath_each_pending - The SMC sockets that are counted as under way, in no
 * order. Return: as the others above. */
typedef int (*datapath_pending_fn)(__u64 cookie, const struct smc_pending *v,
				   void *arg);
int datapath_each_pending(struct datapath *dp, datapath_pending_fn fn,
			  void *arg);

/* datapath_pending_drop - Uncount this one. Return: 0; -ENOENT: it is not
 * counted (any more); or another negative errno. */
int datapath_pending_drop(const struct datapath *dp, __u64 cookie);

/* datapath_pending_counts - How many are counted as under way: @out has
 * SMC_PODS numbers, by slot. Return: 0 or a negative errno. */
int datapath_pending_counts(struct datapath *dp, __u32 *out);

/* datapath_pending_mend - Add @n, which may be negative, to the count of one
 * slot. Return: 0 or a negative errno. */
int datapath_pending_mend(const struct datapath *dp, __u32 slot, __s32 n);

/* ---- RDMA paths ---- */

/* datapath_use_paths - From now on use RDMA only over proven paths, whether or
 * not an agent is there to prove them. Return: 0, also if there are no maps; or
 * a negative errno. */
int datapath_use_paths(struct datapath *dp);

/* datapath_each_path - The rows of smc_path, in no order. Return: as the others
 * above. */
typedef int (*datapath_path_fn)(const struct smc_path_key *key,
				const struct smc_path *v, void *arg);
int datapath_each_path(struct datapath *dp, datapath_path_fn fn, void *arg);

/* datapath_path_told - Record a probe's result for a path; abi.h has the job.
 * Return: 0 with job->made set, or a negative errno. */
int datapath_path_told(const struct datapath *dp, struct smc_path_job *job);

/* datapath_path_drop - Delete a path. Return: 0, also if it was not known; or a
 * negative errno. */
int datapath_path_drop(const struct datapath *dp,
		       const struct smc_path_key *key);

/*
 * datapath_take_over - The second half of a live upgrade, when looks have put
 * our selector into every namespace that the agent of another ABI had armed:
 * detach its links, add its counters to ours, take its open flows as opened
 * before the upgrade, remove its maps.
 * (The first half is in datapath_open(): it copies that agent's maps into ours,
 * so that the verdict is the same when a namespace gets our selector.) Return:
 * 0, also if there is nothing to take over; or a negative errno.
 */
int datapath_take_over(struct datapath *dp);

/* datapath_events_fd - The ring buffer's epoll fd for the loop, or -1; on
 * POLLIN call datapath_events_read(). */
int datapath_events_fd(const struct datapath *dp);
typedef void (*datapath_event_fn)(const struct smc_event *e, void *arg);

/* datapath_events_read - Hand over a bounded number of events: POLLIN comes
 * again while there are more. Return: number of events, or a negative errno. */
#define DATAPATH_EVENTS_AT_ONCE 1024
int datapath_events_read(struct datapath *dp, datapath_event_fn fn, void *arg);

/*
 * datapath_check - Is everything still attached, pinned and registered as we
 * made it? Heals what is missing (re-pin, re-attach, register anew). It reports
 * and leaves a pin that another process made in the place of ours. It logs an
 * error when it comes, not again while it lasts.
 * @repairs: their number, also if something else could not be repaired.
 * Return: 0, or the first negative errno (the rest was still done).
 */
int datapath_check(struct datapath *dp, unsigned int *repairs);

/*
 * datapath_remove - `smcmesh cleanup`'s BPF part: links, struct_ops maps of
 * ours (every generation, found by name), map pins, the directory. It leaves
 * what is not ours. @said: one line for each thing removed or left, and why.
 * @keep_selector: namespaces still hold SMC sockets: leave the newest ctrl
 * registered, and the maps that its verdict reads, switched off: it denies
 * everything.
 * @opt->abi: only pins of an agent of that ABI; 0: of every ABI.
 * No agent may be running. Return: 0, or the first negative errno, logged; but
 * not if the pins cannot be listed, as datapath_abis() tells.
 */
int datapath_remove(const struct datapath_options *opt, bool keep_selector,
		    struct buf *said);

/* datapath_abis - The ABIs that have pins, in ascending order. Return: their
 * number, of which at most @room are written; or a negative errno. */
int datapath_abis(const struct datapath_options *opt, unsigned int *out,
		  size_t room);
