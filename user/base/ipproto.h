/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of protocols that are newer than some C libraries. */
#pragma once

#include <netinet/in.h>

/* include/uapi/linux/in.h, since Linux 6.11. */
#ifndef IPPROTO_SMC
#define IPPROTO_SMC 256
#endif
