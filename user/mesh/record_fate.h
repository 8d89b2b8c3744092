/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches records of flows with the sockets that diagnosis finds, and decides
 * what becomes of records whose end no program of ours sees.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>

/* A TCP socket that is no listener, as socket diagnosis reports it. */
struct mesh_socket {
	struct smc_addr local, remote;
	__u16 local_port, remote_port;
	bool connected; /* its handshake is done */
	bool counted;	/* the kernel told the bytes */
	__u64 cookie;	/* SO_COOKIE, never 0 */
	__u64 rx_bytes, tx_bytes;
};

struct mesh_record {
	struct smc_handshake key;
	struct smc_flow flow;
};

/* Records of one namespace. */
struct mesh_records {
	struct mesh_record *v;
	size_t n;
	/* Of mesh_records_index(). */
	const struct mesh_record **by_cookie, **by_ends;
	size_t n_cookies; /* records that have one */
};

/* mesh_records_add - Return: 0 or -ENOMEM. */
int mesh_records_add(struct mesh_records *r, const struct smc_handshake *key,
		     const struct smc_flow *flow);

/* mesh_records_index - After the last was added: make mesh_record_of() find
 * them. Return: 0 or -ENOMEM. */
int mesh_records_index(struct mesh_records *r);
void mesh_records_free(struct mesh_records *r);

/*
 * mesh_record_of - The record of the socket @s: with its cookie, else with its
 * addresses and ports and no other cookie. Of several the one that is open, and
 * of those the youngest. NULL: there is none.
 */
const struct mesh_record *mesh_record_of(const struct mesh_records *r,
					 const struct mesh_socket *s);

/* mesh_record_untold - Does only socket diagnosis tell its end? */
bool mesh_record_untold(const struct smc_handshake *key,
			const struct smc_flow *flow);

/* What becomes of an open record. */
enum mesh_fate {
	MESH_FATE_STAYS = 0,
	MESH_FATE_SEEN,	  /* diagnosis found out more */
	MESH_FATE_CLOSED, /* its socket has gone, or will never be one */
};

/*
 * mesh_record_fate - Judge by what diagnosis found in its namespace.
 * @s: its socket, NULL: it was not found. @asked_ns: when that was asked,
 * CLOCK_MONOTONIC: a younger record may be of a socket that was not there yet.
 * @out: the record as it is to be.
 */
enum mesh_fate mesh_record_fate(const struct mesh_record *r,
				const struct mesh_socket *s, __u64 asked_ns,
				struct smc_flow *out);

/* mesh_record_fate_alone - Judge without diagnosis. @netns_there: its namespace
 * is that of an existing pod. */
enum mesh_fate mesh_record_fate_alone(const struct mesh_record *r,
				      bool netns_there, __u64 now_ns,
				      struct smc_flow *out);
