// SPDX-License-Identifier: Apache-2.0
/* What the kernel's SMC may be used for: SmcMesh's limits and lease, a pod's
 * annotation, and what a plan makes of both. */
#include "decoded.h"
#include "mesh/spec_limits.h"
#include "worlds.h"

/* ---- texts ----------------------------------------------------------------
 */

static void leases_have_units_and_bounds(void **state)
{
	static const struct {
		const char *text;
		long seconds; /* -1: refused */
	} cases[] = {
		{"300s", 300}, {"5m", 300},	    {"1h", 3600},
		{"15s", 15},   {"24h", 86400},	    {"0", 0},
		{"0s", 0},     {"0m", 0},	    {"86400s", 86400},
		{"14s", -1},   {"1s", -1},	    {"86401s", -1},
		{"25h", -1},   {"300", -1},	    {"", -1},
		{"s", -1},     {"-300s", -1},	    {"300ms", -1},
		{"5m30s", -1}, {"1.5h", -1},	    {" 300s", -1},
		{"300 s", -1}, {"300S", -1},	    {"0d", -1},
		{"never", -1}, {"4294967296s", -1}, {"1193047h", -1},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		__u32 seconds = 7;

		assert_int_equal(mesh_lease_parse(cases[i].text, &seconds),
				 cases[i].seconds < 0 ? -EINVAL : 0);
		assert_int_equal(seconds,
				 cases[i].seconds < 0 ? 7 : cases[i].seconds);
	}
}

static void a_pods_limits_are_read(void **state)
{
	static const struct {
		const char *text;
		__u32 pending, connections;
	} cases[] = {
		{"pending=64,connections=200", 64, 200},
		{" connections=200 , pending=64 ", 64, 200},
		{"pending=1", 1, 0},
		{"connections=4294967295", 0, 4294967295},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct mesh_pod_limits l = {7, 7};
		char bad[32];

		assert_int_equal(mesh_pod_limits_parse(cases[i].text, &l, bad),
				 0);
		assert_int_equal(l.pending, cases[i].pending);
		assert_int_equal(l.connections, cases[i].connections);
	}
}

