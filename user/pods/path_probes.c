// SPDX-License-Identifier: Apache-2.0
#include "pods/path_probes.h"

#include <errno.h>
#include <string.h>
#include "pods/known.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/once.h"

#define TICK_MS 1000

static void start_some(struct agent *a);

/* ---- whose they are ------------------------------------------------------ */

static bool goes_over_rdma(const struct pod *p)
{
	return pod_armed(p) && p->where &&
	       p->kernel.transports & SMC_TRANSPORT_SMCR;
}

static const struct pod *pod_of(const struct agent *a,
				const struct smc_addr *addr)
{
	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod *p = a->pods.v[i];

		for (size_t k = 0; goes_over_rdma(p) && k < p->published.n; k++)
			if (!addr_cmp(&p->published.v[k], addr))
				return p;
	}
	return NULL;
}

static int list_ports(const struct agent *a, struct mesh_port **v, size_t *n)
{
	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod *p = a->pods.v[i];

		for (size_t k = 0; goes_over_rdma(p) && k < p->published.n;
		     k++) {
			struct mesh_port *slot;

			if (!addr_is_v4(&p->published.v[k]))
				continue;
			slot = array_push(*v, *n);
			if (!slot)
				return -ENOMEM;
			*slot = (struct mesh_port){p->published.v[k], p->ns,
						   p->kernel.transports};
		}
	}
	return 0;
}

/* ---- which there are ----------------------------------------------------- */

struct wished {
	struct smc_path_key *v;
	size_t n;
};

static int collect_wished(const struct smc_path_key *key,
			  const struct smc_path *row, void *arg)
{
	struct wished *w = arg;
	struct smc_path_key *slot = array_push(w->v, w->n);

	if (!slot)
		return -ENOMEM;
	*slot = *key;
	return 0;
}

static int make_pairs(struct agent *a, struct mesh_pairs *out)
{
	const struct mesh_world *w = source_world(a->source);
	struct mesh_port *ports = NULL;
	struct wished wished = {};
	size_t n_ports = 0;
	int err;

	err = list_ports(a, &ports, &n_ports)
		      ?: datapath_each_path(a->dp, collect_wished, &wished);
	err = err
		      ?: mesh_pairs_of(w, &a->last.plan, ports, n_ports,
				       wished.v, wished.n, out);
	free(ports);
	free(wished.v);
	return err;
}

/* BPF counts the links in the row, and nowhere else: a row with links stays,
 * even if the plan does not have the pair any more. */
static bool has_links(const struct smc_path *row)
{
	return row->links[0] || row->links[1];
}

/* Remove the row of a pair that the plan does not have any more. */
static int drop_gone(const struct smc_path_key *key, const struct smc_path *row,
		     void *arg)
{
	struct agent *a = arg;
	struct paths *p = &a->paths;

	if (mesh_paths_find(&p->all, key) || mesh_way_find(&p->pairs, key) ||
	    has_links(row))
		return 0;
	return datapath_path_drop(a->dp, key);
}

static bool any_new(const struct paths *p)
{
	for (size_t i = 0; i < p->all.n; i++)
		if (p->all.v[i].near && !p->all.v[i].asked_ns)
			return true;
	return false;
}

static void tick_event(uv_timer_t *timer);

static void list_paths(struct agent *a)
{
	struct paths *p = &a->paths;
	struct mesh_pairs pairs = {};
	int err;

	if (!p->open || !source_world(a->source))
		return;
	err = make_pairs(a, &pairs)
		      ?: mesh_paths_set(&p->all, pairs.v, pairs.n, uv_hrtime());
	if (err) {
		mesh_pairs_free(&pairs);
		log_warn(err,
			 "list the RDMA paths: those of before are probed");
		return;
	}
	mesh_pairs_free(&p->pairs);
	p->pairs = pairs;
	/* Before it has looked at all pods the agent cannot know which pairs
	 * are gone. */
	if (a->last.synced && !a->looks.left)
		err = datapath_each_path(a->dp, drop_gone, a);
	if (err)
		log_warn(err, "remove the rows of RDMA paths that are gone");
}

/* The agent probes a new pair at once, without waiting for the next tick. */
void paths_planned(struct agent *a)
{
	struct paths *p = &a->paths;

	list_paths(a);
	if (!p->open)
		return;
	if (any_new(p) || (p->all.n && !uv_is_active((uv_handle_t *)&p->timer)))
		uv_timer_start(&p->timer, tick_event, 0, TICK_MS);
}

