// SPDX-License-Identifier: Apache-2.0
#include "loop/handles.h"

static void handle_closed(uv_handle_t *handle)
{
	struct handles *hs = handle->data;

	handle->data = NULL;
	if (!--hs->closing && hs->free)
		hs->free(hs->owner);
}

void handles_close(struct handles *hs, void *handle)
{
	uv_handle_t *h = handle;

	h->data = hs;
	hs->closing++;
	uv_close(h, handle_closed);
}

void handles_free(struct handles *hs, void (*free)(void *owner), void *owner)
{
	hs->free = free;
	hs->owner = owner;
	if (!hs->closing)
		free(owner);
}
