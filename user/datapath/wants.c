// SPDX-License-Identifier: Apache-2.0
/* What each map should hold, by a plan and by its present content. Pure, but
 * for the rows of another ABI's agent. */
#include "datapath/port_row.h"
#include "datapath/wants.h"

#include <string.h>

#include "datapath/other.h"

/* ---- what a plan wants ---- */

/* @missing: of pods whose exclusions are not all in the map. */
static bool may_arm(const struct plan_pod *p, const struct missing *missing)
{
	return p->armed && !missing->pod[smc_slot(p->pod_id)];
}

static int want_netns(const struct mesh_plan *plan,
		      const struct missing *missing, struct rows *out)
{
	const struct smc_pod shared = {.flags = SMC_POD_SHARED};
	int err = 0;

	for (size_t i = 0; !err && i < plan->n_pods; i++) {
		const struct plan_pod *p = &plan->pods[i];
		bool kept =
			may_arm(p, missing) || p->value.flags & SMC_POD_REFUSED;

		if (kept && p->netns_cookie)
			err = rows_add(out, &p->netns_cookie, &p->value);
	}
	if (!err && plan->shared_netns)
		err = rows_add(out, &plan->shared_netns, &shared);
	return err;
}

/* Without a row the pod's sockets would pass untouched: so a pod that may not
 * be armed gets one that denies. */
static int want_cgroup(const struct mesh_plan *plan,
		       const struct missing *missing, struct rows *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < plan->n_pods; i++) {
		const struct plan_pod *p = &plan->pods[i];
		const struct smc_pod deny = {.pod_id = p->pod_id,
					     .flags = SMC_POD_DENY};

		if (p->armed && !p->netns_cookie && p->cgroup_id)
			err = rows_add(out, &p->cgroup_id,
				       may_arm(p, missing) ? &p->value : &deny);
	}
	for (size_t i = 0; !err && i < plan->n_denied; i++)
		err = rows_add(out, &plan->denied[i].cgroup_id,
			       &plan->denied[i].value);
	return err;
}

static int want_endpoint(const struct mesh_plan *plan,
			 const struct missing *missing, struct rows *out)
{
	int err = rows_reserve(out, plan->n_endpoints);

	for (size_t i = 0; !err && i < plan->n_endpoints; i++)
		err = rows_add(out, &plan->endpoints[i].addr,
			       &plan->endpoints[i].value);
	return err;
}

static int want_service(const struct mesh_plan *plan,
			const struct missing *missing, struct rows *out)
{
	int err = rows_reserve(out, plan->n_services);

	for (size_t i = 0; !err && i < plan->n_services; i++) {
		const struct smc_service value = {
			.transports = plan->services[i].transports};

		err = rows_add(out, &plan->services[i].key, &value);
	}
	return err;
}

static int want_cidr(const struct mesh_plan *plan,
		     const struct missing *missing, struct rows *out)
{
	const struct smc_cidr value = {.exclude = 1};
	struct smc_cidr_key key;
	int err = 0;

	for (size_t i = 0; !err && i < plan->n_cidrs; i++) {
		key.prefixlen = plan->cidrs[i].prefixlen;
		memcpy(key.ip, plan->cidrs[i].addr.ip, sizeof(key.ip));
		err = rows_add(out, &key, &value);
	}
	return err;
}

static int want_port(const struct mesh_plan *plan,
		     const struct missing *missing, struct rows *out)
{
	int err = rows_reserve(out, plan->n_ports);

	for (size_t i = 0; !err && i < plan->n_ports; i++) {
		const struct plan_port *p = &plan->ports[i];

		err = port_row_add(out, p->pod_id, p->role, p->first, p->last);
	}
	return err;
}

static int (*const wants[MAP_MAX])(const struct mesh_plan *plan,
				   const struct missing *missing,
				   struct rows *out) = {
	[MAP_NETNS] = want_netns,	[MAP_CGROUP] = want_cgroup,
	[MAP_ENDPOINT] = want_endpoint, [MAP_SERVICE] = want_service,
	[MAP_CIDR] = want_cidr,		[MAP_PORT] = want_port,
};

