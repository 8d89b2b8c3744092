// SPDX-License-Identifier: Apache-2.0
/*
 * One request at a time, in this order:
 *
 *   FIND    get our SmcNode: does it list endpoints of another boot?
 *   OWNER   get our Node: its UID, which will own the SmcNode
 *   MAKE    apply the SmcNode: made if it is not there, its owner set right
 *   STATUS  apply the status; from then on again for each new one
 *
 * A status that finds no object goes back to OWNER. Where the resource itself
 * does not exist MAKE is answered 404: it is tried again like anything else
 * that failed, until somebody installs it.
 */
#include "cluster/smcnode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/once.h"
#include "kube/watch.h"
#include "objects/decode.h"
#include "objects/encode.h"

#define BETWEEN_MS 1000
/* Where the source does not watch SmcNodes (no pod of this node is annotated),
 * or lags behind, the agent cannot see what became of ours, and applies it
 * again this rarely. Where the server still has it that changes nothing, and no
 * other node hears of it. */
#define UNSEEN_MS (10 * 60 * 1000)

#define ALL_SMCNODES "/apis/smcmesh.io/v1alpha1/smcnodes"
#define SMCNODES ALL_SMCNODES "/"
#define APPLY_QUERY "?fieldManager=" KUBE_FIELD_MANAGER "&force=true"

enum step { FIND, OWNER, MAKE, STATUS };

struct publish {
	struct kube_client *client;
	const char *node, *boot_id;
	struct publish_events events;
	uv_timer_t timer;
	bool closing;

	enum step step;
	struct kube_call *call; /* under way */
	char *path;		/* of it, for problems */
	char *node_uid;
	unsigned int failures; /* in a row */
	char *problem;

	struct mesh_ready ready;
	bool may_arm;

	struct buf want; /* the newest status */
	__u64 number;	 /* of it */
	__u64 sent;	 /* of the status that is under way */
	__u64 acked;
	__u64 acked_at; /* uv_now() */
	char *version;	/* of the object that the server answered with */
	__u64 stood;	/* the version of all SmcNodes known when it was sent */
	__u64 sure_at;	/* uv_now(), when it was last known to be as acked */
	bool seen;	/* the source has shown the object since it was made */
};

static void go(struct publish *p);
static void answer(int err, int status, const char *body, size_t len,
		   void *arg);

/* ---- asking -------------------------------------------------------------- */

static void timer_event(uv_timer_t *timer)
{
	go(timer->data);
}

static void again_in(struct publish *p, unsigned int ms)
{
	uv_update_time(p->timer.loop);
	uv_timer_start(&p->timer, timer_event, ms, 0);
}

static void set_problem(struct publish *p, const char *text)
{
	if (!once_text(&p->problem, text))
		return;
	if (text)
		log_warn(
			0,
			"%s; what was published before stays, it is tried again",
			text);
	else
		log_info("this node's SmcNode is published");
	p->events.changed(p->events.arg);
}

static const char *method_of(enum step step)
{
	return step == FIND || step == OWNER ? "GET" : "PATCH";
}

static int path_of(const struct publish *p, struct buf *path)
{
	buf_printf(path, "%s", p->step == OWNER ? "/api/v1/nodes/" : SMCNODES);
	kube_escape(path, p->node);
	if (p->step == STATUS)
		buf_printf(path, "/status");
	if (p->step == MAKE || p->step == STATUS)
		buf_printf(path, APPLY_QUERY);
	return path->err;
}

static int body_of(struct publish *p, struct buf *body)
{
	if (p->step == MAKE)
		return kube_encode_smcnode_new(p->node, p->node_uid, body);
	if (p->step != STATUS)
		return 0;
	p->sent = p->number;
	p->stood = kube_watches_stand(p->client, ALL_SMCNODES);
	return buf_add(body, p->want.data, p->want.len);
}

static int ask(struct publish *p)
{
	_buf_ struct buf path = {}, body = {};
	struct kube_request req = {
		.method = method_of(p->step), .done = answer, .arg = p};
	int err = path_of(p, &path) ?: body_of(p, &body);

	if (err)
		return err;
	free(p->path);
	p->path = buf_take(&path);
	req.path = p->path;
	req.body = body.data;
	req.len = body.len;
	if (body.data)
		req.content_type = KUBE_APPLY;
	return kube_request(p->client, &req, &p->call);
}

static bool nothing_to_do(const struct publish *p)
{
	return p->step == STATUS && p->acked == p->number;
}

