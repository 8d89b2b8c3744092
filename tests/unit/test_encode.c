// SPDX-License-Identifier: Apache-2.0
/* The SmcNode we write is the SmcNode we read. */
#include "unit.h"

#include "kube/decode.h"
#include "kube/encode.h"

static char uid_b[] = "u-b", uid_a[] = "u-a", ns[] = "shop", web[] = "web-0",
	    db[] = "db-0";

struct scene {
	struct smc_addr addrs[3];
	struct mesh_pod pods[2];
	struct plan_pod plan_pods[2];
	struct mesh_plan plan;
	struct kube_node node;
};

static const char *const ueids[] = {"SMCMESH", "OTHER"};
static const struct kube_rdma rdma[] = {{"rxe0", "eth0", 1, NULL}};

/* Two pods: db-0 with two addresses, web-0 on the host network. */
static void make_scene(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->addrs[0] = addr("10.0.0.9");
	s->addrs[1] = addr("fd00::1");
	s->addrs[2] = addr("10.0.0.1");
	s->pods[0] = (struct mesh_pod){
		.ns = ns, .name = db, .uid = uid_b, .created = 1740830400};
	s->pods[1] = (struct mesh_pod){
		.ns = ns, .name = web, .uid = uid_a, .host_network = true};
	s->plan_pods[0] = (struct plan_pod){
		.pod = &s->pods[0],
		.value.transports = SMC_TRANSPORT_SMCR | SMC_TRANSPORT_SMCD,
		.published = {s->addrs, 2},
	};
	s->plan_pods[1] = (struct plan_pod){
		.pod = &s->pods[1],
		.value.transports = SMC_TRANSPORT_SMCD,
		.published = {s->addrs + 2, 1},
	};
	s->plan.pods = s->plan_pods;
	s->plan.n_pods = 2;
	s->node = (struct kube_node){
		.name = "n1",
		.kernel = "7.3.4",
		.boot_id = "b-1",
		.converter = "sockproto",
		.selector = "hs_ctrl",
		.transports = SMC_TRANSPORT_SMCD,
		.ueids = ueids,
		.n_ueids = 2,
		.rdma = rdma,
		.n_rdma = 1,
		.plan = &s->plan,
		.ready = true,
		.reason = "Armed",
		.message = "2 pods \"armed\"",
		.transition = 60,
	};
}

static void text_is_as_designed(void **state)
{
	struct buf b = {0};
	struct scene s;

	make_scene(&s);
	assert_int_equal(kube_encode_node(&s.node, &b), 0);
	assert_string_equal(
		b.data,
		"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":\"SmcNode\","
		"\"metadata\":{\"name\":\"n1\"},\"status\":{\"kernel\":"
		"\"7.3.4\",\"bootID\":\"b-1\",\"endpointCount\":3,"
		"\"converter\":\"sockproto\",\"selector\":\"hs_ctrl\","
		"\"transports\":[\"smcd\"],\"ueids\":[\"SMCMESH\",\"OTHER\"],"
		"\"rdma\":[{\"device\":\"rxe0\",\"port\":1,\"netdev\":"
		"\"eth0\"}],\"endpoints\":[{\"address\":\"10.0.0.1\","
		"\"transports\":[\"smcd\"],\"namespace\":\"shop\",\"pod\":"
		"\"web-0\",\"uid\":\"u-a\",\"created\":"
		"\"1970-01-01T00:00:00Z\",\"ports\":[]},{\"address\":"
		"\"10.0.0.9\",\"transports\":[\"smcr\",\"smcd\"],"
		"\"namespace\":\"shop\",\"pod\":\"db-0\",\"uid\":\"u-b\","
		"\"created\":\"2025-03-01T12:00:00Z\"},{\"address\":"
		"\"fd00::1\",\"transports\":[\"smcd\"],\"namespace\":"
		"\"shop\",\"pod\":\"db-0\",\"uid\":\"u-b\",\"created\":"
		"\"2025-03-01T12:00:00Z\"}],\"conditions\":[{\"type\":"
		"\"Ready\",\"status\":\"True\",\"reason\":\"Armed\","
		"\"message\":\"2 pods \\\"armed\\\"\",\"lastTransitionTime\":"
		"\"1970-01-01T00:01:00Z\"}]}}");
	buf_free(&b);
}

static void decode_reads_it_back(void **state)
{
	struct buf b = {0}, notes = {0}, error = {0};
	struct mesh_world w = {0};
	struct mesh_node *n;
	struct scene s;

	make_scene(&s);
	s.node.ready = false;
	assert_int_equal(kube_encode_node(&s.node, &b), 0);
	assert_int_equal(kube_decode_list(b.data, b.len, &w, &notes, &error),
			 0);
	assert_null(notes.data);
	assert_int_equal(w.n_nodes, 1);
	n = w.nodes;
	assert_string_equal(n->name, "n1");
	assert_string_equal(n->boot_id, "b-1");
	assert_false(n->ready);
	assert_int_equal(n->transports, SMC_TRANSPORT_SMCD);
	assert_int_equal(n->n_ueids, 2);
	assert_int_equal(n->n_endpoints, 3);
	assert_true(n->endpoints[0].host_network);
	assert_false(n->endpoints[1].host_network);
	assert_memory_equal(&n->endpoints[2].addr, &s.addrs[1], 16);
	assert_string_equal(n->endpoints[2].uid, uid_b);
	assert_int_equal(n->endpoints[2].created, 1740830400);
	/* db-0 has both transports; an IPv6 address has no SMC-R */
	assert_int_equal(n->endpoints[1].transports,
			 SMC_TRANSPORT_SMCR | SMC_TRANSPORT_SMCD);
	assert_int_equal(n->endpoints[2].transports, SMC_TRANSPORT_SMCD);
	mesh_world_free(&w);
	buf_free(&b);
	buf_free(&notes);
	buf_free(&error);
}

static void order_of_pods_does_not_show(void **state)
{
	struct buf one = {0}, two = {0};
	struct plan_pod swap;
	struct scene s;

	make_scene(&s);
	assert_int_equal(kube_encode_node(&s.node, &one), 0);
	swap = s.plan_pods[0];
	s.plan_pods[0] = s.plan_pods[1];
	s.plan_pods[1] = swap;
	assert_int_equal(kube_encode_node(&s.node, &two), 0);
	assert_string_equal(one.data, two.data);
	buf_free(&one);
	buf_free(&two);
}

static void little_is_known_at_first(void **state)
{
	const struct kube_node n = {.name = "n1"};
	struct buf b = {0};

	assert_int_equal(kube_encode_node(&n, &b), 0);
	assert_says(b.data,
		    "\"status\":{\"endpointCount\":0,\"transports\":[]");
	assert_says(b.data, "\"status\":\"False\"");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_as_designed),
		cmocka_unit_test(decode_reads_it_back),
		cmocka_unit_test(order_of_pods_does_not_show),
		cmocka_unit_test(little_is_known_at_first),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
