// SPDX-License-Identifier: Apache-2.0
/* JSON to worlds, SmcMesh, ASMMeshConfig and SmcNode: what is read, what is
 * left out, what is said. */
#include "decoded.h"

/* ---- SmcMesh, ASMMeshConfig -----------------------------------------------
 */

#define MESH(spec)                                          \
	"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":" \
	"\"SmcMesh\",\"metadata\":{\"name\":\"default\"},\"spec\":{" spec "}}"

static void mesh_spec_is_read_whole(void **state)
{
	_decoded_ struct decoded d = decode_items(MESH(
		"\"enabled\":false,\"excludeCIDRs\":[\"10.9.0.0/16\","
		"\"fd00::/8\"],\"excludePorts\":[3306,22,3306,\"8000-8999\",\"8999-9001\"],"
		"\"ueid\":\"A.B-9\",\"recorder\":\"sockops\",\"mark\":{\"value\":256,\"mask\":"
		"768}") ","
			"{\"apiVersion\":\"istio.alibabacloud.com/v1beta1\",\"kind\":"
			"\"ASMMeshConfig\",\"metadata\":{\"name\":\"default\"},"
			"\"spec\":{\"smcEnabled\":true}}");
	struct mesh_config *c = &d.world.config;

	assert_int_equal(d.err, 0);
	assert_string_equal(notes(&d), "");
	assert_int_equal(c->enabled, MESH_OFF);
	assert_int_equal(c->asm_enabled, MESH_ON);
	assert_int_equal(c->n_exclude_cidrs, 2);
	assert_int_equal(c->exclude_cidrs[0].prefixlen, 112);
	assert_int_equal(c->exclude_cidrs[1].prefixlen, 8);
	assert_int_equal(c->exclude_ports.n, 3);
	assert_int_equal(c->exclude_ports.v[1].first, 3306);
	assert_int_equal(c->exclude_ports.v[1].last, 3306);
	assert_int_equal(c->exclude_ports.v[2].first, 8000);
	assert_int_equal(c->exclude_ports.v[2].last, 9001);
	assert_string_equal(c->ueid, "A.B-9");
	assert_int_equal(c->recorder, MESH_RECORDER_SOCKOPS);
	assert_int_equal(c->mark, 256);
	assert_int_equal(c->mark_mask, 768);
}

static const struct {
	const char *spec, *note;
} bad_values[] = {
	{"\"enabled\":\"true\"",
	 "SmcMesh default: spec.enabled is "
	 "\"true\", expected true or false; it says nothing"},
	{"\"excludeCIDRs\":\"10.0.0.0/8\"",
	 "spec.excludeCIDRs is \"10.0.0.0/8\", expected an array"},
	{"\"excludeCIDRs\":[\"10.9.1.0/16\"]",
	 "spec.excludeCIDRs[0] is \"10.9.1.0/16\", expected a CIDR "
	 "like 10.9.0.0/16, with no bits set below the prefix; it is "
	 "not excluded"},
	{"\"excludeCIDRs\":[4]", "spec.excludeCIDRs[0] is 4"},
	{"\"excludePorts\":22", "spec.excludePorts is 22"},
	{"\"excludePorts\":[0]", "spec.excludePorts[0] is 0"},
	{"\"excludePorts\":[65536]", "spec.excludePorts[0] is 65536"},
	{"\"excludePorts\":[\"22\"]", "spec.excludePorts[0] is \"22\""},
	{"\"excludePorts\":[-1]", "spec.excludePorts[0] is -1"},
	{"\"excludePorts\":[1.5]", "spec.excludePorts[0] is 1.5"},
	{"\"excludePorts\":[\"9-8\"]",
	 "spec.excludePorts[0] is \"9-8\", expected a port from 1 to 65535, or "
	 "a range of them like \"8000-8999\"; it is not excluded"},
	{"\"excludePorts\":[\"1 - 2\"]", "spec.excludePorts[0] is \"1 - 2\""},
	{"\"excludePorts\":[\"0-2\"]", "spec.excludePorts[0] is \"0-2\""},
	{"\"ueid\":\"smcmesh\"",
	 "spec.ueid is \"smcmesh\", expected 1 "
	 "to 32 of A-Z 0-9 . - with A-Z or 0-9 first; the default "
	 "holds"},
	{"\"ueid\":\"\"", "spec.ueid is \"\""},
	{"\"ueid\":\"-A\"", "spec.ueid is \"-A\""},
	{"\"ueid\":\"ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC\"", "spec.ueid is"},
	{"\"ueid\":1", "spec.ueid is 1, expected a string"},
	{"\"recorder\":\"SMC\"",
	 "spec.recorder is \"SMC\", expected auto, smc or sockops; the "
	 "default holds"},
	{"\"recorder\":true", "spec.recorder is true, expected a string"},
	{"\"mark\":5", "spec.mark is 5, expected an object"},
	{"\"mark\":{\"value\":0}", "value 0x0 and mask 0xff00"},
	{"\"mark\":{\"value\":1}", "value 0x1 and mask 0xff00"},
	{"\"mark\":{\"mask\":1}", "value 0x100 and mask 0x1"},
	{"\"mark\":{\"value\":\"0x100\"}", "spec.mark.value is \"0x100\""},
	{"\"mark\":{\"value\":4294967296}",
	 "spec.mark.value is 4294967296, expected a number from 0 to "
	 "4294967295"},
};

