// SPDX-License-Identifier: Apache-2.0
/* Requests to an API server: what is sent, what comes back, who is believed. */
#include "fake_api.h"
#include "tmpdir.h"

#include <microhttpd.h>
#include <pthread.h>
#include "certs.h"
#include "kube/stream.h"

static struct bench {
	struct tmpdir tmp;
	uv_loop_t loop;
	struct fake api;
	struct kube_client *client;
	/* of the last answer */
	unsigned int answers;
	int err, status;
	char body[4096];
	unsigned int retry_after, again_ms, failures;
} b;

static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	tmpdir_make(&b.tmp);
	uv_loop_init(&b.loop);
	fake_open(&b.api, &b.loop);
	return 0;
}

static int down(void **state)
{
	kube_client_close(b.client);
	fake_close(&b.api);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b.loop), 0);
	tmpdir_remove(&b.tmp);
	return 0;
}

static void done(int err, int status, const char *body, size_t len, void *arg)
{
	assert_int_equal(strlen(body), len);
	b.answers++;
	b.err = err;
	b.status = status;
	b.retry_after = kube_retry_after(b.client);
	b.failures = 8;
	b.again_ms = kube_again_ms(b.client, &b.failures);
	snprintf(b.body, sizeof(b.body), "%s", body);
}

static void open_client(const struct kube_options *opt)
{
	assert_int_equal(kube_client_open(&b.loop, opt, &b.client), 0);
}

static void open_plain(void)
{
	open_client(&(struct kube_options){.server = b.api.url});
}

static struct kube_call *ask(const struct kube_request *req)
{
	struct kube_request with = *req;
	struct kube_call *call = NULL;
	unsigned int answers = b.answers;

	with.done = done;
	assert_int_equal(kube_request(b.client, &with, &call), 0);
	/* Never from inside. */
	assert_int_equal(b.answers, answers);
	return call;
}

static struct kube_call *get(const char *path)
{
	return ask(&(struct kube_request){.method = "GET", .path = path});
}

/* ---- asking -------------------------------------------------------------- */

static void a_request_is_sent_whole(void **state)
{
	struct fake_conn *c;

	open_plain();
	ask(&(struct kube_request){
		.method = "PATCH",
		.path = "/apis/smcmesh.io/v1alpha1/smcnodes/n1/status"
			"?fieldManager=smcmesh&force=true",
		.content_type = KUBE_APPLY,
		.body = "{\"a\":1} and more",
		.len = 7,
	});
	c = fake_wait(&b.api, "PATCH /apis/smcmesh.io/v1alpha1/smcnodes/n1/"
			      "status?fieldManager=smcmesh&force=true HTTP/1");
	assert_true(fake_asks(c, "\r\nContent-Type: " KUBE_APPLY "\r\n"));
	assert_true(fake_asks(c, "\r\nAccept: application/json\r\n"));
	assert_true(fake_asks(c, "\r\nContent-Length: 7\r\n"));
	assert_true(fake_asks(c, "\r\nUser-Agent: smcmesh/"));
	assert_true(fake_asks(c, "\r\n\r\n{\"a\":1}"));
	assert_false(fake_asks(c, "Authorization"));
	assert_false(fake_asks(c, "Expect"));
	fake_reply(c, 201, "{\"made\":true}");
	wait_for(&b.api, b.answers == 1);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.status, 201);
	assert_string_equal(b.body, "{\"made\":true}");
}

static void a_connection_is_used_again(void **state)
{
	open_plain();
	for (unsigned int i = 1; i <= 3; i++) {
		get("/api/v1/nodes/n1");
		fake_reply(fake_wait(&b.api, "GET /api/v1/nodes/n1"), 200, "");
		wait_for(&b.api, b.answers == i);
	}
	assert_int_equal(b.api.accepted, 1);
}

