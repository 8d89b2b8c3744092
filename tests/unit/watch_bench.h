/* SPDX-License-Identifier: Apache-2.0 */
/* A watch, an API server that says what the test wants, and what the watch told
 * its owner. */
#pragma once

#include "fake_api.h"

#include "kube/watch.h"

static struct bench {
	uv_loop_t loop;
	struct fake api;
	struct kube_client *client;
	struct kube_watch *watch;
	/* "+ns/name=uid", "-...", "=" for synced, in order */
	struct buf log;
	unsigned int synced, troubles;
	bool close_in_put, close_in_synced, eager;
} b;

static inline int up(void **state)
{
	memset(&b, 0, sizeof(b));
	/* What a watch waits for takes a tenth of its time. */
	setenv("SMCMESH_HURRY", "10", 1);
	uv_loop_init(&b.loop);
	fake_open(&b.api, &b.loop);
	return 0;
}

static inline int down(void **state)
{
	kube_watch_close(b.watch);
	kube_client_close(b.client);
	fake_close(&b.api);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b.loop), 0);
	buf_free(&b.log);
	unsetenv("SMCMESH_HURRY");
	return 0;
}

static inline void note(const char *sign, const struct kube_object *obj)
{
	buf_printf(&b.log, "%s%s/%s=%s ", sign, obj->ns, obj->name, obj->uid);
}

static inline void close_watch(void)
{
	kube_watch_close(b.watch);
	b.watch = NULL;
}

static inline void on_put(struct kube_object *obj, yyjson_val *val, void *arg)
{
	assert_ptr_equal(arg, &b);
	assert_true(yyjson_is_obj(val));
	note(obj->data ? "~" : "+", obj);
	obj->data = &b;
	if (b.close_in_put)
		close_watch();
}

static inline void on_delete(struct kube_object *obj, void *arg)
{
	assert_ptr_equal(obj->data, &b);
	note("-", obj);
}

static inline void on_synced(void *arg)
{
	buf_printf(&b.log, "= ");
	b.synced++;
	if (b.close_in_synced)
		close_watch();
}

static inline void on_trouble(void *arg)
{
	b.troubles++;
}

/* What was told since the last look. */
static inline void told(const char *what)
{
	assert_string_equal(b.log.data ?: "", what);
	buf_drop(&b.log, b.log.len);
}

static inline void open_client(void)
{
	const struct kube_options opt = {.server = b.api.url};

	assert_int_equal(kube_client_open(&b.loop, &opt, &b.client), 0);
}

static inline struct kube_watch *open_one(const char *path, const char *field,
					  bool optional, bool metadata_only)
{
	struct kube_watch *out = NULL;
	const struct kube_watch_options watch = {
		.path = path,
		.what = "things",
		.field_selector = field,
		.optional = optional,
		.eager = b.eager,
		.metadata_only = metadata_only,
		.on_put = on_put,
		.on_delete = on_delete,
		.on_synced = on_synced,
		.on_trouble = on_trouble,
		.arg = &b,
	};

	assert_int_equal(kube_watch_open(b.client, &watch, &out), 0);
	return out;
}

static inline void open_at(const char *path, const char *field, bool optional,
			   bool metadata_only)
{
	open_client();
	b.watch = open_one(path, field, optional, metadata_only);
}

static inline void open_watch(void)
{
	open_at("/api/v1/things", NULL, false, false);
}

#define STREAM "sendInitialEvents=true"
#define PLAIN "?resourceVersion="
#define WATCH "&resourceVersion="

/* An object; only good until the next three calls. */
static inline const char *thing(const char *name, const char *uid, int version)
{
	static char text[4][256];
	static unsigned int next;
	char *t = text[next++ % 4];

	snprintf(t, 256,
		 "{\"metadata\":{\"namespace\":\"d\",\"name\":\"%s\","
		 "\"uid\":\"%s\",\"resourceVersion\":\"%d\"}}",
		 name, uid, version);
	return t;
}

static inline const char *bookmark(int version, bool end)
{
	static char text[256];

	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"resourceVersion\":\"%d\"%s}}", version,
		 end ? ",\"annotations\":{\"k8s.io/initial-events-end\":"
		       "\"true\"}"
		     : "");
	return text;
}

static inline void reply_list(struct fake_conn *c, int version,
			      const char *items)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"kind\":\"ThingList\",\"metadata\":"
		 "{\"resourceVersion\":\"%d\"},\"items\":[%s]}",
		 version, items);
	fake_reply(c, 200, text);
}

/* As fake_wait(), but no back-off is waited for. */
static inline struct fake_conn *wait_now(const char *what)
{
	while (!fake_find(&b.api, what)) {
		kube_watch_again(b.watch);
		uv_run(&b.loop, UV_RUN_ONCE);
	}
	return fake_find(&b.api, what);
}

/* A streaming list of a and b, at version 10. Return: it goes on as a watch. */
static inline struct fake_conn *stream_two(void)
{
	struct fake_conn *c = wait_now(STREAM);
	unsigned int synced = b.synced;

	fake_begin(c);
	fake_event(c, "ADDED", thing("a", "1", 5));
	fake_event(c, "ADDED", thing("b", "2", 6));
	fake_event(c, "BOOKMARK", bookmark(10, true));
	wait_for(&b.api, b.synced == synced + 1);
	return c;
}

/* Nothing is done for so long, but what the loop has to do. */
static inline void pass(unsigned int ms)
{
	uint64_t until = uv_now(&b.loop) + ms;

	wait_for(&b.api, uv_now(&b.loop) >= until);
}

/* The last list is refused, @then is what comes after it. */
static inline struct fake_conn *refuse_stream(int status, const char *then)
{
	fake_reply(wait_now(STREAM), status,
		   "{\"message\":\"sendInitialEvents is forbidden\"}");
	return fake_wait(&b.api, then);
}
