// SPDX-License-Identifier: Apache-2.0
/* What the agent keeps: pods and their numbers, the lock, the run directory. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/text.h"
#include "node/run_dir.h"
#include "pods/pods.h"
#include "pods/waiting.h"

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

static void test_changed_pod_is_stale_and_swept_pod_goes(void **state)
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
static void test_pods_keep_copies_of_the_world(void **state)
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
	assert_false(pods_stale_at(&pods, "/run/netns/c", NULL));
	assert_false(pods_stale_at(&pods, "/run/net", NULL));
	assert_false(pa->stale || pb->stale);
	assert_true(pods_stale_at(&pods, "/run/netns/a", NULL));
	assert_true(pa->stale && !pb->stale);
	assert_true(pods_stale_at(&pods, "/run/netns", NULL));
	assert_true(pb->stale);
	pa->stale = pb->stale = false;
	assert_int_equal(text_set(&pb->cgroup_path, "/x/b"), 0);
	assert_false(pods_stale_at(&pods, "/cg/x/b", NULL));
	assert_false(pods_stale_at(&pods, "/x/b", "/cg"));
	assert_false(pods_stale_at(&pods, "/cg/x/bb", "/cg"));
	assert_true(pods_stale_at(&pods, "/cg/x/b", "/cg"));
	assert_true(!pa->stale && pb->stale);
	pods_free(&pods);
}

static void test_pod_without_a_namespace_gets_no_number(void **state)
{
	const struct pod_how how = {
		.use = {.selector = "hs_ctrl", .ctrl = "smcmesh_1"},
		.proc = "/proc"};
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

/* How many looks at the pod there are within the next @ms, as the agent has
 * them: at its own time, in each resync, and in reconciles that come after each
 * look.
 * @first: a reconcile comes before each, too, and the look is its. */
static unsigned int looks_within(struct pods *pods, struct mesh_pod *world,
				 __u64 *now, unsigned int ms, bool first)
{
	struct pod *p = pods_put(pods, world);
	const __u64 end = *now + ms;
	__u64 resync = *now + 5000;
	unsigned int looks = 0;

	while (*now < end) {
		pod_retry_due(p, *now);
		if (first)
			pods_put(pods, world);
		looks += p->stale;
		p->stale = false;
		pods_put(pods, world);
		*now += pods_retry(pods, *now);
		if (*now < resync)
			continue;
		*now = resync;
		resync += 5000;
		pods_resync(pods);
	}
	return looks;
}

static void test_waits_are_longer_each_time(void **state)
{
	struct mesh_pod a = world_pod("a");
	struct pods pods = {};
	struct pod *p = waiting(&pods, &a);
	__u64 now = 1000;

	p->stale = true; /* it is new */
	assert_int_equal(looks_within(&pods, &a, &now, 60000, false), 7);
	for (int minute = 0; minute < 5; minute++)
		assert_int_equal(looks_within(&pods, &a, &now, 60000, false),
				 1);
	pods_free(&pods);
}

/* That it is stale, for its time has come, is no news of it. */
static void test_reconciles_do_not_shorten_the_waits(void **state)
{
	struct mesh_pod a = world_pod("a");
	struct pods pods = {};
	struct pod *p = waiting(&pods, &a);
	__u64 now = 1000;

	p->stale = true;
	assert_int_equal(looks_within(&pods, &a, &now, 60000, true), 7);
	assert_int_equal(looks_within(&pods, &a, &now, 60000, true), 1);
	/* nor is it put off by one in between */
	p->retry_at = now + 300;
	assert_int_equal(pods_retry(&pods, now + 100), 200);
	assert_false(p->stale);
	/* left over, it is tried again at once, but not without end */
	assert_int_equal(pods_retry(&pods, now + 400), 1);
	pods_free(&pods);
}

static void test_resync_leaves_waiting_pods_alone(void **state)
{
	struct mesh_pod a = world_pod("a"), b = world_pod("b");
	struct mesh_pod c = world_pod("c");
	struct pods pods = {};
	struct pod *waits = waiting(&pods, &a), *armed = waiting(&pods, &b);
	struct pod *refused = waiting(&pods, &c);

	armed->arming = POD_ARMED;
	refused->arming = POD_REFUSED;
	pods_resync(&pods);
	assert_false(waits->stale);
	assert_true(armed->stale && refused->stale);
	pods_stale(&pods);
	assert_true(waits->stale);
	pods_free(&pods);
}

