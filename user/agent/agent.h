/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon. */
#pragma once

#include <stdbool.h>
#include "base/cleanup.h"
#include "kube/client.h"

#define AGENT_SOCKET "agent.sock" /* in the run directory */

struct agent_options {
	const char *source;	  /* "file:PATH" or "kube" */
	struct kube_options kube; /* for the latter */
	bool startup_taint;	  /* kube: take it off this node once ready */
	bool evict_late; /* kube: pods that were late before this agent */
	const char *node;
	const char *listen; /* "ADDRESS:PORT" */
	const char *bpffs;
	const char *cgroup; /* NULL: find it */
	const char *proc;
	const char *run;
};

/*
 * agent_run - Be the agent until SIGTERM or SIGINT. The datapath stays as it
 * is afterwards.
 * Return: 0, or a negative errno; it was logged. -EINVAL: a value of @opt
 * cannot be meant, and nothing was done.
 */
must_check int agent_run(const struct agent_options *opt);
