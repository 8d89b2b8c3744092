/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of an owner whose memory has handles of libuv in it: it may go only
 * when the loop has closed them all.
 */
#pragma once

#include <uv.h>

/* In the owner, zeroed. */
struct handles {
	unsigned int closing;	   /* those that the loop still knows */
	void (*free)(void *owner); /* NULL: the owner stays */
	void *owner;
};

/* handles_close - Close @handle, of any type of libuv's. Its `data` is ours
 * from now on, and NULL when it is closed. */
void handles_close(struct handles *hs, void *handle);

/* handles_free - Call @free(@owner) when all of them are closed: at once if
 * they are already. */
void handles_free(struct handles *hs, void (*free)(void *owner), void *owner);
