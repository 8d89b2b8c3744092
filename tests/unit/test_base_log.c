// SPDX-License-Identifier: Apache-2.0
/* base/log: what a line looks like, and that each is one write. */
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_line.h"

/* stderr goes into a datagram socket: each write() is one message there. */
struct tap {
	int reader, saved;
};

static int setup(void **state)
{
	struct tap *t = calloc(1, sizeof(*t));
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	t->saved = dup(STDERR_FILENO);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	t->reader = ends[0];
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tap *t = *state;

	dup2(t->saved, STDERR_FILENO);
	close(t->saved);
	close(t->reader);
	free(t);
	log_level_set(LOG_INFO);
	return 0;
}

/* The next write, "" if there is none. */
static const char *next(struct tap *t)
{
	static char text[4096];
	ssize_t n = recv(t->reader, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void line_says_level_and_error(void **state)
{
	struct tap *t = *state;

	assert_int_equal(log_err(-ENOENT, "open %s", "x"), -ENOENT);
	assert_string_equal(next(t),
			    "error: open x: No such file or directory\n");
	assert_int_equal(log_warn(0, "odd, n=%d", 3), 0);
	assert_string_equal(next(t), "warning: odd, n=3\n");
	log_info("hello");
	assert_string_equal(next(t), "info: hello\n");
	assert_string_equal(next(t), "");
}

static void lines_below_the_level_are_dropped(void **state)
{
	struct tap *t = *state;

	log_debug("not yet");
	assert_string_equal(next(t), "");
	log_level_set(LOG_DEBUG);
	log_debug("now");
	assert_string_equal(next(t), "debug: now\n");
	log_level_set(LOG_ERR);
	assert_int_equal(log_warn(-EPERM, "dropped"), -EPERM);
	assert_string_equal(next(t), "");
	log_err(0, "kept");
	assert_string_equal(next(t), "error: kept\n");
}

/* Lines of helper processes on the same stderr must not mix. */
static void long_line_is_one_write_with_its_end(void **state)
{
	struct tap *t = *state;
	char text[3000];
	const char *got;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_err(-EIO, "%s", text);
	got = next(t);
	assert_in_range(strlen(got), 1000, 1100);
	assert_says(got, "aaaa");
	assert_string_equal(got + strlen(got) - 21, ": Input/output error\n");
	assert_string_equal(next(t), "");
}

static void control_characters_in_a_line_are_replaced(void **state)
{
	struct tap *t = *state;

	log_err(0, "two\nlines and \x1b[31mcolour\x7f");
	assert_string_equal(next(t), "error: two lines and ?[31mcolour?\n");
}

static void logging_leaves_errno_alone(void **state)
{
	struct tap *t = *state;

	errno = EXDEV;
	log_err(-EIO, "x");
	assert_int_equal(errno, EXDEV);
	log_debug("dropped");
	assert_int_equal(errno, EXDEV);
	next(t);
}

/* ---- formats --------------------------------------------------------------
 */

/* What a line is in this format, until the next call. */
static const char *formatted(enum log_format format, bool journal,
			     const char *text, const char *value)
{
	const struct log_field fields[] = {
		{"pod", "web-0", .said = true},
		{.key = "reason", .value = value},
		{},
	};
	/* 2025-03-01T12:00:00Z, and 7 ms */
	const struct log_line line = {.format = format,
				      .journal = journal,
				      .time_ms = 1740830400007,
				      .level = LOG_WARN,
				      .err = -ENOENT,
				      .text = text,
				      .fields = value ? fields : NULL};
	static struct buf out;

	buf_drop(&out, out.len);
	assert_int_equal(log_line_format(&line, &out), 0);
	return out.data;
}

static void each_format_has_time_level_error_and_fields(void **state)
{
	assert_string_equal(
		formatted(LOG_TEXT, false, "odd", "no-room"),
		"2025-03-01T12:00:00.007Z warning: odd: No such file or "
		"directory, reason=no-room\n");
	assert_string_equal(
		formatted(LOG_LOGFMT, false, "odd", "no-room"),
		"time=2025-03-01T12:00:00.007Z level=warning msg=odd "
		"error=\"No such file or directory\" pod=web-0 "
		"reason=no-room\n");
	assert_string_equal(
		formatted(LOG_JSON, false, "odd", "no-room"),
		"{\"time\":\"2025-03-01T12:00:00.007Z\",\"level\":"
		"\"warning\",\"msg\":\"odd\",\"error\":\"No such file "
		"or directory\",\"pod\":\"web-0\",\"reason\":"
		"\"no-room\"}\n");
}

static void the_journal_keeps_the_time_and_gets_the_level(void **state)
{
	assert_string_equal(formatted(LOG_TEXT, true, "odd", NULL),
			    "<4>warning: odd: No such file or directory\n");
	assert_string_equal(formatted(LOG_LOGFMT, true, "odd", NULL),
			    "<4>level=warning msg=odd error=\"No such file or "
			    "directory\"\n");
	assert_string_equal(
		formatted(LOG_JSON, true, "odd", NULL),
		"<4>{\"level\":\"warning\",\"msg\":\"odd\",\"error\":"
		"\"No such file or directory\"}\n");
}

static void values_are_escaped(void **state)
{
	static const struct {
		const char *given, *pair, *quoted;
	} rows[] = {
		{"plain", "plain", "\"plain\""},
		{"two words", "\"two words\"", "\"two words\""},
		{"", "\"\"", "\"\""},
		{"a=b", "\"a=b\"", "\"a=b\""},
		{"say \"x\"", "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\""},
		{"a\\b", "\"a\\\\b\"", "\"a\\\\b\""},
		{"a\nlevel=x", "\"a\\nlevel=x\"", "\"a\\nlevel=x\""},
		{"\x1b[2J\t", "\"\\u001B[2J\\t\"", "\"\\u001B[2J\\t\""},
		{"\xc3\xa4", "\"\\u00E4\"", "\"\\u00E4\""},
		{"\xff", "\"\\uFFFD\"", "\"\\uFFFD\""},
		/* cut in the middle of a character */
		{"a\xc3", "\"a\\uFFFD\"", "\"a\\uFFFD\""},
	};
	char want[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *got =
			formatted(LOG_LOGFMT, false, "t", rows[i].given);

		snprintf(want, sizeof(want), " reason=%s\n", rows[i].pair);
		assert_says(got, want);
		got = formatted(LOG_LOGFMT, false, rows[i].given, NULL);
		snprintf(want, sizeof(want), " msg=%s error=", rows[i].pair);
		assert_says(got, want);
		got = formatted(LOG_JSON, false, "t", rows[i].given);
		snprintf(want, sizeof(want), ",\"reason\":%s}\n",
			 rows[i].quoted);
		assert_says(got, want);
		got = formatted(LOG_TEXT, false, "t", rows[i].given);
		snprintf(want, sizeof(want), ", reason=%s\n", rows[i].pair);
		assert_says(got, want);
	}
}

static void words_are_levels_and_formats(void **state)
{
	enum log_level level = LOG_WARN;
	enum log_format format = LOG_JSON;

	for (int i = LOG_ERR; i <= LOG_DEBUG; i++) {
		assert_true(log_level_parse(log_level_word(i), &level));
		assert_int_equal(level, i);
		assert_says(LOG_LEVELS, log_level_word(i));
	}
	assert_false(log_level_parse("loud", &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_false(log_format_parse("xml", &format));
	assert_int_equal(format, LOG_JSON);
	assert_true(log_format_parse("logfmt", &format));
	assert_int_equal(format, LOG_LOGFMT);
}

/* The last test: there is no way back. */
static void line_is_dropped_the_second_time_if_so_told(void **state)
{
	struct tap *t = *state;

	log_err(-EIO, "again");
	log_err(-EIO, "again");
	assert_string_equal(next(t), "error: again: Input/output error\n");
	assert_string_equal(next(t), "error: again: Input/output error\n");
	log_each_once();
	for (int i = 0; i < 3; i++) {
		log_err(-EIO, "again");
		log_err(-EPERM, "again");
	}
	assert_string_equal(next(t), "error: again: Input/output error\n");
	assert_string_equal(next(t), "error: again: Operation not permitted\n");
	assert_string_equal(next(t), "");
	/* more than it remembers are rather said twice than not at all */
	for (int i = 0; i < 2 * LOG_ONCE_MAX; i++) {
		log_info("n=%d", i);
		assert_says(next(t), "n=");
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(line_says_level_and_error),
		TEST(lines_below_the_level_are_dropped),
		TEST(long_line_is_one_write_with_its_end),
		TEST(control_characters_in_a_line_are_replaced),
		TEST(logging_leaves_errno_alone),
		cmocka_unit_test(each_format_has_time_level_error_and_fields),
		cmocka_unit_test(the_journal_keeps_the_time_and_gets_the_level),
		cmocka_unit_test(values_are_escaped),
		cmocka_unit_test(words_are_levels_and_formats),
		TEST(line_is_dropped_the_second_time_if_so_told),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
