/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: Prometheus text format 0.0.4, and its reference. The caller
 * collects the numbers; this adds names, help, labels and escapes.
 *
 * Labels are bounded: pods of this node, and the tables of counters.h,
 * reasons.h and fallback.h. The slot of a pod's number has its counters. Slots
 * without a name (any more) count under namespace="", pod="".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>
#include <smcmesh/counters.h>
#include <smcmesh/reasons.h>
#include "base/buf.h"
#include "mesh/path_turns.h"

/* X(ID, family without "smcmesh_", type, labels for the reference, help) */
#define METRICS(X)                                                              \
	X(BUILD_INFO, "build_info", "gauge", "version",                         \
	  "Always 1; the version is in the label.")                             \
	X(CAPABILITY, "capability", "gauge", "feature",                         \
	  "What this node can do: 1 or 0. The feature smc stands for all that " \
	  "is needed to make connections SMC.")                                 \
	X(READY, "ready", "gauge", "",                                          \
	  "1 once the first sync is done and the desired state is reached.")    \
	X(MESH_ENABLED, "mesh_enabled", "gauge", "", "The mesh switch.")        \
	X(OFFERS_LEFT, "offers_left_seconds", "gauge", "",                      \
	  "For how long clients here may offer SMC without a further sign of "  \
	  "life of the agent: the lease. +Inf: without an end.")                \
	X(SOURCE_OK, "source_ok", "gauge", "",                                  \
	  "1 while the source of pods and configuration can be read.")          \
	X(SOURCE_AGE, "source_age_seconds", "gauge", "",                        \
	  "How old the knowledge of who is an endpoint is: for how long the "   \
	  "API server was silent, by the watch that was so for longest. Of a "  \
	  "file, and where no pod is annotated: 0.")                            \
	X(SOURCE_NOTES, "source_notes", "gauge", "",                            \
	  "Objects or values of the source that were left out.")                \
	X(PODS, "pods", "gauge", "state, reason",                               \
	  "Pods of this node by whether they are armed, and why not.")          \
	X(ENDPOINTS, "endpoints", "gauge", "",                                  \
	  "Addresses to which SMC may be offered, as the datapath held them "   \
	  "after the last reconcile.")                                          \
	X(LATE_LISTENERS, "late_listeners", "gauge", "namespace, pod",          \
	  "TCP listeners opened before their pod was armed: they stay TCP.")    \
	X(LATE_FLOWS, "late_flows", "gauge", "namespace, pod",                  \
	  "Connections that are TCP only because they were opened before both " \
	  "ends were endpoints: smcmesh reopen ends them.")                     \
	X(CONNECTIONS, "smc_connections", "gauge", "namespace, pod",            \
	  "SMC connections of armed pods that are open or agreed on.")          \
	X(BUFFER_BYTES, "smc_buffer_bytes", "gauge", "namespace, pod",          \
	  "Memory of their buffers, which the kernel charges to no cgroup.")    \
	X(NODE_CONNECTIONS, "node_smc_connections", "gauge", "",                \
	  "SMC connections of all armed pods of this node.")                    \
	X(NODE_BUFFER_BYTES, "node_smc_buffer_bytes", "gauge", "",              \
	  "Memory of their buffers.")                                           \
	X(LIMIT, "limit", "gauge", "resource, of",                              \
	  "How much a pod, or the node, may hold at once: SmcMesh "             \
	  "spec.limits, and of the memory what others' SMC leaves.")            \
	X(PENDING, "sockets_pending", "gauge", "namespace, pod",                \
	  "SMC sockets under way: neither listening nor connected, fallen "     \
	  "back or closed. Those of no armed pod have no name.")                \
	X(NODE_PENDING, "node_sockets_pending", "gauge", "",                    \
	  "SMC sockets under way on this node.")                                \
	X(CONFLICTS, "address_conflicts", "gauge", "",                          \
	  "Addresses that two pods created at the same time claim: neither "    \
	  "has it.")                                                            \
	X(PATHS, "rdma_paths", "gauge", "state",                                \
	  "RDMA paths from ports of this node by what is known of them.")       \
	X(PUBLISHED, "smcnode_published", "gauge", "",                          \
	  "1 while the API server has what this node publishes; of source "     \
	  "kube only.")                                                         \
	X(BYPASSED, "flows_bypassed_total", "counter",                          \
	  "namespace, pod, reason",                                             \
	  "Flows of armed pods that stayed TCP by our verdict.")                \
	X(FALLBACKS, "fallbacks_total", "counter", "namespace, pod, code",      \
	  "Offered flows that did not become SMC, by the kernel's reason, as "  \
	  "this agent saw them.")                                               \
	X(PATH_PROBES, "rdma_path_probes_total", "counter", "result",           \
	  "Probes of RDMA paths: answered, unanswered, or failed, which says "  \
	  "nothing of the path.")                                               \
	X(RECONCILES, "reconciles_total", "counter", "result",                  \
	  "Comparisons of what should be with what is.")                        \
	X(RECONCILE_SECONDS, "reconcile_duration_seconds", "summary", "",       \
	  "Time that reconciles took.")                                         \
	X(LOOKS, "looks_total", "counter", "state",                             \
	  "Looks into pods by whether they were armed. One that cannot be "     \
	  "armed is looked at less and less often, in the end once a minute, "  \
	  "and at once when something of it changes.")                          \
	X(MAP_FULL, "map_full_total", "counter", "",                            \
	  "Rows left out because a map of the datapath was full, each once "    \
	  "while it lasts.")                                                    \
	X(REPAIRS, "drift_repairs_total", "counter", "",                        \
	  "Things that someone else had removed or changed, put back.")         \
	X(STREAM_DROPPED, "flow_stream_dropped_total", "counter", "",           \
	  "Events that a reader of the flow stream was too slow for.")          \
	X(START_TIME, "start_time_seconds", "gauge", "",                        \
	  "When the agent started, seconds since 1970.")

