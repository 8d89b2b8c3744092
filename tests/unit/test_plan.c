// SPDX-License-Identifier: Apache-2.0
/* mesh_want() and mesh_plan(): who is armed, and the
 * rows beside the endpoints. */
#include "worlds.h"

#define assert_reason(got, want) assert_int_equal((got), SMC_REASON_##want)

/* ---- who is wanted --------------------------------------------------------
 */

static enum smc_reason want_reason(struct scene *s)
{
	struct mesh_wants wants;
	enum smc_reason reason;

	assert_int_equal(mesh_want(&s->world, &s->host, &wants), 0);
	assert_int_equal(wants.n, 1);
	assert_ptr_equal(wants.v[0].pod, &s->pods[0]);
	reason = wants.v[0].reason;
	assert_int_equal(wants.v[0].arm, reason == SMC_REASON_NONE);
	mesh_wants_free(&wants);
	return reason;
}

static void annotated_pod_of_this_node_is_wanted(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	add_pod(s, "n2", "b", "10.0.0.2");
	add_pod(s, "", "c", "10.0.0.3");
	assert_reason(want_reason(s), NONE);
	p->enabled = MESH_UNSET;
	assert_reason(want_reason(s), NOT_ANNOTATED);
	p->enabled = MESH_OFF;
	assert_reason(want_reason(s), NOT_ANNOTATED);
}

static void first_reason_in_order_keeps_a_pod_unwanted(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	p->host_network = true;
	assert_reason(want_reason(s), NONE);
	/* From the last in the order of reasons to the first. */
	s->host.cgroup2 = false;
	assert_reason(want_reason(s), NO_CGROUP2);
	s->host.selector = false;
	assert_reason(want_reason(s), NO_SELECTOR);
	s->host.converter = false;
	assert_reason(want_reason(s), NO_CONVERTER);
	s->world.config.enabled = MESH_OFF;
	assert_reason(want_reason(s), MESH_OFF);
	p->enabled = MESH_OFF;
	assert_reason(want_reason(s), NOT_ANNOTATED);
	p->problem = (char *)"annotation x is \"y\"";
	assert_reason(want_reason(s), BAD_ANNOTATION);
	p->ended = true;
	assert_reason(want_reason(s), POD_ENDED);
}

static void cgroup2_matters_to_the_host_network_only(void **state)
{
	struct scene *s = *state;

	add_pod(s, "n1", "a", "10.0.0.1");
	s->host.cgroup2 = false;
	assert_reason(want_reason(s), NONE);
}

/* ---- who is armed ---------------------------------------------------------
 */

static void verified_pod_is_armed_and_published(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1", "fd00::1");
	struct plan_pod *armed;

	see(s, p)->transports = D;
	armed = plan(s)->pods;
	assert_true(s->plan.enabled);
	assert_int_equal(s->plan.n_pods, 1);
	assert_true(armed->armed);
	assert_reason(armed->reason, NONE);
	assert_int_equal(armed->pod_id, 1);
	assert_int_equal(armed->netns_cookie, 100);
	assert_int_equal(armed->cgroup_id, 0);
	assert_int_equal(armed->value.pod_id, 1);
	assert_int_equal(armed->value.flags, 0);
	assert_int_equal(armed->value.transports, D);
	assert_int_equal(armed->value.n_owners, 0);
	assert_int_equal(armed->published.n, 2);
	assert_int_equal(s->plan.n_endpoints, 2);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.transports, D);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.flags, 0);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.node_id,
			 mesh_node_id("n1"));
	assert_string_equal(endpoint(s, "fd00::1")->uid, "a");
	assert_string_equal(endpoint(s, "fd00::1")->node, "n1");
	assert_int_equal(s->plan.n_warnings, 0);
}

static void native_ipv6_has_no_smcr(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *own = add_pod(s, "n1", "a", "10.0.0.1", "fd00::1");

	add_pod(s, "n2", "b", "10.0.0.2", "fd00::2");
	s->host.transports = R | D;
	see(s, own)->transports = R | D;
	plan(s);
	assert_int_equal(endpoint(s, "10.0.0.1")->value.transports, R | D);
	assert_int_equal(endpoint(s, "fd00::1")->value.transports, D);
	assert_int_equal(endpoint(s, "10.0.0.2")->value.transports, R);
	assert_int_equal(endpoint(s, "fd00::2")->value.transports, 0);
}

