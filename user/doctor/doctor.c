// SPDX-License-Identifier: Apache-2.0
#include "doctor/doctor.h"

#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "base/strv.h"
#include "node/nic_read.h"

/* ---- gathering ---- */

static bool has_smc(const struct doctor *d)
{
	return feature_present(&d->features, FEATURE_IPPROTO_SMC);
}

static void gather_rdma(struct doctor *d)
{
	_buf_ struct buf why = {};
	int n = rdma_list(d->rdma, RDMA_MAX);

	d->n_rdma = n > 0 ? n : 0;
	d->n_ports = rdma_sysfs_read(&d->host, d->ports, RDMA_MAX);
	d->rdma_shared = rdma_netns_shared(&d->host);
	if (d->n_rdma)
		d->nics_err = nic_view_read(&d->nics)
				      ?: nic_children_read(&d->nics, &why);
}

/* Asking a kernel without SMC could load a module. */
static void gather_smc(struct doctor *d)
{
	if (has_smc(d) && smc_ueid_list(&d->ueids))
		d->ueids.n = 0;
	d->n_pnets = has_smc(d) ? smcr_pnet_list(d->pnets) : -ENOENT;
}

static void keep_user(const struct hook_user *user, void *arg)
{
	struct doctor *d = arg;
	struct hook_user *slot = array_push(d->users, d->n_users);

	if (slot)
		*slot = *user;
	else
		d->users_err = -ENOMEM;
}

static void gather_users(const struct datapath_options *opt, struct doctor *d)
{
	int err = hook_users_each(opt, keep_user, d);

	d->users_err = d->users_err ?: err;
}

/* Missing, or of another version: nothing is known to be armed. */
static void gather_maps(const struct datapath_options *opt, struct doctor *d)
{
	struct smc_config config;
	struct smc_usage node;

	if (datapath_ctrl_names_read(opt, &d->ours))
		d->ours = NULL;
	if (datapath_read(opt, &d->maps))
		d->maps = NULL;
	if (!d->maps || datapath_config(d->maps, &config) ||
	    datapath_usage(d->maps, SMC_SLOT_NODE, &node))
		return;
	d->buffers = node.bytes;
	d->buffers_max = config.limits.bytes_node;
}

/* All but the features, which are there. */
static void gather(const struct datapath_options *opt, const char *root,
		   struct doctor *d)
{
	d->proc = opt->proc;
	host_open(opt->proc, root, &d->host);
	if (os_release_read(&d->host, &d->os))
		d->os = (struct os_release){};
	gather_maps(opt, d);
	gather_smc(d);
	kernel_smc_look(&d->host, &d->smc);
	smc_module_look(&d->host, &d->module);
	gather_rdma(d);
	gather_users(opt, d);
	doctor_namespaces_read(d->proc, d->maps, d->ours, has_smc(d),
			       &d->spaces);
}

void doctor_open(const struct datapath_options *opt, const char *root,
		 struct doctor *d)
{
	*d = (struct doctor){};
	features_probe(opt, &d->features);
	gather(opt, root, d);
}

void doctor_open_known(const struct datapath_options *opt, const char *root,
		       const struct features *known, struct doctor *d)
{
	*d = (struct doctor){.features = *known};
	features_renew(opt, &d->features);
	gather(opt, root, d);
}

void doctor_close(struct doctor *d)
{
	datapath_close(d->maps);
	strv_free(&d->ours);
	nic_view_free(&d->nics);
	free(d->users);
	doctor_namespaces_free(&d->spaces);
	*d = (struct doctor){};
}

const char *doctor_recorder(const struct doctor *d)
{
	struct datapath_method v[DATAPATH_METHODS_MAX];
	size_t n = datapath_methods(&d->features, v, DATAPATH_METHODS_MAX);

	for (size_t i = 0; i < n; i++)
		if (v[i].possible && !strcmp(v[i].kind, "recorder"))
			return v[i].name;
	return "none";
}

/* ---- the conclusion ---- */

static bool has_transport(const struct doctor *d)
{
	for (unsigned int i = 0; i < d->n_rdma; i++)
		if (d->rdma[i].active)
			return true;
	return feature_present(&d->features, FEATURE_LOOPBACK);
}

static bool has_rights(const struct doctor *d)
{
	return feature_present(&d->features, FEATURE_CAPABILITIES);
}

static bool always(const struct doctor *d)
{
	return true;
}

/* The first row that fits. */
static const struct conclusion {
	enum feature_state capable;
	bool (*fits)(const struct doctor *d);
	const char *sentence;
} conclusions[] = {
	{FEATURE_PRESENT, has_transport,
	 "This node can make TCP connections of annotated pods SMC."},
	{FEATURE_PRESENT, always,
	 "This node can select and convert, but the host has neither shared memory nor an active RDMA device: only pods with an RDMA device of their own are accelerated."},
	{FEATURE_UNKNOWN, has_rights,
	 "Whether this node could make TCP connections SMC is not known: the kernel refuses to be tried, as lockdown or an LSM has it do. All traffic stays TCP, and the agent changes nothing."},
	{FEATURE_UNKNOWN, always,
	 "Whether this node can make TCP connections SMC is not known without these rights: run it as root."},
	{FEATURE_MISSING, always,
	 "This node cannot make TCP connections SMC: all traffic stays TCP, and the agent changes nothing."},
};

const char *doctor_conclusion(const struct doctor *d)
{
	enum feature_state capable = features_capable(&d->features);
	size_t i = 0;

	while (conclusions[i].capable != capable || !conclusions[i].fits(d))
		i++;
	return conclusions[i].sentence;
}
