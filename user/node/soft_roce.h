/* SPDX-License-Identifier: Apache-2.0 */
/* Where soft RoCE (the module rdma_rxe) can be reached. */
#pragma once

#include <stdbool.h>

/*
 * soft_roce_is_deaf - Do soft RoCE devices get no packet in the caller's
 * network namespace?
 *
 * RoCE v2 is UDP to port 4791. Older kernels let one make such a device over a
 * netdev of any namespace and show its port as active there, but have that UDP
 * socket in the host's namespace alone, and route what the device sends there,
 * too (rxe_net_ipv4_init(), rxe_find_route4() with init_net; 6.12 does, 7.3
 * does not). So the namespace is asked for the socket and not the kernel for
 * its version.
 *
 * Return: false also where that cannot be told.
 */
bool soft_roce_is_deaf(void);
