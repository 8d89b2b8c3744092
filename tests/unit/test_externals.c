// SPDX-License-Identifier: Apache-2.0
/* Services' external addresses, and ClusterIPs of which the slices do not tell
 * who is behind them. */
#include "casts.h"

/* ---- external addresses ---------------------------------------------------
 */

/* A Service with such addresses and no ClusterIP, at port 80. */
#define EXTERNAL(c, name, ...)                                         \
	(add_service((c), (name), (struct mesh_addrs){0})->externals = \
		 ADDRS((c)->s, __VA_ARGS__))

static void an_external_address_takes_its_ports_alone(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	EXTERNAL(c, "web", "10.1.0.1", "fd00::1", "10.2.0.1", "203.0.113.1");
	plan(c->s);
	/* of nobody's address no row is needed */
	assert_int_equal(c->s->plan.n_services, 3);
	assert_int_equal(at(c, "10.1.0.1", 80), 0);
	assert_int_equal(at(c, "fd00::1", 80), 0);
	assert_int_equal(at(c, "10.2.0.1", 80), 0);
	assert_int_equal(row(c, "10.2.0.1", 80)->why, MESH_SERVICE_EXTERNAL);
	assert_string_equal(row(c, "10.2.0.1", 80)->service, "web");
	/* nobody is disarmed by it */
	assert_int_equal(endpoint(c->s, "10.1.0.1")->value.transports, R | D);
	assert_int_equal(endpoint(c->s, "10.1.0.1")->value.flags, 0);
	assert_int_equal(endpoint(c->s, "10.2.0.1")->value.flags, 0);
	assert_true(c->s->plan.pods[0].armed);
	assert_int_equal(c->s->plan.pods[0].published.n, 2);
	assert_int_equal(c->s->plan.n_warnings, 0);
	/* it goes */
	c->s->world.n_services = 0;
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 0);
}

/* The proxy of the backend's node takes it once more. */
static void a_backend_that_is_taken_away_is_a_stranger(void **state)
{
	struct cast *c = *state;
	struct mesh_service *other;

	add_pods(c);
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1", "10.1.0.2"); /* at port 8080 */
	other = add_service(c, "other", (struct mesh_addrs){0});
	other->externals = ADDRS(c->s, "10.1.0.2");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
	other->ports->port = 8080;
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
	assert_int_equal(row(c, VIP, 80)->why, MESH_SERVICE_BACKEND);
	assert_int_equal(at(c, "10.1.0.2", 8080), 0);
	assert_int_equal(at(c, "10.1.0.1", 8080), -1);
}

