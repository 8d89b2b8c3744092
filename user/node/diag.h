/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the caller's network namespace, from the kernel's socket
 * diagnosis. netns.h does the same for another namespace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "base/cleanup.h"

/* smc_diag_msg.diag_state: enum smc_state of the kernel's net/smc/smc.h. */
enum diag_smc_state {
	DIAG_SMC_ACTIVE = 1,
	DIAG_SMC_INIT = 2,
	DIAG_SMC_CLOSED = 7,
	DIAG_SMC_LISTEN = 10,
};

/*
 * An SMC socket. The kernel fills no addresses for IPPROTO_SMC sockets
 * (smc_diag_msg_common_fill() tests for AF_SMC's protocols), so there are
 * none here.
 */
struct diag_smc {
	__u16 local_port, remote_port;
	__u8 state; /* enum diag_smc_state, or a closing state from 20 on */
	/* SMC_DIAG_MODE_*. A socket that has fallen back tells so in any state;
	 * else this counts only in ACTIVE: an unconnected socket reads SMCR. */
	__u8 mode;
	__u8 _pad[2];
	__u32 uid;	      /* in the caller's user namespace */
	__u32 fallback;	      /* SMC_CLC_DECL_*, or 0 */
	__u32 peer_diagnosis; /* the peer's SMC_CLC_DECL_*, or 0 */
	__u64 inode;
	__u64 cookie; /* SO_COOKIE of the outer socket */
};

/*
 * diag_smc_list - Every SMC socket. Allocates *@out.
 * Return: count; -ENOENT: the kernel has no SMC diagnosis; or another errno.
 */
must_check int diag_smc_list(struct diag_smc **out);

/* A TCP socket. */
struct diag_tcp {
	struct smc_addr local, remote; /* :: or ::ffff:0.0.0.0: any */
	__u16 local_port, remote_port;
	__u32 bound_if; /* SO_BINDTODEVICE, or 0 */
	__u32 uid;	/* in the caller's user namespace */
	__u64 inode;
	__u64 cookie;		  /* SO_COOKIE */
	__u64 cgroup;		  /* v2 id of where it was made; 0: not known */
	__u64 rx_bytes, tx_bytes; /* payload; if asked for */
	__u8 state;		  /* TCP_LISTEN etc. */
	bool counted;		  /* the kernel told the bytes */
	__u8 _pad[6];
};

/*
 * diag_tcp_each - Call @fn for every TCP socket in one of @states, a mask of 1
 * << TCP_LISTEN etc.; also for the inner ones of SMC sockets.
 * @bytes: ask for them, too; the kernel then locks each socket for a moment.
 * @fn: returns 0 to go on, or a negative errno.
 * Return: 0, what @fn returned if not 0, or a negative errno.
 */
typedef int (*diag_tcp_fn)(const struct diag_tcp *s, void *arg);
must_check int diag_tcp_each(__u32 states, bool bytes, diag_tcp_fn fn,
			     void *arg);

/* A TCP listener. */
struct netns_listener {
	struct smc_addr addr; /* :: or ::ffff:0.0.0.0: any */
	__u16 port;
	__u16 _pad;
	__u32 uid; /* in the caller's user namespace */
	__u64 inode;
	__u64 cgroup; /* v2 id of where it was made; 0: not known */
};

/*
 * diag_tcp_listeners - Every TCP listener, also the inner sockets of SMC
 * listeners. Allocates *@out. Return: count or negative errno.
 */
must_check int diag_tcp_listeners(struct netns_listener **out);

/* diag_smc_listening - How many of @smc listen at @port. */
size_t diag_smc_listening(const struct diag_smc *smc, size_t n, __u16 port);

/*
 * diag_late_listeners - TCP listeners that are not SMC sockets and can be
 * reached from outside (not bound to a loopback address), sorted by port.
 * @proc: read only if an SMC and a TCP listener share a port.
 * Return: count in *@out, which it allocates; or negative errno.
 */
must_check int diag_late_listeners(const char *proc,
				   struct netns_listener **out);

/*
 * diag_without_smc - From the TCP listeners @tcp, drop the inner sockets of
 * SMC listeners (the pure part of diag_late_listeners()). Sorts @tcp.
 * Return: how many stay, at the front of @tcp.
 */
size_t diag_without_smc(struct netns_listener *tcp, size_t n_tcp,
			const struct diag_smc *smc, size_t n_smc,
			const char *proc);