static void bodies_need_no_nul_and_may_be_empty(void **state)
{
	open_plain();
	ask(&(struct kube_request){
		.method = "POST", .path = "/api/v1/x", .body = "abc"});
	assert_true(fake_asks(fake_wait(&b.api, "POST "), "\r\n\r\nabc"));
	fake_reply(fake_find(&b.api, "POST "), 200, "");
	wait_for(&b.api, b.answers == 1);
	ask(&(struct kube_request){.method = "DELETE", .path = "/api/v1/x"});
	assert_false(fake_asks(fake_wait(&b.api, "DELETE "), "Content-Type"));
	fake_reply(fake_find(&b.api, "DELETE "), 200, "");
	wait_for(&b.api, b.answers == 2);
}

static void senseless_requests_are_refused(void **state)
{
	const struct kube_request bad[] = {
		{.method = "GET", .path = "api", .done = done},
		{.method = "GET", .done = done},
		{.path = "/api", .done = done},
		{.method = "GET", .path = "/api"},
	};

	open_plain();
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(kube_request(b.client, &bad[i], NULL),
				 -EINVAL);
}

static void refusal_is_an_answer_with_its_status(void **state)
{
	open_plain();
	get("/api/v1/pods");
	fake_reply_with(fake_wait(&b.api, "GET "), 429, "Retry-After: 7\r\n",
			"{\"kind\":\"Status\",\"message\":\"slow down\"}");
	wait_for(&b.api, b.answers == 1);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.status, 429);
	assert_int_equal(b.retry_after, 7);
	/* on top of it, and not all at once */
	assert_in_range(b.again_ms, 7500, 8000);
	assert_int_equal(b.failures, 8);
	assert_says(b.body, "slow down");
	get("/api/v1/pods");
	fake_reply(fake_wait(&b.api, "GET "), 200, "");
	wait_for(&b.api, b.answers == 2);
	assert_int_equal(b.retry_after, 0);
	assert_in_range(b.again_ms, 15000, 30000);
	assert_int_equal(b.failures, 9);
}

static void a_cancelled_call_is_not_answered(void **state)
{
	struct kube_call *call;

	open_plain();
	kube_cancel(NULL);
	call = get("/api/v1/first");
	fake_wait(&b.api, "/first");
	kube_cancel(call);
	get("/api/v1/second");
	fake_reply(fake_wait(&b.api, "/second"), 200, "2");
	wait_for(&b.api, b.answers == 1);
	assert_string_equal(b.body, "2");
}

static struct kube_call *other;

static void done_and_cancel(int err, int status, const char *body, size_t len,
			    void *arg)
{
	kube_cancel(other);
	done(err, status, body, len, arg);
}

static void done_may_cancel_another(void **state)
{
	const struct kube_request req = {.method = "GET",
					 .path = "/api/v1/first",
					 .done = done_and_cancel};

	open_plain();
	assert_int_equal(kube_request(b.client, &req, NULL), 0);
	other = get("/api/v1/second");
	fake_wait(&b.api, "/second");
	fake_reply(fake_wait(&b.api, "/first"), 200, "1");
	fake_reply(fake_wait(&b.api, "/second"), 200, "2");
	wait_for(&b.api, b.answers == 1);
	assert_string_equal(b.body, "1");
	get("/api/v1/third");
	fake_reply(fake_wait(&b.api, "/third"), 200, "3");
	wait_for(&b.api, b.answers == 2);
	assert_string_equal(b.body, "3");
}

static void done_and_close(int err, int status, const char *body, size_t len,
			   void *arg)
{
	kube_client_close(b.client);
	done(err, status, body, len, arg);
}

static void done_may_close_the_client(void **state)
{
	const struct kube_request req = {.method = "GET",
					 .path = "/api/v1/first",
					 .done = done_and_close};

	open_plain();
	assert_int_equal(kube_request(b.client, &req, NULL), 0);
	get("/api/v1/second");
	fake_wait(&b.api, "/second");
	fake_reply(fake_wait(&b.api, "/first"), 200, "");
	wait_for(&b.api, b.answers == 1);
	b.client = NULL;
}

