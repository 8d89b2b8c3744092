// SPDX-License-Identifier: Apache-2.0
/* user/node/local_addrs.c: messages as the kernel writes them. */
#include "unit.h"

#include <linux/ip_vs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "node/local_addrs.h"
#include "node/nl.h"

static struct nl_request message;

static void assert_addrs(const struct local *l, const char *const *texts)
{
	char text[ADDR_STRLEN];
	size_t n = 0;

	for (; texts[n]; n++) {
		assert_true(n < l->addrs.n);
		assert_string_equal(addr_format(&l->addrs.v[n], text),
				    texts[n]);
	}
	assert_int_equal(l->addrs.n, n);
}
#define assert_has(l, ...) \
	assert_addrs((l), (const char *const[]){__VA_ARGS__, NULL})

static const void *bytes_of(const struct smc_addr *a, int family)
{
	return a->ip + (family == AF_INET ? 12 : 0);
}

static void route(struct local *l, int family, int type, const char *to,
		  unsigned int bits)
{
	struct smc_addr a = addr(to);
	struct rtmsg *r;

	nl_init(&message, RTM_NEWROUTE, 0);
	r = mnl_nlmsg_put_extra_header(message.head, sizeof(*r));
	r->rtm_family = family;
	r->rtm_type = type;
	r->rtm_dst_len = bits;
	r->rtm_table = RT_TABLE_LOCAL;
	mnl_attr_put(message.head, RTA_DST, family == AF_INET ? 4 : 16,
		     bytes_of(&a, family));
	assert_int_equal(local_take_route(message.head, l), MNL_CB_OK);
}

static void local_routes_give_addresses_and_prefixes(void **state)
{
	_cleanup_(local_free) struct local l = {};
	char text[ADDR_STRLEN];

	route(&l, AF_INET, RTN_LOCAL, "10.96.0.10", 32);
	route(&l, AF_INET, RTN_BROADCAST, "10.96.0.255", 32);
	route(&l, AF_INET, RTN_UNICAST, "10.96.0.11", 32);
	route(&l, AF_INET6, RTN_LOCAL, "fd96::10", 128);
	route(&l, AF_INET6, RTN_ANYCAST, "fd96::", 128);
	route(&l, AF_INET, RTN_LOCAL, "127.0.0.0", 8);
	route(&l, AF_INET, RTN_LOCAL, "10.0.0.1",
	      33); /* none of the kernel's */
	route(&l, AF_UNIX, RTN_LOCAL, "fd96::11", 128);
	assert_has(&l, "10.96.0.10", "fd96::10");
	assert_int_equal(l.n_nets, 1);
	assert_string_equal(cidr_format(&l.nets[0], text), "127.0.0.0/8");
}

static void route_without_an_address_is_every_address(void **state)
{
	_cleanup_(local_free) struct local l = {};
	struct rtmsg *r;
	char text[ADDR_STRLEN];

	nl_init(&message, RTM_NEWROUTE, 0);
	r = mnl_nlmsg_put_extra_header(message.head, sizeof(*r));
	r->rtm_family = AF_INET;
	r->rtm_type = RTN_LOCAL;
	assert_int_equal(local_take_route(message.head, &l), MNL_CB_OK);
	assert_int_equal(l.n_nets, 1);
	assert_string_equal(cidr_format(&l.nets[0], text), "0.0.0.0/0");
	/* cut off */
	r->rtm_dst_len = 32;
	mnl_attr_put(message.head, RTA_DST, 3, "abc");
	assert_int_equal(local_take_route(message.head, &l), MNL_CB_OK);
	assert_int_equal(l.addrs.n, 0);
}

/* IPVS always gives 16 bytes, of which IPv4 uses the first four. */
static void service(struct local *l, int family, int protocol, const char *at)
{
	struct smc_addr a = addr(at);
	unsigned char bytes[16] = {};
	struct nlattr *nest;

	memcpy(bytes, bytes_of(&a, family), family == AF_INET ? 4 : 16);
	nl_genl_init(&message, 30, IPVS_CMD_NEW_SERVICE, 1, 0);
	nest = mnl_attr_nest_start(message.head, IPVS_CMD_ATTR_SERVICE);
	mnl_attr_put_u16(message.head, IPVS_SVC_ATTR_AF, family);
	mnl_attr_put_u16(message.head, IPVS_SVC_ATTR_PROTOCOL, protocol);
	mnl_attr_put(message.head, IPVS_SVC_ATTR_ADDR, 16, bytes);
	mnl_attr_put_u16(message.head, IPVS_SVC_ATTR_PORT, htons(80));
	mnl_attr_nest_end(message.head, nest);
	assert_int_equal(local_take_service(message.head, l), MNL_CB_OK);
}

static void ipvs_tcp_services_give_addresses(void **state)
{
	_cleanup_(local_free) struct local l = {};
	struct nlattr *nest;

	service(&l, AF_INET, IPPROTO_TCP, "10.96.0.1");
	service(&l, AF_INET, IPPROTO_UDP, "10.96.0.10");
	service(&l, AF_INET6, IPPROTO_TCP, "fd96::1");
	/* one that goes by a firewall mark has no address */
	nl_genl_init(&message, 30, IPVS_CMD_NEW_SERVICE, 1, 0);
	nest = mnl_attr_nest_start(message.head, IPVS_CMD_ATTR_SERVICE);
	mnl_attr_put_u16(message.head, IPVS_SVC_ATTR_AF, AF_INET);
	mnl_attr_put_u32(message.head, IPVS_SVC_ATTR_FWMARK, 7);
	mnl_attr_nest_end(message.head, nest);
	assert_int_equal(local_take_service(message.head, &l), MNL_CB_OK);
	assert_has(&l, "10.96.0.1", "fd96::1");
}

/* On a node whose proxy is IPVS each ClusterIP is local. */
static void addresses_of_ipvs_services_are_not_local(void **state)
{
	_cleanup_(local_free) struct local l = {}, ipvs = {};

	route(&l, AF_INET6, RTN_LOCAL, "fd96::1", 128);
	route(&l, AF_INET, RTN_LOCAL, "10.96.0.10", 32);
	route(&l, AF_INET, RTN_LOCAL, "10.96.0.1", 32);
	route(&l, AF_INET, RTN_LOCAL, "192.0.2.1", 32);
	route(&l, AF_INET, RTN_LOCAL, "192.0.2.1", 32);
	service(&ipvs, AF_INET6, IPPROTO_TCP, "fd96::1");
	service(&ipvs, AF_INET, IPPROTO_TCP, "10.96.0.1");
	service(&ipvs, AF_INET, IPPROTO_TCP, "10.96.0.1");
	local_without(&l, &ipvs);
	assert_has(&l, "10.96.0.10", "192.0.2.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_routes_give_addresses_and_prefixes),
		cmocka_unit_test(route_without_an_address_is_every_address),
		cmocka_unit_test(ipvs_tcp_services_give_addresses),
		cmocka_unit_test(addresses_of_ipvs_services_are_not_local),
	};

	return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
