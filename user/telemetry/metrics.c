// SPDX-License-Identifier: Apache-2.0
/*
 * Families come in the order of their tables, each with one HELP and one TYPE
 * line, then its samples. The datapath's counters are sorted once by (counter,
 * place of the pod's name), so that every family is one walk.
 */
#include "telemetry/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "telemetry/fallback.h"
#include "telemetry/labels.h"

struct family {
	const char *name, *type, *labels, *help;
};

static const struct family families[METRIC_MAX] = {
#define ROW(id, name, type, labels, help) \
	[METRIC_##id] = {name, type, labels, help},
	METRICS(ROW)
#undef ROW
};

static const struct {
	const char *metric, *labels, *help;
} counters[SMC_COUNTER_MAX] = {
#define ROW(id, metric, labels, help) \
	[SMC_COUNTER_##id] = {metric, labels, help},
	SMC_COUNTERS(ROW)
#undef ROW
};

/* Escapes backslash, quote and newline of a label's value. */
static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_add(out, "\\n", 2);
		else if (*text == '\\' || *text == '"')
			buf_printf(out, "\\%c", *text);
		else
			buf_add(out, text, 1);
	}
}

static void add_label(struct buf *out, char before, const char *key,
		      const char *value)
{
	buf_printf(out, "%c%s=\"", before, key);
	add_escaped(out, value);
	buf_add(out, "\"", 1);
}

static void add_head(struct buf *out, enum metric id)
{
	const struct family *f = &families[id];

	buf_printf(out, "# HELP smcmesh_%s %s\n# TYPE smcmesh_%s %s\n", f->name,
		   f->help, f->name, f->type);
}

static void add_number(struct buf *out, enum metric id, double value)
{
	add_head(out, id);
	if (isinf(value))
		buf_printf(out, "smcmesh_%s +Inf\n", families[id].name);
	else
		buf_printf(out, "smcmesh_%s %.15g\n", families[id].name, value);
}

static void add_count(struct buf *out, enum metric id, __u64 value)
{
	add_head(out, id);
	buf_printf(out, "smcmesh_%s %llu\n", families[id].name, value);
}

/* The pod of that number; an unknown number is the nameless pod. */
static const struct metrics_pod *pod_find(const struct metrics *m, __u32 id)
{
	static const struct metrics_pod nameless = {.ns = "", .name = ""};

	for (size_t i = 0; id && i < m->n_pods; i++)
		if (m->pods[i].id == id)
			return &m->pods[i];
	return &nameless;
}

static void add_pod_labels(struct buf *out, const struct metrics_pod *pod)
{
	add_label(out, '{', "namespace", pod->ns);
	add_label(out, ',', "pod", pod->name);
}

static const char *state_word(bool armed)
{
	return armed ? "armed" : "not-armed";
}

/* ---- the agent's own --------------------------------------------------- */

static void add_about(struct buf *out, const struct metrics *m)
{
	add_head(out, METRIC_BUILD_INFO);
	buf_printf(out, "smcmesh_build_info");
	add_label(out, '{', "version", m->version);
	buf_printf(out, "} 1\n");
	add_head(out, METRIC_CAPABILITY);
	for (size_t i = 0; i < m->n_features; i++) {
		buf_printf(out, "smcmesh_capability");
		add_label(out, '{', "feature", m->features[i].label);
		buf_printf(out, "} %d\n", m->features[i].present);
	}
	add_count(out, METRIC_READY, m->ready);
	add_count(out, METRIC_MESH_ENABLED, m->mesh_enabled);
	add_number(out, METRIC_OFFERS_LEFT, m->offers_left);
	add_count(out, METRIC_SOURCE_OK, m->source_ok);
	add_number(out, METRIC_SOURCE_AGE, m->source_age);
	add_count(out, METRIC_SOURCE_NOTES, m->source_notes);
	add_number(out, METRIC_START_TIME, m->start_time);
}

static void add_work(struct buf *out, const struct metrics *m)
{
	const char *seconds = families[METRIC_RECONCILE_SECONDS].name;

	add_head(out, METRIC_RECONCILES);
	buf_printf(out, "smcmesh_reconciles_total{result=\"ok\"} %llu\n",
		   m->reconciles_ok);
	buf_printf(out, "smcmesh_reconciles_total{result=\"failed\"} %llu\n",
		   m->reconciles_failed);
	add_head(out, METRIC_RECONCILE_SECONDS);
	buf_printf(out, "smcmesh_%s_sum %.9g\nsmcmesh_%s_count %llu\n", seconds,
		   m->reconcile_seconds, seconds,
		   m->reconciles_ok + m->reconciles_failed);
	add_head(out, METRIC_LOOKS);
	for (unsigned int armed = 0; armed < 2; armed++)
		buf_printf(out, "smcmesh_looks_total{state=\"%s\"} %llu\n",
			   state_word(armed), m->looks[armed]);
	add_count(out, METRIC_MAP_FULL, m->map_full);
	add_count(out, METRIC_REPAIRS, m->repairs);
	add_count(out, METRIC_STREAM_DROPPED, m->stream_dropped);
}

