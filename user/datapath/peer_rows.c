// SPDX-License-Identifier: Apache-2.0
/* What the verdict says to a connection that nobody makes, and the rows by
 * which it does. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath/state.h"

int datapath_ask_verdict(const struct datapath *dp, struct smc_verdict_job *job,
			 struct datapath_verdict *out)
{
	const char *name = job_rows[JOB_VERDICT_ASK].name;
	const struct bpf_program *prog = object_program(dp, name);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = job,
		    .ctx_size_in = sizeof(*job));
	int err = -ENOSYS;

	if (prog)
		err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	if (err)
		return err;
	out->reason = opts.retval & ((1U << SMC_VERDICT_SHIFT) - 1);
	out->transports = opts.retval >> SMC_VERDICT_SHIFT;
	return 0;
}

/* Return: is there such a row? */
static bool look_up(const struct datapath *dp, enum map_id id, const void *key,
		    void *value)
{
	return dp->map_fd[id] >= 0 &&
	       !bpf_map_lookup_elem(dp->map_fd[id], key, value);
}

static bool port_row(const struct datapath *dp, __u32 pod_id, __u32 role,
		     __u16 port, struct smc_port *out)
{
	const struct smc_port_key key = {.prefixlen = SMC_PORT_PREFIX + 16,
					 .pod_id = pod_id,
					 .role = role,
					 .port = {port >> 8, port & 0xff}};

	return look_up(dp, MAP_PORT, &key, out);
}

static void exclusions(const struct datapath *dp, __u32 pod_id,
		       const struct smc_verdict_job *job,
		       struct datapath_peer *out)
{
	__u16 port = job->role == SMC_ROLE_CLIENT ? job->remote.port
						  : job->local.port;
	struct smc_cidr_key cidr = {.prefixlen = 128};
	struct smc_cidr row = {};

	out->mesh_excludes = port_row(dp, 0, job->role, port, &out->mesh_ports);
	out->pod_excludes =
		port_row(dp, pod_id, job->role, port, &out->pod_ports);
	memcpy(cidr.ip, job->remote.ip, sizeof(cidr.ip));
	out->cidr_excludes = look_up(dp, MAP_CIDR, &cidr, &row) && row.exclude;
}

void datapath_peer_rows(const struct datapath *dp, __u32 pod_id,
			const struct smc_verdict_job *job,
			struct datapath_peer *out)
{
	struct smc_path_key path;

	*out = (struct datapath_peer){};
	exclusions(dp, pod_id, job, out);
	out->has_endpoint =
		look_up(dp, MAP_ENDPOINT, job->remote.ip, &out->endpoint);
	out->has_service =
		look_up(dp, MAP_SERVICE, &job->remote, &out->service);
	for (int i = 0; i < 2; i++) {
		struct smc_quarantine_key *key = &out->against[i];

		*key = (struct smc_quarantine_key){.pod_id = i ? 0 : pod_id,
						   .port = job->remote.port};
		memcpy(key->ip, job->remote.ip, sizeof(key->ip));
		out->has_quarantine[i] =
			look_up(dp, MAP_QUARANTINE, key, &out->quarantine[i]);
	}
	memcpy(path.own, job->local.ip + 12, sizeof(path.own));
	memcpy(path.peer, job->remote.ip + 12, sizeof(path.peer));
	out->has_path = look_up(dp, MAP_PATH, &path, &out->path);
}