static void bad_part_of_pod_limits_is_named(void **state)
{
	static const struct {
		const char *text, *bad;
	} cases[] = {
		{"", ""},
		{"pending=64,", ""},
		{",pending=64", ""},
		{"pending=0", "pending=0"},
		{"pending=64,connections=0", "connections=0"},
		{"pending=-1", "pending=-1"},
		{"pending=", "pending="},
		{"pending", "pending"},
		{"pending=+5", "pending=+5"},
		{"pending = 5", "pending = 5"},
		{"pending=5 6", "pending=5 6"},
		{"pending=0x10", "pending=0x10"},
		{"pending=4294967296", "pending=4294967296"},
		{"pending=99999999999999999999999999999999",
		 "pending=99999999999999999999999"},
		{"pending=1,pending=1", "pending=1"},
		{"pending=64,bytes=5", "bytes=5"},
		{"Pending=64", "Pending=64"},
		{"pending=64;connections=2", "pending=64;connections=2"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct mesh_pod_limits l = {7, 7};
		char bad[32] = "?";

		assert_int_equal(mesh_pod_limits_parse(cases[i].text, &l, bad),
				 -EINVAL);
		assert_string_equal(bad, cases[i].bad);
		assert_int_equal(l.pending, 7);
		assert_int_equal(l.connections, 7);
	}
}

/* ---- SmcMesh --------------------------------------------------------------
 */

static void mesh_limits_are_read(void **state)
{
	_decoded_ struct decoded d = decode_spec(
		"\"limits\":{\"pendingPerPod\":64,\"pendingPerNode\":256,"
		"\"connectionsPerPod\":65536,\"memoryPercent\":50},"
		"\"lease\":\"5m\",\"allowUnencrypted\":true");
	struct mesh_config *c = &d.world.config;

	assert_string_equal(notes(&d), "");
	assert_int_equal(c->limits.pending_pod, 64);
	assert_int_equal(c->limits.pending_node, 256);
	assert_int_equal(c->limits.connections_pod, 65536);
	assert_int_equal(c->limits.memory_percent, 50);
	assert_int_equal(c->lease_s, 300);
	assert_true(c->allow_unencrypted);
}

static void limits_not_said_have_their_defaults(void **state)
{
	static const char *const specs[] = {
		"", "\"limits\":{}", "\"limits\":null,\"lease\":null",
		"\"limits\":{\"pendingPerPod\":null}"};

	for (size_t i = 0; i < array_size(specs); i++) {
		_decoded_ struct decoded d = decode_spec(specs[i]);
		struct mesh_config *c = &d.world.config;

		assert_string_equal(notes(&d), "");
		assert_int_equal(c->limits.pending_pod, 128);
		assert_int_equal(c->limits.pending_node, 512);
		assert_int_equal(c->limits.connections_pod, 1000);
		assert_int_equal(c->limits.memory_percent, 5);
		assert_int_equal(c->lease_s, 300);
		assert_false(c->allow_unencrypted);
	}
}

static void lease_of_0_is_read_in_every_form(void **state)
{
	static const char *const specs[] = {"\"lease\":0", "\"lease\":\"0\"",
					    "\"lease\":\"0s\""};

	for (size_t i = 0; i < array_size(specs); i++) {
		_decoded_ struct decoded d = decode_spec(specs[i]);

		assert_string_equal(notes(&d), "");
		assert_int_equal(d.world.config.lease_s, 0);
	}
}

static void lower_limit_of_the_node_lowers_its_pods(void **state)
{
	_decoded_ struct decoded d =
		decode_spec("\"limits\":{\"pendingPerNode\":64}");

	assert_string_equal(notes(&d), "");
	assert_int_equal(d.world.config.limits.pending_node, 64);
	assert_int_equal(d.world.config.limits.pending_pod, 64);
}

static const struct {
	const char *spec, *note;
} bad_values[] = {
	{"\"limits\":5", "spec.limits is 5, expected an object; the default "
			 "holds"},
	{"\"limits\":{\"pendingPerPod\":0}",
	 "SmcMesh default: spec.limits.pendingPerPod is 0, expected a number "
	 "from 1 to 512; the default holds"},
	{"\"limits\":{\"pendingPerPod\":513}",
	 "spec.limits.pendingPerPod is 513, expected a number from 1 to 512"},
	{"\"limits\":{\"pendingPerNode\":513}",
	 "spec.limits.pendingPerNode is 513, expected a number from 1 to 512"},
	{"\"limits\":{\"pendingPerNode\":0,\"pendingPerPod\":7}",
	 "spec.limits.pendingPerNode is 0"},
	{"\"limits\":{\"pendingPerPod\":65,\"pendingPerNode\":64}",
	 "spec.limits has pendingPerPod 65 and pendingPerNode 64, expected a "
	 "pod's that is not above the node's; the default holds"},
	{"\"limits\":{\"connectionsPerPod\":0}",
	 "spec.limits.connectionsPerPod is 0, expected a number from 1 to "
	 "65536"},
	{"\"limits\":{\"connectionsPerPod\":65537}",
	 "spec.limits.connectionsPerPod is 65537"},
	{"\"limits\":{\"connectionsPerPod\":\"5\"}",
	 "spec.limits.connectionsPerPod is \"5\""},
	{"\"limits\":{\"connectionsPerPod\":-1}",
	 "spec.limits.connectionsPerPod is -1"},
	{"\"limits\":{\"memoryPercent\":51}",
	 "spec.limits.memoryPercent is 51, expected a number from 1 to 50"},
	{"\"limits\":{\"memoryPercent\":0}", "spec.limits.memoryPercent is 0"},
	{"\"limits\":{\"memoryPercent\":1.5}",
	 "spec.limits.memoryPercent is 1.5"},
	{"\"lease\":\"14s\"",
	 "spec.lease is \"14s\", expected 0, which is no end, or from 15s to "
	 "24h (300s, 5m); the default holds"},
	{"\"lease\":300", "spec.lease is 300, expected"},
	{"\"lease\":false", "spec.lease is false, expected"},
	{"\"lease\":\"\"", "spec.lease is \"\", expected"},
	{"\"allowUnencrypted\":\"true\"",
	 "spec.allowUnencrypted is \"true\", expected true or false; the "
	 "default holds"},
};

static void bad_limits_are_named_and_left_out(void **state)
{
	for (size_t i = 0; i < array_size(bad_values); i++) {
		_decoded_ struct decoded d = decode_spec(bad_values[i].spec);
		struct mesh_config *c = &d.world.config;

		assert_says(notes(&d), bad_values[i].note);
		assert_int_equal(c->limits.pending_pod, 128);
		assert_int_equal(c->limits.pending_node, 512);
		assert_int_equal(c->limits.connections_pod, 1000);
		assert_int_equal(c->limits.memory_percent, 5);
		assert_int_equal(c->lease_s, 300);
		assert_false(c->allow_unencrypted);
	}
}

static void bad_limit_spoils_no_other(void **state)
{
	_decoded_ struct decoded d = decode_spec(
		"\"limits\":{\"pendingPerPod\":0,\"connectionsPerPod\":9,"
		"\"memoryPercent\":\"x\"},\"lease\":\"1m\"");

	assert_int_equal(d.world.config.limits.pending_pod, 128);
	assert_int_equal(d.world.config.limits.connections_pod, 9);
	assert_int_equal(d.world.config.lease_s, 60);
}

/* ---- Pod ------------------------------------------------------------------
 */

/* A pod whose annotation has that value, JSON. */
static struct decoded decode_asking(const char *value)
{
	return decode_printf("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
			     "\"annotations\":{\"smcmesh.io/limits\":%s}}}",
			     value);
}

static void limits_annotation_of_a_pod_is_read(void **state)
{
	_decoded_ struct decoded d =
		decode_asking("\"pending=64,connections=200\"");
	const struct mesh_pod *pod = only_pod(&d);

	assert_null(pod->problem);
	assert_int_equal(pod->pending_max, 64);
	assert_int_equal(pod->connections_max, 200);
}

static void bad_limits_annotation_is_a_problem_of_the_pod(void **state)
{
	static const struct {
		const char *value, *problem;
	} cases[] = {
		{"\"pending=64,bytes=5\"",
		 "annotation smcmesh.io/limits is \"pending=64,bytes=5\", "
		 "expected pending=N and connections=N, each once and N from 1 "
		 "on, with a comma between (not \"bytes=5\")"},
		{"\"pending=0\"", "(not \"pending=0\")"},
		{"\"\"", "is \"\", expected pending=N"},
		{"64", "is 64, expected a string like \"pending=64,"
		       "connections=200\""},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		_decoded_ struct decoded d = decode_asking(cases[i].value);
		const struct mesh_pod *pod = only_pod(&d);

		assert_says(pod->problem, cases[i].problem);
		assert_int_equal(pod->pending_max, 0);
		assert_int_equal(pod->connections_max, 0);
	}
}

/* ---- the plan -------------------------------------------------------------
 */

static void pod_limit_below_the_meshs_is_kept(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *pod = add_pod(s, "n1", "a", "10.0.0.1");

	pod->pending_max = 128;
	pod->connections_max = 200;
	see(s, pod);
	plan(s);
	assert_int_equal(s->plan.pods[0].pending_max, 128);
	assert_int_equal(s->plan.pods[0].connections_max, 200);
	assert_int_equal(s->plan.n_warnings, 0);
}

static void pod_limit_above_the_meshs_is_cut_and_said(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *pod = add_pod(s, "n1", "a", "10.0.0.1");

	pod->pending_max = 129;
	pod->connections_max = 200;
	see(s, pod);
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.pods[0].pending_max, 0);
	assert_int_equal(s->plan.pods[0].connections_max, 200);
	assert_int_equal(s->plan.n_warnings, 1);
	assert_string_equal(s->plan.warnings[0],
			    "pod ns/a asks for pending=129 in its annotation "
			    "smcmesh.io/limits, the mesh's limit is 128: it "
			    "has that");
	s->world.config.limits.connections_pod = 199;
	plan(s);
	assert_int_equal(s->plan.pods[0].connections_max, 0);
	assert_int_equal(s->plan.n_warnings, 2);
}

