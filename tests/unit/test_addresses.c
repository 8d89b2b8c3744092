// SPDX-License-Identifier: Apache-2.0
/*
 * Whose address is it? From the objects as products write them to the plan:
 * each case beside its control, the same objects without the one thing that
 * matters. Every pod of n1 that is wanted counts as seen and verified.
 */
#include "decoded.h"
#include "mesh/plan.h"

#define R SMC_TRANSPORT_SMCR
#define D SMC_TRANSPORT_SMCD

static const __u16 listening[] = {80, 9000};

struct outcome {
	struct decoded decoded;
	struct mesh_host host;
	struct mesh_seen seen[8];
	struct mesh_plan plan;
};

static void outcome_free(struct outcome *o)
{
	mesh_plan_free(&o->plan);
	decoded_free(&o->decoded);
}
#define _outcome_ __attribute__((cleanup(outcome_free)))

/* Every hostNetwork pod listens at 80 and 9000. */
static struct mesh_seen seen_of(const struct mesh_pod *p, __u32 number)
{
	return (struct mesh_seen){
		.pod_uid = p->uid,
		.verified = true,
		.pod_id = number,
		.netns_cookie = p->host_network ? 0 : 100 + number,
		.cgroup_id = p->host_network ? 100 + number : 0,
		.transports = R | D,
		.addrs = p->addrs,
		.listens = {(__u16 *)listening, p->host_network ? 2 : 0},
	};
}

static void outcome_of(struct outcome *o, const char *items)
{
	const struct mesh_world *w = &o->decoded.world;

	memset(o, 0, sizeof(*o));
	o->decoded = decode_items(items);
	assert_int_equal(o->decoded.err, 0);
	assert_string_equal(notes(&o->decoded), "");
	o->host = (struct mesh_host){.node = "n1",
				     .converter = true,
				     .selector = true,
				     .cgroup2 = true,
				     .transports = R | D,
				     .netns_cookie = 1};
	assert_in_range(w->n_pods, 0, array_size(o->seen));
	for (size_t i = 0; i < w->n_pods; i++)
		o->seen[i] = seen_of(&w->pods[i], i + 1);
	assert_int_equal(mesh_plan(w, &o->host, o->seen, w->n_pods, &o->plan),
			 0);
}

/* The transports of the row there; -1: there is none. */
static int at(const struct outcome *o, const char *text, __u16 port)
{
	struct smc_addr a = addr(text);
	const struct plan_service *s = mesh_service_find(&o->plan, &a, port);

	return s ? (int)s->transports : -1;
}

static const struct plan_pod *pod_called(const struct outcome *o,
					 const char *name)
{
	for (size_t i = 0; i < o->plan.n_pods; i++)
		if (!strcmp(o->plan.pods[i].pod->name, name))
			return &o->plan.pods[i];
	fail_msg("no pod %s", name);
	return NULL;
}

static bool is_offered(const struct outcome *o, const char *text)
{
	struct smc_addr a = addr(text);
	const struct plan_endpoint *e = mesh_endpoint_find(&o->plan, &a);

	return e && !(e->value.flags & SMC_ENDPOINT_ANSWER_ONLY);
}

#define MESH                                                         \
	"{\"kind\":\"SmcMesh\",\"metadata\":{\"name\":\"default\"}," \
	"\"spec\":{\"enabled\":true}}"
/* An annotated pod of n1. @meta, @spec: more of these. */
#define POD_OF(name, ip, meta, spec)                                       \
	"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\",\"uid\":\"" \
	"uid-" name "\",\"annotations\":{\"smc.asm.alibabacloud.com/"      \
	"enabled\":\"true\"}" meta "},\"spec\":{\"nodeName\":\"n1\"" spec  \
	"},\"status\":{\"phase\":\"Running\",\"podIPs\":[{\"ip\":\"" ip    \
	"\"}]}}"
#define HOST_POD(name) POD_OF(name, "192.0.2.11", "", ",\"hostNetwork\":true")
#define STRANGER                                                                \
	"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"plain\"},\"spec\":{"        \
	"\"nodeName\":\"n1\"},\"status\":{\"podIPs\":[{\"ip\":\"10.244.1.20\"}" \
	"]}}"
/* Port 80 of a Service leads to @backend:8080. */
#define SERVICE(meta, vip, spec, backend)                                         \
	"{\"kind\":\"Service\",\"metadata\":{\"name\":\"web\"" meta "},"          \
	"\"spec\":{\"clusterIPs\":[\"" vip "\"],\"ports\":[{\"port\":80,"         \
	"\"protocol\":\"TCP\"}]" spec "},{\"kind\":\"EndpointSlice\","            \
	"\"metadata\":{\"name\":\"web-x\",\"labels\":{\"kubernetes.io/"           \
	"service-name\":\"web\"}},\"addressType\":\"IPv4\",\"ports\":[{"          \
	"\"name\":\"\",\"port\":8080}],\"endpoints\":[{\"addresses\":[\"" backend \
	"\"]}]}"

