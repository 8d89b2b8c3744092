// SPDX-License-Identifier: Apache-2.0
/* Which connections are late, and which are not TCP at all. */
#include "unit.h"

#include <linux/smc_diag.h>

#include "mesh/late.h"
#include "node/plain_sockets.h"

/* ---- mesh/late ----------------------------------------------------------- */

#define PEER "10.0.0.2"
#define NODE_ADDR "192.168.0.9"
#define CLUSTER_IP "10.96.0.7"

static struct plan_endpoint endpoints[2];
static struct plan_service services[3];
static struct cidr cidrs[1];
static struct plan_port ports[2];
static struct plan_pod pod;
static struct mesh_plan plan;
static struct smc_flow record;

static struct smc_addr_port at(const char *text, __u16 port)
{
	struct smc_addr a = addr(text);

	return addr_port(&a, port);
}

/* An armed pod; an endpoint, a node's address, and a service with backends that
 * are all endpoints, and one with a stranger. */
static int make_plan(void **state)
{
	endpoints[0] = (struct plan_endpoint){
		.addr = addr(PEER), .value.transports = SMC_TRANSPORT_SMCR};
	endpoints[1] = (struct plan_endpoint){
		.addr = addr(NODE_ADDR),
		.value = {.transports = SMC_TRANSPORT_SMCR,
			  .flags = SMC_ENDPOINT_ANSWER_ONLY}};
	/* an external address of a Service, and the endpoint's */
	services[0] = (struct plan_service){.key = at(PEER, 90)};
	services[1] = (struct plan_service){.key = at(CLUSTER_IP, 80),
					    .transports = SMC_TRANSPORT_SMCR};
	services[2] = (struct plan_service){.key = at(CLUSTER_IP, 81)};
	pod = (struct plan_pod){.armed = true,
				.pod_id = 7,
				.value.transports = SMC_TRANSPORT_SMCR |
						    SMC_TRANSPORT_SMCD};
	plan = (struct mesh_plan){.enabled = true,
				  .endpoints = endpoints,
				  .n_endpoints = 2,
				  .services = services,
				  .n_services = 3,
				  .cidrs = cidrs,
				  .ports = ports};
	memset(cidrs, 0, sizeof(cidrs));
	memset(ports, 0, sizeof(ports));
	record = (struct smc_flow){.role = SMC_ROLE_CLIENT,
				   .outcome = SMC_OUTCOME_TCP,
				   .reason = SMC_REASON_NOT_ENDPOINT,
				   .opened_ns = 1000};
	return 0;
}

static bool would(const char *remote, __u16 port, unsigned int role)
{
	struct mesh_flow f = {.remote = addr(remote),
			      .local_port = 4000,
			      .remote_port = port};

	return mesh_would_accelerate(&plan, &pod, &f, role);
}

static void test_only_what_is_offered_or_answered_would_be_smc(void **state)
{
	assert_true(would(PEER, 80, SMC_ROLE_CLIENT));
	assert_true(would(PEER, 80, SMC_ROLE_SERVER));
	assert_true(would(PEER, 80, 0));
	assert_false(would("10.0.0.3", 80, 0));
	assert_false(would(PEER, 90, SMC_ROLE_CLIENT));
	assert_true(would(PEER, 90, SMC_ROLE_SERVER));
	/* a node's address: its offers are answered, no more */
	assert_false(would(NODE_ADDR, 80, SMC_ROLE_CLIENT));
	assert_true(would(NODE_ADDR, 80, SMC_ROLE_SERVER));
	/* nobody comes from a ClusterIP */
	assert_true(would(CLUSTER_IP, 80, SMC_ROLE_CLIENT));
	assert_true(would(CLUSTER_IP, 80, 0));
	assert_false(would(CLUSTER_IP, 80, SMC_ROLE_SERVER));
	assert_false(would(CLUSTER_IP, 81, SMC_ROLE_CLIENT));
	assert_false(would(CLUSTER_IP, 82, SMC_ROLE_CLIENT));
}

static void test_mesh_off_unarmed_or_no_transport_would_be_tcp(void **state)
{
	plan.enabled = false;
	assert_false(would(PEER, 80, 0));
	plan.enabled = true;
	pod.armed = false;
	assert_false(would(PEER, 80, 0));
	pod.armed = true;
	pod.value.transports = SMC_TRANSPORT_SMCD;
	assert_false(would(PEER, 80, 0));
}