static void go(struct publish *p)
{
	int err;

	if (p->call || p->closing || nothing_to_do(p) ||
	    /* there is no status to write yet, so the next one starts this */
	    (p->step > FIND && !p->number))
		return;
	err = ask(p);
	if (!err)
		return;
	log_warn(err, "publish this node's SmcNode");
	again_in(p, kube_again_ms(p->client, &p->failures));
}

/* ---- answers ------------------------------------------------------------- */

/* A request failed for a passing reason, or for want of rights that an
 * administrator may give: log it, and try again. */
static void failed(struct publish *p, int err, int status, const char *body,
		   size_t len)
{
	_buf_ struct buf text = {};

	kube_say(&text, p->client, method_of(p->step), p->path, err, status,
		 body, len);
	if (p->step == MAKE && status == 404)
		buf_printf(&text, " (are the CRDs installed?)");
	set_problem(p, text.data ?: "the SmcNode cannot be published");
	again_in(p, kube_again_ms(p->client, &p->failures));
}

static void may_arm(struct publish *p)
{
	if (p->may_arm)
		return;
	p->may_arm = true;
	p->events.changed(p->events.arg);
}

static void take_back(struct publish *p)
{
	_buf_ struct buf status = {};
	int err = p->events.nothing(&p->ready, &status, p->events.arg);

	if (err) {
		log_err(err, "encode an empty SmcNode");
		p->step = FIND;
		again_in(p, kube_again_ms(p->client, &p->failures));
		return;
	}
	log_info(
		"this node's SmcNode lists endpoints of another boot: they are taken back before anything is armed");
	publish_set(p, &status);
}

/* @text: our SmcNode, or NULL: there is none. */
static void found(struct publish *p, const char *text, size_t len)
{
	yyjson_doc *doc = text ? yyjson_read(text, len, 0) : NULL;
	_buf_ struct buf notes = {};
	struct mesh_node own = {};
	yyjson_val *root;
	bool good;

	root = yyjson_doc_get_root(doc);
	good = doc && !kube_decode(KIND_SMCNODE, root, &own, &notes);
	p->step = OWNER;
	p->ready = mesh_ready_from(good ? &own : NULL);
	p->ready.wrong_known = kube_decode_doctor(root, &p->ready.wrong);
	yyjson_doc_free(doc);
	/* An SmcNode that the agent cannot read may list any endpoint. */
	if ((text && !good) || (good && mesh_rebooted(&own, p->boot_id)))
		take_back(p);
	else
		may_arm(p);
	mesh_node_free(&own);
}

static void owner_found(struct publish *p, const char *body, size_t len)
{
	char *uid = NULL;
	int err = kube_decode_uid(body, len, &uid);

	if (err) {
		failed(p, err, 0, "the Node has no UID", 19);
		return;
	}
	free(p->node_uid);
	p->node_uid = uid;
	p->step = MAKE;
	go(p);
}

static void take_version(struct publish *p, const char *body, size_t len)
{
	char *version = NULL;

	if (kube_decode_version(body, len, &version))
		log_debug("this node's SmcNode was taken without a version");
	else
		log_debug("this node's SmcNode was taken, version %s", version);
	free(p->version);
	p->version = version;
}

/*
 * A write has a version above all that were there when it was sent. If it
 * changed nothing, the object has the version that it had, @before.
 */
static void check_version(struct publish *p, __u64 before)
{
	__u64 version = kube_version(p->version);

	if (version && before && version != before &&
	    (version < before || version < p->stood))
		kube_watches_anew(p->client, "this node's SmcNode");
}

static void status_taken(struct publish *p, const char *body, size_t len)
{
	__u64 before = kube_version(p->version);

	take_version(p, body, len);
	check_version(p, before);
	p->acked = p->sent;
	p->acked_at = p->sure_at = uv_now(p->timer.loop);
	set_problem(p, NULL);
	p->may_arm = true;
	p->events.changed(p->events.arg);
	again_in(p, BETWEEN_MS);
}

/* Return: was it an answer that leads on? */
static bool succeeded(struct publish *p, int status, const char *body,
		      size_t len)
{
	if (p->step == FIND && (status == 200 || status == 404)) {
		found(p, status == 200 ? body : NULL, len);
		go(p);
	} else if (p->step == OWNER && status == 200) {
		owner_found(p, body, len);
	} else if (p->step == MAKE && (status == 200 || status == 201)) {
		/* 201: it was not there, and a watch may not show it yet. */
		p->seen &= status == 200;
		take_version(p, body, len);
		p->step = STATUS;
		go(p);
	} else if (p->step == STATUS && (status == 200 || status == 201)) {
		status_taken(p, body, len);
	} else {
		return false;
	}
	return true;
}

