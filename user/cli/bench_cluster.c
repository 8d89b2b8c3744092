// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_cluster.h"

#include <string.h>
#include "base/clock.h"
#include "base/fault.h"
#include "cli/bench_run.h"
#include "cli/bench_way.h"
#include "cli/command.h"
#include "cli/ending.h"
#include "cli/work_dir.h"
#include "objects/json.h"

#define CALL_S 60   /* of one call of kubectl */
#define READY_S 300 /* for images to be pulled */
#define READY "300s"
/* From then on, until the pair's connections are SMC: the first RDMA link of a
 * slow node takes its time. The second number: where it is known why they are
 * not. */
#define SETTLE_MS 240000
#define SETTLE_WHY_MS 120000
#define SETTLE_RUN_S 3
#define GONE_S 120
#define GONE "120s"

/* ---- talk ---------------------------------------------------------------- */

static int fail(int err, const char *what, const struct buf *error)
{
	if (err != -EINTR)
		fprintf(stderr, "smcmesh bench: %s: %s\n", what,
			error->data ?: strerror(-err));
	return err;
}

/* What people would ask next. */
static void show_pods(const struct kubectl *k)
{
	_buf_ struct buf pods = {}, events = {}, error = {};

	if (!kubectl_ask(k, CALL_S, &pods, &error, "-n", BENCH_NS, "get",
			 "pods", "-o", "wide", NULL))
		fprintf(stderr, "%s", pods.data ?: "");
	if (!kubectl_ask(k, CALL_S, &events, &error, "-n", BENCH_NS, "get",
			 "events", "--field-selector", "type=Warning", NULL))
		fprintf(stderr, "%s", events.data ?: "");
}

/* ---- making the pods ----------------------------------------------------- */

/* Not cut short by a signal: whether it was made decides on taking it away. */
static int make_namespace(struct bench_cluster *c)
{
	_buf_ struct buf error = {};
	struct kubectl k = c->kubectl;
	int err;

	k.to_the_end = true;
	err = kubectl_ask(&k, CALL_S, NULL, &error, "create", "namespace",
			  BENCH_NS, NULL);
	c->made = !err;
	if (err && error.data && strstr(error.data, "AlreadyExists"))
		fprintf(stderr,
			"smcmesh bench: the namespace " BENCH_NS
			" is there already: another bench runs, or one was ended by force, or kept; kubectl delete namespace " BENCH_NS
			" takes it away\n");
	else if (err)
		fail(err, "make the namespace " BENCH_NS, &error);
	return err;
}

static int apply(const struct bench_cluster *c)
{
	_buf_ struct buf error = {};
	char path[PATH_MAX + 16];
	FILE *f;
	int err;

	snprintf(path, sizeof(path), "%s/pods.yaml", c->kubectl.dir);
	f = fopen(path, "we");
	if (f)
		bench_manifest(&c->manifest, f);
	if (!f || fclose(f)) {
		err = -errno;
		return fail(err, path, &error);
	}
	err = kubectl_ask(&c->kubectl, CALL_S, NULL, &error, "apply", "-f",
			  path, NULL);
	return err ? fail(err, "make its pods", &error) : 0;
}

static int wait_ready(const struct bench_cluster *c)
{
	_buf_ struct buf error = {};
	int err;

	fprintf(stderr, "smcmesh bench: waiting for the pods of " BENCH_NS
			", " READY " at most\n");
	err = kubectl_ask(&c->kubectl, READY_S + CALL_S, NULL, &error, "-n",
			  BENCH_NS, "wait", "--for=condition=Available",
			  "--timeout=" READY, "deployments", "--all", NULL);
	if (!err)
		return 0;
	fail(err, "its pods are not ready", &error);
	if (err != -EINTR)
		show_pods(&c->kubectl);
	return err;
}

/* ---- finding them -------------------------------------------------------- */

static const char *text(yyjson_val *o, const char *pointer)
{
	return yyjson_get_str(yyjson_ptr_get(o, pointer)) ?: "";
}

static bool is_leaving(yyjson_val *pod)
{
	return yyjson_ptr_get(pod, "/metadata/deletionTimestamp");
}

typedef void (*take_fn)(yyjson_val *item, struct bench_cluster *c);

/* Give each item of a list to @take. */
static int list(struct bench_cluster *c, const char *ns, const char *kind,
		const char *selector, take_fn take)
{
	_buf_ struct buf error = {}, out = {};
	_doc_ yyjson_doc *doc = NULL;
	yyjson_val *item;
	size_t i, max;
	int err = kubectl_ask(&c->kubectl, CALL_S, &out, &error, "-n", ns,
			      "get", kind, "-l", selector, "-o", "json", NULL);

	if (err)
		return fail(err, "list pods and Services", &error);
	doc = yyjson_read(out.data ?: "", out.len, 0);
	yyjson_arr_foreach (yyjson_obj_get(yyjson_doc_get_root(doc), "items"),
			    i, max, item) {
		take(item, c);
	}
	return 0;
}