static void bad_values_of_the_mesh_are_left_out(void **state)
{
	for (size_t i = 0; i < sizeof(bad_values) / sizeof(*bad_values); i++) {
		struct buf json = {0};

		buf_printf(&json,
			   "{\"kind\":\"SmcMesh\",\"metadata\":{"
			   "\"name\":\"default\"},\"spec\":{%s}}",
			   bad_values[i].spec);
		_decoded_ struct decoded d = decode(json.data);
		struct mesh_config *c = &d.world.config;

		buf_free(&json);
		assert_int_equal(d.err, 0);
		assert_says(notes(&d), bad_values[i].note);
		assert_int_equal(c->enabled, MESH_UNSET);
		assert_int_equal(c->n_exclude_cidrs, 0);
		assert_int_equal(c->exclude_ports.n, 0);
		assert_string_equal(c->ueid, "SMCMESH");
		assert_int_equal(c->recorder, MESH_RECORDER_AUTO);
		assert_int_equal(c->mark, 0x100);
		assert_int_equal(c->mark_mask, 0xff00);
	}
}

static void recorder_is_read_by_its_name(void **state)
{
	_decoded_ struct decoded a = decode(MESH("\"recorder\":\"smc\""));
	_decoded_ struct decoded b = decode(MESH("\"recorder\":\"auto\""));

	assert_int_equal(a.world.config.recorder, MESH_RECORDER_SMC);
	assert_int_equal(b.world.config.recorder, MESH_RECORDER_AUTO);
	assert_string_equal(notes(&a), "");
	assert_string_equal(notes(&b), "");
}

static void bad_value_of_the_mesh_spoils_no_other(void **state)
{
	_decoded_ struct decoded d = decode(
		MESH("\"enabled\":true,\"ueid\":7,\"excludePorts\":[1,\"x\",3],"
		     "\"excludeCIDRs\":[\"x\",\"10.0.0.0/8\"]"));

	assert_int_equal(d.world.config.enabled, MESH_ON);
	assert_int_equal(d.world.config.exclude_ports.n, 2);
	assert_int_equal(d.world.config.n_exclude_cidrs, 1);
}

static void only_default_configures(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"SmcMesh\",\"metadata\":{\"name\":\"other\"},"
		"\"spec\":{\"enabled\":true}},"
		"{\"kind\":\"ASMMeshConfig\",\"metadata\":{\"name\":\"x\"},"
		"\"spec\":{\"smcEnabled\":true}}");

	assert_int_equal(d.world.config.enabled, MESH_UNSET);
	assert_int_equal(d.world.config.asm_enabled, MESH_UNSET);
	assert_says(notes(&d), "SmcMesh other: only the one named default");
	assert_says(notes(&d), "ASMMeshConfig x: only the one named default");
}

