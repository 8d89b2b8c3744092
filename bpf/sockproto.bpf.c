// SPDX-License-Identifier: GPL-2.0-only
/*
 * The converter: stream sockets of armed pods are made as SMC sockets.
 *
 * | program       | section                          | needs                  |
 * |---------------|----------------------------------|------------------------|
 * | sockproto     | fmod_ret/update_socket_protocol  | Linux >= 6.6, MPTCP    |
 * | sock_made     | fexit/smc_inet_init_sock         | SMC, that function     |
 * | sock_undone   | fentry/smc_inet_destroy_sock     | SMC, that function     |
 * | sock_refused  | fexit/__sock_create              | (BTF and ftrace)       |
 * | connect_guard | fmod_ret/security_socket_connect | SECURITY_NETWORK, SMC  |
 *
 * Without SMC sockproto converts nothing, and the others are not worth
 * attaching.
 *
 * The kernel asks update_socket_protocol() only in socket(2): accepted sockets
 * follow their listener, and io_uring and the kernel's own sockets stay TCP. A
 * result of 0 means "no change": the next program on the hook is asked, then
 * the kernel. (Any other result ends that: a converter that returns the
 * protocol it was given would keep all others from being asked.)
 *
 * SMC sockets that an application asks for come here, too: sockproto lets them
 * pass within the ration (ration.bpf.h).
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "plain.bpf.h"
#include "quarantine.bpf.h"
#include "ration.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define AF_SMC 43
#define SOCK_STREAM 1
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC 02000000
#define SOCK_NONBLOCK 04000
#define SOCK_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK) /* any other: EINVAL */
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262 /* Go >= 1.24 opens its listeners with it */
#define IPPROTO_OCTET 256 /* SMC's number is beyond, smc_config says which */
#define SMCPROTO_NONE 255 /* smc_create() refuses it: EPROTONOSUPPORT */

#define EPERM 1
#define ENOMEM 12
#define EACCES 13
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

/* The value of smc_hs_ctrl.owner where a BPF program made it, not a module:
 * BPF_MODULE_OWNER of include/linux/bpf.h, on 64 bits (CONFIG_ILLEGAL_POINTER_
 * VALUE). With any other value the struct is not ours, and is not read. */
#define BPF_MODULE_OWNER 0xdead00000003ae7cULL

/* bpf_core_cast()'s kfunc. The linker of Debian 12's bpftool cannot join two
 * objects that both name it (handshake.bpf.c does); libbpf ignores the part of
 * the name from ___ on. */
extern void *bpf_rdonly_cast___guard(const void *obj,
				     __u32 btf_id) __ksym __weak;

/* smc_ctrl_id - The id of the struct_ops map that has @ctrl as its value; the
 * kernel keeps it there after a header (bpf_struct_ops.c). The id is unique as
 * long as the map lives; anybody may take its name. 0: not known. */
static __always_inline __u32 smc_ctrl_id(struct smc_hs_ctrl *ctrl)
{
	const struct smc_hs_ctrl___kernel *kernel = (void *)ctrl;
	const struct bpf_struct_ops_map *map;
	const char *value = (void *)ctrl;

	if (!bpf_core_field_exists(struct bpf_struct_ops_map, kvalue) ||
	    !bpf_ksym_exists(bpf_rdonly_cast___guard))
		return 0;
	if ((__u64)kernel->owner != BPF_MODULE_OWNER)
		return 0;
	value -= bpf_core_field_offset(struct bpf_struct_ops_map, kvalue) +
		 bpf_core_field_offset(struct bpf_struct_ops_value, data);
	map = bpf_rdonly_cast___guard(
		value, bpf_core_type_id_kernel(struct bpf_struct_ops_map));
	return map->map.id;
}

/* smc_is_covered - Has every device of the namespace our filters? */
static __always_inline bool smc_is_covered(const struct net *net)
{
	__u64 cookie = net->net_cookie;
	const struct smc_pod *row = bpf_map_lookup_elem(&smc_netns, &cookie);

	return row && row->flags & SMC_POD_GUARDED;
}

