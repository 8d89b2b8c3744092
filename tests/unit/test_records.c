// SPDX-License-Identifier: Apache-2.0
/* Which record is a socket's, and what becomes of records that only socket
 * diagnosis can end. */
#include "unit.h"

#include "base/cleanup.h"
#include "mesh/record_fate.h"
#include "node/tcpinfo.h"

#define SECOND 1000000000ULL
#define NOW (1000 * SECOND)

static struct mesh_socket socket_of(const char *local, __u16 local_port,
				    const char *remote, __u16 remote_port,
				    __u64 cookie)
{
	return (struct mesh_socket){.local = addr(local),
				    .remote = addr(remote),
				    .local_port = local_port,
				    .remote_port = remote_port,
				    .connected = true,
				    .cookie = cookie};
}

static struct smc_flow flow_of(const struct mesh_socket *s)
{
	struct smc_flow f = {.local_port = s->local_port,
			     .remote_port = s->remote_port,
			     .cookie = s->cookie,
			     .role = SMC_ROLE_CLIENT,
			     .outcome = SMC_OUTCOME_TCP,
			     .opened_ns = NOW - 100 * SECOND};

	memcpy(f.local_ip, s->local.ip, sizeof(f.local_ip));
	memcpy(f.remote_ip, s->remote.ip, sizeof(f.remote_ip));
	return f;
}

/* ---- the index ------------------------------------------------------------
 */

static void add(struct mesh_records *r, __u32 isn, const struct smc_flow *f)
{
	const struct smc_handshake key = {.isn = isn, .kind = f->role};

	assert_int_equal(mesh_records_add(r, &key, f), 0);
}

/* The number of the record that is @s's; 0: none is. */
static __u32 found(const struct mesh_records *r, const struct mesh_socket *s)
{
	const struct mesh_record *row = mesh_record_of(r, s);

	return row ? row->key.isn : 0;
}

static void test_record_is_found_by_its_cookie_or_its_ends(void **state)
{
	struct mesh_socket one =
		socket_of("10.0.0.1", 4000, "10.0.0.2", 80, 77);
	struct mesh_socket two = socket_of("10.0.0.1", 4001, "10.0.0.2", 80, 0);
	struct mesh_records r = {};
	struct smc_flow f = flow_of(&one);

	add(&r, 1, &f);
	f = flow_of(&two);
	add(&r, 2, &f);
	assert_int_equal(mesh_records_index(&r), 0);
	assert_int_equal(found(&r, &one), 1);
	/* An address that was rewritten on the way: the socket is the same. */
	one.remote = addr("10.96.0.1");
	assert_int_equal(found(&r, &one), 1);
	/* Another socket at the addresses of one whose cookie is known. */
	one = socket_of("10.0.0.1", 4000, "10.0.0.2", 80, 78);
	assert_int_equal(found(&r, &one), 0);
	two.cookie = 79;
	assert_int_equal(found(&r, &two), 2);
	two.remote_port = 81;
	assert_int_equal(found(&r, &two), 0);
	two = socket_of("10.0.0.2", 80, "10.0.0.1", 4001, 80);
	assert_int_equal(found(&r, &two), 0);
	mesh_records_free(&r);
}

static void test_open_and_youngest_record_is_preferred(void **state)
{
	struct mesh_socket s = socket_of("fd00::1", 4000, "fd00::2", 80, 0);
	struct mesh_records r = {};
	struct smc_flow f = flow_of(&s);

	f.closed = 1;
	f.opened_ns = NOW;
	add(&r, 1, &f);
	f.closed = 0;
	f.opened_ns = NOW - 9;
	add(&r, 2, &f);
	f.opened_ns = NOW - 7;
	add(&r, 3, &f);
	f.opened_ns = NOW - 8;
	f.cookie = 5; /* the socket that was at these addresses before */
	add(&r, 4, &f);
	assert_int_equal(mesh_records_index(&r), 0);
	s.cookie = 6;
	assert_int_equal(found(&r, &s), 3);
	s.cookie = 5;
	assert_int_equal(found(&r, &s), 4);
	mesh_records_free(&r);
}

static void test_one_record_of_many_is_found(void **state)
{
	enum { N = 3000 };
	struct mesh_records r = {};

	for (__u32 i = 1; i <= N; i++) {
		struct mesh_socket s =
			socket_of("10.0.0.1", i * 7 % 3001, "10.0.0.2", 80,
				  i % 2 ? 2ULL * i : 0);
		struct smc_flow f = flow_of(&s);

		add(&r, i, &f);
	}
	assert_int_equal(mesh_records_index(&r), 0);
	assert_int_equal(r.n_cookies, N / 2);
	for (__u32 i = 1; i <= N; i++) {
		struct mesh_socket s = socket_of("10.0.0.1", i * 7 % 3001,
						 "10.0.0.2", 80, 2ULL * i);

		assert_int_equal(found(&r, &s), i);
		s.cookie++;
		assert_int_equal(found(&r, &s), i % 2 ? 0 : i);
	}
	mesh_records_free(&r);
}

