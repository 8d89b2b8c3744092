/* SPDX-License-Identifier: Apache-2.0 */
/* What we write to the API, as JSON. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/smcnode_status.h"

/* The one field manager of everything we apply. */
#define KUBE_FIELD_MANAGER "smcmesh"

struct kube_rdma {
	const char *device, *netdev;
	unsigned int port;
	const char *subnet;  /* "10.244.0.0/16", NULL: not known */
	const char *address; /* in that: probes of paths to here dial it */
};

/* The condition Capable: can the kernel do SMC? */
struct kube_capable {
	enum mesh_truth is;  /* MESH_NOT_SAID: it is left out */
	const char *message; /* why: what it does it by, or lacks */
	long long since;     /* seconds since 1970 */
};

/* Nothing is owned. NULL strings are left out. */
struct kube_smcnode {
	const char *name;
	const char *kernel, *boot_id;
	const char *converter, *selector; /* or "none" */
	__u32 transports;		  /* enum smc_transport bits */
	const char *const *ueids;
	size_t n_ueids;
	const struct kube_rdma *rdma;
	size_t n_rdma;
	struct kube_capable capable;
	const struct mesh_wrong *doctor;    /* NULL: not known yet */
	const struct mesh_publish *publish; /* endpoints, condition Ready */
};

/*
 * kube_encode_smcnode - The SmcNode with its status, whole, for
 *   PATCH /apis/smcmesh.io/v1alpha1/smcnodes/NAME/status
 *         ?fieldManager=smcmesh&force=true   (application/apply-patch+yaml)
 * Its metadata is the name alone. The same state gives the same text, so that a
 * comparison of two texts finds changes. kube_decode() reads it back.
 *
 * Return: 0, appended to @out; or -ENOMEM.
 */
must_check int kube_encode_smcnode(const struct kube_smcnode *n,
				   struct buf *out);

/*
 * kube_encode_smcnode_new - The object without a status, owned by its Node, for
 *   PATCH
 * /apis/smcmesh.io/v1alpha1/smcnodes/NAME?fieldManager=smcmesh&force=true which
 * makes it if it is not there (the status cannot be applied before).
 * @node_uid: of the Node called @name.
 */
must_check int kube_encode_smcnode_new(const char *name, const char *node_uid,
				       struct buf *out);

/* An Event about a pod of this node. Nothing is owned. */
struct kube_event {
	const char *ns, *pod, *uid;
	const char *node;    /* ours: who reports */
	bool warning;	     /* else type Normal */
	const char *reason;  /* CamelCase: "LateListener" */
	const char *message; /* cut at 1024 bytes, as the API wants */
	long long when;	     /* seconds since 1970 */
	/* It is not what an Event with the same text said before: its name has
	 * the time, too. */
	bool anew;
};

/*
 * kube_encode_event - For POST /api/v1/namespaces/NS/events.
 * Its name comes from pod, UID, reason and message, so if a restarted agent
 * sends the same event again (not anew) the server answers 409, which is fine.
 */
must_check int kube_encode_event(const struct kube_event *e, struct buf *out);

/*
 * kube_encode_eviction - For POST /api/v1/namespaces/NS/pods/POD/eviction: of
 * the pod with this @uid, and not of a newer one with its name.
 */
must_check int kube_encode_eviction(const char *ns, const char *pod,
				    const char *uid, struct buf *out);

/*
 * kube_encode_untaint - The JSON patch (application/json-patch+json) that
 * removes the taints with @key from a Node, and fails if they changed
 * meanwhile.
 * @node: the Node as the API gave it, @len bytes.
 * Return: 1, appended to @out; 0: there is no such taint; -EINVAL: no Node; or
 * -ENOMEM.
 */
must_check int kube_encode_untaint(const char *node, size_t len,
				   const char *key, struct buf *out);
