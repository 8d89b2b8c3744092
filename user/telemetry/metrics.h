/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics: Prometheus text format 0.0.4, and its reference. The caller
 * collects the numbers; this adds names, help, labels and escapes.
 *
 * Labels are bounded: pods of this node, and the tables of counters.h,
 * reasons.h and fallback.h. The slot of a pod's number has its counters. Slots
 * without a name (any more) count under namespace="", pod="". What belongs to
 * pods has no sample before it was other than 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>
#include <smcmesh/counters.h>
#include <smcmesh/reasons.h>
#include "base/buf.h"
#include "mesh/path_turns.h"
#include "telemetry/histogram.h"

/* X(ID, family without "smcmesh_", type, labels for the reference, help) */
#define METRICS(X)                                                              \
	X(BUILD_INFO, "build_info", "gauge", "version, revision",               \
	  "Always 1; the labels say of what the agent was built: version and "  \
	  "commit.")                                                            \
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
	X(ALLOCATED, "node_smc_allocated_bytes", "gauge", "",                   \
	  "Memory of all SMC buffers of this machine, pinned: also what link "  \
	  "groups keep for their next connections, and others' sockets have.")  \
	X(LIMIT, "limit", "gauge", "resource, of",                              \
	  "How much a pod, or the node, may hold at once: SmcMesh "             \
	  "spec.limits, and of the memory what others' SMC leaves.")            \
	X(PENDING, "sockets_pending", "gauge", "namespace, pod",                \
	  "SMC sockets under way: neither listening nor connected, fallen "     \
	  "back or closed. Those of no armed pod have no name.")                \
	X(NODE_PENDING, "node_sockets_pending", "gauge", "",                    \
	  "SMC sockets under way on this node.")                                \
	X(QUARANTINED, "quarantined_peers", "gauge", "",                        \
	  "Peers (address and port) in quarantine now, by whatever pod.")       \
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
	X(BYTES, "bytes_total", "counter",                                      \
	  "namespace, pod, transport, direction",                               \
	  "Payload of armed pods: over SMC as the kernel counts it in their "   \
	  "network namespace, over tcp that of connections which have ended.")  \
	X(CONNECT_LATENCY, "connect_latency_seconds", "histogram", "outcome",   \
	  "Time from the SYN until it was known what became of a connection, "  \
	  "of clients here whose handshake was watched, once the connection "   \
	  "has ended.")                                                         \
	X(POD_ARMING, "pod_arming_seconds", "histogram", "",                    \
	  "Time from when the agent saw that a pod is to be armed until it "    \
	  "was; of pods that came while the agent ran.")                        \
	X(EVENT_TO_MAP, "event_to_map_seconds", "histogram", "",                \
	  "Time from news of the source until the datapath's maps said it.")    \
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
	X(RECORDS_MISSED, "flow_records_missed_total", "counter", "",           \
	  "Records of ended connections that were overwritten before the "      \
	  "agent had read them: smcmesh_bytes_total and "                       \
	  "smcmesh_connect_latency_seconds lack these.")                        \
	X(START_TIME, "start_time_seconds", "gauge", "",                        \
	  "When the agent started, seconds since 1970.")

/* The same of the names that every program has: the prefix is "process_". */
#define PROCESS_METRICS(X)                                               \
	X(CPU, "cpu_seconds_total", "counter", "",                       \
	  "Processor time of the agent, without that of its helpers.")   \
	X(RESIDENT, "resident_memory_bytes", "gauge", "",                \
	  "Resident memory of the agent, without the datapath's maps.")  \
	X(OPEN_FDS, "open_fds", "gauge", "", "Its open descriptors.")    \
	X(MAX_FDS, "max_fds", "gauge", "", "How many it may have open.") \
	X(BEGAN, "start_time_seconds", "gauge", "",                      \
	  "When the agent started, seconds since 1970.")

