// SPDX-License-Identifier: Apache-2.0
/* What we write to the API; and the SmcNode we write is the SmcNode we read. */
#include "unit.h"

#include "objects/decode.h"
#include "objects/encode.h"

static char uid_b[] = "u-b", uid_a[] = "u-a", ns[] = "shop", web[] = "web-0",
	    db[] = "db-0";
static __u16 listens[] = {80, 8080};

struct scene {
	struct smc_addr addrs[3];
	struct mesh_pod pods[2];
	struct plan_pod plan_pods[2];
	struct mesh_plan plan;
	struct mesh_host host;
	struct mesh_ready ready;
	struct mesh_publish publish;
	struct kube_smcnode node;
};

static const char *const ueids[] = {"SMCMESH", "OTHER"};
static const struct kube_rdma rdma[] = {
	{"rxe0", "eth0", 1, NULL, NULL},
	{"rxe1", "eth1", 1, "10.9.0.0/16", "10.9.0.7"}};

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
		.armed = true,
		.says.enabled = MESH_ON,
	};
	s->plan_pods[1] = (struct plan_pod){
		.pod = &s->pods[1],
		.value.transports = SMC_TRANSPORT_SMCD,
		.published = {s->addrs + 2, 1},
		.listens = {listens, 2},
		.armed = true,
		.says.enabled = MESH_ON,
	};
	s->plan.pods = s->plan_pods;
	s->plan.n_pods = 2;
	s->plan.enabled = true;
	s->host = (struct mesh_host){.node = "n1",
				     .converter = true,
				     .selector = true,
				     .transports = SMC_TRANSPORT_SMCD};
	s->node = (struct kube_smcnode){
		.name = "n1",
		.kernel = "7.3.4",
		.boot_id = "b-1",
		.converter = "sockproto",
		.selector = "hs_ctrl",
		.transports = SMC_TRANSPORT_SMCD,
		.ueids = ueids,
		.n_ueids = 2,
		.rdma = rdma,
		.n_rdma = 2,
		.publish = &s->publish,
	};
}

/* Decide and encode. The text is to be freed. */
static char *encoded(struct scene *s)
{
	struct buf b = {0};

	assert_int_equal(mesh_publish(&s->host, &s->plan, NULL, NULL, &s->ready,
				      60, &s->publish),
			 0);
	assert_int_equal(kube_encode_smcnode(&s->node, &b), 0);
	mesh_publish_free(&s->publish);
	return buf_take(&b);
}

static void smcnode_text_is_as_designed(void **state)
{
	struct scene s;
	char *text;

	make_scene(&s);
	text = encoded(&s);
	assert_string_equal(
		text,
		"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":\"SmcNode\","
		"\"metadata\":{\"name\":\"n1\"},\"status\":{\"kernel\":"
		"\"7.3.4\",\"bootID\":\"b-1\",\"endpointCount\":3,"
		"\"armed\":\"2/2\","
		"\"converter\":\"sockproto\",\"selector\":\"hs_ctrl\","
		"\"transports\":[\"smcd\"],\"ueids\":[\"SMCMESH\",\"OTHER\"],"
		"\"rdma\":[{\"device\":\"rxe0\",\"port\":1,\"netdev\":"
		"\"eth0\"},{\"device\":\"rxe1\",\"port\":1,\"netdev\":"
		"\"eth1\",\"subnet\":\"10.9.0.0/16\",\"address\":"
		"\"10.9.0.7\"}],\"endpoints\":[{\"address\":\"10.0.0.1\","
		"\"transports\":[\"smcd\"],\"namespace\":\"shop\",\"pod\":"
		"\"web-0\",\"uid\":\"u-a\",\"created\":"
		"\"1970-01-01T00:00:00Z\",\"ports\":[80,8080]},{\"address\":"
		"\"10.0.0.9\",\"transports\":[\"smcr\",\"smcd\"],"
		"\"namespace\":\"shop\",\"pod\":\"db-0\",\"uid\":\"u-b\","
		"\"created\":\"2025-03-01T12:00:00Z\"},{\"address\":"
		"\"fd00::1\",\"transports\":[\"smcd\"],\"namespace\":"
		"\"shop\",\"pod\":\"db-0\",\"uid\":\"u-b\",\"created\":"
		"\"2025-03-01T12:00:00Z\"}],\"conditions\":[{\"type\":"
		"\"Ready\",\"status\":\"True\",\"reason\":\"Armed\","
		"\"message\":\"2 of 2 enabled pods armed, 3 addresses "
		"published\",\"lastTransitionTime\":"
		"\"1970-01-01T00:01:00Z\"}]}}");
	free(text);
}

