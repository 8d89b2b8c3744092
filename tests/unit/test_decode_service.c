// SPDX-License-Identifier: Apache-2.0
/* Services and EndpointSlices, one object of the API at a time. */
#include "given.h"

/* ---- Service --------------------------------------------------------------
 */

static struct mesh_service service(const char *spec, const char *note)
{
	struct mesh_service s;
	struct given g;
	char *json;

	assert_true(asprintf(&json, "{" METADATA("web") "},\"spec\":{%s}}",
			     spec) > 0);
	g = given(json);
	assert_int_equal(kube_decode(KIND_SERVICE, g.val, &s, &g.notes), 0);
	if (note)
		assert_says(g.notes.data, note);
	else
		assert_null(g.notes.data);
	given_free(&g);
	free(json);
	return s;
}

#define PORTS "\"ports\":[{\"name\":\"http\",\"port\":80}]"

static void a_service_has_addresses_and_tcp_ports(void **state)
{
	struct mesh_service s = service(
		"\"type\":\"LoadBalancer\",\"clusterIP\":\"10.96.0.1\","
		"\"clusterIPs\":[\"10.96.0.1\",\"fd96::1\"],"
		"\"externalIPs\":[\"1.2.3.4\"],\"loadBalancerIP\":\"1.2.3.5\","
		"\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":"
		"80,\"targetPort\":\"web\",\"nodePort\":30080},{\"name\":"
		"\"dns\",\"protocol\":\"UDP\",\"port\":53},{\"port\":81}]",
		NULL);

	assert_string_equal(s.ns, "shop");
	assert_string_equal(s.name, "web");
	assert_int_equal(s.addrs.n, 2);
	assert_addr(s.addrs.v[0], "10.96.0.1");
	assert_addr(s.addrs.v[1], "fd96::1");
	assert_int_equal(s.n_ports, 2);
	assert_string_equal(s.ports[0].name, "http");
	assert_int_equal(s.ports[0].port, 80);
	assert_string_equal(s.ports[1].name, "");
	assert_int_equal(s.ports[1].port, 81);
	assert_int_equal(s.node_ports.n, 1);
	assert_int_equal(s.node_ports.v[0], 30080);
	/* loadBalancerIP is what somebody would like to have */
	assert_int_equal(s.externals.n, 1);
	assert_addr(s.externals.v[0], "1.2.3.4");
	assert_false(s.elsewhere);
	assert_false(s.broken);
	mesh_service_free(&s);
}

