// SPDX-License-Identifier: Apache-2.0
/* user/doctor/{rdma,smcr,hook}_checks and what they look at: made-up devices in
 * a tree of the test's, made-up namespaces, netlink messages whole and cut. */
#include "unit.h"
#include "checks.h"
#include "tree.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/smc.h>
#include "node/pnet_table.h"
#include "node/synproxy.h"

static struct doctor d;
static struct doctor_namespace spaces[2];

static int fresh(void **state)
{
	d = (struct doctor){.proc = "/proc",
			    .host = {.machine = "x86_64", .given = true},
			    .rdma_shared = 1,
			    .ours = (char *[]){NULL}};
	for (int f = 0; f < FEATURE_MAX; f++)
		d.features.v[f].state = FEATURE_PRESENT;
	snprintf(d.host.root, sizeof(d.host.root), "%s", tree_top);
	memset(spaces, 0, sizeof(spaces));
	spaces[0].path = "/run/netns/a";
	spaces[1].path = "/run/netns/b";
	d.spaces = (struct doctor_namespaces){.v = spaces, .n = 2};
	return tree_empty();
}

static void assert_asked(const char *id, enum check_status status,
			 const char *found, const char *fix)
{
	_cleanup_(finding_free) struct finding f = ask_check(&d, id);

	assert_finding(&f, status, found, fix);
	if (status != CHECK_PASS)
		assert_true(f.found.len > 0);
}

/* Active, of RoCE. */
static struct rdma_device port(const char *name, const char *netdev)
{
	struct rdma_device p = {
		.port = 1, .active = true, .channel_adapter = true};

	strcpy(p.name, name);
	strcpy(p.netdev, netdev);
	return p;
}

/* ---- RDMA devices ---- */

#define PORT "sys/class/infiniband/mlx5_0/ports/1/"
#define GID "0000:0000:0000:0000:0000:ffff:0a00:0005\n"

static void write_device(const char *type, const char *state, const char *layer,
			 const char *gid_type)
{
	write_text("sys/class/infiniband/mlx5_0/node_type", type);
	write_text(PORT "state", state);
	write_text(PORT "link_layer", layer);
	write_text(PORT "gids/0", "fe80:0000:0000:0000:0000:0000:0000:0001\n");
	write_text(PORT "gids/1", GID);
	write_text(PORT "gid_attrs/types/1", gid_type);
	write_text(PORT "gid_attrs/ndevs/0", "eth1\n");
	d.n_ports = rdma_sysfs_read(&d.host, d.ports, RDMA_MAX);
	assert_int_equal(d.n_ports, 1);
}

static void devices_are_judged_by_sysfs(void **state)
{
	d.n_ports = rdma_sysfs_read(&d.host, d.ports, RDMA_MAX);
	assert_int_equal(d.n_ports, -ENOENT);
	assert_asked("rdma-type", CHECK_SKIP, "no RDMA device", NULL);
	write_device("1: CA\n", "4: ACTIVE\n", "Ethernet\n", "RoCE v2\n");
	assert_asked("rdma-type", CHECK_PASS, "mlx5_0/1 on eth1", NULL);
	assert_asked("rdma-port", CHECK_PASS, NULL, NULL);
	assert_asked("rdma-gid", CHECK_PASS, "has 1 GIDs of RoCE v2", NULL);
	write_device("1: CA\n", "1: DOWN\n", "Ethernet\n", "RoCE v2\n");
	assert_asked("rdma-port", CHECK_WARN,
		     "mlx5_0/1 on eth1 is in the state "
		     "\"1: DOWN\"",
		     "ip link set eth1 up");
	assert_asked("rdma-gid", CHECK_SKIP, "no active RoCE port", NULL);
	write_device("1: CA\n", "4: ACTIVE\n", "Ethernet\n", "IB/RoCE v1\n");
	assert_asked("rdma-gid", CHECK_WARN,
		     "has 0 GIDs of RoCE v2 with an IPv4 "
		     "address, 1 of v1",
		     "ip addr add");
	write_device("1: CA\n", "4: ACTIVE\n", "InfiniBand\n", "IB/RoCE v1\n");
	assert_asked("rdma-type", CHECK_WARN, "link layer InfiniBand", NULL);
	d.n_ports = -EACCES;
	assert_asked("rdma-type", CHECK_UNKNOWN, "Permission denied",
		     "as root");
}

