// SPDX-License-Identifier: Apache-2.0
/* JSON to worlds: what is read, what is left out, and what is said then. */
#include "unit.h"

#include "kube/decode.h"

struct decoded {
	struct mesh_world world;
	struct buf notes, error;
	int err;
};

static void decoded_free(struct decoded *d)
{
	mesh_world_free(&d->world);
	buf_free(&d->notes);
	buf_free(&d->error);
}
#define _decoded_ __attribute__((cleanup(decoded_free)))

/* A copy of exactly @len bytes, so that ASan sees every read past the end. */
static struct decoded decode_n(const char *json, size_t len)
{
	struct decoded d = {0};
	char *exact = malloc(len ? len : 1);

	memcpy(exact, json, len);
	d.err = kube_decode_list(exact, len, &d.world, &d.notes, &d.error);
	free(exact);
	return d;
}

static struct decoded decode(const char *json)
{
	return decode_n(json, strlen(json));
}

/* A List of @items. */
static struct decoded decode_items(const char *items)
{
	struct decoded d;
	char *json;

	if (asprintf(&json,
		     "{\"apiVersion\":\"v1\",\"kind\":\"List\","
		     "\"items\":[%s]}",
		     items) < 0)
		fail();
	d = decode(json);
	free(json);
	return d;
}

static const char *notes(const struct decoded *d)
{
	return d->notes.data ? d->notes.data : "";
}

/* The one pod of a world without notes. */
static struct mesh_pod *only_pod(struct decoded *d)
{
	assert_int_equal(d->err, 0);
	assert_string_equal(notes(d), "");
	assert_int_equal(d->world.n_pods, 1);
	return &d->world.pods[0];
}

/* ---- the text as a whole --------------------------------------------------
 */

static void broken_json_has_line_and_column(void **state)
{
	_decoded_ struct decoded d = decode("{\n  \"kind\": \"List\",\n  x\n}");

	assert_int_equal(d.err, -EINVAL);
	assert_says(d.error.data, "broken JSON at line 3, column 3: ");
}

static void nothing_is_broken_json(void **state)
{
	static const char *const texts[] = {"",
					    " ",
					    "\n\n",
					    "{",
					    "[",
					    "nul",
					    "{\"kind\":\"List\",\"items\":[",
					    "{\"kind\":\"List\"} x",
					    "\xff"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		_decoded_ struct decoded d = decode(texts[i]);

		assert_int_equal(d.err, -EINVAL);
		assert_says(d.error.data, "broken JSON at line ");
	}
}