static void add_paths(struct buf *out, const struct metrics *m)
{
	const char *name = families[METRIC_PATH_PROBES].name;

	add_head(out, METRIC_PATHS);
	for (int s = 0; s < MESH_PATH_STATES; s++)
		buf_printf(out, "smcmesh_rdma_paths{state=\"%s\"} %zu\n",
			   mesh_path_word(s), m->paths[s]);
	add_head(out, METRIC_PATH_PROBES);
	buf_printf(out,
		   "smcmesh_%s{result=\"answered\"} %llu\n"
		   "smcmesh_%s{result=\"unanswered\"} %llu\n"
		   "smcmesh_%s{result=\"failed\"} %llu\n",
		   name, m->probes_answered, name, m->probes_unanswered, name,
		   m->probes_failed);
}

static void add_states(struct buf *out, const struct metrics *m)
{
	unsigned int n[2][SMC_REASON_MAX] = {};

	add_head(out, METRIC_PODS);
	if (!m->knows_pods)
		return;
	for (size_t i = 0; i < m->n_pods; i++)
		if (m->pods[i].reason < SMC_REASON_MAX)
			n[m->pods[i].armed][m->pods[i].reason]++;
	buf_printf(out, "smcmesh_pods{state=\"armed\",reason=\"none\"} %u\n",
		   n[true][SMC_REASON_NONE]);
	for (unsigned int armed = 0; armed < 2; armed++)
		for (__u32 r = 1; r < SMC_REASON_MAX; r++)
			if (n[armed][r])
				buf_printf(
					out,
					"smcmesh_pods{state=\"%s\",reason=\"%s\"} %u\n",
					state_word(armed), reason_label(r),
					n[armed][r]);
}

static __u64 late_listeners(const struct metrics_pod *pod)
{
	return pod->late_listeners;
}

static __u64 late_flows(const struct metrics_pod *pod)
{
	return pod->late_flows;
}

static __u64 connections(const struct metrics_pod *pod)
{
	return pod->usage.connections;
}

static __u64 buffer_bytes(const struct metrics_pod *pod)
{
	return pod->usage.bytes;
}

static const struct {
	enum metric family;
	__u64 (*value)(const struct metrics_pod *pod);
} of_pods[] = {
	{METRIC_LATE_LISTENERS, late_listeners},
	{METRIC_LATE_FLOWS, late_flows},
	{METRIC_CONNECTIONS, connections},
	{METRIC_BUFFER_BYTES, buffer_bytes},
};

static void add_of_pods(struct buf *out, const struct metrics *m)
{
	for (size_t f = 0; f < array_size(of_pods); f++) {
		add_head(out, of_pods[f].family);
		for (size_t i = 0; i < m->n_pods; i++) {
			if (!m->pods[i].armed)
				continue;
			buf_printf(out, "smcmesh_%s",
				   families[of_pods[f].family].name);
			add_pod_labels(out, &m->pods[i]);
			buf_printf(out, "} %llu\n",
				   of_pods[f].value(&m->pods[i]));
		}
	}
}

static void add_limit(struct buf *out, const char *resource, const char *of,
		      __u64 value)
{
	buf_printf(out, "smcmesh_limit");
	add_label(out, '{', "resource", resource);
	add_label(out, ',', "of", of);
	buf_printf(out, "} %llu\n", value);
}

static void add_usage(struct buf *out, const struct metrics *m)
{
	add_count(out, METRIC_NODE_CONNECTIONS, m->node_usage.connections);
	add_count(out, METRIC_NODE_BUFFER_BYTES, m->node_usage.bytes);
	add_head(out, METRIC_LIMIT);
	add_limit(out, "connections", "pod", m->limits.connections_pod);
	add_limit(out, "connections", "node", m->limits.buffers_node);
	add_limit(out, "buffer_bytes", "node", m->limits.bytes_node);
	add_limit(out, "sockets_pending", "pod", m->limits.pending_pod);
	add_limit(out, "sockets_pending", "strangers", SMC_PENDING_STRANGERS);
	add_limit(out, "sockets_pending", "node", m->limits.pending_node);
}