#define METRIC_ENUM(id, name, type, labels, help) METRIC_##id,
enum metric { METRICS(METRIC_ENUM) METRIC_MAX };
#undef METRIC_ENUM

struct metrics_pod {
	__u32 id; /* 0: it has no number */
	const char *ns, *name;
	bool armed;
	enum smc_reason reason;
	unsigned int late_listeners;
	size_t late_flows;
	struct smc_usage usage;
};

struct metrics_counter {
	struct smc_counter_key key;
	__u64 value;
};

struct metrics_fallback {
	__u32 pod_id;
	__u32 code; /* as in struct smc_flow */
	__u64 count;
};

struct metrics_feature {
	const char *label;
	bool present;
};

struct metrics {
	const char *version;
	const struct metrics_feature *features;
	size_t n_features;
	bool ready, mesh_enabled, source_ok;
	unsigned int source_notes;
	/* False before the first reconcile: the agent cannot tell the counters'
	 * pods then, so it leaves out all that belongs to pods. */
	bool knows_pods;
	const struct metrics_pod *pods;
	size_t n_pods;
	bool rations; /* does BPF count sockets under way? */
	struct smc_usage node_usage, strangers; /* of SMC_SLOT_STRANGERS */
	struct smc_limits limits;
	double offers_left; /* seconds, or INFINITY */
	double source_age;  /* seconds */
	size_t endpoints;
	size_t conflicts;
	size_t paths[MESH_PATH_STATES];
	__u64 probes_answered, probes_unanswered, probes_failed;
	bool publishes, published; /* does it publish at all; all of it? */
	struct metrics_counter *counters; /* metrics_write() sorts it */
	size_t n_counters;
	bool named[SMC_PODS]; /* slots of these pods: set by metrics_write() */
	const struct metrics_fallback *fallbacks;
	size_t n_fallbacks;
	__u64 reconciles_ok, reconciles_failed;
	double reconcile_seconds;
	__u64 looks[2]; /* into pods that were not armed, and that were */
	__u64 map_full, repairs, stream_dropped;
	double start_time;
};

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* metrics_write - Append the whole exposition to @out. Return: 0 or -ENOMEM. */
int metrics_write(struct buf *out, struct metrics *m);

/* metrics_reference - Append the reference as Markdown: every family, every
 * reason, every code. Return: 0 or -ENOMEM. */
int metrics_reference(struct buf *out);