/* ---- no answer ----------------------------------------------------------- */

static void refused_connection_is_said(void **state)
{
	_buf_ struct buf text = {0};

	/* Nothing listens on port 1. */
	open_client(&(struct kube_options){.server = "http://127.0.0.1:1"});
	get("/api/v1/pods");
	wait_for(&b.api, b.answers == 1);
	assert_int_equal(b.err, -ECONNREFUSED);
	assert_int_equal(b.status, 0);
	/* To ask again soon costs the server nothing. */
	assert_in_range(b.again_ms, 2000, 4000);
	kube_say(&text, b.client, "GET", "/api/v1/pods?watch=true", b.err,
		 b.status, b.body, strlen(b.body));
	assert_string_equal(text.data, "cannot watch pods: Connection refused "
				       "(http://127.0.0.1:1)");
}

static void silent_request_times_out(void **state)
{
	open_plain();
	ask(&(struct kube_request){
		.method = "GET", .path = "/api/v1/x", .timeout_ms = 50});
	wait_for(&b.api, b.answers == 1);
	assert_int_equal(b.err, -ETIMEDOUT);
	/* The next one does not trust that connection. */
	get("/api/v1/y");
	fake_reply(fake_wait(&b.api, "/y"), 200, "");
	wait_for(&b.api, b.answers == 2);
	assert_int_equal(b.err, 0);
	assert_int_equal(b.api.accepted, 2);
}

/* The certificate of that connection may have expired since. */
static void after_401_a_new_connection_is_made(void **state)
{
	open_plain();
	get("/api/v1/x");
	fake_reply(fake_wait(&b.api, "/x"), 401, "");
	wait_for(&b.api, b.answers == 1);
	get("/api/v1/y");
	fake_reply(fake_wait(&b.api, "/y"), 200, "");
	wait_for(&b.api, b.answers == 2);
	assert_int_equal(b.api.accepted, 2);
}

static void a_broken_connection_is_an_error(void **state)
{
	open_plain();
	get("/api/v1/x");
	fake_drop(fake_wait(&b.api, "/x"));
	wait_for(&b.api, b.answers == 1);
	assert_true(b.err < 0);
	assert_true(*b.body);
}

/* ---- streams ------------------------------------------------------------- */

static char streamed[256];
static unsigned int pieces;

static void data(struct buf *in, void *arg)
{
	char *end;

	pieces++;
	while (in->len && (end = memchr(in->data, '\n', in->len))) {
		strncat(streamed, in->data, end - in->data);
		strcat(streamed, "|");
		buf_drop(in, end + 1 - in->data);
	}
}

static void stream_is_handed_over_line_by_line(void **state)
{
	const struct kube_request req = {
		.method = "GET", .path = "/api/v1/x", .done = done};
	struct fake_conn *c;

	*streamed = '\0';
	pieces = 0;
	open_plain();
	assert_int_equal(kube_stream(b.client, &req, data, NULL), 0);
	c = fake_wait(&b.api, "/x");
	fake_begin(c);
	wait_for(&b.api, pieces == 1);
	assert_string_equal(streamed, "");
	fake_chunk(c, "one\ntw");
	wait_for(&b.api, !strcmp(streamed, "one|"));
	fake_chunk(c, "o\n");
	wait_for(&b.api, !strcmp(streamed, "one|two|"));
	fake_chunk(c, "rest");
	fake_end(c);
	wait_for(&b.api, b.answers == 1);
	assert_int_equal(b.status, 200);
	assert_string_equal(b.body, "");
}

static void a_refused_stream_has_its_body(void **state)
{
	const struct kube_request req = {
		.method = "GET", .path = "/api/v1/x", .done = done};

	pieces = 0;
	open_plain();
	assert_int_equal(kube_stream(b.client, &req, data, NULL), 0);
	fake_reply(fake_wait(&b.api, "/x"), 403, "no");
	wait_for(&b.api, b.answers == 1);
	assert_int_equal(b.status, 403);
	assert_string_equal(b.body, "no");
	assert_int_equal(pieces, 0);
}