static void test_excluded_cidr_or_port_would_be_tcp(void **state)
{
	assert_return_code(cidr_parse("10.0.0.0/30", &cidrs[0]), 0);
	plan.n_cidrs = 1;
	assert_false(would(PEER, 80, 0));
	assert_return_code(cidr_parse("10.0.0.4/30", &cidrs[0]), 0);
	assert_true(would(PEER, 80, 0));
	plan.n_ports = 2;
	ports[0] = (struct plan_port){0, SMC_ROLE_CLIENT, 80, 80};
	ports[1] = (struct plan_port){7, SMC_ROLE_SERVER, 4000, 4001};
	assert_false(would(PEER, 80, SMC_ROLE_CLIENT));
	assert_false(would(PEER, 80, SMC_ROLE_SERVER));
	ports[1].pod_id = 8; /* another pod's */
	assert_true(would(PEER, 80, SMC_ROLE_SERVER));
	assert_false(would(PEER, 80, 0));
	assert_true(would(PEER, 81, 0));
}

static void test_listener_is_excluded_by_its_own_inbound_ports(void **state)
{
	plan.n_ports = 2;
	ports[0] = (struct plan_port){0, SMC_ROLE_SERVER, 80, 80};
	ports[1] = (struct plan_port){7, SMC_ROLE_SERVER, 81, 81};
	assert_true(mesh_excludes_in(&plan, &pod, 80));
	assert_true(mesh_excludes_in(&plan, &pod, 81));
	assert_false(mesh_excludes_in(&plan, &pod, 82));
	ports[0].role = SMC_ROLE_CLIENT; /* its own dialling */
	ports[1].pod_id = 8;		 /* another pod's */
	assert_false(mesh_excludes_in(&plan, &pod, 80));
	assert_false(mesh_excludes_in(&plan, &pod, 81));
}

/* Each row is found by its key alone, and none beside it. */
static void test_one_row_of_many_is_found_by_its_key(void **state)
{
	enum { N = 1001 };
	struct plan_service *rows = calloc(N, sizeof(*rows));
	struct plan_port *excluded = calloc(N, sizeof(*excluded));

	for (int i = 0; i < N; i++) {
		rows[i].key = at(CLUSTER_IP, 2 * i + 2);
		rows[i].transports = SMC_TRANSPORT_SMCR;
		excluded[i] =
			(struct plan_port){7 * (i >= N / 2), SMC_ROLE_CLIENT,
					   2 * i + 2, 2 * i + 2};
	}
	plan.services = rows;
	plan.n_services = N;
	for (int port = 1; port <= 2 * N + 1; port++)
		assert_int_equal(would(CLUSTER_IP, port, SMC_ROLE_CLIENT),
				 port % 2 == 0);
	plan.ports = excluded;
	plan.n_ports = N;
	for (int port = 1; port <= 2 * N + 1; port++)
		assert_int_equal(would(PEER, port, SMC_ROLE_CLIENT), port % 2);
	pod.pod_id = 8;
	assert_true(would(PEER, 2 * N, SMC_ROLE_CLIENT));
	assert_false(would(PEER, 2, SMC_ROLE_CLIENT));
	free(rows);
	free(excluded);
}

static bool late(const struct smc_flow *r, struct mesh_since since)
{
	struct mesh_flow f = {.remote = addr(PEER),
			      .local_port = 4000,
			      .remote_port = 80,
			      .record = r};

	return mesh_flow_late(&plan, &pod, &f, &since);
}

static const struct mesh_since never, later = {.remote_ns = 2000};

static void test_flow_is_late_only_for_reasons_that_can_pass(void **state)
{
	static const enum smc_reason yes[] = {
		SMC_REASON_NOT_ENDPOINT,  SMC_REASON_NOT_ARMED,
		SMC_REASON_MESH_OFF,	  SMC_REASON_MIXED_SERVICE,
		SMC_REASON_NOT_CONVERTED, SMC_REASON_CHANGED,
		SMC_REASON_AGENT_SILENT};
	static const enum smc_reason no[] = {
		SMC_REASON_EXCLUDED_PORT, SMC_REASON_EXCLUDED_CIDR,
		SMC_REASON_OTHER_UID, SMC_REASON_QUARANTINED,
		SMC_REASON_LOOPBACK};

	assert_true(late(NULL, never)); /* from before the arming */
	for (size_t i = 0; i < array_size(yes); i++) {
		record.reason = yes[i];
		assert_true(late(&record, never));
	}
	for (size_t i = 0; i < array_size(no); i++) {
		record.reason = no[i];
		assert_false(late(&record, later));
	}
}

/* What stayed TCP for the lack of a path, and would again. */
static void test_flow_without_a_path_is_late_once_it_is_proven(void **state)
{
	static const struct mesh_since proven = {.path_proven = true};

	record.reason = SMC_REASON_PATH_UNPROVEN;
	assert_false(late(&record, later));
	assert_true(late(&record, proven));
	record.reason = SMC_REASON_PATH_BAD;
	assert_false(late(&record, later));
	assert_true(late(&record, proven));
	record.reason = SMC_REASON_EXCLUDED_PORT;
	assert_false(late(&record, proven));
}

