// SPDX-License-Identifier: Apache-2.0
/* The kube source: what is watched when, and the world that comes of it. */
#include "fake_api.h"
#include "tmpdir.h"

#include "kube/client.h"
#include "source/source.h"

static struct bench {
	struct tmpdir tmp;
	uv_loop_t loop;
	struct fake api, mesh_api;
	struct source *source;
	unsigned int changed, troubles;
	bool close_in_changed;
} b;

static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	tmpdir_make(&b.tmp);
	uv_loop_init(&b.loop);
	fake_open(&b.api, &b.loop);
	fake_open(&b.mesh_api, &b.loop);
	return 0;
}

static int down(void **state)
{
	source_close(b.source);
	fake_close(&b.api);
	fake_close(&b.mesh_api);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b.loop), 0);
	tmpdir_remove(&b.tmp);
	unsetenv("SMCMESH_HURRY");
	return 0;
}

static void on_changed(void *arg)
{
	b.changed++;
	if (b.close_in_changed)
		source_close(take_ptr(b.source));
}

static void on_trouble(void *arg)
{
	b.troubles++;
}

static const struct source_events events = {on_changed, on_trouble, NULL};

static void open_source(const char *mesh_kubeconfig)
{
	const struct kube_options opt = {.server = b.api.url,
					 .node = "n1",
					 .linger_ms = 100,
					 .mesh_kubeconfig = mesh_kubeconfig};

	assert_int_equal(source_open(&b.loop, "kube", &opt, &events, &b.source),
			 0);
	assert_null(source_world(b.source));
}

#define PODS "/api/v1/pods?"
#define NAMESPACES "/api/v1/namespaces?"
#define SMCMESHES "/smcmesh.io/v1alpha1/smcmeshes?"
#define ASM "/istio.alibabacloud.com/v1beta1/asmmeshconfigs?"
#define SMCNODES "/smcmesh.io/v1alpha1/smcnodes?"
#define SERVICES "/api/v1/services?"
#define SLICES "/discovery.k8s.io/v1/endpointslices?"

/* The streaming list at @path with these objects (NULL or up to two); it goes
 * on as a watch. */
static struct fake_conn *list_at(struct fake *api, const char *path,
				 const char *one, const char *two)
{
	struct fake_conn *c = fake_wait(api, path);

	assert_true(fake_asks(c, "sendInitialEvents=true"));
	fake_begin(c);
	if (one)
		fake_event(c, "ADDED", one);
	if (two)
		fake_event(c, "ADDED", two);
	fake_event(c, "BOOKMARK",
		   "{\"metadata\":{\"resourceVersion\":\"100\",\"annotations\":"
		   "{\"k8s.io/initial-events-end\":\"true\"}}}");
	return c;
}

static struct fake_conn *list(const char *path, const char *one)
{
	return list_at(&b.api, path, one, NULL);
}

static const char *pod(const char *name, const char *annotations,
		       const char *phase)
{
	static char text[4][512];
	static unsigned int next;
	char *t = text[next++ % 4];

	snprintf(t, 512,
		 "{\"metadata\":{\"namespace\":\"d\",\"name\":\"%s\","
		 "\"uid\":\"u-%s\",\"resourceVersion\":\"%u\","
		 "\"annotations\":{%s}},\"spec\":{\"nodeName\":\"n1\"},"
		 "\"status\":{\"phase\":\"%s\","
		 "\"podIPs\":[{\"ip\":\"10.244.1.2\"}]}}",
		 name, name, next, annotations, phase);
	return t;
}

#define YES "\"smcmesh.io/enabled\":\"true\""
#define NODE                                            \
	"{\"metadata\":{\"name\":\"n2\",\"uid\":\"n\"," \
	"\"resourceVersion\":\"2\"},\"status\":{\"transports\":[\"smcr\"]}}"
#define SERVICE                                                            \
	"{\"metadata\":{\"namespace\":\"d\",\"name\":\"s\",\"uid\":\"s\"," \
	"\"resourceVersion\":\"2\"},\"spec\":{\"clusterIPs\":"             \
	"[\"10.96.0.9\"],\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}}"