static void other_documents_are_refused(void **state)
{
	static const struct {
		const char *json, *error;
	} cases[] = {
		{"[]", "found an array"},
		{"\"List\"", "found \"List\""},
		{"7", "found 7"},
		{"{}", "kind is missing"},
		{"{\"kind\":3}", "kind is 3"},
		{"{\"kind\":\"Status\"}", "found one \"Status\""},
		{"{\"kind\":\"List\"}", "items are missing"},
		{"{\"kind\":\"List\",\"items\":{}}", "items are an object"},
		{"{\"kind\":\"PodList\",\"items\":1}", "items are 1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_decoded_ struct decoded d = decode(cases[i].json);

		assert_int_equal(d.err, -EINVAL);
		assert_says(d.error.data, "expected a Kubernetes List");
		assert_says(d.error.data, cases[i].error);
	}
}

static void failure_leaves_the_world_alone(void **state)
{
	struct mesh_world w;
	struct buf notes = {0}, error = {0};

	memset(&w, 0x5a, sizeof(w));
	assert_int_equal(kube_decode_list("[", 1, &w, &notes, &error), -EINVAL);
	for (size_t i = 0; i < sizeof(w); i++)
		assert_int_equal(((char *)&w)[i], 0x5a);
	buf_free(&notes);
	buf_free(&error);
}

static void empty_list_is_an_empty_world(void **state)
{
	_decoded_ struct decoded d = decode_items("");
	_decoded_ struct decoded null =
		decode("{\"kind\":\"PodList\",\"items\":null}");

	assert_int_equal(d.err, 0);
	assert_int_equal(null.err, 0);
	assert_int_equal(d.world.n_pods + d.world.n_nodes, 0);
	assert_int_equal(null.world.n_pods, 0);
	assert_int_equal(d.world.config.enabled, MESH_UNSET);
	assert_int_equal(d.world.config.asm_enabled, MESH_UNSET);
	assert_string_equal(d.world.config.ueid, "SMCMESH");
	assert_int_equal(d.world.config.mark, 0x100);
	assert_int_equal(d.world.config.mark_mask, 0xff00);
}

/* ---- lists ----------------------------------------------------------------
 */

#define POD(name) "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\"}}"

static void lists_nest_and_unknown_kinds_pass(void **state)
{
	_decoded_ struct decoded d = decode_items(POD(
		"a") ",{\"kind\":\"Deployment\",\"spec\":3},"
		     "{\"kind\":\"List\",\"items\":[" POD(
			     "b") ","
				  "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":["
				  "{\"metadata\":{\"name\":\"c\"}}]}]}," POD(
					  "d"));

	assert_int_equal(d.err, 0);
	assert_string_equal(notes(&d), "");
	assert_int_equal(d.world.n_pods, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(d.world.pods[i].name[0], 'a' + i);
}

static void one_object_alone_is_a_world(void **state)
{
	_decoded_ struct decoded d = decode(POD("a"));

	assert_string_equal(only_pod(&d)->name, "a");
}

static void deep_lists_end(void **state)
{
	enum { DEPTH = 100000 };
	static const char open[] = "{\"kind\":\"List\",\"items\":[";
	struct buf b = {0};

	for (int i = 0; i < DEPTH; i++)
		assert_int_equal(buf_add(&b, open, sizeof(open) - 1), 0);
	for (int i = 0; i < DEPTH; i++)
		assert_int_equal(buf_add(&b, "]}", 2), 0);
	_decoded_ struct decoded d = decode_n(b.data, b.len);

	buf_free(&b);
	assert_int_equal(d.err, 0);
	assert_says(notes(&d), "nested more than 8 deep");
}

static void items_that_are_no_objects_are_noted(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"3,null,[],{},{\"kind\":7},{\"kind\":\"List\"}," POD("a"));

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 1);
	assert_says(notes(&d), "the List: items[0] is 3, expected an object; "
			       "the item is left out\n");
	assert_says(notes(&d), "items[1] is null, expected an object");
	assert_says(notes(&d), "items[2] is an array, expected an object");
	assert_says(notes(&d), "items[3].kind is missing, expected a string");
	assert_says(notes(&d), "items[4].kind is 7, expected a string");
	assert_says(notes(&d), "List: items is missing, expected an array");
}

static void objects_of_other_groups_are_not_ours(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"Pod\",\"apiVersion\":\"x.io/v1\","
		"\"metadata\":{\"name\":\"a\"}},"
		"{\"kind\":\"SmcNode\",\"apiVersion\":\"v1\","
		"\"metadata\":{\"name\":\"n\"}},"
		"{\"kind\":\"SmcNode\",\"apiVersion\":\"smcmesh.io/v9\","
		"\"metadata\":{\"name\":\"m\"}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 0);
	assert_int_equal(d.world.n_nodes, 1);
	assert_string_equal(d.world.nodes[0].name, "m");
	assert_says(notes(&d), "Pod default/a: it is a Pod of apiVersion "
			       "\"x.io/v1\", not ours; it is left out");
}

static void of_doubles_the_later_counts(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"uid\":\"1\"},"
		"\"spec\":{\"nodeName\":\"old\"}}," POD(
			"b") ","
			     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"uid\":\"2\"},"
			     "\"spec\":{\"nodeName\":\"new\"}},"
			     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"c\",\"uid\":\"3\"}},"
			     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"d\",\"uid\":\"3\"}},"
			     "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
			     "\"status\":{\"bootID\":\"1\"}},"
			     "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
			     "\"status\":{\"bootID\":\"2\"}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 3);
	assert_string_equal(d.world.pods[0].name, "b");
	assert_string_equal(d.world.pods[1].node, "new");
	assert_string_equal(d.world.pods[2].name, "d");
	assert_int_equal(d.world.n_nodes, 1);
	assert_string_equal(d.world.nodes[0].boot_id, "2");
	assert_says(notes(&d), "Pod: default/a is listed twice");
	assert_says(notes(&d), "Pod: default/c is listed twice, or its UID is");
	assert_says(notes(&d), "SmcNode: n is listed twice");
}

/* ---- Pods -----------------------------------------------------------------
 */

static void pod_as_the_api_writes_it(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
		"\"name\":\"web-0\",\"namespace\":\"shop\",\"uid\":\"u-1\","
		"\"creationTimestamp\":\"2025-03-01T12:00:00Z\","
		"\"deletionTimestamp\":\"2025-03-01T13:00:00Z\","
		"\"annotations\":{\"smc.asm.alibabacloud.com/enabled\":"
		"\"true\",\"smcmesh.io/exclude-outbound-ports\":"
		"\"5432, 3306,5432\",\"smcmesh.io/exclude-inbound-ports\":"
		"\"22\",\"smcmesh.io/netns\":\"/run/netns/a\",\"x\":1}},"
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
	assert_int_equal(p->exclude_out.v[0], 3306);
	assert_int_equal(p->exclude_out.v[1], 5432);
	assert_int_equal(p->exclude_in.n, 1);
	assert_int_equal(p->exclude_in.v[0], 22);
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

static void null_is_absent(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"uid\":null,"
		"\"annotations\":null},\"spec\":null,"
		"\"status\":{\"podIPs\":null,\"phase\":\"\"}}");

	assert_string_equal(only_pod(&d)->uid, "default/a");
}

static void ended_is_succeeded_or_failed(void **state)
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
	struct decoded d;
	char *json;

	if (asprintf(&json,
		     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
		     "\"annotations\":{%s}}}",
		     annotations) < 0)
		fail();
	d = decode(json);
	free(json);
	return d;
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
		 "\"80,x,y\", expected ports from 1 to 65535 with commas "
		 "between (not \"x\")"},
		{"\"smcmesh.io/exclude-inbound-ports\":\"0\"",
		 "annotation smcmesh.io/exclude-inbound-ports is \"0\""},
		{"\"smcmesh.io/exclude-inbound-ports\":80",
		 "is 80, expected a string of ports"},
		{"\"smcmesh.io/netns\":\"netns/a\"",
		 "is \"netns/a\", expected an absolute path"},
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

