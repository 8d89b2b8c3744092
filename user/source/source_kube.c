// SPDX-License-Identifier: Apache-2.0
/*
 * `--source kube`: the API server.
 *
 * Each kind of object has its watch, which holds the objects; each object is
 * decoded once, when it comes or changes. The world that other rooms see is
 * made of arrays of decoded objects: a shallow copy, made anew for the kinds
 * that changed, once per turn of the loop. Deleted objects are freed after
 * `changed` was called.
 *
 * The source shows the first world when it has listed every watch that counts
 * once; until then the datapath stays as it was. (For the mesh switch the last
 * known value is enough.) Later a kind that is being listed for the first time
 * (the first annotated pod came to this node) counts as empty, so that the pod
 * need not wait to be armed. The source never shows Services without all of
 * their backends: they would be offered SMC.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "loop/handles.h"
#include "source/held.h"
#include "source/source_impl.h"
#include "mesh/plan.h"

/* How long to keep watching after the last annotated pod of this node went:
 * another mostly follows. */
#define LINGER_MS 60000
/* Trouble that is over within this time is not logged. */
#define PROBLEM_MS 300
#define AGAIN_MS 1000
/* Agents of a cluster that is switched on start together: each asks for large
 * lists at a random time within this. */
#define START_MS 500

struct source_kube;

struct watched {
	struct source_kube *source;
	struct kube_watch *watch; /* NULL: not watched */
	bool dirty;		  /* the next three are out of date */
	void *array;
	size_t n;
	struct buf notes;
};

struct source_kube {
	struct source base;
	char *node, *selector;
	unsigned int linger_ms;
	struct kube_client *client;
	struct kube_client *mesh; /* of ASMMeshConfig; may be the same */
	struct watched of[KINDS];
	struct mesh_config config; /* as of the last event */
	enum mesh_switch asm_last; /* before it is listed: source_remember() */
	struct held *gone;	   /* to be freed after the next `changed` */
	uv_timer_t flush, linger, problem;
	struct handles handles;
	bool complete; /* the first world was shown */
	bool alone;    /* no peers are wanted */
};

static struct kube_client *client_of(const struct source_kube *s,
				     enum kind kind)
{
	return kind == KIND_ASM ? s->mesh : s->client;
}

static enum kind kind_of(const struct watched *w)
{
	return w - w->source->of;
}

/* ---- problems ------------------------------------------------------------ */

/*
 * "cannot list pods: Connection refused (...)", for each watch with a problem.
 * Watches with the same one share the sentence.
 */
static void say_problems(const struct source_kube *s, struct buf *out)
{
	static const char cannot[] = "cannot ";
	const char *all[KINDS], *why[KINDS];
	bool said[KINDS] = {false};

	for (enum kind k = 0; k < KINDS; k++) {
		all[k] = s->of[k].watch ? kube_watch_problem(s->of[k].watch)
					: NULL;
		why[k] = all[k] ? strchr(all[k], ':') : NULL;
	}
	for (enum kind k = 0; k < KINDS; k++) {
		if (!why[k] || said[k])
			continue;
		buf_printf(out, "%s%.*s", out->len ? "; " : "",
			   (int)(why[k] - all[k]), all[k]);
		for (enum kind i = k + 1; i < KINDS; i++) {
			if (!why[i] || strcmp(why[i], why[k]))
				continue;
			said[i] = true;
			buf_printf(out, ", %.*s",
				   (int)(why[i] - all[i] - strlen(cannot)),
				   all[i] + strlen(cannot));
		}
		buf_printf(out, "%s", why[k]);
	}
}

static void problem_event(uv_timer_t *timer)
{
	struct source_kube *s = timer->data;
	_buf_ struct buf text = {};

	say_problems(s, &text);
	source_set_problem(&s->base, text.data);
}

/* ---- the world ----------------------------------------------------------- */

/* Is all of @kind known, or not wanted? */
static bool synced(const struct source_kube *s, enum kind kind)
{
	const struct kube_watch *w = s->of[kind].watch;

	return !w || kube_watch_synced(w);
}

/* The source need not wait for the mesh's own API server if SmcMesh says
 * whether the mesh is on; nor if it asked that server in vain and knows what
 * the server said last. */
static bool asm_dispensable(const struct source_kube *s)
{
	return s->config.enabled != MESH_UNSET ||
	       (s->asm_last != MESH_UNSET &&
		kube_watch_problem(s->of[KIND_ASM].watch));
}

static bool all_synced(const struct source_kube *s)
{
	for (enum kind k = 0; k < KINDS; k++)
		if (!synced(s, k) && !(k == KIND_ASM && asm_dispensable(s)))
			return false;
	return true;
}

