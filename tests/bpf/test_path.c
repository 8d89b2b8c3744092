// SPDX-License-Identifier: Apache-2.0
/* RDMA paths, on this machine's own kernel: what makes one proven or bad, for
 * how long, and who is let through meanwhile. Times are put into the rows, as
 * so much before now. */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include "bpf/path.skel.h"
#include "path_case.h"
#include <smcmesh/reasons.h>

#define S 1000000000ULL
#define CLIENT SMC_ROLE_CLIENT
#define SERVER SMC_ROLE_SERVER

/* struct smc_rdma of maps.bpf.h, which is between BPF programs alone */
struct rdma {
	__u64 doubts[2], left_ns, slow_left_ns, bad_ns;
	__s32 under_way;
	__u32 _pad;
};

static struct path_bpf *skel;
static const struct smc_path_key key = {{10, 0, 0, 1}, {10, 0, 0, 2}};

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * S + t.tv_nsec;
}

static struct path_case ask(struct path_case c)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &(char[64]){},
		    .data_size_in = 64);
	int fd = bpf_map__fd(skel->maps.path_case);
	struct smc_addr own = addr("10.0.0.1"), peer = addr("10.0.0.2");
	__u32 zero = 0;

	memcpy(c.local.ip, own.ip, sizeof(own.ip));
	memcpy(c.remote.ip, peer.ip, sizeof(peer.ip));
	assert_return_code(bpf_map_update_elem(fd, &zero, &c, BPF_ANY), errno);
	assert_return_code(bpf_prog_test_run_opts(
				   bpf_program__fd(skel->progs.path), &opts),
			   errno);
	assert_int_equal(opts.retval, 0);
	assert_return_code(bpf_map_lookup_elem(fd, &zero, &c), errno);
	return c;
}

static void put(struct smc_path row)
{
	assert_return_code(bpf_map_update_elem(bpf_map__fd(skel->maps.smc_path),
					       &key, &row, BPF_ANY),
			   errno);
}

static bool is_there(void)
{
	struct smc_path row;

	return !bpf_map_lookup_elem(bpf_map__fd(skel->maps.smc_path), &key,
				    &row);
}

static struct smc_path row(void)
{
	struct smc_path row = {};

	assert_return_code(bpf_map_lookup_elem(bpf_map__fd(skel->maps.smc_path),
					       &key, &row),
			   errno);
	return row;
}

static struct rdma rdma(void)
{
	struct rdma r;
	__u32 zero = 0;

	assert_int_equal(bpf_map__value_size(skel->maps.smc_rdma), sizeof(r));
	assert_return_code(bpf_map_lookup_elem(bpf_map__fd(skel->maps.smc_rdma),
					       &zero, &r),
			   errno);
	return r;
}

static void put_rdma(struct rdma r)
{
	__u32 zero = 0;

	assert_return_code(bpf_map_update_elem(bpf_map__fd(skel->maps.smc_rdma),
					       &zero, &r, BPF_ANY),
			   errno);
}

static int before_each(void **state)
{
	bpf_map_delete_elem(bpf_map__fd(skel->maps.smc_path), &key);
	bpf_map_delete_elem(bpf_map__fd(skel->maps.smc_slow), key.peer);
	put_rdma((struct rdma){});
	return 0;
}

/* Flags of a handshake that was let through at @since, or 0. */
static __u32 enter_at(__u32 role, __u64 since)
{
	struct path_case c = ask((struct path_case){
		.op = PATH_ENTER, .role = role, .since_ns = since});

	assert_int_equal(c.flags ? SMC_REASON_NONE : SMC_REASON_PATH_UNPROVEN,
			 c.reason == SMC_REASON_PATH_BAD
				 ? SMC_REASON_PATH_UNPROVEN
				 : c.reason);
	return c.flags;
}

static __u32 enter(__u32 role)
{
	return enter_at(role, now_ns());
}

static void leave_of(__u32 role, __u32 flags, __u64 since)
{
	ask((struct path_case){.op = PATH_LEAVE,
			       .role = role,
			       .flags = flags,
			       .since_ns = since});
}

