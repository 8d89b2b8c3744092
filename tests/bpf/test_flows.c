// SPDX-License-Identifier: Apache-2.0
/*
 * The recorder `sockops`: what it tells of plain connections, by reason, bytes,
 * events and counters. Nothing may be counted twice because the program is
 * attached twice.
 */
#include "flow_world.h"

/* Both ends of one connection are recorded as TCP for @client and @server. */
static void expect(enum smc_reason client, enum smc_reason server)
{
	struct smc_flow c = flow(SMC_ROLE_CLIENT), s = flow(SMC_ROLE_SERVER);

	assert_int_equal(c.outcome, SMC_OUTCOME_TCP);
	assert_int_equal(s.outcome, SMC_OUTCOME_TCP);
	assert_int_equal(c.verdict, SMC_VERDICT_BYPASS);
	assert_int_equal(s.verdict, SMC_VERDICT_BYPASS);
	assert_int_equal(c.reason, client);
	assert_int_equal(s.reason, server);
	assert_memory_equal(c.local_ip, s.remote_ip, 16);
	assert_memory_equal(c.remote_ip, s.local_ip, 16);
	assert_int_equal(c.local_port, s.remote_port);
	assert_int_equal(c.remote_port, s.local_port);
	assert_true(c.opened_ns && c.decided_ns >= c.opened_ns);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 1);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_SERVER_TCP), 1);
	assert_int_equal(counter(SMC_COUNTER_REASON + client),
			 client == server ? 2 : 1);
	assert_int_equal(counter(SMC_COUNTER_REASON + server),
			 client == server ? 2 : 1);
}

/* ---- tests ---- */

static void one(const char *from, const char *to, bool v4,
		enum smc_reason client, enum smc_reason server)
{
	struct pair p = open_pair(from, to, v4);

	expect(client, server);
	close_pair(&p);
}

static void test_plain_flow_is_recorded_as_not_converted(void **state)
{
	struct pair p = open_pair(HERE, PEER, true);
	struct smc_flow c;

	expect(SMC_REASON_NOT_CONVERTED, SMC_REASON_NOT_CONVERTED);
	c = flow(SMC_ROLE_CLIENT);
	assert_memory_equal(c.local_ip, addr(HERE).ip, 16);
	assert_memory_equal(c.remote_ip, addr(PEER).ip, 16);
	assert_int_equal(c.transports, SMC_TRANSPORT_SMCD);
	close_pair(&p);
}

static void test_flow_to_a_mapped_address_is_recorded(void **state)
{
	one(HERE, PEER, false, SMC_REASON_NOT_CONVERTED,
	    SMC_REASON_NOT_CONVERTED);
}

static void test_flow_over_native_ipv6_is_recorded(void **state)
{
	one("fd00::1", PEER6, false, SMC_REASON_NOT_CONVERTED,
	    SMC_REASON_NOT_CONVERTED);
}

static void test_flow_to_a_stranger_is_not_endpoint(void **state)
{
	one(HERE, STRANGER, true, SMC_REASON_NOT_ENDPOINT,
	    SMC_REASON_NOT_CONVERTED);
}

static void test_flow_to_itself_is_loopback(void **state)
{
	one(HERE, HERE, true, SMC_REASON_LOOPBACK, SMC_REASON_LOOPBACK);
}

/* This process is not the sidecar's proxy: another user, another group, or no
 * owner at all. Its own user and group is. Of a connection that was accepted
 * only the user is known: the listener's group is not asked here. */
static void test_flow_of_another_owner_is_other_uid(void **state)
{
	const __u32 uid = geteuid(), gid = getegid();
	const struct smc_owner others[] = {{1337, SMC_ID_ANY},
					   {SMC_ID_ANY, gid + 1},
					   {uid, gid + 1},
					   {uid + 1, gid}};

	for (size_t i = 0; i < array_size(others); i++) {
		fresh(state);
		arm(SMC_POD_SIDECAR, &others[i]);
		one(HERE, PEER, true, SMC_REASON_OTHER_UID,
		    SMC_REASON_OTHER_UID);
	}
	fresh(state);
	arm(SMC_POD_SIDECAR, NULL);
	one(HERE, PEER, true, SMC_REASON_OTHER_UID, SMC_REASON_OTHER_UID);
}

static void test_flow_dialled_by_the_owner_is_not_other_uid(void **state)
{
	const __u32 uid = geteuid(), gid = getegid();
	const struct smc_owner own[] = {{SMC_ID_ANY, gid}, {uid, gid}};

	arm(SMC_POD_SIDECAR, &(struct smc_owner){uid, SMC_ID_ANY});
	one(HERE, PEER, true, SMC_REASON_NOT_CONVERTED,
	    SMC_REASON_NOT_CONVERTED);
	for (size_t i = 0; i < array_size(own); i++) {
		fresh(state);
		arm(SMC_POD_SIDECAR, &own[i]);
		one(HERE, PEER, true, SMC_REASON_NOT_CONVERTED,
		    SMC_REASON_OTHER_UID);
	}
}

static void test_flow_of_a_disarmed_pod_is_not_armed(void **state)
{
	arm(SMC_POD_DENY, NULL);
	one(HERE, PEER, true, SMC_REASON_NOT_ARMED, SMC_REASON_NOT_ARMED);
}

