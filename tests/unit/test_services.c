// SPDX-License-Identifier: Apache-2.0
/* Which ports of ClusterIPs, and of nodes, may be offered SMC. */
#include "casts.h"

#include <time.h>

/* ---- ClusterIPs -----------------------------------------------------------
 */

static void service_is_offered_what_all_backends_share(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1", "10.1.0.2");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
	assert_int_equal(at(c, VIP, 8080), -1);
	assert_string_equal(row(c, VIP, 80)->service, "web");
	assert_null(row(c, VIP, 80)->pod);
	/* of another node: SMC-D ends */
	SLICE(c, "web", "10.2.0.1");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R);
}

static void service_with_one_stranger_is_not_offered(void **state)
{
	struct cast *c = *state;
	char text[ADDR_STRLEN];

	add_pods(c);
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1", "10.1.0.2", "10.2.0.1");
	SLICE(c, "web", "10.2.0.9");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
	assert_string_equal(addr_format(&row(c, VIP, 80)->stranger, text),
			    "10.2.0.9");
	/* it goes */
	c->s->world.n_slices--;
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R);
}

static void service_with_nobody_behind_it_has_no_row(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP);
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), -1);
	add_slice(c, "web", (struct mesh_addrs){0});
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), -1);
	/* and nobody at this port of it */
	SLICE(c, "web", "10.1.0.1")->ports->name = (char *)"metrics";
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), -1);
}

static void slice_not_understood_counts_as_a_stranger(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1");
	add_slice(c, "web", (struct mesh_addrs){0})->broken = true;
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
}

static void slices_of_other_services_do_not_count(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1");
	SLICE(c, "other", "10.9.0.1");
	SLICE(c, "web", "10.9.0.2")->ns = (char *)"another";
	SLICE(c, "", "10.9.0.3");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
}

static void service_port_is_judged_by_its_own_name(void **state)
{
	struct cast *c = *state;
	struct mesh_service *s;

	add_pods(c);
	s = SERVICE(c, "web", VIP);
	add_port(c, "metrics", 9090);
	s->n_ports = 2;
	SLICE(c, "web", "10.1.0.1");
	SLICE(c, "web", "10.9.0.1")->ports->name = (char *)"metrics";
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
	assert_int_equal(at(c, VIP, 9090), 0);
}

static void service_address_is_judged_in_its_family(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP, "fd96::1");
	SLICE(c, "web", "10.1.0.1");
	SLICE(c, "web", "fd00::1", "fd00::9");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
	assert_int_equal(at(c, "fd96::1", 80), 0);
	c->slices[1].backends.n = 1;
	plan(c->s);
	/* a native IPv6 address has no SMC-R */
	assert_int_equal(at(c, "fd96::1", 80), D);
}

/* Two backends that share no transport with each other. */
static void service_without_a_common_transport_is_not_offered(void **state)
{
	struct cast *c = *state;

	see(c->s, add_pod(c->s, "n1", "a", "10.1.0.1"))->transports = D;
	publish(add_node(c->s, "n2"), "c", "10.2.0.1");
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1", "10.2.0.1");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
}

static void a_backend_that_is_excluded_is_a_stranger(void **state)
{
	struct cast *c = *state;
	struct cidr cidr;
	struct mesh_range ports = {8080, 8081};

	add_pods(c);
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1", "10.1.0.2");
	assert_int_equal(cidr_parse("10.1.0.2/31", &cidr), 0);
	c->s->world.config.exclude_cidrs = &cidr;
	c->s->world.config.n_exclude_cidrs = 1;
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
	assert_int_equal(cidr_parse("10.1.0.4/30", &cidr), 0);
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
	c->s->world.config.exclude_ports = (struct mesh_ranges){&ports, 1};
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
}

static void address_of_two_services_is_offered_what_both_allow(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP);
	SERVICE(c, "old", VIP);
	SLICE(c, "web", "10.1.0.1");
	SLICE(c, "old", "10.9.0.1");
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 1);
	assert_int_equal(at(c, VIP, 80), 0);
}

static void mesh_off_leaves_no_service_rows(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1");
	c->s->world.config.enabled = MESH_OFF;
	assert_int_equal(plan(c->s)->n_services, 0);
}

