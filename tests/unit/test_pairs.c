// SPDX-License-Identifier: Apache-2.0
/* Between which RDMA ports there are paths, and what is behind a Service. */
#include "unit.h"

#include "mesh/pairs.h"

#define R SMC_TRANSPORT_SMCR
#define D SMC_TRANSPORT_SMCD
#define S 1000000000ULL
#define NOW (1000 * S)

/* .1 and .2 are pods of this node, with RDMA; .9 is one without. */
#define ENDPOINT(ip, namespace, how)                  \
	{.addr = {{[10] = 0xff, 0xff, 10, 0, 0, ip}}, \
	 .ns = namespace,                             \
	 .value.transports = how}
static struct plan_endpoint endpoints[] = {
	ENDPOINT(1, "a", R | D), ENDPOINT(2, "b", R | D), ENDPOINT(9, "a", D),
	ENDPOINT(11, "a", R),	 ENDPOINT(12, "b", R),	  ENDPOINT(13, "c", R),
	ENDPOINT(14, "a", R),	 ENDPOINT(15, "a", 0)};

static struct mesh_service_port http = {(char *)"http", 80};
static struct mesh_slice slices[2];
static struct mesh_service services[2];
static struct plan_service service_rows[2];
static struct mesh_world world;
static struct mesh_plan plan;
static struct mesh_port ports[2];
static struct smc_addr vips[2], backends[4];

static struct smc_path_key key(const char *own, const char *peer)
{
	struct smc_addr o = addr(own), p = addr(peer);

	return mesh_path_key(&o, &p);
}

static void service(size_t i, const char *ns, const char *vip, __u32 transports,
		    struct smc_addr *v, size_t n)
{
	vips[i] = addr(vip);
	services[i] = (struct mesh_service){.ns = (char *)ns,
					    .name = (char *)"web",
					    .addrs = {&vips[i], 1},
					    .ports = &http,
					    .n_ports = 1};
	slices[i] = (struct mesh_slice){.ns = (char *)ns,
					.service = (char *)"web",
					.ports = &http,
					.n_ports = 1,
					.backends = {v, n}};
	service_rows[i] = (struct plan_service){.key = addr_port(&vips[i], 80),
						.transports = transports};
}

static int before_each(void **state)
{
	ports[0] = (struct mesh_port){addr("10.0.0.1"), "a", R | D};
	ports[1] = (struct mesh_port){addr("10.0.0.2"), "b", R | D};
	backends[0] = addr("10.0.0.1"); /* in their own node, the pod itself */
	backends[1] = addr("10.0.0.11");
	backends[2] = addr("10.0.0.14");
	backends[3] = addr("10.0.0.13");
	service(0, "a", "10.96.0.1", R, backends, 3);
	service(1, "c", "10.96.0.2", R, &backends[3], 1);
	world = (struct mesh_world){.services = services,
				    .n_services = 2,
				    .slices = slices,
				    .n_slices = 2};
	plan = (struct mesh_plan){.endpoints = endpoints,
				  .n_endpoints = sizeof(endpoints) /
						 sizeof(*endpoints),
				  .services = service_rows,
				  .n_services = 2};
	return 0;
}

static struct mesh_pairs pairs_of(const struct smc_path_key *wished, size_t n)
{
	struct mesh_pairs pairs;

	assert_int_equal(
		mesh_pairs_of(&world, &plan, ports, 2, wished, n, &pairs), 0);
	return pairs;
}

static void assert_pair(const struct mesh_pairs *pairs, size_t i,
			const char *own, const char *peer, bool near)
{
	struct smc_path_key k = key(own, peer);

	assert_memory_equal(&pairs->v[i].key, &k, sizeof(k));
	assert_int_equal(pairs->v[i].near, near);
}

static void test_pairs_are_made_with_rdma_endpoints_elsewhere(void **state)
{
	struct mesh_pairs p = pairs_of(NULL, 0);

	/* none with itself, none inside the node, none without RDMA */
	assert_int_equal(p.n, 8);
	assert_pair(&p, 0, "10.0.0.1", "10.0.0.11", true);
	assert_pair(&p, 1, "10.0.0.1", "10.0.0.12", false);
	assert_pair(&p, 2, "10.0.0.1", "10.0.0.13", false);
	assert_pair(&p, 3, "10.0.0.1", "10.0.0.14", true);
	assert_pair(&p, 4, "10.0.0.2", "10.0.0.11", false);
	assert_pair(&p, 5, "10.0.0.2", "10.0.0.12", true);
	assert_pair(&p, 7, "10.0.0.2", "10.0.0.14", false);
	mesh_pairs_free(&p);
}