static void what_was_not_seen_is_not_armed(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");
	struct mesh_seen *seen;

	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, NO_NETNS);
	assert_int_equal(s->plan.n_endpoints, 0);

	seen = see(s, p);
	seen->verified = false;
	seen->reason = SMC_REASON_FOREIGN_SELECTOR;
	assert_reason(plan(s)->pods[0].reason, FOREIGN_SELECTOR);
	assert_false(s->plan.pods[0].armed);
	assert_int_equal(s->plan.n_endpoints, 0);
	seen->verified = true;
	assert_true(plan(s)->pods[0].armed);

	seen->transports = 0;
	assert_reason(plan(s)->pods[0].reason, NO_TRANSPORT);
	seen->transports = R;
	seen->netns_cookie = 0;
	assert_reason(plan(s)->pods[0].reason, NO_NETNS);
	seen->netns_cookie = s->host.netns_cookie;
	assert_reason(plan(s)->pods[0].reason, NO_NETNS);
	seen->netns_cookie = 7;
	seen->pod_id = 0;
	seen->reason = SMC_REASON_NONE;
	assert_reason(plan(s)->pods[0].reason, NO_NETNS);
	seen->reason = SMC_REASON_POD_MAP_FULL;
	assert_reason(plan(s)->pods[0].reason, POD_MAP_FULL);
	assert_false(s->plan.pods[0].armed);
}

static void unwanted_pod_is_not_armed_whatever_was_seen(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	see(s, p);
	p->enabled = MESH_UNSET;
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, NOT_ANNOTATED);
	assert_int_equal(s->plan.pods[0].value.pod_id, 0);
	assert_int_equal(s->plan.n_endpoints, 0);
}

static void only_addresses_in_the_namespace_are_published(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1", "10.0.0.2");
	struct mesh_seen *seen = see(s, p);

	seen->addrs = ADDRS(s, "10.0.0.2", "10.0.0.3");
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.n_endpoints, 1);
	assert_non_null(endpoint(s, "10.0.0.2"));
	/* None of them: this is not the pod's namespace. */
	seen->addrs = ADDRS(s, "10.0.0.3");
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, NO_ADDRESS);
	assert_int_equal(s->plan.n_endpoints, 0);
	/* The API does not say one yet: armed, so that what is opened now is
	 * SMC when it comes. */
	p->addrs.n = 0;
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.n_endpoints, 0);
}

static void sidecar_converts_its_proxy_only(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");
	struct mesh_seen *seen = see(s, p);

	/* What its object says is a hint: what was seen decides. */
	p->sidecar = true;
	plan(s);
	assert_int_equal(s->plan.pods[0].value.flags, 0);
	p->sidecar = false;
	seen->sidecar = true;
	seen->n_owners = 2;
	seen->owners[0] = (struct smc_owner){101337, SMC_ID_ANY};
	seen->owners[1] = (struct smc_owner){SMC_ID_ANY, 101337};
	plan(s);
	assert_int_equal(s->plan.pods[0].value.flags, SMC_POD_SIDECAR);
	assert_int_equal(s->plan.pods[0].value.n_owners, 2);
	assert_memory_equal(s->plan.pods[0].value.owners, seen->owners,
			    2 * sizeof(seen->owners[0]));
	/* Where the kernel refused a socket nobody else gets one either. */
	seen->verified = false;
	seen->reason = SMC_REASON_REFUSED;
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_int_equal(s->plan.pods[0].value.flags,
			 SMC_POD_SIDECAR | SMC_POD_REFUSED);
	assert_int_equal(s->plan.pods[0].value.n_owners, 2);
	seen->verified = true;
	seen->reason = SMC_REASON_NONE;
	/* Without an owner nobody is converted. */
	seen->n_owners = 0;
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, OWNER_RULE);
}

