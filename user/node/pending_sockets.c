// SPDX-License-Identifier: Apache-2.0
#include "node/pending_sockets.h"

#include <errno.h>
#include <linux/smc_diag.h>
#include <sched.h>
#include <string.h>
#include "node/diag.h"
#include "node/helper.h"
#include "node/netns.h"
#include "node/proc.h"

/* In the helper, where @v is a copy. */
struct job {
	const char *proc;
	struct mesh_pending *v;
	size_t n;
};

static bool is_under_way(const struct diag_smc *s)
{
	return s->state == DIAG_SMC_INIT &&
	       s->mode != SMC_DIAG_MODE_FALLBACK_TCP;
}

static bool has(const struct diag_smc *smc, size_t n, __u64 cookie)
{
	for (size_t i = 0; i < n; i++)
		if (smc[i].cookie == cookie)
			return is_under_way(&smc[i]);
	return false;
}

void pending_tell(struct mesh_pending *v, size_t n, __u32 netns,
		  const struct diag_smc *smc, size_t n_smc)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].netns == netns)
			v[i].told = has(smc, n_smc, v[i].cookie)
					    ? MESH_PENDING_UNDER_WAY
					    : MESH_PENDING_OVER;
}

static bool is_asked_of(const struct job *job, __u32 netns)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->v[i].netns == netns)
			return true;
	return false;
}

/* A namespace that cannot be entered, or that does not answer, leaves only its
 * own sockets untold. */
static int visit(const struct place *at, void *arg)
{
	_free_ struct diag_smc *smc = NULL;
	struct job *job = arg;
	__u32 netns;
	int n;

	if (setns(at->fd, CLONE_NEWNET))
		return 0;
	netns = netns_own_cookie();
	if (!netns || !is_asked_of(job, netns))
		return 0;
	n = diag_smc_list(&smc);
	if (n >= 0)
		pending_tell(job->v, job->n, netns, smc, n);
	return 0;
}

static int visit_all(const void *arg, struct buf *answer)
{
	struct job job = *(const struct job *)arg;
	int err = netns_each(job.proc, visit, &job);

	buf_add(answer, job.v, job.n * sizeof(*job.v));
	return err ?: answer->err;
}

int pending_ask(const char *proc, struct mesh_pending *v, size_t n)
{
	const struct job job = {proc ?: PROC_DEFAULT, v, n};
	_buf_ struct buf answer = {};
	int err;

	err = helper_run(NULL, visit_all, &job, HELPER_TIMEOUT_MS, &answer);
	return err ?: helper_copy(&answer, v, n * sizeof(*v));
}