/* ---- what the kernel's rows say ------------------------------------------ */

/* The agent logs at most so many changes one by one: a node that dies breaks
 * all its paths. */
#define CHANGES_SAID 8

struct reading {
	struct agent *agent;
	bool unknown; /* the map has a row of no pair */
	unsigned int changes, broken;
};

static void say_broken(const char *from, const char *to,
		       const struct smc_path *now)
{
	__u64 t = uv_hrtime();

	log_warn(
		0,
		"the RDMA path from %s to %s is broken, strikes=%u: new connections there stay TCP until it is probed well, not before %llu s from now",
		from, to, now->strikes,
		now->bad_until_ns > t ? (now->bad_until_ns - t) / CLOCK_SECOND
				      : 0);
}

static void say_change(struct reading *r, const struct mesh_path *path,
		       const struct smc_path *now)
{
	const struct smc_addr own = mesh_path_addr(path->key.own);
	const struct smc_addr peer = mesh_path_addr(path->key.peer);
	char from[ADDR_STRLEN], to[ADDR_STRLEN];

	if (!now->bad_ns == !path->row.bad_ns)
		return;
	r->broken += now->bad_ns != 0;
	if (r->changes++ >= CHANGES_SAID)
		return;
	addr_format(&own, from);
	addr_format(&peer, to);
	if (now->bad_ns)
		say_broken(from, to, now);
	else
		log_info("the RDMA path from %s to %s is whole again", from,
			 to);
}

static void say_rest(const struct reading *r)
{
	if (r->changes > CHANGES_SAID)
		log_warn(
			0,
			"of %u RDMA paths that changed %u are broken and %u whole again; `smcmesh endpoints` lists all",
			r->changes, r->broken, r->changes - r->broken);
}

static int read_row(const struct smc_path_key *key, const struct smc_path *row,
		    void *arg)
{
	struct reading *r = arg;
	struct paths *p = &r->agent->paths;
	struct mesh_path *path = mesh_paths_find(&p->all, key);
	struct mesh_way *way = path ? NULL : mesh_way_find(&p->pairs, key);

	if (path) {
		say_change(r, path, row);
		path->row = *row;
	} else if (way) {
		way->row = *row;
	} else if (!has_links(row)) {
		r->unknown = true;
	}
	return 0;
}

/* Return: are there rows of pairs that we do not know? */
static bool read_rows(struct agent *a)
{
	struct reading r = {.agent = a};
	int err = datapath_each_path(a->dp, read_row, &r);

	if (err)
		log_warn(err, "read the map of RDMA paths");
	say_rest(&r);
	mesh_ways_need(&a->paths.pairs, &a->paths.all);
	return r.unknown;
}

static void tell(struct agent *a, struct smc_path_job *job)
{
	int err = datapath_path_told(a->dp, job);

	if (err)
		log_debug("write a row of smc_path: %s", strerror(-err));
}

static void tell_ways(struct agent *a)
{
	struct paths *p = &a->paths;
	struct smc_path_job job;

	for (size_t i = 0; i < p->pairs.n_ways; i++)
		if (mesh_way_told(&p->pairs, &p->all, &p->pairs.ways[i],
				  uv_hrtime(), &job))
			tell(a, &job);
}

/* ---- answers ------------------------------------------------------------- */

static bool is_silence(int result)
{
	return result == -ETIMEDOUT || result == -EHOSTUNREACH ||
	       result == -ENETUNREACH;
}

static void take_result(struct agent *a, const struct paths_batch *b, size_t i)
{
	struct paths *p = &a->paths;
	const struct probe *probe = &b->probes[i];
	struct smc_path_job job = {.key = b->keys[i],
				   .asked_ns = probe->sent_ns};
	int result = probe->result;

	if (!result) {
		job.until_ns = probe->sent_ns + SMC_PATH_PROVEN_NS;
		p->answered++;
	} else if (is_silence(result)) {
		p->unanswered++;
	} else { /* the probe was not sent, which says nothing of the path */
		p->failed++;
		return;
	}
	tell(a, &job);
}

const char *paths_problem(const struct agent *a)
{
	switch (a->paths.err) {
	case 0:
		return "";
	case -ENODEV:
		return "no RDMA path can be probed, so none is used: there is no /dev/infiniband/rdma_cm (load the module rdma_ucm)";
	default:
		return "no RDMA path can be probed, so none is used: /dev/infiniband/rdma_cm may not be opened";
	}
}

