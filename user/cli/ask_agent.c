// SPDX-License-Identifier: Apache-2.0
#include "cli/ask_agent.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "agent/agent.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/output.h"

struct follow {
	struct buf text; /* the start of a line without its end yet */
	client_line_fn fn;
	void *arg;
	int err; /* of standard output: no more lines are wanted */
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
	while (!f->err && (end = strchr(start, '\n'))) {
		f->err = f->fn(start, end - start, f->arg);
		start = end + 1;
	}
	if (f->err)
		return 0;
	buf_drop(&f->text, start - f->text.data);
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

static int unreachable(const char *run, struct buf *why)
{
	if (access(run, X_OK) && errno == EACCES) {
		buf_printf(why, "%s/%s is for root only", run, AGENT_SOCKET);
		return -EACCES;
	}
	buf_printf(
		why,
		"no agent answers on %s/%s: it is not running, or has another --run",
		run, AGENT_SOCKET);
	return -ENOTCONN;
}

/* A question, and what came of it. */
struct question {
	const char *run, *method, *path; /* method: NULL: GET */
	curl_write_callback take;
	curl_xferinfo_callback watch; /* NULL: none; called each second, too */
	void *arg;		      /* of both */
	long timeout_ms;	      /* 0: none */
	const struct buf *body; /* which @take fills; NULL: it is a stream */
	struct buf why;		/* the sentence about what went wrong */
};

static int trouble(struct question *q, CURLcode code, long status)
{
	if (code == CURLE_COULDNT_CONNECT)
		return unreachable(q->run, &q->why);
	if (code != CURLE_OK && code != CURLE_HTTP_RETURNED_ERROR) {
		buf_printf(&q->why, "the agent's answer on %s/%s: %s", q->run,
			   AGENT_SOCKET, curl_easy_strerror(code));
		return -EIO;
	}
	if (status != 200) {
		const char *said =
			q->body && q->body->data ? q->body->data : "";

		buf_printf(&q->why, "the agent answers %ld to %s: %.*s", status,
			   q->path, (int)strcspn(said, "\n"), said);
		return -EPROTO;
	}
	return 0;
}

static void easy_cleanup(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static int ask(struct question *q)
{
	_cleanup_(easy_cleanup) CURL *curl = curl_easy_init();
	_buf_ struct buf url = {};
	char sock[PATH_MAX];
	CURLcode code;
	long status = 0;

	if (!curl || buf_printf(&url, "http://agent%s", q->path))
		return -ENOMEM;
	snprintf(sock, sizeof(sock), "%s/%s", q->run, AGENT_SOCKET);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, sock);
	curl_easy_setopt(curl, CURLOPT_URL, url.data);
	if (q->method)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q->method);
	/* A proxy in the environment is for other hosts. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, q->take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, q->arg);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, q->watch);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, q->arg);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, q->watch ? 0L : 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, q->timeout_ms);
	/* The text of an error must not be taken for an event. */
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, q->body ? 0L : 1L);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return trouble(q, code, status);
}

/* A line on stderr, or two. */
static void say_trouble(const struct question *q, int err)
{
	if (err && q->why.data)
		fprintf(stderr, "smcmesh: %s\n", q->why.data);
	if (err == -ENOTCONN)
		say_without(q->path);
}

static int ask_aloud(struct question *q)
{
	int err = ask(q);

	say_trouble(q, err);
	buf_free(&q->why);
	return err;
}

static int fetch(const char *run, const char *method, const char *path,
		 struct buf *out)
{
	struct question q = {.run = run,
			     .method = method,
			     .path = path,
			     .take = take_all,
			     .arg = out,
			     .timeout_ms = 30000,
			     .body = out};
	int err = ask_aloud(&q);

	if (err)
		buf_free(out);
	return err;
}

static int ask_silently(const char *run, const char *method, const char *path,
			long timeout_ms, struct buf *out, struct buf *why)
{
	struct question q = {.run = run,
			     .method = method,
			     .path = path,
			     .take = take_all,
			     .arg = out,
			     .timeout_ms = timeout_ms,
			     .body = out};
	int err = ask(&q);

	if (err) {
		buf_free(out);
		buf_free(why);
		*why = q.why;
	}
	return err;
}

int client_within(const char *run, const char *path, long timeout_ms,
		  struct buf *out, struct buf *why)
{
	return ask_silently(run, "POST", path, timeout_ms, out, why);
}

int client_ask(const char *run, const char *path, long timeout_ms,
	       struct buf *out, struct buf *why)
{
	return ask_silently(run, NULL, path, timeout_ms, out, why);
}

