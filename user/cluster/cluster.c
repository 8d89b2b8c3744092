// SPDX-License-Identifier: Apache-2.0
#include "cluster/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "cluster/checkup.h"
#include "cluster/evict.h"
#include "cluster/take_back.h"
#include "cluster/smcnode.h"
#include "cluster/event_queue.h"
#include "cluster/events.h"
#include "cluster/untaint.h"
#include "base/log.h"
#include "objects/encode.h"
#include "node/rdma.h"
#include "node/smc.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

struct cluster {
	struct agent *a;
	struct kube_client *client;
	char boot_id[64];
	struct publish *publish;
	struct checkup *checkup;
	struct report *report;
	struct evict *evict;
	struct untaint *untaint;
};

/* ---- the status of our SmcNode ------------------------------------------- */

static bool is_armed(const struct plan_pod *plan, void *arg)
{
	struct agent *a = arg;
	const struct pod *p = pods_find(&a->pods, plan->pod->uid);

	/* While the datapath keeps this node's switch off other nodes need not
	 * offer SMC to its pods. */
	return p && pod_armed(p) && !p->told.hold_until && !a->last.off;
}

struct host_facts {
	struct smc_ueids ueids;
	const char *ueid[8];
	struct rdma_device device[RDMA_MAX];
	struct kube_rdma rdma[RDMA_MAX];
	char subnet[RDMA_MAX][ADDR_STRLEN], address[RDMA_MAX][ADDR_STRLEN];
};

static void fill_host(const struct agent *a, struct host_facts *h,
		      struct kube_smcnode *n)
{
	int rdma = agent_capable(a) ? rdma_list(h->device, RDMA_MAX) : 0;

	if (agent_capable(a) && !smc_ueid_list(&h->ueids))
		n->n_ueids = h->ueids.n;
	for (size_t i = 0; i < n->n_ueids; i++)
		h->ueid[i] = h->ueids.v[i];
	n->ueids = h->ueid;
	for (int i = 0; i < rdma; i++) {
		const struct rdma_device *d = &h->device[i];
		bool known = d->subnet.prefixlen;

		h->rdma[i] = (struct kube_rdma){
			.device = d->name,
			.netdev = *d->netdev ? d->netdev : NULL,
			.port = d->port,
			.subnet = known ? cidr_format(&d->subnet, h->subnet[i])
					: NULL,
			.address =
				known ? addr_format(&d->address, h->address[i])
				      : NULL};
	}
	n->rdma = h->rdma;
	n->n_rdma = rdma > 0 ? rdma : 0;
}

static enum mesh_truth capable(const struct features *features)
{
	static const enum mesh_truth is[] = {[FEATURE_UNKNOWN] = MESH_UNKNOWN,
					     [FEATURE_MISSING] = MESH_FALSE,
					     [FEATURE_PRESENT] = MESH_TRUE};

	return is[features_capable(features)];
}

static const struct mesh_wrong *doctor(const struct cluster *c,
				       struct mesh_ready *ready)
{
	const struct mesh_wrong *found = checkup_found(c->checkup);

	if (found)
		return mesh_wrong_hold(ready, found, uv_now(&c->a->loop));
	return ready->wrong_known ? &ready->wrong : NULL;
}

static int encode(const struct cluster *c, struct mesh_ready *ready,
		  const struct mesh_publish *publish, struct buf *out)
{
	const struct agent *a = c->a;
	const struct features *features = datapath_features(a->dp);
	_free_ struct host_facts *h = calloc(1, sizeof(*h));
	_buf_ struct buf methods = {};
	struct kube_smcnode n = {
		.name = a->opt->node,
		.kernel = a->self.kernel,
		.boot_id = c->boot_id,
		.converter = datapath_converter(a->dp),
		.selector = datapath_selector(a->dp),
		.transports = a->last.transports,
		.publish = publish,
	};

	features_say(features, &methods);
	if (!h || methods.err)
		return -ENOMEM;
	n.capable.is = capable(features);
	n.capable.message = methods.data;
	n.capable.since = mesh_capable_since(ready, n.capable.is, time(NULL));
	n.doctor = doctor(c, ready);
	fill_host(a, h, &n);
	return kube_encode_smcnode(&n, out);
}

static int nothing(struct mesh_ready *ready, struct buf *out, void *arg)
{
	_cleanup_(mesh_publish_free) struct mesh_publish none = {};
	struct cluster *c = arg;

	return mesh_publish(&c->a->host.mesh, NULL, NULL, NULL, ready,
			    time(NULL), &none)
		       ?: encode(c, ready, &none, out);
}