static void of_two_configurations_the_later_counts(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"ASMMeshConfig\",\"metadata\":{\"name\":"
		"\"default\"},\"spec\":{\"smcEnabled\":true}}," MESH(
			"\"enabled\":true,\"excludePorts\":[1],\"ueid\":\"A\"") "," MESH("\"excludeCIDRs\":[\"10.0.0.0/8\"]"));

	assert_int_equal(d.world.config.enabled, MESH_UNSET);
	assert_int_equal(d.world.config.asm_enabled, MESH_ON);
	assert_int_equal(d.world.config.exclude_ports.n, 0);
	assert_int_equal(d.world.config.n_exclude_cidrs, 1);
	assert_string_equal(d.world.config.ueid, "SMCMESH");
	assert_says(notes(&d), "SmcMesh default: it is listed twice");
}

/* ---- SmcNode --------------------------------------------------------------
 */

static void smcnode_status_is_read_whole(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":\"SmcNode\","
		"\"metadata\":{\"name\":\"n2\",\"resourceVersion\":\"7\"},"
		"\"status\":{\"kernel\":\"7\","
		"\"bootID\":\"b\",\"transports\":[\"smcr\",\"smcx\"],"
		"\"ueids\":[\"SMCMESH\",\"B\"],\"endpoints\":["
		"{\"address\":\"10.0.0.2\",\"transports\":[\"smcr\",\"smcd\"],"
		"\"namespace\":\"shop\",\"pod\":\"db-0\",\"uid\":\"u\","
		"\"created\":\"1970-01-01T00:01:00Z\"},"
		"{\"address\":\"10.0.0.3\",\"namespace\":\"s\",\"pod\":\"p\","
		"\"ports\":[]},{\"address\":\"10.0.0.4\",\"namespace\":\"s\","
		"\"pod\":\"q\",\"ports\":[80,79]}],\"conditions\":[{\"type\":"
		"\"Ready\",\"status\":\"True\"},{\"type\":\"X\",\"status\":"
		"\"False\"}]}}");
	struct mesh_node *n = d.world.nodes;

	assert_int_equal(d.err, 0);
	assert_string_equal(notes(&d), "");
	assert_int_equal(d.world.n_nodes, 1);
	assert_string_equal(n->name, "n2");
	assert_string_equal(n->boot_id, "b");
	assert_string_equal(n->version, "7");
	assert_true(n->ready);
	assert_int_equal(n->transports, SMC_TRANSPORT_SMCR);
	assert_int_equal(n->n_ueids, 2);
	assert_string_equal(n->ueids[1], "B");
	assert_int_equal(n->n_endpoints, 3);
	assert_addr(n->endpoints[0].addr, "10.0.0.2");
	assert_int_equal(n->endpoints[0].transports,
			 SMC_TRANSPORT_SMCR | SMC_TRANSPORT_SMCD);
	assert_string_equal(n->endpoints[0].ns, "shop");
	assert_string_equal(n->endpoints[0].pod, "db-0");
	assert_string_equal(n->endpoints[0].uid, "u");
	assert_int_equal(n->endpoints[0].created, 60);
	assert_false(n->endpoints[0].host_network);
	assert_string_equal(n->endpoints[1].uid, "s/p");
	assert_true(n->endpoints[1].host_network);
	assert_int_equal(n->endpoints[1].ports.n, 0);
	assert_true(n->endpoints[2].host_network);
	assert_int_equal(n->endpoints[2].ports.v[0], 79);
}

