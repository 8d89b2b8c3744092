// SPDX-License-Identifier: Apache-2.0
/* What of a change takes away, and what gives: user/datapath/passes.c. */
#include "unit.h"

#include "datapath/passes.h"
#include "mesh/owners.h"

/* ---- what two forms of a row both allow: each form with each other ---- */

#define ALICE 1
#define BOB 2

/* May a socket of @uid, of the pod numbered @pod_id, use @transport? */
static bool pod_allows(const struct smc_pod *p, __u32 pod_id, __u32 uid,
		       __u32 transport)
{
	return !(p->flags & (SMC_POD_DENY | SMC_POD_REFUSED)) &&
	       p->pod_id == pod_id &&
	       (!(p->flags & SMC_POD_SIDECAR) ||
		owners_have(p->owners, p->n_owners, uid, 0)) &&
	       p->transports & transport;
}

static void check_pod(const struct smc_pod *have, const struct smc_pod *want)
{
	struct smc_pod less;

	row_less(MAP_NETNS, have, want, &less);
	for (__u32 id = 5; id <= 6; id++)
		for (__u32 uid = ALICE; uid <= BOB; uid++)
			for (__u32 t = 1; t <= 2; t++)
				assert_int_equal(
					pod_allows(&less, id, uid, t),
					pod_allows(have, id, uid, t) &&
						pod_allows(want, id, uid, t));
}

static struct smc_pod form(__u32 id, __u32 flags, __u32 transports, __u32 uid)
{
	struct smc_pod p = {
		.pod_id = id, .flags = flags, .transports = transports};

	if (flags & SMC_POD_SIDECAR)
		p.owners[p.n_owners++] = (struct smc_owner){uid, SMC_ID_ANY};
	return p;
}

static void test_pod_row_halfway_allows_what_both_allow(void **state)
{
	static const __u32 flags[] = {0, SMC_POD_DENY, SMC_POD_REFUSED,
				      SMC_POD_SIDECAR};
	static const __u32 uids[] = {ALICE, BOB};
	struct smc_pod forms[2 * 4 * 2 * 4];
	size_t n = 0;

	for (__u32 id = 5; id <= 6; id++)
		for (size_t f = 0; f < array_size(flags); f++)
			for (size_t u = 0; u < array_size(uids); u++)
				for (__u32 t = 0; t <= 3; t++)
					forms[n++] =
						form(id, flags[f], t, uids[u]);
	assert_int_equal(n, array_size(forms));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			check_pod(&forms[i], &forms[j]);
}

/* A row that lets strangers pass allows nothing that a pod's row does. */
static void test_shared_row_halfway_to_a_pods_denies(void **state)
{
	const struct smc_pod shared = {.flags = SMC_POD_SHARED};
	const struct smc_pod pod = {.pod_id = 5, .transports = 3};
	struct smc_pod less;

	row_less(MAP_NETNS, &shared, &pod, &less);
	assert_int_equal(less.flags, SMC_POD_DENY);
	row_less(MAP_NETNS, &pod, &shared, &less);
	assert_int_equal(less.flags, SMC_POD_DENY);
	row_less(MAP_NETNS, &shared, &shared, &less);
	assert_memory_equal(&less, &shared, sizeof(less));
}

static void test_endpoint_halfway_offers_what_both_offer(void **state)
{
	for (__u32 old = 0; old < 8; old++)
		for (__u32 new = 0; new < 8; new ++) {
			const struct smc_endpoint have = {
				.transports = old & 3,
				.node_id = 7,
				.flags =
					old & 4 ? SMC_ENDPOINT_ANSWER_ONLY : 0};
			const struct smc_endpoint want = {
				.transports = new & 3,
				.node_id = 8,
				.flags =
					new & 4 ? SMC_ENDPOINT_ANSWER_ONLY : 0};
			struct smc_endpoint less;

			row_less(MAP_ENDPOINT, &have, &want, &less);
			assert_int_equal(less.transports, old & new & 3);
			assert_int_equal(
				less.flags,
				(old | new) & 4 ? SMC_ENDPOINT_ANSWER_ONLY : 0);
			assert_int_equal(less.node_id, 8);
		}
}

static void test_service_halfway_offers_what_both_offer(void **state)
{
	for (__u32 old = 0; old < 4; old++)
		for (__u32 new = 0; new < 4; new ++) {
			const struct smc_service have = {.transports = old};
			const struct smc_service want = {.transports = new};
			struct smc_service less;

			row_less(MAP_SERVICE, &have, &want, &less);
			assert_int_equal(less.transports, old & new);
		}
}

