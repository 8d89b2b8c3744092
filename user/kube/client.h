/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server, over HTTP, on the loop: here single requests; watch.h keeps
 * watches. Nothing here blocks, and no callback runs inside the call that made
 * the request.
 *
 * The client always verifies certificates. It reads a token and a client
 * certificate from their files again for each request, so they may rotate; it
 * never sends either over plain HTTP.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>
#include "base/buf.h"
#include "base/cleanup.h"

/*
 * How to reach the server and log in. NULL: not given. The struct owns nothing;
 * functions that take it copy all.
 *
 * The address comes from `server`, else from `kubeconfig`, else from the pod
 * that we run in (KUBERNETES_SERVICE_HOST and _PORT, and the service account's
 * directory). These options win over a kubeconfig.
 */
struct kube_options {
	const char *kubeconfig; /* file, YAML or JSON: its current context */
	const char *server;	/* "https://HOST:PORT", or http:// of a proxy */
	const char *token_file; /* bearer token */
	const char *client_cert; /* PEM file, read like the token's */
	const char *client_key;	 /* PEM file */
	const char *ca;		 /* PEM file; without any, the system's */
	/* For source_open() only: */
	const char *mesh_kubeconfig; /* of the server that has ASMMeshConfig */
	const char *node;	     /* of the pods; file: of those without */
	/* For tests. NULL is /var/run/secrets/kubernetes.io/serviceaccount. 0
	 * is a minute: how long to watch SmcNodes and Services after the last
	 * annotated pod of this node went. */
	const char *service_account;
	unsigned int linger_ms;
};

struct kube_client;
struct kube_call;

/*
 * kube_client_open - Read the configuration; does not connect yet.
 *
 * Return: 0; -EINVAL: the configuration needs something unsupported (exec
 * plugins, auth providers, unverified TLS) or makes no sense, -ENOENT: there is
 * none, or another negative errno: each with a log line that says what and
 * where. Free with kube_client_close().
 */
must_check int kube_client_open(uv_loop_t *loop, const struct kube_options *opt,
				struct kube_client **out);

/* kube_client_close - Cancels all calls; watches must have been closed before.
 * The memory goes when the loop has closed the handles. NULL is fine. */
void kube_client_close(struct kube_client *c);

/* kube_client_server - "https://10.96.0.1:443", for people. */
const char *kube_client_server(const struct kube_client *c);

#define KUBE_TIMEOUT_MS 30000

/* kube_request.content_type of a server-side apply; its path ends in
 * "?fieldManager=smcmesh&force=true". JSON is YAML. */
#define KUBE_APPLY "application/apply-patch+yaml"
#define KUBE_JSON_PATCH "application/json-patch+json"
#define KUBE_MERGE_PATCH "application/merge-patch+json"

struct kube_request {
	const char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE" */
	const char *path;   /* "/api/v1/...?...", escaped: kube_escape() */
	const char *content_type; /* of the body; NULL: application/json */
	const char *accept;	  /* NULL: application/json */
	const char *body;	  /* NULL: none; copied */
	size_t len;		  /* of the body; 0: up to its NUL */
	unsigned int timeout_ms;  /* for the whole; 0: KUBE_TIMEOUT_MS */

	/*
	 * Called once at the end, from the loop, unless cancelled before. May
	 * cancel other calls and make new ones.
	 * @err: 0: there is an answer, of whatever @status. Else a negative
	 *       errno, @status 0, and @body says why in a sentence.
	 * @body: NUL-terminated, valid during the call.
	 */
	void (*done)(int err, int status, const char *body, size_t len,
		     void *arg);
	void *arg;
};

/*
 * kube_request - Send a request. Copies all of @req.
 * @call: NULL, or gets the handle for kube_cancel(), valid until `done` is
 * called.
 * Return: 0, -EINVAL for a senseless request, or -ENOMEM: `done` is not called
 * then.
 */
must_check int kube_request(struct kube_client *c,
			    const struct kube_request *req,
			    struct kube_call **call);

/* kube_cancel - End the call without `done`. The server may have acted all the
 * same. NULL is fine. */
void kube_cancel(struct kube_call *call);

/* kube_retry_after - During `done`: how many seconds the server asks to stay
 * away (429, 503), at most 60; 0: it does not ask. */
unsigned int kube_retry_after(const struct kube_client *c);

/* kube_unreached - During `done`: did no connection come about? */
bool kube_unreached(const struct kube_client *c);

/* kube_escape - Append @text, escaped for a path or a query value. */
void kube_escape(struct buf *out, const char *text);

/*
 * kube_say - Append a sentence about a failed request, from the arguments of
 * `done`: the request in the words of RBAC, then the reason.
 *   cannot patch smcnodes.smcmesh.io/status n1: 403, User "..." cannot ...
 *   cannot list pods: connection refused (https://10.96.0.1:443)
 */
void kube_say(struct buf *out, const struct kube_client *c, const char *method,
	      const char *path, int err, int status, const char *body,
	      size_t len);

/*
 * kube_backoff_ms - How long to wait after the @failures-th failure in a row
 * (from 1): half a second, doubled each time up to 30 s, and of that a random
 * part between a half and the whole, so that the nodes do not all come at once.
 */
unsigned int kube_backoff_ms(unsigned int failures);

/*
 * kube_again_ms - How long to wait before trying again, which counts as one
 * more of @failures. During `done`:
 * - as long as the server asked and up to a second more, else all clients would
 *   come back at once; and it counts twice at most, since a server that says
 *   when to come works well enough;
 * - 4 s at most if no connection came about.
 */
unsigned int kube_again_ms(const struct kube_client *c, unsigned int *failures);
