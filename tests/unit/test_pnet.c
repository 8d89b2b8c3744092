// SPDX-License-Identifier: Apache-2.0
/* user/mesh/pnet.c: which interfaces need a PNET entry, and of what name. */
#include "unit.h"

#include "mesh/pnet.h"

#define MAX 8

/* A namespace, made by hand. */
struct space {
	struct nic nics[MAX];
	struct nic_addr addrs[MAX];
	struct mesh_pnet_port ports[MAX];
	struct mesh_pnet_entry entries[MAX];
	struct nic_view view;
	size_t n_ports;
	struct mesh_pnet_table devices;
	struct mesh_pnet_plan plan;
};

static int setup(void **state)
{
	struct space *s = calloc(1, sizeof(*s));

	s->view.nics = s->nics;
	s->view.addrs = s->addrs;
	s->devices.v = s->entries;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* An interface, with an address where @text is not NULL. */
static struct nic *nic(struct space *s, const char *name, const char *text)
{
	struct nic *n = &s->nics[s->view.n_nics++];

	n->ifindex = s->view.n_nics;
	strcpy(n->name, name);
	if (text)
		s->addrs[s->view.n_addrs++] = (struct nic_addr){
			.ifindex = n->ifindex, .addr = addr(text)};
	return n;
}

static void port(struct space *s, const char *device, const char *netdev,
		 const char *subnet)
{
	struct mesh_pnet_port *p = &s->ports[s->n_ports++];

	p->port = 1;
	strcpy(p->device, device);
	strcpy(p->netdev, netdev);
	assert_int_equal(cidr_parse(subnet, &p->subnet), 0);
}

static void named(struct space *s, const char *device, const char *id)
{
	struct mesh_pnet_entry *e = &s->entries[s->devices.n++];

	e->port = 1;
	strcpy(e->device, device);
	strcpy(e->id, id);
}

static void plan(struct space *s, bool host)
{
	mesh_pnet_plan(&s->view, s->ports, s->n_ports, &s->devices, host,
		       &s->plan);
}

#define assert_need(s, i, name, of)                             \
	do {                                                    \
		assert_true((s)->plan.n > (i));                 \
		assert_string_equal((s)->plan.v[i].nic, name);  \
		assert_string_equal((s)->plan.v[i].device, of); \
	} while (0)

static void ids_are_one_for_a_port_and_taken_by_the_kernel(void **state)
{
	char a[MESH_PNET_ID_ROOM], b[MESH_PNET_ID_ROOM], c[MESH_PNET_ID_ROOM];

	mesh_pnet_id("rxe0", 1, a);
	mesh_pnet_id("rxe0", 1, b);
	mesh_pnet_id("rxe0", 2, c);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	mesh_pnet_id("rxe1", 1, c);
	assert_string_not_equal(a, c);
	assert_true(strlen(a) <= 16);
	assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
			 strlen(a));
	assert_true(mesh_pnet_is_ours(a));
	assert_false(mesh_pnet_is_ours("SMCMESH"));
	assert_false(mesh_pnet_is_ours("SMCMESHXYZ12345"));
	assert_false(mesh_pnet_is_ours("SMCMESH012345678"));
	assert_false(mesh_pnet_is_ours("00163E000001"));
}

