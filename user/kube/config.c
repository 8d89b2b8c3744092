// SPDX-License-Identifier: Apache-2.0
#include "kube/config.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include "base/addr.h"
#include "base/file.h"
#include "base/text.h"
#include "kube/pem.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/* ---- putting it together ------------------------------------------------- */

/* An option that is not given keeps the value before. */
static int set_given(char **out, const char *text)
{
	return text ? text_set(out, text) : 0;
}

/* A file that an option names replaces what a kubeconfig says. */
static int set_pem(struct kube_pem *pem, const char *option, const char *file)
{
	if (!file)
		return 0;
	buf_free(&pem->data);
	return text_set(&pem->from, option) ?: text_set(&pem->file, file);
}

static int set_path(char **out, const char *dir, const char *name)
{
	_buf_ struct buf path = {};

	buf_printf(&path, "%s/%s", dir, name);
	*out = buf_take(&path);
	return *out ? 0 : -ENOMEM;
}

/* The pod that we run in: kubelet sets both variables and mounts the
 * directory. */
static int from_pod(const struct kube_options *opt, struct kube_config *out,
		    struct buf *error)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	const char *dir = opt->service_account ?: SERVICE_ACCOUNT;
	char at[NI_MAXHOST + NI_MAXSERV];
	_buf_ struct buf url = {};

	if (!host || !*host || !port || !*port) {
		buf_printf(
			error,
			"where is the API server? This is no pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig or --server");
		return -ENOENT;
	}
	buf_printf(&url, "https://%s",
		   host_port_format(host, port, at, sizeof(at)));
	out->server = buf_take(&url);
	if (!out->server)
		return -ENOMEM;
	return set_path(&out->token_file, dir, "token")
		       ?: set_path(&out->ca.file, dir, "ca.crt")
		       ?: text_set(&out->ca.from, "the service account");
}

static int gather(const struct kube_options *opt, struct kube_config *out,
		  struct buf *error)
{
	int err = 0;

	if (opt->kubeconfig)
		err = kubeconfig_read(opt->kubeconfig, out, error);
	else if (!opt->server)
		err = from_pod(opt, out, error);
	if (err)
		return err;
	if (opt->token_file)
		free(take_ptr(out->token));
	return set_given(&out->server, opt->server)
		       ?: set_given(&out->token_file, opt->token_file)
		       ?: set_pem(&out->ca, "--ca", opt->ca)
		       ?: set_pem(&out->cert, "--client-cert", opt->client_cert)
		       ?: set_pem(&out->key, "--client-key", opt->client_key);
}

/* ---- does it make sense -------------------------------------------------- */

static bool url_has(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = !curl_url_get(url, part, &text, 0);

	curl_free(text);
	return has;
}

static bool is_host(const char *name)
{
	CURLU *url = curl_url();
	bool ok = url && !curl_url_set(url, CURLUPART_HOST, name, 0);

	curl_url_cleanup(url);
	return ok;
}

static bool is_https(const struct kube_config *c)
{
	return !strncasecmp(c->server, "https:", 6);
}

static bool is_url(const char *server)
{
	CURLU *url = curl_url();
	bool ok = url && !curl_url_set(url, CURLUPART_URL, server, 0) &&
		  url_has(url, CURLUPART_HOST) &&
		  !url_has(url, CURLUPART_USER) &&
		  !url_has(url, CURLUPART_QUERY) &&
		  !url_has(url, CURLUPART_FRAGMENT);

	curl_url_cleanup(url);
	return ok && (!strncasecmp(server, "https://", 8) ||
		      !strncasecmp(server, "http://", 7));
}

static int check_server(struct kube_config *c, struct buf *error)
{
	size_t len;

	if (!c->server) {
		buf_printf(error,
			   "the kubeconfig names no server: give --server");
		return -ENOENT;
	}
	if (!is_url(c->server)) {
		buf_printf(
			error,
			"server \"%.200s\": expected https://HOST:PORT, or http://HOST:PORT of a proxy",
			c->server);
		return -EINVAL;
	}
	if (c->server_name && !is_host(c->server_name)) {
		buf_printf(error,
			   "tls-server-name \"%.200s\": expected a host name",
			   c->server_name);
		return -EINVAL;
	}
	len = strlen(c->server);
	while (len && c->server[len - 1] == '/')
		c->server[--len] = '\0';
	if (is_https(c) ||
	    (!c->token && !c->token_file && !c->cert.file && !c->cert.data.len))
		return 0;
	buf_printf(
		error,
		"server %s: a token or client certificate is not sent over plain HTTP; an authenticating proxy needs none",
		c->server);
	return -EINVAL;
}

/* kubectl shows this text in place of data, and people easily copy it. */
#define OMITTED " (kubectl config view leaves it out unless it is told --raw)"

static int check_pem(const struct kube_pem *pem, enum pem_kind kind,
		     struct buf *error)
{
	const struct buf *content = &pem->data;
	_buf_ struct buf text = {};
	const char *wrong;
	int err;

	if (!pem->data.len && !pem->file)
		return 0;
	if (!pem->data.len) {
		err = small_file_read(pem->file, &text, error);
		if (err)
			return err;
		content = &text;
	}
	wrong = pem_wrong(kind, content->data ?: "", content->len);
	if (!wrong)
		return 0;
	if (pem->data.len)
		buf_printf(error, "%s %s%s", pem->from, wrong, OMITTED);
	else
		buf_printf(error, "%s: %s %s", pem->from, pem->file, wrong);
	return -EINVAL;
}

static int check_token(const struct kube_config *c, struct buf *error)
{
	_buf_ struct buf content = {};

	return c->token_file ? small_file_read(c->token_file, &content, error)
			     : 0;
}

static int check_pair(const struct kube_config *c, struct buf *error)
{
	if (!(c->cert.file || c->cert.data.len) ==
	    !(c->key.file || c->key.data.len))
		return 0;
	buf_printf(
		error,
		"a client certificate needs its key and the key its certificate: one of them is missing");
	return -EINVAL;
}

/* Report bad files at the start, and not when a request fails. */
static int check_files(const struct kube_config *c, struct buf *error)
{
	return check_token(c, error) ?:
	       check_pair(c, error) ?:
	       check_pem(&c->ca, PEM_CERTIFICATE, error) ?:
	       check_pem(&c->cert, PEM_CERTIFICATE, error) ?:
	       check_pem(&c->key, PEM_KEY, error);
}

int kube_config_read(const struct kube_options *opt, struct kube_config *out,
		     struct buf *error)
{
	int err;

	*out = (struct kube_config){};
	err = gather(opt, out, error)
		      ?: check_server(out, error) ?: check_files(out, error);
	if (err == -ENOMEM && !error->len)
		buf_printf(error, "out of memory");
	return err;
}

static void pem_free(struct kube_pem *pem)
{
	free(pem->file);
	free(pem->from);
	buf_free(&pem->data);
}

void kube_config_free(struct kube_config *c)
{
	free(c->server);
	free(c->server_name);
	free(c->proxy);
	free(c->token_file);
	free(c->token);
	pem_free(&c->ca);
	pem_free(&c->cert);
	pem_free(&c->key);
	*c = (struct kube_config){};
}
