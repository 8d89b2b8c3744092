// SPDX-License-Identifier: Apache-2.0
/*
 * A plan into the maps: for each map the difference between what it should
 * hold and what the kernel holds is written, in two passes over all maps
 * (passes.h). The first takes away: a verdict may only become stricter by it,
 * until it allows what the old plan and the new one both do. The second gives,
 * and arms last. Where the agent dies in between, the maps never allow what one
 * of the two plans does not.
 */
#include <bpf/bpf.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/other.h"
#include "datapath/passes.h"

/*
 * A Service's row holds for so long after the last apply: without an agent
 * nobody follows the proxy any more, which may then send connections to
 * strangers. What has less than RENEW left is written anew, so that not every
 * apply writes every row.
 */
#define SERVICE_TTL_NS (300 * 1000000000ULL)
#define SERVICE_RENEW_NS (240 * 1000000000ULL)

/* One map's part of an apply. */
struct part {
	enum map_id id;
	struct rows want;
	struct passes todo;
};

struct apply {
	struct datapath *dp;
	struct datapath_changes *did;
	bool configured; /* smc_config was changed, and is counted */
	int err;	 /* the first one */
};

static void part_free(struct part *p)
{
	rows_free(&p->want);
	passes_free(&p->todo);
}

static void note(struct apply *a, int err, const char *what, enum map_id id)
{
	if (!err)
		return;
	log_warn(err, "%s the map %s", what, map_rows[id].name);
	if (!a->err)
		a->err = err;
}

/* ---- what a plan wants ---- */

static int want_netns(const struct mesh_plan *plan, struct rows *out)
{
	const struct smc_pod shared = {.flags = SMC_POD_SHARED,
				       .uid = SMC_UID_ANY};
	int err = 0;

	for (size_t i = 0; !err && i < plan->n_pods; i++) {
		const struct plan_pod *p = &plan->pods[i];

		bool kept = p->armed || p->value.flags & SMC_POD_REFUSED;

		if (kept && p->netns_cookie)
			err = rows_add(out, &p->netns_cookie, &p->value);
	}
	if (!err && plan->shared_netns)
		err = rows_add(out, &plan->shared_netns, &shared);
	return err;
}

static int want_cgroup(const struct mesh_plan *plan, struct rows *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < plan->n_pods; i++) {
		const struct plan_pod *p = &plan->pods[i];

		if (p->armed && !p->netns_cookie && p->cgroup_id)
			err = rows_add(out, &p->cgroup_id, &p->value);
	}
	for (size_t i = 0; !err && i < plan->n_denied; i++)
		err = rows_add(out, &plan->denied[i].cgroup_id,
			       &plan->denied[i].value);
	return err;
}

static int want_endpoint(const struct mesh_plan *plan, struct rows *out)
{
	int err = rows_reserve(out, plan->n_endpoints);

	for (size_t i = 0; !err && i < plan->n_endpoints; i++)
		err = rows_add(out, &plan->endpoints[i].addr,
			       &plan->endpoints[i].value);
	return err;
}

/* When they expire, keep_expiry() says: it knows what is there. */
static int want_service(const struct mesh_plan *plan, struct rows *out)
{
	int err = rows_reserve(out, plan->n_services);

	for (size_t i = 0; !err && i < plan->n_services; i++) {
		const struct smc_service value = {
			.transports = plan->services[i].transports};

		err = rows_add(out, &plan->services[i].key, &value);
	}
	return err;
}

static int want_cidr(const struct mesh_plan *plan, struct rows *out)
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

static int want_port(const struct mesh_plan *plan, struct rows *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < plan->n_ports; i++)
		err = rows_add(out, &plan->ports[i].key, &plan->ports[i].value);
	return err;
}

static int (*const wants[MAP_MAX])(const struct mesh_plan *plan,
				   struct rows *out) = {
	[MAP_NETNS] = want_netns,	[MAP_CGROUP] = want_cgroup,
	[MAP_ENDPOINT] = want_endpoint, [MAP_SERVICE] = want_service,
	[MAP_CIDR] = want_cidr,		[MAP_PORT] = want_port,
};

/*
 * BPF marks a pod for which the kernel refused a socket; the mark is its own,
 * and stays while the entry is the same pod's. (Of an entry that denies the
 * plan says whether it has the mark: it outlives the annotation. A mark set
 * between our reading and our writing of a changed entry is lost, and set again
 * by the next refused socket.)
 */