#define METRIC_ENUM(id, name, type, labels, help) METRIC_##id,
enum metric { METRICS(METRIC_ENUM) PROCESS_METRICS(METRIC_ENUM) METRIC_MAX };
#undef METRIC_ENUM

/* By what the numbers of pods are told apart. */
enum metrics_labels {
	METRICS_BY_POD,	      /* namespace, pod */
	METRICS_BY_NAMESPACE, /* namespace: the sums of its pods */
	METRICS_BY_NONE,      /* no label: the sum of all */
};

/* metrics_labels_parse - "pod", "namespace" or "none". Return: 0; -EINVAL: it
 * is none of them, and @out is untouched. */
int metrics_labels_parse(const char *text, enum metrics_labels *out);

/* What is counted at a slot: struct smc_counters, and bytes behind it. */
enum metrics_bytes {
	METRICS_SMCR_RX,
	METRICS_SMCR_TX,
	METRICS_SMCD_RX,
	METRICS_SMCD_TX,
	METRICS_TCP_RX,
	METRICS_TCP_TX,
	METRICS_BYTES_MAX
};

#define METRICS_SUM_BYTES SMC_COUNTERS_ROOM /* + enum metrics_bytes */
#define METRICS_SUMS (METRICS_SUM_BYTES + METRICS_BYTES_MAX)

/* Gauges of a pod. */
enum metrics_gauge {
	METRICS_LATE_LISTENERS,
	METRICS_LATE_FLOWS,
	METRICS_CONNECTIONS,
	METRICS_BUFFER_BYTES,
	METRICS_PENDING,
	METRICS_GAUGES
};

struct metrics_pod {
	__u32 id; /* 0: it has no number */
	const char *ns, *name;
	bool armed;
	enum smc_reason reason;
	__u64 gauge[METRICS_GAUGES];
	/* Those that were other than 0 once, a bit each: metrics_rows.h. */
	unsigned int shown;
	__u64 bytes[METRICS_BYTES_MAX];
};

struct metrics_counter {
	struct smc_counter_key key;
	__u64 value;
};

struct metrics_fallback {
	__u32 pod_id; /* METRICS_BY_POD only */
	__u32 code;   /* as in struct smc_flow */
	__u64 count;
	const char *ns; /* METRICS_BY_NAMESPACE only: borrowed */
};

/*
 * Where sums are shown: what pods that have gone had counted, so that a sum
 * never falls, for a counter that falls has begun anew. It is counted modulo
 * 2^64: what was there when the agent began is taken off, as if the agent had
 * counted by itself.
 */
struct metrics_gone {
	char *ns; /* METRICS_BY_NONE: "" */
	__u64 sum[METRICS_SUMS];
};

struct metrics_process {
	double cpu_seconds, start_time;
	__u64 resident, open_fds, max_fds;
};

struct metrics_feature {
	const char *label;
	bool present;
};

struct metrics {
	enum metrics_labels labels;
	const char *version, *revision; /* base/revision.h: the commit */
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
	struct metrics_counter *counters;
	size_t n_counters;
	const struct metrics_gone *gone; /* not METRICS_BY_POD */
	size_t n_gone;
	const struct metrics_fallback *fallbacks;
	size_t n_fallbacks;
	size_t quarantined;
	__u64 allocated;
	const struct histogram *connect; /* by enum smc_outcome, or NULL */
	struct histogram arming, event_to_map;
	__u64 records_missed;
	struct metrics_process process;
	__u64 reconciles_ok, reconciles_failed;
	double reconcile_seconds;
	__u64 looks[2]; /* into pods that were not armed, and that were */
	__u64 map_full, repairs, stream_dropped;
	double start_time;
};

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* metrics_write - Append the whole exposition to @out. Return: 0 or -ENOMEM. */
int metrics_write(struct buf *out, const struct metrics *m);

/* metrics_reference - Append the reference as Markdown: every family, every
 * reason, every code. Return: 0 or -ENOMEM. */
int metrics_reference(struct buf *out);