/* Logs a trouble that concerns all paths once, until it changes. */
static void say_trouble(struct agent *a, int err)
{
	if (!once_err(&a->paths.err, err))
		return;
	if (err)
		log_warn(err, "%s", paths_problem(a));
	else
		log_info("RDMA paths can be probed");
}

static void batch_closed(uv_handle_t *handle)
{
	struct paths_batch *b = handle->data;

	b->busy = false;
	if (!b->agent->turn.stopped)
		start_some(b->agent);
}

static void batch_event(uv_poll_t *poll, int status, int events)
{
	struct paths_batch *b = poll->data;
	struct agent *a = b->agent;
	int err;

	/* its descriptor goes with the helper */
	uv_poll_stop(poll);
	err = probe_take(&b->helper, b->probes, b->n);
	if (err == -EAGAIN) {
		uv_poll_start(poll, UV_READABLE, batch_event);
		return;
	}
	b->running = false;
	if (!err || err == -ENODEV || err == -EPERM || err == -EACCES)
		say_trouble(a, err);
	else
		log_debug("probe RDMA paths: %s", strerror(-err));
	for (size_t i = 0; !err && i < b->n; i++)
		take_result(a, b, i);
	read_rows(a);
	tell_ways(a);
	uv_close((uv_handle_t *)poll, batch_closed);
}

/* ---- questions ----------------------------------------------------------- */

/* The address that a probe of a path to @peer goes to: if @peer is a node's
 * address its RDMA port may have another one. Return: false: @peer is no
 * endpoint now. */
static bool dialled(const struct agent *a, const struct smc_addr *peer,
		    struct smc_addr *out)
{
	const struct plan_endpoint *e = mesh_endpoint_find(&a->last.plan, peer);
	const struct mesh_world *w = source_world(a->source);
	static const struct smc_addr none;

	*out = *peer;
	if (!e || !(e->value.flags & SMC_ENDPOINT_ANSWER_ONLY))
		return e;
	for (size_t i = 0; w && i < w->n_nodes; i++)
		if (!strcmp(w->nodes[i].name, e->node ?: "") &&
		    addr_cmp(&w->nodes[i].rdma, &none))
			*out = w->nodes[i].rdma;
	return true;
}

/* The address that a probe comes from: that of the namespace's own RDMA port,
 * where it has another than the pod. */
static struct smc_addr dials(const struct pod *pod, const struct smc_addr *own)
{
	static const struct smc_addr none;

	return addr_cmp(&pod->facts.rdma, &none) ? pod->facts.rdma : *own;
}

/* Return: false: the path has no armed pod here, or no endpoint there, now. */
static bool fill_probe(const struct agent *a, const struct smc_path_key *key,
		       struct probe *probe)
{
	const struct smc_addr own = mesh_path_addr(key->own);
	const struct smc_addr peer = mesh_path_addr(key->peer);
	const struct pod *pod = pod_of(a, &own);

	if (!pod)
		return false; /* it was disarmed since */
	*probe = (struct probe){
		.netns = pod->host_network ? NULL : pod->where,
		.cookie = pod->host_network ? 0 : pod->facts.cookie,
		.own = dials(pod, &own),
	};
	return dialled(a, &peer, &probe->peer);
}

/* Move the first path that is due, and others of its kind, to @b. One kind are
 * paths that are proven, the other those that are not. A helper reports when
 * all peers have answered or the time is over, and proven paths must not wait
 * for peers that never answer. */
static void take_due(struct agent *a, struct paths_batch *b)
{
	struct paths *p = &a->paths;
	bool proven = paths_proven(a, &p->due[0]);
	size_t left = 0;

	b->n = 0;
	for (size_t i = 0; i < p->n_due; i++)
		if (b->n < PROBE_MAX && paths_proven(a, &p->due[i]) == proven)
			b->keys[b->n++] = p->due[i];
		else
			p->due[left++] = p->due[i];
	p->n_due = left;
}

/* Sorted by own address: a helper enters one namespace after the other. */
static void fill_probes(struct agent *a, struct paths_batch *b)
{
	size_t n = 0;

	qsort(b->keys, b->n, sizeof(*b->keys), mesh_path_cmp);
	for (size_t i = 0; i < b->n; i++) {
		b->keys[n] = b->keys[i];
		n += fill_probe(a, &b->keys[n], &b->probes[n]);
	}
	b->n = n;
}

