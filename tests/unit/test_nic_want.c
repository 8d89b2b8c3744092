// SPDX-License-Identifier: Apache-2.0
/* user/mesh/nic_want.c: answers of a metadata service, which nobody trusts. */
#include "unit.h"

#include "base/buf.h"
#include "mesh/nic_want.h"
#include "node/metadata.h"

typedef int (*take_fn)(struct nic_want *w, const char *text, struct buf *why);

static struct nic_want fresh(void)
{
	return (struct nic_want){.addr = addr("10.0.0.6")};
}

static void assert_refused(take_fn fn, const char *text, const char *word)
{
	struct nic_want w = fresh(), before = w;
	_buf_ struct buf why = {};

	if (fn(&w, text, &why) != -EINVAL)
		fail_msg("'%s' is taken", text);
	assert_says(why.data, word);
	assert_memory_equal(&w, &before, sizeof(w));
}

static void answers_are_taken(void **state)
{
	char text[ADDR_STRLEN];
	struct nic_want w = fresh();
	struct cidr subnet;
	_buf_ struct buf why = {};

	assert_int_equal(nic_want_address(&w, "10.1.2.3", &why), 0);
	assert_int_equal(nic_want_netmask(&w, "255.255.240.0", &why), 0);
	assert_string_equal(nic_want_format(&w, text), "10.1.2.3/20");
	subnet = nic_want_subnet(&w);
	assert_string_equal(cidr_format(&subnet, text), "10.1.0.0/20");
	assert_int_equal(nic_want_block(&w, "10.1.2.0/24", &why), 0);
	assert_int_equal(w.bits, 24);
	assert_int_equal(nic_want_check(&w, &why), 0);
	assert_int_equal(nic_want_gateway(&w, "10.1.2.253", &why), 0);
	assert_true(w.has_gateway);
	assert_addr(w.gateway, "10.1.2.253");
	assert_int_equal(nic_want_check(&w, &why), 0);
	assert_int_equal(why.len, 0);
}

static void every_netmask_is_read(void **state)
{
	for (unsigned int bits = 0; bits <= 32; bits++) {
		__u32 mask = bits ? ~0U << (32 - bits) : 0;
		struct nic_want w = fresh();
		_buf_ struct buf why = {};
		char text[16];

		snprintf(text, sizeof(text), "%u.%u.%u.%u", mask >> 24,
			 mask >> 16 & 255, mask >> 8 & 255, mask & 255);
		assert_int_equal(nic_want_netmask(&w, text, &why), 0);
		assert_int_equal(w.bits, bits);
	}
}

static void answers_that_are_none_are_refused(void **state)
{
	static const struct {
		take_fn fn;
		const char *text, *word;
	} cases[] = {
		{nic_want_address, "", "''"},
		{nic_want_address, "10.0.0", "IPv4 address"},
		{nic_want_address, "10.0.0.6/24", "IPv4 address"},
		{nic_want_address, "::ffff:10.0.0.6", "IPv4 address"},
		{nic_want_address, " 10.0.0.6", "IPv4 address"},
		{nic_want_address, "\x1b[31m\n", "'?[31m?'"},
		{nic_want_gateway, "fe80::1", "IPv4 address"},
		{nic_want_netmask, "/24", "not a netmask"},
		{nic_want_netmask, "255.255.0.255", "holes"},
		{nic_want_netmask, "128.0.0.1", "holes"},
		{nic_want_netmask, "0.0.0.255", "holes"},
		{nic_want_block, "10.0.0.6/24", "without bits below"},
		{nic_want_block, "10.0.0.0", "IPv4 prefix"},
		{nic_want_block, "10.0.0.0/33", "IPv4 prefix"},
		{nic_want_block, "fd00::/64", "IPv4 prefix"},
		{nic_want_block, "10.0.1.0/24", "does not hold"},
		{nic_want_given, "10.0.0.6", "prefix length"},
		{nic_want_given, "10.0.0.6/", "prefix length"},
		{nic_want_given, "10.0.0.6/-1", "prefix length"},
		{nic_want_given, "10.0.0.6/2x", "prefix length"},
		{nic_want_given, "10.0.0.6/124", "prefix length"},
		{nic_want_given, "/24", "prefix length"},
		{nic_want_given, "fd00::6/24", "prefix length"},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		assert_refused(cases[i].fn, cases[i].text, cases[i].word);
}

static void long_answers_are_shown_cut(void **state)
{
	struct nic_want w = fresh();
	_buf_ struct buf why = {};
	char text[512];

	memset(text, '7', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(nic_want_address(&w, text, &why), -EINVAL);
	assert_true(why.len < 120);
	assert_says(why.data, "777...'");
}

static bool is_good(const char *given, const char *gateway)
{
	struct nic_want w = {};
	_buf_ struct buf why = {};

	assert_int_equal(nic_want_given(&w, given, &why), 0);
	if (gateway)
		assert_int_equal(nic_want_gateway(&w, gateway, &why), 0);
	if (!nic_want_check(&w, &why))
		return true;
	assert_true(why.len > 0);
	return false;
}

static void addresses_of_no_host_are_refused(void **state)
{
	assert_true(is_good("10.0.0.6/24", NULL));
	assert_true(is_good("10.0.0.1/30", NULL));
	assert_true(is_good("10.0.0.1/8", NULL));
	assert_true(is_good("223.255.255.254/24", NULL));
	assert_false(is_good("10.0.0.6/31", NULL));
	assert_false(is_good("10.0.0.6/32", NULL));
	assert_false(is_good("10.0.0.6/99", NULL));
	assert_false(is_good("10.0.0.6/7", NULL));
	assert_false(is_good("10.0.0.6/0", NULL));
	assert_false(is_good("10.0.0.0/24", NULL));
	assert_false(is_good("10.0.0.255/24", NULL));
	assert_false(is_good("10.0.0.4/30", NULL));
	assert_false(is_good("10.0.0.7/30", NULL));
	assert_false(is_good("0.1.2.3/24", NULL));
	assert_false(is_good("127.0.0.6/24", NULL));
	assert_false(is_good("169.254.1.6/16", NULL));
	assert_false(is_good("224.0.0.6/24", NULL));
	assert_false(is_good("240.0.0.6/24", NULL));
}

static void gateway_is_another_address_of_the_subnet(void **state)
{
	assert_true(is_good("10.0.0.6/24", "10.0.0.253"));
	assert_false(is_good("10.0.0.6/24", "10.0.1.253"));
	assert_false(is_good("10.0.0.6/24", "10.0.0.6"));
}

static void urls_that_can_be_asked_are_told(void **state)
{
	assert_true(metadata_url_ok(METADATA_URL));
	assert_true(metadata_url_ok("HTTPS://[fd00::1]:8080/a/b"));
	assert_false(metadata_url_ok(""));
	assert_false(metadata_url_ok("http://"));
	assert_false(metadata_url_ok("http:///x"));
	assert_false(metadata_url_ok("http://host"));
	assert_false(metadata_url_ok("file:///etc/passwd"));
	assert_false(metadata_url_ok("http://host/a b"));
	assert_false(metadata_url_ok("http://host/a?b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_taken),
		cmocka_unit_test(every_netmask_is_read),
		cmocka_unit_test(answers_that_are_none_are_refused),
		cmocka_unit_test(long_answers_are_shown_cut),
		cmocka_unit_test(addresses_of_no_host_are_refused),
		cmocka_unit_test(gateway_is_another_address_of_the_subnet),
		cmocka_unit_test(urls_that_can_be_asked_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
