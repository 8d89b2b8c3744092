/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address that a NIC should have, from what a cloud's metadata service
 * answers or from the command line. None of these texts is trusted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/cleanup.h"

/* Zeroed: nothing is known yet. */
struct nic_want {
	struct smc_addr addr; /* IPv4 */
	unsigned int bits;    /* of the subnet, of 32; 0: not known yet */
	bool has_gateway;
	struct smc_addr gateway; /* only checked: it gets no route */
};

/*
 * nic_want_address, nic_want_netmask, nic_want_block, nic_want_gateway - Take
 * one answer: "10.0.0.6"; "255.255.255.0"; "10.0.0.0/24", which has to hold the
 * address taken before; "10.0.0.253".
 * @why: a sentence on failure, with the answer, made printable.
 * Return: 0, or -EINVAL with @w untouched.
 */
must_check int nic_want_address(struct nic_want *w, const char *text,
				struct buf *why);
must_check int nic_want_netmask(struct nic_want *w, const char *text,
				struct buf *why);
must_check int nic_want_block(struct nic_want *w, const char *text,
			      struct buf *why);
must_check int nic_want_gateway(struct nic_want *w, const char *text,
				struct buf *why);

/* nic_want_given - Take "10.0.0.6/24". Return: as above. */
must_check int nic_want_given(struct nic_want *w, const char *text,
			      struct buf *why);

/*
 * nic_want_check - Can a NIC have all that: an address of a host, in a subnet
 * of 8 to 30 bits that holds the gateway? Return: 0, or -EINVAL with a sentence
 * in @why.
 */
must_check int nic_want_check(const struct nic_want *w, struct buf *why);

/* nic_want_subnet - The subnet of the address. */
struct cidr nic_want_subnet(const struct nic_want *w);

/* nic_want_format - "10.0.0.6/24". Return: @text. */
const char *nic_want_format(const struct nic_want *w, char text[ADDR_STRLEN]);