static void one_namespace_arms_one_pod(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *a = add_pod(s, "n1", "a", "10.0.0.1");
	struct mesh_pod *b = add_pod(s, "n1", "b", "10.0.0.2");

	see(s, a)->netns_cookie = 50;
	see(s, b)->netns_cookie = 50;
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_true(s->plan.pods[1].armed);
	assert_int_equal(s->plan.n_endpoints, 1);
	assert_int_equal(s->plan.n_warnings, 1);
	assert_says(s->plan.warnings[0], "ns/b and ns/a were found in one "
					 "network namespace: only the first");
	a->created = b->created;
	plan(s);
	assert_false(s->plan.pods[0].armed || s->plan.pods[1].armed);
	assert_int_equal(s->plan.n_endpoints, 0);
	assert_says(s->plan.warnings[0], "neither is armed");
}

static void problem_is_said_with_pod_and_value(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	p->problem = (char *)"annotation x is \"y\", expected z";
	see(s, p);
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_int_equal(s->plan.n_warnings, 1);
	assert_string_equal(s->plan.warnings[0],
			    "pod ns/a is not enabled: annotation x is \"y\", "
			    "expected z");
}

/* ---- the mesh switch ------------------------------------------------------
 */

static void mesh_off_takes_all_but_exclusions(void **state)
{
	static struct cidr cidr = {.prefixlen = 104};
	static struct mesh_range port = {3306, 3306};
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	add_pod(s, "n2", "b", "10.0.0.2");
	publish(add_node(s, "n3"), "c", "10.0.0.3");
	see(s, p);
	p->exclude_in = (struct mesh_ranges){&port, 1};
	s->world.config.exclude_cidrs = &cidr;
	s->world.config.n_exclude_cidrs = 1;
	s->world.config.exclude_ports = (struct mesh_ranges){&port, 1};
	plan(s);
	assert_int_equal(s->plan.n_endpoints, 3);
	s->world.config.enabled = MESH_OFF;
	plan(s);
	assert_false(s->plan.enabled);
	assert_int_equal(s->plan.n_endpoints, 0);
	assert_int_equal(s->plan.n_pods, 1);
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, MESH_OFF);
	assert_int_equal(s->plan.n_cidrs, 1);
	assert_int_equal(s->plan.n_ports, 3);
}

/* ---- hostNetwork ----------------------------------------------------------
 */

static void host_pod_is_armed_by_its_cgroup(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "192.168.0.1");
	struct mesh_seen *seen;

	p->host_network = true;
	seen = see(s, p);
	seen->netns_cookie = s->host.netns_cookie;
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.pods[0].cgroup_id, 100);
	assert_int_equal(s->plan.pods[0].netns_cookie, 0);
	assert_int_equal(endpoint(s, "192.168.0.1")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	assert_int_equal(s->plan.pods[0].published.n, 1);
	seen->cgroup_id = 0;
	plan(s);
	assert_reason(s->plan.pods[0].reason, NO_CGROUP2);
	assert_int_equal(s->plan.n_endpoints, 0);
}

static void host_pods_share_the_nodes_address(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *a = add_pod(s, "n1", "a", "192.168.0.1");
	struct mesh_pod *b = add_pod(s, "n1", "b", "192.168.0.1");
	struct mesh_pod *c = add_pod(s, "n1", "c", "192.168.0.1");

	a->host_network = b->host_network = c->host_network = true;
	c->enabled = MESH_UNSET; /* like kube-proxy: no rival */
	b->created = a->created;
	see(s, a)->transports = R;
	see(s, b);
	plan(s);
	assert_true(s->plan.pods[0].armed && s->plan.pods[1].armed);
	assert_int_equal(s->plan.n_endpoints, 1);
	/* What all of them have. */
	assert_int_equal(s->plan.endpoints[0].value.transports, R);
	assert_int_equal(s->plan.pods[0].published.n, 1);
	assert_int_equal(s->plan.pods[1].published.n, 1);
	assert_int_equal(s->plan.n_warnings, 0);
}

/* A program without Kubernetes, which no entry gives an address. */
static struct mesh_pod *add_program(struct scene *s, const char *name,
				    const char *cgroup)
{
	struct mesh_pod *p = add_pod(s, "n1", name, NULL);

	p->cgroup_path = (char *)cgroup;
	p->host_network = true;
	return p;
}

