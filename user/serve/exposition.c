// SPDX-License-Identifier: Apache-2.0
/* What the TCP listener serves: /metrics, /healthz, /readyz. */
#include "serve/exposition.h"

#include <string.h>
#include "cluster/cluster.h"
#include "serve/ready.h"
#include "base/array.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/revision.h"
#include "pods/armed_rows.h"
#include "telemetry/metrics_rows.h"

static int collect_counter(const struct smc_counter_key *key, __u64 value,
			   void *arg)
{
	struct metrics *m = arg;
	struct metrics_counter *c = array_push(m->counters, m->n_counters);

	if (!c)
		return -ENOMEM;
	*c = (struct metrics_counter){*key, value};
	return 0;
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n' || !text[1];
	return n;
}

static size_t fill_features(const struct agent *a, struct metrics_feature *v)
{
	const struct features *features = datapath_features(a->dp);
	size_t n = 0;

	v[n++] = (struct metrics_feature){"smc", agent_capable(a)};
	for (unsigned int f = 0; f < FEATURE_MAX; f++)
		v[n++] = (struct metrics_feature){feature_text(f)->label,
						  feature_present(features, f)};
	return n;
}

static int fill_usage(const struct agent *a, const struct pod *p,
		      struct metrics_pod *v)
{
	const struct pod_bytes *bytes = pod_bytes_of(&a->counts, p->id);
	struct smc_usage usage;
	int err = datapath_usage(a->dp, smc_slot(p->id), &usage);

	v->gauge[METRICS_CONNECTIONS] = usage.connections;
	v->gauge[METRICS_BUFFER_BYTES] = usage.bytes;
	v->gauge[METRICS_PENDING] = usage.pending;
	if (bytes)
		memcpy(v->bytes, bytes->n, sizeof(v->bytes));
	return err;
}

/* Return: 0 or a negative errno. */
static int fill_pods(const struct agent *a, struct metrics_pod *v)
{
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	int err = armed_rows_read(a->dp, &rows);

	for (size_t i = 0; i < a->pods.n && !err; i++) {
		struct pod *p = a->pods.v[i];
		const struct pod_state is =
			armed_rows_state(&rows, p, a->last.full);

		v[i] = (struct metrics_pod){
			.id = p->id,
			.ns = p->ns,
			.name = p->name,
			.armed = is.armed,
			.reason = is.reason,
			.gauge = {[METRICS_LATE_LISTENERS] = p->n_late,
				  [METRICS_LATE_FLOWS] = p->n_late_flows},
			.shown = p->shown,
		};
		if (p->id)
			err = fill_usage(a, p, &v[i]);
		pod_note_shown(p, metrics_shown(&v[i]));
	}
	return err;
}

/* Which slots have a name is known; of others there are only the two of no pod,
 * and until they are swept those of pods that had gone before the agent began.
 */
static int collect_counters(const struct agent *a, struct metrics *m)
{
	int err = 0;

	if (m->labels == METRICS_BY_POD && !a->handover.swept)
		return datapath_each_counter(a->dp, collect_counter, m);
	for (size_t i = 0; i < a->pods.n && !err; i++)
		if (a->pods.v[i]->id)
			err = datapath_slot_counters(a->dp,
						     smc_slot(a->pods.v[i]->id),
						     collect_counter, m);
	return err ?:
	       datapath_slot_counters(a->dp, SMC_SLOT_NODE, collect_counter,
				      m) ?:
	       datapath_slot_counters(a->dp, SMC_SLOT_STRANGERS,
				      collect_counter, m);
}

struct in_quarantine {
	size_t n;
	__u64 now;
};

/* BPF keeps an ended row for the next sentence, and one of a first failure,
 * which keeps nothing away. */
static int count_quarantined(const struct smc_quarantine_key *key,
			     const struct smc_quarantine *v, void *arg)
{
	struct in_quarantine *q = arg;

	q->n += v->until_ns > q->now && v->state == SMC_QUARANTINE_STRUCK;
	return 0;
}

static int collect_quarantine(const struct agent *a, struct metrics *m)
{
	struct in_quarantine q = {.now = uv_hrtime()};
	int err = datapath_each_quarantine(a->dp, count_quarantined, &q);

	m->quarantined = q.n;
	return err;
}