static void test_flow_in_a_shared_netns_is_its_cgroups(void **state)
{
	struct smc_pod pod = {.pod_id = POD, .transports = SMC_TRANSPORT_SMCD};
	struct pair p;
	struct stat st;
	__u64 id;

	arm(SMC_POD_SHARED, NULL);
	p = open_pair(HERE, PEER, true);
	close_pair(&p);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 0);
	/* the cgroup of this process: a file's inode number is its id */
	must(stat(cgroup, &st), cgroup);
	id = st.st_ino;
	put(skel[0]->maps.smc_cgroup, &id, &pod);
	one(HERE, PEER, true, SMC_REASON_NOT_CONVERTED,
	    SMC_REASON_NOT_CONVERTED);
}

/* A pod is also found by a cgroup above the socket's. */
static void test_flow_below_a_pods_cgroup_is_the_pods(void **state)
{
	char below[300];

	snprintf(below, sizeof(below), "%s/container", cgroup);
	must(mkdir(below, 0755) || join(below), below);
	test_flow_in_a_shared_netns_is_its_cgroups(state);
	must(join(cgroup) || rmdir(below), below);
}

static void test_flow_of_no_pod_is_not_recorded(void **state)
{
	struct pair p;

	clear(skel[0]->maps.smc_netns, sizeof(__u64));
	p = open_pair(HERE, PEER, true);
	send_all(p.client, p.server, 10);
	close_pair(&p);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED], 0);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 0);
}

/* A connect() that finds nobody is no connection. */
static void test_refused_connect_is_not_recorded(void **state)
{
	_close_ int fd = bound(HERE, 0, true);
	struct smc_flow f;
	unsigned int n;

	assert_int_equal(dial(fd, PEER, 9, true), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_false(find(SMC_ROLE_CLIENT, &f, &n));
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 0);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED] + told[SMC_EVENT_CLOSED], 0);
}

/* Payload, without what SYN and FIN add to TCP's own counts. */
static void test_closed_flow_has_payload_bytes_and_events(void **state)
{
	struct pair p = open_pair(HERE, PEER, true);
	struct smc_flow c, s;

	send_all(p.client, p.server, 100000);
	send_all(p.server, p.client, 7);
	close_pair(&p);
	c = flow(SMC_ROLE_CLIENT);
	s = flow(SMC_ROLE_SERVER);
	assert_int_equal(c.closed, 1);
	assert_int_equal(s.closed, 1);
	assert_true(c.closed_ns >= c.decided_ns);
	assert_int_equal(c.tx_bytes, 100000);
	assert_int_equal(s.rx_bytes, 100000);
	assert_int_equal(c.rx_bytes, 7);
	assert_int_equal(s.tx_bytes, 7);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED], 2);
	assert_int_equal(told[SMC_EVENT_CLOSED], 2);
	assert_int_equal(told[SMC_EVENT_UPGRADED], 0);
}

static void test_each_of_500_flows_is_counted(void **state)
{
	enum { N = 500 };

	for (int i = 0; i < N; i++) {
		struct pair p = open_pair(HERE, PEER, i % 2);

		close_pair(&p);
	}
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), N);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_SERVER_TCP), N);
	assert_int_equal(counter(SMC_COUNTER_REASON + SMC_REASON_NOT_CONVERTED),
			 2 * N);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_LOST), 0);
}

/* Only somebody who follows is told; the records are the same. */
static void test_events_are_not_told_while_nobody_follows(void **state)
{
	struct pair p;

	follow(false);
	p = open_pair(HERE, PEER, true);
	close_pair(&p);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED] + told[SMC_EVENT_CLOSED], 0);
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 1);
	assert_int_equal(closed_rows(NULL, NULL), 2);
}

/* Nobody reads: the events that have no room are counted, and nothing else
 * happens. 1 MiB holds fewer than 8000. */
static void test_full_ring_loses_events_that_are_counted(void **state)
{
	struct pair p;

	for (int i = 0; i < 2100; i++) {
		p = open_pair(HERE, PEER, true);
		close_pair(&p);
	}
	assert_int_equal(counter(SMC_COUNTER_FLOWS_CLIENT_TCP), 2100);
	ring_buffer__consume(ring);
	assert_int_equal(told[SMC_EVENT_OPENED] + told[SMC_EVENT_CLOSED] +
				 counter(SMC_COUNTER_EVENTS_LOST),
			 4 * 2100);
	assert_true(counter(SMC_COUNTER_EVENTS_LOST) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		TEST(test_plain_flow_is_recorded_as_not_converted),
		TEST(test_flow_to_a_mapped_address_is_recorded),
		TEST(test_flow_over_native_ipv6_is_recorded),
		TEST(test_flow_to_a_stranger_is_not_endpoint),
		TEST(test_flow_to_itself_is_loopback),
		TEST(test_flow_of_another_owner_is_other_uid),
		TEST(test_flow_dialled_by_the_owner_is_not_other_uid),
		TEST(test_flow_of_a_disarmed_pod_is_not_armed),
		TEST(test_flow_in_a_shared_netns_is_its_cgroups),
		TEST(test_flow_below_a_pods_cgroup_is_the_pods),
		TEST(test_flow_of_no_pod_is_not_recorded),
		TEST(test_refused_connect_is_not_recorded),
		TEST(test_closed_flow_has_payload_bytes_and_events),
		TEST(test_each_of_500_flows_is_counted),
		TEST(test_events_are_not_told_while_nobody_follows),
		TEST(test_full_ring_loses_events_that_are_counted),
	};

	return cmocka_run_group_tests_name("flows", tests, setup, teardown);
}
