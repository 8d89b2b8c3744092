/* SPDX-License-Identifier: Apache-2.0 */
/* Who is behind an address of a Service, as the world says it. */
#pragma once

#include "mesh/model.h"

enum backends_found {
	BACKENDS_NO_SERVICE, /* the address is no ClusterIP and no external one
			      */
	BACKENDS_EXTERNAL,   /* it is an external one */
	BACKENDS_NO_PORT,    /* that port is none of its TCP ports */
	BACKENDS_NONE,	     /* no backend is ready */
	BACKENDS_SOME,
};

struct backends {
	enum backends_found found;
	const struct mesh_service *service; /* NULL: NO_SERVICE */
	struct smc_addr_port *v;	    /* sorted, no doubles */
	size_t n;
};

/*
 * backends_of - The backends to which a proxy leads connections to @at: those
 * of the address's own family in every slice of the Service.
 * Return: 0 or -ENOMEM. Free with backends_free(); it points into @w.
 */
must_check int backends_of(const struct mesh_world *w,
			   const struct smc_addr_port *at,
			   struct backends *out);
void backends_free(struct backends *b);

/* backends_remedy - What to do where @found is a cause by itself; "" where the
 * backends decide. */
const char *backends_remedy(enum backends_found found);
