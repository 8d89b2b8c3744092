// SPDX-License-Identifier: Apache-2.0
/* user/mesh/nic.c, nic_plan.c, nic_undo.c: which NIC is the primary one, whose
 * the others are, what one lacks, and what of that is taken back. */
#include "unit.h"

#include "base/array.h"
#include "mesh/nic_plan.h"

enum { ETH0 = 2, ETH1, ETH2 };

static struct nic_view v;
static struct nic_want want;

/* ---- a made-up node ------------------------------------------------------ */

static struct nic *add_nic(unsigned int ifindex, const char *name)
{
	struct nic *n = array_push(v.nics, v.n_nics);

	assert_non_null(n);
	n->ifindex = ifindex;
	strcpy(n->name, name);
	snprintf(n->mac, sizeof(n->mac), "00:16:3e:00:00:%02x", ifindex);
	n->up = n->running = true;
	return n;
}

static struct cidr prefix(const char *text)
{
	struct cidr c;

	assert_int_equal(cidr_parse(text, &c), 0);
	return c;
}

static struct nic_route *add_route(unsigned int ifindex, const char *dst,
				   __u32 metric)
{
	struct nic_route *r = array_push(v.routes, v.n_routes);

	assert_non_null(r);
	*r = (struct nic_route){
		.ifindex = ifindex,
		.dst = prefix(dst),
		.table = NIC_TABLE_MAIN,
		.metric = metric,
		.direct = true,
	};
	return r;
}

static void add_default(unsigned int ifindex, __u32 metric)
{
	add_route(ifindex, "0.0.0.0/0", metric)->direct = false;
}

static struct nic_addr *add_addr(unsigned int ifindex, const char *text,
				 unsigned int bits)
{
	struct nic_addr *a = array_push(v.addrs, v.n_addrs);

	assert_non_null(a);
	*a = (struct nic_addr){
		.ifindex = ifindex,
		.addr = addr(text),
	};
	a->prefixlen = addr_is_v4(&a->addr) ? 96 + bits : bits;
	return a;
}

static void add_child(unsigned int parent, const char *where)
{
	struct nic_child *c = array_push(v.children, v.n_children);

	assert_non_null(c);
	c->parent = parent;
	strcpy(c->name, "eth0");
	strcpy(c->kind, "ipvlan");
	strcpy(c->where, where);
}

static struct nic *nic(unsigned int ifindex)
{
	return (struct nic *)nic_of(&v, ifindex);
}

/* eth0 is the primary NIC; eth1 is down and has nothing. */
static int fresh(void **state)
{
	nic_view_free(&v);
	add_nic(1, "lo")->loopback = true;
	add_nic(ETH0, "eth0");
	add_nic(ETH1, "eth1");
	nic(ETH1)->up = nic(ETH1)->running = false;
	add_addr(ETH0, "10.0.0.5", 24);
	add_route(ETH0, "10.0.0.0/24", 100);
	add_default(ETH0, 100);
	want = (struct nic_want){.addr = addr("10.0.0.6"), .bits = 24};
	return 0;
}

static int gone(void **state)
{
	nic_view_free(&v);
	return 0;
}

/* As setup leaves it. */
static void set_up(void)
{
	nic(ETH1)->up = nic(ETH1)->running = true;
	add_addr(ETH1, "10.0.0.6", 24)->metric = 101;
	add_route(ETH1, "10.0.0.0/24", 101)->automatic = true;
}

/* ---- the primary one ----------------------------------------------------- */

static void assert_primary(unsigned int ifindex)
{
	const struct nic *primary = NULL;
	_buf_ struct buf why = {};

	assert_int_equal(nic_primary(&v, &primary, &why), 0);
	assert_int_equal(primary->ifindex, ifindex);
}

static void assert_no_primary(int err, const char *word)
{
	const struct nic *primary = NULL;
	_buf_ struct buf why = {};

	assert_int_equal(nic_primary(&v, &primary, &why), err);
	assert_null(primary);
	assert_says(why.data, word);
}

static void primary_is_the_default_route_of_the_lowest_metric(void **state)
{
	assert_primary(ETH0);
	add_default(ETH1, 200);
	assert_primary(ETH0);
	add_default(ETH1, 7);
	assert_primary(ETH1);
	/* of another table: no */
	add_route(ETH0, "0.0.0.0/0", 1)->table = 1003;
	assert_primary(ETH1);
	/* one of the same NIC by another gateway is no second primary */
	add_default(ETH1, 7);
	assert_primary(ETH1);
}

static void two_nics_of_one_metric_are_no_primary(void **state)
{
	add_default(ETH1, 100);
	assert_no_primary(-ENOTUNIQ, "eth0 and eth1");
}

