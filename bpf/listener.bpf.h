/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SMC's listeners, and how much waits in them.
 *
 * A listener of SMC is two: TCP's, the inner one, makes the handshakes; what it
 * accepts is taken out at once, worked upon, and put into the queue of the
 * outer one, which is what accept() reads. So TCP sees an empty queue and
 * answers every SYN, and SMC then drops the last ACK of what finds the outer
 * queue full (smc_tcp_syn_recv_sock()): of a client that has agreed on SMC
 * connect() fails after six seconds, and a plain one is reset. A program may
 * notice us by its speed alone, so
 *
 * - a "yes" is answered only while there is room for twice of what may come
 *   before it (smc_listener_busy());
 * - a SYN waits where TCP would have let it wait (smc_listener_full()).
 *
 * The half is for clients that overtake: a "yes" has its place in the queue
 * only with the last ACK, and whose client is further away, or on a busier CPU,
 * comes after those that were answered later, or with a SYN cookie that no
 * request tells of. How many these are does not depend on the backlog: some
 * places are to be free in any case, but for a client that is all alone. To let
 * SYNs wait for a "yes" on its way would be no cure: TCP repeats the SYNs of a
 * burst all at once and ever more seldom, and who waits for a place among its
 * half-open requests waits long (tried: 22 s, backlog 4, 24 clients).
 *
 * Plain connections on their way from the one queue to the other are counted
 * nowhere in the kernel (queued_smc_hs has those that agreed on SMC alone), but
 * each holds a reference to the outer listener, as does each program that is
 * blocked in accept(). A "yes" takes them for connections, but for one. A SYN
 * does not wait for them: TCP would not, for a program.
 */
#pragma once

#include "count.bpf.h"
#include "pod.bpf.h"

/* include/net/sock.h: what is in the low bits of sk_user_data */
#define SK_USER_DATA_NOCOPY 1
#define SK_USER_DATA_FLAGS 7

/* References to an outer listener that nothing waits in: its file's, that of
 * SMC's list of sockets, and one for either the program that is in accept() or
 * the work that empties the inner queue. */
#define SMC_LISTENER_REFS 3

/* So many places stay free behind a "yes", where more than one waits. */
#define SMC_OVERTAKERS 8

/* What waits in a listener. */
struct smc_backlog {
	__s64 ready;  /* for accept() */
	__s64 inner;  /* in the inner queue */
	__s64 agreed; /* between the two: those that agreed on SMC */
	__s64 worked; /* and at most so many of all */
	__s64 max;    /* that accept() may leave waiting */
	__s64 max_inner;
};

/* smc_outer_of - The SMC socket that an inner listener belongs to, not to be
 * trusted; NULL: there is none (any more). */
static __always_inline const struct smc_sock *
smc_outer_of(const struct sock *sk)
{
	__u64 data = (__u64)sk->sk_user_data;

	if ((data & SK_USER_DATA_FLAGS) != SK_USER_DATA_NOCOPY)
		return NULL;
	return (const struct smc_sock *)(data & ~(__u64)SK_USER_DATA_FLAGS);
}

/*
 * smc_read_backlog - What waits in the listener whose inner socket is @sk.
 * Of the outer one struct sock is read as what it is; the rest through the
 * probing reader, for where SMC is a module its types are not vmlinux's.
 * Return: false if it cannot be known.
 */
static __always_inline bool smc_read_backlog(struct smc_backlog *b,
					     const struct sock *sk)
{
	const struct smc_sock *smc = smc_outer_of(sk);
	const struct sock *outer;

	if (!smc || !bpf_core_field_exists(smc->queued_smc_hs))
		return false;
	outer = bpf_core_cast((void *)smc, struct sock);
	b->ready = outer->sk_ack_backlog;
	b->inner = sk->sk_ack_backlog;
	b->agreed = BPF_CORE_READ(smc, queued_smc_hs.counter);
	b->worked =
		outer->__sk_common.skc_refcnt.refs.counter - SMC_LISTENER_REFS;
	b->max = outer->sk_max_ack_backlog;
	/* listen() called again changes the outer one alone */
	b->max_inner = sk->sk_max_ack_backlog;
	return true;
}

/*
 * smc_listener_busy - Can a "yes" of this listener not be kept?
 * @tp: the inner socket. The request that is to be answered is among those that
 * it counts, as are all that were answered and have not come back
 * (inet_csk_reqsk_queue_hash_add() is called before send_synack()).
 */
static __always_inline bool smc_listener_busy(const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	struct smc_backlog b;
	__s64 max, n;

	if (!smc_read_backlog(&b, &icsk->icsk_inet.sk))
		return true;
	n = b.ready + b.inner + (b.agreed > b.worked ? b.agreed : b.worked);
	n += icsk->icsk_accept_queue.qlen.counter;
	max = b.max < b.max_inner ? b.max : b.max_inner;
	return n > max / 2 || (n > 1 && n > max - SMC_OVERTAKERS);
}

/* smc_listener_full - Would TCP drop a SYN to a listener with such a queue
 * (sk_acceptq_is_full())? Requests under way are not counted: they have a queue
 * of their own, and SYN cookies when that is full. */
static __always_inline bool smc_listener_full(const struct sock *sk)
{
	struct smc_backlog b;

	return smc_read_backlog(&b, sk) &&
	       (b.ready + b.inner + b.agreed > b.max ||
		b.inner + b.agreed > b.max_inner);
}

/* smc_pod_listens - An SMC listener of @pod was seen: have the agent attach
 * what such a one needs (syn_waits), told once for each pod. The mark stays,
 * for an event may be lost, and for the next agent. */
static __always_inline void smc_pod_listens(struct smc_pod *pod)
{
	struct smc_handshake none = {};
	struct smc_flow flow = {};

	if (pod->flags & SMC_POD_LISTENS ||
	    __sync_fetch_and_or(&pod->flags, SMC_POD_LISTENS) & SMC_POD_LISTENS)
		return;
	flow.pod_id = pod->pod_id;
	smc_emit(SMC_EVENT_LISTENS, &none, &flow);
}
