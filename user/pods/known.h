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

struct cluster; /* cluster/cluster.h */
struct http;	/* serve/http.h */
struct http_feed;

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
	bool left;	      /* the last reconcile put work off... */
	bool starts_left;     /* ...for which pods that start wait */
	unsigned int starved; /* pods whose first look had no processor */
	__u64 done[2];	      /* at pods that were not armed, and that were */
};

/* lateness.c: socket diagnosis. */
struct late {
	uv_timer_t timer;
	bool unswept; /* open records are to be looked through */
};

/* serve/api_flows.c: the stream of flows. */
struct flow_stream {
	struct http_feed *feed;
	bool followed; /* the datapath tells all of each flow */
	__u64 dropped;
};

struct agent_counts {
	__u64 reconciles_ok, reconciles_failed;
	double reconcile_seconds;
	__u64 map_full, repairs;
};

struct agent {
	const struct agent_options *opt;
	uv_loop_t loop;
	struct turn turn; /* a reconcile */
	uv_timer_t resync, pause;
	uv_signal_t term, intr, hup;
	uv_poll_t events;
	bool events_open; /* the datapath has a ring buffer */
	bool stopping;

	struct source *source;
	struct cluster *cluster; /* NULL: a file is the source */
	struct datapath *dp;
	struct looks looks;
	struct late late;
	struct http *metrics, *control;
	struct flow_stream stream;
	struct hooks hooks;
	char listening[64];
	char kernel[65];
	double start_time;  /* seconds since 1970 */
	__u64 start_hrtime; /* uv_hrtime() */

	struct mesh_host host;
	char encrypts[ENCRYPT_TEXT_MAX];     /* of host; "": nothing does */
	bool encrypts_known, encrypts_fresh; /* ever, and since the resync */
	struct local local;		     /* of host */
	bool local_known, local_fresh;	     /* likewise */
	int local_err;			     /* of the last look at it */
	__u32 transports;     /* of the node, as far as they may be used */
	__u32 own_transports; /* of its own devices, as last seen */
	bool can_convert; /* this kernel; host.converter: and the datapath */
	struct pods pods;
	struct rations rations;
	struct paths paths;
	struct owners owners;
	struct lease lease;
	char **warnings; /* of the last plan */
	size_t n_warnings;
	char *notes; /* of the source, as last logged */
	bool mesh_enabled;
	char ueid[MESH_UEID_MAX + 1];
	int ueid_err;
	struct metrics_fallback *fallbacks;
	size_t n_fallbacks;
	struct agent_counts counts;

	size_t n_conflicts;
	/* Of the last reconcile, and until the source changes: it points into
	 * the source's world. */
	struct mesh_plan plan;
	bool synced;	/* one reconcile was done without an error */
	bool swept;	/* counters of pods that went before this agent */
	bool took_over; /* from an agent of another ABI, or there was none */
	/* Selectors older than this one are unregistered. */
	char retired_for[SMC_CTRL_NAME_MAX];
	int err; /* of the last reconcile */
	/* Rows of smc_endpoint after the last reconcile that could write them,
	 * before the first one as the agent before us left them. Each counts
	 * them anew: what somebody else took away is missing until then. */
	unsigned int n_endpoints;
	unsigned int full;    /* rows left out by the last reconcile */
	unsigned int missing; /* of those, rows that deny */
	bool off; /* for want of them nothing is offered or answered here */
	__u64 buffers_beside; /* budget.h, bytes */
	int budget_err;	      /* of the last look */
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

/* agent_repairs - How much was put back that was missing or wrong. */
__u64 agent_repairs(const struct agent *a);

/* agent_capable - Can connections become SMC here at all? */
bool agent_capable(const struct agent *a);
