// SPDX-License-Identifier: Apache-2.0
#include "doctor/rdma_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include "doctor/smcr_checks.h"

/* Are there ports to judge? If not @status is the answer. */
static bool has_ports(const struct doctor *d, struct finding *f,
		      enum check_status *status)
{
	if (d->n_ports > 0)
		return true;
	if (d->n_ports < 0 && d->n_ports != -ENOENT)
		*status = check_untold(f, RDMA_SYSFS, d->n_ports);
	else
		*status =
			check_skip(f, "there is no RDMA device in " RDMA_SYSFS);
	return false;
}

static void say_port(struct finding *f, const struct rdma_port *p)
{
	buf_printf(&f->found, "%s%s/%u%s%s", check_join(f), p->device, p->port,
		   *p->netdev ? " on " : "", p->netdev);
}

/* ---- the kind ---- */

/* ANCK's net/smc takes iWARP devices, too (smc_ib_add_dev()). */
static bool takes_iwarp(const struct doctor *d)
{
	return !strcmp(d->os.id, "alinux");
}

static bool is_iwarp(const struct rdma_port *p)
{
	return !strncmp(p->node_type, "4:", 2);
}

/* SMC looks for GIDs with a netdev, which IPoIB's have not
 * (smc_ib_determine_gid()). */
static bool is_unfit(const struct doctor *d, const struct rdma_port *p)
{
	if (!rdma_is_adapter(p))
		return !(takes_iwarp(d) && is_iwarp(p));
	return strcmp(p->link_layer, "Ethernet") != 0;
}

enum check_status ask_rdma_type(const struct doctor_check *c,
				const struct doctor *d, struct finding *f)
{
	enum check_status status;
	bool wrong = false, untold = false;

	if (!has_ports(d, f, &status))
		return status;
	for (int i = 0; i < d->n_ports; i++) {
		const struct rdma_port *p = &d->ports[i];

		say_port(f, p);
		buf_printf(&f->found,
			   " has the node type \"%s\", link layer %s",
			   p->node_type, p->link_layer);
		untold |= !*p->node_type || !*p->link_layer;
		wrong |= *p->node_type && *p->link_layer && is_unfit(d, p);
	}
	return untold && !wrong ? CHECK_UNKNOWN : check_wrong(c, wrong);
}

/* ---- the port ---- */

enum check_status ask_rdma_port(const struct doctor_check *c,
				const struct doctor *d, struct finding *f)
{
	enum check_status status;
	bool wrong = false;

	if (!has_ports(d, f, &status))
		return status;
	for (int i = 0; i < d->n_ports; i++) {
		const struct rdma_port *p = &d->ports[i];

		if (rdma_is_active(p))
			continue;
		wrong = true;
		say_port(f, p);
		buf_printf(&f->found, " is in the state \"%s\"", p->state);
		if (*p->netdev && !f->fix.len)
			buf_printf(
				&f->fix,
				"ip link set %s up; an auxiliary NIC gets its address by smcmesh node setup, too. If it is up, see its cable and the switch.",
				p->netdev);
	}
	return check_wrong(c, wrong);
}

/* ---- its GIDs ---- */

enum check_status ask_rdma_gid(const struct doctor_check *c,
			       const struct doctor *d, struct finding *f)
{
	enum check_status status;
	unsigned int judged = 0;
	bool wrong = false;

	if (!has_ports(d, f, &status))
		return status;
	for (int i = 0; i < d->n_ports; i++) {
		const struct rdma_port *p = &d->ports[i];

		if (!rdma_is_active(p) || is_unfit(d, p) || is_iwarp(p))
			continue;
		judged++;
		say_port(f, p);
		buf_printf(
			&f->found,
			" has %u GIDs of RoCE v2 with an IPv4 address, %u of v1",
			p->gids_v2, p->gids_v1);
		wrong |= !p->gids_v2;
	}
	if (!judged)
		return check_skip(f, "there is no active RoCE port");
	return check_wrong(c, wrong);
}

/* ---- namespaces ---- */

enum check_status ask_rdma_netns(const struct doctor_check *c,
				 const struct doctor *d, struct finding *f)
{
	enum check_status status;

	if (!has_ports(d, f, &status))
		return status;
	if (d->rdma_shared < 0)
		return check_untold(f, RDMA_NETNS_MODE, d->rdma_shared);
	buf_printf(&f->found, RDMA_NETNS_MODE " is %c: %s",
		   d->rdma_shared ? 'Y' : 'N',
		   d->rdma_shared ? "shared" : "exclusive");
	return check_wrong(c, !d->rdma_shared);
}

enum check_status ask_soft_roce(const struct doctor_check *c,
				const struct doctor *d, struct finding *f)
{
	enum check_status status;
	bool wrong = false;

	if (!has_ports(d, f, &status))
		return status;
	for (size_t i = 0; i < d->spaces.n; i++) {
		const struct doctor_namespace *ns = &d->spaces.v[i];

		if (!*ns->deaf)
			continue;
		wrong = true;
		buf_printf(
			&f->found,
			"%s%s is active in %s, which has no socket of RoCE (UDP port 4791)",
			check_join(f), ns->deaf, ns->path ?: "?");
	}
	if (!wrong && d->spaces.unseen)
		return check_untold(f, "some network namespaces", -EACCES);
	return check_wrong(c, wrong);
}

/* ---- whose the NIC is ---- */

