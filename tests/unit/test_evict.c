// SPDX-License-Identifier: Apache-2.0
/* Who is evicted, and when again. An evict_next() is a reconcile of the agent.
 */
#include "talk.h"

#include "cluster/evict.h"

#define EVICT(name) "POST /api/v1/namespaces/a%20b/pods/" name "/eviction "
#define REFUSED "{\"message\":\"it would violate the pod's disruption budget\"}"
#define FAR_MS (10 * 60 * 1000)

static struct bench {
	struct talk t;
	struct pods pods;
	struct evict *evict;
} b;

static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	talk_open(&b.t);
	b.evict = evict_new(&b.t.loop, b.t.client, &b.pods);
	assert_non_null(b.evict);
	return 0;
}

static int down(void **state)
{
	evict_close(b.evict);
	pods_free(&b.pods);
	talk_close(&b.t);
	return 0;
}

static struct pod *add_late(const char *name)
{
	struct pod *p = pods_put(&b.pods, &(struct mesh_pod){
						  .uid = (char *)name,
						  .ns = (char *)"a b",
						  .name = (char *)name,
						  .replaced = true,
					  });

	assert_non_null(p);
	p->arming = POD_ARMED;
	pod_set(p, POD_BEFORE, true);
	p->n_late = 1;
	return p;
}

static void forget_gone(const struct pod *p, void *arg)
{
}

static void leave(struct pod *gone)
{
	for (size_t i = 0; i < b.pods.n; i++)
		b.pods.v[i]->mark = b.pods.v[i] != gone;
	pods_sweep(&b.pods, forget_gone, NULL);
}

/* The pod is asked for, and its request refused. */
static void refuse(struct pod *p, const char *request, int status)
{
	unsigned int before = p->told.evict.failures;

	evict_next(b.evict);
	talk_answer(&b.t, request, status, REFUSED);
	wait_for(&b.t.api, p->told.evict.failures > before);
}

static void agree(struct pod *p, const char *request)
{
	evict_next(b.evict);
	talk_answer(&b.t, request, 201, "{}");
	wait_for(&b.t.api, p->told.flags & POD_GOING);
}

static bool nobody_is_asked_for(void)
{
	evict_next(b.evict);
	return talk_is_quiet(&b.t);
}

static void only_late_pods_from_before_that_come_anew_are_evicted(void **state)
{
	add_late("p0")->arming = POD_UNARMED;
	add_late("p1")->n_late = 0;
	pod_set(add_late("p2"), POD_BEFORE, false);
	pod_set(add_late("p3"), POD_REPLACED, false);
	assert_true(nobody_is_asked_for());
	add_late("p4");
	evict_next(b.evict);
	assert_true(
		fake_asks(fake_wait(&b.t.api, EVICT("p4")), "\"uid\":\"p4\""));
}

static void next_eviction_waits_until_the_pod_is_gone(void **state)
{
	struct pod *p1 = add_late("p1"), *p2 = add_late("p2");

	evict_next(b.evict);
	fake_wait(&b.t.api, EVICT("p1"));
	evict_next(b.evict); /* its answer is awaited */
	talk_answer(&b.t, EVICT("p1"), 201, "{}");
	wait_for(&b.t.api, p1->told.flags & POD_GOING);
	assert_true(nobody_is_asked_for());
	p1->arming = POD_UNARMED; /* that is not being gone */
	assert_true(nobody_is_asked_for());
	leave(p1);
	agree(p2, EVICT("p2"));
}

/* A budget that never allows it, 429; two budgets for one pod, 500; rights that
 * were not given, 403. */
static void refused_eviction_holds_up_no_other_pod(void **state)
{
	struct pod *p1 = add_late("p1"), *p2 = add_late("p2"),
		   *p3 = add_late("p3"), *p4 = add_late("p4");

	refuse(p1, EVICT("p1"), 429);
	refuse(p2, EVICT("p2"), 500);
	refuse(p3, EVICT("p3"), 403);
	/* whoever was refused has waited less */
	p1->told.evict.after = uv_now(&b.t.loop);
	agree(p4, EVICT("p4"));
	leave(p4);
	agree(p1, EVICT("p1"));
}

static void refused_eviction_is_asked_for_again_later(void **state)
{
	struct pod *p = add_late("p1");
	__u64 first;

	refuse(p, EVICT("p1"), 429);
	first = p->told.evict.after;
	assert_true(first > uv_now(&b.t.loop));
	assert_true(nobody_is_asked_for());
	wait_for(&b.t.api, uv_now(&b.t.loop) >= first);
	refuse(p, EVICT("p1"), 429);
	assert_int_equal(p->told.evict.failures, 2);
	assert_true(p->told.evict.after > first);
}