/*
 * BPF marks a pod for which the kernel refused a socket, and one that has an
 * SMC listener; the marks are BPF's, and stay while the entry is the same
 * pod's. (For an entry that denies the plan says whether a socket was refused:
 * that outlives the annotation. A mark set between our reading and our writing
 * of a changed entry is lost; the next refused socket, or the next client of
 * that listener, sets it again.)
 *
 * SMC_POD_GUARDED must not outlive a mark of BPF's that says otherwise: a row
 * that is written is not guarded, until the next look. Only one that does not
 * change otherwise is left as it is.
 */
static void keep_marks(struct rows *want, const struct rows *have)
{
	const __u32 marks = SMC_POD_GUARDED | SMC_POD_GUARDING;
	const void *old_bytes;
	struct smc_pod pod, old, guarded;

	for (size_t i = 0; i < want->n; i++) {
		old_bytes = rows_find(have, rows_key(want, i));
		if (!old_bytes)
			continue;
		memcpy(&old, old_bytes, sizeof(old));
		memcpy(&pod, rows_value(want, i), sizeof(pod));
		if (pod.pod_id != old.pod_id)
			continue;
		pod.flags |= old.flags & SMC_POD_LISTENS;
		if (!(pod.flags & SMC_POD_DENY))
			pod.flags |= old.flags & SMC_POD_REFUSED;
		pod.flags &= ~marks;
		guarded = pod;
		guarded.flags |= old.flags & marks;
		if (!memcmp(&guarded, &old, sizeof(old)))
			pod = guarded;
		memcpy(rows_value(want, i), &pod, sizeof(pod));
	}
}

/*
 * A namespace once shared stays so. Its selector stays as long as the
 * namespace, and without this row it would deny the SMC sockets of other
 * programs there.
 */
static int keep_shared(struct rows *want, const struct rows *have)
{
	struct smc_pod pod;
	int err = 0;

	for (size_t i = 0; !err && i < have->n; i++) {
		memcpy(&pod, rows_value(have, i), sizeof(pod));
		if (pod.flags & SMC_POD_SHARED)
			err = rows_add(want, rows_key(have, i), &pod);
	}
	return err;
}

/* Keep shared rows and BPF's marks, of our map and, while they exist, of those
 * of another ABI's agent. */
static int keep_flags(const struct datapath *dp, enum map_id id,
		      struct rows *want, const struct rows *have)
{
	_cleanup_(rows_free) struct rows theirs = {
		.key_size = have->key_size, .value_size = have->value_size};
	int err;

	err = others_pods(dp, id, &theirs);
	err = err ?: keep_shared(want, &theirs);
	err = err ?: keep_shared(want, have);
	rows_sort(want);
	keep_marks(want, &theirs);
	keep_marks(want, have);
	return err;
}

int wants_rows(const struct datapath *dp, const struct mesh_plan *plan,
	       const struct missing *missing, enum map_id id,
	       const struct rows *have, struct rows *out)
{
	int err = wants[id](plan, missing, out);

	if (err)
		return err;
	rows_sort(out);
	return id == MAP_NETNS || id == MAP_CGROUP
		       ? keep_flags(dp, id, out, have)
		       : 0;
}

/* ---- rows that deny, are wanted and not there ---- */

static void miss(enum map_id id, const void *key, struct missing *missing)
{
	struct smc_port_key port;

	missing->rows++;
	if (id != MAP_PORT) {
		missing->node = true;
		return;
	}
	memcpy(&port, key, sizeof(port));
	if (port.pod_id)
		missing->pod[smc_slot(port.pod_id)] = true;
	else
		missing->node = true;
}

void missing_note(enum map_id id, const struct rows *rows,
		  struct missing *missing)
{
	for (size_t i = 0; i < rows->n; i++)
		miss(id, rows_key(rows, i), missing);
}