/* ---- TLS ----------------------------------------------------------------- */

static struct tls {
	struct MHD_Daemon *daemon;
	char url[64];
	pthread_mutex_t lock;
	char token[128];
	unsigned int connections;
} tls = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum MHD_Result tls_answer(void *arg, struct MHD_Connection *conn,
				  const char *url, const char *method,
				  const char *version, const char *body,
				  size_t *len, void **state)
{
	static char yes[] = "yes";
	struct MHD_Response *r;
	const char *token = MHD_lookup_connection_value(conn, MHD_HEADER_KIND,
							"Authorization");
	enum MHD_Result result;

	/* Who answers at the first call closes the connection. */
	if (!*state) {
		*state = yes;
		return MHD_YES;
	}
	pthread_mutex_lock(&tls.lock);
	snprintf(tls.token, sizeof(tls.token), "%s", token ?: "");
	pthread_mutex_unlock(&tls.lock);
	r = MHD_create_response_from_buffer(3, yes, MHD_RESPMEM_PERSISTENT);
	result = MHD_queue_response(conn, 200, r);
	MHD_destroy_response(r);
	return result;
}

static void tls_connected(void *arg, struct MHD_Connection *conn, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	pthread_mutex_lock(&tls.lock);
	tls.connections += code == MHD_CONNECTION_NOTIFY_STARTED;
	pthread_mutex_unlock(&tls.lock);
}

static void tls_up(const char *cert, const char *key)
{
	const union MHD_DaemonInfo *info;

	tls.daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL,
		tls_answer, NULL, MHD_OPTION_HTTPS_MEM_CERT, cert,
		MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_NOTIFY_CONNECTION,
		tls_connected, NULL, MHD_OPTION_END);
	assert_non_null(tls.daemon);
	info = MHD_get_daemon_info(tls.daemon, MHD_DAEMON_INFO_BIND_PORT);
	assert_non_null(info);
	snprintf(tls.url, sizeof(tls.url), "https://127.0.0.1:%d", info->port);
}

static int tls_down(void **state)
{
	MHD_stop_daemon(tls.daemon);
	tls.daemon = NULL;
	return down(state);
}

static void tls_token(char out[128])
{
	pthread_mutex_lock(&tls.lock);
	snprintf(out, 128, "%s", tls.token);
	pthread_mutex_unlock(&tls.lock);
}

static void ask_tls(const struct kube_options *opt)
{
	unsigned int answers = b.answers;

	open_client(opt);
	get("/api/v1/x");
	wait_for(&b.api, b.answers == answers + 1);
}

static void changed_token_file_is_read_again(void **state)
{
	struct kube_options opt = {.server = tls.url};
	char token[128];

	tls_up(server_pem, server_key);
	opt.ca = tmpdir_put(&b.tmp, "ca", ca_pem);
	opt.token_file = tmpdir_put(&b.tmp, "token", "first\n");
	ask_tls(&opt);
	assert_int_equal(b.err, 0);
	assert_string_equal(b.body, "yes");
	tls_token(token);
	assert_string_equal(token, "Bearer first");
	tmpdir_put(&b.tmp, "token", "second");
	get("/api/v1/x");
	wait_for(&b.api, b.answers == 2);
	tls_token(token);
	assert_string_equal(token, "Bearer second");
	/* It is gone: an error, and nothing is sent without it. */
	unlink(tmpdir_at(&b.tmp, "token"));
	get("/api/v1/x");
	wait_for(&b.api, b.answers == 3);
	assert_int_equal(b.err, -ENOENT);
	assert_says(b.body, "/token: No such file");
}

