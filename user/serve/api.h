/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the control socket share, and their test; nobody else
 * includes this. */
#pragma once

#include <yyjson.h>
#include "pods/armed_rows.h"
#include "pods/known.h"
#include "serve/http.h"
#include "telemetry/flow_query.h"
#include "telemetry/flows.h"

#define API_JSON "application/json"

void api_doc_free(yyjson_mut_doc **doc);
#define _doc_ _cleanup_(api_doc_free)

/* api_doc_new - A document with an object as its root. */
yyjson_mut_doc *api_doc_new(yyjson_mut_val **root);

/* api_reply_doc - Reply with the document; with a 500 if @err or a lack of
 * memory kept it from being built. */
void api_reply_doc(struct http_reply *reply, yyjson_mut_doc *doc, int err);

/* api_reply_failed - Reply with a 500 that says @err, and log it. */
void api_reply_failed(struct http_reply *reply, int err);

/* api_refuse - Reply with one line, "@what: @why". */
void api_refuse(struct http_reply *reply, unsigned int status, const char *what,
		const char *why);

/* api_pod - The names of a pod of this node; both NULL where it has gone. */
struct flow_pod api_pod(const struct agent *a, __u32 id);

/* api_add_left - Add the seconds that are left; null: no end, or no maps. */
void api_add_left(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
		  double left);

/* api_add_sentence - Add "sentence": why the pod is not armed, and what the
 * agent saw. */
void api_add_sentence(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct pod *p, const struct pod_state *is);

void api_get_status(struct MHD_Connection *request, struct http_reply *reply,
		    void *arg);
void api_get_pods(struct MHD_Connection *request, struct http_reply *reply,
		  void *arg);

/* ---- api_list.c ---------------------------------------------------------- */

#define API_ARRAYS_MAX 4 /* with the empty one at the end */

struct api_array {
	const char *name;
	size_t n;
	/* The element @i, made in @doc; NULL without memory. */
	yyjson_mut_val *(*make)(yyjson_mut_doc *doc, size_t i, void *arg);
};

/* A document of arrays. */
struct api_list {
	struct buf begin; /* "{", and members with a comma behind each */
	struct api_array array[API_ARRAYS_MAX]; /* ends with an empty one */
	void (*free)(void *arg);
	void *arg;	 /* of the list from api_reply_list() on */
	size_t at, next; /* element of which array */
};

/*
 * api_reply_list - Reply with the list, made while it is read: its elements
 * must be made from a copy, since the loop turns meanwhile.
 * @list: copied; the reply owns what it points to afterwards, in any case.
 * @err:  not 0: there is no list: reply with a 500.
 */
void api_reply_list(struct http_reply *reply, struct api_list *list, int err);

/* ---- api_endpoints.c ----------------------------------------------------- */

void api_get_endpoints(struct MHD_Connection *request, struct http_reply *reply,
		       void *arg);

/* ---- api_held.c ---------------------------------------------------------- */

/* api_limits - What may be held now; nothing where nothing is possible. Return:
 * 0 or a negative errno. */
must_check int api_limits(const struct agent *a, struct smc_limits *out);

/* Add "held" to an object: what the node, or a pod, holds now, and its limits.
 * Return: 0 or a negative errno, nothing was added then. */
must_check int api_add_held_node(const struct agent *a, yyjson_mut_doc *doc,
				 yyjson_mut_val *to);
must_check int api_add_held_pod(const struct agent *a,
				const struct smc_limits *limits,
				const struct pod *p, yyjson_mut_doc *doc,
				yyjson_mut_val *to);

/* ---- api_paths.c --------------------------------------------------------- */

/* api_add_paths_sum - Add "paths" to an object: how many are in which state. */
void api_add_paths_sum(const struct agent *a, yyjson_mut_doc *doc,
		       yyjson_mut_val *to);

/* A row of smc_path, and when it was read. */
struct api_path {
	struct smc_path_key key;
	struct smc_path row;
	__u64 now;
};

/* api_path_json - The row as an object, or NULL without memory. */
yyjson_mut_val *api_path_json(struct agent *a, yyjson_mut_doc *doc,
			      const struct api_path *path);

/* ---- api_fabric.c -------------------------------------------------------- */

/* api_add_fabric - Add "fabric" to an object: the UEID of the mesh, how many
 * other nodes have UEIDs, and those that have not this one: "strangers", and a
 * few of them by name. */
void api_add_fabric(const struct agent *a, yyjson_mut_doc *doc,
		    yyjson_mut_val *to);

/* ---- api_flows.c -------------------------------------------------------- */

/* The late flows of all pods, by their keys. */
struct api_late {
	struct smc_handshake *v;
	size_t n;
};

/* api_late_make - Collect those known now. Return: 0 or -ENOMEM. */
must_check int api_late_make(const struct pods *pods, struct api_late *out);
bool api_late_has(const struct api_late *late, const struct smc_handshake *key);
void api_late_free(struct api_late *late);

void api_get_flows(struct MHD_Connection *request, struct http_reply *reply,
		   void *arg);

/* ---- api_flow_peer.c ---------------------------------------------------- */

/* api_pod_at - The pod of this node that owns the address, which one with
 * hostNetwork does not; or NULL. */
const struct pod *api_pod_at(const struct agent *a,
			     const struct smc_addr *addr);

/* api_add_peer - Add "peer_node", "peer_namespace", "peer_pod" and
 * "peer_service": as far as the agent knows whose the flow's remote address is;
 * else "". Return: false without memory. */
bool api_add_peer(const struct agent *a, yyjson_mut_doc *doc, yyjson_mut_val *o,
		  const struct smc_flow *f);

/* ---- api_flow_stream.c -------------------------------------------------- */

/* api_losses - What is counted as lost, so far. Return: 0 or a negative errno.
 */
must_check int api_losses(const struct agent *a, struct flow_losses *out);

/* api_follow - Reply with the stream, of what @filter lets through; copied. */
void api_follow(struct agent *a, struct http_reply *reply,
		const struct mesh_flow_filter *filter);

/* api_event - Send a flow event to the readers of the stream. */
void api_event(struct agent *a, const struct smc_event *e);

/* api_stream_open - Before the first request. Return: 0 or -ENOMEM.
 * api_stream_free - After the servers are stopped. */
must_check int api_stream_open(struct agent *a);
void api_stream_free(struct agent *a);

/* api_stream_reset - Stop the datapath from sending every flow: a killed agent
 * may have had readers. */
void api_stream_reset(struct agent *a);

/* api_stream_resync - Drop readers that have gone, and tell the others what was
 * lost: without any the datapath sends no more than it must. */
void api_stream_resync(struct agent *a);

/* ---- api_top.c ---------------------------------------------------------- */

void api_get_top(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg);

/* ---- api_explain.c ------------------------------------------------------ */

void api_get_explain(struct MHD_Connection *request, struct http_reply *reply,
		     void *arg);

/* ---- api_quarantine.c --------------------------------------------------- */

void api_get_quarantine(struct MHD_Connection *request,
			struct http_reply *reply, void *arg);
void api_post_quarantine_clear(struct MHD_Connection *request,
			       struct http_reply *reply, void *arg);

/* ---- api_log.c ---------------------------------------------------------- */

void api_get_log_level(struct MHD_Connection *request, struct http_reply *reply,
		       void *arg);
void api_post_log_level_set(struct MHD_Connection *request,
			    struct http_reply *reply, void *arg);
