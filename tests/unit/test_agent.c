// SPDX-License-Identifier: Apache-2.0
/* What the agent keeps: pods and their numbers, the lock, the run directory. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/run_dir.h"
#include "pods/pods.h"

static struct mesh_pod world_pod(const char *uid)
{
	return (struct mesh_pod){.uid = (char *)uid,
				 .ns = (char *)"ns",
				 .name = (char *)uid,
				 .netns_path = (char *)"/nonexistent/netns"};
}

static int gone;

static void count_gone(const struct pod *p, void *arg)
{
	gone++;
	assert_string_equal(p->uid, arg);
}

static void test_pods_come_and_go(void **state)
{
	struct pods pods = {};
	struct mesh_pod a = world_pod("a"), b = world_pod("b");
	struct pod *p = pods_put(&pods, &a);

	assert_non_null(p);
	assert_true(p->stale);
	p->stale = false;
	assert_ptr_equal(pods_put(&pods, &a), p);
	assert_false(p->stale); /* nothing changed */
	a.netns_path = (char *)"/nonexistent/other";
	assert_ptr_equal(pods_put(&pods, &a), p);
	assert_true(p->stale);
	assert_string_equal(p->netns_path, "/nonexistent/other");
	assert_non_null(pods_put(&pods, &b));
	assert_int_equal(pods.n, 2);
	p->mark = true;
	gone = 0;
	pods_sweep(&pods, count_gone, "b");
	assert_int_equal(gone, 1);
	assert_int_equal(pods.n, 1);
	assert_false(p->mark);
	assert_null(pods_find(&pods, "b"));
	assert_ptr_equal(pods_find(&pods, "a"), p);
	pods_free(&pods);
}

/* The world may be freed after each reconcile: nothing points into it. */
static void test_pods_keep_copies(void **state)
{
	struct pods pods = {};
	char uid[] = "uid", name[] = "name", problem[] = "bad";
	struct smc_addr v4 = addr("10.0.0.1");
	struct mesh_pod pod = {
		.uid = uid, .ns = name, .name = name, .addrs = {&v4, 1}};
	struct plan_pod decided = {.pod = &pod, .says.problem = problem};
	struct pod *p = pods_put(&pods, &pod);

	assert_int_equal(pod_decided(p, &decided), 0);
	memset(uid, 'x', 3);
	memset(name, 'x', 4);
	memset(problem, 'x', 3);
	memset(&v4, 0, sizeof(v4));
	assert_string_equal(p->uid, "uid");
	assert_string_equal(p->name, "name");
	assert_string_equal(p->problem, "bad");
	assert_addr(p->addrs.v[0], "10.0.0.1");
	pods_free(&pods);
}

static void test_event_concerns_only_its_path(void **state)
{
	struct pods pods = {};
	struct mesh_pod a = world_pod("a"), b = world_pod("b");
	struct pod *pa, *pb;

	a.netns_path = (char *)"/run/netns/a";
	b.netns_path = (char *)"/run/netns/ab";
	pa = pods_put(&pods, &a);
	pb = pods_put(&pods, &b);
	pa->stale = pb->stale = false;
	assert_false(pods_stale_at(&pods, "/run/netns/c"));
	assert_false(pods_stale_at(&pods, "/run/net"));
	assert_false(pa->stale || pb->stale);
	assert_true(pods_stale_at(&pods, "/run/netns/a"));
	assert_true(pa->stale && !pb->stale);
	assert_true(pods_stale_at(&pods, "/run/netns"));
	assert_true(pb->stale);
	pods_free(&pods);
}

static void test_namespace_that_is_not_there(void **state)
{
	const struct pod_how how = {.ctrl = "smcmesh_1", .proc = "/proc"};
	const struct netns_sidecar none = {};
	struct mesh_pod a = world_pod("a");
	struct pods pods = {};
	struct pod *p = pods_put(&pods, &a);
	struct mesh_seen seen;

	pod_look(&pods, p, &how, &none);
	assert_false(p->stale);
	assert_int_equal(p->err, -ENOENT);
	seen = pod_seen(p);
	assert_false(seen.verified);
	assert_int_equal(seen.netns_cookie, 0);
	/* No number is given away for nothing. */
	assert_int_equal(p->id, 0);
	assert_null(pods_by_id(&pods, 0));
	pods_free(&pods);
}