static void annotations_of_a_wrong_type_are_none(void **state)
{
	_decoded_ struct decoded d =
		decode("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
		       "\"annotations\":[\"true\"]}}");

	assert_int_equal(d.world.pods[0].enabled, MESH_UNSET);
	assert_says(notes(&d), "metadata.annotations is an array, expected an "
			       "object; the Pod is not enabled");
}

/* ---- sidecars -------------------------------------------------------------
 */

static void sidecar_is_found_by_its_container(void **state)
{
	static const struct {
		const char *pod; /* annotations and spec */
		bool sidecar;
		unsigned int uid;
	} cases[] = {
		{"},\"spec\":{\"containers\":[{\"name\":\"app\"},"
		 "{\"name\":\"istio-proxy\"}]",
		 true, 1337},
		{"},\"spec\":{\"containers\":[{\"name\":\"istio-proxy\","
		 "\"securityContext\":{\"runAsUser\":0}}]",
		 true, 0},
		{",\"annotations\":{\"smcmesh.io/proxy-uid\":\"42\"}},"
		 "\"spec\":{\"containers\":[{\"name\":\"istio-proxy\","
		 "\"securityContext\":{\"runAsUser\":7}}]",
		 true, 42},
		{"},\"spec\":{\"initContainers\":[{\"name\":\"istio-proxy\","
		 "\"restartPolicy\":\"Always\",\"securityContext\":"
		 "{\"runAsUser\":9}}]",
		 true, 9},
		{"},\"spec\":{\"initContainers\":[{\"name\":\"istio-proxy\"}]",
		 false, 1337},
		{"},\"spec\":{\"initContainers\":[{\"name\":\"istio-init\"}]",
		 false, 1337},
		{"},\"spec\":{\"hostNetwork\":true,\"containers\":["
		 "{\"name\":\"istio-proxy\"}]",
		 false, 1337},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf json = {0};

		buf_printf(&json,
			   "{\"kind\":\"Pod\",\"metadata\":{\"name\":"
			   "\"a\"%s}}",
			   cases[i].pod);
		_decoded_ struct decoded d = decode(json.data);

		buf_free(&json);
		assert_int_equal(only_pod(&d)->sidecar, cases[i].sidecar);
		assert_int_equal(only_pod(&d)->proxy_uid, cases[i].uid);
	}
}

