// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rations: programs that see SMC sockets come and go, where no other
 * program of ours does, and programs that the agent runs to correct the counts.
 *
 * | program      | section            | needs              |
 * |--------------|--------------------|--------------------|
 * | sock_made_af | fexit/smc_create   | SMC, that function |
 * | sock_listens | fexit/smc_listen   | SMC, that function |
 * | sock_gone    | fentry/smc_release | SMC, that function |
 * | usage_limit, pending_drop, pending_mend | syscall | run by the agent |
 *
 * A process without SMC sockets calls none of them. Where there was a choice
 * they are on functions whose address the kernel takes: others may be inlined
 * (smc_create_clcsk() is, in smc_create()).
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "listener.bpf.h"
#include "ration.bpf.h"

#define ENOENT 2

char LICENSE[] SEC("license") = "GPL";

/* Sees AF_SMC's; sock_made sees those of IPPROTO_SMC. */
SEC("fexit/smc_create")
int BPF_PROG(sock_made_af, struct net *net, struct socket *sock, int protocol,
	     int kern, int ret)
{
	struct sock *sk = sock->sk;

	if (!ret && sk)
		smc_ration_take(sk);
	return 0;
}

/* Tell the agent of a pod's first listener before its first client comes. */
SEC("fexit/smc_listen")
int BPF_PROG(sock_listens, struct socket *sock, int backlog, int ret)
{
	struct sock *sk = sock->sk;
	struct smc_whose w;

	if (ret || !sk)
		return 0;
	smc_ration_give(sk);
	w = smc_pod_of_sock(sk);
	if (w.pod)
		smc_pod_listens(w.pod);
	return 0;
}

/* close(), also of a socket that has fallen back. A worker that still sleeps in
 * the socket's connect() ends in this call, which waits for it. */
SEC("fentry/smc_release")
int BPF_PROG(sock_gone, struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (sk)
		smc_ration_give(sk);
	return 0;
}

/* ---- run by the agent: abi.h says what they do ---- */

/* Programs add to the row meanwhile, and user space could only write it as a
 * whole: so this is a program, too. */
SEC("syscall")
int usage_limit(struct smc_limit_job *job)
{
	__u32 slot = job->slot;
	struct smc_usage *usage = bpf_map_lookup_elem(&smc_usage, &slot);

	if (!usage)
		return 0;
	usage->pending_max = job->pending_max;
	usage->connections_max = job->connections_max;
	return 0;
}

SEC("syscall")
int pending_drop(struct smc_pending_job *job)
{
	job->result = smc_pending_drop(job->cookie) ? 0 : -ENOENT;
	return 0;
}

SEC("syscall")
int pending_mend(struct smc_mend_job *job)
{
	smc_pending_count(job->slot, job->n);
	return 0;
}