static void test_config_halfway_is_the_stricter_of_both(void **state)
{
	const struct smc_config have = {
		.enabled = 1,
		.transports = 3,
		.uses = SMC_USE_PORTS,
		.limits = {1, 20, 3, 40, 5, 60},
		.offers_until_ns = 77,
	};
	const struct smc_config want = {
		.enabled = 1,
		.transports = 2,
		.node_id = 9,
		.uses = SMC_USE_CIDRS,
		.limits = {10, 2, 30, 4, 50, 6},
		.offers_until_ns = SMC_NO_END,
	};
	const struct smc_config off = {};
	struct smc_config less;

	config_less(&have, &want, &less);
	assert_int_equal(less.enabled, 1);
	assert_int_equal(less.transports, 2);
	assert_int_equal(less.offers_until_ns, 77);
	assert_int_equal(less.node_id, 9);
	assert_int_equal(less.uses, SMC_USE_PORTS | SMC_USE_CIDRS);
	assert_memory_equal(&less.limits,
			    &((struct smc_limits){1, 2, 3, 4, 5, 6}),
			    sizeof(less.limits));
	config_less(&have, &off, &less);
	assert_int_equal(less.enabled, 0);
	config_less(&off, &want, &less);
	assert_int_equal(less.enabled, 0);
	assert_int_equal(less.limits.pending_pod, 0);
}

/* ---- a whole map ---- */

#define ROWS(id)                            \
	{.key_size = map_rows[id].key_size, \
	 .value_size = map_rows[id].value_size}

static void add_endpoint(struct rows *r, __u8 last, __u32 transports)
{
	const struct smc_addr key = {.ip = {[15] = last}};
	const struct smc_endpoint value = {.transports = transports};

	assert_int_equal(rows_add(r, &key, &value), 0);
}

static void assert_endpoint(const struct rows *r, size_t i, __u8 last,
			    __u32 transports)
{
	const struct smc_addr *key = rows_key(r, i);
	const struct smc_endpoint *value = rows_value(r, i);

	assert_true(i < r->n);
	assert_int_equal(key->ip[15], last);
	assert_int_equal(value->transports, transports);
}

static void test_endpoint_rows_lose_before_they_gain(void **state)
{
	_cleanup_(rows_free) struct rows have = ROWS(MAP_ENDPOINT);
	_cleanup_(rows_free) struct rows want = ROWS(MAP_ENDPOINT);
	_cleanup_(passes_free) struct passes p = {};

	add_endpoint(&have, 1, 3); /* goes */
	add_endpoint(&have, 2, 3); /* loses one */
	add_endpoint(&have, 3, 1); /* gains one */
	add_endpoint(&have, 4, 1); /* does both */
	add_endpoint(&have, 5, 3); /* stays */
	add_endpoint(&want, 2, 1);
	add_endpoint(&want, 3, 3);
	add_endpoint(&want, 4, 2);
	add_endpoint(&want, 5, 3);
	add_endpoint(&want, 6, 3); /* comes */
	assert_int_equal(passes_make(MAP_ENDPOINT, &want, &have, &p), 0);
	assert_int_equal(p.removed[PASS_GIVE].n, 0);
	assert_int_equal(p.removed[PASS_TAKE].n, 1);
	assert_endpoint(&p.removed[PASS_TAKE], 0, 1, 3);
	assert_int_equal(p.changed[PASS_TAKE].n, 1);
	assert_endpoint(&p.changed[PASS_TAKE], 0, 2, 1);
	assert_int_equal(p.halfway.n, 1);
	assert_endpoint(&p.halfway, 0, 4, 0);
	assert_int_equal(p.changed[PASS_GIVE].n, 2);
	assert_endpoint(&p.changed[PASS_GIVE], 0, 3, 3);
	assert_endpoint(&p.changed[PASS_GIVE], 1, 4, 2);
	assert_int_equal(p.added[PASS_TAKE].n, 0);
	assert_int_equal(p.added[PASS_GIVE].n, 1);
	assert_endpoint(&p.added[PASS_GIVE], 0, 6, 3);
}

static void add_pod(struct rows *r, __u64 key, __u32 flags)
{
	const struct smc_pod value = {
		.pod_id = 5, .flags = flags, .transports = 3};

	assert_int_equal(rows_add(r, &key, &value), 0);
}

/* Whoever has no row of smc_cgroup passes: it denies by being there. */
static void test_cgroup_rows_deny_before_they_allow(void **state)
{
	_cleanup_(rows_free) struct rows have = ROWS(MAP_CGROUP);
	_cleanup_(rows_free) struct rows want = ROWS(MAP_CGROUP);
	_cleanup_(passes_free) struct passes p = {};

	add_pod(&have, 1, SMC_POD_DENY); /* goes */
	add_pod(&have, 2, SMC_POD_DENY); /* is armed */
	add_pod(&have, 3, 0);		 /* is disarmed */
	add_pod(&want, 2, 0);
	add_pod(&want, 3, SMC_POD_DENY);
	add_pod(&want, 4, SMC_POD_DENY);
	add_pod(&want, 5, 0);
	assert_int_equal(passes_make(MAP_CGROUP, &want, &have, &p), 0);
	assert_int_equal(p.removed[PASS_TAKE].n, 0);
	assert_int_equal(p.removed[PASS_GIVE].n, 1);
	assert_int_equal(p.changed[PASS_TAKE].n, 1);
	assert_int_equal(*(__u64 *)rows_key(&p.changed[PASS_TAKE], 0), 3);
	assert_int_equal(p.changed[PASS_GIVE].n, 1);
	assert_int_equal(*(__u64 *)rows_key(&p.changed[PASS_GIVE], 0), 2);
	assert_int_equal(p.halfway.n, 0);
	assert_int_equal(p.added[PASS_TAKE].n, 1);
	assert_int_equal(*(__u64 *)rows_key(&p.added[PASS_TAKE], 0), 4);
	assert_int_equal(p.added[PASS_GIVE].n, 1);
	assert_int_equal(*(__u64 *)rows_key(&p.added[PASS_GIVE], 0), 5);
}

