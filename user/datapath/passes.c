// SPDX-License-Identifier: Apache-2.0
#include "datapath/passes.h"

#include <errno.h>
#include <string.h>

/* ---- what two forms of a row both allow -----------------------------------
 */

static bool allows_nothing(const struct smc_pod *pod)
{
	return pod->flags & (SMC_POD_DENY | SMC_POD_REFUSED);
}

/* Two rows of different pods, of different owners, or of which one is no pod's
 * (SMC_POD_SHARED) have nothing in common. */
static bool nothing_in_common(const struct smc_pod *a, const struct smc_pod *b)
{
	if (a->pod_id != b->pod_id || (a->flags ^ b->flags) & SMC_POD_SHARED)
		return true;
	return a->flags & b->flags & SMC_POD_SIDECAR &&
	       (a->n_owners != b->n_owners ||
		memcmp(a->owners, b->owners, sizeof(a->owners)));
}

/* The owners that both rows convert, of which one at most is a sidecar's. */
static void owners_less(struct smc_pod *pod, const struct smc_pod *old)
{
	if (pod->flags & SMC_POD_SIDECAR || !(old->flags & SMC_POD_SIDECAR))
		return;
	pod->n_owners = old->n_owners;
	memcpy(pod->owners, old->owners, sizeof(pod->owners));
}

static void pod_less(const void *have, const void *want, void *less)
{
	struct smc_pod old, pod;

	memcpy(&old, have, sizeof(old));
	memcpy(&pod, want, sizeof(pod));
	if (allows_nothing(&old)) {
		pod = old;
	} else if (!allows_nothing(&pod)) {
		owners_less(&pod, &old);
		if (nothing_in_common(&old, &pod))
			pod.flags = SMC_POD_DENY;
		else
			pod.flags |= old.flags;
		pod.transports &= old.transports;
	}
	memcpy(less, &pod, sizeof(pod));
}

static void endpoint_less(const void *have, const void *want, void *less)
{
	struct smc_endpoint old, e;

	memcpy(&old, have, sizeof(old));
	memcpy(&e, want, sizeof(e));
	e.transports &= old.transports;
	e.flags |= old.flags; /* SMC_ENDPOINT_ANSWER_ONLY: less than without */
	memcpy(less, &e, sizeof(e));
}

static void service_less(const void *have, const void *want, void *less)
{
	struct smc_service old, s;

	memcpy(&old, have, sizeof(old));
	memcpy(&s, want, sizeof(s));
	s.transports &= old.transports;
	memcpy(less, &s, sizeof(s));
}

/* A row that excludes has one form only. */
static void cidr_less(const void *have, const void *want, void *less)
{
	memcpy(less, want, sizeof(struct smc_cidr));
}

static void port_less(const void *have, const void *want, void *less)
{
	memcpy(less, want, sizeof(struct smc_port));
}

static void (*const lessers[MAP_MAX])(const void *have, const void *want,
				      void *less) = {
	[MAP_NETNS] = pod_less,		[MAP_CGROUP] = pod_less,
	[MAP_ENDPOINT] = endpoint_less, [MAP_SERVICE] = service_less,
	[MAP_CIDR] = cidr_less,		[MAP_PORT] = port_less,
};

void row_less(enum map_id id, const void *have, const void *want, void *less)
{
	lessers[id](have, want, less);
}