static void iwarp_is_for_alibabas_kernels_alone(void **state)
{
	write_device("4: RNIC\n", "4: ACTIVE\n", "Ethernet\n", "\n");
	assert_asked("rdma-type", CHECK_WARN, "node type \"4: RNIC\"", NULL);
	strcpy(d.os.id, "alinux");
	assert_asked("rdma-type", CHECK_PASS, "4: RNIC", NULL);
	assert_asked("rdma-gid", CHECK_SKIP, NULL, NULL);
	/* a file that is not there tells nothing */
	remove_tree("sys/class/infiniband/mlx5_0/node_type");
	d.n_ports = rdma_sysfs_read(&d.host, d.ports, RDMA_MAX);
	assert_asked("rdma-type", CHECK_UNKNOWN, NULL, NULL);
}

static void ports_beyond_the_room_are_left_out(void **state)
{
	struct rdma_port one[1];

	write_text("sys/class/infiniband/a/ports/1/state", "4: ACTIVE\n");
	write_text("sys/class/infiniband/a/ports/2/state", "4: ACTIVE\n");
	write_text("sys/class/infiniband/b/ports/1/state", "4: ACTIVE\n");
	write_text("sys/class/infiniband/b/ports/x/state", "4: ACTIVE\n");
	assert_int_equal(rdma_sysfs_read(&d.host, one, 1), 1);
	assert_int_equal(rdma_sysfs_read(&d.host, d.ports, RDMA_MAX), 3);
}

static void exclusive_mode_is_told(void **state)
{
	const char *path = "sys/module/ib_core/parameters/netns_mode";

	assert_asked("rdma-netns", CHECK_SKIP, NULL, NULL);
	write_device("1: CA\n", "4: ACTIVE\n", "Ethernet\n", "RoCE v2\n");
	d.rdma_shared = rdma_netns_shared(&d.host);
	assert_asked("rdma-netns", CHECK_UNKNOWN, path, NULL);
	write_text(path, "Y\n");
	d.rdma_shared = rdma_netns_shared(&d.host);
	assert_asked("rdma-netns", CHECK_PASS, "shared", NULL);
	write_text(path, "N\n");
	d.rdma_shared = rdma_netns_shared(&d.host);
	assert_asked("rdma-netns", CHECK_WARN, "exclusive",
		     "rdma system set netns shared");
}

static void soft_roce_without_a_socket_is_told(void **state)
{
	assert_asked("soft-roce", CHECK_SKIP, "no RDMA device", NULL);
	write_device("1: CA\n", "4: ACTIVE\n", "Ethernet\n", "RoCE v2\n");
	assert_asked("soft-roce", CHECK_PASS, NULL, NULL);
	d.spaces.unseen = true;
	assert_asked("soft-roce", CHECK_UNKNOWN, "network namespaces", NULL);
	strcpy(spaces[1].deaf, "rxeb");
	assert_asked("soft-roce", CHECK_WARN,
		     "rxeb is active in /run/netns/b, which has no socket",
		     "host's network");
}

/* A port with all that it needs, until it is soft RoCE that hears nothing. */
static void deaf_port_is_not_usable(void **state)
{
	struct rdma_device p = port("rxea", "eth0");

	assert_false(rdma_usable(&p));
	p.subnet.prefixlen = 112;
	assert_true(rdma_usable(&p));
	p.deaf = true;
	assert_false(rdma_usable(&p));
}

/* ---- whose the NIC is ---- */

static void nic_in_other_hands_is_told(void **state)
{
	struct nic nics[] = {{.ifindex = 2, .name = "eth0"},
			     {.ifindex = 3, .name = "eth1"}};
	struct nic_route routes[] = {
		{.ifindex = 2,
		 .dst = {.addr = addr("0.0.0.0"), .prefixlen = 96},
		 .table = NIC_TABLE_MAIN},
		{.ifindex = 3, .table = NIC_TABLE_MAIN},
		{.ifindex = 2, .table = 1002}};

	assert_asked("auxiliary-nic", CHECK_SKIP, NULL, NULL);
	d.nics = (struct nic_view){nics, 2, NULL, 0, routes, 3, NULL, 0};
	d.n_rdma = 2;
	d.rdma[0] = port("erdma_0", "eth0");
	d.rdma[1] = port("erdma_1", "eth1");
	assert_asked("auxiliary-nic", CHECK_PASS, NULL, NULL);
	routes[1].table = 1003; /* Terway's */
	assert_asked("auxiliary-nic", CHECK_WARN, "Terway holds eth1",
		     "ENI white list");
	routes[1].table = NIC_TABLE_MAIN;
	d.nics_err = -EPERM;
	assert_asked("auxiliary-nic", CHECK_UNKNOWN, NULL, "as root");
}

