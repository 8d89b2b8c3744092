// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the verdict for `smcmesh explain`: what it would say to a connection
 * that nobody makes.
 *
 * | program     | section | needs                                         |
 * |-------------|---------|-----------------------------------------------|
 * | verdict_ask | raw_tp  | run by the agent (bpf_prog_test_run(), 5.10)  |
 *
 * It is attached nowhere. A raw tracepoint, because programs of the type
 * syscall may sleep, and such programs may not use a trie, as the exclusions
 * are.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "verdict.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The hooks find the pod's row by the socket, this program by its key. */
static __always_inline const struct smc_pod *
smc_pod_asked(const struct smc_verdict_job *job)
{
	__u64 key = job->pod;

	return job->in_cgroup ? bpf_map_lookup_elem(&smc_cgroup, &key)
			      : bpf_map_lookup_elem(&smc_netns, &key);
}

SEC("raw_tp")
int verdict_ask(const struct smc_verdict_job *job)
{
	/* map keys are built on the stack, as in the hooks */
	struct smc_conn c = {.remote = job->remote, .local = job->local};
	struct smc_answer a;

	smc_judge(smc_pod_asked(job), &c, job->role, &a);
	return a.reason | a.transports << SMC_VERDICT_SHIFT;
}