/* A program with rights in the pod may clear net.smc.hs_ctrl, or set another.
 * Without our selector an SMC socket offers SMC to, and answers, anyone: so the
 * converter checks for it at every socket. */
static __always_inline bool smc_guarded(const struct smc_config *config,
					struct task_struct *t)
{
	struct net *net = t->nsproxy->net_ns;
	struct smc_hs_ctrl *ctrl;
	__u32 id;

	if (!smc_has_hs_ctrl())
		return smc_is_covered(net);
	ctrl = net->smc.hs_ctrl;
	if (!ctrl)
		return false;
	id = smc_ctrl_id(ctrl);
	for (int i = 0; id && i < SMC_SELECTORS; i++)
		if (id == config->selectors[i])
			return true;
	return false;
}

/* smc_owns_task - smc_owns() with the credentials that socket() gives to the
 * file it makes (sock_alloc_file(): the caller's as they are now). */
static __always_inline bool smc_owns_task(const struct smc_pod *pod,
					  struct task_struct *t)
{
	return smc_owns(pod, t->cred->fsuid.val, t->cred->fsgid.val);
}

/* smc_converts - To which protocol must a socket of the current task, which is
 * in @pod, be converted? 0: to none. */
static __always_inline __u32 smc_converts(const struct smc_pod *pod,
					  struct task_struct *t)
{
	const struct smc_config *config;
	__u32 zero = 0;

	if (pod->flags & (SMC_POD_DENY | SMC_POD_REFUSED))
		return 0;
	config = bpf_map_lookup_elem(&smc_config, &zero);
	if (!config || !config->enabled || !smc_guarded(config, t))
		return 0;
	return smc_owns_task(pod, t) ? config->ipproto : 0;
}

/* smc_is_protocol - Is it SMC's number in this kernel? */
static __always_inline bool smc_is_protocol(__u32 protocol)
{
	const struct smc_config *config;
	__u32 zero = 0;

	if (protocol < IPPROTO_OCTET)
		return false;
	config = bpf_map_lookup_elem(&smc_config, &zero);
	return config && config->ipproto == protocol;
}

/*
 * ---- a conversion that the kernel refuses ----
 *
 * If the kernel (an LSM, a cgroup program, a missing module) refuses a
 * converted socket(), the call fails, and the program cannot retry it as TCP.
 * It must be the only one: the program disarms the pod on the spot. The state
 * of the task's conversion and the next event of the task tell who refused
 * (net/socket.c, __sock_create()):
 *
 *   ASKED  sockproto said "SMC". If the task's next socket() finds this state
 *          the sock was never made: security_socket_create() refused, or there
 *          was no memory; the program cannot tell which. So it converts nothing
 *          for this task any more, and disarms the pod when this happens again
 *          before any conversion of it went well.
 *   MADE   smc_inet_init_sock() has made it. If the kernel destroys that very
 *          sock by smc_inet_destroy_sock(), which close() never does, a
 *          cgroup's sock_create program has refused it (inet_create()).
 *
 * A successful socket() leaves MADE; the task's next socket() of any kind
 * clears it. EMFILE comes later, and ends in close(). (sock_release() would see
 * each error, but is inlined where it is called for these.) Not seen: a BPF
 * program on the LSM hook socket_post_create that refuses.
 *
 * All that costs others nothing. Where an LSM that is known to judge sockets is
 * active, sock_refused sees the error itself, at each socket() of the machine.
 */
enum smc_step { SMC_STEP_NONE = 0, SMC_STEP_ASKED, SMC_STEP_MADE };

/* smc_refuse - Disarm the pod of the current task, once, and tell the agent. Of
 * two threads, or two generations of these programs, one tells it. */
