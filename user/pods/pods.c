// SPDX-License-Identifier: Apache-2.0
#include "pods/pods.h"

#include <errno.h>
#include <string.h>
#include "pods/locate.h"
#include "pods/pod_settings.h"
#include "pods/waiting.h"
#include "base/array.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "mesh/late.h"
#include "mesh/owners.h"
#include "node/listens.h"

/* For how many failed looks in a row (fork() failed, the helper was killed for
 * being late) the agent keeps what the last good one saw. */
#define FAILURES_MAX 3

/* How long the agent leaves a pod alone whose look came to no end: at first,
 * and at most; it doubles each time. */
#define SLOW_FIRST_MS 2000
#define SLOW_LAST_MS 128000
#define SLOW_HERE_MS 8000 /* at most, if this machine is slow, not the pod */

static void pod_free(struct pod *p)
{
	if (!p)
		return;
	netns_facts_free(&p->facts);
	free(p->late);
	free(p->late_flows);
	free(p->where);
	free(p->cgroup_uid);
	free(p->cgroup_path);
	free(p->listens.v);
	free(p->addrs.v);
	free(p->published.v);
	free(p->uid);
	free(p->ns);
	free(p->name);
	free(p->netns_path);
	free(p->problem);
	free(p->told.evict.said);
	free(p);
}

static void pod_cleanup(struct pod **p)
{
	pod_free(*p);
}

void pods_free(struct pods *pods)
{
	for (size_t i = 0; i < pods->n; i++)
		pod_free(pods->v[i]);
	free(pods->v);
	free(pods->adopted);
	memset(pods, 0, sizeof(*pods));
}

void pods_avoid(struct pods *pods, __u32 id)
{
	if (id > pods->last_id)
		pods->last_id = id;
}

void pods_avoid_slot(struct pods *pods, __u32 slot)
{
	pods->before[slot % SMC_PODS] = true;
}

void pods_forget_before(struct pods *pods)
{
	memset(pods->before, 0, sizeof(pods->before));
}

int pods_adopt(struct pods *pods, __u64 key, bool cgroup, __u32 id,
	       bool refused)
{
	struct pods_adopted *a = array_push(pods->adopted, pods->n_adopted);

	if (!a)
		return -ENOMEM;
	*a = (struct pods_adopted){key, id, cgroup, refused};
	pods_avoid(pods, id);
	pods_avoid_slot(pods, smc_slot(id));
	return 0;
}

struct pod *pods_find(const struct pods *pods, const char *uid)
{
	for (size_t i = 0; i < pods->n; i++)
		if (!strcmp(pods->v[i]->uid, uid))
			return pods->v[i];
	return NULL;
}

struct pod *pods_by_cgroup(const struct pods *pods, const char *cgroup_uid)
{
	for (size_t i = 0; i < pods->n; i++)
		if (!strcmp(pods->v[i]->cgroup_uid, cgroup_uid))
			return pods->v[i];
	return NULL;
}

struct pod *pods_by_name(const struct pods *pods, const char *ns,
			 const char *name)
{
	for (size_t i = 0; i < pods->n; i++)
		if (!strcmp(pods->v[i]->ns, ns) &&
		    !strcmp(pods->v[i]->name, name))
			return pods->v[i];
	return NULL;
}

struct pod *pods_by_full_name(const struct pods *pods, const char *full)
{
	const char *slash = full ? strchr(full, '/') : NULL;
	_free_ char *ns = slash ? strndup(full, slash - full) : NULL;

	return ns ? pods_by_name(pods, ns, slash + 1) : NULL;
}

struct pod *pods_by_id(const struct pods *pods, __u32 id)
{
	for (size_t i = 0; id && i < pods->n; i++)
		if (pods->v[i]->id == id)
			return pods->v[i];
	return NULL;
}

struct pod *pods_by_slot(const struct pods *pods, __u32 slot)
{
	for (size_t i = 0; i < pods->n; i++)
		if (pods->v[i]->id && smc_slot(pods->v[i]->id) == slot)
			return pods->v[i];
	return NULL;
}

/* ---- numbers ------------------------------------------------------------- */

/* Numbers count on from the last one, so the slot of a pod that has just gone
 * is the last to be used again. Return: 0: every slot has a pod. */
