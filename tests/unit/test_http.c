// SPDX-License-Identifier: Apache-2.0
/* The HTTP server on its loop, with clients in the same thread: they write and
 * read without blocking while the loop turns. */
#include "http_talk.h"

#include <sys/stat.h>
#include "serve/http.h"

static struct server {
	uv_loop_t loop;
	struct http *http;
	struct http_feed *feed;
	char dir[32], path[64];
	unsigned int readers_freed;
	struct {
		size_t pieces, size; /* of each answer */
		size_t fail_at;	     /* SIZE_MAX: never */
		size_t made, freed;  /* in all */
	} stream;
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

static bool starts_so(const void *item, void *arg)
{
	return *(const char *)item == *(const char *)arg;
}

static void free_reader(void *arg)
{
	s.readers_freed++;
	free(arg);
}

static void get_part_of_feed(struct MHD_Connection *request,
			     struct http_reply *reply, void *arg)
{
	reply->feed = s.feed;
	reply->reader = (struct http_reader){starts_so, free_reader,
					     strdup(http_query(request, "of"))};
}

static bool say_value(const char *key, const char *value, void *arg)
{
	buf_printf(arg, "(%s)=(%s);", key, value);
	return strcmp(key, "end") != 0;
}

static void get_query(struct MHD_Connection *request, struct http_reply *reply,
		      void *arg)
{
	http_query_each(request, say_value, &reply->body);
	buf_printf(&reply->body, ".");
}

static void say_missed(__u64 n, struct buf *out)
{
	buf_printf(out, "<%llu missed>", n);
}

static int next_piece(struct buf *out, void *arg)
{
	size_t *next = arg;

	assert_int_equal(out->len, 0);
	if (*next == s.stream.fail_at)
		return -EIO;
	s.stream.made++;
	for (size_t i = 0; i < s.stream.size; i++)
		buf_add(out, &"abcdefghijklmnopqrstuvwxyz"[*next % 26], 1);
	return ++*next < s.stream.pieces;
}

static void end_stream(void *arg)
{
	s.stream.freed++;
	free(arg);
}

static void get_stream(struct MHD_Connection *request, struct http_reply *reply,
		       void *arg)
{
	reply->stream = (struct http_stream){next_piece, end_stream,
					     calloc(1, sizeof(size_t))};
}

static const struct http_route routes[] = {
	{.path = "/text", .run = get_text},
	{.path = "/do", .run = get_text, .post = true},
	{.path = "/feed", .run = get_feed},
	{.path = "/part", .run = get_part_of_feed},
	{.path = "/query", .run = get_query},
	{.path = "/stream", .run = get_stream},
	{}};

static int up(void **state)
{
	int fd;

	memset(&s, 0, sizeof(s));
	s.stream.pieces = 2000;
	s.stream.size = 4000;
	s.stream.fail_at = SIZE_MAX;
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
	return http_talk(s.path, request);
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

static void test_requests_are_answered_by_path_and_method(void **state)
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
	assert_int_equal(http_feed_publish(s.feed, NULL, "first\n", 6), 0);
	expect(a, "first\n");
	assert_int_equal(http_feed_publish(s.feed, NULL, "second\n", 7), 0);
	assert_int_equal(http_feed_publish(s.feed, NULL, "third\n", 6), 0);
	expect(a, "third\n");
	expect(b, "third\n");
	/* one goes: it is found out by the sweep, the other reads on */
	close(a);
	http_feed_sweep(s.feed);
	turn_until_readers(1);
	http_feed_publish(s.feed, NULL, "fourth\n", 7);
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
		missed += http_feed_publish(s.feed, NULL, chunk, sizeof(chunk));
		uv_run(&s.loop, UV_RUN_NOWAIT);
	}
	assert_true(missed > 0 && missed < 64);
	fd = client(GET("/text"));
	expect(fd, "hello");
	close(fd);
	close(slow);
}

