// SPDX-License-Identifier: Apache-2.0
#include "source/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "objects/decode.h"

struct held *held_make(enum kind kind, yyjson_val *val,
		       struct mesh_config *config)
{
	struct held *h = calloc(1, sizeof(*h) + kinds[kind].size);
	int err = -ENOMEM;

	if (h)
		err = kube_decode(kind, val,
				  kinds[kind].size ? (void *)h->object : config,
				  &h->notes);
	if (err && err != -EINVAL) {
		log_err(err, "read one of the %s", kinds[kind].what);
		held_free(h);
		return NULL;
	}
	h->kind = kind;
	h->valid = !err;
	return h;
}

void held_free(struct held *h)
{
	if (!h)
		return;
	buf_free(&h->notes);
	if (h->valid && kinds[h->kind].size)
		kinds[h->kind].free(h->object);
	free(h);
}

void config_gone(enum kind kind, struct mesh_config *config)
{
	_buf_ struct buf notes = {};
	int err = kube_decode(kind, NULL, config, &notes);

	if (err)
		log_err(err, "forget the %s", kinds[kind].what);
}