static void without_a_default_route_there_is_no_primary(void **state)
{
	v.n_routes = 0;
	assert_no_primary(-ENOENT, "no default route");
	add_route(ETH0, "::/0", 1024);
	assert_no_primary(-EAFNOSUPPORT, "IPv6-only");
}

/* ---- other owners -------------------------------------------------------- */

static void assert_held(const char *word)
{
	_buf_ struct buf why = {};

	assert_true(nic_held(&v, nic(ETH1), &why));
	assert_says(why.data, word);
	assert_says(why.data, "eth1");
	fresh(NULL);
}

static void signs_of_other_owners_are_seen(void **state)
{
	_buf_ struct buf why = {};

	nic(ETH1)->master = ETH0;
	assert_held("port of eth0");
	add_child(ETH1, "");
	assert_held("ipvlan device eth0");
	add_child(ETH1, "/run/netns/pod");
	assert_held("in the namespace /run/netns/pod");
	add_route(ETH1, "0.0.0.0/0", 0)->table = 1000 + ETH1;
	assert_held("Terway");
	add_route(ETH1, "10.9.0.0/16", 0)->table = 1000 + ETH0;
	assert_held("table 1002");
	/* the controls: of another NIC, and of the node's own tables */
	add_child(ETH0, "");
	add_route(ETH0, "0.0.0.0/0", 0)->table = 1000 + ETH0;
	add_route(ETH1, "10.0.0.6/32", 0)->table = 255;
	add_route(ETH1, "0.0.0.0/0", 300)->table = 253;
	assert_false(nic_held(&v, nic(ETH1), &why));
	assert_int_equal(why.len, 0);
}

/* ---- the plan ------------------------------------------------------------ */

static struct nic_plan plan(void)
{
	_buf_ struct buf why = {};
	struct nic_plan p = {};

	if (nic_plan(&v, nic(ETH0), nic(ETH1), &want, &p, &why))
		fail_msg("%s", why.data);
	return p;
}

static void assert_refused(int err, const char *word)
{
	_buf_ struct buf why = {};
	struct nic_plan p = {.steps = 77};

	assert_int_equal(nic_plan(&v, nic(ETH0), nic(ETH1), &want, &p, &why),
			 err);
	assert_says(why.data, word);
	assert_int_equal(p.steps, 77);
	fresh(NULL);
}

static void bare_nic_lacks_link_and_address(void **state)
{
	struct nic_plan p = plan();

	assert_int_equal(p.steps, NIC_STEP_UP | NIC_STEP_ADDRESS);
	assert_int_equal(p.metric, 101);
	assert_false(p.carrier);
}

static void nic_that_has_all_lacks_nothing(void **state)
{
	set_up();
	assert_int_equal(plan().steps, 0);
	assert_true(plan().carrier);
	nic(ETH1)->running = false;
	assert_int_equal(plan().steps, 0);
	assert_false(plan().carrier);
}

static void route_of_any_higher_metric_is_as_good(void **state)
{
	set_up();
	v.routes[v.n_routes - 1].metric = 200;
	assert_int_equal(plan().steps, 0);
	assert_int_equal(plan().metric, 200);
	v.routes[v.n_routes - 1].metric = 100;
	assert_refused(-EEXIST, "does not lose against 100");
}

static void missing_route_alone_is_added(void **state)
{
	set_up();
	v.n_routes--;
	assert_int_equal(plan().steps, NIC_STEP_ROUTE);
	assert_int_equal(plan().metric, 101);
	/* an indirect one, or another subnet's, is none */
	add_route(ETH1, "10.0.0.0/24", 300)->direct = false;
	add_route(ETH1, "10.0.0.0/25", 300);
	assert_int_equal(plan().steps, NIC_STEP_ROUTE);
}

static void link_brings_the_route_of_an_address_that_is_there(void **state)
{
	struct nic_addr *a = add_addr(ETH1, "10.0.0.6", 24);

	a->metric = 150;
	assert_int_equal(plan().steps, NIC_STEP_UP);
	assert_int_equal(plan().metric, 150);
	a->routeless = true;
	assert_int_equal(plan().steps, NIC_STEP_UP | NIC_STEP_ROUTE);
	assert_int_equal(plan().metric, 101);
	a->routeless = false;
	a->metric = 100;
	assert_refused(-EEXIST, "does not lose against 100");
}