static __u32 number_new(struct pods *pods)
{
	__u32 id = pods->last_id, slot;

	for (unsigned int i = 0; i < SMC_PODS; i++) {
		slot = smc_slot(++id);
		if (smc_is_pod_slot(slot) && !pods->before[slot] &&
		    !pods_by_slot(pods, slot)) {
			pods->last_id = id;
			return id;
		}
	}
	return 0;
}

/* The number that the agent before us gave to the pod, which no other pod gets
 * any more. 0: there is none, or another pod has its slot. */
static __u32 number_before(struct pods *pods, struct pod *p)
{
	__u64 key = p->host_network ? p->cgroup_id : p->facts.cookie;

	for (size_t i = 0; i < pods->n_adopted; i++) {
		struct pods_adopted *a = &pods->adopted[i];
		__u32 id = a->id;

		if (a->key != key || a->cgroup != p->host_network || !id)
			continue;
		a->id = 0;
		p->arming = a->refused ? POD_REFUSED : POD_UNARMED;
		pod_set(p, POD_ADOPTED, !a->refused);
		return smc_is_pod_slot(smc_slot(id)) &&
				       !pods_by_slot(pods, smc_slot(id))
			       ? id
			       : 0;
	}
	return 0;
}

void pods_number(struct pods *pods, struct pod *p)
{
	if (!p->id)
		p->id = number_before(pods, p) ?: number_new(pods);
}

/* ---- from the world ---------------------------------------------------- */

static int addrs_set(struct mesh_addrs *to, const struct mesh_addrs *from)
{
	struct smc_addr *v = NULL;

	if (from->n) {
		v = reallocarray(NULL, from->n, sizeof(*v));
		if (!v)
			return -ENOMEM;
		memcpy(v, from->v, from->n * sizeof(*v));
	}
	free(to->v);
	to->v = v;
	to->n = from->n;
	return 0;
}

static bool same_addrs(const struct mesh_addrs *a, const struct mesh_addrs *b)
{
	return a->n == b->n &&
	       (!a->n || !memcmp(a->v, b->v, a->n * sizeof(*a->v)));
}

/* Does the world say other than what is known of it? (That the pod is stale is
 * no news: its own time makes it stale, too.) */
static bool is_news(const struct pod *p, const struct mesh_pod *pod)
{
	return !text_same(p->netns_path, pod->netns_path) ||
	       !text_same(p->cgroup_path, pod->cgroup_path) ||
	       p->host_network != pod->host_network ||
	       pod_is(p, POD_RUNNING) != pod->running ||
	       !same_addrs(&p->addrs, &pod->addrs);
}

static int pod_update(struct pod *p, const struct mesh_pod *pod)
{
	if (is_news(p, pod))
		pod_news(p);
	p->host_network = pod->host_network;
	pod_set(p, POD_RUNNING, pod->running);
	pod_set(p, POD_REPLACED, pod->replaced);
	return text_set(&p->cgroup_uid, pod->cgroup_uid ?: pod->uid) ?:
	       text_set(&p->uid, pod->uid) ?: text_set(&p->ns, pod->ns) ?:
	       text_set(&p->name, pod->name) ?:
	       text_set(&p->netns_path, pod->netns_path) ?:
	       text_set(&p->cgroup_path, pod->cgroup_path) ?:
	       addrs_set(&p->addrs, &pod->addrs);
}

struct pod *pods_put(struct pods *pods, const struct mesh_pod *pod)
{
	_cleanup_(pod_cleanup) struct pod *fresh = NULL;
	struct pod *p = pods_find(pods, pod->uid), **place;

	if (p)
		return pod_update(p, pod) ? NULL : p;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh || pod_update(fresh, pod))
		return NULL;
	fresh->stale = true;
	place = array_push(pods->v, pods->n);
	if (!place)
		return NULL;
	*place = take_ptr(fresh);
	return *place;
}

void pod_note_shown(struct pod *p, unsigned int shown)
{
	p->shown = shown;
}

void pods_sweep(struct pods *pods, void (*gone)(const struct pod *, void *),
		void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < pods->n; i++) {
		struct pod *p = pods->v[i];

		if (p->mark) {
			p->mark = false;
			pods->v[kept++] = p;
			continue;
		}
		gone(p, arg);
		pod_free(p);
	}
	pods->n = kept;
}

/* ---- a look into the namespace ----------------------------------------- */

