// SPDX-License-Identifier: Apache-2.0
/* user/datapath: the verdict is asked by the program that gives it, for a
 * connection that nobody makes. See world.h. */
#include "world.h"

#define COOKIE 77
#define POD 7
#define R SMC_TRANSPORT_SMCR
#define D SMC_TRANSPORT_SMCD

static struct datapath *dp;

static struct smc_addr_port at(const char *ip, __u16 port)
{
	const struct smc_addr a = addr(ip);

	return addr_port(&a, port);
}

static struct smc_verdict_job job_to(const char *ip, __u16 port)
{
	return (struct smc_verdict_job){.pod = COOKIE,
					.role = SMC_ROLE_CLIENT,
					.remote = at(ip, port),
					.local = at("10.1.0.1", 0)};
}

static __u32 asked(struct smc_verdict_job job, __u32 *transports)
{
	struct datapath_verdict v = {.reason = SMC_REASON_MAX};

	assert_int_equal(datapath_ask_verdict(dp, &job, &v), 0);
	*transports = v.transports;
	return v.reason;
}

static void assert_reason(struct smc_verdict_job job, __u32 reason)
{
	__u32 transports;

	assert_int_equal(asked(job, &transports), reason);
	if (!reason)
		assert_int_equal(transports, D);
}

/* A pod with a row, and a peer that is an endpoint. */
static void begin(void)
{
	const struct smc_config config = {.abi_version = SMC_ABI_VERSION,
					  .enabled = 1,
					  .uses = SMC_USE_PORTS | SMC_USE_CIDRS,
					  .offers_until_ns = SMC_NO_END};
	const struct smc_pod pod = {.pod_id = POD, .transports = R | D};
	const struct smc_endpoint e = {.transports = D, .node_id = 1};
	const struct smc_addr peer = addr("10.1.0.2");
	const __u64 cookie = COOKIE, cgroup_id = COOKIE + 1;
	const __u32 zero = 0;

	dp = open_idle();
	must_put(dp->map_fd[MAP_CONFIG], &zero, &config);
	must_put(dp->map_fd[MAP_NETNS], &cookie, &pod);
	must_put(dp->map_fd[MAP_CGROUP], &cgroup_id, &pod);
	must_put(dp->map_fd[MAP_ENDPOINT], &peer, &e);
}

static void end(void)
{
	datapath_close(dp);
	remove_all();
}

static void test_verdict_is_of_the_pod_and_peer_that_are_asked(void **state)
{
	struct smc_verdict_job job;

	begin();
	assert_reason(job_to("10.1.0.2", 80), SMC_REASON_NONE);
	assert_reason(job_to("10.1.0.3", 80), SMC_REASON_NOT_ENDPOINT);
	assert_reason(job_to("10.1.0.1", 80), SMC_REASON_LOOPBACK);
	job = job_to("10.1.0.2", 80);
	job.pod++;
	assert_reason(job, SMC_REASON_NOT_ARMED);
	job.in_cgroup = 1;
	assert_reason(job, SMC_REASON_NONE);
	job.role = SMC_ROLE_SERVER;
	assert_reason(job, SMC_REASON_NONE);
	end();
}

static void exclude(__u32 pod_id, __u32 role, __u16 port)
{
	const struct smc_port_key key = {.prefixlen = SMC_PORT_PREFIX + 16,
					 .pod_id = pod_id,
					 .role = role,
					 .port = {port >> 8, port & 0xff}};
	const struct smc_port row = {port, port};

	must_put(dp->map_fd[MAP_PORT], &key, &row);
}

/* What the answer shows is what the verdict has read. */
static void test_rows_are_those_that_decide(void **state)
{
	const struct smc_cidr cidr = {.exclude = 1};
	struct smc_cidr_key net = {.prefixlen = 120};
	struct smc_verdict_job job = job_to("10.1.0.2", 80);
	struct datapath_peer rows;

	begin();
	datapath_peer_rows(dp, POD, &job, &rows);
	assert_true(rows.has_endpoint && rows.endpoint.transports == D);
	assert_false(rows.has_service || rows.has_path || rows.mesh_excludes ||
		     rows.pod_excludes || rows.cidr_excludes ||
		     rows.has_quarantine[0] || rows.has_quarantine[1]);
	exclude(POD, SMC_ROLE_CLIENT, 80);
	exclude(0, SMC_ROLE_SERVER, 80);
	assert_reason(job, SMC_REASON_EXCLUDED_PORT);
	datapath_peer_rows(dp, POD, &job, &rows);
	assert_true(rows.pod_excludes && rows.pod_ports.first == 80);
	assert_false(rows.mesh_excludes);
	/* a server's excluded port is its own */
	job.role = SMC_ROLE_SERVER;
	assert_reason(job, SMC_REASON_NONE);
	job.local.port = 80;
	assert_reason(job, SMC_REASON_EXCLUDED_PORT);
	datapath_peer_rows(dp, POD, &job, &rows);
	assert_true(rows.mesh_excludes);
	assert_false(rows.pod_excludes);
	memcpy(net.ip, addr("10.1.0.0").ip, sizeof(net.ip));
	must_put(dp->map_fd[MAP_CIDR], &net, &cidr);
	assert_reason(job_to("10.1.0.2", 81), SMC_REASON_EXCLUDED_CIDR);
	job = job_to("10.1.0.2", 81);
	datapath_peer_rows(dp, POD, &job, &rows);
	assert_true(rows.cidr_excludes);
	end();
}

static void test_service_row_and_its_transports_are_found(void **state)
{
	const struct smc_addr_port vip = at("10.96.0.1", 80);
	struct smc_service s = {.transports = R | D};
	struct smc_verdict_job job = job_to("10.96.0.1", 80);
	struct datapath_peer rows;
	__u32 transports;

	begin();
	must_put(dp->map_fd[MAP_SERVICE], &vip, &s);
	assert_int_equal(asked(job, &transports), SMC_REASON_NONE);
	assert_int_equal(transports, R | D);
	datapath_peer_rows(dp, POD, &job, &rows);
	assert_true(rows.has_service && rows.service.transports == (R | D));
	assert_false(rows.has_endpoint);
	s.transports = 0;
	must_put(dp->map_fd[MAP_SERVICE], &vip, &s);
	assert_reason(job, SMC_REASON_MIXED_SERVICE);
	end();
}

/* A question is no handshake: it leaves no trace. */
static int no_path(const struct smc_path_key *key, const struct smc_path *v,
		   void *arg)
{
	return -EEXIST;
}

static void test_asking_changes_nothing(void **state)
{
	struct smc_usage before, after;

	begin();
	assert_int_equal(datapath_usage(dp, SMC_SLOT_NODE, &before), 0);
	assert_reason(job_to("10.1.0.2", 80), SMC_REASON_NONE);
	assert_reason(job_to("10.1.0.3", 80), SMC_REASON_NOT_ENDPOINT);
	assert_int_equal(datapath_usage(dp, SMC_SLOT_NODE, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(datapath_each_path(dp, no_path, NULL), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verdict_is_of_the_pod_and_peer_that_are_asked),
		TEST(test_rows_are_those_that_decide),
		TEST(test_service_row_and_its_transports_are_found),
		TEST(test_asking_changes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