static void add_pending_of(struct buf *out, const struct metrics_pod *pod,
			   const struct smc_usage *usage)
{
	buf_printf(out, "smcmesh_%s", families[METRIC_PENDING].name);
	add_pod_labels(out, pod);
	buf_printf(out, "} %u\n", usage->pending);
}

static void add_pending(struct buf *out, const struct metrics *m)
{
	if (!m->rations)
		return;
	add_head(out, METRIC_PENDING);
	for (size_t i = 0; i < m->n_pods; i++)
		if (m->pods[i].armed)
			add_pending_of(out, &m->pods[i], &m->pods[i].usage);
	add_pending_of(out, pod_find(m, 0), &m->strangers);
	add_count(out, METRIC_NODE_PENDING, m->node_usage.pending);
}

static void add_pods(struct buf *out, const struct metrics *m)
{
	add_states(out, m);
	add_count(out, METRIC_ENDPOINTS, m->endpoints);
	add_of_pods(out, m);
	add_usage(out, m);
	add_pending(out, m);
	add_count(out, METRIC_CONFLICTS, m->conflicts);
	add_paths(out, m);
	if (m->publishes)
		add_count(out, METRIC_PUBLISHED, m->published);
}

static int fallback_cmp(const void *a, const void *b)
{
	const struct metrics_fallback *x = a, *y = b;

	if (x->pod_id != y->pod_id)
		return x->pod_id < y->pod_id ? -1 : 1;
	return x->code < y->code ? -1 : x->code > y->code;
}

/* Codes that share a label ("other") are one sample, and so are pods without a
 * name. */
static void add_fallbacks(struct buf *out, const struct metrics *m)
{
	_free_ struct metrics_fallback *v = NULL;
	char label[FALLBACK_LABEL_MAX], next[FALLBACK_LABEL_MAX];
	__u64 sum = 0;

	add_head(out, METRIC_FALLBACKS);
	if (!m->n_fallbacks)
		return;
	v = malloc(m->n_fallbacks * sizeof(*v));
	if (!v) {
		out->err = -ENOMEM;
		return;
	}
	memcpy(v, m->fallbacks, m->n_fallbacks * sizeof(*v));
	for (size_t i = 0; i < m->n_fallbacks; i++) {
		v[i].pod_id = pod_find(m, v[i].pod_id)->id;
		if (!strcmp(fallback_label(v[i].code, label), "other"))
			v[i].code = 1; /* not a code of the kernel's */
	}
	qsort(v, m->n_fallbacks, sizeof(*v), fallback_cmp);
	for (size_t i = 0; i < m->n_fallbacks; i++) {
		sum += v[i].count;
		fallback_label(v[i].code, label);
		if (i + 1 < m->n_fallbacks && v[i].pod_id == v[i + 1].pod_id &&
		    !strcmp(label, fallback_label(v[i + 1].code, next)))
			continue;
		buf_printf(out, "smcmesh_fallbacks_total");
		add_pod_labels(out, pod_find(m, v[i].pod_id));
		add_label(out, ',', "code", label);
		buf_printf(out, "} %llu\n", sum);
		sum = 0;
	}
}

/* ---- the datapath's counters ------------------------------------------- */

