// SPDX-License-Identifier: Apache-2.0
#include "node/metadata.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "base/clock.h"
#include "base/fault.h"

#define ALL_MS 30000U
#define ONE_MS 5000U
#define CONNECT_MS 2000U
#define TRIES 4
#define AGAIN_MS 500U /* doubled each time */

/* An address and a line's end are some 20 bytes; a token some 60. */
#define ANSWER_MAX 1024

#define TOKEN_PATH "/api/token"
#define TOKEN_LIFE "X-aliyun-ecs-metadata-token-ttl-seconds: 60"
#define TOKEN_HEADER "X-aliyun-ecs-metadata-token: "

#define HTTP_NOT_FOUND 404
#define HTTP_NO_METHOD 405
#define HTTP_NO_TOKEN 401
#define HTTP_TOO_MANY 429

struct answer {
	long status;
	struct buf body;
};

static void answer_free(struct answer *a)
{
	buf_free(&a->body);
}

static void easy_cleanup(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void slist_free(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

bool metadata_url_ok(const char *base)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < array_size(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (strncasecmp(base, schemes[i], len) != 0)
			continue;
		base += len;
		len = strcspn(base, "/");
		return len && base[len] == '/' && !strpbrk(base, "?# \t\r\n");
	}
	return false;
}

void metadata_init(struct metadata *m, const char *base)
{
	*m = (struct metadata){
		.base = base,
		.deadline = clock_now() + fault_ms(ALL_MS) * CLOCK_MS,
	};
}

static unsigned int left_ms(const struct metadata *m)
{
	__u64 now = clock_now();

	return now < m->deadline ? (m->deadline - now) / CLOCK_MS : 0;
}

/* ---- one question -------------------------------------------------------- */

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;

	if (body->len + size * n > ANSWER_MAX)
		return 0;
	return buf_add(body, data, size * n) ? 0 : size * n;
}

static int set_options(CURL *curl, const char *url, const char *method,
		       struct curl_slist *headers, unsigned int ms)
{
	unsigned int connect = fault_ms(CONNECT_MS);
	CURLcode c = curl_easy_setopt(curl, CURLOPT_URL, url);

	c = c ?: curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	/* PUT with an empty body, so with a length. */
	if (!strcmp(method, "PUT"))
		c = c ?: curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	c = c ?: curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	c = c ?: curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	c = c ?: curl_easy_setopt(curl, CURLOPT_PROXY, "");
	c = c ?: curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	c = c ?: curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	c = c
		    ?: curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
					(long)(connect < ms ? connect : ms));
	c = c ?: curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ms);
	c = c
		    ?: curl_easy_setopt(curl, CURLOPT_USERAGENT,
					"smcmesh/" SMCMESH_VERSION);
	return c ? -ENOMEM : 0;
}

static int say_curl(CURLcode code, const char *url, const char *error,
		    struct buf *why)
{
	if (code == CURLE_WRITE_ERROR) {
		buf_printf(why, "%s: the answer is longer than %d bytes", url,
			   ANSWER_MAX);
		return -EMSGSIZE;
	}
	buf_printf(why, "%s: %s", url,
		   *error ? error : curl_easy_strerror(code));
	return -EIO;
}

/* Return: 0: there is an answer of whatever status; -EIO: none came; or another
 * negative errno. */
static int ask_once(const struct metadata *m, const char *method,
		    const char *url, const char *header, struct answer *a,
		    struct buf *why)
{
	unsigned int one = fault_ms(ONE_MS), left = left_ms(m);
	_cleanup_(slist_free) struct curl_slist *headers = NULL;
	_cleanup_(easy_cleanup) CURL *curl = curl_easy_init();
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code;

	headers = curl_slist_append(NULL, header ?: "Accept: text/plain");
	if (!left) {
		buf_printf(why, "%s: no answer in time", url);
		return -ETIMEDOUT;
	}
	if (!curl || !headers ||
	    set_options(curl, url, method, headers, one < left ? one : left))
		return -ENOMEM;
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a->body);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return say_curl(code, url, error, why);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
	return 0;
}