static void metric_follows_the_primary_nics_own_subnet(void **state)
{
	want.addr = addr("10.7.0.6");
	assert_int_equal(plan().metric, 101);
	add_route(ETH0, "10.8.0.0/16", 500);
	assert_int_equal(plan().metric, 501);
	/* not a host route's, an indirect one's, or another NIC's */
	add_route(ETH0, "100.100.2.136/32", 900);
	add_route(ETH0, "10.9.0.0/16", 900)->direct = false;
	add_nic(ETH2, "eth2");
	add_route(ETH2, "10.9.0.0/16", 900);
	assert_int_equal(plan().metric, 501);
	want.addr = addr("10.0.0.6");
	assert_int_equal(plan().metric, 101);
}

static void what_has_no_metric_to_follow_is_refused(void **state)
{
	v.n_routes = 0;
	assert_refused(-ENONET, "no connected IPv4 route");
	v.routes[0].metric = UINT32_MAX;
	assert_refused(-EEXIST, "none higher");
}

static void others_addresses_are_refused(void **state)
{
	add_addr(ETH1, "10.9.9.9", 32);
	assert_refused(-EBUSY, "10.9.9.9/32, not 10.0.0.6/24");
	add_addr(ETH1, "10.0.0.6", 32);
	assert_refused(-EBUSY, "10.0.0.6/32, not 10.0.0.6/24");
	add_addr(ETH0, "10.0.0.6", 32);
	assert_refused(-EADDRINUSE, "eth0 has the address 10.0.0.6/32");
	/* beside the right one, and of IPv6, they do no harm */
	set_up();
	add_addr(ETH1, "10.9.9.9", 32);
	add_addr(ETH1, "fd00::6", 64);
	assert_int_equal(plan().steps, 0);
}

static void part_of_another_nics_subnet_is_refused(void **state)
{
	want.bits = 25;
	assert_refused(-EEXIST, "10.0.0.0/25 is a part of 10.0.0.0/24");
	add_nic(ETH2, "cni0");
	add_route(ETH2, "10.244.0.0/16", 0);
	want.addr = addr("10.244.1.6");
	assert_refused(-EEXIST, "reached by cni0");
	/* what goes by a gateway is the default route's in spirit */
	add_route(ETH0, "10.0.0.0/8", 0)->direct = false;
	assert_int_equal(plan().steps, NIC_STEP_UP | NIC_STEP_ADDRESS);
	/* a longer one wins against ours */
	add_nic(ETH2, "cni0");
	add_route(ETH2, "10.0.0.64/26", 0);
	assert_int_equal(plan().steps, NIC_STEP_UP | NIC_STEP_ADDRESS);
}

static void nics_that_are_never_touched_are_refused(void **state)
{
	static const unsigned int never[] = {1, ETH0};

	for (size_t i = 0; i < array_size(never); i++) {
		_buf_ struct buf why = {};
		struct nic_plan p;

		assert_int_equal(
			nic_plan(&v, nic(ETH0), nic(never[i]), &want, &p, &why),
			-EPERM);
		assert_true(why.len > 0);
	}
	add_child(ETH1, "");
	assert_refused(-EBUSY, "parent of");
}

/* ---- records, and taking back -------------------------------------------- */

static struct nic_record record(void)
{
	struct nic_record r = {
		.boot = "b0073f00-0000-4000-8000-000000000000",
		.ifindex = ETH1,
		.name = "eth1",
		.steps = NIC_STEP_UP | NIC_STEP_ADDRESS,
		.want = want,
		.metric = 101,
	};

	strcpy(r.mac, nic(ETH1)->mac);
	return r;
}

static void record_is_read_as_it_was_written(void **state)
{
	struct nic_record r = record(), back;
	_buf_ struct buf line = {};

	assert_int_equal(nic_record_format(&r, &line), 0);
	assert_int_equal(line.data[line.len - 1], '\n');
	line.data[line.len - 1] = '\0';
	assert_int_equal(nic_record_parse(line.data, &back), 0);
	assert_string_equal(back.boot, r.boot);
	assert_string_equal(back.name, r.name);
	assert_int_equal(back.steps, r.steps);
	assert_int_equal(back.metric, 101);
	assert_int_equal(back.want.bits, 24);
	assert_addr(back.want.addr, "10.0.0.6");
	assert_true(nic_record_is(&back, nic(ETH1)));
	assert_false(nic_record_is(&back, nic(ETH0)));
}

static void nic_of_a_record_is_known_by_number_and_mac_address(void **state)
{
	struct nic_record r = record();

	strcpy(nic(ETH1)->name, "rdma0");
	assert_true(nic_record_is(&r, nic(ETH1)));
	strcpy(nic(ETH1)->mac, "00:16:3e:ff:ff:ff");
	assert_false(nic_record_is(&r, nic(ETH1)));
}

