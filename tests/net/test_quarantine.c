// SPDX-License-Identifier: Apache-2.0
/* user/datapath: what BPF holds against peers is shown, and taken away. See
 * world.h. */
#include "world.h"

static struct smc_quarantine_key key_of(__u32 pod_id, const char *ip,
					__u16 port)
{
	struct smc_quarantine_key key = {.pod_id = pod_id, .port = port};

	memcpy(key.ip, addr(ip).ip, sizeof(key.ip));
	return key;
}

static struct smc_addr_port peer_of(const char *ip, __u16 port)
{
	const struct smc_addr a = addr(ip);

	return addr_port(&a, port);
}

/* One peer of two pods and of the node, and three that look like it. */
static void fill(int fd)
{
	const struct smc_quarantine_key keys[] = {
		key_of(7, "10.1.0.2", 80),   key_of(8, "10.1.0.2", 80),
		key_of(0, "10.1.0.2", 80),   key_of(7, "10.1.0.2", 81),
		key_of(7, "::10.1.0.2", 80), key_of(7, "fd00::2", 80),
	};
	const struct smc_quarantine q = {.state = SMC_QUARANTINE_STRUCK,
					 .strikes = 4};

	for (size_t i = 0; i < array_size(keys); i++)
		must_put(fd, &keys[i], &q);
}

static int count(const struct smc_quarantine_key *key,
		 const struct smc_quarantine *v, void *arg)
{
	assert_int_equal(v->state, SMC_QUARANTINE_STRUCK);
	assert_int_equal(v->strikes, 4);
	*(unsigned int *)arg += 1 + 100 * (key->pod_id == 7);
	return 0;
}

static unsigned int counted(struct datapath *dp)
{
	unsigned int n = 0;

	assert_int_equal(datapath_each_quarantine(dp, count, &n), 0);
	return n;
}

static int stop(const struct smc_quarantine_key *key,
		const struct smc_quarantine *v, void *arg)
{
	return -EXDEV;
}

static void test_every_quarantine_row_is_walked_until_stopped(void **state)
{
	struct datapath *dp = open_idle();

	assert_int_equal(counted(dp), 0);
	assert_int_equal(datapath_each_quarantine(dp, stop, NULL), 0);
	fill(dp->map_fd[MAP_QUARANTINE]);
	assert_int_equal(counted(dp), 406);
	assert_int_equal(datapath_each_quarantine(dp, stop, NULL), -EXDEV);
	datapath_close(dp);
	remove_all();
}

static void test_quarantine_is_cleared_by_peer_or_whole(void **state)
{
	struct datapath *dp = open_idle();
	struct smc_addr_port peer = peer_of("10.1.0.2", 80);

	fill(dp->map_fd[MAP_QUARANTINE]);
	assert_int_equal(datapath_quarantine_clear(dp, &peer), 3);
	assert_int_equal(counted(dp), 303);
	assert_int_equal(datapath_quarantine_clear(dp, &peer), 0);
	peer = peer_of("fd00::2", 80);
	assert_int_equal(datapath_quarantine_clear(dp, &peer), 1);
	assert_int_equal(datapath_quarantine_clear(dp, NULL), 2);
	assert_int_equal(datapath_quarantine_clear(dp, NULL), 0);
	assert_int_equal(counted(dp), 0);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_quarantine_row_is_walked_until_stopped),
		TEST(test_quarantine_is_cleared_by_peer_or_whole),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