/* @text as the API would give it back. */
static int decode_node_text(const char *text, struct mesh_node *out)
{
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	struct buf notes = {0};
	int err;

	err = kube_decode(KIND_SMCNODE, yyjson_doc_get_root(doc), out, &notes);
	assert_null(notes.data);
	yyjson_doc_free(doc);
	return err;
}

/* What an agent publishes of doctor's checks its successor takes over. */
static void checks_are_read_back_in_their_order(void **state)
{
	struct mesh_wrong wrong = {}, got = {.n = 7};
	struct scene s;
	yyjson_doc *doc;
	char *text;

	make_scene(&s);
	for (int known = 0; known < 3; known++) {
		s.node.doctor = known ? &wrong : NULL;
		if (known == 2) {
			mesh_wrong_add(&wrong, "ueid", false);
			mesh_wrong_add(&wrong, "kernel", true);
		}
		text = encoded(&s);
		doc = yyjson_read(text, strlen(text), 0);
		assert_int_equal(
			kube_decode_doctor(yyjson_doc_get_root(doc), &got),
			known > 0);
		assert_int_equal(got.n, known == 0 ? 7 : wrong.n);
		yyjson_doc_free(doc);
		if (known == 2)
			assert_says(text, "\"doctor\":[\"kernel\",\"ueid\"]");
		free(text);
	}
	assert_string_equal(got.id[0], "kernel");
	assert_string_equal(got.id[1], "ueid");
	assert_false(kube_decode_doctor(NULL, &got));
}

/* Somebody else may write there what they like. */
static void checks_that_are_no_ids_are_left_out(void **state)
{
	static const char text[] =
		"{\"status\":{\"doctor\":[1,\"a\",null,\"0123456789012345678901"
		"2345678901\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]}}";
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	struct mesh_wrong got;

	assert_true(kube_decode_doctor(yyjson_doc_get_root(doc), &got));
	assert_int_equal(got.n, MESH_WRONG_MAX);
	assert_string_equal(got.id[0], "a");
	assert_string_equal(got.id[1], "b");
	assert_string_equal(got.id[7], "h");
	yyjson_doc_free(doc);
}

static void decode_reads_an_encoded_smcnode_back(void **state)
{
	struct mesh_node n;
	struct scene s;
	char *text;

	make_scene(&s);
	s.host.selector = false;
	text = encoded(&s);
	assert_int_equal(decode_node_text(text, &n), 0);
	assert_string_equal(n.name, "n1");
	assert_string_equal(n.boot_id, "b-1");
	assert_false(n.ready);
	assert_int_equal(n.ready_since, 60);
	assert_int_equal(n.transports, SMC_TRANSPORT_SMCD);
	assert_int_equal(n.n_ueids, 2);
	assert_int_equal(n.n_endpoints, 3);
	assert_true(n.endpoints[0].host_network);
	assert_int_equal(n.endpoints[0].ports.n, 2);
	assert_int_equal(n.endpoints[0].ports.v[1], 8080);
	assert_false(n.endpoints[1].host_network);
	assert_memory_equal(&n.endpoints[2].addr, &s.addrs[1], 16);
	assert_string_equal(n.endpoints[2].uid, uid_b);
	assert_int_equal(n.endpoints[2].created, 1740830400);
	/* db-0 has both transports; an IPv6 address has no SMC-R */
	assert_int_equal(n.endpoints[1].transports,
			 SMC_TRANSPORT_SMCR | SMC_TRANSPORT_SMCD);
	assert_int_equal(n.endpoints[2].transports, SMC_TRANSPORT_SMCD);
	mesh_node_free(&n);
	free(text);
}

static void order_of_pods_does_not_show_in_the_smcnode(void **state)
{
	struct plan_pod swap;
	char *one, *two;
	struct scene s;

	make_scene(&s);
	one = encoded(&s);
	swap = s.plan_pods[0];
	s.plan_pods[0] = s.plan_pods[1];
	s.plan_pods[1] = swap;
	two = encoded(&s);
	assert_string_equal(one, two);
	free(one);
	free(two);
}

static void smcnode_before_a_plan_is_empty_and_not_ready(void **state)
{
	const struct mesh_publish nothing = {.reason = "Starting"};
	const struct kube_smcnode n = {.name = "n1", .publish = &nothing};
	struct buf b = {0};

	assert_int_equal(kube_encode_smcnode(&n, &b), 0);
	assert_says(b.data, "\"status\":{\"endpointCount\":0,\"armed\":\"0/0\","
			    "\"transports\":[]");
	assert_says(b.data, "\"status\":\"False\"");
	buf_free(&b);
}

