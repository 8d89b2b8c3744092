// SPDX-License-Identifier: Apache-2.0
#include "pods/pod_settings.h"

#include <string.h>
#include "base/log.h"
#include "node/host_pnet.h"
#include "node/pnet_table.h"

static void say(const struct pod *p, const struct settings_facts *f)
{
	if (*f->put_back)
		log_info("pod %s/%s: %s", p->ns, p->name, f->put_back);
	if (*f->problem && strcmp(f->problem, p->facts.settings.problem) != 0)
		log_warn(0, "pod %s/%s: %s", p->ns, p->name, f->problem);
}

/* Without RDMA devices there is nothing to give ids to, and the last look has
 * removed what there was: most looks are of such pods. */
static bool needs_table(const struct pod *p)
{
	return !p->facts.verified || p->facts.settings.rdma;
}

int pod_prepare(const struct pod *p, const struct pod_how *how,
		const struct netns_ref *ref,
		const struct netns_sidecar *sidecar, struct netns_facts *facts)
{
	_cleanup_(pnet_table_free) struct mesh_pnet_table devices = {};
	struct netns_use use = how->use;
	struct settings_want want;
	bool table = needs_table(p);
	int err;

	if (!use.settings)
		return netns_prepare(ref, &use, sidecar, facts);
	want = *use.settings;
	err = table && !want.spec.no_pnet ? pnet_read(&devices) : 0;
	want.devices = table && !err ? &devices : NULL;
	use.settings = &want;
	err = netns_prepare(ref, &use, sidecar, facts);
	if (err || !facts->verified)
		return err;
	host_pnet_keep(&want, &facts->settings);
	say(p, &facts->settings);
	return 0;
}
