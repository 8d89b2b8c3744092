/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* memory_total - The memory of this machine, in bytes; 0: not known. */
__u64 memory_total(void);

/*
 * memory_lend - Have malloc() borrow what is large from the kernel, a piece at
 * a time, and give it back when it is freed: a map's rows, a file's text. By
 * itself malloc() does so until the first is freed; then it takes such sizes
 * for usual, and keeps up to 64 MiB for the next one. To be called at the
 * start.
 */
void memory_lend(void);

/* When memory was given back, and how large this process was then. */
struct memory_kept {
	bool due; /* set by who has freed much */
	size_t resident;
	__u64 at_ns;
};

/*
 * memory_give_back - Where it is due, give the kernel back what malloc() keeps
 * for later. A list of the whole cluster, or the plan before the last one, is
 * freed in a million small pieces, of which malloc() gives back only those at
 * the heap's end. That takes a walk over all that is free, and a page fault for
 * each page that is needed again: so it is done when this process has grown
 * since the last time, else once a minute.
 * @now_ns: CLOCK_MONOTONIC. Return: it was done, and is not due any more.
 */
bool memory_give_back(struct memory_kept *kept, __u64 now_ns);