static bool same_sidecar_found(const struct sidecar_found *a,
			       const struct sidecar_found *b)
{
	return a->sidecar == b->sidecar && a->by_hint == b->by_hint &&
	       owners_same(a->owners, a->n_owners, b->owners, b->n_owners);
}

/* Compares all facts that a plan, a status or an answer is made of. */
static bool same_facts(const struct netns_facts *a, const struct netns_facts *b)
{
	return a->verified == b->verified && a->reason == b->reason &&
	       !strcmp(a->detail, b->detail) && !strcmp(a->ctrl, b->ctrl) &&
	       a->cookie == b->cookie && a->inode == b->inode &&
	       a->transports == b->transports &&
	       !addr_cmp(&a->rdma, &b->rdma) &&
	       same_sidecar_found(&a->sidecar, &b->sidecar) &&
	       owners_same(a->owners, a->sidecar.n_owners, b->owners,
			   b->sidecar.n_owners) &&
	       same_addrs(&a->addrs, &b->addrs);
}

/* Takes @facts over. Return: do they differ from those before? */
static bool facts_set(struct pod *p, const struct netns_facts *facts)
{
	bool differs = !same_facts(&p->facts, facts);

	netns_facts_free(&p->facts);
	p->facts = *facts;
	return differs;
}

/* Count a look that failed with @err. Return: does what the last good one saw
 * hold still? */
static bool facts_hold(struct pod *p, int err)
{
	bool gone = err == -ENOENT || err == -EINVAL;

	if (!p->facts.verified || gone)
		return false;
	/* A slow machine says nothing of the pod, however often it is slow. */
	return err == -ETIME || ++p->failures <= FAILURES_MAX;
}

/* Nothing is known of the namespace. Return: as facts_set(). */
static bool facts_drop(struct pod *p)
{
	static const struct netns_facts nothing;

	pod_forget_late(p);
	return facts_set(p, &nothing);
}

/* Takes @listens over. Return: do they differ from those before? */
static bool listens_set(struct pod *p, struct mesh_ports *listens)
{
	bool differs = p->listens.n != listens->n ||
		       (listens->n && memcmp(p->listens.v, listens->v,
					     listens->n * sizeof(*listens->v)));

	free(p->listens.v);
	p->listens = *listens;
	return differs;
}

/* Where the sockets of a hostNetwork pod listen. Nobody offers SMC to a port
 * that is not found here. Return: as listens_set(). */
static bool look_listens(struct pod *p, const struct netns_ref *ref,
			 const char *cgroup)
{
	struct mesh_ports found = {};
	int err = p->cgroup_id ? listens_find(ref, cgroup, &found) : 0;

	if (err)
		log_debug("find where pod %s/%s listens: %s", p->ns, p->name,
			  strerror(-err));
	return listens_set(p, &found);
}

static bool same_sidecar(const struct netns_sidecar *a,
			 const struct netns_sidecar *b)
{
	return a->hinted == b->hinted &&
	       owners_same(&a->owner, a->hinted, &b->owner, b->hinted);
}

/* The same of a cgroup that the source names. */
static int bad_cgroup(const struct pod *p, const struct pod_how *how,
		      struct netns_facts *f)
{
	char path[CGROUP_PATH_MAX];
	int err = cgroup_named(how->cgroup, p->cgroup_path, path);

	f->reason = SMC_REASON_BAD_CGROUP;
	snprintf(f->detail, sizeof(f->detail), "%s below %s: %s",
		 p->cgroup_path, how->cgroup ?: "any mount",
		 err ? strerror(-err) : "the agent itself runs in it");
	return 0;
}

/* Prepares nothing: the agent cannot tell the pod's sockets from others in the
 * host's namespace. */
static int no_cgroup(const struct pod *p, const struct pod_how *how,
		     struct netns_facts *f)
{
	if (p->cgroup_path)
		return bad_cgroup(p, how, f);
	f->reason = SMC_REASON_NO_CGROUP2;
	snprintf(f->detail, sizeof(f->detail), "no %s of this pod below %s",
		 p->missing_since ? "process in the cgroup" : "cgroup",
		 how->cgroup ?: "any mount");
	return 0;
}

static struct netns_ref ref_of(const struct pod *p, const struct place *at,
			       const struct pod_how *how)
{
	return (struct netns_ref){.path = at->path,
				  .id = at->id,
				  .proc = how->proc,
				  .ours = how->ours,
				  .pods = !p->host_network};
}

