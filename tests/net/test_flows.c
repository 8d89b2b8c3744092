// SPDX-License-Identifier: Apache-2.0
/* user/datapath: as many flows as there is room for, handed out. See world.h.
 */
#include "world.h"

#include <malloc.h>
#include "mesh/newest.h"

/* ASan's; without it malloc's own, which ASan has not. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t memory(void)
{
	const struct mallinfo2 info = mallinfo2();

	return __sanitizer_get_current_allocated_bytes
		       ? __sanitizer_get_current_allocated_bytes()
		       : info.uordblks + info.hblkhd;
}

struct seen {
	unsigned char times[2][SMC_FLOW_ENTRIES]; /* open, closed; by cookie */
	size_t memory, most;
	struct mesh_newest newest;
};

static int see_flow(const struct smc_handshake *key, const struct smc_flow *v,
		    void *arg)
{
	struct seen *seen = arg;
	size_t now = memory() - seen->memory;

	if (now > seen->most)
		seen->most = now;
	seen->times[v->closed][v->cookie]++;
	assert_int_equal(key->isn, v->cookie);
	return mesh_newest_add(&seen->newest, key, v);
}

static void fill_flows(struct datapath *dp)
{
	struct smc_handshake *keys = calloc(SMC_FLOW_ENTRIES, sizeof(*keys));
	struct smc_flow *flows = calloc(SMC_FLOW_ENTRIES, sizeof(*flows));
	__u32 n = SMC_FLOW_ENTRIES;

	for (__u32 i = 0; i < n; i++) {
		keys[i] = (struct smc_handshake){.isn = i,
						 .kind = SMC_ROLE_CLIENT};
		flows[i] = (struct smc_flow){.cookie = i,
					     .opened_ns = 1 + i * 7919ULL % n};
	}
	assert_int_equal(bpf_map_update_batch(dp->map_fd[MAP_FLOW], keys, flows,
					      &n, NULL),
			 0);
	for (__u32 i = 0; i < 1000; i++) {
		const struct smc_closed row = {
			.serial = i + 1,
			.key = keys[i],
			.flow = {.cookie = i, .closed = 1, .opened_ns = 1}};

		assert_int_equal(
			bpf_map_update_elem(dp->map_fd[MAP_FLOW_CLOSED], &i,
					    &row, BPF_ANY),
			0);
	}
	free(keys);
	free(flows);
}

/* Each once, and never all of them in memory. */
static void test_65536_flows_are_seen_once_in_little_memory(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct datapath *dp = open_idle();

	fill_flows(dp);
	seen->newest.most = 1000;
	seen->memory = memory();
	assert_int_equal(datapath_each_flow(dp, false, see_flow, seen), 0);
	for (size_t i = 0; i < SMC_FLOW_ENTRIES; i++) {
		assert_int_equal(seen->times[0][i], 1);
		assert_int_equal(seen->times[1][i], i < 1000);
	}
	/* a batch, and the thousand; all are 9 MB */
	assert_in_range(seen->most, 1, 3 << 20);
	assert_int_equal(seen->newest.total, SMC_FLOW_ENTRIES + 1000);
	assert_int_equal(seen->newest.n, 1000);
	mesh_newest_sort(&seen->newest);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(seen->newest.v[i].flow.opened_ns,
				 SMC_FLOW_ENTRIES - i);
	mesh_newest_free(&seen->newest);
	free(seen);
	datapath_close(dp);
	remove_all();
}

/* ---- those that have closed ---------------------------------------------- */

struct closed {
	size_t n;
	__u64 first, last; /* by cookie */
};

static void see_closed(const struct smc_flow *v, void *arg)
{
	struct closed *seen = arg;

	if (!seen->n++)
		seen->first = v->cookie;
	else
		assert_int_equal(v->cookie, seen->last + 1);
	seen->last = v->cookie;
}

/* As BPF does; the cookie is the serial. */
static void close_flows(struct datapath *dp, __u64 from, __u64 to)
{
	struct smc_usage node;
	__u32 at = 0;

	assert_int_equal(datapath_usage(dp, SMC_SLOT_NODE, &node), 0);
	node.closed = to;
	assert_int_equal(
		bpf_map_update_elem(dp->map_fd[MAP_USAGE], &at, &node, BPF_ANY),
		0);
	for (__u64 serial = from + 1; serial <= to; serial++) {
		const struct smc_closed row = {
			.serial = serial,
			.flow = {.cookie = serial, .closed = 1}};

		at = (serial - 1) % SMC_FLOW_CLOSED_ENTRIES;
		assert_int_equal(
			bpf_map_update_elem(dp->map_fd[MAP_FLOW_CLOSED], &at,
					    &row, BPF_ANY),
			0);
	}
}

static void test_closed_flows_are_handed_out_once_in_order(void **state)
{
	struct datapath *dp = open_idle();
	const __u64 lap = SMC_FLOW_CLOSED_ENTRIES + 150;
	__u64 serial = 0, missed = 0;
	struct closed seen = {};
	struct smc_closed row = {};
	__u32 at = lap % SMC_FLOW_CLOSED_ENTRIES;

	close_flows(dp, 0, 40);
	assert_int_equal(
		datapath_closed_since(dp, &serial, &missed, NULL, NULL), 0);
	assert_int_equal(serial, 40);
	assert_int_equal(
		datapath_closed_since(dp, &serial, &missed, see_closed, &seen),
		0);
	assert_int_equal(seen.n, 0);
	close_flows(dp, 40, 100);
	assert_int_equal(
		datapath_closed_since(dp, &serial, &missed, see_closed, &seen),
		0);
	assert_int_equal(seen.n, 60);
	assert_int_equal(seen.first, 41);
	assert_int_equal(missed, 0);
	/* the ring has gone round: the oldest 50 are overwritten */
	close_flows(dp, 100, lap);
	seen = (struct closed){};
	assert_int_equal(
		datapath_closed_since(dp, &serial, &missed, see_closed, &seen),
		0);
	assert_int_equal(seen.n, SMC_FLOW_CLOSED_ENTRIES);
	assert_int_equal(seen.first, 151);
	assert_int_equal(seen.last, lap);
	assert_int_equal(missed, 50);
	/* one that is being written has no serial */
	close_flows(dp, lap, lap + 1);
	assert_int_equal(bpf_map_update_elem(dp->map_fd[MAP_FLOW_CLOSED], &at,
					     &row, BPF_ANY),
			 0);
	seen = (struct closed){};
	assert_int_equal(
		datapath_closed_since(dp, &serial, &missed, see_closed, &seen),
		0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(missed, 51);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_65536_flows_are_seen_once_in_little_memory),
		TEST(test_closed_flows_are_handed_out_once_in_order),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