/* ---- SmcMesh, ASMMeshConfig -----------------------------------------------
 */

#define MESH(spec)                                          \
	"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":" \
	"\"SmcMesh\",\"metadata\":{\"name\":\"default\"},\"spec\":{" spec "}}"

static void mesh_is_read(void **state)
{
	_decoded_ struct decoded d = decode_items(MESH(
		"\"enabled\":false,\"excludeCIDRs\":[\"10.9.0.0/16\","
		"\"fd00::/8\"],\"excludePorts\":[3306,22,3306],"
		"\"ueid\":\"A.B-9\",\"mark\":{\"value\":256,\"mask\":"
		"768}") ","
			"{\"apiVersion\":\"istio.alibabacloud.com/v1beta1\",\"kind\":"
			"\"ASMMeshConfig\",\"metadata\":{\"name\":\"default\"},"
			"\"spec\":{\"smcEnabled\":true}}");
	struct mesh_config *c = &d.world.config;

	assert_int_equal(d.err, 0);
	assert_string_equal(notes(&d), "");
	assert_int_equal(c->enabled, MESH_OFF);
	assert_int_equal(c->asm_enabled, MESH_ON);
	assert_int_equal(c->n_exclude_cidrs, 2);
	assert_int_equal(c->exclude_cidrs[0].prefixlen, 112);
	assert_int_equal(c->exclude_cidrs[1].prefixlen, 8);
	assert_int_equal(c->exclude_ports.n, 2);
	assert_int_equal(c->exclude_ports.v[1], 3306);
	assert_string_equal(c->ueid, "A.B-9");
	assert_int_equal(c->mark, 256);
	assert_int_equal(c->mark_mask, 768);
}

