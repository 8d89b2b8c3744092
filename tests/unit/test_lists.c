// SPDX-License-Identifier: Apache-2.0
/*
 * Long lists on the control socket, and what the command line makes of them.
 * No kernel is needed: the flows are late ones of a pod, which BPF has no
 * records of.
 */
#include "http_talk.h"
#include "tmpdir.h"
#include "typed.h"

#include <math.h>
#include <pthread.h>
#include "agent/agent.h"
#include "agent/routes.h"
#include "serve/api.h"

#define MANY 65536

/* ASan's; not every compiler comes with its header. */
size_t __sanitizer_get_current_allocated_bytes(void);

/* datapath/state.h's, which has names of its own for what known.h has. */
int datapath_new(const struct datapath_options *opt, struct datapath **out);

static struct bench {
	struct tmpdir tmp;
	const char *sock;
	struct agent agent;
	struct pod pod, *pods[1];
	struct http *http;
	size_t memory, most; /* before the answer, and the most of a turn */
} b;

static int up(void **state)
{
	int fd;

	memset(&b, 0, sizeof(b));
	tmpdir_make(&b.tmp);
	b.sock = tmpdir_at(&b.tmp, AGENT_SOCKET);
	/* as where no connection can become SMC: there are no maps */
	assert_int_equal(
		datapath_new(&(struct datapath_options){.bpffs = b.tmp.dir},
			     &b.agent.dp),
		0);
	b.pod = (struct pod){.id = 7, .ns = "shop", .name = "web-0"};
	b.pods[0] = &b.pod;
	b.agent.pods.v = b.pods;
	b.agent.pods.n = 1;
	b.agent.stream.feed = http_feed_new();
	uv_loop_init(&b.agent.loop);
	fd = http_listen_unix(b.sock);
	assert_true(fd >= 0);
	assert_int_equal(http_start(&b.agent.loop, fd, control_routes, &b.agent,
				    &b.http),
			 0);
	return 0;
}

static int down(void **state)
{
	http_stop(b.http);
	uv_run(&b.agent.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b.agent.loop), 0);
	http_feed_free(b.agent.stream.feed);
	free(b.pod.late_flows);
	datapath_close(b.agent.dp);
	tmpdir_remove(&b.tmp);
	return 0;
}

/* Flow i has the local port i, for as long as there are ports. */
static void give_flows(size_t n)
{
	b.pod.late_flows = calloc(n, sizeof(*b.pod.late_flows));
	b.pod.n_late_flows = n;
	for (size_t i = 0; i < n; i++)
		b.pod.late_flows[i] = (struct pod_late_flow){
			.key = {.isn = i, .netns = 1, .kind = SMC_KIND_SOCKET},
			.flow = {.local = addr("10.1.0.2"),
				 .remote = addr("fd00::abcd:1234"),
				 .local_port = i,
				 .remote_port = 443,
				 .cookie = i + 1}};
}

static void measure(void)
{
	size_t now = __sanitizer_get_current_allocated_bytes() - b.memory;

	if (now > b.most)
		b.most = now;
}

/* The answer; b.most: how much the agent needed for it. */
static yyjson_doc *ask(const char *request)
{
	int fd = http_talk(b.sock, request);
	yyjson_doc *doc;
	size_t len;
	bool whole;
	char *text;

	b.most = 0;
	/* http_read()'s own buffer */
	b.memory = __sanitizer_get_current_allocated_bytes() + (64 << 20);
	text = http_read(&b.agent.loop, fd, measure, &len, &whole);
	assert_true(whole);
	doc = yyjson_read(text, len, 0);
	assert_non_null(doc);
	free(text);
	close(fd);
	return doc;
}

static void assert_shown(yyjson_doc *doc, size_t total, size_t shown)
{
	yyjson_val *root = yyjson_doc_get_root(doc), *flow;
	size_t i, n;

	assert_int_equal(yyjson_get_uint(yyjson_obj_get(root, "total")), total);
	assert_int_equal(yyjson_get_uint(yyjson_obj_get(root, "shown")), shown);
	assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "flows")), shown);
	yyjson_arr_foreach (yyjson_obj_get(root, "flows"), i, n, flow) {
		assert_int_equal(
			yyjson_get_uint(yyjson_obj_get(flow, "local_port")),
			i % 65536);
		assert_true(yyjson_get_bool(yyjson_obj_get(flow, "late")));
		assert_true(yyjson_equals_str(yyjson_obj_get(flow, "pod"),
					      "web-0"));
	}
	yyjson_doc_free(doc);
}

/* ---- flows --------------------------------------------------------------- */

static void test_all_flows_are_answered_in_little_memory(void **state)
{
	/* a copy of each row, which grows by doubling, and of its key */
	const size_t rows = MANY * (sizeof(struct mesh_record) +
				    sizeof(struct smc_handshake));

	give_flows(MANY);
	assert_shown(ask(GET("/v1/flows?limit=all")), MANY, MANY);
	/* of the text, some 30 MB, only a piece or two */
	assert_in_range(b.most, MANY * sizeof(struct mesh_record),
			rows + (256 << 10));
	assert_int_equal(b.pod.n_late_flows, MANY);
}

