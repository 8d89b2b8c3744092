// SPDX-License-Identifier: Apache-2.0
/*
 * Who has an address that pods of several nodes claim, as each node sees it.
 *
 * Three nodes with a scene each. A node's turn: it plans with what the others
 * have published last, and publishes itself, as the text that the API server
 * gets and the others read. In a round all have their turn, either at once, so
 * that nobody knows yet what the others say in this round, or one by one.
 */
#include "worlds.h"
#include "objects/decode.h"
#include "objects/encode.h"
#include "mesh/smcnode_status.h"

#define NODES 3
#define PODS 6
#define TEXTS 64 /* of a node, in one test */
#define IP "10.0.0.1"

static char names[NODES][3] = {"n1", "n2", "n3"};

struct node {
	struct scene *s;
	struct mesh_ready ready;
	/* all that it said, for plans point into it: the last one counts */
	struct mesh_node said[TEXTS];
	char *texts[TEXTS];
	size_t n;
	bool older; /* an agent that does not publish claims */
};

struct cluster {
	struct node nodes[NODES];
	struct where {
		int node; /* -1: there is no such pod */
		const char *ip;
		long long created;
		bool host;
	} pods[PODS];
};

static int cluster_setup(void **state)
{
	struct cluster *c = calloc(1, sizeof(*c));

	for (int i = 0; i < NODES; i++) {
		scene_setup((void **)&c->nodes[i].s);
		c->nodes[i].s->host.node = names[i];
	}
	for (int i = 0; i < PODS; i++)
		c->pods[i].node = -1;
	*state = c;
	return 0;
}

static void forget_said(struct node *n)
{
	for (size_t i = 0; i < n->n; i++) {
		mesh_node_free(&n->said[i]);
		free(n->texts[i]);
	}
	n->n = 0;
}

static int cluster_teardown(void **state)
{
	struct cluster *c = *state;

	for (int i = 0; i < NODES; i++) {
		forget_said(&c->nodes[i]);
		scene_teardown((void **)&c->nodes[i].s);
	}
	free(c);
	return 0;
}

/* ---- a turn ---------------------------------------------------------------
 */

/* The world of a node: its own pods, each verified, and the others' SmcNodes.
 */
static void make_world(struct cluster *c, int me)
{
	static const char *const pod_names[PODS] = {"a", "b", "c",
						    "d", "e", "f"};
	struct scene *s = c->nodes[me].s;

	s->world.n_pods = s->world.n_nodes = 0;
	s->n_seen = s->n_addrs = 0;
	for (int i = 0; i < PODS; i++) {
		const struct where *w = &c->pods[i];
		struct mesh_pod *p;

		if (w->node != me)
			continue;
		p = add_pod(s, names[me], pod_names[i], w->ip);
		p->created = w->created;
		p->host_network = w->host;
		see(s, p);
	}
	for (int i = 0; i < NODES; i++)
		if (i != me && c->nodes[i].n)
			s->nodes[s->world.n_nodes++] =
				c->nodes[i].said[c->nodes[i].n - 1];
}

static void drop_claims(struct mesh_publish *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->endpoints[i].transports)
			p->endpoints[kept++] = p->endpoints[i];
	p->n = kept;
	p->n_claims = 0;
}

static char *publish_text(struct node *n, const char *name)
{
	static const char *const ueids[] = {MESH_DEFAULT_UEID};
	struct mesh_publish made;
	const struct kube_smcnode node = {.name = name,
					  .boot_id = "b",
					  .transports = R | D,
					  .ueids = ueids,
					  .n_ueids = 1,
					  .publish = &made};
	struct buf text = {0};

	assert_int_equal(mesh_publish(&n->s->host, &n->s->plan, NULL, NULL,
				      &n->ready, 1, &made),
			 0);
	if (n->older)
		drop_claims(&made);
	assert_int_equal(kube_encode_smcnode(&node, &text), 0);
	mesh_publish_free(&made);
	return buf_take(&text);
}

static void say(struct node *n, char *text)
{
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	struct buf notes = {0};

	assert_in_range(n->n, 0, TEXTS - 1);
	assert_int_equal(kube_decode(KIND_SMCNODE, yyjson_doc_get_root(doc),
				     &n->said[n->n], &notes),
			 0);
	assert_null(notes.data);
	n->texts[n->n++] = text;
	yyjson_doc_free(doc);
}

static void turn(struct cluster *c, int me)
{
	make_world(c, me);
	plan(c->nodes[me].s);
	say(&c->nodes[me], publish_text(&c->nodes[me], names[me]));
}

static void round_at_once(struct cluster *c)
{
	char *texts[NODES];

	for (int i = 0; i < NODES; i++) {
		make_world(c, i);
		plan(c->nodes[i].s);
		texts[i] = publish_text(&c->nodes[i], names[i]);
	}
	for (int i = 0; i < NODES; i++)
		say(&c->nodes[i], texts[i]);
}