static void program_has_the_machines_addresses(void **state)
{
	static __u16 port[] = {80};
	struct scene *s = *state;
	struct mesh_seen *seen = see(s, add_program(s, "web", "/web"));

	seen->addrs = ADDRS(s, "192.168.0.1", "10.9.0.1", "fe80::1");
	seen->listens = (struct mesh_ports){port, 1};
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.pods[0].value.flags, SMC_POD_CGROUP);
	assert_int_equal(s->plan.n_endpoints, 2);
	assert_int_equal(endpoint(s, "192.168.0.1")->value.flags,
			 SMC_ENDPOINT_ANSWER_ONLY);
	assert_non_null(endpoint(s, "10.9.0.1"));
	assert_int_equal(s->plan.n_services, 2);
	assert_int_equal(s->plan.services[0].key.port, 80);
	/* not armed it has none, and takes none away */
	seen->verified = false;
	seen->reason = SMC_REASON_BAD_CGROUP;
	add_pod(s, "n2", "b", "10.9.0.1");
	plan(s);
	assert_reason(s->plan.pods[0].reason, BAD_CGROUP);
	assert_int_equal(s->plan.n_endpoints, 1);
	assert_string_equal(endpoint(s, "10.9.0.1")->pod, "b");
	assert_int_equal(s->plan.n_warnings, 0);
}

static void cgroup_is_one_entrys_and_above_no_other(void **state)
{
	struct scene *s = *state;

	see(s, add_program(s, "a", "/x/a"))->cgroup_id = 7;
	see(s, add_program(s, "b", "/x/a"))->cgroup_id = 7;
	see(s, add_program(s, "above", "/x"));
	see(s, add_program(s, "beside", "/x/aa"));
	plan(s);
	/* the latest of one place is armed, and below the third */
	assert_reason(s->plan.pods[0].reason, BAD_CGROUP);
	assert_true(s->plan.pods[1].armed);
	assert_reason(s->plan.pods[2].reason, BAD_CGROUP);
	assert_true(s->plan.pods[3].armed);
	assert_int_equal(s->plan.n_warnings, 2);
	assert_says(s->plan.warnings[0], "found in one cgroup");
	assert_says(s->plan.warnings[1],
		    "pod ns/above is not armed: its cgroup /x is above /x/a");
	/* as old as each other: neither */
	s->pods[1].created = s->pods[0].created;
	s->pods[3].enabled = MESH_OFF;
	plan(s);
	assert_reason(s->plan.pods[0].reason, BAD_CGROUP);
	assert_reason(s->plan.pods[1].reason, BAD_CGROUP);
	assert_true(s->plan.pods[2].armed);
}

static void program_without_its_cgroup_is_not_armed(void **state)
{
	struct scene *s = *state;

	see(s, add_program(s, "a", "/a"))->cgroup_id = 0;
	plan(s);
	assert_reason(s->plan.pods[0].reason, BAD_CGROUP);
}

static void nodes_address_is_no_pods(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *host = add_pod(s, "n1", "h", "192.168.0.1");
	struct mesh_pod *p = add_pod(s, "n1", "p", "192.168.0.1", "10.0.0.1");

	host->host_network = true;
	host->enabled = MESH_UNSET;
	see(s, p);
	plan(s);
	assert_null(endpoint(s, "192.168.0.1"));
	assert_non_null(endpoint(s, "10.0.0.1"));
	assert_int_equal(s->plan.n_warnings, 1);
	assert_says(
		s->plan.warnings[0],
		"address 192.168.0.1 of pod ns/p is the address of node n1");
}