/* One that keeps the agent waiting is left alone, longer each time. */
static void test_a_slow_pod_is_left_alone(void **state)
{
	const struct netns_sidecar none = {};
	struct pod_how how = {.now = 1000};
	struct pod p = {.stale = true};

	assert_true(pod_look_due(&p, &how, &none));
	for (__u64 wait = 2000; wait <= 128000; wait *= 2) {
		pod_pace(&p, -ETIMEDOUT, how.now);
		how.now += wait - 1;
		assert_false(pod_look_due(&p, &how, &none));
		how.now++;
		assert_true(pod_look_due(&p, &how, &none));
	}
	pod_pace(&p, -ETIMEDOUT, how.now);
	assert_int_equal(p.slow_until, how.now + 128000);
	/* whatever it answers, it has answered */
	pod_pace(&p, -ENOENT, how.now);
	assert_true(pod_look_due(&p, &how, &none));
	pod_pace(&p, -ETIMEDOUT, how.now);
	assert_int_equal(p.slow_until, how.now + 2000);
}

/* ---- those that wait ----------------------------------------------------- */

static struct pod *waiting(struct pods *pods, struct mesh_pod *world)
{
	struct pod *p = pods_put(pods, world);

	p->wanted = true;
	p->stale = false;
	return p;
}

static void test_waits_are_longer_each_time(void **state)
{
	struct mesh_pod a = world_pod("a");
	struct pods pods = {};
	struct pod *p = waiting(&pods, &a);
	__u64 now = 1000;
	unsigned int ms;
	bool due;

	for (unsigned int want = 50; want <= 3200; want *= 2) {
		ms = pods_retry(&pods, now, &due);
		assert_false(due);
		assert_int_equal(ms, want);
		/* A reconcile in between does not put it off. */
		assert_int_equal(pods_retry(&pods, now + want / 2, &due),
				 want - want / 2);
		assert_false(due || p->stale);
		now += want;
		pods_retry(&pods, now, &due);
		assert_true(due && p->stale);
		p->stale = false;
	}
	/* In the end only the resync looks. */
	assert_int_equal(pods_retry(&pods, now, &due), 0);
	/* Until something happens. */
	assert_true(pods_stale_at(&pods, "/nonexistent"));
	assert_int_equal(pods_retry(&pods, now, &due), 50);
	pods_free(&pods);
}

static void test_each_waits_for_itself(void **state)
{
	struct mesh_pod a = world_pod("a"), b = world_pod("b");
	struct smc_addr v4 = addr("10.0.0.1");
	struct pods pods = {};
	struct pod *old = waiting(&pods, &a), *fresh;
	bool due;

	old->retry_ms = 1600; /* one that will never be armed */
	assert_int_equal(pods_retry(&pods, 1000, &due), 3200);
	fresh = waiting(&pods, &b);
	assert_int_equal(pods_retry(&pods, 1000, &due), 50);
	pods_retry(&pods, 1050, &due);
	assert_true(due && fresh->stale && !old->stale);
	/* Its address is told: soon again. */
	assert_int_equal(pods_retry(&pods, 1050, &due), 100);
	b.addrs = (struct mesh_addrs){&v4, 1};
	pods_put(&pods, &b);
	assert_int_equal(pods_retry(&pods, 1050, &due), 50);
	fresh->armed = true;
	assert_int_equal(pods_retry(&pods, 1050, &due), 50); /* address */
	fresh->published.n = 1;
	assert_int_equal(pods_retry(&pods, 1050, &due), 3150); /* the other */
	fresh->published.n = 0;
	old->wanted = false;
	assert_int_equal(pods_retry(&pods, 1050, &due), 50);
	fresh->refused = true;
	assert_int_equal(pods_retry(&pods, 1050, &due), 0);
	pods_free(&pods);
}

