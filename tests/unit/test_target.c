// SPDX-License-Identifier: Apache-2.0
/* user/cli/target.c: targets as people write them, and what is none. */
#include "unit.h"

#include "cli/target.h"

static void test_targets_are_host_and_port(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} rows[] = {
		{"db:3306", "db", "3306"},
		{"db.shop.svc.cluster.local:1", "db.shop.svc.cluster.local",
		 "1"},
		{"10.0.0.1:65535", "10.0.0.1", "65535"},
		{"[fd00::1]:80", "fd00::1", "80"},
		{"[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", "80"},
		{"http://web", "web", "80"},
		{"http://web/", "web", "80"},
		{"https://web/a/b?c=d#e", "web", "443"},
		{"HTTP://web:8080/a:b", "web", "8080"},
		{"https://user:pass@web:1/", "web", "1"},
		{"http://[fd00::1]", "fd00::1", "80"},
		{"https://[fd00::1]:8443/x", "fd00::1", "8443"},
		{"mysql://db:3306/shop", "db", "3306"},
		{"tcp://db:3306", "db", "3306"},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		_buf_ struct buf error = {};
		struct target t;

		if (target_parse(rows[i].text, &t, &error))
			fail_msg("%s: %s", rows[i].text, error.data);
		assert_string_equal(t.host, rows[i].host);
		assert_string_equal(t.port, rows[i].port);
		assert_int_equal(error.len, 0);
	}
}

static void test_what_is_no_target_is_refused_by_name(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "not nothing"},
		{"db", "the port is missing"},
		{"db:", "db:"},
		{":80", ":80"},
		{"db:0", "from 1 to 65535"},
		{"db:65536", "from 1 to 65535"},
		{"db:-1", "db:-1"},
		{"db:99999999999999999999", "from 1 to 65535"},
		{"db:http", "db:http"},
		{"db:80 ", "db:80 "},
		{"db:80/x", "db:80/x"},
		{"db:80?x", "db:80?x"},
		{"db:80#x", "db:80#x"},
		{"me@db:80", "me@db:80"},
		{"fd00::1:80", "fd00::1:80"},
		{"[fd00::1]", "the port is missing"},
		{"[fd00::1:80", "[fd00::1:80"},
		{"[fd00::zz]:80", "[fd00::zz]:80"},
		{"d b:80", "d b:80"},
		{"http://", "http://"},
		{"http://web:0/", "from 1 to 65535"},
		{"http://web:70000/", "from 1 to 65535"},
		{"ftp://web/", "the port is missing"},
		{"mysql://db/shop", "the port is missing"},
		{"://web:1", "://web:1"},
	};

	for (size_t i = 0; i < array_size(rows); i++) {
		_buf_ struct buf error = {};
		struct target t = {.host = "before"};

		if (!target_parse(rows[i].text, &t, &error))
			fail_msg("%s is %s:%s", rows[i].text, t.host, t.port);
		assert_says(error.data,
			    "expected HOST:PORT, [ADDRESS]:PORT or a URL, not");
		assert_says(error.data, rows[i].says);
		assert_string_equal(t.host, "before");
	}
}

static void test_host_that_is_too_long_is_refused(void **state)
{
	_buf_ struct buf error = {};
	struct target t;
	char text[400];

	memset(text, 'a', sizeof(text));
	strcpy(text + 255, ":80");
	assert_int_equal(target_parse(text, &t, &error), 0);
	memset(text, 'a', sizeof(text));
	strcpy(text + 256, ":80");
	assert_int_equal(target_parse(text, &t, &error), -EINVAL);
	assert_says(error.data, "too long");
}

static void test_addresses_resolve_to_themselves(void **state)
{
	static const char *const hosts[] = {"10.0.0.1", "fd00::1"};

	for (size_t i = 0; i < array_size(hosts); i++) {
		_buf_ struct buf error = {};
		struct target t = {.port = "80"};
		struct sockaddr_storage v[2];
		struct smc_addr a;
		size_t n;

		strcpy(t.host, hosts[i]);
		assert_int_equal(target_resolve(&t, 0, v, 2, &n, &error), 0);
		assert_int_equal(n, 1);
		assert_true(addr_from_sockaddr((struct sockaddr *)v, &a));
		assert_addr(a, hosts[i]);
	}
}

static void test_addresses_beyond_the_room_are_counted(void **state)
{
	_buf_ struct buf error = {};
	struct target t = {.host = "10.0.0.1", .port = "80"};
	struct sockaddr_storage v = {};
	size_t n;

	assert_int_equal(target_resolve(&t, 0, &v, 0, &n, &error), 0);
	assert_int_equal(n, 1);
	assert_int_equal(v.ss_family, 0);
}

static void test_name_that_does_not_resolve_is_said(void **state)
{
	/* no resolver is asked for it: a label may have 63 characters */
	struct target t = {.port = "80"};
	_buf_ struct buf error = {};
	struct sockaddr_storage v;
	size_t n;

	memset(t.host, 'x', 200);
	assert_int_equal(target_resolve(&t, 0, &v, 1, &n, &error), -ENOENT);
	assert_says(error.data, "xxx does not resolve here: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets_are_host_and_port),
		cmocka_unit_test(test_what_is_no_target_is_refused_by_name),
		cmocka_unit_test(test_host_that_is_too_long_is_refused),
		cmocka_unit_test(test_addresses_resolve_to_themselves),
		cmocka_unit_test(test_addresses_beyond_the_room_are_counted),
		cmocka_unit_test(test_name_that_does_not_resolve_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
