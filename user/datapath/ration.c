// SPDX-License-Identifier: Apache-2.0
/*
 * The rations, as user space sees them: only BPF counts (bpf/ration.bpf.h); the
 * agent sets limits and mends wrong counts, both by programs that do just the
 * change.
 */
#include <string.h>

#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/state.h"

/* ---- is it counted? ---- */

/* Without one of them some sockets would stay counted for ever, or never be
 * counted: then rather count none. */
static bool all_attached(const struct datapath *dp)
{
	for (size_t i = 0; i < LINKS; i++)
		if (link_rows[i].flags & LINK_RATION && dp->link_fd[i] < 0)
			return false;
	return true;
}

void ration_up(struct datapath *dp)
{
	bool all = all_attached(dp);
	int err = config_use(dp, SMC_USE_PENDING, all ? SMC_USE_PENDING : 0);

	if (err)
		log_err(err, "write smc_config; SMC handshakes under way are "
			     "not counted");
	dp->rations = all && !err;
	if (!all)
		log_warn(0, "SMC handshakes under way are not rationed on this "
			    "kernel: one pod can hold up those of the whole "
			    "node; smcmesh doctor says what is missing");
}

bool datapath_rations(const struct datapath *dp)
{
	return dp->rations;
}

/* ---- limits ---- */

static int limit(const struct datapath *dp, __u32 slot, __u32 pending_max,
		 __u32 connections_max)
{
	struct smc_limit_job job = {.slot = slot,
				    .pending_max = pending_max,
				    .connections_max = connections_max};
	struct smc_usage now = {};
	int err;

	if (dp->map_fd[MAP_USAGE] < 0)
		return 0;
	err = datapath_usage(dp, slot, &now);
	if (err || (now.pending_max == pending_max &&
		    now.connections_max == connections_max))
		return err;
	err = job_run(dp, JOB_USAGE_LIMIT, &job, sizeof(job));
	return err == -ENOSYS ? 0 : err; /* logged when it was not loaded */
}

int datapath_limit_pod(const struct datapath *dp, __u32 pod_id,
		       __u32 pending_max, __u32 connections_max)
{
	return limit(dp, smc_slot(pod_id), pending_max, connections_max);
}

int ration_forget(const struct datapath *dp, __u32 slot)
{
	return limit(dp, slot, 0, 0);
}

/* ---- what is counted wrongly ---- */

int datapath_each_pending(struct datapath *dp, datapath_pending_fn fn,
			  void *arg)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(__u64),
		.value_size = sizeof(struct smc_pending)};
	struct smc_pending row;
	__u64 cookie;
	int err;

	if (dp->map_fd[MAP_PENDING] < 0)
		return 0;
	err = map_read(dp->map_fd[MAP_PENDING], &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&cookie, rows_key(&rows, i), sizeof(cookie));
		memcpy(&row, rows_value(&rows, i), sizeof(row));
		err = fn(cookie, &row, arg);
	}
	return err;
}

int datapath_pending_drop(const struct datapath *dp, __u64 cookie)
{
	struct smc_pending_job job = {.cookie = cookie};
	int err = job_run(dp, JOB_PENDING_DROP, &job, sizeof(job));

	return err ?: job.result;
}

int datapath_pending_counts(struct datapath *dp, __u32 *out)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(__u32),
		.value_size = sizeof(struct smc_usage)};
	struct smc_usage usage;
	__u32 slot;
	int err;

	memset(out, 0, SMC_PODS * sizeof(*out));
	if (dp->map_fd[MAP_USAGE] < 0)
		return 0;
	err = map_read(dp->map_fd[MAP_USAGE], &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		memcpy(&slot, rows_key(&rows, i), sizeof(slot));
		memcpy(&usage, rows_value(&rows, i), sizeof(usage));
		out[slot % SMC_PODS] = usage.pending;
	}
	return err;
}

int datapath_pending_mend(const struct datapath *dp, __u32 slot, __s32 n)
{
	struct smc_mend_job job = {.slot = slot, .n = n};

	return job_run(dp, JOB_PENDING_MEND, &job, sizeof(job));
}