static void leave(__u32 role, __u32 flags)
{
	leave_of(role, flags, 0);
}

static void fails(__u32 flags)
{
	ask((struct path_case){.op = PATH_FAILED, .flags = flags});
}

/* @until: 0: no answer. Return: did that make it bad? */
static bool told(__u64 asked, __u64 until)
{
	struct smc_path_job job = {
		.key = key, .asked_ns = asked, .until_ns = until};
	struct path_case c =
		ask((struct path_case){.op = PATH_TOLD, .job = job});

	assert_int_equal(c.job.result, 0);
	return c.job.made;
}

static const __u32 rdma_only = SMC_FLOW_RDMA;
static const __u32 doubt = SMC_FLOW_RDMA | SMC_FLOW_DOUBT;

/* ---- states ---- */

static void test_answered_probe_proves_the_path(void **state)
{
	__u64 now = now_ns();

	assert_false(told(now, 0));
	assert_false(is_there()); /* nothing is known of it */
	assert_false(told(now, now + 30 * S));
	assert_int_equal(row().proven_until_ns, now + 30 * S);
	assert_int_equal(row().seen_ns, now);
	/* an older one does not make its sign of life older */
	assert_false(told(now - 5 * S, now + 25 * S));
	assert_int_equal(row().seen_ns, now);
	assert_int_equal(row().bad_ns, 0);
}

static void test_unanswered_probe_makes_a_proven_path_bad(void **state)
{
	__u64 now = now_ns(), until;

	/* it never was proven, or is not any more: a peer that is not ready
	 * yet has nothing to lose */
	put((struct smc_path){.wished_ns = now});
	assert_false(told(now, 0));
	put((struct smc_path){.proven_until_ns = now - 1});
	assert_false(told(now, 0));
	assert_int_equal(row().bad_ns, 0);
	put((struct smc_path){.proven_until_ns = now + 10 * S});
	assert_true(told(now, 0));
	assert_true(row().bad_ns >= now);
	assert_int_equal(row().strikes, 1);
	assert_in_range(row().bad_until_ns, now + 20 * S, now + 30 * S);
	assert_true(rdma().bad_ns >= now);
	/* the same trouble is no second strike, and does not last longer */
	until = row().bad_until_ns;
	assert_false(told(now, 0));
	fails(rdma_only);
	assert_int_equal(row().strikes, 1);
	assert_int_equal(row().bad_until_ns, until);
}

static void test_only_an_answered_probe_ends_a_bad_path(void **state)
{
	__u64 now = now_ns();

	put((struct smc_path){.proven_until_ns = now + 10 * S});
	fails(rdma_only);
	assert_true(row().bad_ns >= now);
	/* not before its time, nor by an answer from before */
	assert_false(told(now + S, now + 31 * S));
	assert_true(row().bad_ns);
	ask((struct path_case){.op = PATH_LIVES});
	assert_int_equal(row().seen_ns, 0);
	put((struct smc_path){.bad_ns = now - 40 * S,
			      .bad_until_ns = now - 20 * S,
			      .strikes = 1});
	assert_false(told(now - 21 * S, now + 9 * S));
	assert_true(row().bad_ns);
	assert_false(told(now - 19 * S, now + 11 * S));
	assert_int_equal(row().bad_ns, 0);
	assert_int_equal(row().proven_until_ns, now + 11 * S);
	assert_int_equal(row().strikes, 1);
}

static void test_bad_time_doubles_up_to_an_hour(void **state)
{
	static const __u64 seconds[] = {20,  40,   80,	 160,  320,
					640, 1280, 2560, 3600, 3600};
	struct smc_path r;
	__u64 now;

	put((struct smc_path){});
	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		now = now_ns();
		fails(rdma_only);
		r = row();
		assert_int_equal(r.strikes, i + 1);
		assert_in_range(r.bad_until_ns - now, seconds[i] * S,
				(seconds[i] + 10) * S);
		/* its time is over, a probe was answered, it breaks again */
		r.bad_ns = 0;
		r.bad_until_ns = now - 3590 * S;
		put(r);
	}
	/* good for an hour */
	r.bad_until_ns = now_ns() - 3601 * S;
	put(r);
	fails(rdma_only);
	assert_int_equal(row().strikes, 1);
}

