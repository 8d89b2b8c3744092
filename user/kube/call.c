// SPDX-License-Identifier: Apache-2.0
/* curl's options for a call: headers, TLS, time-outs. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "kube/client_impl.h"

#define CONNECT_MS 10000L
/* A peer that has vanished without a packet is noticed after about this. */
#define DEAD_MS 30000
#define KEEP_IDLE_S 20L
#define KEEP_BETWEEN_S 5L

static int add_header(struct kube_call *call, const char *name,
		      const char *value)
{
	_buf_ struct buf line = {};
	struct curl_slist *more;

	if (buf_printf(&line, "%s: %s", name, value))
		return -ENOMEM;
	more = curl_slist_append(call->headers, line.data);
	if (!more)
		return -ENOMEM;
	call->headers = more;
	return 0;
}

static int fail(struct kube_call *call, int err, const struct buf *error)
{
	snprintf(call->error, sizeof(call->error), "%s",
		 error->data ?: "out of memory");
	return err;
}

static int add_token(struct kube_call *call)
{
	const struct kube_config *config = &call->client->config;
	_buf_ struct buf token = {}, error = {}, value = {};
	int err = 0;

	if (config->token_file)
		err = small_file_read(config->token_file, &token, &error);
	else if (config->token)
		err = buf_printf(&token, "%s", config->token);
	if (err)
		return fail(call, err, &error);
	if (!token.len)
		return 0;
	token.data[strcspn(token.data, "\r\n")] = '\0';
	err = buf_printf(&value, "Bearer %s", token.data)
		      ?: add_header(call, "Authorization", value.data);
	return err;
}

static int add_headers(struct kube_call *call, const struct kube_request *req)
{
	const char *host = call->client->host;
	int err = add_header(call, "Accept", req->accept ?: "application/json");

	if (!err && req->body)
		err = add_header(call, "Content-Type",
				 req->content_type ?: "application/json");
	/* Without this curl asks the server before it sends a larger body. */
	if (!err && req->body)
		err = add_header(call, "Expect", "");
	if (!err && host)
		err = add_header(call, "Host", host);
	return err;
}

/* A client's certificate or its key. Always pass the content: if it changed
 * curl makes a new connection, for the same file name it would not. */
static int add_pem(struct kube_call *call, const struct kube_pem *pem,
		   CURLoption option)
{
	struct curl_blob blob = {.data = pem->data.data,
				 .len = pem->data.len,
				 .flags = CURL_BLOB_COPY};
	_buf_ struct buf text = {}, error = {};
	int err;

	if (!blob.len && pem->file) {
		err = small_file_read(pem->file, &text, &error);
		if (err)
			return fail(call, err, &error);
		blob.data = text.data;
		blob.len = text.len;
	}
	if (blob.len && curl_easy_setopt(call->easy, option, &blob))
		return -ENOMEM;
	return 0;
}

/* curl's own sockets lack SOCK_CLOEXEC, and time out only when the kernel gives
 * up, after a quarter of an hour. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
				 struct curl_sockaddr *addr)
{
	unsigned int ms = DEAD_MS;
	int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC,
			addr->protocol);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return fd;
}

#define set(option, value)                                                 \
	do {                                                               \
		if (curl_easy_setopt(easy, (option), (value)) != CURLE_OK) \
			return -ENOMEM;                                    \
	} while (0)

static int set_tls(const struct kube_client *c, CURL *easy)
{
	const struct kube_pem *ca = &c->config.ca;
	struct curl_blob blob = {.data = ca->data.data,
				 .len = ca->data.len,
				 .flags = CURL_BLOB_NOCOPY};

	set(CURLOPT_SSL_VERIFYPEER, 1L);
	set(CURLOPT_SSL_VERIFYHOST, 2L);
	set(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* Else curl keeps a CA file for a day. */
	set(CURLOPT_CA_CACHE_TIMEOUT, 0L);
	if (blob.len)
		set(CURLOPT_CAINFO_BLOB, &blob);
	else if (ca->file)
		set(CURLOPT_CAINFO, ca->file);
	/* Else curl also trusts the directory that it was built with. */
	if (blob.len || ca->file)
		set(CURLOPT_CAPATH, NULL);
	return 0;
}