static bool shown(const struct source_kube *s, enum kind kind)
{
	if (kind == KIND_SERVICE || kind == KIND_SLICE)
		return synced(s, KIND_SERVICE) && synced(s, KIND_SLICE);
	return synced(s, kind);
}

/* The new array and notes of one kind. */
struct gathering {
	size_t size, room, n;
	char *array;
	struct buf notes;
};

static void count(struct kube_object *obj, void *arg)
{
	((struct gathering *)arg)->room++;
}

static void gather_one(struct kube_object *obj, void *arg)
{
	const struct held *h = obj->data;
	struct gathering *g = arg;

	if (!h)
		return;
	if (h->notes.len)
		buf_add(&g->notes, h->notes.data, h->notes.len);
	if (h->valid && g->size)
		memcpy(g->array + g->n++ * g->size, h->object, g->size);
}

static int gather(const struct watched *of, struct gathering *g)
{
	g->size = kinds[kind_of(of)].size;
	if (of->watch)
		kube_watch_each(of->watch, count, g);
	g->array = calloc(g->room + 1, g->size + 1);
	if (!g->array)
		return -ENOMEM;
	if (of->watch)
		kube_watch_each(of->watch, gather_one, g);
	return g->notes.err;
}

/* @g gets the old ones. */
static void swap(struct watched *of, struct gathering *g)
{
	struct gathering old = {.array = of->array, .notes = of->notes};

	of->array = g->array;
	of->n = g->n;
	of->notes = g->notes;
	of->dirty = false;
	*g = old;
}

struct gatherings {
	struct gathering of[KINDS];
};

static void gatherings_free(struct gatherings *g)
{
	for (enum kind k = 0; k < KINDS; k++) {
		free(g->of[k].array);
		buf_free(&g->of[k].notes);
	}
}

/* The kinds own its arrays; it owns its configuration. */
static void world_free(struct mesh_world *w)
{
	if (w)
		mesh_config_reset(&w->config);
	free(w);
}

static struct mesh_world *world_new(const struct source_kube *s)
{
	struct mesh_world *w = calloc(1, sizeof(*w));

	if (!w || mesh_config_copy(&s->config, &w->config)) {
		free(w);
		return NULL;
	}
	if (!synced(s, KIND_ASM))
		w->config.asm_enabled = s->asm_last;
	return w;
}

static void show(struct source_kube *s, struct mesh_world *w)
{
	struct mesh_world *old = s->base.world;
	struct buf notes = {};

	for (enum kind k = 0; k < KINDS; k++)
		if (s->of[k].notes.len)
			buf_add(&notes, s->of[k].notes.data,
				s->of[k].notes.len);
	free(s->base.notes);
	s->base.notes = buf_take(&notes);
	s->base.world = w;
	s->complete = true;
	source_changed(&s->base);
	world_free(old);
}

static void gone_free(struct source_kube *s)
{
	while (s->gone) {
		struct held *h = s->gone;

		s->gone = h->next;
		held_free(h);
	}
}

static void peers(struct source_kube *s, const struct mesh_world *w);

/* Return: 0 or -ENOMEM; then nothing has changed. */
static int flush(struct source_kube *s)
{
	_cleanup_(gatherings_free) struct gatherings all = {};
	struct mesh_world *w;

	for (enum kind k = 0; k < KINDS; k++)
		if (s->of[k].dirty && gather(&s->of[k], &all.of[k]))
			return -ENOMEM;
	w = world_new(s);
	if (!w)
		return -ENOMEM;
	for (enum kind k = 0; k < KINDS; k++) {
		if (all.of[k].array)
			swap(&s->of[k], &all.of[k]);
		if (shown(s, k))
			kind_array_set(w, k, s->of[k].array, s->of[k].n);
	}
	peers(s, w);
	if (s->complete || all_synced(s))
		show(s, w);
	else
		world_free(w);
	gone_free(s);
	return 0;
}

static void flush_event(uv_timer_t *timer)
{
	struct source_kube *s = timer->data;
	int err = flush(s);

	if (!err || s->base.closed)
		return;
	log_err(err, "what the API server says is not taken in yet");
	uv_timer_start(timer, flush_event, AGAIN_MS, 0);
}

static void flush_soon(struct source_kube *s)
{
	if (!s->base.closed)
		uv_timer_start(&s->flush, flush_event, 0, 0);
}

/* ---- events of the watches ----------------------------------------------- */

