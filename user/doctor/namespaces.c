// SPDX-License-Identifier: Apache-2.0
#include "doctor/namespaces.h"

#include <errno.h>

struct visit {
	const struct doctor *d;
	doctor_namespace_fn fn;
	void *arg;
	bool unseen; /* some could not be entered */
};

struct wanted {
	__u64 cookie;
	bool found;
};

static int is_wanted(__u64 cookie, const struct smc_pod *v, void *arg)
{
	struct wanted *w = arg;

	w->found |= cookie == w->cookie && !(v->flags & SMC_POD_REFUSED);
	return 0;
}

static bool is_armed(const struct doctor *d, __u64 cookie)
{
	struct wanted w = {.cookie = cookie};

	return d->maps && !datapath_each_netns(d->maps, is_wanted, &w) &&
	       w.found;
}

static void tell(const struct visit *v, const struct netns_ref *ref,
		 const struct netns_facts *f)
{
	const struct doctor *d = v->d;
	bool smc = feature_present(&d->features, FEATURE_IPPROTO_SMC);
	const struct doctor_namespace ns = {
		.path = ref->path,
		.facts = f,
		.armed = is_armed(d, f->cookie),
		.foreign = d->ours && f->ctrl[0] && !f->ctrl_is_ours,
		.smc_sockets = smc ? netns_smc_sockets(ref) : 0,
	};

	v->fn(&ns, v->arg);
}

static int visit(const struct place *at, void *arg)
{
	struct visit *v = arg;
	struct netns_ref ref = {.path = at->path,
				.id = at->id,
				.proc = v->d->proc,
				.ours = v->d->ours};
	struct netns_facts facts = {};
	int err = netns_look(&ref, &facts);

	if (err) {
		v->unseen |= err != -ENOENT;
		return err == -ENOENT ? err : 0;
	}
	tell(v, &ref, &facts);
	netns_facts_free(&facts);
	return 0;
}

bool doctor_each_namespace(const struct doctor *d, doctor_namespace_fn fn,
			   void *arg)
{
	struct visit v = {.d = d, .fn = fn, .arg = arg};
	int err = netns_each(d->proc, visit, &v);

	return err >= 0 && !v.unseen;
}