static void address_with_unreadable_external_port_is_answer_only(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	EXTERNAL(c, "web", "10.1.0.1");
	c->services[0].broken = true;
	plan(c->s);
	assert_int_equal(endpoint(c->s, "10.1.0.1")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	assert_true(c->s->plan.pods[0].armed);
	assert_int_equal(endpoint(c->s, "10.1.0.2")->value.flags, 0);
	assert_says(
		c->s->plan.warnings[0],
		"address 10.1.0.1 of pod ns/a is an external one of Service "
		"ns/web, of which not all ports were understood");
}

/* More ports of one address than there is room for: that one is given up, and
 * neither those who name fewer, nor Services with backends, lose by it. */
static void address_with_too_many_external_ports_is_answer_only(void **state)
{
	struct cast *c = *state;
	struct mesh_service_port *ports = calloc(65535, sizeof(*ports));

	add_pods(c);
	for (int i = 0; i < 65535; i++)
		ports[i] = (struct mesh_service_port){(char *)"http", i + 1};
	EXTERNAL(c, "all", "10.1.0.2");
	c->services[0].ports = ports;
	c->services[0].n_ports = 65535;
	EXTERNAL(c, "one", "10.1.0.1");
	SERVICE(c, "web", VIP);
	SLICE(c, "web", "10.1.0.1");
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 2);
	assert_int_equal(at(c, "10.1.0.1", 80), 0);
	assert_int_equal(at(c, VIP, 80), R | D);
	assert_int_equal(endpoint(c->s, "10.1.0.1")->value.flags, 0);
	assert_int_equal(endpoint(c->s, "10.1.0.2")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	assert_true(c->s->plan.pods[1].armed);
	assert_int_equal(c->s->plan.pods[1].published.n, 1);
	assert_says(c->s->plan.warnings[0], "10.1.0.2 of pod ns/b is an ext");
	/* half as many have room */
	c->services[0].n_ports = 32767;
	plan(c->s);
	assert_int_equal(endpoint(c->s, "10.1.0.2")->value.flags, 0);
	assert_int_equal(at(c, "10.1.0.2", 1), 0);
	assert_int_equal(at(c, "10.1.0.2", 32767), 0);
	free(ports);
}

/* Every port of every pod: a hundred million rows that are never made. */
static void who_names_everything_gets_nothing_done(void **state)
{
	enum { PODS = 2000, PORTS = 50000 };
	struct cast *c = *state;
	struct mesh_service_port *ports = calloc(PORTS, sizeof(*ports));
	struct mesh_endpoint *pods = calloc(PODS, sizeof(*pods));
	struct smc_addr *addrs = calloc(PODS, sizeof(*addrs));
	struct mesh_node *node;

	add_pods(c);
	node = add_node(c->s, "n3");
	for (int i = 0; i < PODS; i++) {
		addrs[i] = addr("10.3.0.0");
		addrs[i].ip[14] = i >> 8;
		addrs[i].ip[15] = i;
		pods[i] = (struct mesh_endpoint){.addr = addrs[i],
						 .transports = R,
						 .ns = (char *)"ns",
						 .pod = (char *)"p",
						 .uid = (char *)"p"};
	}
	for (int i = 0; i < PORTS; i++)
		ports[i] = (struct mesh_service_port){(char *)"http", i + 1};
	node->endpoints = pods;
	node->n_endpoints = PODS;
	EXTERNAL(c, "one", "10.1.0.1");
	add_service(c, "all", (struct mesh_addrs){0})->externals =
		(struct mesh_addrs){addrs, PODS};
	c->services[1].ports = ports;
	c->services[1].n_ports = PORTS;
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, 1);
	assert_int_equal(at(c, "10.1.0.1", 80), 0);
	assert_int_equal(endpoint(c->s, "10.3.7.7")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	assert_int_equal(endpoint(c->s, "10.1.0.2")->value.flags, 0);
	/* a hundred each would be too many, too, but not of one */
	c->services[1].n_ports = 100;
	plan(c->s);
	assert_int_equal(endpoint(c->s, "10.3.7.7")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	c->services[1].n_ports = 16;
	plan(c->s);
	assert_int_equal(endpoint(c->s, "10.3.7.7")->value.flags, 0);
	assert_int_equal(at(c, "10.3.7.7", 16), 0);
	assert_int_equal(c->s->plan.n_services, 1 + 16 * PODS);
	free(ports);
	free(pods);
	free(addrs);
}

/* Where all that may be offered does not fit beside it, what denies stays. */
static void what_denies_has_room_before_what_offers(void **state)
{
	enum { OFFERED = SMC_SERVICE_ENTRIES };
	struct cast *c = *state;
	struct mesh_service_port *ports = calloc(OFFERED, sizeof(*ports));

	add_pods(c);
	for (int i = 0; i < OFFERED - 1; i++)
		ports[i] = (struct mesh_service_port){(char *)"http", i + 1};
	SERVICE(c, "web", VIP)->ports = ports;
	c->services[0].n_ports = OFFERED - 1;
	SLICE(c, "web", "10.1.0.1");
	SERVICE(c, "bit", "10.96.0.2");
	SLICE(c, "bit", "10.1.0.1");
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, OFFERED);
	assert_int_equal(c->s->plan.n_warnings, 0);
	/* at the end of the order, where the rows end */
	EXTERNAL(c, "ext", "fd00::1");
	plan(c->s);
	assert_int_equal(c->s->plan.n_services, OFFERED);
	assert_int_equal(at(c, "fd00::1", 80), 0);
	assert_says(c->s->plan.warnings[0],
		    "1 ports of Services found no room in smc_service");
	free(ports);
}

/* Who of the two gets the connection is the proxy's affair. */
static void external_ip_that_is_a_cluster_ip_is_not_offered(void **state)
{
	struct cast *c = *state;
	struct mesh_service *web;

	add_pods(c);
	web = SERVICE(c, "web", VIP, "fd96::1");
	add_port(c, "http", 81);
	web->n_ports = 2;
	SLICE(c, "web", "10.1.0.1", "fd00::1");
	EXTERNAL(c, "thief", "10.0.0.1", VIP, "10.96.0.2");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
	assert_string_equal(row(c, VIP, 80)->service, "thief");
	assert_int_equal(row(c, VIP, 80)->why, MESH_SERVICE_EXTERNAL);
	assert_int_equal(at(c, VIP, 81), R | D);
	assert_int_equal(at(c, "fd96::1", 80), D);
	assert_int_equal(c->s->plan.n_services, 4);
	c->services[1].broken = true;
	plan(c->s);
	assert_int_equal(at(c, VIP, 81), 0);
	assert_int_equal(at(c, "fd96::1", 81), D);
	c->s->world.n_services = 1;
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
}

/* ---- who is behind it is not told ----------------------------------------
 */

static void a_service_that_leads_elsewhere_is_not_offered(void **state)
{
	struct cast *c = *state;

	add_pods(c);
	SERVICE(c, "web", VIP)->elsewhere = true;
	SLICE(c, "web", "10.1.0.1");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
	assert_int_equal(row(c, VIP, 80)->why, MESH_SERVICE_ELSEWHERE);
	c->services[0].elsewhere = false;
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), R | D);
	assert_int_equal(row(c, VIP, 80)->why, MESH_SERVICE_NONE);
}