static void answer(int err, int status, const char *body, size_t len, void *arg)
{
	struct publish *p = arg;

	p->call = NULL;
	if (!err && succeeded(p, status, body, len)) {
		p->failures = 0;
		return;
	}
	failed(p, err, status, body, len);
	/* Someone took the object away: make it again. */
	if (p->step == STATUS && status == 404)
		p->step = OWNER;
}

/* ---- for the agent ------------------------------------------------------- */

struct mesh_ready *publish_ready(struct publish *p)
{
	return &p->ready;
}

bool publish_may_arm(const struct publish *p)
{
	return p->may_arm;
}

__u64 publish_set(struct publish *p, const struct buf *status)
{
	struct buf copy = {};

	if (p->number && p->want.len == status->len &&
	    !memcmp(p->want.data, status->data, status->len))
		return p->number;
	if (buf_add(&copy, status->data, status->len))
		return p->number;
	buf_free(&p->want);
	p->want = copy;
	p->number++;
	/* Not while the timer runs: its wait bounds the rate. */
	if (!uv_is_active((uv_handle_t *)&p->timer))
		go(p);
	return p->number;
}

__u64 publish_acked(const struct publish *p)
{
	return p->acked;
}

/* A version that is no number is later than no other. */
static bool is_later(const char *a, const char *b)
{
	return kube_version(b) && kube_version(a) > kube_version(b);
}

enum fate { UNKNOWN, AS_ACKED, CHANGED, REMOVED };

/* What became of our SmcNode since the server took its status? An earlier
 * version says nothing: the watch lags behind. */
static enum fate fate_of(const struct publish *p, const struct mesh_node *own,
			 bool shown)
{
	if (!shown || (!own && !p->seen))
		return UNKNOWN;
	if (!own)
		return REMOVED;
	if (!own->version || !p->version)
		return UNKNOWN;
	if (!strcmp(own->version, p->version))
		return AS_ACKED;
	return is_later(own->version, p->version) ? CHANGED : UNKNOWN;
}

void publish_check(struct publish *p, const struct mesh_node *own, bool shown)
{
	__u64 now = uv_now(p->timer.loop);
	enum fate fate;

	/* A request that is under way or due will tell more than the source
	 * does. */
	if (!p->acked || p->acked != p->number || p->call ||
	    uv_is_active((uv_handle_t *)&p->timer))
		return;
	fate = fate_of(p, own, shown);
	p->seen |= shown && own;
	if (fate == AS_ACKED)
		p->sure_at = now;
	if (fate == AS_ACKED ||
	    (fate == UNKNOWN && now - p->sure_at < UNSEEN_MS))
		return;
	if (fate != UNKNOWN)
		log_warn(
			0,
			"this node's SmcNode was %s by someone else: publishing it again",
			fate == CHANGED ? "changed" : "removed");
	p->number++; /* the same text once more */
	p->step = OWNER;
	again_in(p, 0);
}

const char *publish_problem(const struct publish *p)
{
	return p->problem;
}

long long publish_age_ms(const struct publish *p)
{
	if (!p->acked || p->acked != p->number)
		return -1;
	return uv_now(p->timer.loop) - p->acked_at;
}

/* ---- open, close --------------------------------------------------------- */

int publish_open(uv_loop_t *loop, struct kube_client *client, const char *node,
		 const char *boot_id, const struct publish_events *events,
		 struct publish **out)
{
	struct publish *p = calloc(1, sizeof(*p));

	if (!p)
		return log_err(-ENOMEM, "publish this node's SmcNode");
	p->client = client;
	p->node = node;
	p->boot_id = boot_id;
	p->events = *events;
	uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	again_in(p, 0);
	*out = p;
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	struct publish *p = handle->data;

	buf_free(&p->want);
	free(p->path);
	free(p->node_uid);
	free(p->problem);
	free(p->version);
	free(p);
}

void publish_close(struct publish *p)
{
	if (!p)
		return;
	p->closing = true;
	kube_cancel(take_ptr(p->call));
	uv_close((uv_handle_t *)&p->timer, timer_closed);
}