static void publish_plan(struct cluster *c, const struct mesh_plan *plan)
{
	_cleanup_(mesh_publish_free) struct mesh_publish made = {};
	_buf_ struct buf status = {};
	struct mesh_ready *ready = publish_ready(c->publish);
	struct agent *a = c->a;
	int err;

	err = mesh_publish(&a->host.mesh, plan, is_armed, a, ready, time(NULL),
			   &made)
		      ?: encode(c, ready, &made, &status);
	if (err) {
		log_err(err, "encode this node's SmcNode");
		return;
	}
	hold_made(&a->pods, publish_set(c->publish, &status));
}

/* What is published, or is to be, may have changed. */
static void changed(void *arg)
{
	struct cluster *c = arg;

	turn_due(&c->a->turn);
}

/* ---- for the agent ------------------------------------------------------- */

bool cluster_may_arm(const struct cluster *c)
{
	return !c || publish_may_arm(c->publish);
}

bool cluster_hold(struct agent *a, struct mesh_plan *plan)
{
	return a->cluster &&
	       hold_armed(&a->pods, plan, publish_acked(a->cluster->publish),
			  uv_now(&a->loop));
}

void cluster_planned(struct agent *a, const struct mesh_plan *plan, bool ready)
{
	struct cluster *c = a->cluster;

	if (!c)
		return;
	publish_plan(c, plan);
	tell_pods(c->report, &a->pods, plan, a->opt->node, uv_now(&a->loop));
	if (a->opt->evict_late)
		evict_next(c->evict);
	if (a->opt->startup_taint && ready)
		untaint_begin(c->untaint);
}

void cluster_resync(struct agent *a)
{
	const struct mesh_world *w = source_world(a->source);
	const struct mesh_node *own = NULL;

	if (!a->cluster || !w)
		return;
	for (size_t i = 0; i < w->n_nodes && !own; i++)
		if (!strcmp(w->nodes[i].name, a->opt->node))
			own = &w->nodes[i];
	publish_check(a->cluster->publish, own, source_shows_nodes(a->source));
}

bool cluster_published(const struct cluster *c, bool ever)
{
	return !c || (ever ? publish_acked(c->publish) != 0
			   : publish_age_ms(c->publish) >= 0);
}

const char *cluster_problem(const struct cluster *c)
{
	return c ? publish_problem(c->publish) : NULL;
}

long long cluster_age_ms(const struct cluster *c)
{
	return c ? publish_age_ms(c->publish) : -1;
}

/* ---- open, close --------------------------------------------------------- */

static int read_boot_id(char boot_id[64])
{
	_fclose_ FILE *f = fopen(BOOT_ID, "re");

	if (!f || fscanf(f, "%63s", boot_id) != 1)
		return log_err(-EIO, "read %s", BOOT_ID);
	return 0;
}

static int parts_open(struct cluster *c)
{
	const struct publish_events events = {changed, nothing, c};
	const struct agent_options *o = c->a->opt;
	const struct datapath_options opt = {
		.bpffs = o->bpffs, .cgroup = o->cgroup, .proc = o->proc};
	uv_loop_t *loop = &c->a->loop;

	c->checkup = checkup_new(loop, &opt, datapath_features(c->a->dp),
				 changed, c);
	c->report = report_new(loop, c->client, REPORT_BETWEEN_MS);
	c->evict = evict_new(loop, c->client, &c->a->pods);
	c->untaint = untaint_new(loop, c->client, o->node);
	if (!c->checkup || !c->report || !c->evict || !c->untaint)
		return log_err(-ENOMEM, "talk to the API server");
	return publish_open(loop, c->client, o->node, c->boot_id, &events,
			    &c->publish);
}

int cluster_open(struct agent *a)
{
	struct kube_client *client = source_client(a->source);
	struct cluster *c;
	int err;

	if (!client)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return log_err(-ENOMEM, "talk to the API server");
	c->a = a;
	c->client = client;
	a->cluster = c;
	err = read_boot_id(c->boot_id) ?: parts_open(c);
	return err;
}

void cluster_close(struct agent *a)
{
	struct cluster *c = take_ptr(a->cluster);

	if (!c)
		return;
	publish_close(c->publish);
	checkup_close(c->checkup);
	report_close(c->report);
	evict_close(c->evict);
	untaint_close(c->untaint);
	/* The publisher keeps a pointer to boot_id until the loop has closed
	 * its timer, but does not read it any more. */
	free(c);
}
