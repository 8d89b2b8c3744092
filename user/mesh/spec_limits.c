// SPDX-License-Identifier: Apache-2.0
/* How much of the kernel's SMC a pod and this node may hold at once. */
#include "mesh/spec_limits.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/duration.h"
#include "base/part.h"
#include "mesh/draft.h"

/* A socket without a row in smc_pending is not counted, and would know no
 * limit. */
_Static_assert(MESH_PENDING_MAX <= SMC_PENDING_ENTRIES, "rows for all");

struct smc_limits mesh_limits(const struct mesh_config *config, __u64 memory)
{
	const struct mesh_limits *l = &config->limits;

	return (struct smc_limits){
		.pending_pod = l->pending_pod,
		.pending_node = l->pending_node,
		.connections_pod = l->connections_pod,
		.buffers_node = MESH_BUFFERS_NODE,
		.bytes_pod = memory / 100 * l->memory_percent / MESH_BYTES_PODS,
		.bytes_node = memory / 100 * l->memory_percent,
	};
}

/* ---- texts ----------------------------------------------------------------
 */

/* Digits and nothing else. Return: 0, or -EINVAL: none, or more than 32 bits.
 */
static int number_parse(const char *text, size_t len, __u32 *out)
{
	__u64 n = 0;

	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		n = 10 * n + (text[i] - '0');
		if (n > UINT32_MAX)
			return -EINVAL;
	}
	*out = n;
	return 0;
}

int mesh_lease_parse(const char *text, __u32 *seconds)
{
	unsigned long long lease;

	if (duration_parse(text, &lease))
		return -EINVAL;
	if (lease && (lease < MESH_LEASE_MIN_S || lease > MESH_LEASE_MAX_S))
		return -EINVAL;
	*seconds = lease;
	return 0;
}

static int limit_parse(const char *part, size_t len,
		       struct mesh_pod_limits *out)
{
	const struct {
		const char *name;
		__u32 *value;
	} limits[] = {{"pending=", &out->pending},
		      {"connections=", &out->connections}};

	for (size_t i = 0; i < array_size(limits); i++) {
		size_t name = strlen(limits[i].name);

		if (len < name || memcmp(part, limits[i].name, name))
			continue;
		/* A limit given twice is an error, too: which one counts? */
		if (*limits[i].value ||
		    number_parse(part + name, len - name, limits[i].value) ||
		    !*limits[i].value)
			return -EINVAL;
		return 0;
	}
	return -EINVAL;
}

int mesh_pod_limits_parse(const char *text, struct mesh_pod_limits *out,
			  char bad[32])
{
	struct mesh_pod_limits limits = {};

	while (text) {
		size_t len;
		const char *part = part_next(&text, &len);

		if (limit_parse(part, len, &limits)) {
			part_copy(part, len, bad);
			return -EINVAL;
		}
	}
	*out = limits;
	return 0;
}

/* ---- the plan -------------------------------------------------------------
 */

/* RDMA traffic would leave the node in the clear, where all other traffic of
 * pods is encrypted. */
int draft_usable(struct draft *d, const struct mesh_seen *seen, size_t n_seen)
{
	const struct mesh_host *host = d->host;
	__u32 all = host->transports;

	d->usable = ~0U;
	if (host->encrypts && !d->world->config.allow_unencrypted)
		d->usable &= ~SMC_TRANSPORT_SMCR;
	d->plan.transports = host->transports & d->usable;
	for (size_t i = 0; i < n_seen; i++)
		all |= seen[i].transports;
	if (!(all & ~d->usable))
		return 0;
	return draft_warn(
		d,
		"no RDMA (smcr) on this node because of %s: data over "
		"RDMA would pass by what encrypts the traffic between "
		"nodes; SmcMesh's spec.allowUnencrypted: true allows it",
		host->encrypts);
}

/* A pod may ask for less than the mesh gives, never for more. */
static int settle(struct draft *d, const struct mesh_pod *pod, const char *what,
		  __u32 asks, __u32 mesh, __u32 *out)
{
	if (asks <= mesh) {
		*out = asks;
		return 0;
	}
	return draft_warn(d,
			  "pod %s/%s asks for %s=%u in its annotation "
			  "smcmesh.io/limits, the mesh's limit is %u: it has "
			  "that",
			  pod->ns, pod->name, what, asks, mesh);
}

int draft_limits(struct draft *d)
{
	const struct mesh_limits *mesh = &d->world->config.limits;
	int err = 0;

	for (size_t i = 0; i < d->plan.n_pods && !err; i++) {
		struct plan_pod *p = &d->plan.pods[i];

		if (p->says.problem || p->says.enabled != MESH_ON)
			continue;
		err = settle(d, p->pod, "pending", p->pod->pending_max,
			     mesh->pending_pod, &p->pending_max);
		err = err
			      ?: settle(d, p->pod, "connections",
					p->pod->connections_max,
					mesh->connections_pod,
					&p->connections_max);
	}
	return err;
}