/* What else a proxy takes, whether it says so or its balancer does. */
static void a_service_has_external_addresses(void **state)
{
	_given_ struct given g = given("{" METADATA(
		"web") "},\"spec\":{\"clusterIP\":\"None\",\"externalIPs\":["
		       "\"1.2.3.4\",\"fd01::1\"]," PORTS
		       "},\"status\":{\"loadBalancer\":{\"ingress\":["
		       "{\"ip\":\"1.2.3.5\",\"ipMode\":\"VIP\"},"
		       "{\"ip\":\"1.2.3.6\",\"ipMode\":\"Proxy\"},"
		       "{\"hostname\":\"lb.example.com\"}]}}}");
	static const char *const want[] = {"1.2.3.4", "fd01::1", "1.2.3.5",
					   "1.2.3.6"};
	struct mesh_service s;

	assert_int_equal(kube_decode(KIND_SERVICE, g.val, &s, &g.notes), 0);
	assert_null(g.notes.data);
	assert_int_equal(s.addrs.n, 0);
	assert_int_equal(s.externals.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_addr(s.externals.v[i], want[i]);
	mesh_service_free(&s);
}

static void an_external_address_that_is_none_is_ignored(void **state)
{
	struct mesh_service s =
		service("\"externalIPs\":[\"x\",7,\"1.2.3.4\"]," PORTS,
			"spec.externalIPs[0] is \"x\", expected an IPv4");

	assert_int_equal(s.externals.n, 1);
	mesh_service_free(&s);
}

static void services_without_a_cluster_ip_have_no_address(void **state)
{
	static const char *const specs[] = {
		"\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]," PORTS,
		"\"clusterIP\":\"None\"," PORTS,
		"\"type\":\"ExternalName\",\"externalName\":\"a.b\"," PORTS,
		PORTS,
	};

	for (int i = 0; i < 4; i++) {
		struct mesh_service s = service(specs[i], NULL);

		assert_int_equal(s.addrs.n, 0);
		mesh_service_free(&s);
	}
}

/* It has an address, which stays a Service's; but who knows where it leads? */
static void services_of_other_proxies_or_clusters_lead_elsewhere(void **state)
{
	static const struct {
		const char *meta;
		bool elsewhere;
	} cases[] = {
		{"\"labels\":{\"service.kubernetes.io/service-proxy-name\":"
		 "\"x\"}",
		 true},
		{"\"labels\":{\"service.kubernetes.io/service-proxy-name\":"
		 "\"\"}",
		 true},
		{"\"annotations\":{\"service.cilium.io/global\":\"true\"}",
		 true},
		{"\"annotations\":{\"service.cilium.io/global\":\"True\"}",
		 true},
		{"\"annotations\":{\"service.cilium.io/global\":true}", true},
		{"\"annotations\":{\"io.cilium/global-service\":\"true\"}",
		 true},
		{"\"annotations\":{\"service.cilium.io/global\":\"false\","
		 "\"io.cilium/global-service\":\"true\"}",
		 true},
		{"\"annotations\":{\"service.cilium.io/global\":\"false\"}",
		 false},
		{"\"annotations\":{\"service.cilium.io/shared\":\"true\"}",
		 false},
		{"\"labels\":{\"service.cilium.io/global\":\"true\"}", false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct mesh_service s;
		struct given g;
		char *json;

		assert_true(
			asprintf(
				&json,
				"{" METADATA(
					"web") ",%s},\"spec\":{"
					       "\"clusterIP\":\"10.96.0.1\"," PORTS
					       "}}",
				cases[i].meta) > 0);
		g = given(json);
		assert_int_equal(kube_decode(KIND_SERVICE, g.val, &s, &g.notes),
				 0);
		assert_int_equal(s.addrs.n, 1);
		assert_int_equal(s.n_ports, 1);
		if (s.elsewhere != cases[i].elsewhere)
			fail_msg("%s: elsewhere is %d", json, s.elsewhere);
		mesh_service_free(&s);
		given_free(&g);
		free(json);
	}
}

static void what_is_wrong_in_a_service_is_left_out(void **state)
{
	struct mesh_service s =
		service("\"clusterIPs\":[\"10.96.0.1\",\"x\"],\"ports\":[7,"
			"{\"port\":0},{\"port\":70000},{\"port\":\"80\"},"
			"{\"port\":81,\"name\":[]},{\"port\":82,\"protocol\":"
			"6},{\"port\":443}]",
			"spec.clusterIPs[1] is \"x\", expected an IPv4");

	assert_int_equal(s.addrs.n, 1);
	assert_int_equal(s.n_ports, 1);
	assert_int_equal(s.ports[0].port, 443);
	assert_true(s.broken);
	mesh_service_free(&s);
}

/* ---- EndpointSlice --------------------------------------------------------
 */

static struct mesh_slice slice(const char *rest, const char *note)
{
	struct mesh_slice s;
	struct given g;
	char *json;

	assert_true(asprintf(&json, "{" SLICE_METADATA ",%s}", rest) > 0);
	g = given(json);
	assert_int_equal(kube_decode(KIND_SLICE, g.val, &s, &g.notes), 0);
	if (note)
		assert_says(g.notes.data, note);
	else
		assert_null(g.notes.data);
	given_free(&g);
	free(json);
	return s;
}

#define ENDPOINT(ip, conditions) \
	"{\"addresses\":[\"" ip "\"],\"conditions\":" conditions "}"

static void backends_are_ready_or_serving(void **state)
{
	struct mesh_slice s = slice(
		"\"addressType\":\"IPv4\"," SLICE_PORTS ",\"endpoints\":["
		"{\"addresses\":[\"10.1.0.1\"]}," ENDPOINT("10.1.0.2", "{}") "," ENDPOINT("10.1.0.3", "{\"ready\":null}") "," ENDPOINT("10.1.0.4", "{\"ready\":true,\"serving\":false}") "," ENDPOINT(
			"10.1.0.5",
			"{\"ready\":false,\"serving\":true,"
			"\"terminating\":true}") "," ENDPOINT("10.1.0.6",
							      "{\"ready\":false}") "," ENDPOINT("10.1.0.7",
												"{\"ready\":false,\"serving\":false}") "]",
		NULL);

	assert_string_equal(s.ns, "shop");
	assert_string_equal(s.service, "web");
	assert_false(s.broken);
	assert_int_equal(s.n_ports, 1);
	assert_string_equal(s.ports[0].name, "http");
	assert_int_equal(s.ports[0].port, 8080);
	assert_int_equal(s.backends.n, 5);
	assert_addr(s.backends.v[4], "10.1.0.5");
	mesh_slice_free(&s);
}

static void backend_counts_whatever_its_hints_and_node(void **state)
{
	struct mesh_slice s = slice(
		"\"addressType\":\"IPv4\"," SLICE_PORTS ",\"endpoints\":[{"
		"\"addresses\":[\"10.1.0.1\"],\"hints\":{\"forZones\":[{"
		"\"name\":\"z\"}]},\"nodeName\":\"n9\",\"zone\":\"y\"}]",
		NULL);

	assert_int_equal(s.backends.n, 1);
	mesh_slice_free(&s);
}

static void a_slice_without_a_service_is_nobodys(void **state)
{
	_given_ struct given g =
		given("{" METADATA("x") "},\"endpoints\":[{"
					"\"addresses\":[\"10.1.0.1\"]}]}");
	struct mesh_slice s;

	assert_int_equal(kube_decode(KIND_SLICE, g.val, &s, &g.notes), 0);
	assert_string_equal(s.service, "");
	mesh_slice_free(&s);
}

static void backends_given_as_names_are_passed_over(void **state)
{
	struct mesh_slice s =
		slice("\"addressType\":\"FQDN\"," SLICE_PORTS
		      ",\"endpoints\":[{\"addresses\":[\"a.b\"]}]",
		      NULL);

	assert_false(s.broken);
	assert_int_equal(s.backends.n, 0);
	mesh_slice_free(&s);
}

static void ten_thousand_backends_are_read(void **state)
{
	struct buf text = {0};
	struct mesh_slice s;

	buf_printf(&text, SLICE_PORTS ",\"endpoints\":[");
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "%s{\"addresses\":[\"10.1.%d.%d\"]}",
			   i ? "," : "", i / 256, i % 256);
	buf_printf(&text, "]");
	s = slice(text.data, NULL);
	assert_int_equal(s.backends.n, 10000);
	assert_addr(s.backends.v[9999], "10.1.39.15");
	mesh_slice_free(&s);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_has_addresses_and_tcp_ports),
		cmocka_unit_test(a_service_has_external_addresses),
		cmocka_unit_test(an_external_address_that_is_none_is_ignored),
		cmocka_unit_test(services_without_a_cluster_ip_have_no_address),
		cmocka_unit_test(
			services_of_other_proxies_or_clusters_lead_elsewhere),
		cmocka_unit_test(what_is_wrong_in_a_service_is_left_out),
		cmocka_unit_test(backends_are_ready_or_serving),
		cmocka_unit_test(backend_counts_whatever_its_hints_and_node),
		cmocka_unit_test(a_slice_without_a_service_is_nobodys),
		cmocka_unit_test(backends_given_as_names_are_passed_over),
		cmocka_unit_test(ten_thousand_backends_are_read),
	};

	return cmocka_run_group_tests_name("decode service", tests, NULL, NULL);
}
