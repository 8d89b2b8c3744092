// SPDX-License-Identifier: Apache-2.0
#include "node/rdma_sysfs.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tables of GIDs are longer, and full from their beginning. */
#define GIDS_MAX 64
#define IPV4_GID "0000:0000:0000:0000:0000:ffff:"

struct listing {
	const struct host *h;
	struct rdma_port *v;
	unsigned int n, room;
	struct rdma_port head; /* of the device being listed */
};

/* Call @fn for each name in a directory of the host's. */
static int each_name(const struct host *h, const char *path,
		     void (*fn)(const char *name, void *arg), void *arg)
{
	int fd = host_file(h, path, O_RDONLY | O_DIRECTORY);
	_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (fd < 0)
		return fd;
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((d = readdir(dir)))
		if (*d->d_name != '.')
			fn(d->d_name, arg);
	return 0;
}

/* "" where the file cannot be read, as an unused GID's type. */
__attribute__((format(printf, 4, 5))) static void
read_file(const struct host *h, char *to, size_t room, const char *fmt, ...)
{
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (host_first_line(h, path, to, room))
		*to = '\0';
}

/* ---- the GIDs of a port ---- */

static void take_gid(const struct host *h, const char *dir, unsigned int i,
		     struct rdma_port *p)
{
	char gid[48], type[24];

	read_file(h, gid, sizeof(gid), "%s/gids/%u", dir, i);
	if (strncmp(gid, IPV4_GID, strlen(IPV4_GID)) != 0)
		return;
	read_file(h, type, sizeof(type), "%s/gid_attrs/types/%u", dir, i);
	p->gids_v1 += !strcmp(type, "IB/RoCE v1");
	p->gids_v2 += !strcmp(type, "RoCE v2");
}

static void take_port(const char *name, void *arg)
{
	struct listing *l = arg;
	unsigned long port = strtoul(name, NULL, 10);
	struct rdma_port *p;
	char dir[256];

	if (!port || l->n == l->room)
		return;
	p = &l->v[l->n++];
	*p = l->head;
	p->port = port;
	snprintf(dir, sizeof(dir), RDMA_SYSFS "/%s/ports/%u", p->device,
		 p->port);
	read_file(l->h, p->state, sizeof(p->state), "%s/state", dir);
	read_file(l->h, p->link_layer, sizeof(p->link_layer), "%s/link_layer",
		  dir);
	read_file(l->h, p->netdev, sizeof(p->netdev), "%s/gid_attrs/ndevs/0",
		  dir);
	for (unsigned int i = 0; i < GIDS_MAX; i++)
		take_gid(l->h, dir, i, p);
}

static void take_device(const char *name, void *arg)
{
	struct listing *l = arg;
	struct rdma_port *head = &l->head;
	unsigned int first = l->n;
	char path[256];

	*head = (struct rdma_port){};
	snprintf(head->device, sizeof(head->device), "%.63s", name);
	read_file(l->h, head->node_type, sizeof(head->node_type),
		  RDMA_SYSFS "/%s/node_type", head->device);
	snprintf(path, sizeof(path), RDMA_SYSFS "/%s/ports", head->device);
	if (each_name(l->h, path, take_port, l))
		l->n = first; /* the device has gone */
}

/* ---- all of it ---- */

int rdma_sysfs_read(const struct host *h, struct rdma_port *out,
		    unsigned int room)
{
	struct listing l = {.h = h, .v = out, .room = room};

	return each_name(h, RDMA_SYSFS, take_device, &l) ?: (int)l.n;
}

bool rdma_is_adapter(const struct rdma_port *p)
{
	return !strncmp(p->node_type, "1:", 2);
}

bool rdma_is_active(const struct rdma_port *p)
{
	return !strncmp(p->state, "4:", 2);
}

int rdma_netns_shared(const struct host *h)
{
	char line[8];
	int err = host_first_line(h, RDMA_NETNS_MODE, line, sizeof(line));

	return err ?: *line == 'Y' || *line == '1';
}
