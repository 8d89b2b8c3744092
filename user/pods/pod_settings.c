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

int pod_prepare(const struct pod *p, const struct pod_how *how,
		const struct netns_ref *ref,
		const struct netns_sidecar *sidecar, struct netns_facts *facts)
{
	_cleanup_(pnet_table_free) struct mesh_pnet_table devices = {};
	struct settings_want want = *how->use.settings;
	struct netns_use use = how->use;
	int err = want.spec.no_pnet ? 0 : pnet_read(&devices);

	/* Without the table an entry might get a wrong name. */
	want.spec.no_pnet |= err;
	want.devices = &devices;
	use.settings = &want;
	err = netns_prepare(ref, &use, sidecar, facts);
	if (err || !facts->verified)
		return err;
	host_pnet_keep(&want, &facts->settings);
	say(p, &facts->settings);
	return 0;
}
