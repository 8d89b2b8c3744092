/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frees an owner whose memory has libuv handles in it, when the loop has closed
 * them all.
 */
#pragma once

#include <uv.h>

/* In the owner, zeroed. */
struct handles {
	unsigned int closing;	   /* those that the loop still knows */
	void (*free)(void *owner); /* NULL: the owner stays */
	void *owner;
};

/* handles_close - Close @handle, of any libuv type. Its `data` is ours from now
 * on, and NULL when it is closed. */
void handles_close(struct handles *hs, void *handle);

/* handles_free - Call @free(@owner) when the loop has closed all of them: at
 * once if it has already. */
void handles_free(struct handles *hs, void (*free)(void *owner), void *owner);