/* Return: of how many connections were the requests so far? */
static unsigned int ask_again(void)
{
	unsigned int answers = b.answers, n;

	get("/api/v1/x");
	wait_for(&b.api, b.answers == answers + 1);
	pthread_mutex_lock(&tls.lock);
	n = tls.connections;
	pthread_mutex_unlock(&tls.lock);
	return n;
}

static void a_new_client_certificate_makes_a_new_connection(void **state)
{
	struct kube_options opt = {.server = tls.url};
	unsigned int n;

	tls_up(server_pem, server_key);
	opt.ca = tmpdir_put(&b.tmp, "ca", ca_pem);
	opt.client_cert = tmpdir_put(&b.tmp, "cert", client_pem);
	opt.client_key = tmpdir_put(&b.tmp, "key", client_key);
	ask_tls(&opt);
	assert_int_equal(b.err, 0);
	n = ask_again();
	assert_int_equal(ask_again(), n);
	tmpdir_put(&b.tmp, "cert", server_pem);
	tmpdir_put(&b.tmp, "key", server_key);
	assert_int_equal(ask_again(), n + 1);
	assert_int_equal(b.err, 0);
	unlink(tmpdir_at(&b.tmp, "cert"));
	assert_int_equal(ask_again(), n + 1);
	assert_int_equal(b.err, -ENOENT);
	assert_says(b.body, "/cert: No such file");
}

static void server_of_another_ca_gets_no_token(void **state)
{
	struct kube_options opt = {.server = tls.url};

	tls_up(server_pem, server_key);
	opt.ca = tmpdir_put(&b.tmp, "ca", other_ca_pem);
	opt.token_file = tmpdir_put(&b.tmp, "token", "secret");
	*tls.token = '\0';
	ask_tls(&opt);
	assert_int_equal(b.err, -EKEYREJECTED);
	assert_says(b.body, "certificate");
	assert_string_equal(tls.token, "");
}

static void server_without_a_given_ca_is_refused(void **state)
{
	struct kube_options opt = {.server = tls.url};

	tls_up(server_pem, server_key);
	ask_tls(&opt);
	assert_int_equal(b.err, -EKEYREJECTED);
}

static void server_certificate_of_another_name_is_refused(void **state)
{
	struct kube_options opt = {.server = tls.url};

	tls_up(named_pem, named_key);
	opt.ca = tmpdir_put(&b.tmp, "ca", ca_pem);
	ask_tls(&opt);
	assert_int_equal(b.err, -EKEYREJECTED);
}

/* tls-server-name, relative paths, a token of its own. */
static void kubeconfig_gives_server_name_paths_and_token(void **state)
{
	struct kube_options opt = {0};
	char token[128];
	char *text;

	tls_up(named_pem, named_key);
	tmpdir_put(&b.tmp, "ca", ca_pem);
	tmpdir_put(&b.tmp, "cert", client_pem);
	tmpdir_put(&b.tmp, "key", client_key);
	assert_true(asprintf(&text,
			     "current-context: a\n"
			     "contexts: [{name: a, context: {cluster: c, "
			     "user: u}}]\n"
			     "clusters: [{name: c, cluster: {server: '%s/p/',"
			     " certificate-authority: ca,"
			     " tls-server-name: api.example}}]\n"
			     "users: [{name: u, user: {token: abc,"
			     " client-certificate: cert, client-key: key}}]\n",
			     tls.url) > 0);
	opt.kubeconfig = tmpdir_put(&b.tmp, "config", text);
	free(text);
	ask_tls(&opt);
	assert_string_equal(b.body, "yes");
	assert_int_equal(b.err, 0);
	tls_token(token);
	assert_string_equal(token, "Bearer abc");
}

/* ---- words --------------------------------------------------------------- */