static void pause_ms(unsigned int ms)
{
	struct timespec t = {.tv_sec = ms / 1000,
			     .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

static bool is_passing(int err, const struct answer *a)
{
	return err ? err == -EIO
		   : a->status == HTTP_TOO_MANY || a->status >= 500;
}

static int ask(const struct metadata *m, const char *method, const char *url,
	       const char *header, struct answer *a, struct buf *why)
{
	int err = 0;

	for (int i = 0; i < TRIES; i++) {
		if (i)
			pause_ms(fault_ms(AGAIN_MS << (i - 1)));
		buf_free(why);
		answer_free(a);
		err = ask_once(m, method, url, header, a, why);
		if (!is_passing(err, a))
			break;
	}
	return err;
}

static int say_status(const char *url, long status, struct buf *why)
{
	buf_printf(why, "%s answers %ld%s", url, status,
		   status / 100 == 3 ? ", a redirect, which is not followed"
				     : "");
	return status == HTTP_NOT_FOUND ? -ENOENT : -EPROTO;
}

/* The answer as one line of text. */
static int trim(const char *url, struct buf *body, struct buf *why)
{
	while (body->len && isspace((unsigned char)body->data[body->len - 1]))
		body->data[--body->len] = '\0';
	if (body->len && strlen(body->data) == body->len)
		return 0;
	buf_printf(why, "%s: the answer %s", url,
		   body->len ? "has NUL bytes" : "is empty");
	return -EPROTO;
}

/* ---- the token ----------------------------------------------------------- */

/* It goes into a header of ours. */
static int take_token(struct metadata *m, const char *url, struct answer *a,
		      struct buf *why)
{
	int err = trim(url, &a->body, why);

	for (size_t i = 0; i < a->body.len && !err; i++)
		if (!isgraph((unsigned char)a->body.data[i]))
			err = -EPROTO;
	if (!err && a->body.len >= sizeof(m->token))
		err = -EPROTO;
	if (err && !why->len)
		buf_printf(why, "%s: the answer is no token", url);
	if (!err)
		strcpy(m->token, a->body.data);
	return err;
}

static int want_token(struct metadata *m, struct buf *why)
{
	_cleanup_(answer_free) struct answer a = {};
	_buf_ struct buf url = {};
	size_t len = strlen(m->base);
	int err;

	if (m->plain || *m->token)
		return 0;
	/* Beside the last part of the base's path. */
	while (len && m->base[len - 1] == '/')
		len--;
	while (len && m->base[len - 1] != '/')
		len--;
	if (buf_printf(&url, "%.*s%s", (int)(len ? len - 1 : 0), m->base,
		       TOKEN_PATH))
		return -ENOMEM;
	err = ask(m, "PUT", url.data, TOKEN_LIFE, &a, why);
	if (err)
		return err;
	if (a.status == HTTP_NOT_FOUND || a.status == HTTP_NO_METHOD) {
		m->plain = true;
		return 0;
	}
	if (a.status != 200)
		return say_status(url.data, a.status, why);
	return take_token(m, url.data, &a, why);
}

/* ---- what a NIC has ------------------------------------------------------ */

static int get_once(struct metadata *m, const char *url, struct answer *a,
		    struct buf *why)
{
	char header[sizeof(TOKEN_HEADER) + sizeof(m->token)];
	int err = want_token(m, why);

	if (err)
		return err;
	snprintf(header, sizeof(header), TOKEN_HEADER "%s", m->token);
	return ask(m, "GET", url, m->plain ? NULL : header, a, why);
}

/* Return: 0 with the answer in @out; -ENOENT: the service has no such thing; or
 * another negative errno. */
static int get(struct metadata *m, const char *mac, const char *what,
	       struct buf *out, struct buf *why)
{
	_cleanup_(answer_free) struct answer a = {};
	_buf_ struct buf url = {};
	size_t len = strlen(m->base);
	int err;

	while (len && m->base[len - 1] == '/')
		len--;
	if (buf_printf(&url, "%.*s/network/interfaces/macs/%s/%s", (int)len,
		       m->base, mac, what))
		return -ENOMEM;
	err = get_once(m, url.data, &a, why);
	if (!err && a.status == HTTP_NO_TOKEN && !m->plain) {
		*m->token = '\0';
		err = get_once(m, url.data, &a, why);
	}
	if (err)
		return err;
	if (a.status != 200)
		return say_status(url.data, a.status, why);
	err = trim(url.data, &a.body, why);
	return err ?: buf_add(out, a.body.data, a.body.len);
}

typedef int (*take_fn)(struct nic_want *w, const char *text, struct buf *why);

static int get_part(struct metadata *m, const char *mac, const char *what,
		    take_fn fn, struct nic_want *w, struct buf *why)
{
	_buf_ struct buf text = {}, wrong = {};
	int err = get(m, mac, what, &text, why);

	if (err)
		return err;
	err = fn(w, text.data, &wrong);
	if (err)
		buf_printf(why, "the metadata service's %s: %s", what,
			   wrong.data ?: "no memory");
	return err;
}

/* It may be missing; then @missing is tried, or nothing. */
static int get_subnet(struct metadata *m, const char *mac, struct nic_want *w,
		      struct buf *why)
{
	int err = get_part(m, mac, "netmask", nic_want_netmask, w, why);

	if (err != -ENOENT)
		return err;
	buf_free(why);
	return get_part(m, mac, "vswitch-cidr-block", nic_want_block, w, why);
}

static int get_gateway(struct metadata *m, const char *mac, struct nic_want *w,
		       struct buf *why)
{
	int err = get_part(m, mac, "gateway", nic_want_gateway, w, why);

	if (err != -ENOENT)
		return err;
	buf_free(why);
	return 0;
}

int metadata_nic(struct metadata *m, const char *mac, struct nic_want *out,
		 struct buf *why)
{
	_buf_ struct buf text = {};
	struct nic_want w = {};
	int err;

	err = get_part(m, mac, "primary-ip-address", nic_want_address, &w,
		       &text);
	if (err == -ENOENT)
		buf_printf(
			&text,
			": it knows no NIC with this address; is it attached to this instance?");
	err = err ?: get_subnet(m, mac, &w, &text);
	err = err ?: get_gateway(m, mac, &w, &text);
	if (!err) {
		err = nic_want_check(&w, &text);
		if (!err)
			*out = w;
	}
	if (err)
		buf_printf(why, "%s", text.data ?: strerror(-err));
	return err;
}