static void nic_of_a_pod_is_told_unless_that_is_armed(void **state)
{
	d.n_rdma = 1;
	d.rdma[0] = port("erdma_1", "");
	assert_asked("auxiliary-nic", CHECK_WARN,
		     "erdma_1/1 is in another network namespace", NULL);
	spaces[1].smcr.n_ports = 1;
	spaces[1].smcr.ports[0] = port("erdma_1", "");
	assert_asked("auxiliary-nic", CHECK_WARN, NULL, NULL);
	strcpy(spaces[1].smcr.ports[0].netdev, "eth0");
	assert_asked("auxiliary-nic", CHECK_PASS, NULL, NULL);
}

/* ---- reserved ports ---- */

#define SOCKET                                                              \
	"   0: 00000000:%s 00000000:0000 0A 00000000:00000000 00:00000000 " \
	"00000000  %s        0 12345 1\n"

static void write_socket(const char *file, const char *port, const char *uid)
{
	char text[512];

	snprintf(text, sizeof(text), "  sl  local_address ...\n" SOCKET, port,
		 uid);
	write_text(file, text);
}

static void programs_on_reserved_ports_are_told(void **state)
{
	assert_asked("reserved-ports", CHECK_SKIP, "reserves none", NULL);
	write_text("sys/module/smc/parameters/rsvd_ports_base", "65500\n");
	assert_asked("reserved-ports", CHECK_PASS, NULL, NULL);
	write_socket("proc/1/net/tcp", "FFDB", "1000"); /* 65499 */
	write_socket("proc/1/net/tcp6", "FFDC", "0");	/* 65500, root's */
	assert_asked("reserved-ports", CHECK_PASS, NULL, NULL);
	write_socket("proc/1/net/tcp", "FFEC", "1000"); /* 65516 */
	assert_asked("reserved-ports", CHECK_PASS, NULL, NULL);
	write_socket("proc/1/net/tcp6", "FFEB", "1000"); /* 65515 */
	assert_asked("reserved-ports", CHECK_WARN,
		     "the last port 65515, of UID 1000", NULL);
}

