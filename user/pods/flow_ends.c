// SPDX-License-Identifier: Apache-2.0
#include "pods/flow_ends.h"

#include <errno.h>
#include <string.h>
#include "base/array.h"
#include "base/log.h"

/* One sweep closes at most so many: each takes a few system calls. */
#define SWEEP_MAX 4096

/* ---- of one namespace ---------------------------------------------------- */

struct choice {
	__u64 netns_cookie;
	enum records_which which;
	struct mesh_records *out;
};

static int choose(const struct smc_handshake *key, const struct smc_flow *v,
		  void *arg)
{
	const struct choice *c = arg;

	if (v->netns_cookie != c->netns_cookie ||
	    (c->which == RECORDS_UNTOLD && !mesh_record_untold(key, v)))
		return 0;
	return mesh_records_add(c->out, key, v);
}

int records_of(struct agent *a, __u64 netns_cookie, enum records_which which,
	       struct mesh_records *out)
{
	struct choice c = {netns_cookie, which, out};

	return datapath_each_flow(a->dp, which != RECORDS_ALL, choose, &c)
		       ?: mesh_records_index(out);
}

/* A record that is not there any more was closed by BPF meanwhile. */
static void said(int err, const char *what)
{
	if (err && err != -ENOENT)
		log_debug("%s the record of a flow: %s", what, strerror(-err));
}

static void settle(struct agent *a, const struct mesh_record *r,
		   const struct mesh_socket *s, __u64 asked_ns)
{
	struct smc_flow flow;

	switch (mesh_record_fate(r, s, asked_ns, &flow)) {
	case MESH_FATE_SEEN:
		said(datapath_flow_seen(a->dp, &r->key, &flow), "complete");
		break;
	case MESH_FATE_CLOSED:
		said(datapath_flow_close(a->dp, &r->key, &flow), "close");
		break;
	default:
		break;
	}
}

void records_settle(struct agent *a, const struct mesh_records *asked,
		    const struct plain *found, __u64 asked_ns)
{
	for (size_t i = 0; i < asked->n && i < found->n_told; i++) {
		const struct mesh_socket *s = &found->told[i];

		settle(a, &asked->v[i], s->cookie ? s : NULL, asked_ns);
	}
}

/* ---- of all -------------------------------------------------------------- */

/* A namespace that a helper can enter, and a pod of it. */
struct known {
	__u64 netns_cookie;
	struct pod *pod;
};

struct sweep {
	struct known *v; /* sorted by cookie */
	size_t n;
	__u64 now;
	struct mesh_records ended;
};

static int known_cmp(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return (x->netns_cookie > y->netns_cookie) -
	       (x->netns_cookie < y->netns_cookie);
}

static int find_known(const struct agent *a, struct sweep *s)
{
	s->v = calloc(a->pods.n + 1, sizeof(*s->v));
	if (!s->v)
		return -ENOMEM;
	for (size_t i = 0; i < a->pods.n; i++) {
		struct pod *p = a->pods.v[i];

		if (p->where && p->facts.cookie)
			s->v[s->n++] = (struct known){p->facts.cookie, p};
	}
	qsort(s->v, s->n, sizeof(*s->v), known_cmp);
	return 0;
}

static int sweep_one(const struct smc_handshake *key, const struct smc_flow *v,
		     void *arg)
{
	const struct known wanted = {.netns_cookie = v->netns_cookie};
	const struct mesh_record r = {*key, *v};
	struct sweep *s = arg;
	struct smc_flow closed;
	struct known *known;

	known = bsearch(&wanted, s->v, s->n, sizeof(*s->v), known_cmp);
	if (mesh_record_fate_alone(&r, known, s->now, &closed)) {
		if (s->ended.n == SWEEP_MAX)
			return 0;
		return mesh_records_add(&s->ended, key, &closed);
	}
	if (known && mesh_record_untold(key, v))
		known->pod->ask |= POD_ASK_ENDS;
	return 0;
}

void records_sweep(struct agent *a)
{
	struct sweep s = {.now = uv_hrtime()};
	int err = find_known(a, &s)
			  ?: datapath_each_flow(a->dp, true, sweep_one, &s);

	if (err)
		log_warn(err, "look through the records of open flows");
	for (size_t i = 0; i < s.ended.n; i++)
		said(datapath_flow_close(a->dp, &s.ended.v[i].key,
					 &s.ended.v[i].flow),
		     "close");
	if (s.ended.n)
		log_debug("records of flows that are over, closed=%zu",
			  s.ended.n);
	mesh_records_free(&s.ended);
	free(s.v);
}