static void rest(struct pods *pods, struct pod *p)
{
	p->stale = false;
	p->retries = 6;
	p->retry_at = 0;
	assert_int_equal(pods_retry(pods, 1000), 60000);
}

static void check_soon(struct pods *pods, struct pod *p)
{
	assert_true(p->stale);
	assert_int_equal(pods_retry(pods, 1000), 50);
	rest(pods, p);
}

static void test_news_end_the_wait(void **state)
{
	struct smc_addr v4[] = {addr("10.0.0.1"), addr("10.0.0.2")};
	struct mesh_pod a = world_pod("a");
	struct pods pods = {};
	struct pod *p = waiting(&pods, &a);

	rest(&pods, p);
	assert_true(pods_stale_at(&pods, "/nonexistent", NULL));
	check_soon(&pods, p);
	a.addrs = (struct mesh_addrs){&v4[0], 1};
	pods_put(&pods, &a);
	check_soon(&pods, p);
	a.addrs.v = &v4[1];
	pods_put(&pods, &a);
	check_soon(&pods, p);
	a.netns_path = (char *)"/nonexistent/other";
	pods_put(&pods, &a);
	check_soon(&pods, p);
	a.running = true;
	pods_put(&pods, &a);
	check_soon(&pods, p);
	pods_news(&pods);
	check_soon(&pods, p);
	/* control: what is none */
	pods_put(&pods, &a);
	assert_false(pods_stale_at(&pods, "/nonexistent/another", NULL));
	assert_false(p->stale);
	assert_int_equal(pods_retry(&pods, 1000), 60000);
	pods_free(&pods);
}

/* Its looks hold up the agent: they wait for longer than it would. */
static void test_slow_pod_is_not_tried_before_its_pause_ends(void **state)
{
	struct mesh_pod a = world_pod("a");
	struct pods pods = {};
	struct pod *p = waiting(&pods, &a);

	pod_pace(p, -ETIMEDOUT, 1000);
	assert_int_equal(pods_retry(&pods, 1000), 2000);
	assert_false(pod_retry_due(p, 2999));
	assert_true(pod_retry_due(p, 3000));
	pods_free(&pods);
}

static void test_each_pod_waits_for_its_own_retry(void **state)
{
	struct mesh_pod a = world_pod("a"), b = world_pod("b");
	struct pods pods = {};
	struct pod *old = waiting(&pods, &a), *fresh;

	old->retries = 3; /* one that will never be armed */
	assert_int_equal(pods_retry(&pods, 1000), 4000);
	fresh = waiting(&pods, &b);
	assert_int_equal(pods_retry(&pods, 1000), 50);
	assert_true(pod_retry_due(fresh, 1050));
	assert_false(pod_retry_due(old, 1050));
	assert_int_equal(pods_retry(&pods, 1050), 500);
	fresh->arming = POD_ARMED;
	fresh->addrs.n = 1; /* of which none is published */
	assert_int_equal(pods_retry(&pods, 1050), 500);
	fresh->published.n = 1;
	assert_int_equal(pods_retry(&pods, 1050), 3950); /* the other */
	fresh->addrs.n = fresh->published.n = 0;
	old->wanted = false;
	assert_int_equal(pods_retry(&pods, 1050), 0);
	fresh->arming = POD_UNARMED;
	assert_int_equal(pods_retry(&pods, 1050), 50);
	fresh->arming = POD_REFUSED;
	assert_int_equal(pods_retry(&pods, 1050), 0);
	pods_free(&pods);
}

/* ---- what a look has seen ------------------------------------------------ */

static void test_look_that_saw_the_same_says_so(void **state)
{
	const struct pod_how how = {
		.use = {.selector = "hs_ctrl", .ctrl = "smcmesh_1"},
		.proc = "/proc"};
	const struct netns_sidecar none = {};
	struct mesh_pod a = world_pod("a");
	struct pods pods = {};
	struct pod *p = pods_put(&pods, &a);

	p->facts = (struct netns_facts){.verified = true, .cookie = 7};
	/* its namespace is gone */
	assert_true(pod_look(&pods, p, &how, &none) & POD_LOOK_DIFFERS);
	p->stale = true;
	assert_false(pod_look(&pods, p, &how, &none) & POD_LOOK_DIFFERS);
	pods_free(&pods);
}