static void range_of_ports_that_are_given_away_is_told(void **state)
{
	write_text("sys/module/smc/parameters/rsvd_ports_base", "65500\n");
	write_text("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
	assert_asked("reserved-ports", CHECK_PASS, NULL, NULL);
	write_text("proc/sys/net/ipv4/ip_local_port_range", "1024\t65535\n");
	assert_asked("reserved-ports", CHECK_WARN, "is 1024 to 65535",
		     "ip_local_reserved_ports");
	write_text("proc/sys/net/ipv4/ip_local_reserved_ports",
		   "8080,65500-65514\n");
	assert_asked("reserved-ports", CHECK_WARN, NULL, NULL);
	write_text("proc/sys/net/ipv4/ip_local_reserved_ports",
		   "8080,65000-65535\n");
	assert_asked("reserved-ports", CHECK_PASS, NULL, NULL);
}

/* ---- SMC-R in pods ---- */

static void arm(const char *netdev, const char *subnet)
{
	struct rdma_device *at = &spaces[0].smcr.ports[0];

	spaces[0].armed = true;
	spaces[0].smcr.n_ports = 1;
	*at = port("rxea", netdev);
	assert_int_equal(cidr_parse(subnet, &at->subnet), 0);
}

static void pods_addresses_and_routes_are_judged(void **state)
{
	struct smcr_space *s = &spaces[0].smcr;

	assert_asked("smcr-subnet", CHECK_SKIP, "no armed pod", NULL);
	arm("eth0", "10.244.0.0/16");
	assert_asked("smcr-subnet", CHECK_PASS, NULL, NULL);
	s->n_strays = 1;
	s->strays[0] = addr("10.9.0.1");
	assert_asked("smcr-subnet", CHECK_WARN,
		     "10.9.0.1 of /run/netns/a is in no subnet of an RDMA "
		     "netdev (rxea/1 on eth0 has 10.244.0.0/16)",
		     NULL);
	s->n_strays = 0;
	s->n_routes = 1;
	s->routes[0] = (struct smcr_route){addr("10.244.2.1"), 0, "eth0"};
	assert_asked("smcr-subnet", CHECK_PASS, NULL, NULL);
	strcpy(s->routes[0].netdev, "eth5");
	assert_asked("smcr-subnet", CHECK_WARN,
		     "to 10.244.2.1 packets leave by eth5", NULL);
	s->routes[0].err = -ENETUNREACH;
	assert_asked("smcr-subnet", CHECK_WARN, "Network is unreachable", NULL);
	spaces[0].armed = false;
	assert_asked("smcr-subnet", CHECK_SKIP, NULL, NULL);
	spaces[1].armed = true;
	spaces[1].smcr_err = -ETIMEDOUT;
	assert_asked("smcr-subnet", CHECK_UNKNOWN, "timed out", NULL);
}

static void pnet_ids_are_compared(void **state)
{
	assert_asked("pnet", CHECK_PASS, NULL, NULL);
	d.n_pnets = 1;
	d.pnets[0] = (struct mesh_pnet_entry){"NET1", "eth0", "", 0};
	assert_asked("pnet", CHECK_WARN,
		     "eth0 has the PNET id NET1, and no RDMA device has it",
		     "smc_pnet -d");
	strcpy(d.host.machine, "s390x");
	assert_asked("pnet", CHECK_UNKNOWN, "firmware", NULL);
	strcpy(d.host.machine, "x86_64");
	d.n_pnets = 2;
	d.pnets[1] = (struct mesh_pnet_entry){"NET1", "", "rxe0", 1};
	assert_asked("pnet", CHECK_PASS, NULL, NULL);
	/* a pod's own table */
	spaces[0].smcr.n_pnets = 1;
	spaces[0].smcr.pnets[0] =
		(struct mesh_pnet_entry){"NET2", "eth0", "", 0};
	assert_asked("pnet", CHECK_WARN, "eth0 of /run/netns/a has", NULL);
	strcpy(spaces[0].smcr.pnets[0].id, "NET1");
	assert_asked("pnet", CHECK_PASS, NULL, NULL);
	/* the device's own netdev has another one */
	d.n_pnets = 3;
	d.pnets[2] = (struct mesh_pnet_entry){"NET3", "", "rxe1", 1};
	d.n_rdma = 1;
	d.rdma[0] = port("rxe1", "eth0");
	assert_asked(
		"pnet", CHECK_WARN,
		"rxe1/1 has the PNET id NET3, and its netdev eth0 has NET1",
		NULL);
	d.n_pnets = -ETIMEDOUT;
	assert_asked("pnet", CHECK_UNKNOWN, NULL, NULL);
}

/* ---- the mesh ---- */

static void ask_fabric(const char *json, enum check_status status,
		       const char *found)
{
	yyjson_doc *doc = yyjson_read(json, strlen(json), 0);

	assert_non_null(doc);
	d.agent = yyjson_doc_get_root(doc);
	assert_asked("ueid-mesh", status, found, NULL);
	yyjson_doc_free(doc);
	d.agent = NULL;
}

static void nodes_of_another_ueid_are_named(void **state)
{
	d.agent_err = -EACCES;
	assert_asked("ueid-mesh", CHECK_UNKNOWN, NULL, "as root");
	d.agent_err = -ENOTCONN;
	assert_asked("ueid-mesh", CHECK_SKIP, "no agent", NULL);
	ask_fabric("{}", CHECK_SKIP, "no other node");
	ask_fabric("{\"fabric\":{\"ueid\":\"A\",\"nodes\":0,\"strangers\":0,"
		   "\"named\":[]}}",
		   CHECK_SKIP, "no other node");
	ask_fabric("{\"fabric\":{\"ueid\":\"A\",\"nodes\":2,\"strangers\":0,"
		   "\"named\":[]}}",
		   CHECK_PASS, "of 2 other nodes 0 lack the UEID A");
	ask_fabric("{\"fabric\":{\"ueid\":\"A\",\"nodes\":2,\"strangers\":1,"
		   "\"named\":[{\"node\":\"n2\",\"ueids\":[\"B\",\"C\"]}]}}",
		   CHECK_WARN, "node n2 has B, C; of 2 other nodes 1 lack");
	/* what is no agent of ours says nothing, and breaks nothing */
	ask_fabric("{\"fabric\":{\"nodes\":1,\"strangers\":1,\"named\":[3]}}",
		   CHECK_WARN, "node ? has");
}

static void what_is_in_the_maps_is_not_known_without_rights(void **state)
{
	d.features.v[FEATURE_CAPABILITIES].state = FEATURE_MISSING;
	assert_asked("memory-budget", CHECK_UNKNOWN, NULL, "as root");
	assert_asked("smcr-subnet", CHECK_UNKNOWN, NULL, "as root");
	d.n_rdma = 1;
	d.rdma[0] = port("erdma_1", "");
	assert_asked("auxiliary-nic", CHECK_UNKNOWN, NULL, "as root");
}

static void full_budget_is_told_before_it_is_reached(void **state)
{
	assert_asked("memory-budget", CHECK_SKIP, NULL, NULL);
	d.buffers_max = 10 << 20;
	d.buffers = 9 << 20;
	assert_asked("memory-budget", CHECK_PASS, "9.0 of 10.0 MiB", NULL);
	d.buffers++;
	assert_asked("memory-budget", CHECK_WARN, "9.0 of 10.0 MiB",
		     "memoryPercent");
}

/* ---- who else is there ---- */

static void other_programs_are_named(void **state)
{
	struct hook_user users[] = {
		{7, "theirs", "/kubepods", false, true, false},
		{8, "mptcpify", "link 3", true, false, false}};

	assert_asked("other-hooks", CHECK_PASS, NULL, NULL);
	d.users = users;
	d.n_users = 1;
	assert_asked("other-hooks", CHECK_PASS,
		     "program 7 theirs (sock_ops on the cgroup, /kubepods)",
		     NULL);
	assert_asked("sockmap", CHECK_PASS, NULL, NULL);
	users[0].sockmap = true;
	assert_asked("sockmap", CHECK_WARN, "with a sockmap", NULL);
	assert_asked("other-hooks", CHECK_PASS, NULL, NULL);
	d.n_users = 2;
	assert_asked("other-hooks", CHECK_WARN,
		     "program 8 mptcpify (fmod_ret/update_socket_protocol, "
		     "link 3)",
		     NULL);
	d.n_users = 0;
	d.users_err = -EPERM;
	assert_asked("other-hooks", CHECK_UNKNOWN, "not permitted", "as root");
	assert_asked("sockmap", CHECK_UNKNOWN, NULL, NULL);
}

static void foreign_selectors_are_named(void **state)
{
	assert_asked("foreign-selector", CHECK_PASS, NULL, NULL);
	d.spaces.unseen = true;
	assert_asked("foreign-selector", CHECK_UNKNOWN, NULL, NULL);
	spaces[1].foreign = true;
	strcpy(spaces[1].ctrl, "theirs");
	assert_asked("foreign-selector", CHECK_WARN,
		     "net.smc.hs_ctrl of /run/netns/b is theirs", "nsenter");
	strcpy(spaces[1].ctrl, "synfilter");
	strcpy(spaces[1].detail, "eth0: program x (7) runs before syn_egress");
	assert_asked(
		"foreign-selector", CHECK_WARN,
		"in /run/netns/b eth0: program x (7) runs before syn_egress",
		NULL);
	spaces[1].foreign = d.spaces.unseen = false;
	d.ours = NULL;
	assert_asked("foreign-selector", CHECK_UNKNOWN, NULL, "as root");
}

static void protocol_of_another_number_is_told(void **state)
{
	const char *alias = "lib/modules/5.10.134/modules.alias";

	strcpy(d.host.release, "5.10.134");
	assert_asked("ipproto-number", CHECK_PASS, "256", NULL);
	strcpy(d.features.v[FEATURE_IPPROTO_SMC].detail, "its number is 263");
	assert_asked("ipproto-number", CHECK_WARN, "263", "protocol 263");
	d.features.v[FEATURE_IPPROTO_SMC].detail[0] = '\0';
	d.features.v[FEATURE_IPPROTO_SMC].state = FEATURE_MISSING;
	assert_asked("ipproto-number", CHECK_SKIP, NULL, NULL);
	write_text(alias, "alias net-pf-2-proto-263-type-1 smc\n");
	smc_module_look(&d.host, &d.module);
	assert_asked("ipproto-number", CHECK_WARN, "protocol 263, and not 256",
		     NULL);
	write_text(alias, "alias net-pf-2-proto-263-type-1 smc\n"
			  "alias net-pf-2-proto-256-type-1 smc\n");
	smc_module_look(&d.host, &d.module);
	assert_asked("ipproto-number", CHECK_SKIP, NULL, NULL);
}

/* ---- messages of the kernel ---- */

static char room[4096];

/* At every length, and the last attribute with a length of its own: nothing is
 * read beyond the end (the sanitizers see it). */
static void cut(struct nlmsghdr *h, void (*take)(const struct nlmsghdr *h))
{
	__u32 whole = h->nlmsg_len;

	while (h->nlmsg_len-- > NLMSG_HDRLEN) {
		struct nlmsghdr *copy = malloc(h->nlmsg_len);

		assert_non_null(copy);
		memcpy(copy, h, h->nlmsg_len);
		take(copy);
		free(copy);
	}
	h->nlmsg_len = whole;
}

static struct nlmsghdr *rule(const char *expr, __u16 attr, const char *target)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct nlattr *list, *elem, *data;

	mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, "filter");
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, "input");
	mnl_attr_put_u64(h, 200, 1); /* unknown */
	list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	mnl_attr_put_strz(h, NFTA_EXPR_NAME, expr);
	data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	if (target)
		mnl_attr_put_strz(h, attr, target);
	else
		mnl_attr_put_u32(h, NFTA_OBJREF_IMM_TYPE,
				 htonl(NFT_OBJECT_SYNPROXY));
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, elem);
	mnl_attr_nest_end(h, list);
	return h;
}

