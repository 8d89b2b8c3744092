/* SPDX-License-Identifier: Apache-2.0 */
/* `smcmesh check --local`: an agent for a moment, with two pods that are
 * network namespaces of its own. */
#pragma once

#include "cli/check_run.h"

/*
 * check_local - Start the agent, make w->wanted connections each way, and take
 * all away again: agent, namespaces, and what the agent has loaded.
 * @cgroup: as the agent's option; NULL: it finds one.
 * @pods: free with check_pod_close(); @v: each way.
 *
 * Where an agent runs already, or has left its maps, nothing is done.
 * Return: 0, or a negative errno: nothing could be told; it was said on stderr.
 */
must_check int check_local(const struct check_place *p, const char *cgroup,
			   struct check_pod pods[2],
			   struct check_way *const v[2]);