static void test_refused_pod_is_not_seen_verified(void **state)
{
	struct pod p = {
		.uid = (char *)"a", .id = 1, .facts = {.verified = true}};

	assert_true(pod_seen(&p).verified);
	p.arming = POD_REFUSED;
	assert_false(pod_seen(&p).verified);
	assert_int_equal(pod_seen(&p).reason, SMC_REASON_REFUSED);
}

/* What it excludes is not all in the map: that is known, and passes. */
static void test_pod_without_room_is_not_seen_verified(void **state)
{
	struct pod p = {.id = 3, .facts.verified = true, .traits = POD_NO_ROOM};

	assert_false(pod_seen(&p).verified);
	assert_int_equal(pod_seen(&p).reason, SMC_REASON_POD_MAP_FULL);
	pod_set(&p, POD_NO_ROOM, false);
	assert_true(pod_seen(&p).verified);
}

/* By slot, as the datapath says it; a pod without a number has none. */
static void test_room_is_noted_by_slot(void **state)
{
	struct pod with = {.id = 3 + SMC_PODS}, other = {.id = 4}, none = {};
	struct pod *v[] = {&with, &other, &none};
	struct pods pods = {.v = v, .n = 3};
	bool no_room[SMC_PODS] = {[0] = true, [3] = true};

	assert_true(pods_note_room(&pods, no_room));
	assert_true(pod_is(&with, POD_NO_ROOM));
	assert_false(pod_is(&other, POD_NO_ROOM) || pod_is(&none, POD_NO_ROOM));
	assert_false(pods_note_room(&pods, no_room)); /* nothing new */
	pod_set(&with, POD_RUNNING, true);
	no_room[3] = false;
	assert_true(pods_note_room(&pods, no_room));
	assert_false(pod_is(&with, POD_NO_ROOM));
	assert_true(pod_is(&with, POD_RUNNING));
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
static void test_slot_of_a_pod_that_stays_is_not_given_again(void **state)
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

static void test_pod_gets_no_number_until_a_slot_is_free(void **state)
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
static void test_numbers_of_an_agent_before_are_kept(void **state)
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
	assert_true(pod_refused(p)); /* that is the pod's, not the number's */
	p = numbered(&pods, 3);
	assert_int_equal(p->id, 2 * SMC_PODS + 2);
	assert_true(pod_refused(p));
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
		cmocka_unit_test(test_changed_pod_is_stale_and_swept_pod_goes),
		cmocka_unit_test(test_pods_keep_copies_of_the_world),
		cmocka_unit_test(test_event_concerns_only_its_path),
		cmocka_unit_test(test_pod_without_a_namespace_gets_no_number),
		cmocka_unit_test(test_a_slow_pod_is_left_alone),
		cmocka_unit_test(test_waits_are_longer_each_time),
		cmocka_unit_test(test_reconciles_do_not_shorten_the_waits),
		cmocka_unit_test(test_resync_leaves_waiting_pods_alone),
		cmocka_unit_test(test_news_end_the_wait),
		cmocka_unit_test(
			test_slow_pod_is_not_tried_before_its_pause_ends),
		cmocka_unit_test(test_each_pod_waits_for_its_own_retry),
		cmocka_unit_test(test_look_that_saw_the_same_says_so),
		cmocka_unit_test(test_refused_pod_is_not_seen_verified),
		cmocka_unit_test(test_pod_without_room_is_not_seen_verified),
		cmocka_unit_test(test_room_is_noted_by_slot),
		cmocka_unit_test(test_numbers_are_never_given_twice),
		cmocka_unit_test(
			test_slot_of_a_pod_that_stays_is_not_given_again),
		cmocka_unit_test(test_pod_gets_no_number_until_a_slot_is_free),
		cmocka_unit_test(test_numbers_of_an_agent_before_are_kept),
		cmocka_unit_test_setup_teardown(
			test_run_dir_is_closed_to_others, make_run, remove_run),
		cmocka_unit_test_setup_teardown(test_lock_names_its_holder,
						make_run, remove_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
