// SPDX-License-Identifier: Apache-2.0
#include "cli/ask_agent.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "agent/agent.h"
#include "cli/command.h"

struct follow {
	struct buf text; /* the start of a line without its end yet */
	client_line_fn fn;
	void *arg;
};

static size_t take_all(char *data, size_t size, size_t n, void *arg)
{
	return buf_add(arg, data, size * n) ? 0 : size * n;
}

static size_t take_lines(char *data, size_t size, size_t n, void *arg)
{
	struct follow *f = arg;
	char *start, *end;

	if (buf_add(&f->text, data, size * n))
		return 0;
	start = f->text.data;
	while ((end = strchr(start, '\n'))) {
		f->fn(start, end - start, f->arg);
		start = end + 1;
	}
	f->text.len -= start - f->text.data;
	memmove(f->text.data, start, f->text.len + 1);
	return size * n;
}

/* Say what else to look at while no agent answers. */
static void say_without(const char *path)
{
	static const struct {
		const char *path, *map;
	} maps[] = {
		{"/v1/pods", "smc_netns"},
		{"/v1/endpoints", "smc_endpoint"},
		{"/v1/flows", "smc_flow"},
		{"/v1/quarantine", "smc_quarantine"},
		{"/v1/explain", "smc_netns"},
	};

	for (size_t i = 0; i < array_size(maps); i++)
		if (!strncmp(path, maps[i].path, strlen(maps[i].path)))
			fprintf(stderr,
				"The datapath works on without it; what the kernel holds: bpftool map dump name %s\n",
				maps[i].map);
}

static int say_unreachable(const char *run, const char *path)
{
	char sock[PATH_MAX];

	snprintf(sock, sizeof(sock), "%s/%s", run, AGENT_SOCKET);
	if (access(run, X_OK) && errno == EACCES) {
		fprintf(stderr, "smcmesh: %s is for root only\n", sock);
		return -EACCES;
	}
	fprintf(stderr,
		"smcmesh: no agent answers on %s: it is not running, or has another --run\n",
		sock);
	say_without(path);
	return -ENOTCONN;
}

static int say_trouble(CURLcode code, const char *run, const char *path,
		       long status, const char *body)
{
	if (code == CURLE_COULDNT_CONNECT)
		return say_unreachable(run, path);
	if (code != CURLE_OK) {
		fprintf(stderr, "smcmesh: the agent's answer on %s/%s: %s\n",
			run, AGENT_SOCKET, curl_easy_strerror(code));
		return -EIO;
	}
	if (status != 200) {
		fprintf(stderr, "smcmesh: the agent answers %ld to %s: %s\n",
			status, path, body ?: "");
		return -EIO;
	}
	return 0;
}

static void easy_cleanup(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

/* @method: NULL: GET. @timeout_ms: 0: none. @full: the answer is taken whole,
 * also that of an error. */
static CURLcode talk(const char *run, const char *method, const char *path,
		     curl_write_callback take, void *arg, long timeout_ms,
		     bool full, long *status)
{
	_cleanup_(easy_cleanup) CURL *curl = curl_easy_init();
	char sock[PATH_MAX], url[1024];
	CURLcode code;

	*status = 0;
	if (!curl)
		return CURLE_OUT_OF_MEMORY;
	snprintf(sock, sizeof(sock), "%s/%s", run, AGENT_SOCKET);
	snprintf(url, sizeof(url), "http://agent%s", path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, sock);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (method)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	/* A proxy in the environment is for other hosts. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, arg);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
	/* The text of an error must not be taken for an event. */
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, full ? 0L : 1L);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	return code;
}

static int ask(const char *run, const char *method, const char *path,
	       curl_write_callback take, void *arg, long timeout_ms,
	       const struct buf *body)
{
	long status;
	CURLcode code =
		talk(run, method, path, take, arg, timeout_ms, body, &status);

	return say_trouble(code, run, path, status, body ? body->data : NULL);
}

static int fetch(const char *run, const char *method, const char *path,
		 struct buf *out)
{
	int err = ask(run, method, path, take_all, out, 30000, out);

	if (err)
		buf_free(out);
	return err;
}

int client_get(const char *run, const char *path, struct buf *out)
{
	return fetch(run, NULL, path, out);
}

int client_try(const char *run, const char *path, struct buf *out)
{
	long status;
	CURLcode code =
		talk(run, NULL, path, take_all, out, 2000, true, &status);

	if (code == CURLE_OK && status == 200)
		return 0;
	buf_free(out);
	if (code == CURLE_OK)
		return -EIO;
	return access(run, X_OK) && errno == EACCES ? -EACCES : -ENOTCONN;
}

int client_post(const char *run, const char *path, struct buf *out)
{
	return fetch(run, "POST", path, out);
}

int client_follow(const char *run, const char *path, client_line_fn fn,
		  void *arg)
{
	struct follow f = {.fn = fn, .arg = arg};
	int err = ask(run, NULL, path, take_lines, &f, 0, NULL);

	buf_free(&f.text);
	return err;
}

int client_print(const struct buf *text, bool json,
		 void (*print)(yyjson_val *root))
{
	yyjson_doc *doc;

	if (json) {
		fwrite(text->data, 1, text->len, stdout);
		return EXIT_OK;
	}
	doc = yyjson_read(text->data, text->len, 0);
	if (!doc) {
		fprintf(stderr, "smcmesh: the agent's answer is no JSON\n");
		return EXIT_FAILED;
	}
	print(yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	return EXIT_OK;
}

static int show(const char *run, const char *method, const char *path,
		bool json, void (*print)(yyjson_val *root))
{
	_buf_ struct buf text = {};

	if (fetch(run, method, path, &text))
		return EXIT_FAILED;
	return client_print(&text, json, print);
}

int client_show(const char *run, const char *path, bool json,
		void (*print)(yyjson_val *root))
{
	return show(run, NULL, path, json, print);
}

int client_do(const char *run, const char *path, bool json,
	      void (*print)(yyjson_val *root))
{
	return show(run, "POST", path, json, print);
}

const char *json_text(yyjson_val *obj, const char *key)
{
	return yyjson_get_str(yyjson_obj_get(obj, key)) ?: "";
}

const char *json_join(yyjson_val *obj, const char *key, struct buf *out)
{
	yyjson_val *arr = yyjson_obj_get(obj, key), *v;
	size_t i, max;

	yyjson_arr_foreach (arr, i, max, v) {
		buf_printf(out, "%s%s", i ? "," : "", yyjson_get_str(v) ?: "?");
	}
	return out->data ?: "";
}

int json_print(yyjson_mut_doc *doc, yyjson_write_flag flags)
{
	_free_ char *text = yyjson_mut_write(
		doc, YYJSON_WRITE_NEWLINE_AT_END | flags, NULL);

	fputs(text ?: "", stdout);
	yyjson_mut_doc_free(doc);
	return text ? 0 : -ENOMEM;
}
