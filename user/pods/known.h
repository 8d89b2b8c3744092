/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent knows: its state. */
#pragma once

#include <uv.h>
#include "pods/hook_times.h"
#include "pods/lease.h"
#include "pods/path_probes.h"
#include "loop/turn.h"
#include "pods/options.h"
#include "pods/pods.h"
#include "pods/rations.h"
#include "pods/starting.h"
#include "pods/netns_dirs.h"
#include "datapath/datapath.h"
#include "source/source.h"
#include "node/encrypt.h"
#include "node/local_addrs.h"
#include "node/ns_settings.h"
#include "telemetry/metrics.h"

/* What is known of an address beyond the kernel's row. */
struct endpoint_name {
	struct smc_addr addr;
	__u64 since_ns; /* CLOCK_MONOTONIC; 0: before this agent */
	char *node, *ns, *pod, *uid;
};

/* The same of an address and port that is no endpoint's. */
struct service_name {
	struct smc_addr_port key;
	char *ns, *service, *pod;  /* of a hostNetwork pod: pod, else service */
	enum mesh_service_why why; /* both: struct plan_service */
	struct smc_addr stranger;
};

struct cluster;	  /* cluster/cluster.h */
struct http_feed; /* serve/http.h */

/* row_owners.c: whose the rows in the kernel are. */
struct owners {
	struct endpoint_name *names; /* sorted by address */
	size_t n_names;
	struct service_name *services; /* sorted by address, port */
	size_t n_services;
};

/* looks.c: what came of the looks into pods. */
struct looks {
	uv_timer_t retry;
	struct watch *watch;
	struct starts *starts;
	bool left;	      /* the last reconcile left work over */
	bool starts_left;     /* of it, looks at pods that are not armed yet */
	unsigned int starved; /* pods whose first look had no processor */
	__u64 done[2];	      /* looks: [0] at unarmed pods, [1] at armed */
	struct histogram arming; /* from pod.wanted_ns until it was armed */
};

/* lateness.c: socket diagnosis. */
struct late {
	uv_timer_t timer;
	bool unswept; /* the open records must be looked through */
};

/* Counted by the datapath, of all pods that it knows. */
struct flow_losses {
	__u64 events; /* the ring had no room for them */
	__u64 flows;  /* no record could be made of them */
};

/* serve/api_flow_stream.c: the stream of flows. */
struct flow_stream {
	struct http_feed *feed;
	bool followed; /* the datapath tells all of each flow */
	__u64 dropped;
	struct flow_losses told; /* its readers know of these */
};

/* agent/agent.c: this process. */
struct agent_self {
	char listening[64]; /* for metrics */
	char kernel[65];
	double start_time;  /* seconds since 1970 */
	__u64 start_hrtime; /* uv_hrtime() */
};

/* agent/runs.c: programs of `smcmesh run`, and the source's world with them. */
struct runs {
	struct run {
		char *path; /* of its cgroup, below the mount */
		char *name, *uid;
		bool empty; /* the last resync saw no process there */
		bool over;  /* it has ended: the next world is without it */
	} *v;
	size_t n;
	struct mesh_world world; /* shares all but `pods` with the source's */
	bool made;		 /* world is up to date */
};

/* agent/host_seen.c, local_services.c, budget.c, runs.c: what was seen of this
 * node. */
struct host_seen {
	struct mesh_host mesh;
	bool can_convert; /* this kernel; mesh.converter: the datapath, too */
	char encrypts[ENCRYPT_TEXT_MAX];     /* of mesh; "": nothing does */
	bool encrypts_known, encrypts_fresh; /* ever, and since the resync */
	struct local local;		     /* of mesh */
	bool local_known, local_fresh;	     /* likewise */
	int local_err;			     /* of the last look at it */
	__u32 own_transports;		     /* of its devices, as last seen */
	char ueid[MESH_UEID_MAX + 1];	     /* as it was last added */
	int ueid_err;
	struct settings_want settings; /* its spec: as looked with */
	bool settings_due;	       /* what nobody needs must go */
	int settings_files;   /* left by the last sweep of RUN/settings */
	__u64 buffers_beside; /* budget.h, bytes */
	int budget_err;	      /* of the last look at it */
	struct runs runs;
};

