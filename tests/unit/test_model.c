// SPDX-License-Identifier: Apache-2.0
/* mesh/model: the switch, ports, UEIDs. */
#include "unit.h"

#include "mesh/plan.h"

static void smcmesh_wins_over_asm(void **state)
{
	static const struct {
		enum mesh_switch mesh, asm_mesh;
		bool on;
	} cases[] = {
		{MESH_UNSET, MESH_UNSET, false}, {MESH_UNSET, MESH_OFF, false},
		{MESH_UNSET, MESH_ON, true},	 {MESH_OFF, MESH_UNSET, false},
		{MESH_OFF, MESH_OFF, false},	 {MESH_OFF, MESH_ON, false},
		{MESH_ON, MESH_UNSET, true},	 {MESH_ON, MESH_OFF, true},
		{MESH_ON, MESH_ON, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mesh_config c = {.enabled = cases[i].mesh,
					.asm_enabled = cases[i].asm_mesh};

		assert_int_equal(mesh_enabled(&c), cases[i].on);
	}
}

static void switch_is_true_or_false_only(void **state)
{
	static const char *const bad[] = {"",  "True",	"TRUE",	 "yes",
					  "1", " true", "true ", "truefalse"};
	enum mesh_switch s = MESH_UNSET;

	assert_int_equal(mesh_switch_parse("true", &s), 0);
	assert_int_equal(s, MESH_ON);
	assert_int_equal(mesh_switch_parse("false", &s), 0);
	assert_int_equal(s, MESH_OFF);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(mesh_switch_parse(bad[i], &s), -EINVAL);
		assert_int_equal(s, MESH_OFF);
	}
}

static void ports_are_sorted_and_once(void **state)
{
	const __u16 v[] = {5432, 80, 65535, 80, 1, 22};
	struct mesh_ports p = {0};

	assert_int_equal(mesh_ports_set(&p, v, array_size(v)), 0);
	assert_int_equal(p.n, 5);
	assert_int_equal(p.v[0], 1);
	assert_int_equal(p.v[2], 80);
	assert_int_equal(p.v[4], 65535);
	assert_true(mesh_ports_has(&p, 22));
	assert_false(mesh_ports_has(&p, 23));
	/* Again, into what is in use. */
	assert_int_equal(mesh_ports_set(&p, NULL, 0), 0);
	assert_int_equal(p.n, 0);
	assert_false(mesh_ports_has(&p, 1));
	free(p.v);
}

static void ueid_is_what_the_kernel_takes(void **state)
{
	static const struct {
		const char *ueid;
		bool valid;
	} cases[] = {
		{"SMCMESH", true},
		{"0", true},
		{"A.-.", true},
		{"ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB", true},
		{"ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC", false},
		{"", false},
		{"smc", false},
		{".A", false},
		{"-A", false},
		{"A B", false},
		{" A", false},
		{"A_B", false},
		{"\xc4", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(mesh_ueid_valid(cases[i].ueid),
				 cases[i].valid);
	assert_true(mesh_ueid_valid(MESH_DEFAULT_UEID));
}

static void limits_are_of_this_node(void **state)
{
	struct mesh_config c = {0};
	struct smc_limits l;

	mesh_config_reset(&c);
	l = mesh_limits(&c, 1000 << 20);
	assert_int_equal(l.pending_pod, 128);
	assert_int_equal(l.pending_node, 512);
	assert_int_equal(l.connections_pod, 1000);
	assert_int_equal(l.buffers_node, MESH_BUFFERS_NODE);
	assert_int_equal(l.bytes_node >> 20, 50);
	assert_int_equal(l.bytes_pod * 8, l.bytes_node);
	c.limits.pending_pod = 7;
	c.limits.memory_percent = 100;
	l = mesh_limits(&c, 1000);
	assert_int_equal(l.pending_pod, 7);
	assert_int_equal(l.bytes_node, 1000);
	/* the size is not known: no buffers, rather than any number of them */
	assert_int_equal(mesh_limits(&c, 0).bytes_node, 0);
}

static void world_is_freed_whole(void **state)
{
	struct mesh_world w = {0};

	mesh_world_free(&w);
	mesh_world_init(&w);
	assert_string_equal(w.config.ueid, MESH_DEFAULT_UEID);
	w.pods = calloc(2, sizeof(*w.pods));
	w.n_pods = 2;
	w.pods[1].name = strdup("x");
	w.pods[1].addrs.v = malloc(16);
	w.nodes = calloc(1, sizeof(*w.nodes));
	w.n_nodes = 1;
	w.nodes[0].endpoints = calloc(1, sizeof(*w.nodes[0].endpoints));
	w.nodes[0].n_endpoints = 1;
	w.nodes[0].endpoints[0].uid = strdup("y");
	mesh_world_free(&w);
	assert_null(w.pods);
	/* What was not freed is LeakSanitizer's to say. */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smcmesh_wins_over_asm),
		cmocka_unit_test(switch_is_true_or_false_only),
		cmocka_unit_test(ports_are_sorted_and_once),
		cmocka_unit_test(ueid_is_what_the_kernel_takes),
		cmocka_unit_test(limits_are_of_this_node),
		cmocka_unit_test(world_is_freed_whole),
	};

	return cmocka_run_group_tests_name("mesh/model", tests, NULL, NULL);
}