/* The namespace of an armed pod that has the port's netdev; NULL: none. */
static const struct doctor_namespace *
armed_owner(const struct doctor *d, const struct rdma_device *port)
{
	for (size_t i = 0; i < d->spaces.n; i++) {
		const struct smcr_space *s = &d->spaces.v[i].smcr;

		for (unsigned int k = 0; k < s->n_ports; k++)
			if (!strcmp(s->ports[k].name, port->name) &&
			    s->ports[k].port == port->port &&
			    *s->ports[k].netdev)
				return &d->spaces.v[i];
	}
	return NULL;
}

static bool is_away(const struct doctor *d, const struct rdma_device *port,
		    struct finding *f)
{
	if (!port->channel_adapter || armed_pods_unseen(d) ||
	    armed_owner(d, port))
		return false;
	buf_printf(
		&f->found,
		"%sthe netdev of %s/%u is in another network namespace, and no armed pod's",
		check_join(f), port->name, port->port);
	return true;
}

static bool is_in_other_hands(const struct doctor *d, const struct nic *primary,
			      const struct rdma_device *port, struct finding *f)
{
	const struct nic *nic = nic_named(&d->nics, port->netdev);
	_buf_ struct buf why = {};

	if (!nic || nic == primary || !nic_held(&d->nics, nic, &why))
		return false;
	buf_printf(&f->found, "%s%s (%s/%u)", check_join(f), why.data ?: "",
		   port->name, port->port);
	return true;
}

enum check_status ask_auxiliary_nic(const struct doctor_check *c,
				    const struct doctor *d, struct finding *f)
{
	const struct nic *primary = NULL;
	_buf_ struct buf why = {};
	bool wrong = false;

	if (!d->n_rdma)
		return check_skip(f, "the host has no RDMA device");
	if (nic_primary(&d->nics, &primary, &why))
		primary = NULL; /* then none is excused */
	for (unsigned int i = 0; i < d->n_rdma; i++) {
		const struct rdma_device *port = &d->rdma[i];

		wrong |= *port->netdev ? is_in_other_hands(d, primary, port, f)
				       : is_away(d, port, f);
	}
	if (!wrong && armed_pods_unseen(d))
		return check_untold(f, "the maps of smcmesh", -EPERM);
	if (!wrong && d->nics_err)
		return check_untold(f,
				    "the host's NICs and what is made on them",
				    d->nics_err);
	return check_wrong(c, wrong);
}

/* ---- reserved ports ---- */

#define BASE "/sys/module/smc/parameters/rsvd_ports_base"
#define RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define KEPT "/proc/sys/net/ipv4/ip_local_reserved_ports"
/* SMC_IWARP_RSVD_PORTS_NUM of ANCK's net/smc */
#define RESERVED 16

struct sockets {
	unsigned int first, last;
	unsigned int taken;	/* by programs that are not root's */
	unsigned int port, uid; /* of the last */
};

/* The kernel's own sockets are root's; so one of root's tells nothing. */
static bool take_socket(char *line, void *arg)
{
	struct sockets *s = arg;
	unsigned int port, uid;

	if (sscanf(line, "%*u: %*[0-9A-Fa-f]:%x %*s %*x %*s %*s %*x %u", &port,
		   &uid) != 2 ||
	    port < s->first || port > s->last || !uid)
		return true;
	s->taken++;
	s->port = port;
	s->uid = uid;
	return true;
}

/* Does the kernel give programs a port of these, when they ask for any? */
static bool is_given_away(const struct host *h, const struct sockets *s,
			  struct finding *f)
{
	char range[32], kept[512], bad[32];
	struct mesh_ranges ranges = {};
	unsigned int low, high, port;
	bool given = false;

	if (host_first_line(h, RANGE, range, sizeof(range)) ||
	    sscanf(range, "%u %u", &low, &high) != 2 || high < s->first ||
	    low > s->last)
		return false;
	if (!host_first_line(h, KEPT, kept, sizeof(kept)) && *kept &&
	    mesh_ranges_parse(kept, &ranges, bad))
		ranges = (struct mesh_ranges){};
	for (port = s->first; port <= s->last; port++)
		given |= port >= low && port <= high &&
			 !mesh_ranges_has(&ranges, port);
	free(ranges.v);
	if (given)
		buf_printf(&f->found, "%s" RANGE " is %u to %u", check_join(f),
			   low, high);
	return given;
}

enum check_status ask_reserved_ports(const struct doctor_check *c,
				     const struct doctor *d, struct finding *f)
{
	static const char *const files[] = {"/proc/1/net/tcp",
					    "/proc/1/net/tcp6"};
	struct sockets s = {};
	char base[16];
	bool given;

	if (host_first_line(&d->host, BASE, base, sizeof(base)))
		return check_skip(f, "there is no " BASE
				     ": this kernel reserves none");
	s.first = strtoul(base, NULL, 10);
	s.last = s.first + RESERVED - 1;
	given = is_given_away(&d->host, &s, f);
	for (size_t i = 0; i < array_size(files); i++) {
		int err = host_each_line(&d->host, files[i], take_socket, &s);

		if (err && err != -ENOENT && !given)
			return check_untold(f, files[i], err);
	}
	if (s.taken)
		buf_printf(
			&f->found,
			"%s/proc/1/net/tcp: %u sockets of programs have one of them, the last port %u, of UID %u",
			check_join(f), s.taken, s.port, s.uid);
	if (f->found.len)
		buf_printf(&f->found, "; " BASE " is %u: %u to %u", s.first,
			   s.first, s.last);
	return check_wrong(c, given || s.taken);
}