static void a_pod_that_is_not_enabled_asks_for_nothing(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *pod = add_pod(s, "n1", "a", "10.0.0.1");

	pod->enabled = MESH_OFF;
	pod->pending_max = 1000;
	plan(s);
	assert_int_equal(s->plan.n_warnings, 0);
}

/* ---- what may be used where traffic is encrypted --------------------------
 */

static void node_that_encrypts_has_no_rdma_unless_allowed(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *pod = add_pod(s, "n1", "a", "10.0.0.1");

	see(s, pod);
	s->host.encrypts = "the WireGuard device wg0";
	plan(s);
	assert_int_equal(s->plan.transports, D);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.pods[0].value.transports, D);
	assert_int_equal(s->plan.n_warnings, 1);
	assert_says(s->plan.warnings[0],
		    "no RDMA (smcr) on this node because of the WireGuard "
		    "device wg0");
	s->world.config.allow_unencrypted = true;
	plan(s);
	assert_int_equal(s->plan.transports, R | D);
	assert_int_equal(s->plan.pods[0].value.transports, R | D);
	assert_int_equal(s->plan.n_warnings, 0);
}

static void pod_with_rdma_alone_has_no_transport_past_encryption(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *pod = add_pod(s, "n1", "a", "10.0.0.1");

	see(s, pod)->transports = R;
	s->host.transports = D;
	s->host.encrypts = "an IPsec policy";
	plan(s);
	assert_int_equal(s->plan.pods[0].reason, SMC_REASON_NO_TRANSPORT);
	assert_int_equal(s->plan.n_warnings, 1);
}