#define SLICE                                                               \
	"{\"metadata\":{\"namespace\":\"d\",\"name\":\"s-1\","              \
	"\"uid\":\"e\",\"resourceVersion\":\"2\",\"labels\":"               \
	"{\"kubernetes.io/service-name\":\"s\"}},\"addressType\":\"IPv4\"," \
	"\"ports\":[{\"port\":8080}],\"endpoints\":[{\"addresses\":"        \
	"[\"10.244.1.2\"]}]}"

static struct fake_conn *pods, *namespaces, *asms;

/* All that is watched always; no CRD is installed. */
static void list_basics(const char *a_pod)
{
	pods = list(PODS, a_pod);
	namespaces = list(NAMESPACES, NULL);
	fake_reply(fake_wait(&b.api, SMCMESHES), 404, "");
	fake_reply(fake_wait(&b.api, ASM), 404, "");
}

static const struct mesh_world *world(void)
{
	return source_world(b.source);
}

static bool peers_asked(void)
{
	return fake_find(&b.api, SMCNODES) || fake_find(&b.api, SERVICES) ||
	       fake_find(&b.api, SLICES);
}

/* ---- tests --------------------------------------------------------------- */

static void only_what_is_needed_is_watched(void **state)
{
	open_source(NULL);
	assert_true(fake_asks(fake_wait(&b.api, PODS),
			      "fieldSelector=spec.nodeName%3Dn1"));
	assert_true(fake_asks(fake_wait(&b.api, NAMESPACES),
			      "as=PartialObjectMetadata;"));
	list_basics(pod("a", "", "Running"));
	wait_for(&b.api, world());
	assert_int_equal(world()->n_pods, 1);
	assert_int_equal(b.changed, 1);
	assert_null(source_problem(b.source));
	assert_string_equal(source_notes(b.source), "");
	assert_non_null(source_client(b.source));
	/* One that has ended does not count. */
	fake_event(pods, "ADDED", pod("b", YES, "Succeeded"));
	wait_for(&b.api, world()->n_pods == 2);
	for (int i = 0; i < 20; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	assert_false(peers_asked());
}

/* No ClusterIP leads to those of headless Services and of other proxies. */
static void slices_without_use_are_not_asked_for(void **state)
{
	open_source(NULL);
	list_basics(pod("a", YES, "Running"));
	assert_true(fake_asks(
		fake_wait(&b.api, SLICES),
		"&labelSelector=%21service.kubernetes.io%2Fheadless%2C"
		"%21service.kubernetes.io%2Fservice-proxy-name HTTP"));
	/* whose NodePorts may be theirs */
	assert_false(fake_asks(fake_wait(&b.api, SERVICES), "labelSelector"));
}

static void node_that_cannot_do_smc_asks_for_no_peers(void **state)
{
	open_source(NULL);
	source_alone(b.source);
	list_basics(pod("a", YES, "Running"));
	wait_for(&b.api, world());
	assert_int_equal(world()->n_pods, 1);
	fake_event(pods, "ADDED", pod("b", YES, "Running"));
	wait_for(&b.api, world()->n_pods == 2);
	for (int i = 0; i < 20; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	assert_false(peers_asked());
	assert_false(source_shows_nodes(b.source));
	assert_int_equal(source_age_ms(b.source), 0);
}

static void nothing_is_shown_before_all_is_known(void **state)
{
	open_source(NULL);
	list_basics(pod("a", YES, "Running"));
	list(SMCNODES, NODE);
	list(SERVICES, SERVICE);
	fake_wait(&b.api, SLICES);
	for (int i = 0; i < 20; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	assert_null(world());
	list(SLICES, SLICE);
	wait_for(&b.api, world());
	assert_int_equal(b.changed, 1);
	assert_int_equal(world()->n_pods, 1);
	assert_int_equal(world()->n_nodes, 1);
	assert_int_equal(world()->n_services, 1);
	assert_int_equal(world()->n_slices, 1);
	assert_string_equal(world()->slices[0].service, "s");
}

static void first_annotated_pod_is_shown_before_its_peers(void **state)
{
	open_source(NULL);
	list_basics(NULL);
	wait_for(&b.api, world());
	fake_event(pods, "ADDED", pod("a", YES, "Running"));
	wait_for(&b.api, world()->n_pods == 1);
	assert_int_equal(world()->n_nodes, 0);
	list(SMCNODES, NODE);
	wait_for(&b.api, world()->n_nodes == 1);
	/* Without their backends they would be offered SMC. */
	list(SERVICES, SERVICE);
	for (int i = 0; i < 20; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	assert_int_equal(world()->n_services, 0);
	list(SLICES, SLICE);
	wait_for(&b.api, world()->n_services == 1);
	assert_int_equal(world()->n_slices, 1);
}

/* What is known of addresses is as old as the oldest of the watches that tell
 * of them: a bookmark is a sign of life, of its own watch alone. */
static void knowledge_is_as_old_as_its_oldest_part(void **state)
{
	static const char mark[] =
		"{\"metadata\":{\"resourceVersion\":\"101\"}}";
	struct fake_conn *nodes, *services, *slices;

	open_source(NULL);
	list_basics(NULL);
	wait_for(&b.api, world());
	fake_event(pods, "ADDED", pod("a", YES, "Running"));
	nodes = list(SMCNODES, NODE);
	services = list(SERVICES, SERVICE);
	/* a kind that is not listed yet has nothing that could be old */
	wait_for(&b.api, source_age_ms(b.source) >= 60);
	fake_event(nodes, "BOOKMARK", mark);
	fake_event(services, "BOOKMARK", mark);
	wait_for(&b.api, source_age_ms(b.source) < 60);
	slices = list(SLICES, SLICE);
	wait_for(&b.api, world()->n_services == 1);
	/* the slices came last: they are younger than the oldest */
	wait_for(&b.api, source_age_ms(b.source) >= 400);
	fake_event(nodes, "BOOKMARK", mark);
	fake_event(services, "MODIFIED", SERVICE);
	fake_event(pods, "BOOKMARK", mark);
	for (int i = 0; i < 20; i++)
		uv_run(&b.loop, UV_RUN_NOWAIT);
	assert_true(source_age_ms(b.source) >= 200);
	fake_event(slices, "BOOKMARK", mark);
	wait_for(&b.api, source_age_ms(b.source) < 200);
	/* of a pod that is none of ours any more nothing is wanted */
	fake_event(pods, "DELETED", pod("a", YES, "Running"));
	wait_for(&b.api, slices->gone);
	assert_int_equal(source_age_ms(b.source), 0);
}

static void peers_are_let_go_with_the_last_annotated_pod(void **state)
{
	struct fake_conn *nodes;

	open_source(NULL);
	list_basics(pod("a", YES, "Running"));
	nodes = list(SMCNODES, NODE);
	list(SERVICES, SERVICE);
	list(SLICES, SLICE);
	wait_for(&b.api, world());
	assert_true(source_shows_nodes(b.source));
	assert_string_equal(world()->nodes[0].version, "2");
	fake_event(pods, "MODIFIED", pod("a", "", "Running"));
	wait_for(&b.api, !source_shows_nodes(b.source));
	wait_for(&b.api, !world()->n_nodes);
	assert_false(source_shows_nodes(b.source));
	assert_int_equal(world()->n_services, 0);
	assert_int_equal(world()->n_slices, 0);
	assert_int_equal(world()->n_pods, 1);
	wait_for(&b.api, nodes->gone);
	assert_false(peers_asked());
	/* And again. */
	fake_event(pods, "MODIFIED", pod("a", YES, "Running"));
	fake_wait(&b.api, SMCNODES);
	assert_false(source_shows_nodes(b.source));
	list(SMCNODES, NODE);
	wait_for(&b.api, world()->n_nodes == 1);
	assert_true(source_shows_nodes(b.source));
}

static void annotated_namespace_has_the_peers_asked_for(void **state)
{
	open_source(NULL);
	list_basics(pod("a", "", "Running"));
	wait_for(&b.api, world());
	assert_false(peers_asked());
	fake_event(namespaces, "ADDED",
		   "{\"kind\":\"PartialObjectMetadata\",\"metadata\":"
		   "{\"name\":\"d\",\"uid\":\"x\",\"resourceVersion\":\"2\","
		   "\"annotations\":{" YES "}}}");
	wait_for(&b.api, world()->n_namespaces == 1);
	fake_wait(&b.api, SMCNODES);
}

static void pods_come_change_and_go(void **state)
{
	const struct mesh_pod *p;

	open_source(NULL);
	list_basics(pod("a", "", "Pending"));
	wait_for(&b.api, world());
	fake_event(pods, "ADDED", pod("b", "", "Running"));
	wait_for(&b.api, world()->n_pods == 2);
	assert_false(world()->pods[0].ended);
	fake_event(pods, "MODIFIED", pod("a", "", "Failed"));
	wait_for(&b.api, world()->pods[0].ended);
	p = &world()->pods[0];
	assert_string_equal(p->name, "a");
	assert_string_equal(p->uid, "u-a");
	assert_addr(p->addrs.v[0], "10.244.1.2");
	fake_event(pods, "DELETED", pod("a", "", "Failed"));
	wait_for(&b.api, world()->n_pods == 1);
	assert_string_equal(world()->pods[0].name, "b");
}

static void bad_objects_are_noted_as_long_as_they_are_there(void **state)
{
	static const char bad[] =
		"{\"metadata\":{\"namespace\":\"d\",\"name\":\"bad\","
		"\"uid\":\"z\",\"resourceVersion\":\"9\"},"
		"\"spec\":{\"nodeName\":[]}}";

	open_source(NULL);
	list_basics(pod("a", "", "Running"));
	wait_for(&b.api, world());
	fake_event(pods, "ADDED", bad);
	wait_for(&b.api, *source_notes(b.source));
	assert_says(source_notes(b.source), "Pod d/bad: spec.nodeName is an");
	assert_int_equal(world()->n_pods, 1);
	fake_event(pods, "DELETED", bad);
	wait_for(&b.api, !*source_notes(b.source));
}

static void changed_configuration_is_shown(void **state)
{
	struct fake_conn *mesh;

	open_source(NULL);
	pods = list(PODS, NULL);
	list(NAMESPACES, NULL);
	mesh = list(SMCMESHES,
		    "{\"metadata\":{\"name\":\"default\",\"uid\":\"m\","
		    "\"resourceVersion\":\"3\"},\"spec\":{\"enabled\":false,"
		    "\"excludeCIDRs\":[\"10.9.0.0/16\"],"
		    "\"excludePorts\":[5432,3306]}}");
	asms = list(ASM, "{\"metadata\":{\"name\":\"default\",\"uid\":\"c\","
			 "\"resourceVersion\":\"4\"},"
			 "\"spec\":{\"smcEnabled\":true}}");
	/* SmcMesh decides: the first world does not wait for the other */
	wait_for(&b.api, world() && world()->config.asm_enabled == MESH_ON);
	assert_int_equal(world()->config.enabled, MESH_OFF);
	assert_int_equal(world()->config.n_exclude_cidrs, 1);
	assert_int_equal(world()->config.exclude_ports.v[0].first, 3306);
	assert_false(mesh_enabled(&world()->config));
	fake_event(mesh, "DELETED",
		   "{\"metadata\":{\"name\":\"default\",\"uid\":\"m\","
		   "\"resourceVersion\":\"5\"}}");
	wait_for(&b.api, world()->config.enabled == MESH_UNSET);
	assert_true(mesh_enabled(&world()->config));
	assert_int_equal(world()->config.n_exclude_cidrs, 0);
	fake_event(asms, "MODIFIED",
		   "{\"metadata\":{\"name\":\"default\",\"uid\":\"c\","
		   "\"resourceVersion\":\"6\"},"
		   "\"spec\":{\"smcEnabled\":false}}");
	wait_for(&b.api, !mesh_enabled(&world()->config));
	/* Others of that kind do not count. */
	fake_event(mesh, "ADDED",
		   "{\"metadata\":{\"name\":\"other\",\"uid\":\"o\","
		   "\"resourceVersion\":\"7\"},\"spec\":{\"enabled\":true}}");
	wait_for(&b.api, *source_notes(b.source));
	assert_int_equal(world()->config.enabled, MESH_UNSET);
	fake_event(mesh, "DELETED",
		   "{\"metadata\":{\"name\":\"other\",\"uid\":\"o\","
		   "\"resourceVersion\":\"8\"}}");
	wait_for(&b.api, !*source_notes(b.source));
	assert_int_equal(world()->config.asm_enabled, MESH_OFF);
}

static const char *mesh_kubeconfig(const char *url)
{
	char *text;
	const char *path;

	assert_true(asprintf(&text,
			     "current-context: a\n"
			     "contexts: [{name: a, context: {cluster: c}}]\n"
			     "clusters: [{name: c, cluster: {server: '%s'}}]\n",
			     url) > 0);
	path = tmpdir_put(&b.tmp, "mesh", text);
	free(text);
	return path;
}

static void asm_config_is_read_from_a_server_of_its_own(void **state)
{
	open_source(mesh_kubeconfig(b.mesh_api.url));
	list(PODS, NULL);
	list(NAMESPACES, NULL);
	fake_reply(fake_wait(&b.api, SMCMESHES), 404, "");
	fake_wait(&b.mesh_api, ASM);
	assert_null(fake_find(&b.api, ASM));
	assert_null(world());
	asms = list_at(&b.mesh_api, ASM,
		       "{\"metadata\":{\"name\":\"default\",\"uid\":\"c\","
		       "\"resourceVersion\":\"4\"},"
		       "\"spec\":{\"smcEnabled\":true}}",
		       NULL);
	wait_for(&b.api, world());
	assert_true(mesh_enabled(&world()->config));
	/* It breaks: the last value stays. */
	fake_die(&b.mesh_api);
	wait_for(&b.api, source_problem(b.source));
	assert_says(source_problem(b.source), "cannot watch asmmeshconfigs.");
	assert_true(mesh_enabled(&world()->config));
}

static const char *says(const char *what)
{
	const char *problem = source_problem(b.source);

	return problem ? strstr(problem, what) : NULL;
}

/* Nobody waits for it where its word would not count. */
static void smcmesh_wins_over_a_server_that_is_away(void **state)
{
	open_source(mesh_kubeconfig("http://127.0.0.1:1"));
	list(PODS, NULL);
	list(NAMESPACES, NULL);
	wait_for(&b.api, source_problem(b.source));
	assert_null(world());
	list(SMCMESHES, "{\"metadata\":{\"name\":\"default\",\"uid\":\"m\","
			"\"resourceVersion\":\"3\"},"
			"\"spec\":{\"enabled\":true}}");
	wait_for(&b.api, world());
	assert_true(mesh_enabled(&world()->config));
	assert_non_null(source_problem(b.source));
}

static void the_last_switch_holds_while_its_server_is_away(void **state)
{
	open_source(mesh_kubeconfig(b.mesh_api.url));
	source_remember(b.source, true);
	list(PODS, NULL);
	list(NAMESPACES, NULL);
	fake_reply(fake_wait(&b.api, SMCMESHES), 404, "");
	fake_reply(fake_wait(&b.mesh_api, ASM), 503, "{}");
	wait_for(&b.api, world());
	assert_true(mesh_enabled(&world()->config));
	wait_for(&b.api, source_problem(b.source));
	assert_says(source_problem(b.source), "cannot watch asmmeshconfigs.");
	/* What it says when it is back counts: there is no such object. */
	source_reread(b.source);
	list_at(&b.mesh_api, ASM, NULL, NULL);
	wait_for(&b.api, !mesh_enabled(&world()->config));
}

static void one_reason_is_said_once(void **state)
{
	open_source(NULL);
	list_basics(pod("a", "", "Running"));
	wait_for(&b.api, world());
	fake_die(&b.api);
	/* In the end all of them were refused. */
	wait_for(&b.api, says("cannot list pods, watch namespaces, "
			      "watch smcmeshes.smcmesh.io, "
			      "watch asmmeshconfigs.istio.alibabacloud.com: "
			      "Connection refused (http://"));
	assert_null(says("; "));
	/* What was read stays. */
	assert_int_equal(world()->n_pods, 1);
}

/* While the server fails the watch of pods asks every few seconds, the others
 * ever less often; when it is answered the others ask at once. */
static void the_watch_of_pods_is_back_first_and_wakes_the_others(void **state)
{
	uint64_t begin;

	setenv("SMCMESH_HURRY", "100", 1);
	open_source(NULL);
	for (int i = 0; i < 9; i++) {
		fake_reply(fake_wait(&b.api, PODS), 503, "{}");
		fake_reply(fake_wait(&b.api, NAMESPACES), 503, "{}");
	}
	wait_for(&b.api, !fake_find(&b.api, NAMESPACES));
	begin = uv_now(&b.loop);
	/* 20 to 40 ms, not 150 to 300 as the namespaces */
	pods = fake_wait(&b.api, PODS);
	assert_true(uv_now(&b.loop) - begin < 140);
	assert_null(fake_find(&b.api, NAMESPACES));
	list(PODS, pod("a", "", "Running"));
	fake_wait(&b.api, NAMESPACES);
	assert_true(uv_now(&b.loop) - begin < 140);
}

static void refusal_is_said_until_the_list_succeeds(void **state)
{
	open_source(NULL);
	fake_reply(fake_wait(&b.api, NAMESPACES), 403,
		   "{\"message\":\"namespaces is forbidden\"}");
	wait_for(&b.api, source_problem(b.source));
	assert_string_equal(source_problem(b.source),
			    "cannot watch namespaces: 403, "
			    "namespaces is forbidden");
	source_reread(b.source);
	list_basics(NULL);
	wait_for(&b.api, world() && !source_problem(b.source));
	assert_int_equal(b.troubles, 2);
}

static void changed_handler_may_close_the_source(void **state)
{
	b.close_in_changed = true;
	open_source(NULL);
	list_basics(pod("a", YES, "Running"));
	list(SMCNODES, NODE);
	list(SERVICES, NULL);
	list(SLICES, NULL);
	wait_for(&b.api, !b.source);
}

static void source_options_that_cannot_be_are_refused(void **state)
{
	const struct kube_options bad[] = {
		{.server = "http://127.0.0.1:1"}, /* no node */
		{.server = "ftp://x", .node = "n1"},
		{.server = "http://127.0.0.1:1",
		 .node = "n1",
		 .mesh_kubeconfig = "/nowhere/at/all"},
	};

	for (size_t i = 0; i < array_size(bad); i++)
		assert_true(source_open(&b.loop, "kube", &bad[i], &events,
					&b.source) < 0);
	assert_int_equal(source_open(&b.loop, "kube", NULL, &events, &b.source),
			 -EINVAL);
	assert_null(b.source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_is_needed_is_watched),
		TEST(slices_without_use_are_not_asked_for),
		TEST(node_that_cannot_do_smc_asks_for_no_peers),
		TEST(nothing_is_shown_before_all_is_known),
		TEST(first_annotated_pod_is_shown_before_its_peers),
		TEST(knowledge_is_as_old_as_its_oldest_part),
		TEST(peers_are_let_go_with_the_last_annotated_pod),
		TEST(annotated_namespace_has_the_peers_asked_for),
		TEST(pods_come_change_and_go),
		TEST(bad_objects_are_noted_as_long_as_they_are_there),
		TEST(changed_configuration_is_shown),
		TEST(asm_config_is_read_from_a_server_of_its_own),
		TEST(smcmesh_wins_over_a_server_that_is_away),
		TEST(the_last_switch_holds_while_its_server_is_away),
		TEST(one_reason_is_said_once),
		TEST(the_watch_of_pods_is_back_first_and_wakes_the_others),
		TEST(refusal_is_said_until_the_list_succeeds),
		TEST(changed_handler_may_close_the_source),
		TEST(source_options_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