static void pod_no_longer_late_is_not_evicted(void **state)
{
	struct pod *p = add_late("p1");

	refuse(p, EVICT("p1"), 429);
	p->told.evict.after = uv_now(&b.t.loop);
	p->n_late = 0;
	assert_true(nobody_is_asked_for());
	/* another time, another story, but not earlier */
	assert_int_equal(p->told.evict.failures, 0);
	assert_null(p->told.evict.said);
	p->told.evict.after = uv_now(&b.t.loop) + FAR_MS;
	p->n_late = 1;
	assert_true(nobody_is_asked_for());
}

static void eviction_trouble_is_said_once_until_it_changes(void **state)
{
	struct pod *p = add_late("p1");
	const char *said;

	refuse(p, EVICT("p1"), 429);
	said = p->told.evict.said;
	assert_string_equal(said, "cannot create pods/eviction a%20b/p1: 429, "
				  "it would violate the pod's disruption "
				  "budget");
	p->told.evict.after = 0;
	refuse(p, EVICT("p1"), 429);
	assert_ptr_equal(p->told.evict.said, said);
	p->told.evict.after = 0;
	refuse(p, EVICT("p1"), 500);
	assert_says(p->told.evict.said, ": 500, ");
}

/* 404: it is gone; 409: another pod has its name. The source says so later. */
static void pod_that_is_gone_lets_the_next_be_evicted(void **state)
{
	struct pod *p1 = add_late("p1"), *p2 = add_late("p2"),
		   *p3 = add_late("p3");

	refuse(p1, EVICT("p1"), 404);
	assert_null(p1->told.evict.said);
	refuse(p2, EVICT("p2"), 409);
	assert_null(p2->told.evict.said);
	agree(p3, EVICT("p3"));
}

static void eviction_waits_as_long_as_retry_after_says(void **state)
{
	struct pod *p = add_late("p1");
	__u64 begin = uv_now(&b.t.loop);

	evict_next(b.evict);
	fake_reply_with(fake_wait(&b.t.api, EVICT("p1")), 429,
			"Retry-After: 40\r\n", REFUSED);
	wait_for(&b.t.api, p->told.evict.failures);
	/* And a little more, each node its own: the first back-off. */
	assert_in_range(p->told.evict.after, begin + 40000,
			uv_now(&b.t.loop) + 40000 + 500);
	assert_true(nobody_is_asked_for());
}

/* The server may have agreed, so nobody else goes before that is known; but it
 * may be for ever that it has no answer. */
static void lost_eviction_answer_is_asked_for_first(void **state)
{
	struct pod *p2 = add_late("p2"), *p1 = add_late("p1");

	p2->told.evict.after = 1; /* it has waited less at first */
	for (unsigned int i = 1; i <= 3; i++) {
		if (i > 1)
			assert_true(nobody_is_asked_for());
		p1->told.evict.after = 0;
		evict_next(b.evict);
		fake_drop(fake_wait(&b.t.api, EVICT("p1")));
		wait_for(&b.t.api, p1->told.evict.lost == i);
		assert_non_null(p1->told.evict.said);
	}
	refuse(p2, EVICT("p2"), 429);
	p1->told.evict.after = 0;
	refuse(p1, EVICT("p1"), 429);
	assert_int_equal(p1->told.evict.lost, 0);
}

static void pod_that_leaves_during_its_eviction_is_forgotten(void **state)
{
	struct pod *p1 = add_late("p1"), *p2 = add_late("p2");

	evict_next(b.evict);
	fake_wait(&b.t.api, EVICT("p1"));
	leave(p1);
	talk_answer(&b.t, EVICT("p1"), 429, REFUSED);
	assert_true(talk_is_quiet(&b.t));
	agree(p2, EVICT("p2"));
}

static void closing_with_an_eviction_under_way_is_clean(void **state)
{
	add_late("p1");
	evict_next(b.evict);
	fake_wait(&b.t.api, EVICT("p1"));
}

#define test(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(only_late_pods_from_before_that_come_anew_are_evicted),
		test(next_eviction_waits_until_the_pod_is_gone),
		test(refused_eviction_holds_up_no_other_pod),
		test(refused_eviction_is_asked_for_again_later),
		test(pod_no_longer_late_is_not_evicted),
		test(eviction_trouble_is_said_once_until_it_changes),
		test(pod_that_is_gone_lets_the_next_be_evicted),
		test(eviction_waits_as_long_as_retry_after_says),
		test(lost_eviction_answer_is_asked_for_first),
		test(pod_that_leaves_during_its_eviction_is_forgotten),
		test(closing_with_an_eviction_under_way_is_clean),
	};

	return cmocka_run_group_tests_name("evict", tests, NULL, NULL);
}