static __always_inline void smc_refuse(struct task_struct *t, int err)
{
	struct smc_handshake none = {};
	struct smc_flow flow = {};
	struct smc_whose w = smc_pod_of_task(t);

	if (!w.pod)
		return;
	if (__sync_fetch_and_or(&w.pod->flags, SMC_POD_REFUSED) &
	    SMC_POD_REFUSED)
		return;
	smc_count(w.pod->pod_id, SMC_COUNTER_CONVERSIONS_REFUSED);
	flow.pod_id = w.pod->pod_id;
	flow.kernel_code = err;
	flow.netns_cookie = t->nsproxy->net_ns->net_cookie;
	smc_emit(SMC_EVENT_REFUSED, &none, &flow);
}

static __always_inline struct smc_usage *smc_usage_of(__u32 pod_id)
{
	__u32 slot = smc_slot(pod_id);

	return bpf_map_lookup_elem(&smc_usage, &slot);
}

/* The kernel refused a conversion of this task and no program saw why: is it
 * the second in a row? */
static __always_inline void smc_unexplained(struct task_struct *t,
					    struct smc_converting *c)
{
	struct smc_usage *pod = smc_usage_of(c->pod_id);

	c->failed = 1;
	if (pod && __sync_fetch_and_add(&pod->unexplained, 1))
		smc_refuse(t, -EACCES);
}

/* smc_converting_next - The current task calls socket() again, of any kind:
 * what became of its last conversion? Return: its state, or NULL. */
static __always_inline struct smc_converting *
smc_converting_next(struct task_struct *t)
{
	struct smc_converting *c;

	c = bpf_task_storage_get(&smc_converting, t, NULL, 0);
	if (!c)
		return NULL;
	if (c->step == SMC_STEP_ASKED)
		smc_unexplained(t, c);
	c->step = SMC_STEP_NONE;
	return c;
}

/* smc_converting_begin - May the current task's socket be converted? Not
 * without the memory to notice a refusal: an unnoticed one would fail every
 * socket() of the pod for ever. */
static __always_inline bool smc_converting_begin(struct task_struct *t,
						 struct smc_converting *c,
						 const struct smc_pod *pod)
{
	if (!c)
		c = bpf_task_storage_get(&smc_converting, t, NULL,
					 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c || c->failed)
		return false;
	c->pod_id = pod->pod_id;
	c->step = SMC_STEP_ASKED;
	return true;
}

/*
 * ---- beyond the ration ----
 *
 * The program cannot tell yet which socket will be plain TCP because of the
 * ration, and any hook that sees one made would cost other programs. So it
 * counts them for each process (not each thread, for a Go program changes
 * threads between two calls), and each connect() of a plain socket by that
 * process takes one off. If a process connects other plain sockets, too, the
 * two may be mixed up; a listener never gets this reason.
 */
static __always_inline void smc_rationed_put(struct task_struct *t)
{
	struct smc_converting *c;

	c = bpf_task_storage_get(&smc_converting, t->group_leader, NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (c)
		__sync_fetch_and_add(&c->rationed, 1);
}

static __always_inline bool smc_rationed_take(void)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct smc_converting *c;

	c = bpf_task_storage_get(&smc_converting, t->group_leader, NULL, 0);
	if (!c || c->rationed <= 0)
		return false;
	if (__sync_fetch_and_add(&c->rationed, -1) > 0)
		return true;
	__sync_fetch_and_add(&c->rationed, 1); /* another thread was faster */
	return false;
}

/*
 * smc_own - An application asks for an SMC socket, in any namespace. Beyond the
 * ration IPPROTO_SMC becomes TCP, as after a fall-back; AF_SMC is refused. The
 * kernel itself refuses other types than stream.
 *
 * In a pod with a sidecar the same holds for all processes but the proxy: an
 * SMC socket has no file while it connects, and our nft rule lets such sockets
 * pass the redirect (user/node/sidecar.h).
 */