static void refused_pod_keeps_its_mark(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");
	struct mesh_seen *seen = see(s, p);
	struct plan_pod *got;

	seen->verified = false;
	seen->reason = SMC_REASON_REFUSED;
	got = plan(s)->pods;
	assert_false(got->armed);
	assert_reason(got->reason, REFUSED);
	assert_int_equal(got->netns_cookie, 100);
	assert_int_equal(got->value.flags, SMC_POD_REFUSED);
	assert_int_equal(got->value.pod_id, 1);
	assert_int_equal(s->plan.n_endpoints, 0);
	/* Its annotation is taken away: it may be tried again. */
	p->enabled = MESH_OFF;
	assert_int_equal(plan(s)->pods->netns_cookie, 0);
	/* In the host's namespace: its cgroup denies, and is marked. */
	p->enabled = MESH_ON;
	p->host_network = true;
	seen->was_armed = true;
	seen->cgroup_id = 7;
	assert_int_equal(plan(s)->pods->netns_cookie, 0);
	assert_int_equal(s->plan.n_denied, 1);
	assert_int_equal(s->plan.denied[0].value.flags,
			 SMC_POD_DENY | SMC_POD_REFUSED);
}

static void disarmed_cgroup_goes_on_denying(void **state)
{
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "192.168.0.1");
	struct mesh_seen *seen;

	p->host_network = true;
	seen = see(s, p);
	seen->was_armed = true;
	plan(s);
	assert_int_equal(s->plan.n_denied, 0);
	p->enabled = MESH_OFF;
	plan(s);
	assert_int_equal(s->plan.n_denied, 1);
	assert_int_equal(s->plan.denied[0].cgroup_id, 100);
	assert_int_equal(s->plan.denied[0].value.pod_id, 1);
	assert_int_equal(s->plan.denied[0].value.flags, SMC_POD_DENY);
	assert_int_equal(s->plan.denied[0].value.transports, 0);
	s->world.config.enabled = MESH_OFF;
	assert_int_equal(plan(s)->n_denied, 1);
	/* The pod has left the world, its cgroup not yet. */
	s->world.n_pods = 0;
	seen->pod_uid = NULL;
	assert_int_equal(plan(s)->n_denied, 1);
	/* Never armed: whatever SMC sockets it has are its own. */
	seen->was_armed = false;
	assert_int_equal(plan(s)->n_denied, 0);
}

/* ---- exclusions -----------------------------------------------------------
 */

static void ports_are_blocks_of_one_direction(void **state)
{
	static struct mesh_range mesh[] = {{22, 22}, {3306, 3306}},
				 in[] = {{80, 80}, {8000, 8005}},
				 out[] = {{80, 80}};
	const __u32 client = SMC_ROLE_CLIENT, server = SMC_ROLE_SERVER;
	const struct plan_port want[] = {
		{0, client, 22, 22},	 {0, client, 3306, 3306},
		{0, server, 22, 22},	 {0, server, 3306, 3306},
		{1, client, 80, 80},	 {1, server, 80, 80},
		{1, server, 8000, 8003}, {1, server, 8004, 8005}};
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	see(s, p);
	p->exclude_in = (struct mesh_ranges){in, 2};
	p->exclude_out = (struct mesh_ranges){out, 1};
	add_pod(s, "n2", "b", "10.0.0.2")->exclude_in = p->exclude_in;
	s->world.config.exclude_ports = (struct mesh_ranges){mesh, 2};
	plan(s);
	assert_int_equal(s->plan.n_ports, array_size(want));
	assert_memory_equal(s->plan.ports, want, sizeof(want));
	assert_ptr_equal(mesh_port_find(&s->plan, 1, server, 8002),
			 &s->plan.ports[6]);
	assert_null(mesh_port_find(&s->plan, 1, client, 8002));
	assert_null(mesh_port_find(&s->plan, 1, server, 8006));
}

/* One whose exclusions are more than its share is not armed, takes no room and
 * is no problem of the others. */
