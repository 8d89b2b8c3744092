// SPDX-License-Identifier: Apache-2.0
/* The kernel's settings of SMC that the SmcMesh wants: looks keep them in the
 * namespaces of armed pods (pods/pod_settings.h). */
#include <string.h>
#include "agent/host_seen.h"
#include "base/log.h"
#include "node/host_pnet.h"
#include "node/settings_sweep.h"
#include "pods/waiting.h"

/* RUN/settings is swept when it has so many files more than after the last
 * time: that takes a look at every process. */
#define FILES_MORE 32

void host_settings(struct agent *a, const struct mesh_config *config)
{
	struct settings_want *w = &a->host.settings;

	if (w->run && mesh_settings_same(&w->spec, &config->settings))
		return;
	w->run = a->opt->run;
	w->spec = config->settings;
	pods_stale(&a->pods);
}

static bool is_needed(const char *id, void *arg)
{
	const struct agent *a = arg;

	for (size_t i = 0; i < a->pods.n; i++) {
		const struct mesh_pnet_plan *plan =
			&a->pods.v[i]->facts.settings.pnet;

		for (unsigned int j = 0; j < plan->n; j++)
			if (!strcmp(plan->v[j].id, id))
				return true;
	}
	return false;
}

static void sweep_files(struct agent *a)
{
	int n = settings_count(a->opt->run), err;

	if (n <= a->host.settings_files + FILES_MORE)
		return;
	err = settings_forget(a->opt->run, a->opt->proc);
	if (err)
		log_warn(err,
			 "forget the settings of namespaces that are gone");
	n = settings_count(a->opt->run);
	a->host.settings_files = n > 0 ? n : 0;
}

void host_sweep_settings(struct agent *a)
{
	int n;

	if (!a->host.settings_due || !agent_capable(a))
		return;
	a->host.settings_due = false;
	n = host_pnet_sweep(a->opt->run, is_needed, a);
	if (n < 0)
		log_warn(
			n,
			"remove the pnet ids of RDMA devices that no pod uses");
	else if (n)
		log_info(
			"removed the pnet ids of RDMA devices that no pod uses, n=%d",
			n);
	sweep_files(a);
}