static void take_pod(yyjson_val *item, struct bench_cluster *c)
{
	const enum bench_pair pair =
		strcmp(text(item, "/metadata/labels/pair"), "smc") != 0
			? BENCH_PLAIN_PAIR
			: BENCH_SMC_PAIR;
	struct bench_pod *pod =
		strcmp(text(item, "/metadata/labels/role"), "client") != 0
			? &c->server[pair]
			: &c->client[pair];

	if (is_leaving(item))
		return;
	snprintf(pod->name, sizeof(pod->name), "%s",
		 text(item, "/metadata/name"));
	snprintf(pod->full, sizeof(pod->full), BENCH_NS "/%s", pod->name);
	snprintf(pod->node, sizeof(pod->node), "%s",
		 text(item, "/spec/nodeName"));
}

static void take_service(yyjson_val *item, struct bench_cluster *c)
{
	const enum bench_pair pair =
		strcmp(text(item, "/metadata/name"), "smc-server") != 0
			? BENCH_PLAIN_PAIR
			: BENCH_SMC_PAIR;

	snprintf(c->service[pair], sizeof(c->service[pair]), "%s",
		 text(item, "/spec/clusterIP"));
}

static void take_agent(yyjson_val *item, struct bench_cluster *c)
{
	struct bench_pod *const pods[] = {&c->client[0], &c->client[1],
					  &c->server[0], &c->server[1]};

	if (is_leaving(item) ||
	    strcmp(text(item, "/status/phase"), "Running") != 0)
		return;
	for (size_t i = 0; i < array_size(pods); i++)
		if (!strcmp(pods[i]->node, text(item, "/spec/nodeName")))
			snprintf(pods[i]->agent, sizeof(pods[i]->agent), "%s",
				 text(item, "/metadata/name"));
}

/* Is all there that runs need? */
static int check(const struct bench_cluster *c)
{
	for (int i = 0; i < BENCH_PAIRS; i++) {
		const struct bench_pod *const pods[] = {&c->client[i],
							&c->server[i]};

		for (size_t j = 0; j < array_size(pods); j++) {
			if (*pods[j]->name && *pods[j]->agent)
				continue;
			fprintf(stderr,
				"smcmesh bench: %s: no pod of the agent runs there, in the namespace %s (--agents names another)\n",
				*pods[j]->node ? pods[j]->node
					       : "a node of " BENCH_NS,
				c->agents);
			return -ENOENT;
		}
	}
	return 0;
}

/* ---- the plan ------------------------------------------------------------ */

static int fill_end(struct bench_cluster *c, enum bench_side side,
		    struct bench_end *end)
{
	static const char *const targets[BENCH_PAIRS] = {
		"plain-server:" BENCH_PORT, "smc-server:" BENCH_PORT};
	const enum bench_pair pair = bench_pair_of(side);
	struct smc_addr addr;

	if (addr_parse(c->service[pair], &addr)) {
		fprintf(stderr,
			"smcmesh bench: the Service %s has no address\n",
			targets[pair]);
		return -ENOENT;
	}
	end->used = true;
	end->target = targets[pair];
	end->to = addr_port(&addr, atoi(BENCH_PORT));
	snprintf(end->url, sizeof(end->url), "http://%s/echo", end->target);
	end->pod = c->client[pair].full;
	return 0;
}

static int fill(struct bench_cluster *c, struct bench_plan *plan)
{
	int err = list(c, BENCH_NS, "pods", "pair", take_pod)
			  ?: list(c, BENCH_NS, "services", "pair", take_service)
			  ?: list(c, c->agents, "pods",
				  "app.kubernetes.io/name=smcmesh", take_agent)
			  ?: check(c);

	for (int side = 0; !err && side < BENCH_SIDES; side++)
		err = fill_end(c, side, &plan->end[side]);
	return err;
}

/* ---- before it counts ---------------------------------------------------- */

/* One short run of a side. Return: 0: its connections are what they are to be;
 * -EAGAIN: not yet; or another negative errno. */
static int try_side(const struct bench_plan *plan, enum bench_side side,
		    const struct bench_load *load, struct bench_result *r,
		    struct buf *error)
{
	_cleanup_(bench_hist_free) struct bench_hist times = {};
	struct bench_run run;
	int err;

	work_dir_empty(load->dir);
	buf_free(error);
	r->why = (struct bench_why){};
	err = bench_run_one(plan, side, load, &run, &times, r, error);
	/* no report, or no answers: a Service that no proxy knows yet */
	if (err == -EINVAL || err == -EIO || (!err && run.errors > 0))
		return -EAGAIN;
	if (err)
		return err;
	if (run.flows.looks && (side != BENCH_SMC || !run.flows.tcp))
		return 0;
	if (!run.flows.looks)
		buf_printf(error, "no connection was seen in a run of %d s",
			   SETTLE_RUN_S);
	else
		buf_printf(error,
			   "%u of the last run's connections were SMC, %u TCP",
			   run.flows.smcr + run.flows.smcd, run.flows.tcp);
	return -EAGAIN;
}