static void damaged_records_are_refused(void **state)
{
	struct nic_record r = record(), before = r, out = r;
	_buf_ struct buf line = {};

	assert_int_equal(nic_record_format(&r, &line), 0);
	line.data[line.len - 1] = '\0';
	/* cut off anywhere; the last two digits of the metric may go */
	for (size_t len = 0; len + 3 < line.len; len++) {
		_free_ char *cut = strndup(line.data, len);

		if (nic_record_parse(cut, &out) != -EINVAL)
			fail_msg("taken: %s", cut);
	}
	assert_int_equal(nic_record_parse("steps=9", &out), -EINVAL);
	assert_int_equal(
		nic_record_parse(
			"boot=b ifindex=3 mac=- name=e steps=8 address=10.0.0.6/24 metric=1",
			&out),
		-EINVAL);
	assert_int_equal(
		nic_record_parse(
			"boot=b ifindex=3 mac=- name=e steps=1 address=10.0.0.0/24 metric=1",
			&out),
		-EINVAL);
	assert_memory_equal(&out, &before, sizeof(out));
	/* the control */
	assert_int_equal(
		nic_record_parse(
			"boot=b ifindex=3 mac=- name=e steps=1 address=10.0.0.6/24 metric=1",
			&out),
		0);
	assert_string_equal(out.mac, "");
}

static unsigned int undo(const struct nic_record *r, const char *word)
{
	_buf_ struct buf why = {};
	unsigned int steps = nic_undo(&v, nic(ETH1), r, &why);

	if (word)
		assert_says(why.data, word);
	else
		assert_int_equal(why.len, 0);
	return steps;
}

static void what_setup_did_is_taken_back(void **state)
{
	struct nic_record r = record();

	set_up();
	assert_int_equal(undo(&r, NULL), NIC_STEP_UP | NIC_STEP_ADDRESS);
	/* what it did not do is not */
	r.steps = NIC_STEP_ADDRESS;
	assert_int_equal(undo(&r, NULL), NIC_STEP_ADDRESS);
	r.steps = NIC_STEP_ROUTE;
	assert_int_equal(undo(&r, NULL), 0); /* that one is the kernel's */
	v.routes[v.n_routes - 1].automatic = false;
	assert_int_equal(undo(&r, NULL), NIC_STEP_ROUTE);
}

static void what_is_gone_already_is_not_taken_back(void **state)
{
	struct nic_record r = record();

	assert_int_equal(undo(&r, NULL), 0);
	set_up();
	v.addrs[v.n_addrs - 1].prefixlen = 96 + 16;
	assert_int_equal(undo(&r, "10.0.0.6"), 0);
}

static void link_that_others_use_stays_up(void **state)
{
	struct nic_record r = record();

	set_up();
	add_addr(ETH1, "fd00::6", 64);
	assert_int_equal(undo(&r, "fd00::6"), NIC_STEP_ADDRESS);
	v.n_addrs--;
	add_route(ETH1, "10.50.0.0/16", 0);
	assert_int_equal(undo(&r, "10.50.0.0/16"), NIC_STEP_ADDRESS);
	v.n_routes--;
	add_child(ETH1, "");
	assert_int_equal(undo(&r, "ipvlan"), NIC_STEP_ADDRESS);
	v.n_children--;
	assert_int_equal(undo(&r, NULL), NIC_STEP_UP | NIC_STEP_ADDRESS);
	/* the address was there while the link was down */
	r.steps = NIC_STEP_UP;
	assert_int_equal(undo(&r, NULL), NIC_STEP_UP);
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, fresh, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(primary_is_the_default_route_of_the_lowest_metric),
		test(two_nics_of_one_metric_are_no_primary),
		test(without_a_default_route_there_is_no_primary),
		test(signs_of_other_owners_are_seen),
		test(bare_nic_lacks_link_and_address),
		test(nic_that_has_all_lacks_nothing),
		test(route_of_any_higher_metric_is_as_good),
		test(missing_route_alone_is_added),
		test(link_brings_the_route_of_an_address_that_is_there),
		test(metric_follows_the_primary_nics_own_subnet),
		test(what_has_no_metric_to_follow_is_refused),
		test(others_addresses_are_refused),
		test(part_of_another_nics_subnet_is_refused),
		test(nics_that_are_never_touched_are_refused),
		test(record_is_read_as_it_was_written),
		test(nic_of_a_record_is_known_by_number_and_mac_address),
		test(damaged_records_are_refused),
		test(what_setup_did_is_taken_back),
		test(what_is_gone_already_is_not_taken_back),
		test(link_that_others_use_stays_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