/* The world that others see may still have it. */
static void let_go(struct source_kube *s, struct held *h)
{
	if (!h)
		return;
	h->next = s->gone;
	s->gone = h;
}

static void on_put(struct kube_object *obj, yyjson_val *val, void *arg)
{
	struct watched *of = arg;
	struct source_kube *s = of->source;
	struct held *h = held_make(kind_of(of), val, &s->config);

	if (!h)
		return;
	let_go(s, obj->data);
	obj->data = h;
	of->dirty = true;
	/* Wait for the whole first list. */
	if (kube_watch_synced(of->watch))
		flush_soon(s);
}

static void on_delete(struct kube_object *obj, void *arg)
{
	struct watched *of = arg;
	struct source_kube *s = of->source;

	let_go(s, obj->data);
	obj->data = NULL;
	if (!kinds[kind_of(of)].size && !strcmp(obj->name, "default"))
		config_gone(kind_of(of), &s->config);
	of->dirty = true;
	flush_soon(s);
}

static void on_synced(void *arg)
{
	struct watched *of = arg;

	log_debug("%s: listed", kinds[kind_of(of)].what);
	of->dirty = true;
	flush_soon(of->source);
}

/* One watch works again, so the server is back for the others, too. */
static void server_back(struct source_kube *s, enum kind is_well)
{
	for (enum kind k = 0; k < KINDS; k++)
		if (k != is_well && s->of[k].watch &&
		    client_of(s, k) == client_of(s, is_well))
			kube_watch_server_back(s->of[k].watch);
}

static void on_trouble(void *arg)
{
	struct watched *of = arg;
	struct source_kube *s = of->source;

	if (of->watch && !kube_watch_problem(of->watch))
		server_back(s, kind_of(of));
	if (!s->base.closed && !uv_is_active((uv_handle_t *)&s->problem))
		uv_timer_start(&s->problem, problem_event, fault_ms(PROBLEM_MS),
			       0);
	if (!s->complete)
		flush_soon(s); /* perhaps it is asm_dispensable() */
}

/* ---- who is watched ------------------------------------------------------ */

static int watch(struct source_kube *s, enum kind kind)
{
	const struct kube_watch_options opt = {
		.path = kinds[kind].path,
		.what = kinds[kind].what,
		.field_selector = kind == KIND_POD ? s->selector : NULL,
		.label_selector = kinds[kind].labels,
		.optional = kinds[kind].optional,
		.metadata_only = kinds[kind].metadata_only,
		.eager = kinds[kind].eager,
		/* Not after the first annotated pod has come. */
		.first_ms = kinds[kind].peers && !s->complete ? START_MS : 0,
		.on_put = on_put,
		.on_delete = on_delete,
		.on_synced = on_synced,
		.on_trouble = on_trouble,
		.arg = &s->of[kind],
	};
	int err;

	err = kube_watch_open(client_of(s, kind), &opt, &s->of[kind].watch);
	return err ? log_err(err, "watch %s", kinds[kind].what) : 0;
}

static void unwatch(struct source_kube *s, enum kind kind)
{
	kube_watch_close(s->of[kind].watch);
	s->of[kind].watch = NULL;
}

static void linger_event(uv_timer_t *timer)
{
	struct source_kube *s = timer->data;

	log_debug("no annotated pod here: SmcNodes and Services are let go");
	for (enum kind k = 0; k < KINDS; k++)
		if (kinds[k].peers)
			unwatch(s, k);
	/* Their problems are gone, too. */
	on_trouble(&s->of[KIND_POD]);
	flush_soon(s);
}

/* Is a pod of this node annotated? Return: 1, 0 or -ENOMEM. */
static int any_annotated(const struct source_kube *s,
			 const struct mesh_world *w)
{
	const struct mesh_host host = {.node = s->node};
	struct mesh_wants wants = {};
	int any = mesh_want(w, &host, &wants);

	for (size_t i = 0; !any && i < wants.n; i++)
		any = wants.v[i].says.enabled == MESH_ON &&
		      !wants.v[i].pod->ended;
	mesh_wants_free(&wants);
	return any;
}

/* Only an annotated pod of ours needs to know what the other nodes say. */
static void peers(struct source_kube *s, const struct mesh_world *w)
{
	int any = s->alone ? 0 : any_annotated(s, w);
	bool lingers = uv_is_active((uv_handle_t *)&s->linger);

	if (any > 0)
		uv_timer_stop(&s->linger);
	else if (!any && s->of[KIND_SMCNODE].watch && !lingers)
		uv_timer_start(&s->linger, linger_event, s->linger_ms, 0);
	for (enum kind k = 0; any > 0 && k < KINDS; k++)
		if (kinds[k].peers && !s->of[k].watch && watch(s, k))
			return; /* logged; the next event tries again */
}

