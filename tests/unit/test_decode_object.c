// SPDX-License-Identifier: Apache-2.0
/* One object of the API at a time: what it says, and what it says when it is
 * broken, absurd or huge. */
#include "given.h"
#include "mesh/plan.h"

/* ---- Pod ------------------------------------------------------------------
 */

static void place_annotation_from_the_api_is_ignored(void **state)
{
	static const char text[] = "{" METADATA(
		"web-0") ",\"uid\":\"u-1\",\"annotations\":{"
			 "\"smcmesh.io/enabled\":\"true\",\"smcmesh.io/netns\":"
			 "\"%s\",\"smcmesh.io/cgroup\":\"/a\",\"smcmesh.io/exclude-inbound-ports\":\"\"}}}";
	static const char *const paths[] = {"/proc/1/ns/net", "relative"};

	for (int i = 0; i < 2; i++) {
		_given_ struct given g = {0};
		struct mesh_pod pod;
		char *json;

		assert_true(asprintf(&json, text, paths[i]) > 0);
		g = given(json);
		assert_int_equal(kube_decode(KIND_POD, g.val, &pod, &g.notes),
				 0);
		assert_null(pod.netns_path);
		assert_null(pod.cgroup_path);
		assert_false(pod.host_network);
		assert_null(pod.problem);
		assert_int_equal(pod.enabled, MESH_ON);
		assert_true(pod.says_in);
		assert_false(pod.says_out);
		assert_null(g.notes.data);
		mesh_pod_free(&pod);
		free(json);
	}
}

static void an_object_is_named_in_its_notes(void **state)
{
	_given_ struct given g =
		given("{" METADATA("web-0") "},\"spec\":{"
					    "\"hostNetwork\":\"yes\"}}");
	_given_ struct given nobody = given("{\"metadata\":{}}");
	_given_ struct given number = given("7");
	struct mesh_pod pod;

	assert_int_equal(kube_decode(KIND_POD, g.val, &pod, &g.notes), -EINVAL);
	assert_string_equal(g.notes.data,
			    "Pod shop/web-0: spec.hostNetwork is \"yes\", "
			    "expected true or false; the Pod is left out\n");
	assert_null(pod.name);
	assert_int_equal(kube_decode(KIND_POD, nobody.val, &pod, &nobody.notes),
			 -EINVAL);
	assert_says(nobody.notes.data, "metadata.name is missing");
	assert_int_equal(kube_decode(KIND_POD, number.val, &pod, &number.notes),
			 -EINVAL);
	assert_says(number.notes.data, "it is 7, expected an object");
}

/* As large as the API takes them (TotalAnnotationSizeLimitB). */
static void huge_annotations_are_read_with_a_short_problem(void **state)
{
	enum { SIZE = 256 * 1024 };
	struct buf text = {0};
	struct mesh_pod pod;
	struct given g;

	buf_printf(
		&text,
		"{" METADATA(
			"web-0") ",\"annotations\":{"
				 "\"note\":\"%0*d\",\"smcmesh.io/exclude-inbound-ports\":\"",
		SIZE / 2, 1);
	for (int i = 0; i < SIZE / 12; i++)
		buf_printf(&text, "%d,", 10000 + i % 50000);
	buf_printf(&text, "80\",\"smcmesh.io/enabled\":\"%0*d\"}}}", SIZE / 4,
		   1);
	g = given(text.data);
	assert_int_equal(kube_decode(KIND_POD, g.val, &pod, &g.notes), 0);
	assert_int_equal(pod.exclude_in.n, 0);
	assert_says(pod.problem, "annotation smcmesh.io/enabled is \"0000");
	assert_true(strlen(pod.problem) < 500);
	mesh_pod_free(&pod);
	given_free(&g);
	buf_free(&text);
}

/* ---- Namespace ------------------------------------------------------------
 */

