/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners and connections of a pod's namespace that are plain TCP, from the
 * kernel's socket diagnosis, and the end of connections by SOCK_DESTROY. Which
 * of them could be SMC by now is decided elsewhere (mesh/late.h).
 */
#pragma once

#include <stddef.h>
#include "base/addr.h"
#include "mesh/record_fate.h"
#include "node/diag.h"
#include "node/netns.h"

/* At most so many connections of a pod are returned; the others are left out.
 */
#define PLAIN_MAX 16384

/* An established TCP connection, as the end in this namespace has it. */
struct plain_flow {
	struct smc_addr local, remote;
	__u16 local_port, remote_port;
	__u32 bound_if; /* SO_BINDTODEVICE, or 0 */
	__u32 uid;	/* whose, as the caller's user namespace sees it */
	bool counted;	/* the kernel told the bytes */
	__u8 _pad[3];
	__u64 cookie;		  /* SO_COOKIE, as in smc_flow */
	__u64 cgroup;		  /* in which it was opened; 0: not known */
	__u64 rx_bytes, tx_bytes; /* payload */
};

/* plain_socket - It, to look for its record. */
struct mesh_socket plain_socket(const struct plain_flow *f);

/* What is plain TCP in a namespace. */
struct plain {
	struct netns_listener *listeners; /* diag_late_listeners() */
	size_t n_listeners;
	/* All connections but those between two ends in the namespace. */
	struct plain_flow *flows;
	size_t n_flows;
	/* Of each record that was asked for its socket, plain TCP or the inner
	 * one of an SMC socket, in any state of a connection; its cookie is 0
	 * where there is none. */
	struct mesh_socket *told;
	size_t n_told;
};

/*
 * plain_find - All of it, by one helper.
 * @asked: with its index; may be NULL. Bytes are asked for only where it has
 * records.
 * Return: 0 or a negative errno, @out is zeroed then. Free with plain_free().
 */
must_check int plain_find(const struct netns_ref *ref,
			  const struct mesh_records *asked, struct plain *out);
void plain_free(struct plain *p);

/*
 * plain_keep_owners - Drop what is not of these, as we count: a helper enters
 * no user namespace, and the kernel answers in terms of the asker's. It tells
 * no socket's group: what only that could tell is dropped, too.
 */
void plain_keep_owners(struct plain *p, const struct smc_owner *v, size_t n);

/*
 * plain_end - Have the kernel end these: both ends' programs see an error on
 * the connection, as if it had been reset. One that is gone already is not
 * counted; the cookie makes sure that it is no other.
 * Return: how many were ended; -EOPNOTSUPP: this kernel cannot
 * (CONFIG_INET_DIAG_DESTROY); or another negative errno.
 */
must_check int plain_end(const struct netns_ref *ref,
			 const struct plain_flow *v, size_t n);

/*
 * plain_without_smc - From the connections @v, drop the inner sockets of SMC
 * connections (the pure part of plain_find()). Return: how many stay, at the
 * front of @v.
 */
size_t plain_without_smc(struct plain_flow *v, size_t n,
			 const struct diag_smc *smc, size_t n_smc);