/* Another node's pod that no SmcNode tells of, reached by what we have. */
static void node_that_encrypts_offers_no_rdma_to_other_nodes(void **state)
{
	struct scene *s = *state;

	add_pod(s, "n2", "b", "10.0.0.2");
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 1);
	assert_int_equal(s->plan.endpoints[0].value.transports, R);
	s->host.encrypts = "an IPsec policy";
	plan(s);
	assert_true(!s->plan.n_endpoints ||
		    !s->plan.endpoints[0].value.transports);
}

static void node_that_encrypts_without_rdma_is_not_warned(void **state)
{
	struct scene *s = *state;

	s->host.transports = D;
	s->host.encrypts = "an IPsec policy";
	plan(s);
	assert_int_equal(s->plan.transports, D);
	assert_int_equal(s->plan.n_warnings, 0);
}

static void memory_limit_is_a_share_of_the_nodes_memory(void **state)
{
	struct mesh_config c = {.limits = {.memory_percent = 5}};

	assert_int_equal(mesh_limits(&c, 16ULL << 30).bytes_node,
			 (16ULL << 30) / 100 * 5);
	assert_int_equal(mesh_limits(&c, 16ULL << 30).buffers_node, 4000);
}

#define SCENE(test) \
	cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leases_have_units_and_bounds),
		cmocka_unit_test(a_pods_limits_are_read),
		cmocka_unit_test(bad_part_of_pod_limits_is_named),
		cmocka_unit_test(mesh_limits_are_read),
		cmocka_unit_test(limits_not_said_have_their_defaults),
		cmocka_unit_test(lease_of_0_is_read_in_every_form),
		cmocka_unit_test(lower_limit_of_the_node_lowers_its_pods),
		cmocka_unit_test(bad_limits_are_named_and_left_out),
		cmocka_unit_test(bad_limit_spoils_no_other),
		cmocka_unit_test(limits_annotation_of_a_pod_is_read),
		cmocka_unit_test(bad_limits_annotation_is_a_problem_of_the_pod),
		SCENE(pod_limit_below_the_meshs_is_kept),
		SCENE(pod_limit_above_the_meshs_is_cut_and_said),
		SCENE(a_pod_that_is_not_enabled_asks_for_nothing),
		SCENE(node_that_encrypts_has_no_rdma_unless_allowed),
		SCENE(pod_with_rdma_alone_has_no_transport_past_encryption),
		SCENE(node_that_encrypts_offers_no_rdma_to_other_nodes),
		SCENE(node_that_encrypts_without_rdma_is_not_warned),
		cmocka_unit_test(memory_limit_is_a_share_of_the_nodes_memory),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