static void keep_refused(struct rows *want, const struct rows *have)
{
	const void *old_bytes;
	struct smc_pod pod, old;

	for (size_t i = 0; i < want->n; i++) {
		old_bytes = rows_find(have, rows_key(want, i));
		if (!old_bytes)
			continue;
		memcpy(&old, old_bytes, sizeof(old));
		memcpy(&pod, rows_value(want, i), sizeof(pod));
		if (pod.pod_id == old.pod_id && !(pod.flags & SMC_POD_DENY))
			pod.flags |= old.flags & SMC_POD_REFUSED;
		memcpy(rows_value(want, i), &pod, sizeof(pod));
	}
}

/*
 * A namespace once shared stays so. Its selector stays as long as the
 * namespace, and without this row it would deny the SMC sockets of programs
 * there that are none of our business.
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

/* Both also of what the agent of another ABI wrote, while it is there. */
static int keep_flags(const struct datapath *dp, enum map_id id,
		      struct rows *want, const struct rows *have)
{
	_cleanup_(rows_free) struct rows theirs = {
		.key_size = have->key_size, .value_size = have->value_size};
	int err;

	err = others_pods(dp, id, &theirs);
	if (!err)
		err = keep_shared(want, &theirs);
	if (!err)
		err = keep_shared(want, have);
	rows_sort(want);
	keep_refused(want, &theirs);
	keep_refused(want, have);
	return err;
}

__u64 service_expiry(const struct smc_service *want,
		     const struct smc_service *have, __u64 now)
{
	/* A row that only says why has nothing to lose. */
	if (!want->transports)
		return 0;
	if (have && have->transports == want->transports &&
	    have->expires_ns > now + SERVICE_RENEW_NS &&
	    have->expires_ns <= now + SERVICE_TTL_NS)
		return have->expires_ns;
	return now + SERVICE_TTL_NS;
}

static void keep_expiry(struct rows *want, const struct rows *have)
{
	struct smc_service service, old;
	const void *old_bytes;
	struct timespec now;
	__u64 ns;

	clock_gettime(CLOCK_MONOTONIC, &now); /* as bpf_ktime_get_ns() */
	ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	for (size_t i = 0; i < want->n; i++) {
		old_bytes = rows_find(have, rows_key(want, i));
		if (old_bytes)
			memcpy(&old, old_bytes, sizeof(old));
		memcpy(&service, rows_value(want, i), sizeof(service));
		service.expires_ns =
			service_expiry(&service, old_bytes ? &old : NULL, ns);
		memcpy(rows_value(want, i), &service, sizeof(service));
	}
}

/* What is to be done to one map. A map that cannot be read is left alone. */
static int part_plan(struct datapath *dp, const struct mesh_plan *plan,
		     struct part *p)
{
	const struct rows shape = {.key_size = map_rows[p->id].key_size,
				   .value_size = map_rows[p->id].value_size};
	_cleanup_(rows_free) struct rows have = shape;
	int err;

	p->want = shape;
	err = wants[p->id](plan, &p->want);
	if (!err)
		err = map_read(dp->map_fd[p->id], &have);
	if (err)
		return err;
	rows_sort(&p->want);
	if (p->id == MAP_NETNS || p->id == MAP_CGROUP)
		err = keep_flags(dp, p->id, &p->want, &have);
	if (p->id == MAP_SERVICE)
		keep_expiry(&p->want, &have);
	return err ? err : passes_make(p->id, &p->want, &have, &p->todo);
}

/* ---- writing ---- */

static void part_put(struct apply *a, const struct part *p,
		     const struct rows *rows, unsigned int *count)
{
	int err = 0;

	if (rows->n)
		*count += map_write(a->dp->map_fd[p->id], rows, 0, rows->n,
				    &a->did->full, &err);
	note(a, err, "write", p->id);
}

static void part_remove(struct apply *a, const struct part *p, enum pass pass)
{
	int err = 0;

	if (p->todo.removal == pass && p->todo.removed.n)
		a->did->removed += map_delete(a->dp->map_fd[p->id],
					      &p->todo.removed, &err);
	note(a, err, "delete from", p->id);
}

/* The big one: with points at which a test kills us. */
static void part_put_endpoints(struct apply *a, const struct part *p)
{
	static const char *const at[] = {"maps:quarter", "maps:half",
					 "maps:three-quarters", NULL};
	const struct rows *rows = &p->todo.added[PASS_GIVE];
	int err = 0;

	for (size_t i = 0; i < array_size(at); i++) {
		a->did->added += map_write(a->dp->map_fd[p->id], rows,
					   rows->n * i / array_size(at),
					   rows->n * (i + 1) / array_size(at),
					   &a->did->full, &err);
		if (at[i])
			fault_point(at[i]);
	}
	note(a, err, "write", p->id);
}

