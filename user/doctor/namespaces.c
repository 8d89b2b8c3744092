// SPDX-License-Identifier: Apache-2.0
#include "doctor/namespaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"

struct visit {
	const char *proc;
	struct datapath *maps;
	char *const *ours;
	bool smc;
	struct smc_addr peers[SMCR_ROWS];
	size_t n_peers;
	__u32 node; /* this one, as in smc_endpoint.node_id */
	struct doctor_namespaces *out;
};

/* ---- who is armed, and whom it may speak to ---- */

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

static bool is_armed(const struct visit *v, __u64 cookie)
{
	struct wanted w = {.cookie = cookie};

	return v->maps && !datapath_each_netns(v->maps, is_wanted, &w) &&
	       w.found;
}

/* Those of other nodes, by RDMA; native IPv6 has no SMC-Rv2. */
static int take_peer(const struct smc_addr *addr, const struct smc_endpoint *e,
		     void *arg)
{
	struct visit *v = arg;

	if (v->n_peers < SMCR_ROWS && e->node_id != v->node &&
	    e->transports & SMC_TRANSPORT_SMCR && addr_is_v4(addr))
		v->peers[v->n_peers++] = *addr;
	return 0;
}

static void find_peers(struct visit *v)
{
	struct smc_config config;

	if (!v->maps || datapath_config(v->maps, &config))
		return;
	v->node = config.node_id;
	if (datapath_each_endpoint(v->maps, take_peer, v))
		v->n_peers = 0; /* no advice about routes then */
}

/* ---- one namespace ---- */

static int keep(struct visit *v, const struct netns_ref *ref,
		struct netns_facts *f)
{
	struct doctor_namespace *ns = array_push(v->out->v, v->out->n);

	if (!ns)
		return -ENOMEM;
	ns->path = strdup(ref->path);
	ns->cookie = f->cookie;
	snprintf(ns->ctrl, sizeof(ns->ctrl), "%s", f->ctrl);
	snprintf(ns->detail, sizeof(ns->detail), "%s", f->detail);
	ns->armed = is_armed(v, f->cookie);
	ns->ours = f->ctrl_is_ours;
	ns->foreign = v->ours && f->ctrl[0] && !f->ctrl_is_ours;
	ns->smc_sockets = v->smc ? netns_smc_sockets(ref) : 0;
	ns->transports = f->transports;
	memcpy(ns->deaf, f->deaf, sizeof(ns->deaf));
	if (ns->armed)
		ns->smcr_err =
			smcr_space_look(ref, v->peers, v->n_peers, &ns->smcr);
	return ns->path ? 0 : -ENOMEM;
}

static int visit(const struct place *at, void *arg)
{
	struct visit *v = arg;
	struct netns_ref ref = {.path = at->path,
				.id = at->id,
				.proc = v->proc,
				.ours = v->ours};
	struct netns_facts facts = {};
	int err = netns_look(&ref, &facts);

	if (err) {
		v->out->unseen |= err != -ENOENT;
		return err == -ENOENT ? err : 0;
	}
	err = keep(v, &ref, &facts);
	netns_facts_free(&facts);
	return err;
}

void doctor_namespaces_read(const char *proc, struct datapath *maps,
			    char *const *ours, bool smc,
			    struct doctor_namespaces *out)
{
	struct visit v = {.proc = proc,
			  .maps = maps,
			  .ours = ours,
			  .smc = smc,
			  .out = out};

	*out = (struct doctor_namespaces){};
	find_peers(&v);
	out->unseen |= netns_each(proc, visit, &v) < 0;
}

void doctor_namespaces_free(struct doctor_namespaces *spaces)
{
	for (size_t i = 0; i < spaces->n; i++)
		free(spaces->v[i].path);
	free(spaces->v);
	*spaces = (struct doctor_namespaces){};
}
