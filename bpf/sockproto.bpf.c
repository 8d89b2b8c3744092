// SPDX-License-Identifier: GPL-2.0-only
/*
 * The converter: stream sockets of armed pods are made as SMC sockets.
 *
 * | program       | section                          | needs                  |
 * |---------------|----------------------------------|------------------------|
 * | sockproto     | fmod_ret/update_socket_protocol  | Linux >= 6.6, MPTCP    |
 * | sock_refused  | fexit/__sock_create              | (BTF and ftrace)       |
 * | connect_guard | fmod_ret/security_socket_connect | SECURITY_NETWORK, SMC  |
 *
 * All three load on a kernel without SMC; there sockproto converts nothing and
 * the other two are not worth attaching.
 *
 * The kernel asks update_socket_protocol() only in socket(2): accepted sockets
 * follow their listener, and io_uring and the kernel's own sockets stay TCP. A
 * result of 0 means "no change": the next program on the hook is asked, then
 * the kernel. (Any other result ends that, so a converter that answers with
 * the protocol it was given takes the hook from everyone else.)
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "count.bpf.h"
#include "pod.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_TYPE_MASK 0xf /* above it: SOCK_NONBLOCK and SOCK_CLOEXEC */
#define IPPROTO_TCP 6
#define IPPROTO_SMC 256
#define IPPROTO_MPTCP 262 /* Go >= 1.24 opens its listeners with it */

#define ENOMEM 12
#define ENFILE 23
#define EAFNOSUPPORT 97
#define ECONNABORTED 103
#define ENOBUFS 105
#define EALREADY 114

char LICENSE[] SEC("license") = "GPL";

static __always_inline struct smc_whose smc_pod_of_task(struct task_struct *t)
{
	return smc_pod_of(t->nsproxy->net_ns->net_cookie, t->cgroups->dfl_cgrp);
}

/* Someone with rights in the pod may clear net.smc.hs_ctrl, or set another.
 * Without a selector of ours an SMC socket offers to, and answers, anyone: so
 * nothing is converted unless ours is there, asked anew every time. */
static __always_inline bool smc_guarded(struct task_struct *t)
{
	struct net *net = t->nsproxy->net_ns;
	struct smc_hs_ctrl___kernel *ctrl;

	if (!bpf_core_field_exists(net->smc.hs_ctrl))
		return false; /* no SMC, or no selector, in this kernel */
	ctrl = (void *)net->smc.hs_ctrl;
	if (!ctrl)
		return false;
	for (int i = 0; i < SMC_CTRL_PREFIX_LEN; i++)
		if (ctrl->name[i] != SMC_CTRL_PREFIX[i])
			return false;
	return true;
}

static __always_inline bool smc_converts(const struct smc_pod *pod)
{
	const struct smc_config *config;
	__u32 zero = 0;

	if (pod->flags & (SMC_POD_DENY | SMC_POD_REFUSED))
		return false;
	config = bpf_map_lookup_elem(&smc_config, &zero);
	if (!config || !config->enabled)
		return false;
	return pod->uid == SMC_UID_ANY ||
	       pod->uid == (__u32)bpf_get_current_uid_gid();
}

/* smc_converting_set - Mark the current task. Return: false without memory. */
static __always_inline bool smc_converting_set(struct task_struct *t)
{
	__u32 *mark;

	mark = bpf_task_storage_get(&smc_converting, t, NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!mark)
		return false;
	*mark = 1;
	return true;
}

/* smc_converting_take - Unmark the current task. Return: was it marked? */
static __always_inline bool smc_converting_take(struct task_struct *t)
{
	__u32 *mark = bpf_task_storage_get(&smc_converting, t, NULL, 0);

	if (!mark || !*mark)
		return false;
	*mark = 0;
	return true;
}