static void test_refused_pod_is_not_seen_verified(void **state)
{
	struct pod p = {
		.uid = (char *)"a", .id = 1, .facts = {.verified = true}};

	assert_true(pod_seen(&p).verified);
	p.refused = true;
	assert_false(pod_seen(&p).verified);
	assert_int_equal(pod_seen(&p).reason, SMC_REASON_REFUSED);
}

/* What it excludes is not all in the map: that is known, and passes. */
static void test_no_room_is_not_armed(void **state)
{
	struct pod p = {.id = 3, .facts.verified = true, .no_room = true};

	assert_false(pod_seen(&p).verified);
	assert_int_equal(pod_seen(&p).reason, SMC_REASON_POD_MAP_FULL);
	p.no_room = false;
	assert_true(pod_seen(&p).verified);
}

static void test_numbers_are_never_given_twice(void **state)
{
	struct pods pods = {};

	assert_int_equal(pods_adopt(&pods, 100, false, 7, false), 0);
	assert_int_equal(pods_adopt(&pods, 100, true, 9, false), 0);
	pods_avoid(&pods, 5);
	assert_int_equal(pods.last_id, 9);
	pods_avoid(&pods, 40);
	assert_int_equal(pods.last_id, 40);
	pods_free(&pods);
}

static struct pod *numbered(struct pods *pods, int i)
{
	char uid[16];
	struct mesh_pod world;
	struct pod *p;

	snprintf(uid, sizeof(uid), "p%d", i);
	world = world_pod(uid);
	p = pods_put(pods, &world);
	p->facts.cookie = 10000 + i;
	p->facts.verified = true;
	pods_number(pods, p);
	return p;
}

static void drop(struct pods *pods, struct pod *p)
{
	for (size_t i = 0; i < pods->n; i++)
		pods->v[i]->mark = pods->v[i] != p;
	pods_sweep(pods, count_gone, p->uid);
}

/* Whoever comes while the first one stays has no number of its slot, and a slot
 * that is free again is the last to be used. */
static void test_slots_wrap(void **state)
{
	struct pods pods = {};
	struct pod *stays = numbered(&pods, 0), *p;
	__u32 last = stays->id;
	bool used[SMC_PODS] = {};

	assert_int_equal(stays->id, 1);
	for (int i = 1; i < 3 * SMC_PODS; i++) {
		p = numbered(&pods, i);
		assert_true(p->id > last);
		last = p->id;
		assert_true(smc_is_pod_slot(smc_slot(p->id)));
		assert_ptr_equal(pods_by_slot(&pods, smc_slot(p->id)), p);
		if (i < SMC_POD_SLOTS)
			assert_false(used[smc_slot(p->id)]);
		used[smc_slot(p->id)] = true;
		drop(&pods, p);
	}
	pods_free(&pods);
}

static void test_no_slot_is_free(void **state)
{
	struct pods pods = {};
	struct pod *p, *gone = NULL;
	struct mesh_seen seen;
	__u32 slot;

	for (int i = 1; i <= SMC_POD_SLOTS; i++) {
		p = numbered(&pods, i);
		assert_int_equal(p->id, i);
		if (i == 300)
			gone = p;
	}
	p = numbered(&pods, SMC_PODS);
	assert_int_equal(p->id, 0);
	seen = pod_seen(p);
	assert_false(seen.verified);
	assert_int_equal(seen.reason, SMC_REASON_POD_MAP_FULL);
	assert_int_equal(pods.last_id, SMC_POD_SLOTS);
	slot = smc_slot(gone->id);
	drop(&pods, gone);
	pods_number(&pods, p);
	assert_int_equal(smc_slot(p->id), slot);
	assert_true(p->id > SMC_PODS);
	assert_true(pod_seen(p).verified);
	pods_free(&pods);
}

/* What an agent before us gave is kept, also an ABI ago when numbers had no
 * slots: unless the slot is another pod's by then. */