static __noinline int smc_own(__u64 *args)
{
	int family = args[0], type = args[1];
	struct task_struct *t = bpf_get_current_task_btf();
	struct smc_whose w;
	__u32 slot;

	smc_converting_next(t);
	if ((type & SOCK_TYPE_MASK) != SOCK_STREAM)
		return 0;
	if (family != AF_INET && family != AF_INET6 && family != AF_SMC)
		return 0;
	w = smc_pod_of_task(t);
	if (w.pod && !smc_owns_task(w.pod, t))
		return family == AF_SMC ? SMCPROTO_NONE : IPPROTO_TCP;
	slot = smc_ration_slot(w.pod);
	if (smc_ration_left(slot))
		return 0;
	smc_count(slot, SMC_COUNTER_RATIONED_OWN);
	if (family == AF_SMC)
		return SMCPROTO_NONE;
	if (w.pod) /* nobody asks for a stranger's reason */
		smc_rationed_put(t);
	return IPPROTO_TCP;
}

/* @args: those of update_socket_protocol(): family, type, protocol */
static __noinline int smc_convert(__u64 *args)
{
	int family = args[0], type = args[1], protocol = args[2];
	struct task_struct *t = bpf_get_current_task_btf();
	struct smc_converting *c = smc_converting_next(t);
	struct smc_whose w;
	__u32 smc;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	if ((type & SOCK_TYPE_MASK) != SOCK_STREAM ||
	    type & ~(SOCK_TYPE_MASK | SOCK_FLAGS))
		return 0;
	if (protocol && protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return 0;
	w = smc_pod_of_task(t);
	smc = w.pod ? smc_converts(w.pod, t) : 0;
	if (!smc)
		return 0;
	if (!smc_ration_left(smc_slot(w.pod->pod_id))) {
		smc_count(w.pod->pod_id, SMC_COUNTER_RATIONED_CONVERTED);
		smc_rationed_put(t);
		return 0;
	}
	if (!smc_converting_begin(t, c, w.pod))
		return 0;
	smc_count(w.pod->pod_id, SMC_COUNTER_SOCKETS_CONVERTED);
	return smc;
}

/* smc_beyond - A protocol that no IP header has: SMC's, in any namespace, or
 * MPTCP's. */
static __noinline int smc_beyond(__u64 *args)
{
	if (smc_is_protocol(args[2]))
		return smc_own(args);
	return smc_selected(bpf_get_current_task_btf()->nsproxy->net_ns)
		       ? smc_convert(args)
		       : 0;
}

/* Runs for every socket() of the machine: those outside of our namespaces pay
 * only for these checks of the request and the namespace. So it loads no other
 * argument (BPF_PROG() would). */
SEC("fmod_ret/update_socket_protocol")
int sockproto(__u64 *ctx)
{
	struct net *net;

	if ((int)ctx[2] >= IPPROTO_OCTET)
		return smc_beyond(ctx);
	if ((int)ctx[0] == AF_SMC)
		return smc_own(ctx);
	net = bpf_get_current_task_btf()->nsproxy->net_ns;
	return smc_selected(net) ? smc_convert(ctx) : 0;
}

/* Is it an error that plain TCP would not have given? Not a lack of memory or
 * files, nor a kernel without that address family. */
static __always_inline bool smc_is_refusal(int err)
{
	return err && err != -ENOMEM && err != -ENFILE && err != -ENOBUFS &&
	       err != -EAFNOSUPPORT;
}

/* Runs in the task that called socket(): the kernel makes its own SMC sockets
 * another way. Also for sockets that an application asked for, and
 * io_uring's. */
SEC("fexit/smc_inet_init_sock")
int BPF_PROG(sock_made, struct sock *sk, int ret)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct smc_converting *c;
	struct smc_usage *pod;

	if (!ret)
		smc_ration_take(sk);
	c = bpf_task_storage_get(&smc_converting, t, NULL, 0);
	if (!c || c->step != SMC_STEP_ASKED)
		return 0;
	c->step = ret ? SMC_STEP_NONE : SMC_STEP_MADE;
	c->sock = (__u64)sk;
	if (smc_is_refusal(ret))
		smc_refuse(t, ret);
	pod = smc_usage_of(c->pod_id);
	if (!ret && pod && pod->unexplained)
		pod->unexplained = 0;
	return 0;
}