static void a_namespace_says_what_its_pods_do_not(void **state)
{
	_given_ struct given g = given(
		"{\"kind\":\"PartialObjectMetadata\",\"metadata\":{"
		"\"name\":\"shop\",\"annotations\":{"
		"\"smc.asm.alibabacloud.com/enabled\":\"true\","
		"\"smcmesh.io/exclude-outbound-ports\":\"3306, 5432\"}}}");
	struct mesh_namespace n;

	assert_int_equal(kube_decode(KIND_NAMESPACE, g.val, &n, &g.notes), 0);
	assert_string_equal(n.name, "shop");
	assert_true(n.enabled.said);
	assert_int_equal(n.enabled.enabled, MESH_ON);
	assert_true(n.out.said);
	assert_int_equal(n.out.ports.n, 2);
	assert_int_equal(n.out.ports.v[1].first, 5432);
	assert_false(n.in.said);
	assert_null(g.notes.data);
	mesh_namespace_free(&n);
}

static void a_namespace_that_is_not_understood_says_so(void **state)
{
	_given_ struct given g =
		given("{\"metadata\":{\"name\":\"shop\",\"annotations\":{"
		      "\"smcmesh.io/enabled\":\"on\","
		      "\"smcmesh.io/exclude-inbound-ports\":\"70000\"}}}");
	struct mesh_namespace n;

	assert_int_equal(kube_decode(KIND_NAMESPACE, g.val, &n, &g.notes), 0);
	assert_true(n.enabled.said);
	assert_string_equal(n.enabled.problem,
			    "annotation smcmesh.io/enabled of its Namespace is "
			    "\"on\", expected \"true\" or \"false\"");
	assert_true(n.in.said);
	assert_says(n.in.problem, "(not \"70000\")");
	assert_null(n.out.problem);
	mesh_namespace_free(&n);
}

/* ---- SmcNode, configuration -----------------------------------------------
 */

static void ten_thousand_endpoints_of_a_node_are_read(void **state)
{
	struct buf text = {0};
	struct mesh_node n;
	struct given g;

	buf_printf(&text, "{\"metadata\":{\"name\":\"n1\"},\"status\":{"
			  "\"endpoints\":[");
	for (int i = 0; i < 10000; i++)
		buf_printf(&text,
			   "%s{\"address\":\"10.1.%d.%d\",\"namespace\":\"a\","
			   "\"pod\":\"p\",\"uid\":\"u%d\"}",
			   i ? "," : "", i / 256, i % 256, i);
	buf_printf(&text,
		   "],\"newer\":{\"x\":1},\"conditions\":[{\"type\":"
		   "\"Ready\",\"status\":\"False\","
		   "\"lastTransitionTime\":\"1970-01-01T00:01:00Z\"}]}}");
	g = given(text.data);
	assert_int_equal(kube_decode(KIND_SMCNODE, g.val, &n, &g.notes), 0);
	assert_null(g.notes.data);
	assert_int_equal(n.n_endpoints, 10000);
	assert_string_equal(n.endpoints[9999].uid, "u9999");
	assert_false(n.ready);
	assert_int_equal(n.ready_since, 60);
	mesh_node_free(&n);
	given_free(&g);
	buf_free(&text);
}

#define MESH(name, spec) \
	"{\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"

static void smcmesh_and_asm_config_leave_each_other_alone(void **state)
{
	_given_ struct given mesh = given(
		MESH("default", "\"ueid\":\"SHOP\",\"excludePorts\":[3306]"));
	_given_ struct given other = given(MESH("other", "\"ueid\":\"X\""));
	_given_ struct given off = given(MESH("default", "\"enabled\":false"));
	_given_ struct given on = given(MESH("default", "\"smcEnabled\":true"));
	struct mesh_config c = {0};

	mesh_config_reset(&c);
	assert_int_equal(kube_decode(KIND_SMCMESH, mesh.val, &c, &mesh.notes),
			 0);
	assert_int_equal(kube_decode(KIND_ASM, on.val, &c, &on.notes), 0);
	assert_string_equal(c.ueid, "SHOP");
	assert_true(mesh_enabled(&c));
	assert_int_equal(kube_decode(KIND_SMCMESH, other.val, &c, &other.notes),
			 -EINVAL);
	assert_says(other.notes.data, "only the one named default is read");
	assert_int_equal(kube_decode(KIND_ASM, other.val, &c, &other.notes),
			 -EINVAL);
	assert_string_equal(c.ueid, "SHOP");
	assert_true(mesh_enabled(&c));
	/* another one: what it does not say any more is the default */
	assert_int_equal(kube_decode(KIND_SMCMESH, off.val, &c, &off.notes), 0);
	assert_string_equal(c.ueid, MESH_DEFAULT_UEID);
	assert_int_equal(c.exclude_ports.n, 0);
	assert_false(mesh_enabled(&c));
	/* gone */
	assert_int_equal(kube_decode(KIND_SMCMESH, NULL, &c, &off.notes), 0);
	assert_true(mesh_enabled(&c));
	assert_int_equal(kube_decode(KIND_ASM, NULL, &c, &on.notes), 0);
	assert_false(mesh_enabled(&c));
	mesh_config_reset(&c);
}

