/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SMC's listeners, and how much waits in them.
 *
 * An SMC listener has two sockets. The inner one, TCP's, makes the handshakes;
 * the kernel takes each connection out of its queue at once, does SMC's
 * handshake, and puts it into the queue of the outer socket, from which
 * accept() reads. So TCP sees an empty queue and answers every SYN, and SMC
 * then drops the last ACK when the outer queue is full
 * (smc_tcp_syn_recv_sock()): a client that has agreed on SMC fails connect()
 * after six seconds, a plain one is reset. No program may notice us but by its
 * speed, so
 *
 * - the selector says "yes" only while there is room for twice what may come
 *   before (smc_listener_busy());
 * - a SYN waits where TCP would have let it wait (smc_listener_full()).
 *
 * Half stays free for clients that overtake: a "yes" gets its place in the
 * queue only with the last ACK, so a client that is further away, or on a
 * busier CPU, comes after clients that were answered later, or that come with a
 * SYN cookie, of which no request tells. Their number does not depend on the
 * backlog, so some places (SMC_OVERTAKERS) stay free in any case, except for a
 * lone client. Letting SYNs wait for a "yes" under way is no cure: TCP repeats
 * the SYNs of a burst all at once and ever more seldom, so clients wait long
 * (tried: 22 s, backlog 4, 24 clients).
 *
 * The kernel does not count plain connections between the two queues
 * (queued_smc_hs has only those that agreed on SMC), but each holds a reference
 * to the outer listener, as does each task blocked in accept(). For a "yes" the
 * selector takes all of these references but one, a task's, for connections. A
 * SYN does not wait for them: TCP would not wait for a task.
 */
#pragma once

#include "count.bpf.h"
#include "pod.bpf.h"

/* include/net/sock.h: what is in the low bits of sk_user_data */
#define SK_USER_DATA_NOCOPY 1
#define SK_USER_DATA_FLAGS 7

/* References to an outer listener with empty queues: by its file, by SMC's list
 * of sockets, and by either the task in accept() or the work that empties the
 * inner queue. */
#define SMC_LISTENER_REFS 3

/* So many places must stay free for a "yes" if more than one client waits. */
#define SMC_OVERTAKERS 8

/* How many connections wait in a listener. */
struct smc_backlog {
	__s64 ready;  /* for accept() */
	__s64 inner;  /* in the inner queue */
	__s64 agreed; /* between the two, agreed on SMC */
	__s64 worked; /* between the two, at most, of all */
	__s64 max;    /* backlog of the outer socket */
	__s64 max_inner;
};

/* smc_outer_of - The SMC socket of an inner listener, to be read with the
 * probing reader only; NULL: it has none (any more). */
static __always_inline const struct smc_sock *
smc_outer_of(const struct sock *sk)
{
	__u64 data = (__u64)sk->sk_user_data;

	if ((data & SK_USER_DATA_FLAGS) != SK_USER_DATA_NOCOPY)
		return NULL;
	return (const struct smc_sock *)(data & ~(__u64)SK_USER_DATA_FLAGS);
}

/*
 * smc_read_backlog - Fill @b for the listener whose inner socket is @sk. The
 * outer one's struct sock is read directly; the rest by the probing reader, for
 * where SMC is a module its types are not vmlinux's.
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
	/* a second listen() changes the outer one alone */
	b->max_inner = sk->sk_max_ack_backlog;
	return true;
}

/*
 * smc_listener_busy - Might a client with a "yes" find the outer queue full?
 * @tp:     the inner socket. Its requests are all whose last ACK has not come.
 * @coming: 0 at the SYN-ACK: the request to be answered is among them (the
 *          kernel calls inet_csk_reqsk_queue_hash_add() before send_synack());
 *          1 at the SYN, where it is not
 */
static __always_inline bool smc_listener_busy(const struct tcp_sock *tp,
					      __s64 coming)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	struct smc_backlog b;
	__s64 max, n;

	if (!smc_read_backlog(&b, &icsk->icsk_inet.sk))
		return true;
	n = b.ready + b.inner + (b.agreed > b.worked ? b.agreed : b.worked);
	n += icsk->icsk_accept_queue.qlen.counter + coming;
	max = b.max < b.max_inner ? b.max : b.max_inner;
	return n > max / 2 || (n > 1 && n > max - SMC_OVERTAKERS);
}

/* smc_listener_full - Would TCP drop a SYN to a listener with such a queue
 * (sk_acceptq_is_full())? Requests under way do not count: TCP has a queue for
 * them, and SYN cookies when that is full. */
static __always_inline bool smc_listener_full(const struct sock *sk)
{
	struct smc_backlog b;

	return smc_read_backlog(&b, sk) &&
	       (b.ready + b.inner + b.agreed > b.max ||
		b.inner + b.agreed > b.max_inner);
}

/* smc_pod_listens - @pod has an SMC listener: tell the agent, once for each
 * pod, so that it attaches syn_waits. The flag stays for the next agent, and
 * because the event may be lost. */
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