static __u64 lower(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

void config_less(const struct smc_config *have, const struct smc_config *want,
		 struct smc_config *less)
{
	const struct smc_limits *a = &have->limits, *b = &want->limits;

	*less = *want;
	less->enabled = have->enabled && want->enabled;
	less->transports &= have->transports;
	/* An exclusion that no program looks up has no effect. */
	less->uses |= have->uses;
	less->offers_until_ns =
		lower(have->offers_until_ns, want->offers_until_ns);
	less->limits = (struct smc_limits){
		.pending_pod = lower(a->pending_pod, b->pending_pod),
		.pending_node = lower(a->pending_node, b->pending_node),
		.connections_pod =
			lower(a->connections_pod, b->connections_pod),
		.buffers_node = lower(a->buffers_node, b->buffers_node),
		.bytes_pod = lower(a->bytes_pod, b->bytes_pod),
		.bytes_node = lower(a->bytes_node, b->bytes_node),
	};
	_Static_assert(sizeof(*a) == 4 * sizeof(__u32) + 2 * sizeof(__u64),
		       "each of them is lowered here");
}

/* ---- rows that come and go ------------------------------------------------
 */

/* It forbids what the row of the endpoint at that address would allow. */
static bool service_denies(const void *value)
{
	struct smc_service s;

	memcpy(&s, value, sizeof(s));
	return !s.transports;
}

static bool is_sidecar(const void *value)
{
	struct smc_pod pod;

	memcpy(&pod, value, sizeof(pod));
	return pod.flags & SMC_POD_SIDECAR;
}

bool row_denies(enum map_id id, const void *value)
{
	switch (id) {
	case MAP_PORT:
	case MAP_CIDR:
	case MAP_CGROUP:
		return true;
	case MAP_SERVICE:
		return service_denies(value);
	case MAP_NETNS:
		return is_sidecar(value);
	default:
		return false;
	}
}

/* A row of smc_netns arms, or allows as little as none at all; one of
 * smc_cgroup arms, or denies. */
static enum pass when_added(enum map_id id, const void *value)
{
	struct smc_pod pod;

	if (id == MAP_NETNS)
		return PASS_GIVE;
	if (id != MAP_CGROUP)
		return row_denies(id, value) ? PASS_TAKE : PASS_GIVE;
	memcpy(&pod, value, sizeof(pod));
	return allows_nothing(&pod) ? PASS_TAKE : PASS_GIVE;
}

/* Without its row of smc_netns a pod is not armed. */
static enum pass when_removed(enum map_id id, const void *value)
{
	return id != MAP_NETNS && row_denies(id, value) ? PASS_GIVE : PASS_TAKE;
}

/* ---- a whole map ----------------------------------------------------------
 */

void passes_free(struct passes *p)
{
	for (enum pass i = 0; i < PASSES; i++) {
		rows_free(&p->added[i]);
		rows_free(&p->changed[i]);
		rows_free(&p->removed[i]);
	}
	rows_free(&p->halfway);
}

/* Put each of @rows into the pass of @to that @when returns. */
static int split(enum map_id id, const struct rows *rows,
		 enum pass (*when)(enum map_id id, const void *value),
		 struct rows to[PASSES])
{
	int err = 0;

	for (size_t i = 0; !err && i < rows->n; i++) {
		const void *value = rows_value(rows, i);

		err = rows_add(&to[when(id, value)], rows_key(rows, i), value);
	}
	return err;
}

static int split_changed(enum map_id id, const struct rows *changed,
			 const struct rows *have, struct passes *out)
{
	_free_ void *less = malloc(changed->value_size + 1);
	int err = less ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < changed->n; i++) {
		const void *key = rows_key(changed, i);
		const void *want = rows_value(changed, i);
		const void *old = rows_find(have, key);
		bool takes, gives;

		row_less(id, old, want, less);
		takes = memcmp(less, old, changed->value_size);
		gives = memcmp(less, want, changed->value_size);
		if (takes && gives)
			err = rows_add(&out->halfway, key, less);
		if (!err)
			err = rows_add(
				&out->changed[gives ? PASS_GIVE : PASS_TAKE],
				key, want);
	}
	return err;
}

int passes_make(enum map_id id, const struct rows *want,
		const struct rows *have, struct passes *out)
{
	const struct rows none = {.key_size = want->key_size,
				  .value_size = want->value_size};
	_cleanup_(rows_delta_free) struct rows_delta delta = {};
	int err;

	*out = (struct passes){
		.added = {none, none},
		.changed = {none, none},
		.removed = {none, none},
		.halfway = none,
	};
	err = rows_diff(want, have, &delta);
	err = err ?: split(id, &delta.added, when_added, out->added);
	err = err ?: split_changed(id, &delta.changed, have, out);
	err = err ?: split(id, &delta.removed, when_removed, out->removed);
	return err;
}