static void an_address_that_this_node_holds_is_not_offered(void **state)
{
	struct cast *c = *state;
	struct cidr net;

	add_pods(c);
	SERVICE(c, "web", VIP, "10.96.0.2", "fd96::1");
	SLICE(c, "web", "10.1.0.1");
	SLICE(c, "web", "fd00::1");
	c->s->host.local = ADDRS(c->s, "10.1.0.254", VIP, "192.168.0.1");
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
	assert_int_equal(row(c, VIP, 80)->why, MESH_SERVICE_LOCAL);
	assert_int_equal(at(c, "10.96.0.2", 80), R | D);
	assert_int_equal(at(c, "fd96::1", 80), D);
	/* a pod's own address is not meant */
	assert_int_equal(endpoint(c->s, "10.1.0.1")->value.flags, 0);
	/* a whole prefix */
	assert_int_equal(cidr_parse("10.96.0.2/31", &net), 0);
	c->s->host.local_nets = &net;
	c->s->host.n_local_nets = 1;
	plan(c->s);
	assert_int_equal(at(c, "10.96.0.2", 80), 0);
	assert_int_equal(at(c, "fd96::1", 80), D);
	/* while nothing is known of what is local */
	net = (struct cidr){0};
	plan(c->s);
	assert_int_equal(at(c, VIP, 80), 0);
	assert_int_equal(at(c, "fd96::1", 80), 0);
}

static void external_ip_at_a_node_listeners_port_is_not_offered(void **state)
{
	struct cast *c = *state;
	struct mesh_service *s;

	add_host_pod(c, "h")->listens.n = 2;
	s = SERVICE(c, "web", VIP);
	s->externals = ADDRS(c->s, "192.168.0.1");
	s->ports->port = 8080;
	SLICE(c, "web", "192.168.0.1"); /* at 8080: taken once more */
	plan(c->s);
	assert_int_equal(at(c, "192.168.0.1", 8080), 0);
	assert_string_equal(row(c, "192.168.0.1", 8080)->service, "web");
	assert_int_equal(at(c, "192.168.0.1", 30080), R | D);
	assert_int_equal(at(c, VIP, 8080), 0);
	s->broken = true;
	plan(c->s);
	assert_int_equal(at(c, "192.168.0.1", 8080), -1);
	assert_int_equal(at(c, "192.168.0.1", 30080), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_external_address_takes_its_ports_alone),
		test(a_backend_that_is_taken_away_is_a_stranger),
		test(address_with_unreadable_external_port_is_answer_only),
		test(address_with_too_many_external_ports_is_answer_only),
		test(who_names_everything_gets_nothing_done),
		test(what_denies_has_room_before_what_offers),
		test(external_ip_that_is_a_cluster_ip_is_not_offered),
		test(a_service_that_leads_elsewhere_is_not_offered),
		test(an_address_that_this_node_holds_is_not_offered),
		test(external_ip_at_a_node_listeners_port_is_not_offered),
	};

	return cmocka_run_group_tests_name("externals", tests, NULL, NULL);
}