static void round_one_by_one(struct cluster *c)
{
	for (int i = 0; i < NODES; i++)
		turn(c, i);
}

/* What was said before the last turn is of no use any more. */
static void keep_last(struct cluster *c)
{
	for (int i = 0; i < NODES; i++) {
		struct node *n = &c->nodes[i];
		char *text = n->texts[--n->n];

		mesh_node_free(&n->said[n->n]);
		forget_said(n);
		say(n, text);
	}
}

/* ---- what came out --------------------------------------------------------
 */

static const char *text_of(const struct node *n)
{
	return n->texts[n->n - 1];
}

/* @uid has the address at every node; NULL: nobody has. */
static void assert_owner(struct cluster *c, const char *uid)
{
	for (int i = 0; i < NODES; i++) {
		const struct plan_endpoint *e = endpoint(c->nodes[i].s, IP);

		assert_int_equal(!!e, !!uid);
		if (e)
			assert_string_equal(e->uid, uid);
	}
}

/* The condition of that node's SmcNode names both. */
static void assert_told(struct cluster *c, int node, const char *pods)
{
	assert_says(text_of(&c->nodes[node]), pods);
	assert_says(text_of(&c->nodes[node]), "both claim " IP);
}

static void assert_not_told(struct cluster *c, int node)
{
	assert_null(strstr(text_of(&c->nodes[node]), "claim"));
}

/* Three rounds, and further ones, of both kinds, change nothing. */
static void settle(struct cluster *c)
{
	for (int round = 0; round < 3; round++)
		round_at_once(c);
	for (int round = 0; round < 4; round++) {
		(round % 2 ? round_at_once : round_one_by_one)(c);
		for (int i = 0; i < NODES; i++) {
			const struct node *n = &c->nodes[i];

			assert_string_equal(n->texts[n->n - 1],
					    n->texts[n->n - 2]);
		}
	}
}

static void put(struct cluster *c, int pod, int node, long long created)
{
	c->pods[pod] = (struct where){node, IP, created, false};
}

static void take(struct cluster *c, int pod)
{
	c->pods[pod].node = -1;
}

/* ---- ties -----------------------------------------------------------------
 */

static void two_at_once_both_lose_for_good(void **state)
{
	struct cluster *c = *state;

	put(c, 0, 0, 5);
	put(c, 1, 1, 5);
	round_at_once(c); /* neither knows of the other */
	assert_says(text_of(&c->nodes[0]), "\"endpointCount\":1");
	settle(c);
	assert_owner(c, NULL);
	assert_told(c, 0, "pods ns/a and ns/b");
	assert_told(c, 1, "pods ns/a and ns/b");
	assert_not_told(c, 2);
	assert_int_equal(c->nodes[0].s->plan.pods[0].reason,
			 SMC_REASON_ADDRESS_CONFLICT);
	assert_says(text_of(&c->nodes[0]), "\"endpointCount\":0");
	assert_says(text_of(&c->nodes[0]),
		    "\"endpoints\":[{\"address\":\"" IP
		    "\",\"transports\":[],\"namespace\":\"ns\",\"pod\":\"a\"");
	assert_says(text_of(&c->nodes[0]), "0 of 1 enabled pod");
	assert_says(text_of(&c->nodes[0]), "armed, 0 addresses published");
}

static void the_first_one_is_told_of_the_second(void **state)
{
	struct cluster *c = *state;

	put(c, 0, 0, 5);
	round_one_by_one(c);
	round_one_by_one(c);
	assert_owner(c, "a");
	put(c, 1, 1, 5);
	round_one_by_one(c);
	round_one_by_one(c);
	assert_owner(c, NULL);
	settle(c);
	assert_owner(c, NULL);
	assert_told(c, 0, "pods ns/a and ns/b");
	assert_told(c, 1, "pods ns/a and ns/b");
}

static void when_one_goes_the_other_has_it(void **state)
{
	struct cluster *c = *state;

	for (int gone = 0; gone < 2; gone++) {
		put(c, 0, 0, 5);
		put(c, 1, 1, 5);
		settle(c);
		assert_owner(c, NULL);
		take(c, gone);
		settle(c);
		assert_owner(c, gone ? "a" : "b");
		for (int i = 0; i < NODES; i++)
			assert_not_told(c, i);
	}
}

static void of_three_each_node_names_its_own(void **state)
{
	struct cluster *c = *state;

	for (int i = 0; i < NODES; i++)
		put(c, i, i, 5);
	settle(c);
	assert_owner(c, NULL);
	assert_told(c, 0, "ns/a");
	assert_told(c, 1, "ns/b");
	assert_told(c, 2, "ns/c");
	take(c, 1);
	settle(c);
	assert_owner(c, NULL);
	take(c, 0);
	settle(c);
	assert_owner(c, "c");
}

