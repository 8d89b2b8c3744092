// SPDX-License-Identifier: Apache-2.0
#include "doctor/doctor.h"

#include <string.h>
#include "base/strv.h"

/* All but the features, which are there. */
static void gather(const struct datapath_options *opt, const char *root,
		   struct doctor *d)
{
	int n;

	d->proc = opt->proc;
	host_open(opt->proc, root, &d->host);
	if (os_release_read(&d->host, &d->os))
		d->os = (struct os_release){};
	/* Missing, or of another version: nothing is known to be armed. */
	if (datapath_read(opt, &d->maps))
		d->maps = NULL;
	if (datapath_ctrl_names_read(opt, &d->ours))
		d->ours = NULL;
	/* Asking a kernel without SMC could load a module. */
	if (feature_present(&d->features, FEATURE_IPPROTO_SMC) &&
	    smc_ueid_list(&d->ueids))
		d->ueids.n = 0;
	kernel_smc_look(&d->host, &d->smc);
	smc_module_look(&d->host, &d->module);
	n = rdma_list(d->rdma, RDMA_MAX);
	d->n_rdma = n > 0 ? n : 0;
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
