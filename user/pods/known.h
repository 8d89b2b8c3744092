/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's state, shared by its files and by nobody else.
 *
 * Sources of the loop only note what they saw and call agent_dirty(); the
 * reconcile runs once after each batch of events.
 */
#pragma once

#include <uv.h>
#include "agent/agent.h"
#include "agent/hook_times.h"
#include "serve/http.h"
#include "agent/path_probes.h"
#include "pods/pods.h"
#include "agent/rations.h"
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

struct cluster; /* cluster.h */

struct agent_counts {
	__u64 reconciles_ok, reconciles_failed;
	double reconcile_seconds;
	__u64 looks[2]; /* at pods that were not armed, and that were */
	__u64 map_full, repairs, stream_dropped;
};

struct agent {
	const struct agent_options *opt;
	uv_loop_t loop;
	uv_idle_t wake;	  /* active while dirty: poll does not block */
	uv_check_t check; /* after each batch */
	uv_timer_t resync, retry, more, pause, diagnose;
	uv_signal_t term, intr, hup;
	uv_poll_t events;
	bool events_open; /* the datapath has a ring buffer */
	bool dirty, stopping;

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
	bool looks_left;  /* work that the last reconcile put off... */
	bool starts_left; /* ...and pods that are starting wait for it */
	bool synced;	  /* one reconcile was done without an error */
	bool swept;	  /* counters of pods that went before this agent */
	bool took_over;	  /* from an agent of another ABI, or there was none */
	bool unswept;	  /* open records are to be looked through */
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

/* agent_dirty - Have a reconcile after this batch of events. */
void agent_dirty(struct agent *a);

/* agent_follow - Does somebody read the stream of flows? */
void agent_follow(struct agent *a, bool followed);

/* agent_more - Reconcile again in a moment: looks were left over. */
void agent_more(struct agent *a);

/* ---- adopt_slots.c
 * ----------------------------------------------------------- */

/* agent_adopt - Before the first one: take over the numbers of what is in
 * the maps. Return: 0 or a negative errno, logged. */
must_check int agent_adopt(struct agent *a);

/* ---- looks.c ----------------------------------------------------------- */

/* looks_all - Take over which pods are wanted, and look into those that are
 * due. Return: 0 or -ENOMEM. */
must_check int looks_all(struct agent *a, const struct mesh_wants *wants);

/* looks_retry - Look again at the pods that wait for something and whose own
 * time it is (pods_retry()), now and from now on. A reconcile follows only
 * where such a look has seen something else than the one before it. */
void looks_retry(struct agent *a);

/* agent_how - How this agent looks into pods. */
struct pod_how agent_how(const struct agent *a);

/* ---- reconcile.c ------------------------------------------------------- */

/* reconcile - Make the kernel as the source says; nothing without a world. */
void reconcile(struct agent *a);

/* reconcile_unplan - Let the plan go: what it points into changes. */
void reconcile_unplan(struct agent *a);

/* reconcile_forget - Free what it keeps from one to the next. */
void reconcile_forget(struct agent *a);

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

/* ---- local_services.c
 * ----------------------------------------------------------- */

/* agent_look_local - Unless that was done since the last resync: what this node
 * takes for itself, to a->host. */
void agent_look_local(struct agent *a);

/* agent_forget_local - Free it. */
void agent_forget_local(struct agent *a);

/* ---- ready.c ----------------------------------------------------------- */

/* agent_capable - Can connections become SMC here at all? */
bool agent_capable(const struct agent *a);

/* agent_ready - Is the desired state reached? @why: gets one sentence, either
 * way. */
bool agent_ready(const struct agent *a, struct buf *why);

/* ---- api.c, api_flows.c, exposition.c: the routes --------------------------
 */

extern const struct http_route api_routes[];
extern const struct http_route expose_routes[];

/* api_event - A flow event for the readers of the stream. */
void api_event(struct agent *a, const struct smc_event *e);
