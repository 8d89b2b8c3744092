/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What encrypts the traffic between nodes, as network plugins have the kernel
 * do it: WireGuard devices, and IPsec. Both work on packets of the network
 * stack; what SMC sends over RDMA never is one.
 */
#pragma once

#include "base/cleanup.h"

#define ENCRYPT_TEXT_MAX 64

/*
 * encrypt_find - Is there any of it in the caller's network namespace?
 * @what: then, "the WireGuard device wg0" or "an IPsec policy".
 * Return: 1 there is, 0 there is none, or a negative errno: not known.
 */
must_check int encrypt_find(char what[ENCRYPT_TEXT_MAX]);

struct nlmsghdr;

/* encrypt_take_link - One message of a list of devices. @what: changed if it is
 * a WireGuard device's. Return: MNL_CB_STOP then, else MNL_CB_OK. */
int encrypt_take_link(const struct nlmsghdr *h, void *what);