static void bad_values_of_the_mesh_are_left_out(void **state)
{
	static const struct {
		const char *spec, *note;
	} cases[] = {
		{"\"enabled\":\"true\"",
		 "SmcMesh default: spec.enabled is "
		 "\"true\", expected true or false; it says nothing"},
		{"\"excludeCIDRs\":\"10.0.0.0/8\"",
		 "spec.excludeCIDRs is \"10.0.0.0/8\", expected an array"},
		{"\"excludeCIDRs\":[\"10.9.1.0/16\"]",
		 "spec.excludeCIDRs[0] is \"10.9.1.0/16\", expected a CIDR "
		 "like 10.9.0.0/16, with no bits set below the prefix; it is "
		 "not excluded"},
		{"\"excludeCIDRs\":[4]", "spec.excludeCIDRs[0] is 4"},
		{"\"excludePorts\":22", "spec.excludePorts is 22"},
		{"\"excludePorts\":[0]", "spec.excludePorts[0] is 0"},
		{"\"excludePorts\":[65536]", "spec.excludePorts[0] is 65536"},
		{"\"excludePorts\":[\"22\"]", "spec.excludePorts[0] is \"22\""},
		{"\"excludePorts\":[-1]", "spec.excludePorts[0] is -1"},
		{"\"excludePorts\":[1.5]", "spec.excludePorts[0] is 1.5"},
		{"\"ueid\":\"smcmesh\"",
		 "spec.ueid is \"smcmesh\", expected 1 "
		 "to 32 of A-Z 0-9 . - with A-Z or 0-9 first; the default "
		 "holds"},
		{"\"ueid\":\"\"", "spec.ueid is \"\""},
		{"\"ueid\":\"-A\"", "spec.ueid is \"-A\""},
		{"\"ueid\":\"ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC\"",
		 "spec.ueid is"},
		{"\"ueid\":1", "spec.ueid is 1, expected a string"},
		{"\"mark\":5", "spec.mark is 5, expected an object"},
		{"\"mark\":{\"value\":0}", "value 0x0 and mask 0xff00"},
		{"\"mark\":{\"value\":1}", "value 0x1 and mask 0xff00"},
		{"\"mark\":{\"mask\":1}", "value 0x100 and mask 0x1"},
		{"\"mark\":{\"value\":\"0x100\"}",
		 "spec.mark.value is \"0x100\""},
		{"\"mark\":{\"value\":4294967296}",
		 "spec.mark.value is 4294967296, expected a number from 0 to "
		 "4294967295"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf json = {0};

		buf_printf(&json,
			   "{\"kind\":\"SmcMesh\",\"metadata\":{"
			   "\"name\":\"default\"},\"spec\":{%s}}",
			   cases[i].spec);
		_decoded_ struct decoded d = decode(json.data);
		struct mesh_config *c = &d.world.config;

		buf_free(&json);
		assert_int_equal(d.err, 0);
		assert_says(notes(&d), cases[i].note);
		assert_int_equal(c->enabled, MESH_UNSET);
		assert_int_equal(c->n_exclude_cidrs, 0);
		assert_int_equal(c->exclude_ports.n, 0);
		assert_string_equal(c->ueid, "SMCMESH");
		assert_int_equal(c->mark, 0x100);
		assert_int_equal(c->mark_mask, 0xff00);
	}
}

static void a_bad_part_takes_no_other_with_it(void **state)
{
	_decoded_ struct decoded d = decode(
		MESH("\"enabled\":true,\"ueid\":7,\"excludePorts\":[1,\"x\",2],"
		     "\"excludeCIDRs\":[\"x\",\"10.0.0.0/8\"]"));

	assert_int_equal(d.world.config.enabled, MESH_ON);
	assert_int_equal(d.world.config.exclude_ports.n, 2);
	assert_int_equal(d.world.config.n_exclude_cidrs, 1);
}

static void only_default_configures(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"SmcMesh\",\"metadata\":{\"name\":\"other\"},"
		"\"spec\":{\"enabled\":true}},"
		"{\"kind\":\"ASMMeshConfig\",\"metadata\":{\"name\":\"x\"},"
		"\"spec\":{\"smcEnabled\":true}}");

	assert_int_equal(d.world.config.enabled, MESH_UNSET);
	assert_int_equal(d.world.config.asm_enabled, MESH_UNSET);
	assert_says(notes(&d), "SmcMesh other: only the one named default");
	assert_says(notes(&d), "ASMMeshConfig x: only the one named default");
}

static void of_two_configurations_the_later_counts(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"ASMMeshConfig\",\"metadata\":{\"name\":"
		"\"default\"},\"spec\":{\"smcEnabled\":true}}," MESH(
			"\"enabled\":true,\"excludePorts\":[1],\"ueid\":\"A\"") "," MESH("\"excludeCIDRs\":[\"10.0.0.0/8\"]"));

	assert_int_equal(d.world.config.enabled, MESH_UNSET);
	assert_int_equal(d.world.config.asm_enabled, MESH_ON);
	assert_int_equal(d.world.config.exclude_ports.n, 0);
	assert_int_equal(d.world.config.n_exclude_cidrs, 1);
	assert_string_equal(d.world.config.ueid, "SMCMESH");
	assert_says(notes(&d), "SmcMesh default: it is listed twice");
}

/* ---- SmcNode --------------------------------------------------------------
 */