/* Where not all have room, those stay that let something through. */
static void rows_that_only_explain_make_room_for_offers(void **state)
{
	struct cast *c = *state;
	struct mesh_service_port *ports = calloc(65535, sizeof(*ports));

	add_pods(c);
	for (int i = 0; i < 65535; i++)
		ports[i] = (struct mesh_service_port){(char *)"http", i + 1};
	for (int i = 0; i < 2; i++) {
		struct mesh_service *s = SERVICE(c, i ? "x" : "y", "10.96.0.9");

		s->addrs.v[0].ip[14] = i;
		s->ports = ports;
		s->n_ports = 65535;
		SLICE(c, s->name, "10.9.0.1");
	}
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1");
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 1);
	assert_int_equal(at(c, VIP, 80), R | D);
	free(ports);
}

/* 10,000 Services with ten backends each, all of them endpoints. A quadratic
 * plan takes minutes; time of this process, since others may be busy. */
static void many_services_are_planned_in_time(void **state)
{
	enum { N = 10000, EACH = 10, SECONDS = 20 };
	struct mesh_endpoint *endpoints = calloc(N, sizeof(*endpoints));
	struct mesh_service *services = calloc(N, sizeof(*services));
	struct mesh_slice *slices = calloc(N, sizeof(*slices));
	struct smc_addr *addrs = calloc(2 * N, sizeof(*addrs));
	char(*names)[16] = calloc(N, sizeof(*names));
	struct cast *c = *state;
	struct mesh_service_port *port = add_port(c, "http", 80);
	struct mesh_node *node = add_node(c->s, "n2");
	struct timespec start, end;

	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "s%d", i);
		addrs[i] = addr("10.96.0.0");
		addrs[N + i] = addr("10.1.0.0");
		for (int k = 0; k < 2; k++) {
			addrs[k * N + i].ip[14] = i >> 8;
			addrs[k * N + i].ip[15] = i;
		}
		endpoints[i] = (struct mesh_endpoint){.addr = addrs[N + i],
						      .transports = R,
						      .ns = names[i],
						      .pod = names[i],
						      .uid = names[i]};
		services[i] = (struct mesh_service){.ns = (char *)"ns",
						    .name = names[i],
						    .addrs = {&addrs[i], 1},
						    .ports = port,
						    .n_ports = 1};
		slices[N - 1 - i] = (struct mesh_slice){
			.ns = (char *)"ns",
			.name = names[i],
			.service = names[i],
			.ports = port,
			.n_ports = 1,
			.backends = {&addrs[N + i], i < N - EACH ? EACH : 1}};
	}
	node->endpoints = endpoints;
	node->n_endpoints = N;
	c->s->world.services = services;
	c->s->world.slices = slices;
	c->s->world.n_services = c->s->world.n_slices = N;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(plan(c->s)->n_services, N);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	for (int i = 0; i < N; i++)
		assert_int_equal(c->s->plan.services[i].transports, R);
	print_message("%ld ms\n",
		      (end.tv_sec - start.tv_sec) * 1000 +
			      (end.tv_nsec - start.tv_nsec) / 1000000);
	assert_in_range(end.tv_sec - start.tv_sec, 0, SECONDS);
	free(endpoints);
	free(services);
	free(slices);
	free(addrs);
	free(names);
}

/* ---- Service addresses are nobody's ---------------------------------------
 */

static void a_cluster_ip_is_no_endpoint(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	see(c->s, add_pod(c->s, "n1", "thief", VIP));
	publish(&c->s->nodes[0], "far", "10.96.0.2");
	SERVICE(c, "web", VIP, "10.96.0.2");
	plan(c->s);
	assert_null(endpoint(c->s, VIP));
	assert_null(endpoint(c->s, "10.96.0.2"));
	assert_non_null(endpoint(c->s, "10.1.0.1"));
	assert_false(c->s->plan.pods[2].armed);
	assert_int_equal(c->s->plan.pods[2].reason,
			 SMC_REASON_ADDRESS_CONFLICT);
	assert_int_equal(c->s->plan.n_warnings, 2);
	assert_says(c->s->plan.warnings[0],
		    "10.96.0.1 of pod ns/thief is a Service's");
}

/* ---- hostNetwork ----------------------------------------------------------
 */

static void a_node_is_offered_smc_where_its_pods_listen(void **state)
{
	struct cast *c = *state;
	struct mesh_endpoint *e;

	add_host_pod(c, "h");
	e = publish(add_node(c->s, "n2"), "g", "192.168.0.2");
	e->host_network = true;
	e->ports = (struct mesh_ports){web_ports, 2};
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 3);
	assert_int_equal(at(c, "192.168.0.1", 8080), R | D);
	assert_string_equal(row(c, "192.168.0.1", 8080)->pod, "h");
	assert_int_equal(at(c, "192.168.0.2", 8080), R);
	assert_int_equal(at(c, "192.168.0.2", 30080), R);
	assert_int_equal(endpoint(c->s, "192.168.0.2")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	/* what this node tells the others */
	assert_int_equal(c->s->plan.pods[0].listens.n, 1);
	assert_int_equal(c->s->plan.pods[0].listens.v[0], 8080);
}