static int set_transport(const struct kube_client *c, CURL *easy)
{
	set(CURLOPT_PROTOCOLS_STR, "http,https");
	set(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* One connection: wait for it rather than open another. Not without
	 * TLS: curl then waits for the first answer, which may be a watch's. */
	set(CURLOPT_PIPEWAIT, strncasecmp(c->base, "https:", 6) ? 0L : 1L);
	set(CURLOPT_FRESH_CONNECT, (long)c->fresh);
	set(CURLOPT_NOSIGNAL, 1L);
	set(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	set(CURLOPT_TCP_KEEPALIVE, 1L);
	set(CURLOPT_TCP_KEEPIDLE, KEEP_IDLE_S);
	set(CURLOPT_TCP_KEEPINTVL, KEEP_BETWEEN_S);
	set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	/* Proxies in the environment are not meant for an agent. */
	set(CURLOPT_PROXY, c->config.proxy ?: "");
	if (c->connect_to)
		set(CURLOPT_CONNECT_TO, c->connect_to);
	return set_tls(c, easy);
}

static int set_request(struct kube_call *call, const struct kube_request *req)
{
	CURL *easy = call->easy;
	_buf_ struct buf url = {};

	if (buf_printf(&url, "%s%s", call->client->base, req->path))
		return -ENOMEM;
	set(CURLOPT_URL, url.data);
	set(CURLOPT_PATH_AS_IS, 1L);
	set(CURLOPT_USERAGENT, "smcmesh/" SMCMESH_VERSION);
	set(CURLOPT_TIMEOUT_MS, (long)(req->timeout_ms ?: KUBE_TIMEOUT_MS));
	set(CURLOPT_ERRORBUFFER, call->error);
	set(CURLOPT_PRIVATE, call);
	if (req->body) {
		size_t len = req->len ?: strlen(req->body);

		set(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
		set(CURLOPT_COPYPOSTFIELDS, req->body);
	}
	set(CURLOPT_CUSTOMREQUEST, req->method);
	set(CURLOPT_HTTPHEADER, call->headers);
	return set_transport(call->client, easy);
}

#undef set

int call_prepare(struct kube_call *call, const struct kube_request *req)
{
	const struct kube_config *config = &call->client->config;
	int err;

	call->easy = curl_easy_init();
	if (!call->easy)
		return -ENOMEM;
	err = add_headers(call, req) ?: add_token(call);
	if (!err)
		err = add_pem(call, &config->cert, CURLOPT_SSLCERT_BLOB)
			      ?: add_pem(call, &config->key,
					 CURLOPT_SSLKEY_BLOB);
	return err ?: set_request(call, req);
}

/*
 * curl takes the name to verify from the URL. So if the certificate has another
 * name the URL gets that, and a separate option says where to connect.
 */
int client_server_name(struct kube_client *c)
{
	_buf_ struct buf to = {}, authority = {};
	char *host = NULL, *port = NULL, *base = NULL;
	CURLU *url = curl_url();
	int err = -ENOMEM;

	if (url && !curl_url_set(url, CURLUPART_URL, c->config.server, 0) &&
	    !curl_url_get(url, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
	    !curl_url_set(url, CURLUPART_HOST, c->config.server_name, 0) &&
	    !curl_url_get(url, CURLUPART_URL, &base, 0) &&
	    !buf_printf(&to, "::%s:%s", host, port) &&
	    !buf_printf(&authority, "%s:%s", host, port)) {
		c->connect_to = curl_slist_append(NULL, to.data);
		c->host = buf_take(&authority);
		c->base = strdup(base);
		err = c->connect_to && c->host && c->base ? 0 : -ENOMEM;
	}
	/* curl writes "/" for an empty path, and our paths begin with one. */
	if (!err && *c->base && c->base[strlen(c->base) - 1] == '/')
		c->base[strlen(c->base) - 1] = '\0';
	curl_free(host);
	curl_free(port);
	curl_free(base);
	curl_url_cleanup(url);
	return err;
}
