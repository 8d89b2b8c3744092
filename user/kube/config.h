/* SPDX-License-Identifier: Apache-2.0 */
/* The API server's address and our credentials, from options, kubeconfig and
 * the pod that we run in. Only user/kube includes this. */
#pragma once

#include "kube/client.h"

/* A file's path or the content itself; neither: not given. */
struct kube_pem {
	char *file;
	struct buf data;
	char *from; /* the option or field that has it */
};

/* Owns all of it. NULL: not given. */
struct kube_config {
	char *server;	   /* "https://HOST:PORT/PREFIX", no slash at the end */
	char *server_name; /* in its certificate, if not HOST */
	char *proxy;
	char *token_file, *token; /* the file wins */
	struct kube_pem ca, cert, key;
};

/*
 * kube_config_read - Collect the configuration and check that it makes sense.
 * @out: initialised by the callee; free with kube_config_free(), also after a
 *       failure.
 * @error: gets a sentence on failure.
 * Return: 0; -EINVAL: unsupported or senseless; -ENOENT: no source names a
 * server; another negative errno: a file cannot be read.
 */
must_check int kube_config_read(const struct kube_options *opt,
				struct kube_config *out, struct buf *error);
void kube_config_free(struct kube_config *c);

/* kubeconfig_read - Read the current context of the kubeconfig at @path into
 * *@out. Return: as above, but it need not name a server. */
must_check int kubeconfig_read(const char *path, struct kube_config *out,
			       struct buf *error);