/* Bare metal: a Service has the nodes' addresses as external ones, and a
 * gateway in the node's network listens at the same port. */
static void external_ip_of_a_node_is_not_offered_at_its_port(void **state)
{
	struct outcome o _outcome_, control _outcome_;

	outcome_of(&o, MESH "," HOST_POD("gw") "," STRANGER "," SERVICE(
			       "", "10.96.0.7",
			       ",\"externalIPs\":[\"192.0.2.11\"]}",
			       "10.244.1.20"));
	assert_int_equal(at(&o, "192.0.2.11", 80), 0);
	assert_int_equal(at(&o, "192.0.2.11", 9000), R | D);
	assert_true(pod_called(&o, "gw")->armed);
	outcome_of(&control, MESH "," HOST_POD("gw") "," STRANGER "," SERVICE(
				     "", "10.96.0.7", "}", "10.244.1.20"));
	assert_int_equal(at(&control, "192.0.2.11", 80), R | D);
}

/* A balancer on the nodes, as small clusters have it. */
static void balancer_ip_of_a_node_is_not_offered_at_its_port(void **state)
{
	struct outcome o _outcome_;

	outcome_of(&o, MESH "," HOST_POD("gw") "," STRANGER "," SERVICE(
			       "", "10.96.0.7",
			       "},\"status\":{\"loadBalancer\":{\"ingress\":[{"
			       "\"ip\":\"192.0.2.11\"}]}}",
			       "10.244.1.20"));
	assert_int_equal(at(&o, "192.0.2.11", 80), 0);
	assert_int_equal(at(&o, "192.0.2.11", 9000), R | D);
}

/* A tenant names another's pod: he gets that port, as the proxies give it to
 * him, and no more. */
static void external_ip_of_a_pod_is_not_offered_at_its_port(void **state)
{
	struct outcome o _outcome_, control _outcome_;

	outcome_of(&o, MESH
		   "," POD_OF("web", "10.244.1.11", "",
			      "") "," STRANGER
				  "," SERVICE(
					  "", "10.96.0.8",
					  ",\"externalIPs\":[\"10.244.1.11\"]}",
					  "10.244.1.20"));
	assert_int_equal(at(&o, "10.244.1.11", 80), 0);
	assert_int_equal(at(&o, "10.244.1.11", 8080), -1);
	assert_true(is_offered(&o, "10.244.1.11"));
	assert_true(pod_called(&o, "web")->armed);
	assert_int_equal(pod_called(&o, "web")->published.n, 1);
	outcome_of(&control, MESH
		   "," POD_OF("web", "10.244.1.11", "",
			      "") "," STRANGER "," SERVICE("", "10.96.0.8", "}",
							   "10.244.1.20"));
	assert_int_equal(at(&control, "10.244.1.11", 80), -1);
	assert_true(is_offered(&control, "10.244.1.11"));
}

#define WEB MESH "," POD_OF("web", "10.244.1.11", "", "") ","

static void service_with_backends_elsewhere_is_not_offered(void **state)
{
	struct outcome o _outcome_, old _outcome_, proxy _outcome_,
		control _outcome_;

	outcome_of(&o, WEB SERVICE(",\"annotations\":{\"service.cilium.io/"
				   "global\":\"true\"}",
				   "10.96.0.9", "}", "10.244.1.11"));
	assert_int_equal(at(&o, "10.96.0.9", 80), 0);
	outcome_of(&old, WEB SERVICE(",\"annotations\":{\"io.cilium/"
				     "global-service\":\"true\"}",
				     "10.96.0.9", "}", "10.244.1.11"));
	assert_int_equal(at(&old, "10.96.0.9", 80), 0);
	outcome_of(&proxy, WEB SERVICE(",\"labels\":{\"service.kubernetes.io/"
				       "service-proxy-name\":\"other\"}",
				       "10.96.0.9", "}", "10.244.1.11"));
	assert_int_equal(at(&proxy, "10.96.0.9", 80), 0);
	outcome_of(&control, WEB SERVICE("", "10.96.0.9", "}", "10.244.1.11"));
	assert_int_equal(at(&control, "10.96.0.9", 80), R | D);
}

static void check_pod(const char *items, bool armed)
{
	struct outcome o _outcome_;
	const struct plan_pod *p;

	outcome_of(&o, items);
	p = pod_called(&o, "it");
	assert_int_equal(p->armed, armed);
	assert_int_equal(p->reason,
			 armed ? SMC_REASON_NONE : SMC_REASON_FORWARDS);
	assert_int_equal(p->published.n, armed);
	assert_int_equal(is_offered(&o, "10.244.1.40"), armed);
	/* nobody else is concerned */
	assert_true(is_offered(&o, "10.244.1.11"));
}

