// SPDX-License-Identifier: Apache-2.0
#include "mesh/flow_filter.h"

#include <errno.h>
#include <string.h>

/* ---- an address or a prefix, with a port or without ---------------------- */

static int place_parse(const char *text, struct cidr *out)
{
	struct smc_addr addr;
	int err;

	if (strchr(text, '/'))
		return cidr_parse(text, out);
	err = addr_parse(text, &addr);
	if (!err)
		*out = cidr_of(&addr, 128);
	return err;
}

static int port_parse(const char *text, __u16 *out)
{
	struct mesh_range r;
	int err = mesh_range_parse(text, strlen(text), &r);

	if (err || r.first != r.last)
		return -EINVAL;
	*out = r.first;
	return 0;
}

/* Where the address in @text ends and ":PORT" begins; NULL: there is none. One
 * colon alone is IPv4's; IPv6 with a port has brackets. Return: -EINVAL: the
 * brackets are not right. */
static int split(char *text, char **place, char **port)
{
	char *colon = strchr(text, ':'), *end;

	*place = text;
	*port = NULL;
	if (*text != '[') {
		if (colon && !strchr(colon + 1, ':'))
			*port = colon;
		return 0;
	}
	end = strchr(text, ']');
	if (!end || (end[1] && end[1] != ':'))
		return -EINVAL;
	*place = text + 1;
	*port = end[1] ? end + 1 : NULL;
	*end = '\0';
	return 0;
}

int mesh_flow_to_parse(const char *text, struct cidr *to, __u16 *port)
{
	char copy[ADDR_PORT_STRLEN + 8], *place, *colon;
	struct cidr cidr;
	__u16 number = 0;
	int err;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	err = split(copy, &place, &colon);
	if (!err && colon) {
		*colon = '\0';
		err = port_parse(colon + 1, &number);
	}
	err = err ?: place_parse(place, &cidr);
	if (err)
		return -EINVAL;
	*to = cidr;
	*port = number;
	return 0;
}

/* ---- one flow ------------------------------------------------------------ */

static bool is_to(const struct mesh_flow_filter *f, const __u8 ip[16],
		  __u16 port)
{
	struct smc_addr addr;

	memcpy(addr.ip, ip, sizeof(addr.ip));
	return cidr_has(&f->to, &addr) && (!f->to_port || f->to_port == port);
}

/* Of a flow from before the pod was armed nobody knows which end was the
 * client's. */
static bool to_wanted(const struct mesh_flow_filter *f,
		      const struct smc_flow *flow)
{
	bool own = flow->role != SMC_ROLE_CLIENT &&
		   is_to(f, flow->local_ip, flow->local_port);
	bool peers = flow->role != SMC_ROLE_SERVER &&
		     is_to(f, flow->remote_ip, flow->remote_port);

	return !f->to_set || own || peers;
}

static bool in_range(const struct mesh_range *r, __u16 port)
{
	return port >= r->first && port <= r->last;
}

static bool port_wanted(const struct mesh_flow_filter *f,
			const struct smc_flow *flow)
{
	return !f->port.last || in_range(&f->port, flow->local_port) ||
	       in_range(&f->port, flow->remote_port);
}

static bool has_bit(__u32 bits, __u32 n)
{
	return n < 32 && bits & 1U << n;
}

/* The verdict's reason says why a flow is TCP, and the kernel's code why one
 * that was offered SMC is. */
static bool why_wanted(const struct mesh_flow_filter *f,
		       const struct smc_flow *flow)
{
	if (!f->reasons && !f->n_codes)
		return true;
	for (size_t i = 0; i < f->n_codes; i++)
		if (f->codes[i] == flow->kernel_code)
			return true;
	return has_bit(f->reasons, flow->reason);
}

bool mesh_flow_wanted(const struct mesh_flow_filter *f,
		      const struct smc_flow *flow)
{
	return (!f->outcomes || has_bit(f->outcomes, flow->outcome)) &&
	       why_wanted(f, flow) && flow->opened_ns >= f->since_ns &&
	       port_wanted(f, flow) && to_wanted(f, flow);
}

static bool name_wanted(const char *wanted, const char *name)
{
	return !*wanted || (name && !strcmp(wanted, name));
}

bool mesh_flow_of_pod(const struct mesh_flow_filter *f, const char *ns,
		      const char *pod)
{
	return name_wanted(f->ns, ns) && name_wanted(f->pod, pod);
}
