// SPDX-License-Identifier: Apache-2.0
/*
 * curl's multi interface as a source of the loop.
 *
 * curl says which sockets to watch and when to wake it; the client reports
 * events to it. curl's callbacks only collect data: the client delivers it
 * after curl has returned, because callbacks must not call curl, while our
 * callers' may request, cancel and close as they like.
 *
 * With TLS it is HTTP/2, all requests and watches of a node on one connection.
 */
#include "kube/client_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

/* The most to keep of the body of a refusal. */
#define REFUSAL_MAX (64UL << 10)
/* The longest Retry-After that we obey. */
#define RETRY_MAX_S 60
/* If the server says how long to stay away (Retry-After), we wait for that time
 * and at most our own wait after this many failures. */
#define ASKED_MOST 2
/* If no connection came about, which costs the server nothing, count at most so
 * many failures. So we ask again after 4 s at most. */
#define UNREACHED_MOST 4

/* One of curl's sockets. */
struct sock {
	struct kube_client *client;
	LIST_ENTRY(sock) all;
	uv_poll_t poll;
	curl_socket_t fd;
};

/* ---- memory -------------------------------------------------------------- */

static void call_free(struct kube_call *call)
{
	struct kube_client *c = call->client;

	if (c->current == call)
		c->current = NULL;
	if (call->is_ready)
		TAILQ_REMOVE(&c->ready, call, ready);
	LIST_REMOVE(call, all);
	if (call->added)
		curl_multi_remove_handle(c->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_free(&call->in);
	free(call);
}

static void client_free(void *client)
{
	struct kube_client *c = client;

	kube_config_free(&c->config);
	curl_slist_free_all(c->connect_to);
	free(c->base);
	free(c->host);
	free(c);
	curl_global_cleanup();
}

static void sock_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* ---- delivering ---------------------------------------------------------- */

static void now_ready(struct kube_call *call)
{
	if (!call->is_ready)
		TAILQ_INSERT_TAIL(&call->client->ready, call, ready);
	call->is_ready = true;
}

/* Return: false if a callback cancelled the call meanwhile. */
static bool deliver_data(struct kube_client *c, struct kube_call *call)
{
	struct buf in = call->in;

	call->in = (struct buf){};
	c->current = call;
	call->data(&in, call->arg);
	if (!c->current) {
		buf_free(&in);
		return false;
	}
	call->in = in;
	return true;
}

static void deliver_end(struct kube_client *c, struct kube_call *call)
{
	_buf_ struct buf body = call->in;
	curl_off_t wait = 0;

	call->in = (struct buf){};
	if (call->err || call->begun)
		buf_drop(&body, body.len);
	if (call->err)
		buf_printf(&body, "%s", call->error);
	curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &wait);
	c->retry_after = wait > RETRY_MAX_S ? RETRY_MAX_S : wait;
	/* The connection is dead, or has a client certificate that expired
	 * since. */
	c->unreached = call->unreached;
	c->fresh = call->err == -ETIMEDOUT || call->status == 401;

	void (*done)(int, int, const char *, size_t, void *) = call->done;
	void *arg = call->arg;
	int err = call->err, status = call->status;

	call_free(call);
	done(err, status, body.data ?: "", body.len, arg);
	c->retry_after = 0;
	c->unreached = false;
}

static int errno_of(const struct kube_call *call, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CONNECT_ERROR:
		return -EKEYREJECTED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_WRITE_ERROR:
		return call->too_much ? -EFBIG : -ENOMEM;
	default:
		return -EIO;
	}
}

/* Replace those sentences of curl's that contain milliseconds, so that no two
 * would be equal. */
static void say_plainly(struct kube_call *call, CURLcode code)
{
	long error = 0;

	curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
	if (code == CURLE_COULDNT_CONNECT && error)
		call->err = -error;
	if (call->err == -ETIMEDOUT)
		snprintf(call->error, sizeof(call->error), "no answer in time");
	else if (code == CURLE_COULDNT_CONNECT && error)
		snprintf(call->error, sizeof(call->error), "%s",
			 strerror(error));
}

static bool is_unreached(const struct kube_call *call, CURLcode code)
{
	curl_off_t asked = 0;

	if (code != CURLE_OPERATION_TIMEDOUT)
		return code == CURLE_COULDNT_CONNECT ||
		       code == CURLE_COULDNT_RESOLVE_HOST ||
		       code == CURLE_COULDNT_RESOLVE_PROXY;
	curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &asked);
	return !asked;
}

