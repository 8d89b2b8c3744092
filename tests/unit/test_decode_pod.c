// SPDX-License-Identifier: Apache-2.0
/* JSON to worlds, Pods: what is read, what is left out, what is said. */
#include "decoded.h"

/* ---- Pods -----------------------------------------------------------------
 */

static void pod_of_the_api_is_read_whole(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
		"\"name\":\"web-0\",\"namespace\":\"shop\",\"uid\":\"u-1\","
		"\"creationTimestamp\":\"2025-03-01T12:00:00Z\","
		"\"deletionTimestamp\":\"2025-03-01T13:00:00Z\","
		"\"annotations\":{\"smc.asm.alibabacloud.com/enabled\":"
		"\"true\",\"smcmesh.io/exclude-outbound-ports\":"
		"\"5432, 3306,5432\",\"smcmesh.io/exclude-inbound-ports\":"
		"\"22 , 23-24\",\"smcmesh.io/netns\":\"/run/netns/a\",\"x\":1}},"
		"\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":"
		"\"nginx\"}]},\"status\":{\"phase\":\"Running\",\"podIPs\":["
		"{\"ip\":\"10.244.1.10\"},{\"ip\":\"fd00::10\"}]}}");
	struct mesh_pod *p = only_pod(&d);

	assert_string_equal(p->ns, "shop");
	assert_string_equal(p->name, "web-0");
	assert_string_equal(p->uid, "u-1");
	assert_string_equal(p->node, "n1");
	assert_string_equal(p->netns_path, "/run/netns/a");
	assert_int_equal(p->created, 1740830400);
	assert_false(p->ended);
	assert_false(p->host_network);
	assert_false(p->sidecar);
	assert_int_equal(p->enabled, MESH_ON);
	assert_null(p->problem);
	assert_int_equal(p->addrs.n, 2);
	assert_addr(p->addrs.v[0], "10.244.1.10");
	assert_addr(p->addrs.v[1], "fd00::10");
	assert_int_equal(p->exclude_out.n, 2);
	assert_int_equal(p->exclude_out.v[0].first, 3306);
	assert_int_equal(p->exclude_out.v[1].last, 5432);
	assert_int_equal(p->exclude_in.n, 1);
	assert_int_equal(p->exclude_in.v[0].first, 22);
	assert_int_equal(p->exclude_in.v[0].last, 24);
}

static void bare_pod_has_defaults(void **state)
{
	_decoded_ struct decoded d = decode(POD("a"));
	struct mesh_pod *p = only_pod(&d);

	assert_string_equal(p->ns, "default");
	assert_string_equal(p->uid, "default/a");
	assert_string_equal(p->node, "");
	assert_null(p->netns_path);
	assert_int_equal(p->created, 0);
	assert_int_equal(p->enabled, MESH_UNSET);
	assert_int_equal(p->addrs.n, 0);
}

static void null_fields_of_a_pod_count_as_absent(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"uid\":null,"
		"\"annotations\":null},\"spec\":null,"
		"\"status\":{\"podIPs\":null,\"phase\":\"\"}}");

	assert_string_equal(only_pod(&d)->uid, "default/a");
}