static void only_a_plain_no_makes_a_node_not_ready(void **state)
{
	static const struct {
		const char *conditions;
		bool ready;
	} cases[] = {
		{"[]", true},
		{"[{\"type\":\"Ready\",\"status\":\"Unknown\"}]", true},
		{"[{\"type\":\"Ready\"}]", true},
		{"[{\"type\":\"Ready\",\"status\":\"False\"}]", false},
		{"[7,{\"type\":\"Ready\",\"status\":\"False\"}]", false},
		{"[{\"type\":\"Ready\",\"status\":false}]", true},
		{"{}", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char json[300];

		snprintf(json, sizeof(json),
			 "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
			 "\"status\":{\"conditions\":%s}}",
			 cases[i].conditions);
		_decoded_ struct decoded d = decode(json);

		assert_int_equal(d.world.n_nodes, 1);
		assert_int_equal(d.world.nodes[0].ready, cases[i].ready);
	}
}

static void bad_endpoints_are_left_out_alone(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
		"\"status\":{\"ueids\":[7,\"ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC\","
		"\"OK\"],\"endpoints\":[3,{},{\"address\":\"x\",\"namespace\":"
		"\"s\",\"pod\":\"p\"},{\"address\":\"10.0.0.1\",\"namespace\":"
		"\"s\"},{\"address\":\"10.0.0.1\",\"namespace\":\"s\",\"pod\":"
		"\"p\",\"created\":5},{\"address\":\"10.0.0.1\",\"namespace\":"
		"\"s\",\"pod\":\"p\",\"transports\":\"smcr\"},{\"address\":"
		"\"10.0.0.1\",\"namespace\":\"s\",\"pod\":\"p\",\"ports\":80},"
		"{\"address\":\"10.0.0.9\",\"namespace\":\"s\",\"pod\":\"p\","
		"\"ports\":[80,\"x\"]}]}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_nodes, 1);
	assert_int_equal(d.world.nodes[0].n_ueids, 1);
	assert_int_equal(d.world.nodes[0].n_endpoints, 1);
	assert_addr(d.world.nodes[0].endpoints[0].addr, "10.0.0.9");
	assert_int_equal(d.world.nodes[0].endpoints[0].ports.n, 1);
	assert_says(notes(&d), "status.endpoints[0] is 3, expected an object");
	assert_says(notes(&d), "status.endpoints[2] needs an address");
	assert_says(notes(&d), "status.endpoints[4].created is 5");
	assert_says(notes(&d), "status.endpoints[5].transports is \"smcr\"");
	assert_says(notes(&d), "status.endpoints[6].ports is 80");
	assert_says(notes(&d), "status.ueids[0] is 7");
}

/* What is not understood is as if it were not said. */
static void the_first_rdma_address_is_dialled(void **state)
{
	static const struct {
		const char *rdma, *address, *note;
	} cases[] = {
		{"[{\"device\":\"a\",\"address\":\"10.9.0.7\"},"
		 "{\"address\":\"10.9.0.8\"}]",
		 "10.9.0.7", ""},
		{"[{\"device\":\"a\"},{\"address\":\"10.9.0.8\"}]", "10.9.0.8",
		 ""},
		{"[{\"address\":\"fd00::1\"},{\"address\":\"10.9.0.8\"}]",
		 "10.9.0.8", "expected an IPv4 address"},
		{"[{\"address\":\"127.0.0.1\"}]",
		 "::", "expected an IPv4 address"},
		{"[7]", "::", "expected an object"},
		{"7", "::", "status.rdma"},
		{"[]", "::", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char json[300];

		snprintf(json, sizeof(json),
			 "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
			 "\"status\":{\"rdma\":%s}}",
			 cases[i].rdma);
		_decoded_ struct decoded d = decode(json);

		assert_int_equal(d.world.n_nodes, 1);
		assert_addr(d.world.nodes[0].rdma, cases[i].address);
		assert_says(notes(&d), cases[i].note);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mesh_spec_is_read_whole),
		cmocka_unit_test(bad_values_of_the_mesh_are_left_out),
		cmocka_unit_test(recorder_is_read_by_its_name),
		cmocka_unit_test(bad_value_of_the_mesh_spoils_no_other),
		cmocka_unit_test(only_default_configures),
		cmocka_unit_test(of_two_configurations_the_later_counts),
		cmocka_unit_test(smcnode_status_is_read_whole),
		cmocka_unit_test(only_a_plain_no_makes_a_node_not_ready),
		cmocka_unit_test(bad_endpoints_are_left_out_alone),
		cmocka_unit_test(the_first_rdma_address_is_dialled),
	};

	return cmocka_run_group_tests_name("decode/mesh", tests, NULL, NULL);
}