static void call_over(struct kube_call *call, CURLcode code)
{
	long status = 0;

	call->over = true;
	call->err = errno_of(call, code);
	call->unreached = is_unreached(call, code);
	say_plainly(call, code);
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->status = call->err ? 0 : status;
	if (call->too_much)
		snprintf(call->error, sizeof(call->error),
			 "the answer is more than %lu MiB",
			 KUBE_BODY_MAX >> 20);
	else if (!*call->error)
		snprintf(call->error, sizeof(call->error), "%s",
			 curl_easy_strerror(code));
	curl_multi_remove_handle(call->client->multi, call->easy);
	call->added = false;
	now_ready(call);
}

static void pump(struct kube_client *c)
{
	struct kube_call *call;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
				  (char **)&call);
		call_over(call, msg->data.result);
	}
	while (!c->closed && (call = TAILQ_FIRST(&c->ready))) {
		TAILQ_REMOVE(&c->ready, call, ready);
		call->is_ready = false;
		if (call->begun && !deliver_data(c, call))
			continue;
		if (call->over)
			deliver_end(c, call);
	}
}

/* ---- curl on the loop ---------------------------------------------------- */

static void act(struct kube_client *c, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(c->multi, fd, events, &running);
	pump(c);
}

static void timer_event(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void deliver_event(uv_timer_t *timer)
{
	pump(timer->data);
}

static void sock_event(uv_poll_t *poll, int status, int events)
{
	struct sock *s = poll->data;

	act(s->client, s->fd,
	    status ? CURL_CSELECT_ERR
		   : (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
			     (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0));
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct kube_client *c = arg;

	if (c->closed || ms < 0)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, timer_event, ms, 0);
	return 0;
}

static void sock_close(struct sock *s)
{
	LIST_REMOVE(s, all);
	uv_close((uv_handle_t *)&s->poll, sock_closed);
}

static struct sock *sock_open(struct kube_client *c, curl_socket_t fd)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->client = c;
	s->fd = fd;
	s->poll.data = s;
	if (uv_poll_init(c->loop, &s->poll, fd)) {
		free(s);
		return NULL;
	}
	LIST_INSERT_HEAD(&c->socks, s, all);
	curl_multi_assign(c->multi, fd, s);
	return s;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
		       void *of_socket)
{
	struct kube_client *c = arg;
	struct sock *s = of_socket;

	if (what == CURL_POLL_REMOVE) {
		if (s) {
			sock_close(s);
			curl_multi_assign(c->multi, fd, NULL);
		}
		return 0;
	}
	s = s ?: sock_open(c, fd);
	if (!s)
		return -1;
	return uv_poll_start(&s->poll,
			     (what & CURL_POLL_IN ? UV_READABLE : 0) |
				     (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
			     sock_event);
}

static size_t call_header(char *line, size_t one, size_t n, void *arg)
{
	struct kube_call *call = arg;
	long status = 0;

	/* The empty line after the last header. */
	if (n != 2 || memcmp(line, "\r\n", 2) || !call->data)
		return n;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->status = status;
	call->begun = status / 100 == 2;
	if (call->begun)
		now_ready(call);
	return n;
}

static size_t call_body(char *data, size_t one, size_t n, void *arg)
{
	struct kube_call *call = arg;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->status = status;
	if (status / 100 != 2 && call->in.len + n > REFUSAL_MAX)
		return n;
	call->too_much = call->in.len + n > KUBE_BODY_MAX;
	if (call->too_much || buf_add(&call->in, data, n))
		return 0;
	if (call->begun)
		now_ready(call);
	return n;
}

/* ---- asking -------------------------------------------------------------- */

/* The token cannot be read: report that from the loop, like all failures. */
static void fail_soon(struct kube_call *call, int err)
{
	call->over = true;
	call->err = err;
	now_ready(call);
	uv_timer_start(&call->client->deliver, deliver_event, 0, 0);
}

/* Return: 0 or -ENOMEM. */
static int call_listen(struct kube_call *call)
{
	CURL *easy = call->easy;

	return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, call_header) ||
			       curl_easy_setopt(easy, CURLOPT_HEADERDATA,
						call) ||
			       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
						call_body) ||
			       curl_easy_setopt(easy, CURLOPT_WRITEDATA, call)
		       ? -ENOMEM
		       : 0;
}

