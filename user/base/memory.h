/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* memory_total - The memory of this machine, in bytes; 0: not known. */
__u64 memory_total(void);

/* memory_resident - The resident memory of this process, in bytes; 0: not
 * known. */
size_t memory_resident(void);

/*
 * memory_lend - Have malloc() borrow what is large from the kernel, a piece at
 * a time, and give it back when it is freed: a map's rows, a file's text. By
 * itself malloc() does so until the first is freed; then it takes such sizes
 * for usual, and keeps up to 64 MiB for the next one. To be called at the
 * start.
 */
void memory_lend(void);

/* When memory was last given back, and how large this process was then. */
struct memory_kept {
	bool due; /* set after freeing much */
	size_t resident;
	__u64 at_ns;
};

/*
 * memory_give_back - If it is due, give free memory that malloc() keeps back to
 * the kernel. Freeing a list of the whole cluster, or an old plan, frees a
 * million small pieces, of which malloc() gives back only those at the heap's
 * end. Giving back walks over all that is free, and costs a page fault for each
 * page that is needed again: so do it when this process has grown since the
 * last time, else once a minute.
 * @now_ns: CLOCK_MONOTONIC. Return: was it done? Then it is not due any more.
 */
bool memory_give_back(struct memory_kept *kept, __u64 now_ns);