static void a_uid_is_read(void **state)
{
	static const char good[] = "{\"metadata\":{\"uid\":\"u-1\"}}";
	char *uid = NULL;

	assert_int_equal(kube_decode_uid(good, strlen(good), &uid), 0);
	assert_string_equal(uid, "u-1");
	free(uid);
	assert_int_equal(kube_decode_version(good, strlen(good), &uid),
			 -EINVAL);
	assert_int_equal(kube_decode_uid("{}", 2, &uid), -EINVAL);
	assert_int_equal(
		kube_decode_uid("{\"metadata\":{\"uid\":7}}", 22, &uid),
		-EINVAL);
	assert_int_equal(kube_decode_uid("nonsense", 8, &uid), -EINVAL);
}

/* ---- wrong types, at every field ------------------------------------------
 */

/* Puts each of @wrongs in the place of each value in @text, one at a time, and
 * calls @each with the object. */
static const char *const wrongs[] = {"null",  "true",	"7",   "-1",
				     "1e300", "\"x\"",	"[]",  "{}",
				     "[[]]",  "[null]", "\"\""};

typedef void (*damaged_fn)(yyjson_val *val, void *arg);

static void call_damaged(yyjson_mut_doc *doc, damaged_fn each, void *arg)
{
	yyjson_doc *copy = yyjson_mut_doc_imut_copy(doc, NULL);

	each(yyjson_doc_get_root(copy), arg);
	yyjson_doc_free(copy);
}

static bool same_type(yyjson_mut_val *a, yyjson_val *b)
{
	return yyjson_mut_get_type(a) == yyjson_get_type(b);
}

/* What @place holds is replaced, and then what is below it. @strict: never by a
 * null, nor by a value of the same type. Return: how often @each was called. */
static int damage(yyjson_mut_doc *doc, yyjson_mut_val *place, bool strict,
		  damaged_fn each, void *arg)
{
	yyjson_mut_val saved = *place, *child;
	size_t i, n, k, m;
	yyjson_mut_val *key;
	int calls = 0;

	for (i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		yyjson_doc *wrong =
			yyjson_read(wrongs[i], strlen(wrongs[i]), 0);
		yyjson_val *val = yyjson_doc_get_root(wrong);

		if (!strict ||
		    (!yyjson_is_null(val) && !same_type(place, val))) {
			yyjson_mut_val *copy = yyjson_val_mut_copy(doc, val);

			place->tag = copy->tag;
			place->uni = copy->uni;
			call_damaged(doc, each, arg);
			place->tag = saved.tag;
			place->uni = saved.uni;
			calls++;
		}
		yyjson_doc_free(wrong);
	}
	yyjson_mut_arr_foreach(place, i, n, child) calls +=
		damage(doc, child, strict, each, arg);
	yyjson_mut_obj_foreach(place, k, m, key, child) calls +=
		damage(doc, child, strict, each, arg);
	return calls;
}

/* @at: the part that is damaged, "" for all. */
static void damage_all(const char *text, const char *at, bool strict,
		       damaged_fn each, void *arg)
{
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	yyjson_mut_doc *mut = yyjson_doc_mut_copy(doc, NULL);
	yyjson_mut_val *place = yyjson_mut_doc_ptr_get(mut, at);

	assert_non_null(place);
	assert_true(damage(mut, place, strict, each, arg) > 20);
	yyjson_mut_doc_free(mut);
	yyjson_doc_free(doc);
}

/* Decodes to a valid object, or says why not. */
#define DAMAGED(what, type, kind)                                \
	static void damaged_##what(yyjson_val *val, void *arg)   \
	{                                                        \
		struct buf notes = {0};                          \
		struct mesh_##type made;                         \
		int err = kube_decode(kind, val, &made, &notes); \
                                                                 \
		if (err) {                                       \
			assert_int_equal(err, -EINVAL);          \
			assert_true(notes.len);                  \
		} else {                                         \
			assert_non_null(made.name);              \
			mesh_##type##_free(&made);               \
		}                                                \
		buf_free(&notes);                                \
	}
