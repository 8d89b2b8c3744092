// SPDX-License-Identifier: Apache-2.0
/* RDMA paths, as user space sees them: handshakes and links write their rows at
 * the same time (bpf/path.bpf.h), so a program writes the results of probes. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath/mapio.h"
#include "datapath/state.h"

int datapath_use_paths(struct datapath *dp)
{
	return config_use(dp, SMC_USE_PATHS, SMC_USE_PATHS);
}

int datapath_each_path(struct datapath *dp, datapath_path_fn fn, void *arg)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(struct smc_path_key),
		.value_size = sizeof(struct smc_path)};
	struct smc_path_key key;
	struct smc_path value;
	int err;

	if (dp->map_fd[MAP_PATH] < 0)
		return 0;
	err = map_read(dp->map_fd[MAP_PATH], &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&key, rows_key(&rows, i), sizeof(key));
		memcpy(&value, rows_value(&rows, i), sizeof(value));
		err = fn(&key, &value, arg);
	}
	return err;
}

int datapath_path_told(const struct datapath *dp, struct smc_path_job *job)
{
	int err = job_run(dp, JOB_PATH_TOLD, job, sizeof(*job));

	return err ?: job->result;
}

int datapath_path_drop(const struct datapath *dp,
		       const struct smc_path_key *key)
{
	if (dp->map_fd[MAP_PATH] < 0 ||
	    !bpf_map_delete_elem(dp->map_fd[MAP_PATH], key))
		return 0;
	return errno == ENOENT ? 0 : -errno;
}
