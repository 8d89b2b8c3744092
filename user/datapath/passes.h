/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The difference between what a map should hold and what it holds, by its
 * effect on the verdict: a first pass over all maps takes away, a second gives.
 * Pure: knows no kernel.
 *
 * A row that changes in both directions (an endpoint that loses one transport
 * and gains another) is written twice: first with what both forms allow, then
 * as wanted.
 */
#pragma once

#include "datapath/state.h"

enum pass { PASS_TAKE, PASS_GIVE, PASSES };

struct passes {
	struct rows added[PASSES];
	struct rows changed[PASSES]; /* with the wanted value */
	struct rows halfway;	     /* PASS_TAKE: what both forms allow */
	struct rows removed[PASSES];
};

/* passes_free - Safe on a zeroed struct, and as a cleanup. */
void passes_free(struct passes *p);

/*
 * passes_make - The passes that turn @have into @want, both sorted and of the
 * map @id.
 * Return: 0 or -ENOMEM. Free with passes_free(), also after -ENOMEM.
 */
must_check int passes_make(enum map_id id, const struct rows *want,
			   const struct rows *have, struct passes *out);

/* row_less - Set @less to the value that allows just what both @have and @want
 * do. All are values of the map @id. */
void row_less(enum map_id id, const void *have, const void *want, void *less);

/* config_less - The same for smc_config. Members that neither allow nor deny
 * are @want's. */
void config_less(const struct smc_config *have, const struct smc_config *want,
		 struct smc_config *less);

/*
 * row_denies - Do our programs allow something without this row of the map @id
 * that they do not allow with it? Where a map is full such a row must not be
 * left out; without any other row a connection is just TCP.
 *
 *   smc_port, smc_cidr  each row excludes
 *   smc_service         one without transports denies what the endpoint's row
 *                       at that address would allow
 *   smc_endpoint        none: an address without a row is no endpoint
 *   smc_cgroup          each row: sockets of a cgroup without one pass
 *                       untouched, as strangers' in a shared namespace
 *   smc_netns           a sidecar's: without it SMC sockets that are not the
 *                       proxy's pass the redirect. Without any other nothing is
 *                       converted there, and each handshake is denied
 */
bool row_denies(enum map_id id, const void *value);