static void test_only_an_open_tcp_flow_is_late(void **state)
{
	for (unsigned int o = 0; o <= SMC_OUTCOME_FAILED; o++) {
		record.outcome = o;
		assert_int_equal(late(&record, later), o == SMC_OUTCOME_TCP);
	}
	record.outcome = SMC_OUTCOME_TCP;
	record.closed = 1;
	assert_false(late(&record, later));
}

/* A server cannot tell a late client from one that never offers but by time,
 * and its own late listener is another matter. */
static void test_accepted_flow_is_late_only_if_older_than_arming(void **state)
{
	record.role = SMC_ROLE_SERVER;
	record.reason = SMC_REASON_NOT_CONVERTED;
	assert_false(late(&record, later));
	record.reason = SMC_REASON_NOT_OFFERED;
	assert_false(late(&record, never));
	assert_true(late(&record, later));
	assert_true(late(&record, (struct mesh_since){.pod_armed_ns = 1001}));
	assert_false(late(&record, (struct mesh_since){.pod_armed_ns = 1000,
						       .remote_ns = 1000}));
}

/* ---- node/plain ---------------------------------------------------------- */

static struct plain_flow flow(__u16 local, __u16 remote)
{
	return (struct plain_flow){.local_port = local, .remote_port = remote};
}

static struct diag_smc smc(__u16 local, __u16 remote, __u8 state, __u8 mode)
{
	return (struct diag_smc){.local_port = local,
				 .remote_port = remote,
				 .state = state,
				 .mode = mode};
}

static void test_flows_of_live_smc_sockets_are_left_out(void **state)
{
	struct plain_flow v[] = {flow(1, 80), flow(2, 80), flow(3, 80),
				 flow(80, 1), flow(4, 80), flow(5, 80)};
	const struct diag_smc rows[] = {
		smc(1, 80, DIAG_SMC_ACTIVE, SMC_DIAG_MODE_SMCR),
		smc(2, 80, DIAG_SMC_ACTIVE, SMC_DIAG_MODE_FALLBACK_TCP),
		smc(4, 80, DIAG_SMC_INIT, 0),
		smc(80, 0, DIAG_SMC_LISTEN, 0),
		smc(5, 80, DIAG_SMC_CLOSED, SMC_DIAG_MODE_SMCR),
	};

	assert_int_equal(plain_without_smc(v, 6, rows, 5), 4);
	assert_int_equal(v[0].local_port, 2);
	assert_int_equal(v[1].local_port, 3);
	assert_int_equal(v[2].local_port, 80);
	assert_int_equal(v[3].local_port, 5);
	assert_int_equal(plain_without_smc(v, 4, NULL, 0), 4);
	assert_int_equal(plain_without_smc(NULL, 0, rows, 5), 0);
}

/* Sockets of the application in a pod with a sidecar are not converted. */
static void test_sockets_of_others_than_the_proxy_are_dropped(void **state)
{
	struct netns_listener l[] = {{.port = 8080, .uid = 1000},
				     {.port = 15006, .uid = 1337},
				     {.port = 22, .uid = 0}};
	struct plain_flow f[] = {flow(1, 80), flow(2, 80), flow(3, 80)};
	struct plain p = {
		.listeners = l, .n_listeners = 3, .flows = f, .n_flows = 3};

	const struct smc_owner proxy[] = {{1337, SMC_ID_ANY},
					  {SMC_ID_ANY, 1000}};

	f[0].uid = f[2].uid = 1337;
	f[1].uid = 1000;
	plain_keep_owners(&p, proxy, 2);
	assert_int_equal(p.n_listeners, 1);
	assert_int_equal(l[0].port, 15006);
	assert_int_equal(p.n_flows, 2);
	assert_int_equal(f[1].local_port, 3);
	/* no socket's group is known */
	plain_keep_owners(&p, &proxy[1], 1);
	assert_int_equal(p.n_listeners + p.n_flows, 0);
}

#define late_test(f) cmocka_unit_test_setup(f, make_plan)

int main(void)
{
	const struct CMUnitTest tests[] = {
		late_test(test_only_what_is_offered_or_answered_would_be_smc),
		late_test(test_mesh_off_unarmed_or_no_transport_would_be_tcp),
		late_test(test_excluded_cidr_or_port_would_be_tcp),
		late_test(test_listener_is_excluded_by_its_own_inbound_ports),
		late_test(test_one_row_of_many_is_found_by_its_key),
		late_test(test_flow_is_late_only_for_reasons_that_can_pass),
		late_test(test_flow_without_a_path_is_late_once_it_is_proven),
		late_test(test_only_an_open_tcp_flow_is_late),
		late_test(test_accepted_flow_is_late_only_if_older_than_arming),
		cmocka_unit_test(test_flows_of_live_smc_sockets_are_left_out),
		cmocka_unit_test(
			test_sockets_of_others_than_the_proxy_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