static void part_pass(struct apply *a, const struct part *p, enum pass pass)
{
	unsigned int again = 0; /* these are counted when they are as wanted */

	if (pass == PASS_TAKE)
		part_put(a, p, &p->todo.halfway, &again);
	part_put(a, p, &p->todo.changed[pass], &a->did->changed);
	part_remove(a, p, pass);
	if (pass == PASS_GIVE && p->id == MAP_ENDPOINT)
		part_put_endpoints(a, p);
	else
		part_put(a, p, &p->todo.added[pass], &a->did->added);
}

static void put_config(struct apply *a, const struct smc_config *c)
{
	struct smc_config now;
	__u32 zero = 0;
	int fd = a->dp->map_fd[MAP_CONFIG], err;

	err = bpf_map_lookup_elem(fd, &zero, &now);
	if (!err && !memcmp(&now, c, sizeof(now)))
		return;
	if (!err)
		err = bpf_map_update_elem(fd, &zero, c, BPF_ANY);
	note(a, err, "write", MAP_CONFIG);
	a->did->changed += !err && !a->configured;
	a->configured |= !err;
}

/* What of the verdict's look-ups can hit, by the plan; the other bits are not
 * the plan's. */
#define PLANNED_USES (SMC_USE_PORTS | SMC_USE_CIDRS)

static __u32 planned_uses(const struct mesh_plan *plan)
{
	return (plan->n_ports ? SMC_USE_PORTS : 0) |
	       (plan->n_cidrs ? SMC_USE_CIDRS : 0);
}

/* The configuration that is wanted, and one that allows only what the present
 * one does, too. Return: 0 or a negative errno, noted. */
static int want_config(struct apply *a, const struct mesh_plan *plan,
		       const struct smc_config *config, struct smc_config *want,
		       struct smc_config *both)
{
	struct smc_config now;
	int err = datapath_config(a->dp, &now);

	*want = *config;
	want->abi_version = SMC_ABI_VERSION;
	want->abi_readable = SMC_ABI_READABLE;
	want->enabled = plan->enabled;
	want->uses = (now.uses & ~PLANNED_USES) | planned_uses(plan);
	config_less(&now, want, both);
	note(a, err, "read", MAP_CONFIG);
	return err;
}

int datapath_apply(struct datapath *dp, const struct mesh_plan *plan,
		   const struct smc_config *config,
		   struct datapath_changes *did)
{
	/* In the order of taking away; given in the opposite one, so that pods
	 * are disarmed first and armed last. */
	_cleanup_(part_free) struct part netns = {.id = MAP_NETNS};
	_cleanup_(part_free) struct part cgroup = {.id = MAP_CGROUP};
	_cleanup_(part_free) struct part port = {.id = MAP_PORT};
	_cleanup_(part_free) struct part cidr = {.id = MAP_CIDR};
	_cleanup_(part_free) struct part service = {.id = MAP_SERVICE};
	_cleanup_(part_free) struct part endpoint = {.id = MAP_ENDPOINT};
	struct part *const parts[] = {&netns, &cgroup,	&port,
				      &cidr,  &service, &endpoint};
	struct apply a = {.dp = dp, .did = did};
	struct smc_config want, both;
	__u32 last;

	memset(did, 0, sizeof(*did));
	if (!dp->obj)
		return 0;
	if (want_config(&a, plan, config, &want, &both))
		return a.err;
	put_config(&a, &both);
	for (size_t i = 0; i < array_size(parts); i++) {
		int err = part_plan(dp, plan, parts[i]);

		if (err) /* half a difference is none */
			passes_free(&parts[i]->todo);
		note(&a, err, "read", parts[i]->id);
	}
	for (size_t i = 0; i < array_size(parts); i++)
		part_pass(&a, parts[i], PASS_TAKE);
	fault_point("maps:taken");
	/* Exclusions that go are looked up until they have gone. */
	last = want.uses;
	want.uses |= both.uses;
	put_config(&a, &want);
	for (size_t i = array_size(parts); i--;)
		part_pass(&a, parts[i], PASS_GIVE);
	want.uses = last;
	if (!a.err)
		put_config(&a, &want);
	return a.err;
}
