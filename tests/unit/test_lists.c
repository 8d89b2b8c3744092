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

static void test_unknown_parameters_and_bad_values_are_refused(void **state)
{
	static const char *const wrong[][2] = {
		{"nmespace=shop", "nmespace: no such parameter; there is "
				  "namespace pod to port outcome reason since "
				  "last limit follow\n"},
		{"last=1&outcome=smc", "outcome=smc: expected of pending, tcp"},
		{"to=10.0.0.1/8", "to=10.0.0.1/8: expected CIDR[:PORT]"},
		{"port=http", "port=http: expected a port or a range"},
		{"reason=why", "reason=why: expected reasons of flows"},
		{"since=10", "since=10: expected a number with s, m or h"},
		{"pod=a/b/c", "pod=a/b/c: expected POD or NAMESPACE/POD"},
		{"namespace=a&pod=b/c", "pod=b/c: expected POD"},
		{"follow=yes", "follow=yes: expected 0 or 1"},
		{"follow=1&last=3", "follow: a stream begins now"},
		{"follow=1&since=1m", "follow: a stream begins now"},
	};

	for (size_t i = 0; i < array_size(wrong); i++) {
		char request[128];
		const char *text;

		snprintf(request, sizeof(request), GET("/v1/flows?%s"),
			 wrong[i][0]);
		text = ask_plain(request);
		assert_says(text, "400 Bad Request");
		assert_says(text, wrong[i][1]);
	}
	assert_int_equal(http_feed_readers(b.agent.stream.feed), 0);
}

static size_t matched(const char *query)
{
	char request[256];
	yyjson_val *root;
	yyjson_doc *doc;
	size_t n;

	snprintf(request, sizeof(request), GET("/v1/flows?last=2%s"), query);
	doc = ask(request);
	root = yyjson_doc_get_root(doc);
	n = yyjson_get_uint(yyjson_obj_get(root, "matched"));
	assert_int_equal(yyjson_get_uint(yyjson_obj_get(root, "total")), 10);
	assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "flows")),
			 n < 2 ? n : 2);
	yyjson_doc_free(doc);
	return n;
}

/* Flows of which BPF saw nothing: TCP, between 10.1.0.2 and a port 443. */
static void test_filters_choose_before_the_newest_are_chosen(void **state)
{
	static const struct {
		const char *query;
		size_t n;
	} cases[] = {
		{"", 10},
		{"&namespace=shop", 10},
		{"&namespace=shops", 0},
		{"&pod=web-0", 10},
		{"&pod=web", 0},
		{"&pod=shop/web-0&namespace=shop", 10},
		{"&port=4", 1},
		{"&port=443", 10},
		{"&port=7-8", 2},
		{"&outcome=tcp", 10},
		{"&outcome=smcr,smcd,fallback", 0},
		{"&reason=not-converted", 10},
		{"&reason=not-endpoint,0x03030008", 0},
		{"&to=fd00::/16", 10},
		{"&to=%5bfd00::abcd:1234%5d:443", 10},
		{"&to=10.1.0.2:3", 1},
		{"&to=10.2.0.0/16", 0},
		{"&since=1h", 0}, /* nobody knows how old they are */
		{"&port=443&to=10.1.0.2:3&outcome=tcp&pod=shop/web-0", 1},
	};

	give_flows(10);
	for (size_t i = 0; i < array_size(cases); i++)
		if (matched(cases[i].query) != cases[i].n)
			fail_msg("%s: not %zu flows", cases[i].query,
				 cases[i].n);
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
static struct said flows_say(const char *word, const char *value)
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
	return s;
}

/* The same where there is nothing to remark. */
static struct said flows(const char *word, const char *value)
{
	struct said s = flows_say(word, value);

	assert_string_equal(s.err, "");
	return s;
}

static void test_cli_says_what_an_empty_list_means(void **state)
{
	struct said s = flows_say(NULL, NULL);

	assert_string_equal(s.err, "smcmesh: no flow of this node is "
				   "recorded: armed pods have opened none\n");
	give_flows(5);
	s = flows_say("-n", "sho");
	assert_string_equal(s.err, "smcmesh: no flow of this node "
				   "matches; it has 5\n");
	assert_null(strstr(s.out, "10.1.0.2"));
	/* control, and a filter that lets some through */
	s = flows("-A", NULL);
	assert_says(s.out, "10.1.0.2:4 ");
	s = flows("--to", "[fd00::abcd:1234]:443");
	assert_says(s.out, "10.1.0.2:4 ");
	s = flows("--port", "3");
	assert_says(s.out, "10.1.0.2:3 ");
	assert_null(strstr(s.out, "10.1.0.2:4 "));
	/* a program that reads gets an empty list, and no words */
	s = flows("-ojson", "-nsho");
	assert_says(s.out, "\"matched\":0,");
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
	s = flows("--last", "0");
	assert_ptr_equal(strstr(s.out, "POD  ROLE"), s.out);
	assert_says(s.out, "OUTCOME\n\nOf 5 flows the newest 0 are shown; "
			   "smcmesh flows --all shows all.\n");
	s = flows("--last", "5");
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
	s = flows("-ojson", "--last=2");
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
		TEST(test_unknown_parameters_and_bad_values_are_refused),
		TEST(test_filters_choose_before_the_newest_are_chosen),
		TEST(test_endpoints_without_any_are_empty_lists),
		TEST(test_cli_says_what_was_cut),
		TEST(test_cli_says_what_an_empty_list_means),
		TEST(test_cli_json_is_the_answer_of_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