static void the_node_owns_its_smcnode(void **state)
{
	struct buf b = {0};

	assert_int_equal(kube_encode_smcnode_new("n1", "u-1", &b), 0);
	assert_string_equal(
		b.data,
		"{\"apiVersion\":\"smcmesh.io/v1alpha1\",\"kind\":\"SmcNode\","
		"\"metadata\":{\"name\":\"n1\",\"ownerReferences\":["
		"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"n1\","
		"\"uid\":\"u-1\"}]}}");
	buf_free(&b);
}

/* ---- Events ---------------------------------------------------------------
 */

static struct kube_event late = {
	.ns = "shop",
	.pod = "web-0",
	.uid = "u-a",
	.node = "n1",
	.warning = true,
	.reason = "LateListener",
	.message = "listens at 80 since before it was armed",
	.when = 1740830400,
};

static char *event(const struct kube_event *e)
{
	struct buf b = {0};

	assert_int_equal(kube_encode_event(e, &b), 0);
	return buf_take(&b);
}

/* The member of @text's object at @path ("/metadata/name"), to be freed. */
static char *member(const char *text, const char *path)
{
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	const char *value = yyjson_get_str(yyjson_doc_ptr_get(doc, path));
	char *copy;

	assert_non_null(value);
	copy = strdup(value);
	yyjson_doc_free(doc);
	return copy;
}

static void event_is_what_kubectl_shows(void **state)
{
	char *text = event(&late), *name = member(text, "/metadata/name");

	assert_int_equal(strncmp(name, "web-0.smcmesh.", 14), 0);
	assert_int_equal(strlen(name), 30);
	assert_says(text, "\"involvedObject\":{\"apiVersion\":\"v1\",\"kind\":"
			  "\"Pod\",\"namespace\":\"shop\",\"name\":\"web-0\","
			  "\"uid\":\"u-a\"},\"type\":\"Warning\",\"reason\":"
			  "\"LateListener\",\"message\":\"listens at 80 since "
			  "before it was armed\",\"firstTimestamp\":"
			  "\"2025-03-01T12:00:00Z\",\"lastTimestamp\":"
			  "\"2025-03-01T12:00:00Z\",\"count\":1,\"source\":{"
			  "\"component\":\"smcmesh\",\"host\":\"n1\"}");
	free(name);
	free(text);
}

static void same_event_has_the_same_name(void **state)
{
	struct kube_event other = late;
	char *a = event(&late), *b, *c;
	char *one = member(a, "/metadata/name"), *two, *three;

	other.when++;
	b = event(&other);
	two = member(b, "/metadata/name");
	assert_string_equal(one, two);
	other.uid = "u-b";
	c = event(&other);
	three = member(c, "/metadata/name");
	assert_string_not_equal(one, three);
	free(one);
	free(two);
	free(three);
	free(a);
	free(b);
	free(c);
}

/* The server takes it beside the one with the same text. */
static void event_told_anew_has_another_name(void **state)
{
	struct kube_event anew = late;
	char *texts[3], *names[3];

	anew.anew = true;
	texts[0] = event(&late);
	texts[1] = event(&anew);
	anew.when++;
	texts[2] = event(&anew);
	for (int i = 0; i < 3; i++)
		names[i] = member(texts[i], "/metadata/name");
	assert_string_not_equal(names[0], names[1]);
	assert_string_not_equal(names[1], names[2]);
	for (int i = 0; i < 3; i++) {
		free(texts[i]);
		free(names[i]);
	}
}

static void long_texts_of_an_event_are_cut(void **state)
{
	struct kube_event e = late;
	char pod[254], message[3000], *text, *name, *said;

	memset(pod, 'p', 253);
	pod[253] = '\0';
	pod[227] = '-'; /* where it is cut */
	/* two bytes each, so that byte 1024 is in the middle of one */
	message[0] = 'm';
	for (int i = 1; i < 2999; i += 2)
		memcpy(message + i, "\xc3\xa9", 2);
	message[2999] = '\0';
	e.pod = pod;
	e.message = message;
	text = event(&e);
	name = member(text, "/metadata/name");
	said = member(text, "/message");
	assert_true(strlen(name) <= 253);
	assert_null(strstr(name, "-."));
	assert_int_equal(strlen(said), 1023);
	assert_memory_equal(said, message, 1023);
	free(name);
	free(said);
	free(text);
}

/* ---- Eviction, taints -----------------------------------------------------
 */

static void eviction_names_the_uid(void **state)
{
	struct buf b = {0};

	assert_int_equal(kube_encode_eviction("shop", "web-0", "u-a", &b), 0);
	assert_string_equal(
		b.data, "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\","
			"\"metadata\":{\"namespace\":\"shop\",\"name\":"
			"\"web-0\"},\"deleteOptions\":{\"preconditions\":{"
			"\"uid\":\"u-a\"}}}");
	buf_free(&b);
}

