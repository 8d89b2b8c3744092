// SPDX-License-Identifier: Apache-2.0
/* The HTTP server on its loop, with clients in the same thread: they write and
 * read without blocking while the loop turns. */
#include "unit.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "serve/http.h"

static struct server {
	uv_loop_t loop;
	struct http *http;
	struct http_feed *feed;
	char dir[32], path[64];
} s;

static void get_text(struct MHD_Connection *request, struct http_reply *reply,
		     void *arg)
{
	const char *name = http_query(request, "name");

	assert_ptr_equal(arg, &s);
	buf_printf(&reply->body, "hello %s", name ? name : "nobody");
}

static void get_feed(struct MHD_Connection *request, struct http_reply *reply,
		     void *arg)
{
	reply->feed = s.feed;
}

static const struct http_route routes[] = {
	{.path = "/text", .run = get_text},
	{.path = "/do", .run = get_text, .post = true},
	{.path = "/feed", .run = get_feed},
	{}};

static int up(void **state)
{
	int fd;

	strcpy(s.dir, "/tmp/test_http.XXXXXX");
	assert_non_null(mkdtemp(s.dir));
	snprintf(s.path, sizeof(s.path), "%s/sock", s.dir);
	assert_int_equal(uv_loop_init(&s.loop), 0);
	s.feed = http_feed_new();
	fd = http_listen_unix(s.path);
	assert_true(fd >= 0);
	assert_int_equal(http_start(&s.loop, fd, routes, &s, &s.http), 0);
	return 0;
}

static int down(void **state)
{
	http_stop(s.http);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s.loop), 0);
	http_feed_free(s.feed);
	unlink(s.path);
	rmdir(s.dir);
	return 0;
}

static int client(const char *request)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(un.sun_path, s.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(write(fd, request, strlen(request)),
			 (ssize_t)strlen(request));
	return fd;
}

/* Turn the loop until @fd has sent @part, or its end if @part is NULL. */
static void expect(int fd, const char *part)
{
	char text[65536] = "";
	size_t len = 0;

	for (int turn = 0; turn < 10000; turn++) {
		ssize_t n;

		uv_run(&s.loop, UV_RUN_NOWAIT);
		n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n > 0)
			len += n;
		text[len] = '\0';
		if (part ? strstr(text, part) != NULL : !n)
			return;
		if (n < 0)
			usleep(100);
	}
	fail_msg("never came: %s; but: %s", part ? part : "the end", text);
}

static void turn_until_readers(unsigned int n)
{
	for (int turn = 0; turn < 10000; turn++) {
		uv_run(&s.loop, UV_RUN_NOWAIT);
		if (http_feed_readers(s.feed) == n)
			return;
		usleep(100);
	}
	fail_msg("%u readers, not %u", http_feed_readers(s.feed), n);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_answers(void **state)
{
	int fd = client(GET("/text"));
	struct stat st;

	expect(fd, "\r\n\r\nhello nobody");
	/* the connection is kept for the next request */
	assert_true(write(fd, GET("/text?name=you"),
			  strlen(GET("/text?name=you"))) > 0);
	expect(fd, "hello you");
	close(fd);
	fd = client(GET("/nothing"));
	expect(fd, "404 Not Found");
	close(fd);
	fd = client(
		"POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
		"abc");
	expect(fd, "405 Method Not Allowed");
	close(fd);
	/* what does something is not done by looking at it */
	fd = client(GET("/do?name=you"));
	expect(fd, "only POST");
	close(fd);
	fd = client("POST /do?name=you HTTP/1.1\r\nHost: x\r\n"
		    "Content-Length: 0\r\n\r\n");
	expect(fd, "hello you");
	close(fd);
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_feed_reaches_every_reader(void **state)
{
	int a = client(GET("/feed")), b = client(GET("/feed"));

	expect(a, "200 OK");
	expect(b, "200 OK");
	turn_until_readers(2);
	assert_int_equal(http_feed_publish(s.feed, "first\n", 6), 0);
	expect(a, "first\n");
	assert_int_equal(http_feed_publish(s.feed, "second\n", 7), 0);
	assert_int_equal(http_feed_publish(s.feed, "third\n", 6), 0);
	expect(a, "third\n");
	expect(b, "third\n");
	/* one goes: it is found out by the sweep, the other reads on */
	close(a);
	http_feed_sweep(s.feed);
	turn_until_readers(1);
	http_feed_publish(s.feed, "fourth\n", 7);
	expect(b, "fourth\n");
	http_feed_sweep(s.feed);
	turn_until_readers(1);
	close(b);
}

static void test_slow_reader_misses_and_nobody_waits(void **state)
{
	static char chunk[65536];
	int slow = client(GET("/feed")), fd;
	unsigned int missed = 0;

	turn_until_readers(1);
	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 64; i++) { /* 4 MiB */
		missed += http_feed_publish(s.feed, chunk, sizeof(chunk));
		uv_run(&s.loop, UV_RUN_NOWAIT);
	}
	assert_true(missed > 0 && missed < 64);
	fd = client(GET("/text"));
	expect(fd, "hello");
	close(fd);
	close(slow);
}

static void test_too_many_readers(void **state)
{
	int fd[17];

	for (int i = 0; i < 16; i++)
		fd[i] = client(GET("/feed"));
	turn_until_readers(16);
	fd[16] = client(GET("/feed"));
	expect(fd[16], "503 Service Unavailable");
	for (int i = 0; i < 17; i++)
		close(fd[i]);
}

/* Readers are suspended connections, over which libmicrohttpd would abort. */
static void test_stop_ends_the_streams(void **state)
{
	int a, b;

	up(state);
	a = client(GET("/feed"));
	b = client("GET /te");
	turn_until_readers(1);
	expect(a, "200 OK");
	http_stop(s.http);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	assert_int_equal(http_feed_readers(s.feed), 0);
	assert_int_equal(uv_loop_close(&s.loop), 0);
	http_feed_free(s.feed);
	unlink(s.path);
	rmdir(s.dir);
	close(a);
	close(b);
}

static void test_addresses(void **state)
{
	static const char *const good[] = {"127.0.0.1:9469", "[::1]:0",
					   "0.0.0.0:65535"};
	static const char *const bad[] = {"",
					  "9469",
					  ":9469",
					  "127.0.0.1:",
					  "::1:80",
					  "127.0.0.1:65536",
					  "127.0.0.1:080x",
					  "localhost:80",
					  "127.0.0.1:-1"};

	for (size_t i = 0; i < array_size(good); i++)
		assert_int_equal(http_address_check(good[i]), 0);
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(http_address_check(bad[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, up, down),
		cmocka_unit_test_setup_teardown(test_feed_reaches_every_reader,
						up, down),
		cmocka_unit_test_setup_teardown(
			test_slow_reader_misses_and_nobody_waits, up, down),
		cmocka_unit_test_setup_teardown(test_too_many_readers, up,
						down),
		cmocka_unit_test(test_stop_ends_the_streams),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
