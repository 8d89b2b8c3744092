// SPDX-License-Identifier: Apache-2.0
#include "node/host_pnet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "node/nic_read.h"
#include "node/pnet_table.h"

/* Return: as settings_open(). */
static int open_own(const char *run, struct settings_file *out)
{
	struct ns_id id;
	int err = ns_of_path("/proc/self/ns/net", &id);

	return err ?: settings_open(run, netns_own_cookie(), id.ino, out);
}

static int keep_device(struct settings_file *file,
		       const struct settings_want *w,
		       const struct mesh_pnet_need *need)
{
	struct mesh_pnet_entry e = {.port = need->port};

	if (mesh_pnet_device(w->devices, need->device, need->port))
		return 0;
	strcpy(e.device, need->device);
	strcpy(e.id, need->id);
	return settings_add(file, &e);
}

/* Of a NIC of the host that a pod's ipvlan interface is on. */
static int keep_nic(struct settings_file *file, const struct settings_want *w,
		    const struct mesh_pnet_need *need)
{
	const struct mesh_pnet_entry *is = mesh_pnet_nic(w->devices, need->nic);
	struct mesh_pnet_entry e = {};

	if (is)
		return strcmp(is->id, need->id) ? -EEXIST : 0;
	strcpy(e.nic, need->nic);
	strcpy(e.id, need->id);
	return settings_add(file, &e);
}

/* Adds to @f->pnet what the parent needs. Return: 0 or a negative errno. */
static int ask_parent(const struct settings_want *w, struct settings_facts *f)
{
	_cleanup_(nic_view_free) struct nic_view view = {};
	struct mesh_pnet_port ports[RDMA_MAX];
	struct rdma_device rdma[RDMA_MAX];
	int n = rdma_list(rdma, RDMA_MAX), err;

	if (n <= 0)
		return n == -ENOENT ? 0 : n;
	err = nic_view_read(&view);
	if (!err)
		mesh_pnet_parent(&view, ports, settings_ports(rdma, n, ports),
				 w->devices, f->pnet.parent,
				 &f->pnet.parent_addr, &f->pnet);
	return err;
}

static void say(struct settings_facts *f, const char *what, int err)
{
	if (err && !*f->problem)
		snprintf(
			f->problem, sizeof(f->problem),
			"give %s its pnet id: %s", what,
			err == -EEXIST
				? "it has another one, or this is not the host's network namespace"
				: strerror(-err));
}

void host_pnet_keep(const struct settings_want *w, struct settings_facts *f)
{
	_cleanup_(settings_close) struct settings_file file = {};
	const unsigned int of_pod = f->pnet.n;
	int err = 0;

	if (!w->devices)
		return;
	if (f->pnet.parent)
		err = ask_parent(w, f);
	if (!err && !f->pnet.n)
		return;
	err = err ?: open_own(w->run, &file);
	say(f, "the host's NIC", err);
	for (unsigned int i = 0; !err && i < f->pnet.n; i++) {
		const struct mesh_pnet_need *need = &f->pnet.v[i];

		say(f, need->device, keep_device(&file, w, need));
		if (i >= of_pod)
			say(f, need->nic, keep_nic(&file, w, need));
	}
}

int host_pnet_sweep(const char *run,
		    bool (*is_needed)(const char *id, void *arg), void *arg)
{
	_cleanup_(settings_close) struct settings_file file = {};
	int n = 0, err = open_own(run, &file);

	for (size_t i = file.pnet.n; !err && i-- > 0;) {
		char id[MESH_PNET_ID_ROOM] = "";

		if (i < file.pnet.n && *file.pnet.v[i].device)
			strcpy(id, file.pnet.v[i].id);
		if (!*id || is_needed(id, arg))
			continue;
		err = settings_remove(&file, id);
		n += !err;
	}
	return err ?: n;
}