int client_try(const char *run, const char *path, struct buf *out)
{
	_buf_ struct buf why = {};

	return client_try_why(run, path, out, &why);
}

int client_try_why(const char *run, const char *path, struct buf *out,
		   struct buf *why)
{
	return ask_silently(run, NULL, path, 2000, out, why);
}

int client_get(const char *run, const char *path, struct buf *out)
{
	return fetch(run, NULL, path, out);
}

int client_post(const char *run, const char *path, struct buf *out)
{
	return fetch(run, "POST", path, out);
}

/* ---- a stream ------------------------------------------------------------ */

#define BACK_MS 250 /* between two tries to find an agent again */

/* Whoever read standard output has gone. Without this a follower that has
 * nothing to print would never learn of it, and the datapath would go on
 * telling it of every flow. */
static bool is_unread(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return poll(&out, 1, 0) > 0;
}

static int watch_output(void *arg, curl_off_t down_total, curl_off_t down,
			curl_off_t up_total, curl_off_t up)
{
	struct follow *f = arg;

	if (is_unread())
		f->err = -EPIPE;
	return f->err;
}

/* A line of which the end did not come is dropped. */
static int follow_once(struct question *q, struct follow *f)
{
	int err;

	buf_free(&q->why);
	f->text.len = 0;
	err = ask(q);
	return f->err ?: err;
}

/* Return: 0 or -EPIPE. */
static int wait_for_agent(const char *run)
{
	const struct timespec pause = {.tv_nsec = BACK_MS * 1000000};
	_buf_ struct buf text = {};

	while (client_try(run, "/v1/status", &text)) {
		if (is_unread())
			return -EPIPE;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* @err: of the stream. Return: 0, or an errno of standard output. */
static int find_again(const struct question *q, int err)
{
	__u64 begun = clock_now();

	fprintf(stderr, "smcmesh: the agent is lost (%s), waiting for it\n",
		err && q->why.data ? q->why.data : "it ended the stream");
	err = wait_for_agent(q->run);
	if (!err)
		fprintf(stderr,
			"smcmesh: the agent is back; what happened in the %llu s between is not shown\n",
			(unsigned long long)(clock_now() - begun) /
				CLOCK_SECOND);
	return err;
}

static bool is_lost(int err)
{
	return !err || err == -EIO || err == -ENOTCONN;
}

/* As a write would: most programs end of it without a word. */
static void end_unread(int err)
{
	if (err == -EPIPE)
		raise(SIGPIPE);
	fprintf(stderr, "smcmesh: standard output: %s\n", strerror(-err));
}

int client_follow(const char *run, const char *path, client_line_fn fn,
		  void *arg)
{
	struct follow f = {.fn = fn, .arg = arg};
	struct question q = {.run = run,
			     .path = path,
			     .take = take_lines,
			     .watch = watch_output,
			     .arg = &f};
	int err = follow_once(&q, &f);

	bool found = err != -ENOTCONN;

	while (found && !f.err && is_lost(err)) {
		f.err = find_again(&q, err);
		err = f.err ?: follow_once(&q, &f);
	}
	if (f.err)
		end_unread(f.err);
	else
		say_trouble(&q, err);
	buf_free(&q.why);
	buf_free(&f.text);
	return err;
}

void client_add_query(struct buf *path, const char *name, const char *value)
{
	char *text = value ? curl_easy_escape(NULL, value, 0) : NULL;

	if (text)
		buf_printf(path, "%c%s=%s",
			   strchr(path->data ?: "", '?') ? '&' : '?', name,
			   text);
	else if (value)
		path->err = -ENOMEM;
	curl_free(text);
}

int client_print(const struct buf *text, bool json,
		 void (*print)(yyjson_val *root))
{
	yyjson_doc *doc;

	if (json)
		return data_print(text->data, text->len) ? EXIT_FAILED
							 : EXIT_OK;
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

unsigned long long json_count(yyjson_val *obj, const char *key)
{
	return yyjson_get_uint(yyjson_obj_get(obj, key));
}

void json_copy(yyjson_val *obj, const char *key, char *to, size_t room)
{
	snprintf(to, room, "%s", json_text(obj, key));
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
	size_t len;
	_free_ char *text = yyjson_mut_write(
		doc, YYJSON_WRITE_NEWLINE_AT_END | flags, &len);

	yyjson_mut_doc_free(doc);
	return text ? data_print(text, len) : -ENOMEM;
}