/* ---- opening and closing ------------------------------------------------- */

static void kube_free(void *source)
{
	struct source_kube *s = source;

	for (enum kind k = 0; k < KINDS; k++) {
		free(s->of[k].array);
		buf_free(&s->of[k].notes);
	}
	gone_free(s);
	world_free(take_ptr(s->base.world));
	source_clear(&s->base);
	mesh_config_reset(&s->config);
	free(s->node);
	free(s->selector);
	free(s);
}

static void kube_close(struct source *base)
{
	struct source_kube *s = (struct source_kube *)base;

	for (enum kind k = 0; k < KINDS; k++)
		unwatch(s, k);
	if (s->mesh != s->client)
		kube_client_close(s->mesh);
	kube_client_close(s->client);
	handles_close(&s->handles, &s->flush);
	handles_close(&s->handles, &s->linger);
	handles_close(&s->handles, &s->problem);
	handles_free(&s->handles, kube_free, s);
}

static void kube_reread(struct source *base)
{
	struct source_kube *s = (struct source_kube *)base;

	for (enum kind k = 0; k < KINDS; k++)
		if (s->of[k].watch)
			kube_watch_again(s->of[k].watch);
}

static void kube_remember(struct source *base, bool enabled)
{
	((struct source_kube *)base)->asm_last = enabled ? MESH_ON : MESH_OFF;
}

static void kube_alone(struct source *base)
{
	((struct source_kube *)base)->alone = true;
}

static struct kube_client *kube_client(const struct source *base)
{
	return ((const struct source_kube *)base)->client;
}

static bool kube_shows_nodes(const struct source *base)
{
	const struct watched *of =
		&((const struct source_kube *)base)->of[KIND_SMCNODE];

	return of->watch && kube_watch_synced(of->watch) && !of->dirty;
}

/* A kind that is not watched, or not listed yet, counts as empty: it allows
 * nothing that could be old. */
static uint64_t kube_age_ms(const struct source *base)
{
	const struct source_kube *s = (const struct source_kube *)base;
	uint64_t oldest = 0, age;

	for (enum kind k = 0; k < KINDS; k++) {
		if (!kinds[k].peers || !s->of[k].watch ||
		    !kube_watch_synced(s->of[k].watch))
			continue;
		age = kube_watch_age_ms(s->of[k].watch);
		oldest = age > oldest ? age : oldest;
	}
	return oldest;
}

static const struct source_ops kube_ops = {
	.close = kube_close,
	.reread = kube_reread,
	.shows_nodes = kube_shows_nodes,
	.age_ms = kube_age_ms,
	.remember = kube_remember,
	.alone = kube_alone,
	.client = kube_client,
};

static int copy_names(struct source_kube *s, const char *node)
{
	_buf_ struct buf selector = {};

	buf_printf(&selector, "spec.nodeName=%s", node);
	s->selector = buf_take(&selector);
	s->node = strdup(node);
	return s->selector && s->node ? 0 : -ENOMEM;
}

static int connect_all(struct source_kube *s, uv_loop_t *loop,
		       const struct kube_options *opt)
{
	const struct kube_options mesh = {.kubeconfig = opt->mesh_kubeconfig};
	int err = kube_client_open(loop, opt, &s->client);

	s->mesh = s->client;
	if (!err && mesh.kubeconfig)
		err = kube_client_open(loop, &mesh, &s->mesh);
	for (enum kind k = 0; k < KINDS; k++)
		if (!kinds[k].peers)
			err = err ?: watch(s, k);
	return err;
}

int source_kube_open(uv_loop_t *loop, const char *rest,
		     const struct kube_options *opt,
		     const struct source_events *events, struct source **out)
{
	struct source_kube *s;
	int err;

	if (!opt || !opt->node || !*opt->node)
		return log_refuse(
			"source kube: expected the name of this node");
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (copy_names(s, opt->node)) {
		kube_free(s);
		return -ENOMEM;
	}
	s->base.ops = &kube_ops;
	s->base.events = *events;
	for (enum kind k = 0; k < KINDS; k++)
		s->of[k].source = s;
	s->linger_ms = opt->linger_ms ?: LINGER_MS;
	mesh_config_reset(&s->config);
	s->flush.data = s->linger.data = s->problem.data = s;
	uv_timer_init(loop, &s->flush);
	uv_timer_init(loop, &s->linger);
	uv_timer_init(loop, &s->problem);
	err = connect_all(s, loop, opt);
	if (err) {
		source_close(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}