static void node_is_read(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":\"SmcNode\","
		"\"metadata\":{\"name\":\"n2\"},\"status\":{\"kernel\":\"7\","
		"\"bootID\":\"b\",\"transports\":[\"smcr\",\"smcx\"],"
		"\"ueids\":[\"SMCMESH\",\"B\"],\"endpoints\":["
		"{\"address\":\"10.0.0.2\",\"transports\":[\"smcr\",\"smcd\"],"
		"\"namespace\":\"shop\",\"pod\":\"db-0\",\"uid\":\"u\","
		"\"created\":\"1970-01-01T00:01:00Z\"},"
		"{\"address\":\"10.0.0.3\",\"namespace\":\"s\",\"pod\":\"p\","
		"\"ports\":[]},{\"address\":\"10.0.0.4\",\"namespace\":\"s\","
		"\"pod\":\"q\",\"ports\":[80,79]}],\"conditions\":[{\"type\":"
		"\"Ready\",\"status\":\"True\"},{\"type\":\"X\",\"status\":"
		"\"False\"}]}}");
	struct mesh_node *n = d.world.nodes;

	assert_int_equal(d.err, 0);
	assert_string_equal(notes(&d), "");
	assert_int_equal(d.world.n_nodes, 1);
	assert_string_equal(n->name, "n2");
	assert_string_equal(n->boot_id, "b");
	assert_true(n->ready);
	assert_int_equal(n->transports, SMC_TRANSPORT_SMCR);
	assert_int_equal(n->n_ueids, 2);
	assert_string_equal(n->ueids[1], "B");
	assert_int_equal(n->n_endpoints, 3);
	assert_addr(n->endpoints[0].addr, "10.0.0.2");
	assert_int_equal(n->endpoints[0].transports,
			 SMC_TRANSPORT_SMCR | SMC_TRANSPORT_SMCD);
	assert_string_equal(n->endpoints[0].ns, "shop");
	assert_string_equal(n->endpoints[0].pod, "db-0");
	assert_string_equal(n->endpoints[0].uid, "u");
	assert_int_equal(n->endpoints[0].created, 60);
	assert_false(n->endpoints[0].host_network);
	assert_string_equal(n->endpoints[1].uid, "s/p");
	assert_true(n->endpoints[1].host_network);
	assert_int_equal(n->endpoints[1].ports.n, 0);
	assert_true(n->endpoints[2].host_network);
	assert_int_equal(n->endpoints[2].ports.v[0], 79);
}