static void pod_has_ended_if_succeeded_or_failed(void **state)
{
	static const struct {
		const char *phase;
		bool ended;
	} cases[] = {{"Pending", false}, {"Running", false},
		     {"Unknown", false}, {"Succeeded", true},
		     {"Failed", true},	 {"failed", false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char json[200];

		snprintf(json, sizeof(json),
			 "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
			 "\"status\":{\"phase\":\"%s\"}}",
			 cases[i].phase);
		_decoded_ struct decoded d = decode(json);

		assert_int_equal(only_pod(&d)->ended, cases[i].ended);
		assert_int_equal(only_pod(&d)->running,
				 !strcmp(cases[i].phase, "Running"));
	}
}

/* A field on which safety rests, of a wrong type: without the pod. */
static void pod_that_is_not_understood_is_left_out(void **state)
{
	static const struct {
		const char *pod, *note;
	} cases[] = {
		{"\"metadata\":{\"name\":3}",
		 "Pod (items[0]): metadata.name is 3, expected a string"},
		{"\"metadata\":{\"name\":\"a b\"}", "metadata.name is no name"},
		{"\"metadata\":{}", "Pod (items[0]): metadata.name is missing"},
		{"\"metadata\":[]", "metadata is an array, expected an object"},
		{"\"metadata\":{\"name\":\"a\",\"namespace\":[]}",
		 "Pod default/a: metadata.namespace is an array, expected a "
		 "string of at most 1024 bytes; the Pod is left out"},
		{"\"metadata\":{\"name\":\"a\",\"namespace\":\"x\",\"uid\":1}",
		 "Pod x/a: metadata.uid is 1"},
		{"\"metadata\":{\"name\":\"a\",\"uid\":\"x\\u0000y\"}",
		 "metadata.uid is \"x\\x00y\""},
		{"\"metadata\":{\"name\":\"a\",\"creationTimestamp\":\"now\"}",
		 "metadata.creationTimestamp is \"now\", expected a time like"},
		{"\"metadata\":{\"name\":\"a\",\"creationTimestamp\":1e9}",
		 "metadata.creationTimestamp is 1e+09"},
		{"\"metadata\":{\"name\":\"a\"},\"spec\":\"x\"",
		 "spec is \"x\", expected an object"},
		{"\"metadata\":{\"name\":\"a\"},\"spec\":{\"nodeName\":{}}",
		 "spec.nodeName is an object"},
		{"\"metadata\":{\"name\":\"a\"},"
		 "\"spec\":{\"hostNetwork\":\"yes\"}",
		 "spec.hostNetwork is \"yes\", expected true or false; the Pod "
		 "is left out"},
		{"\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":{}}",
		 "spec.containers is an object, expected an array"},
		{"\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[7]}",
		 "spec.containers[0] is 7, expected an object"},
		{"\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":["
		 "{\"name\":\"x\"},{\"name\":7}]}",
		 "spec.containers[1].name is 7"},
		{"\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":["
		 "{\"name\":\"istio-proxy\",\"securityContext\":"
		 "{\"runAsUser\":-1}}]}",
		 "spec.containers[0].securityContext.runAsUser is -1, expected "
		 "a number from 0 to 4294967294"},
		{"\"metadata\":{\"name\":\"a\"},\"status\":{\"phase\":false}",
		 "status.phase is false"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf item = {0};

		buf_printf(&item, "{\"kind\":\"Pod\",%s}," POD("other"),
			   cases[i].pod);
		_decoded_ struct decoded d = decode_items(item.data);

		buf_free(&item);
		assert_int_equal(d.err, 0);
		assert_says(notes(&d), cases[i].note);
		assert_int_equal(d.world.n_pods, 1);
		assert_string_equal(d.world.pods[0].name, "other");
	}
}

static void pod_whose_name_is_over_253_bytes_is_left_out(void **state)
{
	char name[255];

	for (size_t len = 253; len <= 254; len++) {
		struct buf json = {0};

		memset(name, 'a', len);
		name[len] = '\0';
		buf_printf(&json,
			   "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\"}}",
			   name);
		_decoded_ struct decoded d = decode(json.data);

		buf_free(&json);
		assert_int_equal(d.world.n_pods, len == 253);
	}
}

static void bad_addresses_are_left_out_alone(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"status\":{"
		"\"podIPs\":[{\"ip\":\"10.0.0.256\"},{\"ip\":\"10.0.0.1\"},7,"
		"{\"ip\":7},{\"ip\":\"\"},{\"ip\":\"::ffff:10.0.0.1\"},{}]}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 1);
	assert_int_equal(d.world.pods[0].addrs.n, 1);
	assert_addr(d.world.pods[0].addrs.v[0], "10.0.0.1");
	assert_says(notes(&d),
		    "Pod default/a: status.podIPs[0].ip is \"10.0.0.256\", "
		    "expected an IPv4 or IPv6 address; the address is ignored");
	assert_says(notes(&d), "status.podIPs[2] is 7, expected an object");
	assert_says(notes(&d), "status.podIPs[3].ip is 7, expected a string");
	assert_says(notes(&d), "status.podIPs[4].ip is \"\"");
	assert_says(notes(&d), "address ::ffff:10.0.0.1 is listed twice");
}

static void pod_ip_alone_is_read(void **state)
{
	_decoded_ struct decoded d =
		decode("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
		       "\"status\":{\"podIP\":\"10.0.0.1\"}}");

	assert_int_equal(only_pod(&d)->addrs.n, 1);
}

/* ---- annotations ----------------------------------------------------------
 */

static struct decoded decode_annotated(const char *annotations)
{
	return decode_printf("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
			     "\"annotations\":{%s}}}",
			     annotations);
}

#define ENABLED "\"smc.asm.alibabacloud.com/enabled\""
#define ALIAS "\"smcmesh.io/enabled\""

static void annotation_is_true_or_false(void **state)
{
	static const struct {
		const char *annotations;
		enum mesh_switch enabled;
	} cases[] = {
		{"", MESH_UNSET},
		{ENABLED ":\"true\"", MESH_ON},
		{ENABLED ":\"false\"", MESH_OFF},
		{ALIAS ":\"true\"", MESH_ON},
		{ALIAS ":\"false\"", MESH_OFF},
		{ENABLED ":\"true\"," ALIAS ":\"true\"", MESH_ON},
		{"\"smc.asm.alibabacloud.com/Enabled\":\"true\"", MESH_UNSET},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_decoded_ struct decoded d =
			decode_annotated(cases[i].annotations);

		assert_int_equal(only_pod(&d)->enabled, cases[i].enabled);
		assert_null(only_pod(&d)->problem);
	}
}

static void first_annotation_wins_over_its_alias(void **state)
{
	_decoded_ struct decoded d =
		decode_annotated(ALIAS ":\"true\"," ENABLED ":\"false\"");

	assert_int_equal(d.world.pods[0].enabled, MESH_OFF);
	assert_says(notes(&d), "Pod default/a: the annotations "
			       "smc.asm.alibabacloud.com/enabled and "
			       "smcmesh.io/enabled differ; the second is");
}

#define CGROUP "\"smcmesh.io/cgroup\""

/* As a hostNetwork pod, whatever its spec says. */
static void cgroup_of_a_file_makes_a_pod_of_the_hosts_network(void **state)
{
	static const char *const paths[] = {"/system.slice/nginx.service", "/a",
					    "/..a/b..", "/.a"};
	char text[128];

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		snprintf(text, sizeof(text), CGROUP ":\"%s\"", paths[i]);
		_decoded_ struct decoded d = decode_annotated(text);
		struct mesh_pod *p = only_pod(&d);

		assert_null(p->problem);
		assert_string_equal(p->cgroup_path, paths[i]);
		assert_true(p->host_network);
	}
}

static void bad_annotation_is_a_problem_of_the_pod(void **state)
{
	static const struct {
		const char *annotations, *problem;
	} cases[] = {
		{ENABLED ":\"yes\"",
		 "annotation smc.asm.alibabacloud.com/enabled is \"yes\", "
		 "expected \"true\" or \"false\""},
		{ENABLED ":\"True\"", "is \"True\""},
		{ENABLED ":\"true \"", "is \"true \""},
		{ENABLED ":\"\"", "is \"\""},
		{ENABLED ":true", "is true, expected \"true\" or \"false\""},
		{ENABLED ":\"true\\u0000\"", "is \"true\\x00\""},
		{ENABLED ":null", "is null"},
		{ALIAS ":\"1\"", "annotation smcmesh.io/enabled is \"1\""},
		{ENABLED ":\"no\"," ALIAS ":\"true\"",
		 "smc.asm.alibabacloud.com/enabled is \"no\""},
		{"\"smcmesh.io/exclude-outbound-ports\":\"80,x,y\"",
		 "annotation smcmesh.io/exclude-outbound-ports is "
		 "\"80,x,y\", expected ports from 1 to 65535, or ranges of "
		 "them (8000-8999), with commas between (not \"x\")"},
		{"\"smcmesh.io/exclude-outbound-ports\":\"80,8999-8000\"",
		 "with commas between (not \"8999-8000\")"},
		{"\"smcmesh.io/exclude-inbound-ports\":\"0\"",
		 "annotation smcmesh.io/exclude-inbound-ports is \"0\""},
		{"\"smcmesh.io/exclude-inbound-ports\":80",
		 "is 80, expected a string of ports"},
		{"\"smcmesh.io/netns\":\"netns/a\"",
		 "is \"netns/a\", expected an absolute path"},
		{CGROUP ":\"nginx.service\"",
		 "annotation smcmesh.io/cgroup is \"nginx.service\", expected a "
		 "cgroup's path below the cgroup v2 mount, as /proc/PID/cgroup "
		 "has it after 0:: (/system.slice/nginx.service), without . or "
		 ".."},
		{CGROUP ":\"/\"", "is \"/\", expected a cgroup's path"},
		{CGROUP ":\"\"", "is \"\", expected a cgroup's path"},
		{CGROUP ":\"/a/../b\"", "is \"/a/../b\""},
		{CGROUP ":\"/a/..\"", "is \"/a/..\""},
		{CGROUP ":\"/./a\"", "is \"/./a\""},
		{CGROUP ":\"/a//b\"", "is \"/a//b\""},
		{CGROUP ":\"/a/\"", "is \"/a/\""},
		{CGROUP ":7", "is 7, expected a cgroup's path"},
		{CGROUP ":\"/a\",\"smcmesh.io/netns\":\"/run/netns/a\"",
		 "is \"/a\", expected none beside smcmesh.io/netns"},
		{"\"smcmesh.io/proxy-uid\":\"-1\"",
		 "is \"-1\", expected a user ID"},
		{"\"smcmesh.io/proxy-uid\":\"4294967295\"",
		 "is \"4294967295\", expected a user ID"},
		{"\"smcmesh.io/proxy-uid\":\"\"", "is \"\", expected a user"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_decoded_ struct decoded d =
			decode_annotated(cases[i].annotations);

		assert_says(only_pod(&d)->problem, cases[i].problem);
	}
}

static void other_products_annotation_is_read(void **state)
{
	static const struct {
		const char *value;
		bool other;
	} cases[] = {
		{"\"true\"", true},   {"\"True\"", true}, {"\"1\"", true},
		{"\"false\"", false}, {"\"\"", false},	  {"\"yes\"", false},
		{"true", false},      {"null", false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		char json[128];

		snprintf(json, sizeof(json),
			 "\"network.alibabacloud.com/erdma-smcr\":%s",
			 cases[i].value);
		_decoded_ struct decoded d = decode_annotated(json);

		assert_int_equal(only_pod(&d)->other_product, cases[i].other);
	}
}

static void annotations_of_a_wrong_type_are_none(void **state)
{
	_decoded_ struct decoded d =
		decode("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
		       "\"annotations\":[\"true\"]}}");

	assert_int_equal(d.world.pods[0].enabled, MESH_OFF);
	assert_says(notes(&d), "metadata.annotations is an array, expected an "
			       "object; the Pod is not enabled");
}

/* ---- sidecars -------------------------------------------------------------
 */

#define ANY SMC_ID_ANY

static const struct {
	const char *pod; /* annotations and spec */
	bool sidecar;
	unsigned int uid, gid;
} sidecars[] = {
	{"},\"spec\":{\"containers\":[{\"name\":\"app\"},"
	 "{\"name\":\"istio-proxy\"}]",
	 true, 1337, ANY},
	{"},\"spec\":{\"containers\":[{\"name\":\"istio-proxy\","
	 "\"securityContext\":{\"runAsUser\":0}}]",
	 true, 0, ANY},
	/* the pod's user and group, where the container has none */
	{"},\"spec\":{\"securityContext\":{\"runAsUser\":0,"
	 "\"runAsGroup\":1337},\"containers\":["
	 "{\"name\":\"istio-proxy\",\"securityContext\":"
	 "{\"privileged\":false}}]",
	 true, 0, 1337},
	{"},\"spec\":{\"securityContext\":{\"runAsUser\":5,"
	 "\"runAsGroup\":6},\"containers\":[{\"name\":"
	 "\"istio-proxy\",\"securityContext\":{\"runAsUser\":7,"
	 "\"runAsGroup\":8}}]",
	 true, 7, 8},
	/* other meshes' */
	{"},\"spec\":{\"containers\":[{\"name\":\"linkerd-proxy\"}]", true,
	 2102, ANY},
	{"},\"spec\":{\"initContainers\":[{\"name\":\"kuma-sidecar\","
	 "\"restartPolicy\":\"Always\"}]",
	 true, 5678, ANY},
	/* whatever its name is */
	{",\"annotations\":{\"smcmesh.io/proxy-uid\":\"42\"}},"
	 "\"spec\":{\"containers\":[{\"name\":\"proxy\"}]",
	 true, 42, ANY},
	{",\"annotations\":{\"smcmesh.io/proxy-uid\":\"42\"}},"
	 "\"spec\":{\"hostNetwork\":true",
	 false, 0, 0},
	{",\"annotations\":{\"smcmesh.io/proxy-uid\":\"42\"}},"
	 "\"spec\":{\"containers\":[{\"name\":\"istio-proxy\","
	 "\"securityContext\":{\"runAsUser\":7}}]",
	 true, 42, ANY},
	{"},\"spec\":{\"initContainers\":[{\"name\":\"istio-proxy\","
	 "\"restartPolicy\":\"Always\",\"securityContext\":"
	 "{\"runAsUser\":9}}]",
	 true, 9, ANY},
	{"},\"spec\":{\"initContainers\":[{\"name\":\"istio-proxy\"}]", false,
	 0, 0},
	{"},\"spec\":{\"initContainers\":[{\"name\":\"istio-init\"}]", false, 0,
	 0},
	{"},\"spec\":{\"hostNetwork\":true,\"containers\":["
	 "{\"name\":\"istio-proxy\"}]",
	 false, 0, 0},
};

static void sidecar_is_hinted_at_by_its_container(void **state)
{
	for (size_t i = 0; i < sizeof(sidecars) / sizeof(*sidecars); i++) {
		struct buf json = {0};

		buf_printf(&json,
			   "{\"kind\":\"Pod\",\"metadata\":{\"name\":"
			   "\"a\"%s}}",
			   sidecars[i].pod);
		_decoded_ struct decoded d = decode(json.data);

		buf_free(&json);
		assert_int_equal(only_pod(&d)->sidecar, sidecars[i].sidecar);
		assert_int_equal(only_pod(&d)->proxy.uid, sidecars[i].uid);
		assert_int_equal(only_pod(&d)->proxy.gid, sidecars[i].gid);
	}
}

/* Whose programs are in the pod: of containers that stay. */
static void containers_have_effective_users(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"spec\":{"
		"\"securityContext\":{\"runAsUser\":5},\"initContainers\":["
		"{\"name\":\"init\",\"securityContext\":{\"runAsUser\":9}},"
		"{\"name\":\"side\",\"restartPolicy\":\"Always\"}],"
		"\"containers\":[{\"name\":\"app\",\"securityContext\":"
		"{\"runAsUser\":0,\"runAsGroup\":7}},{\"name\":\"b\"}]}}");
	const struct mesh_pod *p = only_pod(&d);

	assert_int_equal(p->n_containers, 3);
	assert_string_equal(p->containers[0].name, "side");
	assert_int_equal(p->containers[0].uid, 5);
	assert_int_equal(p->containers[0].gid, SMC_ID_ANY);
	assert_int_equal(p->containers[1].uid, 0);
	assert_int_equal(p->containers[1].gid, 7);
	assert_int_equal(p->containers[2].uid, 5);
	assert_false(p->sidecar);
}

/* Who may make pods must not name another pod's cgroup. */
static void config_hash_is_read_of_static_pods_only(void **state)
{
#define HASH "0123456789abcdef0123456789abcdef"
#define UID "01234567-89ab-cdef-0123-456789abcdef"
	static const struct {
		const char *hash, *mirror, *cgroup;
	} cases[] = {
		{"\"" HASH "\"", "\"" HASH "\"", HASH},
		{"\"" HASH "\"", "\"x\"", NULL},
		{"\"" HASH "\"", "1", NULL},
		{"\"" UID "\"", "\"" UID "\"", NULL},
		{"\"" HASH "0\"", "\"" HASH "0\"", NULL},
		{"\"../" HASH "\"", "\"../" HASH "\"", NULL},
		{"\"\"", "\"\"", NULL},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct buf json = {0};

		buf_printf(&json,
			   "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
			   "\"annotations\":{\"kubernetes.io/config.hash\":%s,"
			   "\"kubernetes.io/config.mirror\":%s}}}",
			   cases[i].hash, cases[i].mirror);
		_decoded_ struct decoded d = decode(json.data);

		buf_free(&json);
		if (cases[i].cgroup)
			assert_string_equal(only_pod(&d)->cgroup_uid,
					    cases[i].cgroup);
		else
			assert_null(only_pod(&d)->cgroup_uid);
	}
}

static void pod_of_a_controller_but_a_node_is_replaced(void **state)
{
	static const struct {
		const char *owners;
		bool replaced;
	} cases[] = {
		{"{\"kind\":\"ReplicaSet\",\"controller\":true}", true},
		{"{\"kind\":\"x\"},{\"kind\":\"Job\",\"controller\":true}",
		 true},
		{"{\"kind\":\"ReplicaSet\",\"controller\":false}", false},
		{"{\"kind\":\"ReplicaSet\"}", false},
		{"{\"kind\":\"Node\",\"controller\":true}", false},
		{"", false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct buf json = {0};

		buf_printf(&json,
			   "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
			   "\"ownerReferences\":[%s]}}",
			   cases[i].owners);
		_decoded_ struct decoded d = decode(json.data);

		buf_free(&json);
		assert_int_equal(only_pod(&d)->replaced, cases[i].replaced);
	}
}

static void owners_of_wrong_types_are_none(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
		"\"ownerReferences\":[1,{\"kind\":1,\"controller\":true},"
		"{\"kind\":\"Job\",\"controller\":\"true\"}]}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 1);
	assert_false(d.world.pods[0].replaced);
	assert_says(notes(&d), "ownerReferences[0]");
	assert_says(notes(&d), "will not be evicted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pod_of_the_api_is_read_whole),
		cmocka_unit_test(bare_pod_has_defaults),
		cmocka_unit_test(null_fields_of_a_pod_count_as_absent),
		cmocka_unit_test(pod_has_ended_if_succeeded_or_failed),
		cmocka_unit_test(pod_that_is_not_understood_is_left_out),
		cmocka_unit_test(pod_whose_name_is_over_253_bytes_is_left_out),
		cmocka_unit_test(bad_addresses_are_left_out_alone),
		cmocka_unit_test(pod_ip_alone_is_read),
		cmocka_unit_test(annotation_is_true_or_false),
		cmocka_unit_test(first_annotation_wins_over_its_alias),
		cmocka_unit_test(
			cgroup_of_a_file_makes_a_pod_of_the_hosts_network),
		cmocka_unit_test(bad_annotation_is_a_problem_of_the_pod),
		cmocka_unit_test(annotations_of_a_wrong_type_are_none),
		cmocka_unit_test(sidecar_is_hinted_at_by_its_container),
		cmocka_unit_test(containers_have_effective_users),
		cmocka_unit_test(config_hash_is_read_of_static_pods_only),
		cmocka_unit_test(pod_of_a_controller_but_a_node_is_replaced),
		cmocka_unit_test(owners_of_wrong_types_are_none),
		cmocka_unit_test(other_products_annotation_is_read),
	};

	return cmocka_run_group_tests_name("decode/pod", tests, NULL, NULL);
}