static void take_rule(const struct nlmsghdr *h)
{
	char what[SYNPROXY_TEXT_MAX] = "";

	synproxy_take(h, what);
}

static bool is_synproxy(struct nlmsghdr *h)
{
	char what[SYNPROXY_TEXT_MAX] = "";

	cut(h, take_rule);
	synproxy_take(h, what);
	if (*what)
		assert_string_equal(what,
				    "nftables: table filter, chain input");
	return *what;
}

static void synproxy_is_known_in_each_form(void **state)
{
	assert_true(is_synproxy(rule("synproxy", 1, "")));
	assert_true(is_synproxy(rule("target", NFTA_TARGET_NAME, "SYNPROXY")));
	assert_true(is_synproxy(rule("objref", 0, NULL)));
	/* controls */
	assert_false(is_synproxy(rule("target", NFTA_TARGET_NAME, "DNAT")));
	assert_false(is_synproxy(rule("counter", 1, "synproxy")));
}

static void take_entry(const struct nlmsghdr *h)
{
	struct mesh_pnet_entry e;

	pnet_entry_read(h, &e);
}

/* The kernel says "n/a" of what an entry is not of. */
static void pnet_entries_are_read_whole_and_cut(void **state)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct mesh_pnet_entry e;

	mnl_nlmsg_put_extra_header(h, sizeof(struct genlmsghdr));
	mnl_attr_put_strz(h, SMC_PNETID_NAME, "NET1");
	mnl_attr_put_strz(h, SMC_PNETID_ETHNAME, "n/a");
	mnl_attr_put_strz(h, SMC_PNETID_IBNAME, "rxe0");
	mnl_attr_put_u8(h, SMC_PNETID_IBPORT, 2);
	mnl_attr_put_u32(h, 99, 1); /* unknown */
	cut(h, take_entry);
	pnet_entry_read(h, &e);
	assert_string_equal(e.id, "NET1");
	assert_string_equal(e.device, "rxe0");
	assert_string_equal(e.nic, "");
	assert_int_equal(e.port, 2);
}

#define test(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(devices_are_judged_by_sysfs),
		test(iwarp_is_for_alibabas_kernels_alone),
		test(ports_beyond_the_room_are_left_out),
		test(exclusive_mode_is_told),
		test(soft_roce_without_a_socket_is_told),
		test(deaf_port_is_not_usable),
		test(nic_in_other_hands_is_told),
		test(nic_of_a_pod_is_told_unless_that_is_armed),
		test(programs_on_reserved_ports_are_told),
		test(range_of_ports_that_are_given_away_is_told),
		test(pods_addresses_and_routes_are_judged),
		test(pnet_ids_are_compared),
		test(nodes_of_another_ueid_are_named),
		test(what_is_in_the_maps_is_not_known_without_rights),
		test(full_budget_is_told_before_it_is_reached),
		test(other_programs_are_named),
		test(foreign_selectors_are_named),
		test(protocol_of_another_number_is_told),
		test(synproxy_is_known_in_each_form),
		test(pnet_entries_are_read_whole_and_cut),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}
