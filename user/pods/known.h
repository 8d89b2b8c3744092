/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent knows: its state. */
#pragma once

#include <uv.h>
#include "pods/hook_times.h"
#include "pods/path_probes.h"
#include "base/memory.h"
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

struct agent_counts {
	__u64 reconciles_ok, reconciles_failed;
	double reconcile_seconds;
	__u64 looks[2]; /* at pods that were not armed, and that were */
	__u64 map_full, repairs, stream_dropped;
};

struct agent {
	const struct agent_options *opt;
	uv_loop_t loop;
	struct turn turn; /* a reconcile */
	uv_timer_t resync, retry, pause, diagnose;
	uv_signal_t term, intr, hup;
	uv_poll_t events;
	bool events_open; /* the datapath has a ring buffer */
	bool stopping;
	struct memory_kept memory; /* due: the world has changed */

	struct source *source;
	struct cluster *cluster; /* NULL: a file is the source */
	struct datapath *dp;
	struct watch *watch;
	struct starts *starts;
	struct http *metrics, *control;
	struct http_feed *flows;
	bool followed; /* the datapath tells all of each flow */
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
	struct endpoint_name *names; /* sorted by address */
	size_t n_names;
	struct service_name *services; /* sorted by address, port */
	size_t n_services;
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
	bool looks_left;      /* work that the last reconcile put off... */
	bool starts_left;     /* ...and pods that are starting wait for it */
	bool synced;	      /* one reconcile was done without an error */
	unsigned int starved; /* pods for which that was put off: looks.c */
	bool swept;	      /* counters of pods that went before this agent */
	bool took_over; /* from an agent of another ABI, or there was none */
	bool unswept;	/* open records are to be looked through */
	/* Selectors older than this one are unregistered. */
	char retired_for[SMC_CTRL_NAME_MAX];
	int err; /* of the last reconcile */
	/* Rows of smc_endpoint after the last reconcile that could write them,
	 * before the first one as the agent before us left them. Each counts
	 * them anew: what somebody else took away is missing until then. */
	unsigned int n_endpoints;
	unsigned int full;    /* rows left out by the last reconcile */
	unsigned int missing; /* of those, rows that deny */
	bool knowledge_old;   /* lease.h, and it was said */
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

/* agent_capable - Can connections become SMC here at all? */
bool agent_capable(const struct agent *a);
