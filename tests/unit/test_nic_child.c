// SPDX-License-Identifier: Apache-2.0
/* user/node/nic_read.c: which links are a CNI's children of a NIC, from
 * messages as the kernel sends them, and from cut ones. */
#include "unit.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include "node/nic_read.h"
#include "node/nl.h"

#define NO_NSID (-1)

static struct nl_request msg;

static void begin(const char *name, __u32 parent, int nsid)
{
	nl_init(&msg, RTM_NEWLINK, 0);
	mnl_nlmsg_put_extra_header(msg.head, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg.head, IFLA_IFNAME, name);
	if (parent)
		mnl_attr_put_u32(msg.head, IFLA_LINK, parent);
	if (nsid != NO_NSID)
		mnl_attr_put_u32(msg.head, IFLA_LINK_NETNSID, nsid);
}

static void add_kind(const char *kind)
{
	struct nlattr *nest = mnl_attr_nest_start(msg.head, IFLA_LINKINFO);

	mnl_attr_put_strz(msg.head, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(msg.head, nest);
}

static bool is_child(struct nic_child *out, int *nsid)
{
	return nic_child_take(msg.head, out, nsid);
}

static void children_are_told_with_their_parent(void **state)
{
	static const char *const kinds[] = {"ipvlan", "ipvtap", "macvlan",
					    "macvtap"};

	for (size_t i = 0; i < array_size(kinds); i++) {
		struct nic_child c;
		int nsid;

		begin("cni0", 7, i ? (int)i : NO_NSID);
		add_kind(kinds[i]);
		assert_true(is_child(&c, &nsid));
		assert_int_equal(c.parent, 7);
		assert_string_equal(c.name, "cni0");
		assert_string_equal(c.kind, kinds[i]);
		assert_string_equal(c.where, "");
		assert_int_equal(nsid, i ? (int)i : -1);
	}
}

static void namespace_number_0_is_one(void **state)
{
	struct nic_child c;
	int nsid = 77;

	begin("cni0", 7, 0);
	add_kind("ipvlan");
	assert_true(is_child(&c, &nsid));
	assert_int_equal(nsid, 0);
}

static void other_links_are_not_children(void **state)
{
	static const char *const kinds[] = {"vlan", "veth", "dummy", "ipvlanx",
					    ""};
	struct nic_child c;
	int nsid;

	for (size_t i = 0; i < array_size(kinds); i++) {
		begin("eth1.5", 7, NO_NSID);
		add_kind(kinds[i]);
		assert_false(is_child(&c, &nsid));
	}
	begin("eth1", 7, NO_NSID); /* a NIC of hardware has no kind */
	assert_false(is_child(&c, &nsid));
	begin("cni0", 0, NO_NSID);
	add_kind("macvlan");
	assert_false(is_child(&c, &nsid));
}

static void cut_and_strange_messages_do_no_harm(void **state)
{
	struct nic_child c;
	__u32 whole;
	int nsid;

	begin("a-name-that-is-too-long-for-a-netdev", 7, 1);
	mnl_attr_put_u32(msg.head, 12345, 1); /* unknown */
	add_kind("macvlan");
	assert_true(is_child(&c, &nsid));
	assert_string_equal(c.name, "a-name-that-is-");
	whole = msg.head->nlmsg_len;
	/* the kind comes last, and is not whole in any of these */
	for (__u32 len = NLMSG_LENGTH(sizeof(struct ifinfomsg));
	     len < whole - 3; len++) {
		msg.head->nlmsg_len = len;
		assert_false(is_child(&c, &nsid));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_are_told_with_their_parent),
		cmocka_unit_test(namespace_number_0_is_one),
		cmocka_unit_test(other_links_are_not_children),
		cmocka_unit_test(cut_and_strange_messages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
