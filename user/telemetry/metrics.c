// SPDX-License-Identifier: Apache-2.0
/*
 * Each family of /metrics: its head, then its samples.
 */
#include "telemetry/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "telemetry/fallback.h"
#include "telemetry/labels.h"
#include "telemetry/metrics_rows.h"

struct family {
	const char *name, *type, *labels, *help;
};

static const struct family families[METRIC_MAX] = {
#define OWN(id, name, type, labels, help) \
	[METRIC_##id] = {"smcmesh_" name, type, labels, help},
#define PROCESS(id, name, type, labels, help) \
	[METRIC_##id] = {"process_" name, type, labels, help},
	METRICS(OWN) PROCESS_METRICS(PROCESS)
#undef OWN
#undef PROCESS
};

static const struct {
	const char *metric, *labels, *help;
} counters[SMC_COUNTER_MAX] = {
#define ROW(id, metric, labels, help) \
	[SMC_COUNTER_##id] = {"smcmesh_" metric "_total", labels, help},
	SMC_COUNTERS(ROW)
#undef ROW
};

static void add_text(struct buf *out, const char *text)
{
	buf_add(out, text, strlen(text));
}

static void add_announced(struct buf *out, const char *name, const char *type,
			  const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_head(struct buf *out, enum metric id)
{
	const struct family *f = &families[id];

	add_announced(out, f->name, f->type, f->help);
}

/* @labels and @more: as they stand between the braces, "" for none. There are
 * thousands of samples, so nothing is formatted here. */
static void add_sample(struct buf *out, const char *name, const char *labels,
		       const char *more, __u64 value)
{
	add_text(out, name);
	if (*labels || *more) {
		add_text(out, "{");
		add_text(out, labels);
		add_text(out, *labels && *more ? "," : "");
		add_text(out, more);
		add_text(out, "}");
	}
	add_text(out, " ");
	buf_add_number(out, value);
	add_text(out, "\n");
}

static void add_number(struct buf *out, enum metric id, double value)
{
	add_head(out, id);
	if (isinf(value))
		buf_printf(out, "%s +Inf\n", families[id].name);
	else
		buf_printf(out, "%s %.15g\n", families[id].name, value);
}

static void add_count(struct buf *out, enum metric id, __u64 value)
{
	add_head(out, id);
	add_sample(out, families[id].name, "", "", value);
}

static const char *state_word(bool armed)
{
	return armed ? "armed" : "not-armed";
}

/* ---- histograms -------------------------------------------------------- */

/* @label: as in a sample, "" for none. */
static void add_histogram(struct buf *out, enum metric family,
			  enum histogram_id id, const struct histogram *h,
			  const char *label)
{
	const char *name = families[family].name, *comma = *label ? "," : "";
	const double *bounds = histogram_bounds(id);
	__u64 sum = 0;

	for (int b = 0; b < HISTOGRAM_BUCKETS; b++) {
		sum += h->n[b];
		buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, label,
			   comma, bounds[b], sum);
	}
	sum += h->n[HISTOGRAM_BUCKETS];
	buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, label, comma,
		   sum);
	buf_printf(out, *label ? "%s_sum{%s} %.9g\n" : "%s_sum%s %.9g\n", name,
		   label, h->sum);
	buf_printf(out, *label ? "%s_count{%s} %llu\n" : "%s_count%s %llu\n",
		   name, label, sum);
}

static void add_durations(struct buf *out, const struct metrics *m)
{
	char label[64];

	add_head(out, METRIC_CONNECT_LATENCY);
	for (__u32 o = SMC_OUTCOME_TCP; m->connect && o <= SMC_OUTCOME_FAILED;
	     o++) {
		snprintf(label, sizeof(label), "outcome=\"%s\"",
			 outcome_label(o));
		add_histogram(out, METRIC_CONNECT_LATENCY, HISTOGRAM_CONNECT,
			      &m->connect[o], label);
	}
	add_head(out, METRIC_POD_ARMING);
	add_histogram(out, METRIC_POD_ARMING, HISTOGRAM_ARMED, &m->arming, "");
	add_head(out, METRIC_EVENT_TO_MAP);
	add_histogram(out, METRIC_EVENT_TO_MAP, HISTOGRAM_EVENT,
		      &m->event_to_map, "");
	add_count(out, METRIC_RECORDS_MISSED, m->records_missed);
}

static void add_process(struct buf *out, const struct metrics_process *p)
{
	add_number(out, METRIC_CPU, p->cpu_seconds);
	add_count(out, METRIC_RESIDENT, p->resident);
	add_count(out, METRIC_OPEN_FDS, p->open_fds);
	add_count(out, METRIC_MAX_FDS, p->max_fds);
	add_number(out, METRIC_BEGAN, p->start_time);
}

/* ---- the agent's own --------------------------------------------------- */

static void add_about(struct buf *out, const struct metrics *m)
{
	add_head(out, METRIC_BUILD_INFO);
	buf_printf(out, "smcmesh_build_info");
	metrics_label_add(out, "{", "version", m->version);
	metrics_label_add(out, ",", "revision", m->revision);
	buf_printf(out, "} 1\n");
	add_head(out, METRIC_CAPABILITY);
	for (size_t i = 0; i < m->n_features; i++) {
		buf_printf(out, "smcmesh_capability");
		metrics_label_add(out, "{", "feature", m->features[i].label);
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
	buf_printf(out, "%s_sum %.9g\n%s_count %llu\n", seconds,
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
		   "%s{result=\"answered\"} %llu\n"
		   "%s{result=\"unanswered\"} %llu\n"
		   "%s{result=\"failed\"} %llu\n",
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

static const struct {
	enum metric family;
	enum metrics_gauge gauge;
} of_pods[] = {
	{METRIC_LATE_LISTENERS, METRICS_LATE_LISTENERS},
	{METRIC_LATE_FLOWS, METRICS_LATE_FLOWS},
	{METRIC_CONNECTIONS, METRICS_CONNECTIONS},
	{METRIC_BUFFER_BYTES, METRICS_BUFFER_BYTES},
	{METRIC_PENDING, METRICS_PENDING},
};

static void add_of_pods(struct buf *out, const struct metrics *m,
			const struct metrics_rows *rows)
{
	for (size_t f = 0; f < array_size(of_pods); f++) {
		unsigned int bit = 1U << of_pods[f].gauge;

		if (of_pods[f].gauge == METRICS_PENDING && !m->rations)
			continue;
		add_head(out, of_pods[f].family);
		for (size_t i = 0; i < rows->n; i++)
			if (rows->v[i].shown & bit)
				add_sample(out,
					   families[of_pods[f].family].name,
					   rows->v[i].labels, "",
					   rows->v[i].gauge[of_pods[f].gauge]);
	}
}

static void add_limit(struct buf *out, const char *resource, const char *of,
		      __u64 value)
{
	buf_printf(out, "smcmesh_limit");
	metrics_label_add(out, "{", "resource", resource);
	metrics_label_add(out, ",", "of", of);
	buf_printf(out, "} %llu\n", value);
}

static void add_usage(struct buf *out, const struct metrics *m)
{
	add_count(out, METRIC_NODE_CONNECTIONS, m->node_usage.connections);
	add_count(out, METRIC_NODE_BUFFER_BYTES, m->node_usage.bytes);
	add_count(out, METRIC_ALLOCATED, m->allocated);
	if (m->rations)
		add_count(out, METRIC_NODE_PENDING, m->node_usage.pending);
	add_head(out, METRIC_LIMIT);
	add_limit(out, "connections", "pod", m->limits.connections_pod);
	add_limit(out, "connections", "node", m->limits.buffers_node);
	add_limit(out, "buffer_bytes", "node", m->limits.bytes_node);
	add_limit(out, "sockets_pending", "pod", m->limits.pending_pod);
	add_limit(out, "sockets_pending", "strangers", SMC_PENDING_STRANGERS);
	add_limit(out, "sockets_pending", "node", m->limits.pending_node);
}

static void add_pods(struct buf *out, const struct metrics *m,
		     const struct metrics_rows *rows)
{
	add_states(out, m);
	add_count(out, METRIC_ENDPOINTS, m->endpoints);
	add_of_pods(out, m, rows);
	add_usage(out, m);
	add_count(out, METRIC_QUARANTINED, m->quarantined);
	add_count(out, METRIC_CONFLICTS, m->conflicts);
	add_paths(out, m);
	if (m->publishes)
		add_count(out, METRIC_PUBLISHED, m->published);
}

/* ---- by pod, as --metrics-labels says ---------------------------------- */

/* One sample for each row where it is not 0. */
static void add_sums(struct buf *out, const struct metrics_rows *rows,
		     const char *name, const char *more, unsigned int sum)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].sum[sum])
			add_sample(out, name, rows->v[i].labels, more,
				   rows->v[i].sum[sum]);
}

static void add_counters(struct buf *out, const struct metrics_rows *rows)
{
	for (__u32 id = 0; id < SMC_COUNTER_MAX; id++) {
		const char *name = counters[id].metric;

		if (!id || strcmp(name, counters[id - 1].metric))
			add_announced(out, name, "counter", counters[id].help);
		add_sums(out, rows, name, counters[id].labels, id);
	}
}

static void add_bypassed(struct buf *out, const struct metrics_rows *rows)
{
	char reason[64];

	add_head(out, METRIC_BYPASSED);
	for (__u32 r = 0; r < SMC_REASON_FLOW_MAX; r++) {
		snprintf(reason, sizeof(reason), "reason=\"%s\"",
			 reason_label(r));
		add_sums(out, rows, families[METRIC_BYPASSED].name, reason,
			 SMC_COUNTER_REASON + r);
	}
}

static void add_bytes(struct buf *out, const struct metrics_rows *rows)
{
	static const char *const labels[METRICS_BYTES_MAX] = {
		[METRICS_SMCR_RX] = "transport=\"smcr\",direction=\"rx\"",
		[METRICS_SMCR_TX] = "transport=\"smcr\",direction=\"tx\"",
		[METRICS_SMCD_RX] = "transport=\"smcd\",direction=\"rx\"",
		[METRICS_SMCD_TX] = "transport=\"smcd\",direction=\"tx\"",
		[METRICS_TCP_RX] = "transport=\"tcp\",direction=\"rx\"",
		[METRICS_TCP_TX] = "transport=\"tcp\",direction=\"tx\"",
	};

	add_head(out, METRIC_BYTES);
	for (int b = 0; b < METRICS_BYTES_MAX; b++)
		add_sums(out, rows, families[METRIC_BYTES].name, labels[b],
			 METRICS_SUM_BYTES + b);
}

/* A count, and in which row it stands. */
struct fallback {
	size_t row;
	__u32 code;
	__u64 count;
};

static int fallback_cmp(const void *a, const void *b)
{
	const struct fallback *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return x->code < y->code ? -1 : x->code > y->code;
}

static struct fallback *fallbacks_of(const struct metrics *m,
				     const struct metrics_rows *rows)
{
	struct fallback *v = calloc(m->n_fallbacks + 1, sizeof(*v));
	char label[FALLBACK_LABEL_MAX];

	for (size_t i = 0; v && i < m->n_fallbacks; i++) {
		const struct metrics_fallback *f = &m->fallbacks[i];
		bool other = !strcmp(fallback_label(f->code, label), "other");

		/* 1 is no code of the kernel's */
		v[i] = (struct fallback){metrics_row_of(rows, f),
					 other ? 1 : f->code, f->count};
	}
	if (v)
		qsort(v, m->n_fallbacks, sizeof(*v), fallback_cmp);
	return v;
}

/* Codes that share a label ("other") are one sample, and so are those of one
 * row. */
static void add_fallbacks(struct buf *out, const struct metrics *m,
			  const struct metrics_rows *rows)
{
	_free_ struct fallback *v = fallbacks_of(m, rows);
	char label[FALLBACK_LABEL_MAX], more[FALLBACK_LABEL_MAX + 16];
	__u64 sum = 0;

	add_head(out, METRIC_FALLBACKS);
	if (!v)
		out->err = -ENOMEM;
	for (size_t i = 0; v && i < m->n_fallbacks; i++) {
		sum += v[i].count;
		if (i + 1 < m->n_fallbacks && !fallback_cmp(&v[i], &v[i + 1]))
			continue;
		snprintf(more, sizeof(more), "code=\"%s\"",
			 fallback_label(v[i].code, label));
		add_sample(out, families[METRIC_FALLBACKS].name,
			   rows->v[v[i].row].labels, more, sum);
		sum = 0;
	}
}

int metrics_labels_parse(const char *text, enum metrics_labels *out)
{
	static const char *const words[] = {
		[METRICS_BY_POD] = "pod",
		[METRICS_BY_NAMESPACE] = "namespace",
		[METRICS_BY_NONE] = "none",
	};

	for (unsigned int i = 0; i < array_size(words); i++) {
		if (strcmp(text, words[i]))
			continue;
		*out = i;
		return 0;
	}
	return -EINVAL;
}

int metrics_write(struct buf *out, const struct metrics *m)
{
	_cleanup_(metrics_rows_free) struct metrics_rows rows = {};
	int err = metrics_rows_make(m, &rows);

	if (err)
		return err;
	add_about(out, m);
	add_pods(out, m, &rows);
	add_counters(out, &rows);
	add_bypassed(out, &rows);
	add_bytes(out, &rows);
	add_fallbacks(out, m, &rows);
	add_durations(out, m);
	add_work(out, m);
	add_process(out, &m->process);
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
		buf_printf(out, "| `%s` | %s | %s | %s |\n", families[i].name,
			   families[i].type, families[i].labels,
			   families[i].help);
	for (unsigned int i = 0; i < SMC_COUNTER_MAX; i++) {
		if (i && !strcmp(counters[i].metric, counters[i - 1].metric))
			continue;
		buf_printf(out, "| `%s` | counter | ", counters[i].metric);
		add_keys(out, counters[i].labels);
		buf_printf(out, " | %s |\n", counters[i].help);
	}
}

static void reference_bounds(struct buf *out, enum metric family,
			     enum histogram_id id)
{
	const double *bounds = histogram_bounds(id);

	buf_printf(out, "- `%s`:", families[family].name);
	for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
		buf_printf(out, " %g", bounds[b]);
	buf_printf(out, "\n");
}

int metrics_reference(struct buf *out)
{
	buf_printf(out, "## Metrics\n\n");
	reference_families(out);
	buf_printf(out, "\n## Bounds of the buckets, in seconds\n\n");
	reference_bounds(out, METRIC_CONNECT_LATENCY, HISTOGRAM_CONNECT);
	reference_bounds(out, METRIC_POD_ARMING, HISTOGRAM_ARMED);
	reference_bounds(out, METRIC_EVENT_TO_MAP, HISTOGRAM_EVENT);
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