static void test_numbers_before_us(void **state)
{
	struct pods pods = {};
	struct pod *p;

	assert_int_equal(pods_adopt(&pods, 10001, false, 7, false), 0);
	assert_int_equal(pods_adopt(&pods, 10002, false, 7 + SMC_PODS, true),
			 0);
	assert_int_equal(pods_adopt(&pods, 10003, false, 2 * SMC_PODS, true),
			 0);
	assert_int_equal(pods_adopt(&pods, 10004, false, 9, false), 0);
	pods_avoid_slot(&pods, 5);
	assert_int_equal(numbered(&pods, 1)->id, 7);
	p = numbered(&pods, 2);
	assert_int_equal(p->id, 2 * SMC_PODS + 1);
	assert_true(p->refused); /* that is the pod's, not the number's */
	p = numbered(&pods, 3);
	assert_int_equal(p->id, 2 * SMC_PODS + 2);
	assert_true(p->refused);
	/* 5 was counted at, 7 is there, 9 may still come */
	assert_int_equal(numbered(&pods, 10)->id, 2 * SMC_PODS + 3);
	assert_int_equal(numbered(&pods, 11)->id, 2 * SMC_PODS + 4);
	assert_int_equal(numbered(&pods, 12)->id, 2 * SMC_PODS + 6);
	assert_int_equal(numbered(&pods, 13)->id, 2 * SMC_PODS + 8);
	assert_int_equal(numbered(&pods, 14)->id, 2 * SMC_PODS + 10);
	assert_int_equal(numbered(&pods, 4)->id, 9);
	pods_forget_before(&pods);
	pods.last_id = 3 * SMC_PODS + 4;
	assert_int_equal(numbered(&pods, 15)->id, 3 * SMC_PODS + 5);
	pods_free(&pods);
}

/* ---- lock and directory ------------------------------------------------- */

static char run[64];

static int make_run(void **state)
{
	char dir[] = "/tmp/test_agent.XXXXXX";

	if (!mkdtemp(dir))
		return -1;
	snprintf(run, sizeof(run), "%s/run", dir);
	return 0;
}

static int remove_run(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/agent.lock", run);
	unlink(path);
	rmdir(run);
	*strrchr(run, '/') = '\0';
	return rmdir(run);
}

static void test_run_dir_is_closed_to_others(void **state)
{
	struct stat st;

	assert_int_equal(run_dir_make(run), 0);
	assert_int_equal(chmod(run, 0755), 0);
	assert_int_equal(run_dir_make(run), 0);
	assert_int_equal(stat(run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_lock_names_its_holder(void **state)
{
	pid_t holder = 0;
	int first, second;

	assert_int_equal(lock_take(run, &holder), -ENOENT);
	assert_int_equal(run_dir_make(run), 0);
	first = lock_take(run, &holder);
	assert_true(first >= 0);
	second = lock_take(run, &holder);
	assert_int_equal(second, -EBUSY);
	assert_int_equal(holder, getpid());
	close(first);
	first = lock_take(run, &holder);
	assert_true(first >= 0);
	close(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pods_come_and_go),
		cmocka_unit_test(test_pods_keep_copies),
		cmocka_unit_test(test_event_concerns_only_its_path),
		cmocka_unit_test(test_namespace_that_is_not_there),
		cmocka_unit_test(test_a_slow_pod_is_left_alone),
		cmocka_unit_test(test_waits_are_longer_each_time),
		cmocka_unit_test(test_each_waits_for_itself),
		cmocka_unit_test(test_refused_pod_is_not_seen_verified),
		cmocka_unit_test(test_no_room_is_not_armed),
		cmocka_unit_test(test_numbers_are_never_given_twice),
		cmocka_unit_test(test_slots_wrap),
		cmocka_unit_test(test_no_slot_is_free),
		cmocka_unit_test(test_numbers_before_us),
		cmocka_unit_test_setup_teardown(
			test_run_dir_is_closed_to_others, make_run, remove_run),
		cmocka_unit_test_setup_teardown(test_lock_names_its_holder,
						make_run, remove_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
