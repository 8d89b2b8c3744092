// SPDX-License-Identifier: Apache-2.0
/* base/buf, base/array and base/strv: strings, arrays and lists that grow. */
#include "unit.h"

#include <limits.h>
#include "base/array.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

static void text_is_appended(void **state)
{
	struct buf b = {0};

	assert_int_equal(buf_add(&b, "ab", 2), 0);
	assert_string_equal(b.data, "ab");
	assert_int_equal(buf_printf(&b, "%d-%s", 7, "x"), 0);
	assert_string_equal(b.data, "ab7-x");
	assert_int_equal(b.len, 5);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.len + b.room, 0);
	buf_free(&b);
}

static void bytes_may_be_any(void **state)
{
	struct buf b = {0};

	assert_int_equal(buf_add(&b, "a\0b", 3), 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
	buf_free(&b);
}

static void buffer_grows_past_every_boundary(void **state)
{
	struct buf b = {0};
	char chunk[997];

	memset(chunk, 'x', sizeof(chunk));
	for (size_t n = 0; n < 3000; n++) {
		size_t len = n % sizeof(chunk);

		assert_int_equal(
			n % 2 ? buf_add(&b, chunk, len)
			      : buf_printf(&b, "%.*s", (int)len, chunk),
			0);
		assert_int_equal(b.data[b.len], 0);
		assert_true(b.room > b.len);
	}
	assert_int_equal(strlen(b.data), b.len);
	assert_int_equal(strspn(b.data, "x"), b.len);
	buf_free(&b);
}

static void numbers_are_decimal(void **state)
{
	static const unsigned long long values[] = {
		0,	   1,	9,	    10,
		99,	   100, 4294967296, 9999999999999999999ULL,
		ULLONG_MAX};

	for (size_t i = 0; i < array_size(values); i++) {
		struct buf b = {0};
		char expected[32];

		snprintf(expected, sizeof(expected), "x%llu", values[i]);
		buf_add(&b, "x", 1);
		assert_int_equal(buf_add_number(&b, values[i]), 0);
		assert_string_equal(b.data, expected);
		buf_free(&b);
	}
}

static void exact_fit_has_room_for_its_end(void **state)
{
	for (size_t len = 250; len < 260; len++) {
		struct buf b = {0};
		char *text = malloc(len);

		memset(text, 'y', len);
		assert_int_equal(buf_add(&b, text, len), 0);
		assert_int_equal(strlen(b.data), len);
		free(text);
		buf_free(&b);
	}
}

static void taken_text_is_the_callers(void **state)
{
	struct buf b = {0};
	char *text;

	buf_printf(&b, "abc");
	text = buf_take(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	free(text);
	/* Nothing added is still a text. */
	text = buf_take(&b);
	assert_string_equal(text, "");
	free(text);
}

static void adding_nothing_leaves_an_empty_text(void **state)
{
	struct buf b = {0};

	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_string_equal(b.data, "");
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

/* A length that no allocation can have: refused, and every later call too. */
static void lack_of_memory_refuses_every_later_call(void **state)
{
	static const size_t absurd[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2,
					SIZE_MAX / 2 + 2};

	for (size_t i = 0; i < sizeof(absurd) / sizeof(*absurd); i++) {
		struct buf b = {0};

		assert_int_equal(buf_printf(&b, "a"), 0);
		assert_int_equal(buf_add(&b, "", absurd[i]), -ENOMEM);
		assert_string_equal(b.data, "a");
		assert_int_equal(buf_add(&b, "b", 1), -ENOMEM);
		assert_int_equal(buf_printf(&b, "b"), -ENOMEM);
		assert_null(buf_take(&b));
		assert_int_equal(b.err, -ENOMEM);
		buf_free(&b);
		assert_int_equal(b.err, 0);
	}
}

static void arrays_keep_what_they_hold(void **state)
{
	struct item {
		size_t i;
		char pad[9];
	} *v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < 1000; i++) {
		struct item *item = array_push(v, n);

		assert_non_null(item);
		assert_ptr_equal(item, &v[i]);
		assert_int_equal(item->i, 0); /* zeroed */
		item->i = i + 1;
		memset(item->pad, 0xff, sizeof(item->pad));
	}
	assert_int_equal(n, 1000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(v[i].i, i + 1);
	free(v);
}

static void array_larger_than_any_memory_is_refused(void **state)
{
	/* volatile: the compiler would refuse such sizes where it sees them */
	volatile size_t half = (SIZE_MAX / 2) + 1, eighth = (size_t)1 << 61;
	int *v = malloc(4 * sizeof(*v));

	/* Never moved: the size that is asked for does not exist. */
	assert_null(array_room(v, half, sizeof(*v)));
	assert_null(array_room(NULL, eighth, 8));
	/* Between powers of two there is room already. */
	assert_ptr_equal(array_room(v, 3, sizeof(*v)), v);
	free(v);
}

static void lists_end_in_null_however_they_grow(void **state)
{
	_strv_ char **v = NULL;
	char name[] = "a";

	for (int n = 0; n < 20; n++) {
		name[0] = 'a' + n;
		assert_false(strv_has(v, name));
		assert_int_equal(strv_push(&v, name), 0);
		assert_true(strv_has(v, name));
		assert_true(strv_has(v, "a"));
		assert_null(v[n + 1]);
	}
	assert_ptr_not_equal(v[19], name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_appended),
		cmocka_unit_test(bytes_may_be_any),
		cmocka_unit_test(buffer_grows_past_every_boundary),
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(exact_fit_has_room_for_its_end),
		cmocka_unit_test(taken_text_is_the_callers),
		cmocka_unit_test(adding_nothing_leaves_an_empty_text),
		cmocka_unit_test(lack_of_memory_refuses_every_later_call),
		cmocka_unit_test(arrays_keep_what_they_hold),
		cmocka_unit_test(array_larger_than_any_memory_is_refused),
		cmocka_unit_test(lists_end_in_null_however_they_grow),
	};

	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