static bool is_late(__u64 since, const struct bench_result *r)
{
	const unsigned int ms = *r->why.sentence ? SETTLE_WHY_MS : SETTLE_MS;

	return clock_now() - since > fault_ms(ms) * CLOCK_MS;
}

/* What keeps the runs from beginning, each time that it is another thing. */
static void say_not_yet(const struct buf *error, const struct bench_result *r,
			struct buf *said)
{
	_buf_ struct buf line = {};

	buf_printf(&line, "%s%s%s", error->data ?: "",
		   *r->why.sentence ? ": " : "", r->why.sentence);
	if (line.err || (said->data && !strcmp(said->data, line.data)))
		return;
	fprintf(stderr, "smcmesh bench: not yet: %s\n", line.data);
	buf_free(said);
	*said = line;
	line = (struct buf){};
}

/* Until the pods are armed, addresses known, and RDMA paths proven. */
static int settle(const struct bench_plan *plan, enum bench_side side,
		  const char *dir, struct bench_result *r)
{
	const __u64 since = clock_now();
	struct bench_load load = plan->load;
	_buf_ struct buf error = {}, said = {};
	int err;

	load.seconds = SETTLE_RUN_S;
	load.url = plan->end[side].url;
	load.dir = dir;
	do {
		err = try_side(plan, side, &load, r, &error);
		if (err == -EAGAIN)
			say_not_yet(&error, r, &said);
	} while (err == -EAGAIN && !is_late(since, r) && !ending_came());
	if (!err || err == -EINTR || ending_came())
		return err == -EAGAIN ? -EINTR : err;
	if (side == BENCH_SMC && *r->why.sentence)
		fprintf(stderr,
			"smcmesh bench: nothing was measured: connections between the annotated pods are TCP, as the kernel's socket diagnosis says.\nWhy: %s\nWhat to do: %s\n",
			r->why.sentence, r->why.remedy);
	else
		fail(err, "nothing was measured", &error);
	return err;
}

static int settle_all(const struct bench_plan *plan, const char *dir)
{
	struct bench_result *r = calloc(1, sizeof(*r));
	int err = r ? 0 : -ENOMEM;

	err = err ?: settle(plan, BENCH_TCP, dir, r)
		  ?: settle(plan, BENCH_SMC, dir, r);
	free(r);
	return err;
}

/* ---- taking them away ---------------------------------------------------- */

static int take_away(const struct bench_cluster *c)
{
	_buf_ struct buf error = {};
	struct kubectl k = c->kubectl;
	int err;

	if (!c->made)
		return 0;
	if (c->keep) {
		fprintf(stderr, "smcmesh bench: the namespace " BENCH_NS
				" stays; kubectl delete namespace " BENCH_NS
				" takes it away\n");
		return 0;
	}
	k.to_the_end = true;
	err = kubectl_ask(&k, CALL_S, NULL, &error, "delete", "namespace",
			  BENCH_NS, "--wait=false", NULL);
	if (err)
		return fail(err,
			    "the namespace " BENCH_NS
			    " could not be deleted and stays",
			    &error);
	fprintf(stderr,
		"smcmesh bench: the namespace " BENCH_NS " is being deleted\n");
	err = ending_came() ? 0
			    : kubectl_ask(&c->kubectl, GONE_S + CALL_S, NULL,
					  &error, "wait", "--for=delete",
					  "namespace/" BENCH_NS,
					  "--timeout=" GONE, NULL);
	return err && err != -EINTR ? fail(err, "it is not gone", &error) : 0;
}

/* ---- the whole ----------------------------------------------------------- */

static int measure(struct bench_cluster *c, struct bench_plan *plan,
		   const struct bench_show *show)
{
	char dir[PATH_MAX];
	int err = make_namespace(c) ?: apply(c) ?: wait_ready(c)
		  ?: fill(c, plan) ?: work_dir_make("bench", dir);

	if (err)
		return EXIT_UNTOLD;
	err = settle_all(plan, dir);
	work_dir_remove(dir);
	if (err)
		return err == -EAGAIN ? EXIT_FAILED : EXIT_UNTOLD;
	return bench_client(plan, show);
}

int bench_cluster(struct bench_cluster *c, struct bench_plan *plan,
		  const struct bench_show *show)
{
	char dir[PATH_MAX];
	int ret;

	if (work_dir_make("bench", dir))
		return EXIT_UNTOLD;
	c->kubectl.dir = dir;
	plan->cluster = c;
	plan->way = &bench_in_cluster;
	plan->load.remote = true;
	ret = measure(c, plan, show);
	if (take_away(c) && ret == EXIT_OK)
		ret = EXIT_FAILED;
	work_dir_remove(dir);
	return ret;
}