static void node_port_of_a_service_has_no_row(void **state)
{
	struct cast *c = *state;
	struct mesh_endpoint *e =
		publish(add_node(c->s, "n2"), "g", "192.168.0.2");

	e->host_network = true;
	e->ports = (struct mesh_ports){web_ports, 2};
	SERVICE(c, "web", VIP)->node_ports =
		(struct mesh_ports){&web_ports[1], 1};
	plan(c->s);
	assert_int_equal(at(c, "192.168.0.2", 8080), R);
	assert_int_equal(at(c, "192.168.0.2", 30080), -1);
}

static void a_service_may_have_host_pods_behind_it(void **state)
{
	struct cast *c = *state;
	struct mesh_slice *slice;

	add_host_pod(c, "h");
	see(c->s, add_pod(c->s, "n1", "a", "10.1.0.1"));
	SERVICE(c, "web", VIP);
	slice = SLICE(c, "web", "10.1.0.1", "192.168.0.1");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
	/* at a port where nobody of ours listens */
	slice->ports->port = 9000;
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
}

static void a_host_pod_that_is_not_armed_has_no_ports(void **state)
{
	struct cast *c = *state;

	add_host_pod(c, "h")->verified = false;
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 0);
	assert_int_equal(c->s->plan.pods[0].listens.n, 0);
}

static void host_port_of_another_pod_has_no_row(void **state)
{
	struct cast *c = *state;
	struct mesh_pod *web = add_pod(c->s, "n1", "web", "10.1.0.9");

	web->host_ports = (struct mesh_ports){web_ports, 1};
	add_host_pod(c, "h")->listens.n = 2;
	plan(c->s);
	assert_int_equal(at(c, "192.168.0.1", 8080), -1);
	assert_int_equal(at(c, "192.168.0.1", 30080), R | D);
	/* nor are the others told of it */
	assert_int_equal(c->s->plan.pods[1].listens.n, 1);
	assert_int_equal(c->s->plan.pods[1].listens.v[0], 30080);
	/* of another node, and of a pod that has ended: not here, not any more
	 */
	web->node = (char *)"n2";
	plan(c->s);
	assert_int_equal(at(c, "192.168.0.1", 8080), R | D);
	web->node = (char *)"n1";
	web->ended = true;
	plan(c->s);
	assert_int_equal(at(c, "192.168.0.1", 8080), R | D);
	assert_int_equal(c->s->plan.pods[1].listens.n, 2);
}

/* Two pods of one node: what both allow, at a port that both claim. */
static void host_pods_of_a_node_offer_what_both_allow(void **state)
{
	struct cast *c = *state;

	add_host_pod(c, "h");
	add_host_pod(c, "i")->transports = D;
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 1);
	assert_int_equal(at(c, "192.168.0.1", 8080), D);
}

static void service_rows_are_in_order(void **state)
{
	struct cast *c = *state;

	add_host_pod(c, "h")->listens.n = 2;
	add_pods(c);
	SERVICE(c, "web", VIP, "fd96::1");
	SLICE(c, "web", "10.1.0.1", "fd00::1");
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 4);
	for (size_t i = 1; i < 4; i++)
		assert_true(memcmp(&c->s->plan.services[i - 1].key,
				   &c->s->plan.services[i].key, 16) <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(service_is_offered_what_all_backends_share),
		test(service_with_one_stranger_is_not_offered),
		test(service_with_nobody_behind_it_has_no_row),
		test(slice_not_understood_counts_as_a_stranger),
		test(slices_of_other_services_do_not_count),
		test(service_port_is_judged_by_its_own_name),
		test(service_address_is_judged_in_its_family),
		test(service_without_a_common_transport_is_not_offered),
		test(a_backend_that_is_excluded_is_a_stranger),
		test(address_of_two_services_is_offered_what_both_allow),
		test(mesh_off_leaves_no_service_rows),
		test(rows_that_only_explain_make_room_for_offers),
		test(many_services_are_planned_in_time),
		test(a_cluster_ip_is_no_endpoint),
		test(a_node_is_offered_smc_where_its_pods_listen),
		test(node_port_of_a_service_has_no_row),
		test(host_port_of_another_pod_has_no_row),
		test(a_service_may_have_host_pods_behind_it),
		test(a_host_pod_that_is_not_armed_has_no_ports),
		test(host_pods_of_a_node_offer_what_both_allow),
		test(service_rows_are_in_order),
	};

	return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