static int call_start(struct kube_call *call, const struct kube_request *req)
{
	int err = call_prepare(call, req) ?: call_listen(call);

	if (err && *call->error) {
		fail_soon(call, err);
		return 0;
	}
	if (err)
		return err;
	if (curl_multi_add_handle(call->client->multi, call->easy))
		return -ENOMEM;
	call->added = true;
	return 0;
}

int kube_stream(struct kube_client *c, const struct kube_request *req,
		void (*data)(struct buf *in, void *arg), struct kube_call **out)
{
	struct kube_call *call;
	int err;

	if (c->closed || !req->method || !req->path || *req->path != '/' ||
	    !req->done)
		return -EINVAL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->client = c;
	call->data = data;
	call->done = req->done;
	call->arg = req->arg;
	LIST_INSERT_HEAD(&c->calls, call, all);
	err = call_start(call, req);
	if (err) {
		call_free(call);
		return err;
	}
	if (out)
		*out = call;
	return 0;
}

int kube_request(struct kube_client *c, const struct kube_request *req,
		 struct kube_call **call)
{
	return kube_stream(c, req, NULL, call);
}

void kube_cancel(struct kube_call *call)
{
	if (call)
		call_free(call);
}

unsigned int kube_retry_after(const struct kube_client *c)
{
	return c->retry_after;
}

bool kube_unreached(const struct kube_client *c)
{
	return c->unreached;
}

const char *kube_client_server(const struct kube_client *c)
{
	return c->config.server;
}

void kube_client_suspect(struct kube_client *c)
{
	c->fresh = true;
}

struct kube_watches *kube_client_watches(struct kube_client *c)
{
	return &c->watches;
}

uv_loop_t *kube_client_loop(const struct kube_client *c)
{
	return c->loop;
}

unsigned int kube_dice(unsigned int most)
{
	unsigned int dice = 0;

	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		dice = uv_hrtime();
	return dice % (most + 1);
}

unsigned int kube_backoff_ms(unsigned int failures)
{
	unsigned int ms = failures > 6 ? 30000 : 500U << (failures ?: 1) >> 1;

	return ms / 2 + kube_dice(ms / 2);
}

unsigned int kube_again_ms(const struct kube_client *c, unsigned int *failures)
{
	unsigned int n = *failures < ASKED_MOST ? *failures + 1 : ASKED_MOST;

	if (c->retry_after) {
		*failures = n > *failures ? n : *failures;
		return c->retry_after * 1000 + kube_backoff_ms(n);
	}
	++*failures;
	if (c->unreached && *failures > UNREACHED_MOST)
		*failures = UNREACHED_MOST;
	return kube_backoff_ms(*failures);
}

/* ---- opening and closing ------------------------------------------------- */

static int client_init(struct kube_client *c, const struct kube_options *opt)
{
	_buf_ struct buf error = {};
	int err = kube_config_read(opt, &c->config, &error);

	if (err) {
		log_at(LOG_ERR, 0, "%s", error.data ?: "out of memory");
		return err;
	}
	if (c->config.server_name)
		err = client_server_name(c);
	else
		c->base = strdup(c->config.server);
	c->multi = curl_multi_init();
	if (err || !c->base || !c->multi)
		return log_err(-ENOMEM, "client of %s", c->config.server);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return 0;
}

int kube_client_open(uv_loop_t *loop, const struct kube_options *opt,
		     struct kube_client **out)
{
	struct kube_client *c;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return log_err(-ENOMEM, "start curl");
	c = calloc(1, sizeof(*c));
	if (!c) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	c->loop = loop;
	LIST_INIT(&c->calls);
	LIST_INIT(&c->socks);
	LIST_INIT(&c->watches.list);
	TAILQ_INIT(&c->ready);
	err = client_init(c, opt);
	if (err) {
		curl_multi_cleanup(c->multi);
		client_free(c);
		return err;
	}
	uv_timer_init(loop, &c->timer);
	uv_timer_init(loop, &c->deliver);
	c->timer.data = c->deliver.data = c;
	*out = c;
	return 0;
}

void kube_client_close(struct kube_client *c)
{
	if (!c || c->closed)
		return;
	while (!LIST_EMPTY(&c->calls))
		call_free(LIST_FIRST(&c->calls));
	c->closed = true;
	curl_multi_cleanup(c->multi);
	while (!LIST_EMPTY(&c->socks))
		sock_close(LIST_FIRST(&c->socks));
	handles_close(&c->handles, &c->timer);
	handles_close(&c->handles, &c->deliver);
	handles_free(&c->handles, client_free, c);
}