SEC("fmod_ret/update_socket_protocol")
int BPF_PROG(sockproto, int family, int type, int protocol)
{
	struct task_struct *t;
	struct smc_whose w;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	if ((type & SOCK_TYPE_MASK) != SOCK_STREAM)
		return 0;
	if (protocol == IPPROTO_SMC) {
		/* Its own wish. A mark may be left of a socket() whose flags
		 * were refused before the socket was made. */
		smc_converting_take(bpf_get_current_task_btf());
		return 0;
	}
	if (protocol && protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return 0;
	t = bpf_get_current_task_btf();
	w = smc_pod_of_task(t);
	if (!w.pod || !smc_converts(w.pod) || !smc_guarded(t))
		return 0;
	/* A refusal that cannot be told would fail every socket() of the pod
	 * for ever: rather not convert. */
	if (!smc_converting_set(t))
		return 0;
	smc_count(w.pod->pod_id, SMC_COUNTER_SOCKETS_CONVERTED);
	return IPPROTO_SMC;
}

/* What plain TCP would have answered too says nothing about SMC: no memory, no
 * file, or a kernel without that address family. */
static __always_inline bool smc_is_refusal(int err)
{
	return err && err != -ENOMEM && err != -ENFILE && err != -ENOBUFS &&
	       err != -EAFNOSUPPORT;
}

/*
 * A converted socket() that the kernel (an LSM, a cgroup program, a missing
 * module) refuses has failed, and cannot be tried again as TCP from here. It
 * is the only one: the pod is disarmed on the spot, and the agent is told.
 */
SEC("fexit/__sock_create")
int BPF_PROG(sock_refused, struct net *net, int family, int type, int protocol,
	     struct socket **res, int kern, int ret)
{
	struct smc_flow flow = {};
	struct task_struct *t;
	struct smc_whose w;

	if (protocol != IPPROTO_SMC || kern)
		return 0;
	t = bpf_get_current_task_btf();
	if (!smc_converting_take(t) || !smc_is_refusal(ret))
		return 0;
	w = smc_pod_of_task(t);
	if (!w.pod)
		return 0;
	/* Two threads at once, or two generations of this program: one tells.
	 */
	if (__sync_fetch_and_or(&w.pod->flags, SMC_POD_REFUSED) &
	    SMC_POD_REFUSED)
		return 0;
	smc_count(w.pod->pod_id, SMC_COUNTER_CONVERSIONS_REFUSED);
	flow.pod_id = w.pod->pod_id;
	flow.kernel_code = ret;
	flow.netns_cookie = net->net_cookie;
	smc_emit(SMC_EVENT_REFUSED, 0, &flow);
	return 0;
}

/*
 * Two faults of the kernel's smc_connect() that plain TCP does not have, kept
 * away from converted sockets. Each call of it sets syn_smc again, before it
 * looks at what an earlier call has under way:
 *
 * - Non-blocking, called again while the first handshake runs in the kernel's
 *   worker: the worker finds syn_smc set though the peer said no, and sends
 *   SMC's messages into a TCP stream. The kernel means to answer EALREADY and
 *   does, a line too late.
 * - Blocking, restarted after a signal, when the SYN-ACK (with a "no" in it)
 *   has come meanwhile: the same, in the caller's own context. Nothing can
 *   make that socket fall back any more. It fails here, before a byte is sent
 *   to a peer that knows no SMC. Not with EISCONN: that would promise a
 *   connection, and the first write would fail.
 */
static __always_inline int smc_connect_fault(const struct smc_sock *smc)
{
	const struct sock *inner;
	const struct tcp_sock *tp;
	unsigned char state;

	if (BPF_CORE_READ(smc, sk.__sk_common.skc_state) != SMC_INIT ||
	    BPF_CORE_READ(smc, use_fallback))
		return 0;
	if (BPF_CORE_READ_BITFIELD_PROBED(smc, connect_nonblock))
		return -EALREADY;
	inner = BPF_CORE_READ(smc, clcsock, sk);
	state = BPF_CORE_READ(inner, __sk_common.skc_state);
	if (state != BPF_TCP_ESTABLISHED && state != BPF_TCP_CLOSE_WAIT)
		return 0;
	tp = (const void *)inner;
	return BPF_CORE_READ_BITFIELD_PROBED(tp, syn_smc) ? 0 : -ECONNABORTED;
}

/* smc_sock is read through the probing reader: where SMC is a module, its
 * types are not vmlinux's, and bpf_core_cast() knows only those. */
SEC("fmod_ret/security_socket_connect")
int BPF_PROG(connect_guard, struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct smc_whose w;
	int err;

	if (!sk || sk->sk_protocol != IPPROTO_SMC)
		return 0;
	if (!bpf_core_type_exists(struct smc_sock))
		return 0;
	err = smc_connect_fault((const struct smc_sock *)sk);
	if (!err)
		return 0;
	w = smc_pod_of_sock(sk);
	if (!w.pod)
		return 0; /* a program's own SMC socket is left alone */
	smc_count(w.pod->pod_id, err == -EALREADY
					 ? SMC_COUNTER_CONNECTS_DEFERRED
					 : SMC_COUNTER_CONNECTS_ABORTED);
	return err;
}