DAMAGED(pod, pod, KIND_POD)
DAMAGED(smcnode, node, KIND_SMCNODE)
DAMAGED(namespace, namespace, KIND_NAMESPACE)
DAMAGED(service, service, KIND_SERVICE)
DAMAGED(slice, slice, KIND_SLICE)

static void damaged_config(yyjson_val *val, void *arg)
{
	struct mesh_config c = {0};
	struct buf notes = {0};

	mesh_config_reset(&c);
	(void)!kube_decode(KIND_SMCMESH, val, &c, &notes);
	(void)!kube_decode(KIND_ASM, val, &c, &notes);
	assert_true(mesh_ueid_valid(c.ueid));
	assert_true(c.mark && !(c.mark & ~c.mark_mask));
	mesh_config_reset(&c);
	buf_free(&notes);
}

static const char whole_pod[] = "{" METADATA(
	"web-0") ",\"uid\":\"u\",\"creationTimestamp\":"
		 "\"2025-03-01T12:00:00Z\",\"annotations\":{\"smcmesh.io/enabled\":"
		 "\"true\",\"smc.asm.alibabacloud.com/enabled\":\"true\","
		 "\"smcmesh.io/exclude-inbound-ports\":\"80\",\"smcmesh.io/"
		 "exclude-outbound-ports\":\"80\",\"smcmesh.io/proxy-uid\":\"7\"}},"
		 "\"spec\":{\"nodeName\":\"n1\",\"hostNetwork\":false,"
		 "\"initContainers\":[{\"name\":\"istio-proxy\",\"restartPolicy\":"
		 "\"Always\",\"securityContext\":{\"runAsUser\":5}}],\"containers\":"
		 "[{\"name\":\"istio-proxy\",\"securityContext\":{\"runAsUser\":6},"
		 "\"ports\":[{\"containerPort\":80,\"hostPort\":8080,"
		 "\"protocol\":\"TCP\"}]}],\"runtimeClassName\":\"kata\","
		 "\"overhead\":{\"cpu\":\"1\"}},"
		 "\"status\":{\"phase\":\"Running\",\"podIP\":\"10.1.0.1\",\"podIPs\":["
		 "{\"ip\":\"10.1.0.1\"},{\"ip\":\"fd00::1\"}]}}";
static const char whole_node[] =
	"{\"metadata\":{\"name\":\"n1\"},\"status\":{\"bootID\":\"b\","
	"\"transports\":[\"smcr\"],\"ueids\":[\"A\"],\"endpoints\":[{"
	"\"address\":\"10.1.0.1\",\"transports\":[\"smcr\"],\"namespace\":"
	"\"a\",\"pod\":\"p\",\"uid\":\"u\",\"created\":"
	"\"2025-03-01T12:00:00Z\",\"ports\":[80]}],\"conditions\":[{\"type\":"
	"\"Ready\",\"status\":\"True\",\"lastTransitionTime\":"
	"\"2025-03-01T12:00:00Z\"}]}}";
static const char whole_namespace[] =
	"{\"metadata\":{\"name\":\"shop\",\"annotations\":{\"smcmesh.io/"
	"enabled\":\"true\",\"smcmesh.io/exclude-inbound-ports\":\"80\","
	"\"smcmesh.io/exclude-outbound-ports\":\"80\"}}}";
static const char whole_service[] = "{" METADATA(
	"web") ",\"labels\":{\"a\":\"b\"}},\"spec\":{\"type\":"
	       "\"ClusterIP\",\"clusterIP\":\"10.96.0.1\",\"clusterIPs\":["
	       "\"10.96.0.1\"],\"externalIPs\":[\"1.2.3.4\"],\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\","
	       "\"port\":80,\"nodePort\":30080}]},\"status\":{\"loadBalancer\":"
	       "{\"ingress\":[{\"ip\":\"1.2.3.5\"}]}}}";