static void pod_that_excludes_more_than_its_share_is_not_armed(void **state)
{
	enum { MOST = SMC_PORT_SHARE / 2 };
	static struct mesh_range ports[MOST + 1];
	struct scene *s = *state;
	struct mesh_pod *p = add_pod(s, "n1", "a", "10.0.0.1");

	see(s, p);
	see(s, add_pod(s, "n1", "b", "10.0.0.2"));
	for (__u16 i = 0; i < MOST + 1; i++)
		ports[i] = (struct mesh_range){2 * i + 1, 2 * i + 1};
	p = &s->pods[0];
	p->exclude_in = p->exclude_out = (struct mesh_ranges){ports, MOST};
	plan(s);
	assert_true(s->plan.pods[0].armed);
	assert_int_equal(s->plan.n_ports, SMC_PORT_SHARE);
	assert_int_equal(s->plan.n_warnings, 0);
	p->exclude_in.n++;
	plan(s);
	assert_false(s->plan.pods[0].armed);
	assert_reason(s->plan.pods[0].reason, POD_MAP_FULL);
	assert_int_equal(s->plan.n_ports, 0);
	assert_int_equal(s->plan.n_warnings, 1);
	assert_says(s->plan.warnings[0], "a is not armed");
	assert_says(s->plan.warnings[0], "1025 rows");
	assert_true(s->plan.pods[1].armed);
	assert_int_equal(s->plan.n_endpoints, 1);
}

static void excluded_cidrs_are_sorted_and_once(void **state)
{
	struct scene *s = *state;
	struct cidr c[4];

	cidr_parse("fd00::/8", &c[0]);
	cidr_parse("10.0.0.0/8", &c[1]);
	cidr_parse("10.0.0.0/16", &c[2]);
	c[3] = c[1];
	s->world.config.exclude_cidrs = c;
	s->world.config.n_exclude_cidrs = 4;
	plan(s);
	assert_int_equal(s->plan.n_cidrs, 3);
	assert_int_equal(s->plan.cidrs[0].prefixlen, 104);
	assert_int_equal(s->plan.cidrs[1].prefixlen, 112);
	assert_int_equal(s->plan.cidrs[2].prefixlen, 8);
}

/* ---- the whole ------------------------------------------------------------
 */

static void empty_world_is_an_empty_plan(void **state)
{
	struct scene *s = *state;

	plan(s);
	assert_int_equal(s->plan.n_pods + s->plan.n_endpoints +
				 s->plan.n_cidrs + s->plan.n_ports +
				 s->plan.n_denied + s->plan.n_warnings,
			 0);
}

static void node_numbers_are_stable_and_never_zero(void **state)
{
	/* FNV-1a's own test vectors: the number is part of the ABI's view of a
	 * node across restarts and versions. */
	assert_int_equal(mesh_node_id(""), 0x811c9dc5);
	assert_int_equal(mesh_node_id("a"), 0xe40c292c);
	assert_int_equal(mesh_node_id("foobar"), 0xbf9cf968);
	/* This name's hash is 0. */
	assert_int_equal(mesh_node_id("\xcc\x24\x31\xc4"), 1);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(annotated_pod_of_this_node_is_wanted),
		TEST(first_reason_in_order_keeps_a_pod_unwanted),
		TEST(cgroup2_matters_to_the_host_network_only),
		TEST(verified_pod_is_armed_and_published),
		TEST(native_ipv6_has_no_smcr),
		TEST(what_was_not_seen_is_not_armed),
		TEST(unwanted_pod_is_not_armed_whatever_was_seen),
		TEST(only_addresses_in_the_namespace_are_published),
		TEST(sidecar_converts_its_proxy_only),
		TEST(one_namespace_arms_one_pod),
		TEST(problem_is_said_with_pod_and_value),
		TEST(mesh_off_takes_all_but_exclusions),
		TEST(host_pod_is_armed_by_its_cgroup),
		TEST(host_pods_share_the_nodes_address),
		TEST(program_has_the_machines_addresses),
		TEST(cgroup_is_one_entrys_and_above_no_other),
		TEST(program_without_its_cgroup_is_not_armed),
		TEST(nodes_address_is_no_pods),
		TEST(refused_pod_keeps_its_mark),
		TEST(disarmed_cgroup_goes_on_denying),
		TEST(ports_are_blocks_of_one_direction),
		TEST(pod_that_excludes_more_than_its_share_is_not_armed),
		TEST(excluded_cidrs_are_sorted_and_once),
		TEST(empty_world_is_an_empty_plan),
		TEST(node_numbers_are_stable_and_never_zero),
	};

	return cmocka_run_group_tests_name("mesh/plan", tests, NULL, NULL);
}