SEC("fentry/smc_inet_destroy_sock")
int BPF_PROG(sock_undone, struct sock *sk)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct smc_converting *c;

	smc_ration_give(sk); /* it will not come to smc_release() */
	c = bpf_task_storage_get(&smc_converting, t, NULL, 0);
	if (!c || c->step != SMC_STEP_MADE || c->sock != (__u64)sk)
		return 0;
	c->step = SMC_STEP_NONE;
	smc_refuse(t, -EPERM);
	return 0;
}

SEC("fexit/__sock_create")
int BPF_PROG(sock_refused, struct net *net, int family, int type, int protocol,
	     struct socket **res, int kern, int ret)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct smc_converting *c;

	if (kern || !smc_is_protocol(protocol))
		return 0;
	c = bpf_task_storage_get(&smc_converting, t, NULL, 0);
	if (!c || c->step == SMC_STEP_NONE)
		return 0;
	c->step = SMC_STEP_NONE;
	if (smc_is_refusal(ret))
		smc_refuse(t, ret);
	return 0;
}

/*
 * Keeps converted sockets from two faults of the kernel's smc_connect() that
 * plain TCP does not have. Each call sets syn_smc again, before it looks
 * whether an earlier call is still under way:
 *
 * - Non-blocking, called again while the first handshake runs in the kernel's
 *   worker: the worker finds syn_smc set though the peer said no, and sends
 *   SMC's messages into a TCP stream. The kernel does answer EALREADY, but a
 *   line too late.
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

/* smc_forget_offer - If connect() failed before, drop the record of its offer:
 * after the next SYN, with another sequence number, nobody could find it. */
static __always_inline void smc_forget_offer(const struct smc_sock *smc)
{
	const struct tcp_sock *tp =
		(const void *)BPF_CORE_READ(smc, clcsock, sk);
	const struct inet_connection_sock *icsk = (const void *)tp;
	const struct inet_sock *inet = (const void *)tp;
	struct smc_handshake key = {.kind = SMC_ROLE_CLIENT};
	struct smc_flow *flow;

	if (BPF_CORE_READ(inet, sk.__sk_common.skc_state) != BPF_TCP_CLOSE)
		return;
	key.isn = (__u32)BPF_CORE_READ(tp, snd_una) -
		  (__u32)BPF_CORE_READ(tp, bytes_acked);
	key.netns = BPF_CORE_READ(inet, sk.__sk_common.skc_net.net, net_cookie);
	key.local_port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	flow = bpf_map_lookup_elem(&smc_flow, &key);
	if (!flow || flow->outcome != SMC_OUTCOME_PENDING)
		return;
	smc_unanswered(flow, BPF_CORE_READ(icsk, icsk_retransmits),
		       BPF_CORE_READ(inet, sk.__sk_common.skc_incoming_cpu));
	smc_flow_drop(&key, flow);
}

/* connect() on an SMC socket on which it was called before. */
static __noinline int smc_connect_again(struct sock *sk)
{
	const struct smc_sock *smc = (const struct smc_sock *)sk;
	struct smc_whose w = smc_pod_of_sock(sk);
	int err;

	if (!w.pod)
		return 0; /* an application's own SMC socket */
	err = smc_connect_fault(smc);
	if (err)
		smc_count(w.pod->pod_id,
			  err == -EALREADY ? SMC_COUNTER_CONNECTS_DEFERRED
					   : SMC_COUNTER_CONNECTS_ABORTED);
	else
		smc_forget_offer(smc);
	return err;
}

/*
 * An SMC socket passes a sidecar's redirect (see smc_own()), and this one is
 * not the proxy's: it was made before the rules came, or by io_uring, or handed
 * on. Nothing can make it plain TCP any more, so refuse it, with the error of a
 * packet that netfilter drops. A socket that has fallen back has a file, and is
 * redirected.
 */
static __noinline int smc_connect_first(struct sock *sk)
{
	const struct smc_sock *smc = (const struct smc_sock *)sk;
	struct smc_whose w = smc_pod_of_sock(sk);

	if (!w.pod || smc_owns_sock(w.pod, sk) ||
	    BPF_CORE_READ(smc, use_fallback))
		return 0;
	smc_count(w.pod->pod_id, SMC_COUNTER_CONNECTS_REFUSED);
	return -EPERM;
}