/* agent/reconcile.c, adopt_slots.c: what the last reconcile made. */
struct reconciled {
	/* Until the source changes: it points into the source's world. */
	struct mesh_plan plan;
	char **warnings; /* of the plan */
	size_t n_warnings;
	size_t n_conflicts;
	bool mesh_enabled;
	__u32 transports; /* of the node, as far as they may be used */
	bool synced;	  /* one reconcile was done without an error */
	int err;	  /* of the last one */
	/* Rows of smc_endpoint after the last reconcile that could write them;
	 * before the first one, as the agent before us left them. A row that
	 * another program removes is counted until the next reconcile. */
	unsigned int n_endpoints;
	unsigned int full;    /* rows left out */
	unsigned int missing; /* of those, rows that deny */
	bool off; /* for want of them nothing is offered or answered here */
};

/* agent/handover.c: which leftovers of agents before this one it has handled.
 */
struct handover {
	bool swept;	/* counters of pods deleted before it are removed */
	bool took_over; /* from an agent of another ABI, or there was none */
	/* Selectors older than this one are unregistered. */
	char retired_for[SMC_CTRL_NAME_MAX];
};

/* What was sent and received for a pod. */
struct pod_bytes {
	__u32 pod_id; /* 0: nobody's yet */
	__u64 n[METRICS_BYTES_MAX];
	/* What the kernel said last of SMC in its namespace, which is gone with
	 * the namespace. */
	__u64 cookie; /* of that; 0: it was not asked yet */
	__u64 seen[METRICS_BYTES_MAX];
};

/* agent/: since the start. */
struct agent_counts {
	__u64 reconciles_ok, reconciles_failed;
	double reconcile_seconds;
	__u64 map_full, repairs;
	struct metrics_fallback *fallbacks;
	size_t n_fallbacks;
	__u64 news_ns; /* the first news that no map has yet; 0: none */
	struct histogram event_to_map;
	/* ended.c: of flows that have ended, as far as their records were read:
	 * connect latency by outcome, and payload over TCP in `bytes`. */
	__u64 ended_serial, ended_missed;
	struct histogram connect[SMC_OUTCOME_FAILED + 1];
	__u64 traffic_at; /* traffic.c: uv_hrtime() of the last reading */
	struct pod_bytes bytes[SMC_PODS]; /* by slot */
	struct metrics_gone *gone;	  /* gone.c */
	size_t n_gone;
};

/*
 * All that the agent knows. The room (mostly one file) that is named beside a
 * member, or over its type, changes that; all rooms above read it.
 */
struct agent {
	const struct agent_options *opt;
	uv_loop_t loop;
	struct turn turn; /* a reconcile */
	struct agent_self self;
	struct source *source;	 /* agent/agent.c opens and closes it */
	struct datapath *dp;	 /* likewise */
	struct cluster *cluster; /* cluster/cluster.c; NULL: there is none */
	struct host_seen host;
	struct reconciled last;
	struct handover handover;
	struct agent_counts counts;
	struct pods pods;	   /* pods/pods.c */
	struct looks looks;	   /* pods/looks.c */
	struct late late;	   /* pods/lateness.c */
	struct owners owners;	   /* pods/row_owners.c */
	struct hooks hooks;	   /* pods/hook_times.c */
	struct lease lease;	   /* pods/lease.c */
	struct rations rations;	   /* pods/rations.c */
	struct paths paths;	   /* pods/path_probes.c */
	struct flow_stream stream; /* serve/api_flow_stream.c */
};

/* ---- row_owners.c -----------------------------------------------------------
 */

/* names_keep - Copy them from the plan, instead of those of the last one.
 * Return: 0 or -ENOMEM, some are missing then. */
must_check int names_keep(struct agent *a, const struct mesh_plan *plan);
void names_forget(struct agent *a);

/* agent_endpoint - What is known of an endpoint's address, or NULL. */
const struct endpoint_name *agent_endpoint(const struct agent *a,
					   const struct smc_addr *addr);

/* agent_endpoint_since - Since when it is one: struct endpoint_name. */
__u64 agent_endpoint_since(const struct agent *a, const struct smc_addr *addr);

/* agent_service - What is known of a row of smc_service, or NULL. */
const struct service_name *agent_service(const struct agent *a,
					 const struct smc_addr_port *key);

/* ---- known.c ----------------------------------------------------------- */

/* pod_bytes_of - Of the pod of that number; NULL: nothing is known. */
const struct pod_bytes *pod_bytes_of(const struct agent_counts *counts,
				     __u32 pod_id);

/* pod_bytes_take - Likewise, made where there is none. NULL: another pod has
 * its slot by now. */
struct pod_bytes *pod_bytes_take(struct agent_counts *counts, __u32 pod_id);

/* agent_repairs - How much was put back that was missing or wrong. */
__u64 agent_repairs(const struct agent *a);

/* agent_capable - Can connections become SMC here at all? */
bool agent_capable(const struct agent *a);