static int counter_cmp(const void *a, const void *b)
{
	const struct smc_counter_key *x = &((struct metrics_counter *)a)->key;
	const struct smc_counter_key *y = &((struct metrics_counter *)b)->key;

	if (x->counter != y->counter)
		return x->counter < y->counter ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* A pod without a number has none. */
static __u64 counter_of(const struct metrics *m, const struct metrics_pod *pod,
			__u32 counter)
{
	struct metrics_counter key = {{smc_slot(pod->id), counter}, 0};
	struct metrics_counter *c = NULL;

	if (m->n_counters && pod->id)
		c = bsearch(&key, m->counters, m->n_counters, sizeof(*c),
			    counter_cmp);
	return c ? c->value : 0;
}

static void name_slots(struct metrics *m)
{
	memset(m->named, 0, sizeof(m->named));
	for (size_t i = 0; i < m->n_pods; i++)
		if (m->pods[i].id)
			m->named[smc_slot(m->pods[i].id)] = true;
}

/* The sum of the slots without a name. */
static __u64 counter_of_nameless(const struct metrics *m, __u32 counter)
{
	__u64 sum = 0;

	for (size_t i = 0; i < m->n_counters; i++)
		if (m->counters[i].key.counter == counter &&
		    !m->named[m->counters[i].key.slot % SMC_PODS])
			sum += m->counters[i].value;
	return sum;
}

static void add_sample(struct buf *out, const char *family,
		       const struct metrics_pod *pod, const char *more,
		       __u64 value)
{
	buf_printf(out, "smcmesh_%s_total", family);
	add_pod_labels(out, pod);
	buf_printf(out, "%s%s} %llu\n", *more ? "," : "", more, value);
}

/* An armed pod has a sample from its first moment, so that rate() sees the
 * first increase. */
static void add_counter(struct buf *out, const struct metrics *m,
			enum smc_counter_id id)
{
	const char *family = counters[id].metric;
	__u64 value;

	for (size_t i = 0; i < m->n_pods; i++) {
		value = counter_of(m, &m->pods[i], id);
		if (m->pods[i].id && (value || m->pods[i].armed))
			add_sample(out, family, &m->pods[i],
				   counters[id].labels, value);
	}
	value = counter_of_nameless(m, id);
	if (value)
		add_sample(out, family, pod_find(m, 0), counters[id].labels,
			   value);
}

static void add_counters(struct buf *out, const struct metrics *m)
{
	for (__u32 id = 0; id < SMC_COUNTER_MAX; id++) {
		const char *name = counters[id].metric;

		if (!id || strcmp(name, counters[id - 1].metric))
			buf_printf(out,
				   "# HELP smcmesh_%s_total %s\n"
				   "# TYPE smcmesh_%s_total counter\n",
				   name, counters[id].help, name);
		add_counter(out, m, id);
	}
}

static void add_bypassed(struct buf *out, const struct metrics *m)
{
	char reason[64];
	__u64 value;

	add_head(out, METRIC_BYPASSED);
	for (__u32 r = 0; r < SMC_REASON_FLOW_MAX; r++) {
		snprintf(reason, sizeof(reason), "reason=\"%s\"",
			 reason_label(r));
		for (size_t i = 0; i < m->n_pods; i++) {
			value = counter_of(m, &m->pods[i],
					   SMC_COUNTER_REASON + r);
			if (value)
				add_sample(out, "flows_bypassed", &m->pods[i],
					   reason, value);
		}
		value = counter_of_nameless(m, SMC_COUNTER_REASON + r);
		if (value)
			add_sample(out, "flows_bypassed", pod_find(m, 0),
				   reason, value);
	}
}

int metrics_write(struct buf *out, struct metrics *m)
{
	name_slots(m);
	if (m->n_counters)
		qsort(m->counters, m->n_counters, sizeof(*m->counters),
		      counter_cmp);
	add_about(out, m);
	add_pods(out, m);
	add_counters(out, m);
	add_bypassed(out, m);
	add_fallbacks(out, m);
	add_work(out, m);
	return out->err;
}

/* ---- the reference ----------------------------------------------------- */

/* The keys of `role="client",outcome="smcr"`, after the pod's. */
static void add_keys(struct buf *out, const char *labels)
{
	buf_printf(out, "namespace, pod");
	while (*labels) {
		size_t len = strcspn(labels, "=");

		buf_printf(out, ", %.*s", (int)len, labels);
		labels += len;
		labels += strcspn(labels, ",");
		labels += *labels == ',';
	}
}

static void reference_families(struct buf *out)
{
	buf_printf(out, "| metric | type | labels | meaning |\n"
			"|---|---|---|---|\n");
	for (unsigned int i = 0; i < METRIC_MAX; i++)
		buf_printf(out, "| `smcmesh_%s` | %s | %s | %s |\n",
			   families[i].name, families[i].type,
			   families[i].labels, families[i].help);
	for (unsigned int i = 0; i < SMC_COUNTER_MAX; i++) {
		if (i && !strcmp(counters[i].metric, counters[i - 1].metric))
			continue;
		buf_printf(out, "| `smcmesh_%s_total` | counter | ",
			   counters[i].metric);
		add_keys(out, counters[i].labels);
		buf_printf(out, " | %s |\n", counters[i].help);
	}
}

int metrics_reference(struct buf *out)
{
	buf_printf(out, "## Metrics\n\n");
	reference_families(out);
	buf_printf(out, "\n## Reasons\n\n| reason | meaning | what to do |\n"
			"|---|---|---|\n");
	for (__u32 r = 0; r < SMC_REASON_MAX; r++)
		if (reason_known(r))
			buf_printf(out, "| `%s` | %s | %s |\n", reason_label(r),
				   reason_sentence(r), reason_remedy(r));
	buf_printf(out, "\n## Codes of the kernel\n\n"
			"| number | code | meaning | what to do |\n"
			"|---|---|---|---|\n");
#define ROW(id, code, label, sentence, remedy)                        \
	buf_printf(out, "| 0x%08x | `%s` | %s | %s |\n", code, label, \
		   sentence, remedy);
	FALLBACKS(ROW)
#undef ROW
	return out->err;
}
