/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server, over HTTP, on the loop: one request at a time for those who
 * ask, and watch.h for those who want to be told. Nothing here blocks, and no
 * callback is called from inside the call that asked for it.
 *
 * Certificates are verified, always. A token and a client certificate are read
 * from their files again for each request, so they may rotate; neither is ever
 * sent over plain HTTP.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>
#include "base/buf.h"
#include "base/cleanup.h"

/*
 * How to reach and convince the server. NULL: not given. Nothing is owned, and
 * all is copied by those who take it.
 *
 * The address comes from `server`, else from `kubeconfig`, else from the pod
 * that we run in (KUBERNETES_SERVICE_HOST and _PORT, and the service account's
 * directory). What is given here beside a kubeconfig wins over what that says.
 */
struct kube_options {
	const char *kubeconfig; /* file, YAML or JSON: its current context */
	const char *server;	/* "https://HOST:PORT", or http:// of a proxy */
	const char *token_file; /* bearer token */
	const char *client_cert; /* PEM file, read as the token's is */
	const char *client_key;	 /* PEM file */
	const char *ca;		 /* PEM file; without any, the system's */
	/* For source_open() only: */
	const char *mesh_kubeconfig; /* of the server that has ASMMeshConfig */
	const char *node; /* whose pods are watched; file: are without one */
	/* For tests. NULL is /var/run/secrets/kubernetes.io/serviceaccount. 0
	 * is a minute: so long SmcNodes and Services are still watched after
	 * the last annotated pod of this node went. */
	const char *service_account;
	unsigned int linger_ms;
};

struct kube_client;
struct kube_call;

/*
 * kube_client_open - Read the configuration; nothing is connected yet.
 *
 * Return: 0; -EINVAL: the configuration asks for what is not supported (exec
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
	 * The end, called once from the loop unless cancelled before. May
	 * cancel other calls and make new ones.
	 * @err: 0: there is an answer, of whatever @status. Else a negative
	 *       errno, @status 0, and @body a sentence about why.
	 * @body: NUL-terminated, valid during the call.
	 */
	void (*done)(int err, int status, const char *body, size_t len,
		     void *arg);
	void *arg;
};

/*
 * kube_request - Ask. All of @req is copied.
 * @call: NULL, or gets what kube_cancel() takes, valid until `done` is called.
 * Return: 0, -EINVAL for a request that cannot be meant, or -ENOMEM: `done` is
 * not called then.
 */
must_check int kube_request(struct kube_client *c,
			    const struct kube_request *req,
			    struct kube_call **call);

/* kube_cancel - `done` is not called. The server may have acted all the same.
 * NULL is fine. */
void kube_cancel(struct kube_call *call);

/* kube_retry_after - During `done`: how many seconds the server asks to stay
 * away (429, 503), at most 60; 0: it does not. */
unsigned int kube_retry_after(const struct kube_client *c);

/* kube_unreached - During `done`: there is no answer, for no connection came
 * about. */
bool kube_unreached(const struct kube_client *c);

/* kube_escape - Append @text as it may stand in a path or a query value. */
void kube_escape(struct buf *out, const char *text);

/*
 * kube_say - Append the sentence about a request that did not succeed, from
 * what `done` was given: what was wanted in the words of RBAC, then why.
 *   cannot patch smcnodes.smcmesh.io/status n1: 403, User "..." cannot ...
 *   cannot list pods: connection refused (https://10.96.0.1:443)
 */
void kube_say(struct buf *out, const struct kube_client *c, const char *method,
	      const char *path, int err, int status, const char *body,
	      size_t len);

/*
 * kube_backoff_ms - How long to wait after the @failures-th failure in a row
 * (from 1): half a second, doubled each time up to 30 s, and of that a random
 * part between a half and the whole, so that not all nodes come at once.
 */
unsigned int kube_backoff_ms(unsigned int failures);

/*
 * kube_again_ms - How long to wait before what failed is tried again, which
 * counts as one more of @failures. During `done`:
 * - it is what the server asked for and up to a second more, else all whom it
 *   sent away would come back at once; and it counts twice at most, since
 *   a server that says when to come is well enough;
 * - it is 4 s at most where no connection came about.
 */
unsigned int kube_again_ms(const struct kube_client *c, unsigned int *failures);
