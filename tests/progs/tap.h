/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap on all interfaces of the current network namespace that sees every SYN
 * and SYN-ACK, sent and received, before any packet filter of the receiving
 * side, and reads the SMC option of each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct syn {
	uint64_t wall_ns;
	bool sent; /* by this namespace; else received */
	bool ack;  /* a SYN-ACK */
	bool smc;  /* carries the SMC option */
	int family;
	uint8_t src[16], dst[16]; /* the first 4 bytes for AF_INET */
	uint16_t sport, dport;
	uint32_t seq;
};

/* tap_open - A packet socket, non-blocking; dies where it cannot be had. */
int tap_open(void);

/* tap_read - The next one. Return: 1, or 0 when there is none yet. */
int tap_read(int fd, struct syn *out);

/* tap_dropped - How many the kernel had no room for since the last call. */
unsigned long tap_dropped(int fd);

/* tcp_has_smc - Do the @len bytes of TCP options hold the SMC option? */
bool tcp_has_smc(const uint8_t *opt, unsigned int len);