static void test_failure_without_rdma_or_row_is_no_sign(void **state)
{
	put((struct smc_path){});
	fails(0); /* it was not to go over RDMA */
	assert_int_equal(row().bad_ns, 0);
	bpf_map_delete_elem(bpf_map__fd(skel->maps.smc_path), &key);
	fails(rdma_only); /* a path that nobody knows */
	assert_false(is_there());
}

static void test_only_codes_of_a_dead_path_make_it_bad(void **state)
{
	static const struct {
		__u32 code, peer;
		bool bad;
	} rows[] = {
		{0x02010000, 0, true},		/* TIMEOUT_CL */
		{0x09990000, 0, true},		/* INTERR */
		{0x09990003, 0, true},		/* one of its kind */
		{0x05000000, 0x02010000, true}, /* PEERDECL: the peer says it */
		{0x05000000, 0x09990001, true},
		{0x05000000, 0x01010000, false}, /* it has no memory */
		{0x05000000, 0, false},
		{0x03010000, 0x02010000, false}, /* PEERNOSMC */
		{0x03030002, 0, false},		 /* NOROUTE */
		{0x01010000, 0, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct path_case c = {.op = PATH_CODE,
				      .code = rows[i].code,
				      .peer = rows[i].peer};

		assert_int_equal(ask(c).yes, rows[i].bad);
	}
}

static void test_wish_is_noted_and_changes_nothing_else(void **state)
{
	__u64 now = now_ns();

	ask((struct path_case){.op = PATH_WISH});
	assert_true(row().wished_ns >= now);
	assert_int_equal(row().proven_until_ns, 0);
	put((struct smc_path){.bad_ns = 5, .strikes = 3});
	ask((struct path_case){.op = PATH_WISH});
	assert_true(row().wished_ns >= now);
	assert_int_equal(row().strikes, 3);
	assert_int_equal(row().bad_ns, 5);
}

/* ---- who is let through ---- */

static void test_with_a_fresh_sign_all_pass(void **state)
{
	__u64 now = now_ns();

	assert_int_equal(enter(CLIENT), 0); /* no row: nothing is known */
	put((struct smc_path){.seen_ns = now});
	for (int i = 0; i < 100; i++)
		assert_int_equal(enter(CLIENT), rdma_only);
	assert_int_equal(rdma().under_way, 100);
	assert_int_equal(rdma().doubts[0], 0);
	assert_true(row().used_ns >= now);
	for (int i = 0; i < 100; i++)
		leave(CLIENT, rdma_only);
	assert_int_equal(rdma().under_way, 0);
	assert_true(rdma().left_ns >= now);
}

static void test_handshake_of_a_second_is_slow(void **state)
{
	__u64 now = now_ns();

	leave_of(CLIENT, rdma_only, now - S / 2);
	assert_int_equal(rdma().slow_left_ns, 0);
	leave_of(CLIENT, rdma_only, now - S);
	assert_true(rdma().slow_left_ns >= now);
}

static void test_first_contact_without_a_sign_passes_alone(void **state)
{
	put((struct smc_path){.seen_ns = now_ns() - 3 * S});
	assert_int_equal(enter(CLIENT), doubt);
	for (int i = 0; i < 20; i++)
		assert_int_equal(enter(CLIENT), 0);
	/* servers hold another lock; its link would be another one */
	assert_int_equal(enter(SERVER), doubt);
	assert_int_equal(enter(SERVER), 0);
	leave(CLIENT, doubt);
	assert_int_equal(enter(SERVER), 0);
	assert_int_equal(enter(CLIENT), doubt);
	leave(CLIENT, doubt);
	leave(SERVER, doubt);
	assert_int_equal(rdma().under_way, 0);
	/* what passed by a fresh sign ends no other's doubt */
	assert_int_equal(enter(CLIENT), doubt);
	leave(CLIENT, rdma_only);
	assert_int_equal(enter(CLIENT), 0);
}

static void test_two_without_a_sign_pass_over_a_link(void **state)
{
	struct smc_path linked = {.seen_ns = now_ns() - 3 * S, .links = {1, 0}};

	put(linked);
	assert_int_equal(enter(CLIENT), doubt);
	assert_int_equal(enter(CLIENT), doubt);
	assert_int_equal(enter(CLIENT), 0);
	/* a link of ours is none for their handshakes */
	assert_int_equal(enter(SERVER), doubt);
	assert_int_equal(enter(SERVER), 0);
	/* a first contact waits for those of links, and the reverse */
	linked.links[0] = 0;
	put(linked);
	leave(CLIENT, doubt);
	assert_int_equal(enter(CLIENT), 0);
	leave(CLIENT, doubt);
	assert_int_equal(enter(CLIENT), doubt);
	linked.links[0] = 1;
	put(linked);
	assert_int_equal(enter(CLIENT), 0);
	leave(CLIENT, doubt);
	assert_int_equal(enter(CLIENT), doubt);
}

static void test_a_doubt_ends_by_itself(void **state)
{
	struct rdma r;

	put((struct smc_path){.seen_ns = now_ns() - 3 * S});
	assert_int_equal(enter(CLIENT), doubt);
	r = rdma();
	r.doubts[0] -= 16000ULL << 8;
	put_rdma(r);
	assert_int_equal(enter(CLIENT), 0);
	r.doubts[0] -= 2000ULL << 8;
	put_rdma(r);
	assert_int_equal(enter(CLIENT), doubt);
	/* one that comes back late after all takes nothing below zero */
	leave(CLIENT, doubt);
	leave(CLIENT, doubt);
	assert_int_equal(enter(CLIENT), doubt);
	assert_int_equal(enter(CLIENT), 0);
}

static void test_a_servers_success_is_a_sign(void **state)
{
	__u64 now = now_ns();

	put((struct smc_path){.seen_ns = now - 3 * S});
	ask((struct path_case){.op = PATH_LIVES});
	assert_true(row().seen_ns >= now);
	assert_int_equal(enter(CLIENT), rdma_only);
	assert_int_equal(enter(CLIENT), rdma_only);
}

/* ---- slow ones ---- */

/* Those that this peer is slow to finish. */
static void slow(int n, __u64 since)
{
	while (n--)
		assert_int_equal(enter_at(SERVER, since), rdma_only);
}

static void test_four_slow_handshakes_make_the_path_bad(void **state)
{
	__u64 now = now_ns();

	put((struct smc_path){.seen_ns = now});
	slow(3, now - 4 * S);
	/* young ones are no trouble, however many */
	slow(1, now - 2 * S);
	slow(50, now);
	assert_int_equal(row().bad_ns, 0);
	/* a second later the four that have a place are slow */
	put((struct smc_path){.seen_ns = now + 2 * S});
	assert_int_equal(enter_at(SERVER, now + 2 * S), 0);
	assert_true(row().bad_ns);
	assert_int_equal(row().strikes, 1);
	assert_int_equal(rdma().under_way, 54);
}

static void test_slow_handshakes_that_ended_do_not_count(void **state)
{
	__u64 now = now_ns(), since = now - 4 * S;

	put((struct smc_path){.seen_ns = now});
	slow(4, since);
	leave_of(SERVER, rdma_only, since);
	assert_int_equal(enter_at(SERVER, now), rdma_only);
	/* what is older than a handshake can be has ended, unseen */
	bpf_map_delete_elem(bpf_map__fd(skel->maps.smc_slow), key.peer);
	slow(4, now - 18 * S);
	assert_int_equal(enter_at(SERVER, now), rdma_only);
	assert_int_equal(row().bad_ns, 0);
}

/* The clock begins with the machine. */
static void test_nobody_is_slow_after_boot(void **state)
{
	put((struct smc_path){.seen_ns = 10 * S});
	for (int i = 0; i < 10; i++) {
		slow(1, 10 * S + i);
		leave_of(SERVER, rdma_only, 10 * S + i);
	}
	slow(4, 10 * S);
	put((struct smc_path){.seen_ns = 14 * S});
	assert_int_equal(enter_at(SERVER, 14 * S), 0);
	assert_true(row().bad_ns);
}

static void test_slowness_by_another_bad_path_is_no_strike(void **state)
{
	__u64 now = now_ns();

	put((struct smc_path){.seen_ns = now});
	for (int i = 0; i < 10; i++)
		assert_int_equal(enter_at(CLIENT, now - 4 * S), rdma_only);
	/* one who is slow because another was is not struck, and waits */
	slow(4, now - 4 * S);
	put_rdma((struct rdma){.bad_ns = now - 10 * S});
	assert_int_equal(enter_at(SERVER, now), 0);
	assert_int_equal(row().bad_ns, 0);
	put_rdma((struct rdma){.bad_ns = now - 20 * S});
	assert_int_equal(enter_at(SERVER, now), 0);
	assert_true(row().bad_ns);
}

/* ---- who is to blame ---- */

static bool alone(__u32 flags)
{
	return ask((struct path_case){.op = PATH_ALONE, .flags = flags}).yes;
}

static void test_handshake_over_rdma_is_alone_without_others(void **state)
{
	__u64 now = now_ns();

	put_rdma((struct rdma){.under_way = 1});
	assert_true(alone(rdma_only));
	put_rdma((struct rdma){.under_way = 2});
	assert_false(alone(rdma_only));
	put_rdma((struct rdma){.under_way = 1, .left_ns = now - 5 * S});
	assert_false(alone(rdma_only));
	put_rdma((struct rdma){.under_way = 1, .left_ns = now - 7 * S});
	assert_true(alone(rdma_only));
	put_rdma((struct rdma){.under_way = 1, .bad_ns = now - 5 * S});
	assert_false(alone(rdma_only));
	put_rdma((struct rdma){.under_way = 1, .bad_ns = now - 7 * S});
	assert_true(alone(rdma_only));
}

/* Over shared memory a handshake needs the lock that a slow one over RDMA
 * holds; quick ones, of which a busy node has some at any time, hold up nobody.
 */
static void test_handshake_in_memory_is_alone_without_slow_ones(void **state)
{
	__u64 now = now_ns();

	put_rdma((struct rdma){.left_ns = now - S / 2});
	assert_true(alone(0));
	put_rdma((struct rdma){.under_way = 1});
	assert_false(alone(0));
	put_rdma((struct rdma){.slow_left_ns = now - 5 * S});
	assert_false(alone(0));
	put_rdma((struct rdma){.slow_left_ns = now - 7 * S});
	assert_true(alone(0));
	put_rdma((struct rdma){.bad_ns = now - 5 * S});
	assert_false(alone(0));
	put_rdma((struct rdma){.bad_ns = now - 7 * S});
	assert_true(alone(0));
}

static int setup(void **state)
{
	skel = path_bpf__open_and_load();
	return skel ? 0 : -1;
}

static int teardown(void **state)
{
	path_bpf__destroy(skel);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, before_each)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answered_probe_proves_the_path),
		TEST(test_unanswered_probe_makes_a_proven_path_bad),
		TEST(test_only_an_answered_probe_ends_a_bad_path),
		TEST(test_bad_time_doubles_up_to_an_hour),
		TEST(test_failure_without_rdma_or_row_is_no_sign),
		TEST(test_only_codes_of_a_dead_path_make_it_bad),
		TEST(test_wish_is_noted_and_changes_nothing_else),
		TEST(test_with_a_fresh_sign_all_pass),
		TEST(test_handshake_of_a_second_is_slow),
		TEST(test_first_contact_without_a_sign_passes_alone),
		TEST(test_two_without_a_sign_pass_over_a_link),
		TEST(test_a_doubt_ends_by_itself),
		TEST(test_a_servers_success_is_a_sign),
		TEST(test_four_slow_handshakes_make_the_path_bad),
		TEST(test_slow_handshakes_that_ended_do_not_count),
		TEST(test_nobody_is_slow_after_boot),
		TEST(test_slowness_by_another_bad_path_is_no_strike),
		TEST(test_handshake_over_rdma_is_alone_without_others),
		TEST(test_handshake_in_memory_is_alone_without_slow_ones),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