static int look(const struct pod *p, const struct pod_how *how,
		const struct netns_sidecar *sidecar, const struct place *at,
		struct netns_facts *facts)
{
	const struct netns_ref ref = ref_of(p, at, how);

	if (p->host_network && !p->cgroup_id)
		return no_cgroup(p, how, facts);
	return pod_prepare(p, how, &ref, p->host_network ? NULL : sidecar,
			   facts);
}

bool pod_look_due(const struct pod *p, const struct pod_how *how,
		  const struct netns_sidecar *sidecar)
{
	return (p->stale || !same_sidecar(&p->sidecar, sidecar)) &&
	       p->slow_until <= how->now;
}

void pod_pace(struct pod *p, int err, __u64 now)
{
	unsigned int most;

	if (err != -ETIMEDOUT && err != -ETIME) {
		p->slow_until = p->slow_ms = 0;
		return;
	}
	most = err == -ETIME ? SLOW_HERE_MS : SLOW_LAST_MS;
	p->slow_ms = p->slow_ms ? 2 * p->slow_ms : SLOW_FIRST_MS;
	if (p->slow_ms > most)
		p->slow_ms = most;
	p->slow_until = now + p->slow_ms;
}

/* Look into @at. Return: 0 with @facts, which may be of no use for a while
 * (facts->err -ETIMEDOUT); -ETIME: this machine is as slow everywhere, so the
 * look says nothing of the pod; or another errno. */
static int look_at_place(struct pod *p, const struct pod_how *how,
			 const struct netns_sidecar *sidecar,
			 const struct place *at, struct netns_facts *facts)
{
	int err = fault_look();

	err = err ?: look(p, how, sidecar, at, facts);
	if ((err ?: facts->err) != -ETIMEDOUT)
		return err;
	return netns_slow_here(how->proc) ? -ETIME : err;
}

static unsigned int looked(bool worked, bool differs)
{
	return (worked ? POD_LOOK_WORKED : 0) |
	       (differs ? POD_LOOK_DIFFERS : 0);
}

unsigned int pod_look(struct pods *pods, struct pod *p,
		      const struct pod_how *how,
		      const struct netns_sidecar *sidecar)
{
	_place_ struct place at = PLACE_NONE;
	char cgroup[CGROUP_PATH_MAX] = "";
	struct netns_facts facts = {};
	struct netns_ref ref;
	__u64 cgroup_id = p->cgroup_id;
	__u32 id = p->id;
	bool found, differs, hold;
	int err, failed;

	p->stale = false;
	p->sidecar = *sidecar;
	find_cgroup(p, how, cgroup);
	differs = p->cgroup_id != cgroup_id;
	err = find_space(p, how, &at);
	found = !err;
	err = err ?: look_at_place(p, how, sidecar, &at, &facts);
	err = err ?: text_set(&p->where, at.path);
	pod_pace(p, err ?: facts.err, how->now);
	/* A step may have timed out, though the look did not: that says no more
	 * of the pod than a look that fails. */
	failed = err ?: (facts.err == -ETIMEDOUT ? facts.err : 0);
	hold = failed && facts_hold(p, failed);
	if (err || hold) {
		netns_facts_free(&facts);
		log_debug("look into the namespace of pod %s/%s, path=%s: %s",
			  p->ns, p->name, p->netns_path ?: "(by its processes)",
			  strerror(-failed));
		p->err = failed;
		differs |= !hold && facts_drop(p);
		return looked(found, differs);
	}
	differs |= facts_set(p, &facts);
	p->err = 0;
	p->failures = 0;
	pods_number(pods, p);
	differs |= p->id != id;
	p->ask |= POD_ASK_LATE;
	p->found = place_mark(&at);
	ref = ref_of(p, &at, how);
	differs |= look_listens(p, &ref, cgroup);
	return looked(true, differs);
}

int pod_look_now(const struct pod *p, const struct pod_how *how,
		 struct netns_facts *out)
{
	_place_ struct place at = PLACE_NONE;
	int err = p->where ? place_open(p->where, &at) : -ENOENT;
	const struct netns_ref ref = ref_of(p, &at, how);

	if (!err && !ns_same(&at.id, &p->found.id))
		err = -ENOENT;
	return err ?: netns_look(&ref, out);
}