static void interface_with_its_own_port_needs_none(void **state)
{
	struct space *s = *state;

	nic(s, "eth0", "10.244.1.10");
	port(s, "rxe0", "eth0", "10.244.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, 0);
	assert_int_equal(s->plan.parent, 0);
}

static void interface_beside_the_ports_needs_one(void **state)
{
	struct space *s = *state;
	char id[MESH_PNET_ID_ROOM];

	nic(s, "lo", "127.0.0.1")->loopback = true;
	nic(s, "eth0", "10.244.1.10");
	nic(s, "net1", "10.244.9.10");
	port(s, "rxe0", "net1", "10.244.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, 1);
	assert_need(s, 0, "eth0", "rxe0");
	assert_int_equal(s->plan.v[0].port, 1);
	mesh_pnet_id("rxe0", 1, id);
	assert_string_equal(s->plan.v[0].id, id);
}

/* SMC-Rv2 would decline: the address is not in the subnet of the port. */
static void address_of_another_subnet_needs_none(void **state)
{
	struct space *s = *state;

	nic(s, "eth0", "10.245.1.10");
	nic(s, "eth2", "fd00:244::10");
	nic(s, "net1", "10.244.9.10");
	port(s, "rxe0", "net1", "10.244.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, 0);
}

static void several_interfaces_have_their_own_ports(void **state)
{
	struct space *s = *state;

	nic(s, "eth0", "10.1.0.10");
	nic(s, "eth1", "10.2.0.10");
	nic(s, "eth2", "10.2.0.11");
	port(s, "mlx5_0", "ib0", "10.1.0.0/16");
	port(s, "mlx5_1", "ib1", "10.2.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, 3);
	assert_need(s, 0, "eth0", "mlx5_0");
	assert_need(s, 1, "eth1", "mlx5_1");
	assert_need(s, 2, "eth2", "mlx5_1");
}

static void interface_with_two_addresses_needs_one(void **state)
{
	struct space *s = *state;

	nic(s, "eth0", "10.1.0.10");
	s->addrs[s->view.n_addrs++] =
		(struct nic_addr){.ifindex = 1, .addr = addr("10.1.0.11")};
	port(s, "mlx5_0", "ib0", "10.1.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, 1);
}

static void more_interfaces_than_places_are_left_out(void **state)
{
	struct space *s = *state;

	for (unsigned int i = 0; i < MESH_PNET_MAX + 2; i++) {
		char name[8], text[16];

		snprintf(name, sizeof(name), "eth%u", i);
		snprintf(text, sizeof(text), "10.1.0.%u", i + 1);
		nic(s, name, text);
	}
	port(s, "mlx5_0", "ib0", "10.1.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, MESH_PNET_MAX);
}

/* The kernel asks the device below a VLAN, in the same namespace. */
static void vlan_on_the_ports_interface_needs_none(void **state)
{
	struct space *s = *state;

	nic(s, "eth0", NULL);
	nic(s, "eth0.5", "10.1.0.10")->lower = 1;
	port(s, "mlx5_0", "eth0", "10.1.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, 0);
}

/* And a bridge's port. */
static void bridge_over_the_ports_interface_needs_none(void **state)
{
	struct space *s = *state;

	nic(s, "br0", "10.1.0.10");
	nic(s, "eth0", NULL)->master = 1;
	port(s, "mlx5_0", "eth0", "10.1.0.0/16");
	plan(s, true);
	assert_int_equal(s->plan.n, 0);
}

/* Its base is the host's NIC: the kernel does not see the port on top. */
static void ipvlan_that_carries_a_port_needs_one(void **state)
{
	struct space *s = *state;
	struct nic *eth0 = nic(s, "eth0", "10.1.0.10");

	eth0->lower = 2;
	eth0->lower_elsewhere = true;
	port(s, "rxe0", "net1", "10.1.0.0/16");
	port(s, "rxe1", "eth0", "10.1.0.0/16");
	plan(s, false);
	assert_int_equal(s->plan.n, 1);
	assert_need(s, 0, "eth0", "rxe1");
	assert_int_equal(s->plan.parent, 0);
}

static void ipvlan_without_a_port_asks_the_host(void **state)
{
	struct space *s = *state;
	struct nic *eth0 = nic(s, "eth0", "10.1.0.10");

	eth0->lower = 7;
	eth0->lower_elsewhere = true;
	plan(s, false);
	assert_int_equal(s->plan.n, 0);
	assert_int_equal(s->plan.parent, 7);
	assert_addr(s->plan.parent_addr, "10.1.0.10");
}

static void veth_without_a_port_asks_nobody(void **state)
{
	struct space *s = *state;

	nic(s, "eth0", "10.1.0.10");
	plan(s, false);
	assert_int_equal(s->plan.n, 0);
	assert_int_equal(s->plan.parent, 0);
}

/* The host's eth0, with the auxiliary NIC eth1 in the same subnet. */
static void parent_of_an_ipvlan_needs_one(void **state)
{
	const struct smc_addr pods = addr("10.1.0.10");
	const struct smc_addr strange = addr("10.9.0.10");
	struct space *s = *state;

	nic(s, "eth0", "10.1.0.2");
	nic(s, "eth1", "10.1.0.3");
	port(s, "erdma_0", "eth1", "10.1.0.0/16");
	mesh_pnet_parent(&s->view, s->ports, s->n_ports, &s->devices, 1,
			 &strange, &s->plan);
	assert_int_equal(s->plan.n, 0);
	mesh_pnet_parent(&s->view, s->ports, s->n_ports, &s->devices, 9, &pods,
			 &s->plan);
	assert_int_equal(s->plan.n, 0);
	mesh_pnet_parent(&s->view, s->ports, s->n_ports, &s->devices, 2, &pods,
			 &s->plan);
	assert_int_equal(s->plan.n, 0);
	mesh_pnet_parent(&s->view, s->ports, s->n_ports, &s->devices, 1, &pods,
			 &s->plan);
	assert_int_equal(s->plan.n, 1);
	assert_need(s, 0, "eth0", "erdma_0");
}

/* A device keeps the name that it has, by us or somebody else; in the host's
 * own table a name of somebody else's is not used. */
static void device_with_a_name_keeps_it(void **state)
{
	struct space *s = *state;

	nic(s, "eth0", "10.1.0.2");
	port(s, "erdma_0", "eth1", "10.1.0.0/16");
	named(s, "erdma_1", "OTHER");
	named(s, "erdma_0", "00163E000001");
	plan(s, false);
	assert_int_equal(s->plan.n, 1);
	assert_string_equal(s->plan.v[0].id, "00163E000001");
	plan(s, true);
	assert_int_equal(s->plan.n, 0);
	strcpy(s->entries[1].id, "SMCMESH0000ABCD");
	plan(s, true);
	assert_int_equal(s->plan.n, 1);
	assert_string_equal(s->plan.v[0].id, "SMCMESH0000ABCD");
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(ids_are_one_for_a_port_and_taken_by_the_kernel),
		test(interface_with_its_own_port_needs_none),
		test(interface_beside_the_ports_needs_one),
		test(address_of_another_subnet_needs_none),
		test(several_interfaces_have_their_own_ports),
		test(interface_with_two_addresses_needs_one),
		test(more_interfaces_than_places_are_left_out),
		test(vlan_on_the_ports_interface_needs_none),
		test(bridge_over_the_ports_interface_needs_none),
		test(ipvlan_that_carries_a_port_needs_one),
		test(ipvlan_without_a_port_asks_the_host),
		test(veth_without_a_port_asks_nobody),
		test(parent_of_an_ipvlan_needs_one),
		test(device_with_a_name_keeps_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
