/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists listeners and connections of a pod's namespace that are plain TCP, by
 * the kernel's socket diagnosis, and ends connections by SOCK_DESTROY.
 * mesh/late.h decides which of them could be SMC by now.
 */
#pragma once

#include <stddef.h>
#include "base/addr.h"
#include "mesh/record_fate.h"
#include "node/diag.h"
#include "node/netns.h"

/* plain_find() returns at most so many connections of a pod. */
#define PLAIN_MAX 16384

/* An established TCP connection, as the end in this namespace has it. */
struct plain_flow {
	struct smc_addr local, remote;
	__u16 local_port, remote_port;
	__u32 bound_if; /* SO_BINDTODEVICE, or 0 */
	__u32 uid;	/* owner, in the caller's user namespace */
	bool counted;	/* the kernel told the bytes */
	__u8 _pad[3];
	__u64 cookie;		  /* SO_COOKIE, as in smc_flow */
	__u64 cgroup;		  /* where it was opened; 0: not known */
	__u64 rx_bytes, tx_bytes; /* payload */
};

/* plain_socket - @f in the form in which mesh_record_of() looks for its
 * record. */
struct mesh_socket plain_socket(const struct plain_flow *f);

/* The plain TCP sockets of a namespace. */
struct plain {
	struct netns_listener *listeners; /* diag_late_listeners() */
	size_t n_listeners;
	/* All connections but those between two ends in the namespace. */
	struct plain_flow *flows;
	size_t n_flows;
	/* The socket of each record that was asked for, plain TCP or the inner
	 * one of an SMC socket, in any state of a connection; if there is none
	 * its cookie is 0. */
	struct mesh_socket *told;
	size_t n_told;
};

/*
 * plain_find - Find all, by one helper.
 * @asked: indexed records; may be NULL. Bytes are asked for only if there are
 * records.
 * Return: 0 or a negative errno, @out is zeroed then. Free with plain_free().
 */
must_check int plain_find(const struct netns_ref *ref,
			  const struct mesh_records *asked, struct plain *out);
void plain_free(struct plain *p);

/*
 * plain_keep_owners - Keep only sockets of these owners, by IDs of our user
 * namespace: a helper enters no other, and the kernel answers in terms of the
 * asker's. It tells no socket's group: sockets that only their group would
 * identify are dropped, too.
 */
void plain_keep_owners(struct plain *p, const struct smc_owner *v, size_t n);

/*
 * plain_end - Have the kernel end these: both ends' programs see an error, as
 * if the connection had been reset. A connection that has ended already does
 * not count; the cookie makes sure that it is no other.
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