static void test_reader_gets_what_it_wants_and_what_is_for_all(void **state)
{
	int a = client(GET("/part?of=a")), b = client(GET("/part?of=b"));

	turn_until_readers(2);
	assert_int_equal(http_feed_publish(s.feed, "ab", "[to a]", 6), 0);
	assert_int_equal(http_feed_publish(s.feed, "ba", "[to b]", 6), 0);
	assert_int_equal(http_feed_publish(s.feed, "c", "[to c]", 6), 0);
	assert_int_equal(http_feed_publish(s.feed, NULL, "[all]", 5), 0);
	/* each text is a chunk's; what came before it is in one with it */
	expect(a, "[to a][all]");
	expect(b, "[to b][all]");
	assert_int_equal(s.readers_freed, 0);
	close(a);
	http_feed_sweep(s.feed);
	turn_until_readers(1);
	assert_int_equal(s.readers_freed, 1);
	close(b);
}

static void test_slow_reader_is_told_how_much_it_missed(void **state)
{
	static char chunk[65536];
	char says[64];
	int slow = client(GET("/part?of=x"));
	unsigned int missed = 0;

	http_feed_tell_missed(s.feed, say_missed);
	turn_until_readers(1);
	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 64; i++) {
		missed +=
			http_feed_publish(s.feed, chunk, chunk, sizeof(chunk));
		/* what it does not want it does not miss */
		assert_int_equal(
			http_feed_publish(s.feed, "y", chunk, sizeof(chunk)),
			0);
		uv_run(&s.loop, UV_RUN_NOWAIT);
	}
	assert_true(missed > 0 && missed < 64);
	for (int turn = 0; turn < 10000; turn++) { /* it catches up */
		uv_run(&s.loop, UV_RUN_NOWAIT);
		while (read(slow, chunk, sizeof(chunk)) > 0)
			;
	}
	snprintf(says, sizeof(says), "<%u missed>next", missed);
	assert_int_equal(http_feed_publish(s.feed, NULL, "next", 4), 0);
	expect(slow, says);
	/* once */
	assert_int_equal(http_feed_publish(s.feed, NULL, "[after]", 7), 0);
	expect(slow, "\r\n[after]");
	close(slow);
}

static void test_every_parameter_is_handed_over_decoded(void **state)
{
	int fd = client(GET("/query?a=1&b&a=%2f%3D&c="));

	expect(fd, "(a)=(1);(b)=();(a)=(/=);(c)=();.");
	close(fd);
	fd = client(GET("/query?end=1&more=2"));
	expect(fd, "(end)=(1);.");
	close(fd);
}

static void test_reader_beyond_the_limit_gets_503(void **state)
{
	int fd[17];

	for (int i = 0; i < 16; i++)
		fd[i] = client(GET("/feed"));
	turn_until_readers(16);
	fd[16] = client(GET("/part?of=a"));
	expect(fd[16], "503 Service Unavailable");
	assert_int_equal(s.readers_freed, 1);
	for (int i = 0; i < 17; i++)
		close(fd[i]);
}

/* ---- streams ------------------------------------------------------------- */

static size_t made_before, most_a_turn;

static void turned(void)
{
	if (s.stream.made - made_before > most_a_turn)
		most_a_turn = s.stream.made - made_before;
	made_before = s.stream.made;
}

/* What a large answer takes is one piece, and what it holds up one turn. */
static void test_stream_is_made_as_it_is_read(void **state)
{
	int fd = client(GET("/stream"));
	size_t len;
	char *text;
	bool whole;

	/* nobody reads: it is not made either, beyond the socket's buffers */
	for (int turn = 0; turn < 1000; turn++)
		uv_run(&s.loop, UV_RUN_NOWAIT);
	assert_in_range(s.stream.made, 1, s.stream.pieces / 4);
	assert_int_not_equal(uv_backend_timeout(&s.loop), 0); /* nor asked */
	made_before = s.stream.made;
	most_a_turn = 0;
	text = http_read(&s.loop, fd, turned, &len, &whole);
	assert_true(whole);
	assert_int_equal(len, s.stream.pieces * s.stream.size);
	for (size_t i = 0; i < len; i++)
		if (text[i] != 'a' + (char)(i / s.stream.size % 26))
			fail_msg("byte %zu is %c", i, text[i]);
	/* a turn is a few runs: for the socket, for the timer, the next one */
	assert_in_range(most_a_turn, 1, 3);
	assert_int_equal(s.stream.freed, 1);
	free(text);
	/* the connection goes on */
	assert_true(write(fd, GET("/text"), strlen(GET("/text"))) > 0);
	expect(fd, "hello nobody");
	close(fd);
}