static int start_one(struct agent *a, struct paths_batch *b)
{
	const struct probe_host host = {a->opt->proc, datapath_cgroup(a->dp)};
	int err;

	err = probe_start(&b->helper, &host, b->probes, b->n, PROBE_TIMEOUT_MS);
	if (err)
		return err;
	err = uv_poll_init(&a->loop, &b->poll, b->helper.fd);
	if (err) {
		helper_stop(&b->helper);
		return err;
	}
	b->agent = a;
	b->poll.data = b;
	b->busy = b->running = true;
	return uv_poll_start(&b->poll, UV_READABLE, batch_event);
}

static void start_some(struct agent *a)
{
	struct paths *p = &a->paths;
	int err;

	for (size_t i = 0; i < PATHS_HELPERS && p->n_due; i++) {
		struct paths_batch *b = &p->batches[i];

		if (b->busy)
			continue;
		take_due(a, b);
		fill_probes(a, b);
		err = b->n ? start_one(a, b) : 0;
		if (err)
			log_debug("probe RDMA paths: %s", strerror(-err));
	}
}

static void find_due(struct agent *a)
{
	struct paths *p = &a->paths;
	_free_ size_t *at = calloc(p->all.n + 1, sizeof(*at));
	struct smc_path_key *v = calloc(p->all.n + 1, sizeof(*v));
	size_t n;

	if (!at || !v) {
		free(v);
		return;
	}
	n = mesh_paths_due(&p->all, uv_hrtime(), at, p->all.n);
	for (size_t i = 0; i < n; i++)
		v[i] = p->all.v[at[i]].key;
	free(p->due);
	p->due = v;
	p->n_due = n;
}

/* End helpers whose deadline has passed: their descriptors may never wake us.
 */
static void look_at_helpers(struct agent *a)
{
	for (size_t i = 0; i < PATHS_HELPERS; i++)
		if (a->paths.batches[i].running)
			batch_event(&a->paths.batches[i].poll, 0, 0);
}

static void tick_event(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	struct paths *p = &a->paths;

	look_at_helpers(a);
	if (read_rows(a) && a->last.plan.n_pods)
		list_paths(a);
	tell_ways(a);
	if (!p->all.n) {
		uv_timer_stop(timer);
		return;
	}
	/* while helpers lag behind the agent asks for no path twice */
	if (!p->n_due)
		find_due(a);
	start_some(a);
}

/* ---- for others ---------------------------------------------------------- */

void paths_count(const struct agent *a, size_t counts[MESH_PATH_STATES])
{
	const struct mesh_paths *all = &a->paths.all;
	__u64 now = uv_hrtime();

	memset(counts, 0, MESH_PATH_STATES * sizeof(*counts));
	for (size_t i = 0; i < all->n; i++)
		counts[mesh_path_state(&all->v[i].row, now)]++;
}

bool paths_proven(struct agent *a, const struct smc_path_key *key)
{
	const struct mesh_path *path = mesh_paths_find(&a->paths.all, key);
	const struct mesh_way *way = mesh_way_find(&a->paths.pairs, key);
	const struct smc_path *row = path ? &path->row : way ? &way->row : NULL;

	return row && mesh_path_state(row, uv_hrtime()) == MESH_PATH_PROVEN;
}

int paths_open(struct agent *a)
{
	struct paths *p = &a->paths;
	int err;

	uv_timer_init(&a->loop, &p->timer);
	p->timer.data = a;
	err = datapath_use_paths(a->dp);
	if (err)
		return log_err(err, "have RDMA used over proven paths alone");
	p->open = true;
	return 0;
}

void paths_close(struct agent *a)
{
	for (size_t i = 0; i < PATHS_HELPERS; i++) {
		struct paths_batch *b = &a->paths.batches[i];

		if (!b->running)
			continue;
		uv_poll_stop(&b->poll);
		helper_stop(&b->helper);
		b->running = false;
	}
	a->paths.open = false;
}

void paths_free(struct agent *a)
{
	mesh_paths_free(&a->paths.all);
	mesh_pairs_free(&a->paths.pairs);
	free(take_ptr(a->paths.due));
	a->paths.n_due = 0;
}