/* @sk: an SMC socket of either family. */
static __always_inline int smc_connect_guard(const struct socket *sock,
					     struct sock *sk)
{
	if (!bpf_core_type_exists(struct smc_sock))
		return 0;
	if (sock->state == SS_CONNECTING && smc_is_protocol(sk->sk_protocol))
		return smc_connect_again(sk);
	if (sock->state == SS_UNCONNECTED && smc_uses(SMC_USE_SIDECARS))
		return smc_connect_first(sk);
	return 0;
}

/* ---- recorder `smc`: plain connections, when they are attempted ---- */

/* struct sockaddr_in and sockaddr_in6, as far as they are read. */
struct smc_sockaddr {
	__u16 family;
	__be16 port;
	__be32 ip4; /* sockaddr_in6: the flow label */
	__u8 ip6[16];
};

static __always_inline bool smc_read_addr(struct smc_conn *c, const void *addr)
{
	struct smc_sockaddr a = {};

	__builtin_memset(c, 0, sizeof(*c));
	if (bpf_probe_read_kernel(&a, 8, addr))
		return false;
	c->remote.port = bpf_ntohs(a.port);
	if (a.family == AF_INET) {
		smc_map_ip(c->remote.ip, a.ip4);
		return true;
	}
	if (a.family != AF_INET6 || bpf_probe_read_kernel(&a, sizeof(a), addr))
		return false;
	__builtin_memcpy(c->remote.ip, a.ip6, sizeof(a.ip6));
	return true;
}

static __always_inline __u32 smc_connect_reason(const struct smc_pod *pod,
						const struct sock *sk)
{
	__u32 reason = smc_plain_reason(pod, sk);

	return reason == SMC_REASON_NOT_CONVERTED && smc_rationed_take()
		       ? SMC_REASON_RATIONED
		       : reason;
}

/* Records a connect() of an armed pod's plain socket: it was opened before the
 * pod was armed or beyond its ration, it is not the sidecar's, io_uring made
 * it, or it has fallen back. A hook that sees its outcome would cost others. */
static __noinline int smc_note_plain(struct sock *sk, const void *addr)
{
	struct smc_handshake key = {.kind = SMC_KIND_SOCKET};
	struct smc_flow flow;
	struct smc_whose w;
	struct smc_conn c;

	if (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_MPTCP)
		return 0;
	w = smc_pod_of_sock(sk);
	if (!w.pod || !smc_uses(SMC_USE_PLAIN) || !smc_read_addr(&c, addr))
		return 0;
	smc_flow_fill(&flow, w.pod, &c, sk, SMC_ROLE_CLIENT);
	flow.flags = SMC_FLOW_ATTEMPT | SMC_FLOW_DIAGNOSED;
	flow.cookie = bpf_get_socket_cookie(sk);
	smc_flow_plain(&flow, w.pod, &c, smc_connect_reason(w.pod, sk),
		       bpf_map_lookup_elem(&smc_early, &flow.cookie));
	key.netns = flow.netns_cookie;
	key.isn = flow.cookie;
	key.local_port = flow.cookie >> 32;
	key.remote_port = flow.cookie >> 48;
	smc_flow_put_settled(&key, &flow);
	return 0;
}

/* Runs for every connect() of the machine. The probing reader reads smc_sock:
 * where SMC is a module, its types are not vmlinux's, and bpf_core_cast() knows
 * only those. */
SEC("fmod_ret/security_socket_connect")
int BPF_PROG(connect_guard, struct socket *sock, void *address)
{
	struct sock *sk = sock->sk;

	if (!sk || !smc_selected(sk->__sk_common.skc_net.net))
		return 0;
	if (smc_is_protocol(sk->sk_protocol) ||
	    sk->__sk_common.skc_family == AF_SMC)
		return smc_connect_guard(sock, sk);
	return sock->state == SS_UNCONNECTED ? smc_note_plain(sk, address) : 0;
}