/* HTTP/1.0 knows no chunks: the end is that of the connection. */
static void test_stream_to_http_1_0_ends_with_the_connection(void **state)
{
	int fd;
	size_t len;
	bool whole;
	char *text;

	s.stream.pieces = 3;
	s.stream.size = 2;
	fd = client("GET /stream HTTP/1.0\r\nHost: x\r\n\r\n");
	text = calloc(1, 65536);
	for (len = 0; !strstr(text, "aabbcc");) {
		ssize_t n;

		uv_run(&s.loop, UV_RUN_NOWAIT);
		n = read(fd, text + len, 65535 - len);
		assert_true(n);
		len += n > 0 ? n : 0;
	}
	assert_says(text, "\r\n\r\naabbcc");
	free(text);
	free(http_read(&s.loop, fd, NULL, &len, &whole));
	assert_int_equal(s.stream.freed, 1);
	close(fd);
}

/* Others are answered meanwhile, and one that fails is not taken for whole. */
static void test_stream_that_fails_is_not_taken_for_whole(void **state)
{
	int fd, other;
	size_t len;
	bool whole;

	s.stream.fail_at = 1000;
	fd = client(GET("/stream"));
	expect(fd, "200 OK");
	other = client(GET("/text"));
	expect(other, "hello nobody");
	close(other);
	free(http_read(&s.loop, fd, NULL, &len, &whole));
	assert_false(whole);
	assert_true(len < 1000 * s.stream.size);
	assert_int_equal(s.stream.freed, 1);
	close(fd);
}

static void test_stream_beyond_the_limit_gets_503(void **state)
{
	int fd[5];

	for (int i = 0; i < 4; i++) {
		fd[i] = client(GET("/stream"));
		expect(fd[i], "200 OK");
	}
	fd[4] = client(GET("/stream"));
	expect(fd[4], "503 Service Unavailable");
	assert_int_equal(s.stream.freed, 1);
	close(fd[4]);
	/* who goes away makes room */
	close(fd[0]);
	for (int turn = 0; turn < 10000 && s.stream.freed < 2; turn++)
		uv_run(&s.loop, UV_RUN_NOWAIT);
	assert_int_equal(s.stream.freed, 2);
	fd[0] = client(GET("/stream"));
	expect(fd[0], "200 OK");
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	/* the others end with the server: ASan sees whether all are freed */
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

static void test_only_addresses_with_a_port_are_listened_at(void **state)
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
		cmocka_unit_test_setup_teardown(
			test_requests_are_answered_by_path_and_method, up,
			down),
		cmocka_unit_test_setup_teardown(test_feed_reaches_every_reader,
						up, down),
		cmocka_unit_test_setup_teardown(
			test_slow_reader_misses_and_nobody_waits, up, down),
		cmocka_unit_test_setup_teardown(
			test_reader_gets_what_it_wants_and_what_is_for_all, up,
			down),
		cmocka_unit_test_setup_teardown(
			test_slow_reader_is_told_how_much_it_missed, up, down),
		cmocka_unit_test_setup_teardown(
			test_every_parameter_is_handed_over_decoded, up, down),
		cmocka_unit_test_setup_teardown(
			test_reader_beyond_the_limit_gets_503, up, down),
		cmocka_unit_test_setup_teardown(
			test_stream_is_made_as_it_is_read, up, down),
		cmocka_unit_test_setup_teardown(
			test_stream_to_http_1_0_ends_with_the_connection, up,
			down),
		cmocka_unit_test_setup_teardown(
			test_stream_that_fails_is_not_taken_for_whole, up,
			down),
		cmocka_unit_test_setup_teardown(
			test_stream_beyond_the_limit_gets_503, up, down),
		cmocka_unit_test(test_stop_ends_the_streams),
		cmocka_unit_test(
			test_only_addresses_with_a_port_are_listened_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