static void test_no_record_is_found_among_none(void **state)
{
	struct mesh_socket s = socket_of("10.0.0.1", 1, "10.0.0.2", 2, 3);
	struct mesh_records r = {};

	assert_int_equal(mesh_records_index(&r), 0);
	assert_null(mesh_record_of(&r, &s));
	mesh_records_free(&r);
}

/* ---- what becomes of one ----------------------------------------------------
 */

static struct mesh_record record(__u16 kind, __u32 flags)
{
	struct mesh_socket s = socket_of("10.0.0.1", 4000, "10.0.0.2", 80, 77);
	struct mesh_record r = {.key.kind = kind, .flow = flow_of(&s)};

	r.flow.flags = flags;
	return r;
}

static const __u32 untold[] = {
	SMC_FLOW_DIAGNOSED,
	SMC_FLOW_UPGRADED,
	SMC_FLOW_ATTEMPT | SMC_FLOW_DIAGNOSED,
	SMC_FLOW_UPGRADED | SMC_FLOW_DIAGNOSED,
};

static void test_exact_records_are_let_be(void **state)
{
	struct mesh_socket s = socket_of("10.0.0.1", 1, "10.0.0.9", 2, 3);
	struct mesh_record r = record(SMC_ROLE_CLIENT, 0);
	struct smc_flow out;

	assert_int_equal(mesh_record_fate(&r, NULL, NOW, &out),
			 MESH_FATE_STAYS);
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_STAYS);
	assert_int_equal(mesh_record_fate_alone(&r, false, NOW, &out),
			 MESH_FATE_STAYS);
	assert_memory_equal(&out, &r.flow, sizeof(out));
}

static void test_record_of_a_socket_that_is_gone_is_closed(void **state)
{
	for (size_t i = 0; i < array_size(untold); i++) {
		struct mesh_record r = record(SMC_ROLE_SERVER, untold[i]);
		struct smc_flow out;

		r.flow.rx_bytes = 5;
		assert_int_equal(mesh_record_fate(&r, NULL, NOW, &out),
				 MESH_FATE_CLOSED);
		assert_int_equal(out.closed, 1);
		assert_int_equal(out.closed_ns, NOW);
		assert_int_equal(out.rx_bytes, 5);
		assert_int_equal(out.outcome, SMC_OUTCOME_TCP);
		/* It may not have been there yet when that was asked. */
		r.flow.opened_ns = NOW - 2 * SECOND + 1;
		assert_int_equal(mesh_record_fate(&r, NULL, NOW, &out),
				 MESH_FATE_STAYS);
		r.flow.opened_ns = NOW + SECOND;
		assert_int_equal(mesh_record_fate(&r, NULL, NOW, &out),
				 MESH_FATE_STAYS);
		/* Nothing happens twice. */
		r.flow.opened_ns = 1;
		r.flow.closed = 1;
		assert_int_equal(mesh_record_fate(&r, NULL, NOW, &out),
				 MESH_FATE_STAYS);
	}
}

static void test_attempt_that_connected_becomes_a_flow(void **state)
{
	struct mesh_record r =
		record(SMC_KIND_SOCKET, SMC_FLOW_ATTEMPT | SMC_FLOW_DIAGNOSED);
	struct mesh_socket s =
		socket_of("10.0.0.1", 4000, "10.0.0.9", 8080, 77);
	struct smc_flow out;

	r.flow.local_port = 0;
	memset(r.flow.local_ip, 0, sizeof(r.flow.local_ip));
	s.connected = false; /* the handshake is under way */
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_STAYS);
	s.connected = true;
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_SEEN);
	assert_int_equal(out.flags, SMC_FLOW_DIAGNOSED);
	assert_int_equal(out.local_port, 4000);
	assert_int_equal(out.remote_port, 8080);
	assert_memory_equal(out.local_ip, s.local.ip, 16);
	assert_memory_equal(out.remote_ip, s.remote.ip, 16);
	/* No more is learnt of it. */
	r.flow = out;
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_STAYS);
}

static void test_bytes_and_cookies_are_learnt(void **state)
{
	struct mesh_record r = record(SMC_ROLE_SERVER, SMC_FLOW_DIAGNOSED);
	struct mesh_socket s = socket_of("10.0.0.1", 4000, "10.0.0.2", 80, 77);
	struct smc_flow out;

	s.rx_bytes = 10;
	s.tx_bytes = 20;
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_STAYS);
	s.counted = true;
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_SEEN);
	assert_int_equal(out.rx_bytes, 10);
	assert_int_equal(out.tx_bytes, 20);
	r.flow = out;
	r.flow.cookie = 0;
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_SEEN);
	assert_int_equal(out.cookie, 77);
	/* Of an SMC connection these are its handshake's. */
	r.flow = out;
	r.flow.outcome = SMC_OUTCOME_SMCD;
	r.flow.flags = SMC_FLOW_UPGRADED;
	s.rx_bytes = 11;
	assert_int_equal(mesh_record_fate(&r, &s, NOW, &out), MESH_FATE_STAYS);
}

