/* SPDX-License-Identifier: Apache-2.0 */
/* Two network namespaces with a wire between them, for `smcmesh check --local`:
 * nobody else has them, and they are gone with the two processes that hold
 * them. */
#pragma once

#include <smcmesh/abi.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define THROWAWAY_BITS 30

struct throwaway {
	pid_t holder[2]; /* 0: none; its /proc/PID/ns/net is the namespace */
	struct smc_addr addr[2];
};

/*
 * throwaway_make - Each has lo and eth0, up, eth0 with an address of addr[].
 * @error: gets a sentence.
 * Return: 0, or a negative errno with nothing made: -EPERM: it needs root.
 */
must_check int throwaway_make(struct throwaway *out, struct buf *error);

/* throwaway_drop - End the holders; safe on a zeroed struct. */
void throwaway_drop(struct throwaway *t);