#define KEY "smcmesh.io/agent-not-ready"

static int untaint(const char *node, struct buf *out)
{
	return kube_encode_untaint(node, strlen(node), KEY, out);
}

static void untaint_patch_removes_the_last_taint_first(void **state)
{
	struct buf b = {0};

	assert_int_equal(
		untaint("{\"kind\":\"Node\",\"spec\":{\"taints\":["
			"{\"key\":\"" KEY "\",\"effect\":\"NoSchedule\"},"
			"{\"key\":\"other\",\"effect\":\"NoSchedule\"},"
			"{\"key\":\"" KEY "\",\"effect\":\"NoExecute\"}]}}",
			&b),
		1);
	assert_string_equal(
		b.data,
		"[{\"op\":\"test\",\"path\":\"/spec/taints/2\",\"value\":{"
		"\"key\":\"" KEY "\",\"effect\":\"NoExecute\"}},{\"op\":"
		"\"remove\",\"path\":\"/spec/taints/2\"},{\"op\":\"test\","
		"\"path\":\"/spec/taints/0\",\"value\":{\"key\":\"" KEY
		"\",\"effect\":\"NoSchedule\"}},{\"op\":\"remove\",\"path\":"
		"\"/spec/taints/0\"}]");
	buf_free(&b);
}

static void node_without_our_taint_gets_no_patch(void **state)
{
	struct buf b = {0};

	assert_int_equal(untaint("{\"kind\":\"Node\"}", &b), 0);
	assert_int_equal(untaint("{\"kind\":\"Node\",\"spec\":{\"taints\":"
				 "[{\"key\":\"other\"},7]}}",
				 &b),
			 0);
	assert_int_equal(
		untaint("{\"kind\":\"Node\",\"spec\":{\"taints\":8}}", &b), 0);
	assert_null(b.data);
	assert_int_equal(untaint("{\"kind\":\"Pod\"}", &b), -EINVAL);
	assert_int_equal(untaint("{", &b), -EINVAL);
}

/* What the condition Capable is, and @n as it is read back. */
static char *capable_text(struct kube_capable capable, struct mesh_node *n)
{
	struct scene s;
	char *text;

	make_scene(&s);
	s.node.capable = capable;
	text = encoded(&s);
	assert_int_equal(decode_node_text(text, n), 0);
	return text;
}

static void capable_stands_before_ready(void **state)
{
	static const struct {
		enum mesh_truth is;
		const char *text;
	} cases[] = {
		{MESH_TRUE, "\"status\":\"True\",\"reason\":\"Possible\""},
		{MESH_FALSE, "\"status\":\"False\",\"reason\":\"Impossible\""},
		{MESH_UNKNOWN,
		 "\"status\":\"Unknown\",\"reason\":\"NotTried\""},
		{MESH_NOT_SAID, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kube_capable c = {cases[i].is, "by whom", 120};
		char want[300];
		struct mesh_node n;
		char *text = capable_text(c, &n);

		snprintf(want, sizeof(want),
			 "\"conditions\":[{\"type\":\"Capable\",%s,\"message\":"
			 "\"by whom\",\"lastTransitionTime\":"
			 "\"1970-01-01T00:02:00Z\"},{\"type\":\"Ready\"",
			 cases[i].text ?: "");
		if (cases[i].text)
			assert_says(text, want);
		else
			assert_says(text,
				    "\"conditions\":[{\"type\":\"Ready\"");
		assert_int_equal(n.capable, cases[i].is);
		assert_int_equal(n.capable_since, cases[i].text ? 120 : 0);
		/* whatever it is, it takes nobody's endpoints away */
		assert_true(n.ready);
		assert_int_equal(n.ready_since, 60);
		mesh_node_free(&n);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smcnode_text_is_as_designed),
		cmocka_unit_test(checks_are_read_back_in_their_order),
		cmocka_unit_test(checks_that_are_no_ids_are_left_out),
		cmocka_unit_test(decode_reads_an_encoded_smcnode_back),
		cmocka_unit_test(capable_stands_before_ready),
		cmocka_unit_test(order_of_pods_does_not_show_in_the_smcnode),
		cmocka_unit_test(smcnode_before_a_plan_is_empty_and_not_ready),
		cmocka_unit_test(the_node_owns_its_smcnode),
		cmocka_unit_test(event_is_what_kubectl_shows),
		cmocka_unit_test(same_event_has_the_same_name),
		cmocka_unit_test(event_told_anew_has_another_name),
		cmocka_unit_test(long_texts_of_an_event_are_cut),
		cmocka_unit_test(eviction_names_the_uid),
		cmocka_unit_test(untaint_patch_removes_the_last_taint_first),
		cmocka_unit_test(node_without_our_taint_gets_no_patch),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
