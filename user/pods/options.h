/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent was started with. */
#pragma once

#include <stdbool.h>
#include "kube/client.h"
#include "telemetry/metrics.h"

#define AGENT_SOCKET "agent.sock" /* in the run directory */

struct agent_options {
	const char *source;	  /* "file:PATH" or "kube" */
	struct kube_options kube; /* for the latter */
	bool startup_taint;	  /* kube: take it off this node once ready */
	bool evict_late; /* kube: pods that were late before this agent */
	const char *node;
	const char *listen; /* "ADDRESS:PORT" */
	enum metrics_labels labels;
	const char *bpffs;
	const char *cgroup; /* NULL: find it */
	const char *proc;
	const char *run;
};