/* hostNetwork pods of several namespaces share the node's address. */
static void test_pods_that_share_an_address_share_their_pairs(void **state)
{
	struct mesh_pairs p;

	ports[1].addr = ports[0].addr;
	p = pairs_of(NULL, 0);
	assert_int_equal(p.n, 4);
	assert_pair(&p, 0, "10.0.0.1", "10.0.0.11", true);
	assert_pair(&p, 1, "10.0.0.1", "10.0.0.12", true);
	assert_pair(&p, 2, "10.0.0.1", "10.0.0.13", false);
	mesh_pairs_free(&p);
}

/* A node whose pods have no shared memory with each other. */
static void test_pods_without_shared_memory_pair_inside_a_node(void **state)
{
	struct mesh_pairs p;

	ports[0].transports = R;
	p = pairs_of(NULL, 0);
	assert_int_equal(p.n, 9);
	assert_pair(&p, 0, "10.0.0.1", "10.0.0.2", false);
	mesh_pairs_free(&p);
}

static void test_wished_and_near_pairs_are_kept_of_too_many(void **state)
{
	enum { N = MESH_PATHS_MAX + 1000 };
	struct plan_endpoint *many = calloc(N, sizeof(*many));
	struct smc_path_key wish = {{10, 0, 0, 1}, {11, 0x40 + 3, 0x23, 0x10}};
	struct mesh_path_want *found;
	struct mesh_pairs p;

	for (unsigned int i = 0; i < N; i++) {
		many[i] = (struct plan_endpoint)ENDPOINT(0, "far", R);
		many[i].addr.ip[12] = 11;
		many[i].addr.ip[13] = 0x40 + (i >> 13);
		many[i].addr.ip[14] = i >> 6;
		many[i].addr.ip[15] = (i & 0x3f) << 2;
	}
	many[N - 1].ns = "a";
	wish = mesh_path_key(&ports[0].addr, &many[N - 2].addr);
	qsort(many, N, sizeof(*many), mesh_path_cmp); /* by address: 16 bytes */
	plan.endpoints = many;
	plan.n_endpoints = N;
	assert_int_equal(mesh_pairs_of(&world, &plan, ports, 1, &wish, 1, &p),
			 0);
	assert_in_range(p.n, MESH_PATHS_MAX - 2, MESH_PATHS_MAX);
	found = bsearch(&wish, p.v, p.n, sizeof(*p.v), mesh_path_cmp);
	assert_non_null(found);
	assert_true(p.v[p.n - 1].near || p.v[p.n - 2].near);
	mesh_pairs_free(&p);
	free(many);
}

/* ---- ways ---- */

static void test_service_has_ways_to_backends_that_need_rdma(void **state)
{
	struct smc_path_key own = key("10.0.0.1", "10.96.0.1");
	struct smc_path_key far = key("10.0.0.2", "10.96.0.2");
	struct smc_path_key b11 = key("10.0.0.1", "10.0.0.11");
	struct smc_path_key b14 = key("10.0.0.1", "10.0.0.14");
	struct mesh_pairs p = pairs_of(NULL, 0);
	struct mesh_way *way;

	assert_int_equal(p.n_ways, 1);
	way = mesh_way_find(&p, &own);
	assert_non_null(way);
	assert_int_equal(way->n, 2); /* not the pod itself */
	assert_memory_equal(&p.behind[way->first], &b11, sizeof(b11));
	assert_memory_equal(&p.behind[way->first + 1], &b14, sizeof(b14));
	assert_null(mesh_way_find(&p, &far));
	mesh_pairs_free(&p);
	/* another namespace's, when somebody asks for it */
	p = pairs_of(&far, 1);
	assert_int_equal(p.n_ways, 2);
	way = mesh_way_find(&p, &far);
	assert_non_null(way);
	assert_int_equal(way->n, 1);
	mesh_pairs_free(&p);
	/* all backends have shared memory: no path is needed */
	service_rows[0].transports = R | D;
	p = pairs_of(NULL, 0);
	assert_int_equal(p.n_ways, 0);
	mesh_pairs_free(&p);
}

