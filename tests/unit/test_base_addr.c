// SPDX-License-Identifier: Apache-2.0
/* base/addr: addresses and prefixes as text and as 16 bytes. */
#include "unit.h"

static void addresses_go_and_come_back(void **state)
{
	static const struct {
		const char *text, *back;
		bool v4;
	} cases[] = {
		{"10.0.0.1", "10.0.0.1", true},
		{"0.0.0.0", "0.0.0.0", true},
		{"255.255.255.255", "255.255.255.255", true},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
		{"::FFFF:0a00:0001", "10.0.0.1", true},
		{"fd00::1", "fd00::1", false},
		{"FD00:0:0::0001", "fd00::1", false},
		{"::", "::", false},
		{"::1", "::1", false},
		{"::10.0.0.1", "::10.0.0.1", false}, /* not mapped */
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct smc_addr a = addr(cases[i].text);

		assert_addr(a, cases[i].back);
		assert_int_equal(addr_is_v4(&a), cases[i].v4);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {
		"",	     " ",	  "10.0.0",	 "10.0.0.256",
		"10.0.0.1 ", " 10.0.0.1", "10.0.0.1/32", "010.0.0.1",
		"1.2.3.4.5", "fd00:::1",  "fd00::1%e",	 "[::1]",
		"0x7f.1",    "localhost", ":",		 "12345::"};
	struct smc_addr before, a;

	memset(&a, 0x5a, sizeof(a));
	before = a;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (addr_parse(texts[i], &a) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void addresses_with_ports_go_and_come_back(void **state)
{
	static const struct {
		const char *text, *ip, *back;
		__u16 port;
	} cases[] = {
		{"10.0.0.1:80", "10.0.0.1", "10.0.0.1:80", 80},
		{"10.0.0.1:065", "10.0.0.1", "10.0.0.1:65", 65},
		{"[fd00::1]:65535", "fd00::1", "[fd00::1]:65535", 65535},
		{"[::ffff:10.0.0.1]:1", "10.0.0.1", "10.0.0.1:1", 1},
	};
	char text[ADDR_PORT_STRLEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct smc_addr a = addr(cases[i].ip);
		struct smc_addr_port want = addr_port(&a, cases[i].port), got;

		assert_int_equal(addr_port_parse(cases[i].text, &got), 0);
		assert_memory_equal(&got, &want, sizeof(got));
		assert_string_equal(addr_port_format(&got, text),
				    cases[i].back);
	}
}

static void what_is_no_address_with_a_port_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    ":80",
					    "10.0.0.1",
					    "10.0.0.1:",
					    "10.0.0.1:0",
					    "10.0.0.1:65536",
					    "10.0.0.1:-1",
					    "10.0.0.1:8 ",
					    "10.0.0.1:80:80",
					    "fd00::1:80",
					    "[fd00::1]",
					    "[fd00::1]80",
					    "[fd00::1:80",
					    "fd00::1]:80",
					    "[10.0.0.1]:80",
					    "[]:80",
					    "localhost:80",
					    "10.0.0.1:+80",
					    "[fd00::1]:",
					    "all",
					    "10.0.0.1:0x50",
					    "10.0.0:80",
					    "10.0.0.1:99999999999999999999"};
	struct smc_addr_port before, a;

	memset(&a, 0x5a, sizeof(a));
	before = a;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (addr_port_parse(texts[i], &a) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void some_addresses_are_never_usable(void **state)
{
	static const struct {
		const char *text;
		bool usable;
	} cases[] = {
		{"10.244.1.10", true},
		{"192.168.0.1", true},
		{"100.64.0.1", true},
		{"223.255.255.255", true},
		{"169.253.255.255", true},
		{"169.255.0.0", true},
		{"fd00::1", true},
		{"2001:db8::1", true},
		{"fec0::1", true},
		{"::2", true},
		{"0.0.0.0", false},
		{"0.1.2.3", false},
		{"127.0.0.1", false},
		{"127.255.255.255", false},
		{"169.254.0.0", false},
		{"169.254.255.255", false},
		{"224.0.0.1", false},
		{"239.255.255.255", false},
		{"240.0.0.1", false},
		{"255.255.255.255", false},
		{"::", false},
		{"::1", false},
		{"fe80::1", false},
		{"febf:ffff::1", false},
		{"ff02::1", false},
		{"ff00::", false},
		{"::ffff:127.0.0.1", false},
		{"::ffff:10.0.0.1", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct smc_addr a = addr(cases[i].text);

		if (addr_usable(&a) != cases[i].usable)
			fail_msg("%s", cases[i].text);
	}
}

static void loopback_of_either_family_is_recognized(void **state)
{
	struct smc_addr v4 = addr("127.1.2.3"), v6 = addr("::1"),
			other = addr("::2"), any = addr("::");

	assert_true(addr_is_loopback(&v4));
	assert_true(addr_is_loopback(&v6));
	assert_false(addr_is_loopback(&other));
	assert_false(addr_is_loopback(&any));
}

static void addresses_are_ordered_by_their_bytes(void **state)
{
	struct smc_addr a = addr("10.0.0.1"), b = addr("10.0.0.2"),
			c = addr("::1"), d = addr("fd00::");

	assert_int_equal(addr_cmp(&a, &a), 0);
	assert_true(addr_cmp(&a, &b) < 0);
	assert_true(addr_cmp(&b, &a) > 0);
	assert_true(addr_cmp(&c, &a) < 0);
	assert_true(addr_cmp(&d, &a) > 0);
}

static void prefixes_go_and_come_back(void **state)
{
	static const struct {
		const char *text, *back;
		unsigned int len; /* of 128 */
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8", 104},
		{"0.0.0.0/0", "0.0.0.0/0", 96},
		{"10.0.0.1/32", "10.0.0.1/32", 128},
		{"fd00::/8", "fd00::/8", 8},
		{"::/0", "::/0", 0},
		{"::1/128", "::1/128", 128},
		{"::ffff:0:0/96", "0.0.0.0/0", 96},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8", 104},
		/* Reaches beyond IPv4, so it is shown as what it is. */
		{"::fffe:0:0/95", "::fffe:0:0/95", 95},
		{"::ffff:0:0/128", "0.0.0.0/32", 128},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 128},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[ADDR_STRLEN];
		struct cidr c;

		assert_int_equal(cidr_parse(cases[i].text, &c), 0);
		assert_int_equal(c.prefixlen, cases[i].len);
		assert_string_equal(cidr_format(&c, text), cases[i].back);
	}
}

static void what_is_no_prefix_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"/",
		"10.0.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/ 8",
		"10.0.0.0/8 ",
		"10.0.0.0/8/8",
		"10.0.0.0/8x",
		"10.0.0.0/255.0.0.0",
		"10.0.0.1/8",
		"fd00::/129",
		"fd00::1/64",
		"0.0.0.1/0",
		"::1/0",
		"10.0.0.0/99999999999999999999",
		"10.0.0.0/4294967304",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/8",
	};
	struct cidr before, c;

	memset(&c, 0x5a, sizeof(c));
	before = c;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		if (cidr_parse(texts[i], &c) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

static void prefix_holds_addresses_of_its_own_range_alone(void **state)
{
	static const struct {
		const char *cidr, *addr;
		bool has;
	} cases[] = {
		{"10.9.0.0/16", "10.9.255.255", true},
		{"10.9.0.0/16", "10.10.0.0", false},
		{"10.9.0.0/16", "10.8.255.255", false},
		{"10.0.0.0/30", "10.0.0.3", true},
		{"10.0.0.0/30", "10.0.0.4", false},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.0", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		/* of the other family, though its last bytes are the same */
		{"0.0.0.0/0", "::10.0.0.1", false},
		{"fd00::/9", "fd7f::1", true},
		{"fd00::/9", "fd80::1", false},
		{"fd00::1/128", "fd00::1", true},
		{"fd00::1/128", "fd00::", false},
		{"::/0", "fd00::1", true},
		{"::/0", "10.0.0.1", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct smc_addr a = addr(cases[i].addr);
		struct cidr c;

		assert_int_equal(cidr_parse(cases[i].cidr, &c), 0);
		if (cidr_has(&c, &a) != cases[i].has)
			fail_msg("%s in %s", cases[i].addr, cases[i].cidr);
	}
}

static void prefix_of_an_address_has_nothing_below_it(void **state)
{
	static const struct {
		const char *addr;
		unsigned int prefixlen;
		const char *cidr;
	} cases[] = {
		{"10.1.2.3", 96 + 24, "10.1.2.0/24"},
		{"10.1.255.3", 96 + 17, "10.1.128.0/17"},
		{"10.1.2.3", 96 + 32, "10.1.2.3/32"},
		{"10.1.2.3", 96, "0.0.0.0/0"},
		{"fd00:1::ffff", 64, "fd00:1::/64"},
		{"fd00:1::ffff", 0, "::/0"},
	};
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct smc_addr a = addr(cases[i].addr);
		struct cidr c = cidr_of(&a, cases[i].prefixlen);

		assert_string_equal(cidr_format(&c, text), cases[i].cidr);
	}
}

static void a_host_with_colons_is_put_in_brackets(void **state)
{
	char text[24];

	assert_string_equal(
		host_port_format("api.example", "443", text, sizeof(text)),
		"api.example:443");
	assert_string_equal(
		host_port_format("fd00::1", "443", text, sizeof(text)),
		"[fd00::1]:443");
	assert_string_equal(host_port_format("fd00::1", "443", text, 10),
			    "[fd00::1]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_go_and_come_back),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(addresses_with_ports_go_and_come_back),
		cmocka_unit_test(prefix_of_an_address_has_nothing_below_it),
		cmocka_unit_test(a_host_with_colons_is_put_in_brackets),
		cmocka_unit_test(what_is_no_address_with_a_port_is_refused),
		cmocka_unit_test(some_addresses_are_never_usable),
		cmocka_unit_test(loopback_of_either_family_is_recognized),
		cmocka_unit_test(addresses_are_ordered_by_their_bytes),
		cmocka_unit_test(prefixes_go_and_come_back),
		cmocka_unit_test(what_is_no_prefix_is_refused),
		cmocka_unit_test(prefix_holds_addresses_of_its_own_range_alone),
	};

	return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