/* ---- what came too early ----------------------------------------------- */

void pod_forget_late(struct pod *p)
{
	free(take_ptr(p->late));
	p->n_late = 0;
	free(take_ptr(p->late_flows));
	p->n_late_flows = 0;
	p->ask &= ~POD_ASK_LATE;
	p->diagnosed_at = 0;
}

/* Return: -ENOENT: it has none (any more). */
static int own_cgroups(struct pod *p, const struct pod_how *how,
		       struct cgroup_ids *ids)
{
	char cgroup[CGROUP_PATH_MAX];

	find_cgroup(p, how, cgroup);
	return p->cgroup_id ? cgroup_ids_find(cgroup, ids) : -ENOENT;
}

static void keep_own(const struct cgroup_ids *ids, struct plain *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->n_listeners; i++)
		if (cgroup_ids_has(ids, found->listeners[i].cgroup))
			found->listeners[kept++] = found->listeners[i];
	found->n_listeners = kept;
	kept = 0;
	for (size_t i = 0; i < found->n_flows; i++)
		if (cgroup_ids_has(ids, found->flows[i].cgroup))
			found->flows[kept++] = found->flows[i];
	found->n_flows = kept;
}

/* Drop listeners at ports that the pod excludes: opened anew they would be TCP,
 * too. keep_flows() in lateness.c judges flows. */
static void drop_excluded(const struct mesh_plan *plan,
			  const struct plan_pod *row, struct plain *found)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->n_listeners; i++)
		if (!mesh_excludes_in(plan, row, found->listeners[i].port))
			found->listeners[kept++] = found->listeners[i];
	found->n_listeners = kept;
}

int pod_diagnose(struct pod *p, const struct pod_how *how,
		 const struct mesh_plan *plan, const struct plan_pod *row,
		 struct plain *found)
{
	_cleanup_(cgroup_ids_free) struct cgroup_ids ids = {};
	int err = p->host_network ? own_cgroups(p, how, &ids) : 0;

	if (err)
		return err;
	if (p->host_network)
		keep_own(&ids, found);
	if (p->kernel.flags & SMC_POD_SIDECAR)
		plain_keep_owners(found, p->kernel.owners, p->kernel.n_owners);
	drop_excluded(plan, row, found);
	free(p->late);
	p->n_late = found->n_listeners;
	p->late = take_ptr(found->listeners);
	found->n_listeners = 0;
	return 0;
}

/* A good look gives a number, unless the slots of all are taken. */
static enum smc_reason why_not(const struct pod *p)
{
	if (pod_refused(p))
		return SMC_REASON_REFUSED;
	return p->facts.verified && (!p->id || pod_is(p, POD_NO_ROOM))
		       ? SMC_REASON_POD_MAP_FULL
		       : p->facts.reason;
}

bool pods_note_room(struct pods *pods, const bool no_room[SMC_PODS])
{
	bool differs = false;

	for (size_t i = 0; i < pods->n; i++) {
		struct pod *p = pods->v[i];
		bool none = p->id && no_room[smc_slot(p->id)];

		differs |= none != pod_is(p, POD_NO_ROOM);
		pod_set(p, POD_NO_ROOM, none);
	}
	return differs;
}

struct mesh_seen pod_seen(const struct pod *p)
{
	struct mesh_seen seen = {
		.pod_uid = p->uid,
		.verified = p->facts.verified && p->id && !pod_refused(p) &&
			    !pod_is(p, POD_NO_ROOM),
		.reason = why_not(p),
		.pod_id = p->id,
		.netns_cookie = p->facts.cookie,
		.cgroup_id = p->cgroup_id,
		.transports = p->facts.transports,
		.sidecar = p->facts.sidecar.sidecar,
		.n_owners = p->facts.sidecar.n_owners,
		.addrs = p->facts.addrs,
		.listens = p->listens,
	};

	memcpy(seen.owners, p->facts.owners, sizeof(seen.owners));
	return seen;
}

int pod_decided(struct pod *p, const struct plan_pod *plan)
{
	int err = text_set(&p->problem, plan->says.problem);

	if (plan->armed)
		pod_set(p, POD_EXCLUDES,
			plan->says.exclude_in->n || plan->says.exclude_out->n);
	p->reason = plan->reason;
	return err ?: addrs_set(&p->published, &plan->published);
}