static void test_exclusions_come_before_others_go(void **state)
{
	_cleanup_(rows_free) struct rows have = ROWS(MAP_CIDR);
	_cleanup_(rows_free) struct rows want = ROWS(MAP_CIDR);
	_cleanup_(passes_free) struct passes p = {};
	const struct smc_cidr_key gone = {.prefixlen = 8};
	const struct smc_cidr_key come = {.prefixlen = 9};
	const struct smc_cidr exclude = {1};

	assert_int_equal(rows_add(&have, &gone, &exclude), 0);
	assert_int_equal(rows_add(&want, &come, &exclude), 0);
	assert_int_equal(passes_make(MAP_CIDR, &want, &have, &p), 0);
	assert_int_equal(p.added[PASS_TAKE].n, 1);
	assert_int_equal(p.added[PASS_GIVE].n, 0);
	assert_int_equal(p.removed[PASS_TAKE].n, 0);
	assert_int_equal(p.removed[PASS_GIVE].n, 1);
}

static void add_service(struct rows *r, __u16 port, __u32 transports)
{
	const struct smc_addr_port key = {.port = port};
	const struct smc_service value = {.transports = transports};

	assert_int_equal(rows_add(r, &key, &value), 0);
}

static __u16 port_of(const struct rows *r)
{
	const struct smc_addr_port *key = rows_key(r, 0);

	assert_int_equal(r->n, 1);
	return key->port;
}

/* A row that only says no comes before an endpoint's row at its address would
 * be believed, and goes after that has gone. */
static void test_service_rows_deny_before_they_offer(void **state)
{
	_cleanup_(rows_free) struct rows have = ROWS(MAP_SERVICE);
	_cleanup_(rows_free) struct rows want = ROWS(MAP_SERVICE);
	_cleanup_(passes_free) struct passes p = {};

	add_service(&have, 1 << 8, 0); /* goes */
	add_service(&have, 2 << 8, 3); /* goes */
	add_service(&have, 3 << 8, 3); /* says no now */
	add_service(&want, 3 << 8, 0);
	add_service(&want, 4 << 8, 0); /* comes */
	add_service(&want, 5 << 8, 3); /* comes */
	assert_int_equal(passes_make(MAP_SERVICE, &want, &have, &p), 0);
	assert_int_equal(port_of(&p.removed[PASS_TAKE]), 2 << 8);
	assert_int_equal(port_of(&p.removed[PASS_GIVE]), 1 << 8);
	assert_int_equal(port_of(&p.changed[PASS_TAKE]), 3 << 8);
	assert_int_equal(p.changed[PASS_GIVE].n, 0);
	assert_int_equal(port_of(&p.added[PASS_TAKE]), 4 << 8);
	assert_int_equal(port_of(&p.added[PASS_GIVE]), 5 << 8);
}

/* A full map must not leave these out. */
static void test_row_denies_where_its_absence_permits(void **state)
{
	const struct smc_cidr cidr = {.exclude = 1};
	const struct smc_port port = {80, 80};
	const struct smc_service never = {}, offers = {.transports = 2};
	const struct smc_endpoint answers = {.flags = SMC_ENDPOINT_ANSWER_ONLY};
	const struct smc_pod pod = {}, sidecar = {.flags = SMC_POD_SIDECAR};
	const struct smc_pod shared = {.flags = SMC_POD_SHARED};
	const struct {
		enum map_id id;
		const void *value;
		bool denies;
	} cases[] = {
		{MAP_CIDR, &cidr, true},	 {MAP_PORT, &port, true},
		{MAP_SERVICE, &never, true},	 {MAP_SERVICE, &offers, false},
		{MAP_ENDPOINT, &answers, false}, {MAP_CGROUP, &pod, true},
		{MAP_NETNS, &pod, false},	 {MAP_NETNS, &shared, false},
		{MAP_NETNS, &sidecar, true},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		assert_int_equal(row_denies(cases[i].id, cases[i].value),
				 cases[i].denies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pod_row_halfway_allows_what_both_allow),
		cmocka_unit_test(test_shared_row_halfway_to_a_pods_denies),
		cmocka_unit_test(test_endpoint_halfway_offers_what_both_offer),
		cmocka_unit_test(test_service_halfway_offers_what_both_offer),
		cmocka_unit_test(test_config_halfway_is_the_stricter_of_both),
		cmocka_unit_test(test_endpoint_rows_lose_before_they_gain),
		cmocka_unit_test(test_cgroup_rows_deny_before_they_allow),
		cmocka_unit_test(test_exclusions_come_before_others_go),
		cmocka_unit_test(test_service_rows_deny_before_they_offer),
		cmocka_unit_test(test_row_denies_where_its_absence_permits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