static struct mesh_paths paths_of(const struct mesh_pairs *p)
{
	struct mesh_paths paths = {};

	assert_int_equal(mesh_paths_set(&paths, p->v, p->n, NOW), 0);
	return paths;
}

static void test_way_is_proven_only_as_all_its_paths_are(void **state)
{
	struct smc_path_key own = key("10.0.0.1", "10.96.0.1");
	struct smc_path_key b11 = key("10.0.0.1", "10.0.0.11");
	struct smc_path_key b14 = key("10.0.0.1", "10.0.0.14");
	struct mesh_pairs p = pairs_of(NULL, 0);
	struct mesh_paths paths = paths_of(&p);
	struct mesh_way *way = mesh_way_find(&p, &own);
	struct mesh_path *one = mesh_paths_find(&paths, &b11);
	struct mesh_path *two = mesh_paths_find(&paths, &b14);
	struct smc_path_job job;

	/* one of two is not enough */
	one->row.proven_until_ns = NOW + 20 * S;
	one->row.seen_ns = NOW - S;
	assert_false(mesh_way_told(&p, &paths, way, NOW, &job));
	assert_int_equal(job.until_ns, 0);
	two->row.proven_until_ns = NOW + 10 * S;
	two->row.seen_ns = NOW - 2 * S;
	assert_true(mesh_way_told(&p, &paths, way, NOW, &job));
	assert_memory_equal(&job.key, &own, sizeof(own));
	assert_int_equal(job.until_ns, NOW + 10 * S);
	assert_int_equal(job.asked_ns, NOW - 2 * S);
	/* known already */
	way->row.proven_until_ns = NOW + 10 * S;
	assert_false(mesh_way_told(&p, &paths, way, NOW, &job));
	/* one becomes bad: at once */
	two->row.bad_ns = NOW;
	assert_true(mesh_way_told(&p, &paths, way, NOW, &job));
	assert_int_equal(job.until_ns, 0);
	way->row.bad_ns = NOW;
	assert_false(mesh_way_told(&p, &paths, way, NOW, &job));
	/* and whole again */
	two->row.bad_ns = 0;
	assert_true(mesh_way_told(&p, &paths, way, NOW, &job));
	assert_int_equal(job.until_ns, NOW + 10 * S);
	/* a proof that runs out needs no word */
	way->row = (struct smc_path){.proven_until_ns = NOW + 10 * S};
	assert_false(mesh_way_told(&p, &paths, way, NOW + 10 * S, &job));
	mesh_paths_free(&paths);
	mesh_pairs_free(&p);
}

/* Who uses a Service uses the paths behind it. */
static void test_use_of_a_way_is_use_of_the_paths_behind(void **state)
{
	struct smc_path_key own = key("10.0.0.1", "10.96.0.1");
	struct smc_path_key b11 = key("10.0.0.1", "10.0.0.11");
	struct smc_path_key b12 = key("10.0.0.1", "10.0.0.12");
	struct mesh_pairs p = pairs_of(NULL, 0);
	struct mesh_paths paths = paths_of(&p);
	struct mesh_path *behind = mesh_paths_find(&paths, &b11);
	struct mesh_way *way = mesh_way_find(&p, &own);

	way->row.used_ns = NOW;
	way->row.wished_ns = NOW - S;
	behind->row.wished_ns = NOW + S;
	mesh_ways_need(&p, &paths);
	assert_int_equal(behind->row.used_ns, NOW);
	assert_int_equal(behind->row.wished_ns, NOW + S);
	assert_int_equal(mesh_paths_find(&paths, &b12)->row.used_ns, 0);
	mesh_paths_free(&paths);
	mesh_pairs_free(&p);
}

#define TEST(name) cmocka_unit_test_setup(name, before_each)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pairs_are_made_with_rdma_endpoints_elsewhere),
		TEST(test_pods_that_share_an_address_share_their_pairs),
		TEST(test_pods_without_shared_memory_pair_inside_a_node),
		TEST(test_wished_and_near_pairs_are_kept_of_too_many),
		TEST(test_service_has_ways_to_backends_that_need_rdma),
		TEST(test_way_is_proven_only_as_all_its_paths_are),
		TEST(test_use_of_a_way_is_use_of_the_paths_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
