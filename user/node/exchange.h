/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of `smcmesh check`: sockets as any program makes them, so that
 * they are converted where the caller's network namespace is armed. One sends a
 * byte, the other sends it back.
 */
#pragma once

#include <stdbool.h>
#include <smcmesh/abi.h>
#include "base/cleanup.h"

#define EXCHANGE_MAX 100   /* connections of one check */
#define EXCHANGE_IDLE_S 20 /* a server gives up after that without a client */

/* What a connection is for: its first byte. */
enum exchange_kind {
	EXCHANGE_CHECK = 'c', /* the server keeps its port */
	EXCHANGE_TCP = 't',   /* for comparison */
	EXCHANGE_LAST = 'l',  /* for comparison, and the server may end */
};

/* What the kernel says that a connection is. */
enum exchange_mode {
	EXCHANGE_UNTOLD = 0, /* it has no diagnosis of SMC's sockets */
	EXCHANGE_IS_TCP,
	EXCHANGE_IS_SMCR,
	EXCHANGE_IS_SMCD,
};

/* One connection, as its client has it. */
struct exchange {
	__u16 port;	/* its own; 0: it did not come to that */
	bool converted; /* an SMC socket */
	bool connected;
	bool answered; /* the first byte came back */
	int err;       /* 0, or the negative errno that ended it */
	enum exchange_mode mode;
	__u32 fallback; /* the kernel's code, or 0 */
	__u64 first_ns; /* from connect() on until the first byte was back */
	__u64 trip_ns;	/* of one byte there and back, the median of some */
};

/* The clients' ports of EXCHANGE_CHECK connections. */
struct exchange_served {
	__u16 ports[EXCHANGE_MAX];
	unsigned int n;
	bool last; /* EXCHANGE_LAST came */
};

/*
 * exchange_listen - Listen in the caller's network namespace, at a port that
 * the kernel chooses.
 * @port: gets it. @converted: gets whether it is an SMC socket.
 * Return: a descriptor, or a negative errno.
 */
must_check int exchange_listen(const struct smc_addr *at, __u16 *port,
			       bool *converted);

/*
 * exchange_serve - Send back what comes, one connection after the other, until
 * EXCHANGE_LAST has been served or nobody came for EXCHANGE_IDLE_S.
 * Return: 0, also if nobody came; or a negative errno.
 */
must_check int exchange_serve(int listener, struct exchange_served *out);

/*
 * exchange_connect - One connection from the caller's network namespace.
 * @talk: send and expect bytes; else only connect.
 * @out: says how far it came; waits 10 seconds for each step at most.
 */
void exchange_connect(const struct smc_addr_port *to, enum exchange_kind kind,
		      bool talk, struct exchange *out);