static void only_a_plain_no_makes_a_node_not_ready(void **state)
{
	static const struct {
		const char *conditions;
		bool ready;
	} cases[] = {
		{"[]", true},
		{"[{\"type\":\"Ready\",\"status\":\"Unknown\"}]", true},
		{"[{\"type\":\"Ready\"}]", true},
		{"[{\"type\":\"Ready\",\"status\":\"False\"}]", false},
		{"[7,{\"type\":\"Ready\",\"status\":\"False\"}]", false},
		{"[{\"type\":\"Ready\",\"status\":false}]", true},
		{"{}", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char json[300];

		snprintf(json, sizeof(json),
			 "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
			 "\"status\":{\"conditions\":%s}}",
			 cases[i].conditions);
		_decoded_ struct decoded d = decode(json);

		assert_int_equal(d.world.n_nodes, 1);
		assert_int_equal(d.world.nodes[0].ready, cases[i].ready);
	}
}

static void bad_endpoints_are_left_out_alone(void **state)
{
	_decoded_ struct decoded d = decode(
		"{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
		"\"status\":{\"ueids\":[7,\"ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC\","
		"\"OK\"],\"endpoints\":[3,{},{\"address\":\"x\",\"namespace\":"
		"\"s\",\"pod\":\"p\"},{\"address\":\"10.0.0.1\",\"namespace\":"
		"\"s\"},{\"address\":\"10.0.0.1\",\"namespace\":\"s\",\"pod\":"
		"\"p\",\"created\":5},{\"address\":\"10.0.0.1\",\"namespace\":"
		"\"s\",\"pod\":\"p\",\"transports\":\"smcr\"},{\"address\":"
		"\"10.0.0.1\",\"namespace\":\"s\",\"pod\":\"p\",\"ports\":80},"
		"{\"address\":\"10.0.0.9\",\"namespace\":\"s\",\"pod\":\"p\","
		"\"ports\":[80,\"x\"]}]}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_nodes, 1);
	assert_int_equal(d.world.nodes[0].n_ueids, 1);
	assert_int_equal(d.world.nodes[0].n_endpoints, 1);
	assert_addr(d.world.nodes[0].endpoints[0].addr, "10.0.0.9");
	assert_int_equal(d.world.nodes[0].endpoints[0].ports.n, 1);
	assert_says(notes(&d), "status.endpoints[0] is 3, expected an object");
	assert_says(notes(&d), "status.endpoints[2] needs an address");
	assert_says(notes(&d), "status.endpoints[4].created is 5");
	assert_says(notes(&d), "status.endpoints[5].transports is \"smcr\"");
	assert_says(notes(&d), "status.endpoints[6].ports is 80");
	assert_says(notes(&d), "status.ueids[0] is 7");
}

/* ---- sizes ----------------------------------------------------------------
 */

static void notes_have_an_end(void **state)
{
	struct buf items = {0};

	for (int i = 0; i < 20000; i++)
		buf_printf(&items, "%s%d", i ? "," : "", i);
	_decoded_ struct decoded d = decode_items(items.data);

	buf_free(&items);
	assert_int_equal(d.err, 0);
	assert_in_range(d.notes.len, 60000, 70000);
	assert_says(notes(&d), "further notes are left out\n");
}

static void huge_values_are_cut_in_notes(void **state)
{
	struct buf json = {0};

	buf_printf(&json, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
			  "\"uid\":\"");
	for (int i = 0; i < 100000; i++)
		buf_add(&json, "\xc3\xa4", 2);
	buf_printf(&json, "\"}}");
	_decoded_ struct decoded d = decode_n(json.data, json.len);

	buf_free(&json);
	assert_int_equal(d.err, 0);
	assert_in_range(d.notes.len, 1, 1000);
	assert_says(notes(&d), "...\", expected a string of at most 1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_json_has_line_and_column),
		cmocka_unit_test(nothing_is_broken_json),
		cmocka_unit_test(other_documents_are_refused),
		cmocka_unit_test(failure_leaves_the_world_alone),
		cmocka_unit_test(empty_list_is_an_empty_world),
		cmocka_unit_test(lists_nest_and_unknown_kinds_pass),
		cmocka_unit_test(one_object_alone_is_a_world),
		cmocka_unit_test(deep_lists_end),
		cmocka_unit_test(items_that_are_no_objects_are_noted),
		cmocka_unit_test(objects_of_other_groups_are_not_ours),
		cmocka_unit_test(of_doubles_the_later_counts),
		cmocka_unit_test(pod_as_the_api_writes_it),
		cmocka_unit_test(bare_pod_has_defaults),
		cmocka_unit_test(null_is_absent),
		cmocka_unit_test(ended_is_succeeded_or_failed),
		cmocka_unit_test(pod_that_is_not_understood_is_left_out),
		cmocka_unit_test(bad_addresses_are_left_out_alone),
		cmocka_unit_test(pod_ip_alone_is_read),
		cmocka_unit_test(annotation_is_true_or_false),
		cmocka_unit_test(first_annotation_wins_over_its_alias),
		cmocka_unit_test(bad_annotation_is_a_problem_of_the_pod),
		cmocka_unit_test(annotations_of_a_wrong_type_are_none),
		cmocka_unit_test(sidecar_is_found_by_its_container),
		cmocka_unit_test(mesh_is_read),
		cmocka_unit_test(bad_values_of_the_mesh_are_left_out),
		cmocka_unit_test(a_bad_part_takes_no_other_with_it),
		cmocka_unit_test(only_default_configures),
		cmocka_unit_test(of_two_configurations_the_later_counts),
		cmocka_unit_test(node_is_read),
		cmocka_unit_test(only_a_plain_no_makes_a_node_not_ready),
		cmocka_unit_test(bad_endpoints_are_left_out_alone),
		cmocka_unit_test(notes_have_an_end),
		cmocka_unit_test(huge_values_are_cut_in_notes),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