static int collect_usage(const struct agent *a, struct metrics *m)
{
	struct smc_config config;
	int err = datapath_config(a->dp, &config);

	if (err)
		return err == -ENOENT ? 0 : err; /* nothing is possible here */
	m->limits = config.limits;
	m->offers_left = datapath_offers_left(&config);
	m->rations = datapath_rations(a->dp);
	err = datapath_usage(a->dp, SMC_SLOT_NODE, &m->node_usage)
		      ?: datapath_usage(a->dp, SMC_SLOT_STRANGERS,
					&m->strangers);
	m->allocated = a->host.buffers_beside + m->node_usage.bytes;
	return err;
}

/* Before the first reconcile the maps' pod numbers have no names: all counters
 * would be one nameless pod's, and sums over time count them twice. */
static int collect_pods(struct agent *a, struct metrics *m,
			struct metrics_pod *pods)
{
	int err;

	if (!a->last.synced)
		return 0;
	err = fill_pods(a, pods);
	if (err)
		return err;
	m->knows_pods = true;
	m->pods = pods;
	m->n_pods = a->pods.n;
	m->fallbacks = a->counts.fallbacks;
	m->n_fallbacks = a->counts.n_fallbacks;
	m->gone = a->counts.gone;
	m->n_gone = a->counts.n_gone;
	return collect_counters(a, m) ?: collect_quarantine(a, m);
}

static int collect(struct agent *a, struct metrics *m,
		   struct metrics_feature *features, struct metrics_pod *pods)
{
	_buf_ struct buf why = {};

	*m = (struct metrics){
		.labels = a->opt->labels,
		.version = SMCMESH_VERSION,
		.revision = revision()->commit,
		.features = features,
		.n_features = fill_features(a, features),
		.ready = agent_ready(a, &why),
		.mesh_enabled = a->last.mesh_enabled,
		.source_ok = !source_problem(a->source),
		.source_age = source_age_ms(a->source) / 1e3,
		.source_notes = count_lines(source_notes(a->source)),
		.endpoints = a->last.n_endpoints,
		.conflicts = a->last.n_conflicts,
		.probes_answered = a->paths.answered,
		.probes_unanswered = a->paths.unanswered,
		.probes_failed = a->paths.failed,
		.publishes = a->cluster,
		.published = cluster_published(a->cluster, false),
		.reconciles_ok = a->counts.reconciles_ok,
		.reconciles_failed = a->counts.reconciles_failed,
		.reconcile_seconds = a->counts.reconcile_seconds,
		.looks = {a->looks.done[false], a->looks.done[true]},
		.map_full = a->counts.map_full,
		.repairs = agent_repairs(a),
		.stream_dropped = a->stream.dropped,
		.connect = a->counts.connect,
		.arming = a->looks.arming,
		.event_to_map = a->counts.event_to_map,
		.records_missed = a->counts.ended_missed,
		.process = {.cpu_seconds = process_cpu_seconds(),
			    .resident = memory_resident(),
			    .open_fds = process_open_fds(),
			    .max_fds = process_max_fds(),
			    .start_time = a->self.start_time},
		.start_time = a->self.start_time,
	};
	paths_count(a, m->paths);
	return collect_usage(a, m) ?: collect_pods(a, m, pods);
}

void get_metrics(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg)
{
	struct metrics_feature features[FEATURE_MAX + 1];
	_free_ struct metrics_pod *pods = NULL;
	struct agent *a = arg;
	struct metrics m = {};
	int err = -ENOMEM;

	pods = calloc(a->pods.n + 1, sizeof(*pods));
	if (pods)
		err = collect(a, &m, features, pods);
	err = err ?: metrics_write(&reply->body, &m);
	free(m.counters);
	reply->type = METRICS_CONTENT_TYPE;
	if (!err)
		return;
	log_err(err, "collect the metrics");
	buf_free(&reply->body);
	reply->status = 500;
	reply->type = "text/plain; charset=utf-8";
	buf_printf(&reply->body, "the counters could not be read: %s\n",
		   strerror(-err));
}

void get_healthz(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg)
{
	buf_printf(&reply->body, "alive\n");
}

void get_readyz(struct MHD_Connection *request, struct http_reply *reply,
		void *arg)
{
	if (!agent_ready(arg, &reply->body))
		reply->status = 503;
	buf_add(&reply->body, "\n", 1);
	agent_knowledge(arg, &reply->body);
	buf_add(&reply->body, "\n", 1);
}
