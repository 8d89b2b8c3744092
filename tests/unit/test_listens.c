// SPDX-License-Identifier: Apache-2.0
/* At which ports of a node a hostNetwork pod may be offered SMC. */
#include "unit.h"
#include "node/listens.h"

enum { POD = 7, CONTAINER = 8, OTHER = 9 };

struct host {
	struct netns_listener tcp[8];
	struct diag_smc smc[8];
	size_t n_tcp, n_smc;
	__u16 ports[8];
	size_t n_ports;
};

static void tcp(struct host *h, const char *ip, __u16 port, __u64 cgroup)
{
	h->tcp[h->n_tcp++] = (struct netns_listener){
		.addr = addr(ip), .port = port, .cgroup = cgroup};
}

/* An SMC listener, with its inner socket. */
static void smc(struct host *h, const char *ip, __u16 port, __u64 cgroup)
{
	h->smc[h->n_smc++] =
		(struct diag_smc){.local_port = port, .state = DIAG_SMC_LISTEN};
	tcp(h, ip, port, cgroup);
}

static size_t choose(struct host *h)
{
	__u64 v[] = {POD, CONTAINER};
	const struct cgroup_ids ids = {v, 2};

	h->n_ports = listens_choose(h->tcp, h->n_tcp, h->smc, h->n_smc, &ids,
				    h->ports);
	return h->n_ports;
}

static void only_smc_listeners_of_the_pod_count(void **state)
{
	struct host h = {0};

	assert_int_equal(choose(&h), 0);
	smc(&h, "::", 443, CONTAINER);
	tcp(&h, "0.0.0.0", 22, OTHER);
	smc(&h, "192.168.0.1", 80, POD);
	smc(&h, "0.0.0.0", 9000, OTHER);
	/* opened before the pod was armed */
	tcp(&h, "0.0.0.0", 81, CONTAINER);
	/* made where no cgroup was known */
	smc(&h, "0.0.0.0", 82, 0);
	assert_int_equal(choose(&h), 2);
	assert_int_equal(h.ports[0], 80);
	assert_int_equal(h.ports[1], 443);
}

static void a_connection_is_no_listener(void **state)
{
	struct host h = {0};

	tcp(&h, "0.0.0.0", 80, POD);
	h.smc[h.n_smc++] =
		(struct diag_smc){.local_port = 80, .state = DIAG_SMC_ACTIVE};
	assert_int_equal(choose(&h), 0);
}

static void listener_on_loopback_is_not_offered(void **state)
{
	struct host h = {0};

	smc(&h, "127.0.0.1", 80, POD);
	smc(&h, "::1", 81, POD);
	assert_int_equal(choose(&h), 0);
	/* and is no stranger either */
	smc(&h, "192.168.0.1", 82, POD);
	smc(&h, "127.0.0.1", 82, OTHER);
	assert_int_equal(choose(&h), 1);
	assert_int_equal(h.ports[0], 82);
}

/* Another address of the node, or SO_REUSEPORT. */
static void a_port_shared_with_a_stranger_is_not_offered(void **state)
{
	struct host h = {0};

	smc(&h, "192.168.0.1", 80, POD);
	smc(&h, "192.168.0.2", 80, OTHER);
	assert_int_equal(choose(&h), 0);
	h = (struct host){0};
	smc(&h, "192.168.0.1", 80, POD);
	tcp(&h, "192.168.0.2", 80, POD);
	assert_int_equal(choose(&h), 0);
	h = (struct host){0};
	smc(&h, "0.0.0.0", 80, POD);
	smc(&h, "0.0.0.0", 80, CONTAINER);
	assert_int_equal(choose(&h), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_smc_listeners_of_the_pod_count),
		cmocka_unit_test(a_connection_is_no_listener),
		cmocka_unit_test(listener_on_loopback_is_not_offered),
		cmocka_unit_test(a_port_shared_with_a_stranger_is_not_offered),
	};

	return cmocka_run_group_tests_name("listens", tests, NULL, NULL);
}
