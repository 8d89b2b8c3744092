/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of protocols that are newer than some C libraries. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

/* include/uapi/linux/in.h, since Linux 6.11. */
#ifndef IPPROTO_SMC
#define IPPROTO_SMC 256
#endif
/* Alibaba Cloud's kernels, since 5.10 (MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET,
 * 263, 1) in net/smc/smc_inet.c). */
#define IPPROTO_SMC_VENDOR 263

/*
 * ipproto_smc - The number of the protocol SMC in the running kernel, found by
 * making a socket, which loads the module if there is one.
 * Return: the number, or the negative errno that mainline's number got.
 */
int ipproto_smc(void);

/* ipproto_is_smc - Is it one of the numbers that SMC has in some kernel? */
bool ipproto_is_smc(int protocol);
