// SPDX-License-Identifier: Apache-2.0
/*
 * /v1/top: what each pod has open, and has had since it is counted, for who
 * asks twice and takes the difference. Nothing of it is kept: the maps are
 * read, and SMC's statistics in the pods' namespaces, by one helper process.
 */
#include "serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "pods/pod_stats.h"
#include "telemetry/labels.h"

#define OUTCOMES (SMC_OUTCOME_FAILED + 1)

/* The counters of flows, in the order of their roles and outcomes. */
#define OUTCOMES_COUNTED 5

_Static_assert(SMC_COUNTER_FLOWS_CLIENT_FAILED -
				       SMC_COUNTER_FLOWS_CLIENT_SMCR ==
			       OUTCOMES_COUNTED - 1 &&
		       SMC_COUNTER_FLOWS_SERVER_SMCR -
				       SMC_COUNTER_FLOWS_CLIENT_SMCR ==
			       OUTCOMES_COUNTED,
	       "counters of flows");

static const __u8 counted_outcomes[OUTCOMES_COUNTED] = {
	SMC_OUTCOME_SMCR, SMC_OUTCOME_SMCD, SMC_OUTCOME_TCP,
	SMC_OUTCOME_FALLBACK, SMC_OUTCOME_FAILED};

/* By enum smc_outcome. */
struct of_pod {
	__u64 open[OUTCOMES];
	__u64 counted[OUTCOMES];
};

struct top {
	const struct agent *agent;
	__u32 pod_ids[SMC_PODS]; /* by slot; 0: no pod's */
	struct of_pod slots[SMC_PODS];
	struct smc_limits limits;
	/* Of pods with a namespace of their own, in the order of the pods. */
	struct smc_stats_of *stats;
	size_t n_stats;
};

/* ---- what is read -------------------------------------------------------- */

static int count_open(const struct smc_handshake *key, const struct smc_flow *v,
		      void *arg)
{
	__u32 slot = smc_slot(v->pod_id);
	struct top *t = arg;

	/* a flow may outlive its pod, whose slot another has by now */
	if (v->pod_id == t->pod_ids[slot] && v->outcome < OUTCOMES)
		t->slots[slot].open[v->outcome]++;
	return 0;
}

static int count_all(const struct smc_counter_key *key, __u64 value, void *arg)
{
	__u32 at = key->counter - SMC_COUNTER_FLOWS_CLIENT_SMCR;
	struct top *t = arg;

	if (key->counter >= SMC_COUNTER_FLOWS_CLIENT_SMCR &&
	    at < 2 * OUTCOMES_COUNTED)
		t->slots[key->slot]
			.counted[counted_outcomes[at % OUTCOMES_COUNTED]] +=
			value;
	return 0;
}

static void find_pods(struct top *t)
{
	const struct pods *pods = &t->agent->pods;

	for (size_t i = 0; i < pods->n; i++)
		if (pods->v[i]->id)
			t->pod_ids[smc_slot(pods->v[i]->id)] = pods->v[i]->id;
}

/* ---- as JSON ------------------------------------------------------------- */

static void add_outcomes(yyjson_mut_doc *doc, yyjson_mut_val *o,
			 const char *key, const __u64 by[OUTCOMES])
{
	yyjson_mut_val *sums = yyjson_mut_obj_add_obj(doc, o, key);

	for (__u32 i = 0; i < OUTCOMES; i++)
		yyjson_mut_obj_add_uint(doc, sums, outcome_label(i), by[i]);
}

static void add_traffic(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
			const struct smc_traffic *t)
{
	yyjson_mut_val *v = yyjson_mut_obj_add_obj(doc, o, key);

	yyjson_mut_obj_add_uint(doc, v, "rx_bytes", t->rx_bytes);
	yyjson_mut_obj_add_uint(doc, v, "tx_bytes", t->tx_bytes);
	yyjson_mut_obj_add_uint(doc, v, "rx_calls", t->rx_calls);
	yyjson_mut_obj_add_uint(doc, v, "tx_calls", t->tx_calls);
	yyjson_mut_obj_add_uint(doc, v, "rx_buffer_bytes", t->rx_buffers);
	yyjson_mut_obj_add_uint(doc, v, "tx_buffer_bytes", t->tx_buffers);
}

/* @s: NULL: it has none of its own. */
static void add_stats(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct smc_stats_of *s)
{
	yyjson_mut_val *v;

	if (!s || s->err) {
		yyjson_mut_obj_add_null(doc, o, "traffic");
		yyjson_mut_obj_add_strcpy(
			doc, o, "traffic_problem",
			s ? strerror(-s->err)
			  : "the pod has no network namespace of its own");
		return;
	}
	v = yyjson_mut_obj_add_obj(doc, o, "traffic");
	yyjson_mut_obj_add_real(doc, v, "clock_seconds",
				(double)s->read_ns / CLOCK_SECOND);
	add_traffic(doc, v, "smcr", &s->stats.smcr);
	add_traffic(doc, v, "smcd", &s->stats.smcd);
}

static int add_pod(const struct top *t, const struct pod *p,
		   const struct smc_stats_of *s, yyjson_mut_doc *doc,
		   yyjson_mut_val *arr)
{
	const struct of_pod *of = &t->slots[smc_slot(p->id)];
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);

	yyjson_mut_obj_add_strcpy(doc, o, "namespace", p->ns);
	yyjson_mut_obj_add_strcpy(doc, o, "pod", p->name);
	yyjson_mut_obj_add_uint(doc, o, "pod_id", p->id);
	add_outcomes(doc, o, "open", of->open);
	add_outcomes(doc, o, "flows", of->counted);
	add_stats(doc, o, s);
	return api_add_held_pod(t->agent, &t->limits, p, doc, o);
}

/* Pods that were armed once have a number, and are counted by it. */
static int add_pods(const struct top *t, yyjson_mut_doc *doc,
		    yyjson_mut_val *root)
{
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(doc, root, "pods");
	const struct pods *pods = &t->agent->pods;
	size_t next = 0;
	int err = 0;

	for (size_t i = 0; i < pods->n && !err; i++) {
		const struct pod *p = pods->v[i];

		if (p->id)
			err = add_pod(t, p,
				      pod_has_stats(p) ? &t->stats[next++]
						       : NULL,
				      doc, arr);
	}
	return err;
}

void api_get_top(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg)
{
	struct top *t = calloc(1, sizeof(*t));
	struct agent *a = arg;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);
	int err;

	if (!t) {
		api_reply_failed(reply, -ENOMEM);
		return;
	}
	t->agent = a;
	find_pods(t);
	yyjson_mut_obj_add_strcpy(doc, root, "node", a->opt->node);
	json_add_time(doc, root, "time", clock_now() + flow_wall_offset());
	yyjson_mut_obj_add_real(doc, root, "clock_seconds",
				(double)clock_now() / CLOCK_SECOND);
	err = api_limits(a, &t->limits)
		      ?: datapath_each_flow(a->dp, true, count_open, t)
		      ?: datapath_each_counter(a->dp, count_all, t)
		      ?: pods_read_stats(a, &t->stats, &t->n_stats)
		      ?: api_add_held_node(a, doc, root)
		      ?: add_pods(t, doc, root);
	api_reply_doc(reply, doc, err);
	free(t->stats);
	free(t);
}