static void refusal_text_names_verb_resource_and_status(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *body, *says;
	} cases[] = {
		{"GET", "/api/v1/pods?fieldSelector=x", 403,
		 "{\"message\":\"pods is forbidden\"}",
		 "cannot list pods: 403, pods is forbidden"},
		{"GET", "/apis/smcmesh.io/v1alpha1/smcnodes?watch=true&a=b",
		 401, "Unauthorized\n",
		 "cannot watch smcnodes.smcmesh.io: 401, Unauthorized"},
		{"GET", "/api/v1/nodes/n1", 500, "",
		 "cannot get nodes n1: 500"},
		{"PATCH", "/apis/smcmesh.io/v1alpha1/smcnodes/n1/status?a", 409,
		 "{}", "cannot patch smcnodes.smcmesh.io/status n1: 409, {}"},
		{"POST", "/api/v1/namespaces/default/events", 403, "no",
		 "cannot create events in namespace default: 403, no"},
		{"POST", "/api/v1/namespaces/a/pods/b/eviction", 429, "no",
		 "cannot create pods/eviction a/b: 429, no"},
		{"GET", "/api/v1/namespaces/a", 404, "no",
		 "cannot get namespaces a: 404, no"},
		{"DELETE", "/healthz?x", 404, "a\nb\x1b[1m",
		 "cannot DELETE /healthz: 404, a b [1m"},
	};
	_buf_ struct buf long_one = {0}, text = {0};

	open_plain();
	for (size_t i = 0; i < array_size(cases); i++) {
		buf_free(&text);
		kube_say(&text, b.client, cases[i].method, cases[i].path, 0,
			 cases[i].status, cases[i].body, strlen(cases[i].body));
		assert_string_equal(text.data, cases[i].says);
	}
	buf_free(&text);
	for (int i = 0; i < 1000; i++)
		buf_printf(&long_one, "\u00e9");
	kube_say(&text, b.client, "GET", "/api/v1/pods", 0, 500, long_one.data,
		 long_one.len);
	assert_true(text.len < 450);
	assert_string_equal(text.data + text.len - 5, "\u00e9...");
}

static void text_of_a_url_is_percent_encoded(void **state)
{
	_buf_ struct buf text = {0};

	kube_escape(&text, "spec.nodeName=a b/\xc3\xa9~");
	assert_string_equal(text.data, "spec.nodeName%3Da%20b%2F%C3%A9~");
}

static void backoff_grows_and_is_bounded(void **state)
{
	static const unsigned int most[] = {500,  500,	1000,  2000,
					    4000, 8000, 16000, 30000};

	for (unsigned int i = 0; i < array_size(most); i++)
		for (int n = 0; n < 100; n++) {
			unsigned int ms = kube_backoff_ms(i);

			assert_in_range(ms, most[i] / 2, most[i]);
		}
	assert_in_range(kube_backoff_ms(4000000000), 15000, 30000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)
#define TLS(name) cmocka_unit_test_setup_teardown(name, up, tls_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_sent_whole),
		TEST(a_connection_is_used_again),
		TEST(bodies_need_no_nul_and_may_be_empty),
		TEST(senseless_requests_are_refused),
		TEST(refusal_is_an_answer_with_its_status),
		TEST(a_cancelled_call_is_not_answered),
		TEST(done_may_cancel_another),
		TEST(done_may_close_the_client),
		TEST(refused_connection_is_said),
		TEST(silent_request_times_out),
		TEST(after_401_a_new_connection_is_made),
		TEST(a_broken_connection_is_an_error),
		TEST(stream_is_handed_over_line_by_line),
		TEST(a_refused_stream_has_its_body),
		TLS(changed_token_file_is_read_again),
		TLS(a_new_client_certificate_makes_a_new_connection),
		TLS(server_of_another_ca_gets_no_token),
		TLS(server_without_a_given_ca_is_refused),
		TLS(server_certificate_of_another_name_is_refused),
		TLS(kubeconfig_gives_server_name_paths_and_token),
		TEST(refusal_text_names_verb_resource_and_status),
		TEST(text_of_a_url_is_percent_encoded),
		TEST(backoff_grows_and_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