/* 10.1.0.1 is an endpoint, 10.9.0.1 is a stranger. */
static const char whole_slice[] =
	"{" SLICE_METADATA ",\"addressType\":\"IPv4\"," SLICE_PORTS
	",\"endpoints\":[{\"addresses\":[\"10.9.0.1\"],\"conditions\":{"
	"\"ready\":true,\"serving\":true}}]}";
static const char whole_config[] =
	"{\"metadata\":{\"name\":\"default\"},\"spec\":{\"enabled\":true,"
	"\"smcEnabled\":true,\"excludeCIDRs\":[\"10.9.0.0/16\"],"
	"\"excludePorts\":[3306],\"ueid\":\"A\",\"mark\":{\"value\":256,"
	"\"mask\":65280}}}";

static void wrong_types_everywhere(void **state)
{
	damage_all(whole_pod, "", false, damaged_pod, NULL);
	damage_all(whole_node, "", false, damaged_smcnode, NULL);
	damage_all(whole_namespace, "", false, damaged_namespace, NULL);
	damage_all(whole_service, "", false, damaged_service, NULL);
	damage_all(whole_slice, "", false, damaged_slice, NULL);
	damage_all(whole_config, "", false, damaged_config, NULL);
}

/* The Service has another slice, which is in order. */
static void offers_nothing(yyjson_val *val, void *arg)
{
	struct mesh_service_port port = {(char *)"http", 80};
	struct mesh_service_port target = {(char *)"http", 8080};
	struct smc_addr vip = addr("10.96.0.1"), ip = addr("10.1.0.1");
	struct mesh_service web = {.ns = (char *)"shop",
				   .name = (char *)"web",
				   .addrs = {&vip, 1},
				   .ports = &port,
				   .n_ports = 1};
	struct mesh_slice slices[2] = {{.ns = (char *)"shop",
					.name = (char *)"a",
					.service = (char *)"web",
					.ports = &target,
					.n_ports = 1,
					.backends = {&ip, 1}}};
	struct mesh_pod pod = {.ns = (char *)"shop",
			       .name = (char *)"p",
			       .uid = (char *)"p",
			       .node = (char *)"n2",
			       .enabled = MESH_ON,
			       .addrs = {&ip, 1}};
	struct mesh_world w = {.config.enabled = MESH_ON,
			       .pods = &pod,
			       .n_pods = 1,
			       .services = &web,
			       .n_services = 1,
			       .slices = slices,
			       .n_slices = arg ? 1 : 2};
	const struct mesh_host host = {.node = "n1",
				       .transports = SMC_TRANSPORT_SMCR};
	struct mesh_plan plan;
	struct buf notes = {0};

	assert_int_equal(kube_decode(KIND_SLICE, val, &slices[1], &notes), 0);
	assert_int_equal(mesh_plan(&w, &host, NULL, 0, &plan), 0);
	assert_int_equal(plan.n_services, 1);
	/* without it the Service is offered SMC: the test can fail */
	assert_int_equal(plan.services[0].transports,
			 arg ? SMC_TRANSPORT_SMCR : 0);
	mesh_plan_free(&plan);
	mesh_slice_free(&slices[1]);
	buf_free(&notes);
}

/* However the slice of a stranger is damaged, he is not offered SMC. */
static void a_damaged_slice_never_hides_a_stranger(void **state)
{
	_given_ struct given g = given(whole_slice);

	offers_nothing(g.val, g.val);
	offers_nothing(g.val, NULL);
	damage_all(whole_slice, "/ports", true, offers_nothing, NULL);
	damage_all(whole_slice, "/endpoints", true, offers_nothing, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(place_annotation_from_the_api_is_ignored),
		cmocka_unit_test(an_object_is_named_in_its_notes),
		cmocka_unit_test(
			huge_annotations_are_read_with_a_short_problem),
		cmocka_unit_test(a_namespace_says_what_its_pods_do_not),
		cmocka_unit_test(a_namespace_that_is_not_understood_says_so),
		cmocka_unit_test(ten_thousand_endpoints_of_a_node_are_read),
		cmocka_unit_test(smcmesh_and_asm_config_leave_each_other_alone),
		cmocka_unit_test(a_uid_is_read),
		cmocka_unit_test(wrong_types_everywhere),
		cmocka_unit_test(a_damaged_slice_never_hides_a_stranger),
	};

	return cmocka_run_group_tests_name("decode one", tests, NULL, NULL);
}