#define IT(meta, spec) WEB POD_OF("it", "10.244.1.40", meta, spec)

static void pod_whose_tcp_ends_in_a_guest_is_not_armed(void **state)
{
	check_pod(IT(",\"labels\":{\"kubevirt.io\":\"virt-launcher\"}", ""),
		  false);
	check_pod(IT(",\"labels\":{\"kubevirt.io\":\"virt-handler\"}", ""),
		  true);
	check_pod(IT("", ",\"runtimeClassName\":\"kata\",\"overhead\":{"
			 "\"memory\":\"160Mi\"}"),
		  false);
	/* another runtime of the same kernel */
	check_pod(IT("", ",\"runtimeClassName\":\"crun\""), true);
	check_pod(IT("", ",\"runtimeClassName\":\"crun\",\"overhead\":{}"),
		  true);
}

/* Of a node without an SmcNode (source file) the objects alone tell. */
static void guest_on_another_node_is_not_offered(void **state)
{
	static const char *const labels[] = {
		"", ",\"labels\":{\"kubevirt.io\":\"virt-launcher\"}"};

	for (int guest = 0; guest < 2; guest++) {
		struct outcome o _outcome_;
		char *items;

		assert_true(asprintf(&items,
				     MESH
				     ",{\"kind\":\"Pod\",\"metadata\":{"
				     "\"name\":\"vm\",\"annotations\":{"
				     "\"smcmesh.io/enabled\":\"true\"}%s},"
				     "\"spec\":{\"nodeName\":\"n2\"},"
				     "\"status\":{\"podIP\":\"10.2.0.1\"}}",
				     labels[guest]) > 0);
		outcome_of(&o, items);
		assert_int_equal(is_offered(&o, "10.2.0.1"), !guest);
		free(items);
	}
}

#define PORT(more)                                                               \
	",\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80" more \
	"}]}]"

static void check_host_port(const char *items, int expected)
{
	struct outcome o _outcome_;
	const struct plan_pod *gw;

	outcome_of(&o, items);
	gw = pod_called(&o, "gw");
	assert_true(gw->armed);
	assert_int_equal(at(&o, "192.0.2.11", 9000), expected);
	assert_int_equal(at(&o, "192.0.2.11", 80), R | D);
	/* what the other nodes are told */
	assert_int_equal(gw->listens.n, expected < 0 ? 1 : 2);
	assert_true(pod_called(&o, "it")->armed);
}

#define HOST_PORT(spec) IT("", spec) "," HOST_POD("gw")

/* The network plugin leads it to the pod that has it, whoever listens there. */
static void host_port_of_another_pod_is_not_offered(void **state)
{
	check_host_port(HOST_PORT(PORT(",\"hostPort\":9000")), -1);
	check_host_port(HOST_PORT(PORT(",\"hostPort\":9000,\"protocol\":"
				       "\"TCP\",\"hostIP\":\"192.0.2.11\"")),
			-1);
	check_host_port(HOST_PORT(",\"initContainers\":[{\"name\":\"i\","
				  "\"restartPolicy\":\"Always\",\"ports\":[{"
				  "\"containerPort\":1,\"hostPort\":9000}]}]"),
			-1);
	check_host_port(HOST_PORT(PORT("")), R | D);
	check_host_port(HOST_PORT(PORT(",\"hostPort\":9001")), R | D);
	check_host_port(HOST_PORT(PORT(",\"hostPort\":9000,\"protocol\":"
				       "\"UDP\"")),
			R | D);
}

/* The API server gives each port of a hostNetwork pod as its hostPort, too. */
static void a_host_network_pods_ports_are_its_own(void **state)
{
	struct outcome o _outcome_;

	outcome_of(&o, MESH "," POD_OF("gw", "192.0.2.11", "",
				       ",\"hostNetwork\":true" PORT(
					       ",\"hostPort\":80")));
	assert_int_equal(at(&o, "192.0.2.11", 80), R | D);
	assert_int_equal(pod_called(&o, "gw")->listens.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			external_ip_of_a_node_is_not_offered_at_its_port),
		cmocka_unit_test(
			balancer_ip_of_a_node_is_not_offered_at_its_port),
		cmocka_unit_test(
			external_ip_of_a_pod_is_not_offered_at_its_port),
		cmocka_unit_test(
			service_with_backends_elsewhere_is_not_offered),
		cmocka_unit_test(pod_whose_tcp_ends_in_a_guest_is_not_armed),
		cmocka_unit_test(guest_on_another_node_is_not_offered),
		cmocka_unit_test(host_port_of_another_pod_is_not_offered),
		cmocka_unit_test(a_host_network_pods_ports_are_its_own),
	};

	return cmocka_run_group_tests_name("addresses", tests, NULL, NULL);
}