static void two_of_a_node_lose_to_each_other_everywhere(void **state)
{
	struct cluster *c = *state;

	put(c, 0, 0, 5);
	put(c, 1, 0, 5);
	put(c, 2, 1, 4); /* older: it does not win where they tie */
	settle(c);
	assert_owner(c, NULL);
	assert_told(c, 0, "pods ns/a and ns/b");
	assert_not_told(c, 1);
	assert_int_equal(c->nodes[1].s->plan.pods[0].reason,
			 SMC_REASON_ADDRESS_CONFLICT);
}

/* ---- one that lost to a later pod -----------------------------------------
 */

static void who_lost_claims_on_and_harms_nobody(void **state)
{
	struct cluster *c = *state;

	put(c, 0, 0, 5);
	put(c, 1, 1, 6);
	settle(c);
	assert_owner(c, "b");
	assert_says(text_of(&c->nodes[0]), "\"endpointCount\":0");
	for (int i = 0; i < NODES; i++)
		assert_not_told(c, i);
	take(c, 1);
	settle(c);
	assert_owner(c, "a");
}

/* Two that tie behind a later one: neither has it, even for a moment, when that
 * one goes. */
static void a_tie_that_was_hidden_shows_at_once(void **state)
{
	struct cluster *c = *state;

	put(c, 0, 0, 5);
	put(c, 1, 1, 5);
	put(c, 2, 2, 6);
	settle(c);
	assert_owner(c, "c");
	take(c, 2);
	for (int round = 0; round < 4; round++) {
		round_at_once(c);
		for (int i = 0; i < NODES; i++)
			assert_says(text_of(&c->nodes[i]),
				    "\"endpointCount\":0");
	}
	assert_owner(c, NULL);
}

/* ---- others ---------------------------------------------------------------
 */

static void nodes_with_one_address_tie_too(void **state)
{
	struct cluster *c = *state;

	for (int i = 0; i < 2; i++) {
		put(c, i, i, 5);
		c->pods[i].host = true;
	}
	settle(c);
	assert_owner(c, NULL);
	assert_told(c, 0, "pods ns/a and ns/b");
	assert_true(
		c->nodes[0].said[c->nodes[0].n - 1].endpoints[0].host_network);
}

/* One that leaves out what it lost is not followed into a swing. */
static void an_older_neighbour_does_not_make_it_swing(void **state)
{
	struct cluster *c = *state;

	c->nodes[1].older = true;
	put(c, 0, 0, 5);
	put(c, 1, 1, 5);
	settle(c);
	assert_string_equal(endpoint(c->nodes[0].s, IP)->uid, "a");
	assert_null(endpoint(c->nodes[1].s, IP));
	assert_told(c, 1, "pods ns/a and ns/b");
}

/* Whoever was created last, of all that there are; two: nobody. */
static const char *right_owner(const struct cluster *c)
{
	static const char *const uids[] = {"a", "b", "c", "d", "e", "f"};
	const char *uid = NULL;
	long long latest = 0;

	for (int i = 0; i < PODS; i++) {
		if (c->pods[i].node < 0 || c->pods[i].created < latest)
			continue;
		uid = c->pods[i].created > latest ? uids[i] : NULL;
		latest = c->pods[i].created;
	}
	return uid;
}

/* Every set of pods there can be on two nodes, one after the other in an order
 * that changes several at a time. */
static void all_agree_with_who_sees_all(void **state)
{
	struct cluster *c = *state;
	enum { EACH = 5, POD_MAX = 4 }; /* absent, or a node and a second */
	size_t owned = 0;

	for (int set = 0; set < EACH * EACH * EACH * EACH; set++) {
		int mixed = set * 383 % (EACH * EACH * EACH * EACH);

		for (int i = 0; i < POD_MAX; i++, mixed /= EACH)
			if (mixed % EACH)
				put(c, i, mixed % 2, 5 + mixed % EACH / 3);
			else
				take(c, i);
		settle(c);
		assert_owner(c, right_owner(c));
		owned += right_owner(c) != NULL;
		keep_last(c);
	}
	assert_in_range(owned, 100, 500);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, cluster_setup, cluster_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_at_once_both_lose_for_good),
		TEST(the_first_one_is_told_of_the_second),
		TEST(when_one_goes_the_other_has_it),
		TEST(of_three_each_node_names_its_own),
		TEST(two_of_a_node_lose_to_each_other_everywhere),
		TEST(who_lost_claims_on_and_harms_nobody),
		TEST(a_tie_that_was_hidden_shows_at_once),
		TEST(nodes_with_one_address_tie_too),
		TEST(an_older_neighbour_does_not_make_it_swing),
		TEST(all_agree_with_who_sees_all),
	};

	return cmocka_run_group_tests_name("mesh/claims", tests, NULL, NULL);
}