static void test_record_of_a_netns_that_is_gone_is_closed(void **state)
{
	struct mesh_record r = record(SMC_ROLE_SERVER, SMC_FLOW_UPGRADED);
	struct smc_flow out;

	assert_int_equal(mesh_record_fate_alone(&r, true, NOW, &out),
			 MESH_FATE_STAYS);
	assert_int_equal(mesh_record_fate_alone(&r, false, NOW, &out),
			 MESH_FATE_CLOSED);
	assert_int_equal(out.closed_ns, NOW);
	/* A pod that is just being looked at for the first time. */
	r.flow.opened_ns = NOW - SECOND;
	assert_int_equal(mesh_record_fate_alone(&r, false, NOW, &out),
			 MESH_FATE_STAYS);
}

static void test_handshake_that_never_ends_is_given_up(void **state)
{
	struct mesh_record r = record(SMC_ROLE_CLIENT, 0);
	struct smc_flow out;

	r.flow.outcome = SMC_OUTCOME_PENDING;
	r.flow.opened_ns = NOW - 300 * SECOND + 1;
	assert_int_equal(mesh_record_fate_alone(&r, true, NOW, &out),
			 MESH_FATE_STAYS);
	r.flow.opened_ns--;
	assert_int_equal(mesh_record_fate_alone(&r, true, NOW, &out),
			 MESH_FATE_CLOSED);
	assert_int_equal(out.outcome, SMC_OUTCOME_PENDING); /* it is dropped */
	/* A SYN-ACK that nobody answered is given up sooner. */
	r.flow.role = SMC_ROLE_SERVER;
	r.flow.opened_ns = NOW - 90 * SECOND + 1;
	assert_int_equal(mesh_record_fate_alone(&r, true, NOW, &out),
			 MESH_FATE_STAYS);
	r.flow.opened_ns--;
	assert_int_equal(mesh_record_fate_alone(&r, true, NOW, &out),
			 MESH_FATE_CLOSED);
	r.flow.opened_ns = NOW - 300 * SECOND;
	/* A kernel that does not tell what becomes of it, and it is open. */
	r.flow.flags = SMC_FLOW_OPENED;
	assert_int_equal(mesh_record_fate_alone(&r, true, NOW, &out),
			 MESH_FATE_STAYS);
	r.flow.flags = 0;
	r.flow.outcome = SMC_OUTCOME_SMCR;
	assert_int_equal(mesh_record_fate_alone(&r, true, NOW, &out),
			 MESH_FATE_STAYS);
}

/* ---- node/tcpinfo -----------------------------------------------------------
 */

/* As a kernel writes it that knows this much of the struct. */
static void test_bytes_are_read_only_of_a_long_enough_tcp_info(void **state)
{
	__u64 raw[40] = {}, rx = 0, tx = 0;

	raw[128 / 8] = 1000; /* tcpi_bytes_received */
	raw[200 / 8] = 700;  /* tcpi_bytes_sent */
	raw[208 / 8] = 50;   /* tcpi_bytes_retrans */
	assert_false(tcpinfo_bytes(raw, 208, &rx, &tx));
	assert_false(tcpinfo_bytes(raw, 0, &rx, &tx));
	assert_true(tcpinfo_bytes(raw, 216, &rx, &tx));
	assert_int_equal(rx, 1000);
	assert_int_equal(tx, 650);
	rx = tx = 0;
	assert_true(tcpinfo_bytes(raw, sizeof(raw), &rx, &tx));
	assert_int_equal(rx + tx, 1650);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_record_is_found_by_its_cookie_or_its_ends),
		cmocka_unit_test(test_open_and_youngest_record_is_preferred),
		cmocka_unit_test(test_one_record_of_many_is_found),
		cmocka_unit_test(test_no_record_is_found_among_none),
		cmocka_unit_test(test_exact_records_are_let_be),
		cmocka_unit_test(
			test_record_of_a_socket_that_is_gone_is_closed),
		cmocka_unit_test(test_attempt_that_connected_becomes_a_flow),
		cmocka_unit_test(test_bytes_and_cookies_are_learnt),
		cmocka_unit_test(test_record_of_a_netns_that_is_gone_is_closed),
		cmocka_unit_test(test_handshake_that_never_ends_is_given_up),
		cmocka_unit_test(
			test_bytes_are_read_only_of_a_long_enough_tcp_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
