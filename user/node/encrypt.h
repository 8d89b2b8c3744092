/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What encrypts the traffic between nodes: WireGuard devices and IPsec, which
 * network plugins set up in the kernel. Both work on packets of the network
 * stack, which SMC's RDMA messages never are.
 */
#pragma once

#include "base/cleanup.h"

#define ENCRYPT_TEXT_MAX 64

/*
 * encrypt_find - Does the caller's network namespace encrypt?
 * @what: if so, "the WireGuard device wg0" or "an IPsec policy".
 * Return: 1: yes, 0: no, or a negative errno: not known.
 */
must_check int encrypt_find(char what[ENCRYPT_TEXT_MAX]);

struct nlmsghdr;

/* encrypt_take_link - One message of a list of devices. @what: changed if it is
 * a WireGuard device's. Return: MNL_CB_STOP then, else MNL_CB_OK. */
int encrypt_take_link(const struct nlmsghdr *h, void *what);