static void test_newest_thousand_flows_are_shown_unless_asked(void **state)
{
	/* the late ones' keys are looked up, whatever is shown */
	const size_t keys = MANY * sizeof(struct smc_handshake);

	give_flows(MANY);
	assert_shown(ask(GET("/v1/flows")), MANY, 1000);
	assert_in_range(b.most, 1, keys + (512 << 10));
	assert_shown(ask(GET("/v1/flows?limit=10")), MANY, 10);
	assert_shown(ask(GET("/v1/flows?limit=0")), MANY, 0);
	assert_shown(ask(GET("/v1/flows?limit=999999999")), MANY, MANY);
}

static void test_fewer_flows_than_the_limit_are_all_shown(void **state)
{
	assert_shown(ask(GET("/v1/flows")), 0, 0);
	give_flows(1000);
	assert_shown(ask(GET("/v1/flows")), 1000, 1000);
	assert_shown(ask(GET("/v1/flows?limit=1001")), 1000, 1000);
}

static char *ask_plain(const char *request)
{
	static char text[4096];
	int fd = http_talk(b.sock, request);
	ssize_t n = -1;

	for (int turn = 0; turn < 10000 && n <= 0; turn++) {
		uv_run(&b.agent.loop, UV_RUN_NOWAIT);
		n = read(fd, text, sizeof(text) - 1);
	}
	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void test_wrong_limits_are_refused(void **state)
{
	static const char *const wrong[] = {"",	  "ten",	"-1", "+1",
					    "1x", "1234567890", "ALL"};

	for (size_t i = 0; i < array_size(wrong); i++) {
		char request[128], says[128];
		const char *text;

		snprintf(request, sizeof(request), GET("/v1/flows?limit=%s"),
			 wrong[i]);
		snprintf(
			says, sizeof(says),
			"limit=%s: expected a number of at most nine digits, or all\n",
			i == 3 ? " 1" : wrong[i]); /* + is a space there */
		text = ask_plain(request);
		assert_says(text, "400 Bad Request");
		assert_says(text, says);
	}
	assert_says(ask_plain(GET("/v1/flows?limit=1")), "200 OK");
}

/* ---- endpoints ----------------------------------------------------------- */

static void test_endpoints_without_any_are_empty_lists(void **state)
{
	yyjson_doc *doc = ask(GET("/v1/endpoints"));
	yyjson_val *root = yyjson_doc_get_root(doc);

	assert_int_equal(yyjson_obj_size(root), 3);
	assert_true(yyjson_is_arr(yyjson_obj_get(root, "endpoints")));
	assert_true(yyjson_is_arr(yyjson_obj_get(root, "services")));
	assert_true(yyjson_is_arr(yyjson_obj_get(root, "paths")));
	yyjson_doc_free(doc);
}

/* ---- the command line ---------------------------------------------------- */

static uv_async_t done;

static void stop(uv_async_t *async)
{
	uv_stop(async->loop);
}

static void *serve(void *arg)
{
	uv_run(&b.agent.loop, UV_RUN_DEFAULT);
	return NULL;
}

/* What `smcmesh flows WORDS` says while the agent's loop runs. */
static struct said flows(const char *word, const char *value)
{
	char *argv[] = {"smcmesh",    "flows",	     "--run", b.tmp.dir,
			(char *)word, (char *)value, NULL};
	pthread_t thread;
	struct said s;

	uv_async_init(&b.agent.loop, &done, stop);
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	s = type(argv);
	uv_async_send(&done);
	pthread_join(thread, NULL);
	uv_close((uv_handle_t *)&done, NULL);
	uv_run(&b.agent.loop, UV_RUN_NOWAIT);
	assert_int_equal(s.status, 0);
	assert_string_equal(s.err, "");
	return s;
}

static void test_cli_says_what_was_cut(void **state)
{
	struct said s;

	give_flows(5);
	s = flows("--limit", "2");
	assert_says(s.out, "shop/web-0");
	assert_says(s.out, "10.1.0.2:1 ");
	assert_null(strstr(s.out, "10.1.0.2:2 "));
	assert_says(s.out, "\n\nOf 5 flows the newest 2 are shown; smcmesh "
			   "flows --all shows all.\n");
	s = flows("--limit", "0");
	assert_string_equal(s.out, "\nOf 5 flows the newest 0 are shown; "
				   "smcmesh flows --all shows all.\n");
	s = flows("--limit", "5");
	assert_says(s.out, "10.1.0.2:4 ");
	assert_null(strstr(s.out, "are shown"));
	s = flows("--all", NULL);
	assert_says(s.out, "10.1.0.2:4 ");
	assert_null(strstr(s.out, "are shown"));
	s = flows(NULL, NULL);
	assert_says(s.out, "10.1.0.2:4 ");
	assert_null(strstr(s.out, "are shown"));
}

static void test_cli_json_is_the_answer_of_the_agent(void **state)
{
	struct said s;

	give_flows(5);
	s = flows("-ojson", "-n2");
	assert_shown(yyjson_read(s.out, strlen(s.out), 0), 5, 2);
	s = flows("-ojson", "-a");
	assert_shown(yyjson_read(s.out, strlen(s.out), 0), 5, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_flows_are_answered_in_little_memory),
		TEST(test_newest_thousand_flows_are_shown_unless_asked),
		TEST(test_fewer_flows_than_the_limit_are_all_shown),
		TEST(test_wrong_limits_are_refused),
		TEST(test_endpoints_without_any_are_empty_lists),
		TEST(test_cli_says_what_was_cut),
		TEST(test_cli_json_is_the_answer_of_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
