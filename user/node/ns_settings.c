// SPDX-License-Identifier: Apache-2.0
#include "node/ns_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "node/nic_read.h"
#include "node/pnet_table.h"

/* ---- net.smc.* ----------------------------------------------------------- */

/* /proc/sys/net shows the namespace of the process that opens it. */
static int sysctl_open(const struct netns_ref *ref, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/sys/net/smc/%s",
		 ref->proc ?: PROC_DEFAULT, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Return: the value; MESH_SYSCTL_NONE: there is no such sysctl. */
static long long sysctl_read(const struct netns_ref *ref, const char *name)
{
	_close_ int fd = sysctl_open(ref, name, O_RDONLY);
	char text[24] = "", *end;
	long long value;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return MESH_SYSCTL_NONE;
	value = strtoll(text, &end, 10);
	return end == text || value < 0 ? MESH_SYSCTL_NONE : value;
}

static int sysctl_write(const struct netns_ref *ref, const char *name,
			long long value)
{
	_close_ int fd = sysctl_open(ref, name, O_WRONLY);
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld\n", value);

	if (fd < 0)
		return fd;
	if (write(fd, text, len) < 0)
		return -errno;
	return sysctl_read(ref, name) == value ? 0 : -EIO;
}

static void trouble(struct settings_facts *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* One is enough to act on. */
static void trouble(struct settings_facts *f, const char *fmt, ...)
{
	va_list args;

	if (*f->problem)
		return;
	va_start(args, fmt);
	vsnprintf(f->problem, sizeof(f->problem), fmt, args);
	va_end(args);
}

static void say_failed(struct settings_facts *f, const char *name,
		       long long value, int err)
{
	if (err == -ENOENT)
		trouble(f,
			"this kernel has no net.smc.%s, which the SmcMesh's spec.sysctls sets to %lld",
			name, value);
	else
		trouble(f,
			"the kernel refuses net.smc.%s=%lld of the SmcMesh's spec.sysctls: %s",
			name, value, strerror(-err));
}

/* Record the change before it is made. */
static void keep_sysctl(const struct netns_ref *ref, unsigned int i,
			long long want, struct settings_file *file,
			struct settings_facts *f)
{
	const char *name = mesh_sysctls[i].name;
	const long long is = sysctl_read(ref, name);
	const struct mesh_sysctl_record was = file->sysctl[i];
	long long to = MESH_SYSCTL_NONE;
	enum mesh_sysctl_did did =
		mesh_sysctl_step(is, want, &file->sysctl[i], &to);
	int err = 0;

	if (memcmp(&was, &file->sysctl[i], sizeof(was)) != 0)
		err = settings_save(file);
	if (!err && to != MESH_SYSCTL_NONE && to != is)
		err = sysctl_write(ref, name, to);
	else if (is == MESH_SYSCTL_NONE && want != MESH_SYSCTL_NONE)
		err = -ENOENT;
	if (err && did == MESH_SYSCTL_RESTORED) { /* for the next try */
		file->sysctl[i] = was;
		(void)!settings_save(file);
	}
	if (err)
		say_failed(f, name, to != MESH_SYSCTL_NONE ? to : want, err);
	else if (did == MESH_SYSCTL_PUT_BACK && !*f->put_back)
		snprintf(f->put_back, sizeof(f->put_back),
			 "net.smc.%s is %lld again, somebody had made it %lld",
			 name, to, is);
	f->sysctl[i] = sysctl_read(ref, name);
}

/* ---- PNET entries -------------------------------------------------------- */

size_t settings_ports(const struct rdma_device *rdma, int n,
		      struct mesh_pnet_port *out)
{
	size_t kept = 0;

	for (int i = 0; i < n; i++) {
		struct mesh_pnet_port *p = &out[kept];

		if (!rdma_usable(&rdma[i]))
			continue;
		*p = (struct mesh_pnet_port){.port = rdma[i].port,
					     .subnet = rdma[i].subnet};
		snprintf(p->device, sizeof(p->device), "%s", rdma[i].name);
		snprintf(p->netdev, sizeof(p->netdev), "%s", rdma[i].netdev);
		kept++;
	}
	return kept;
}

static bool shares_name(const struct settings_file *f,
			const struct mesh_pnet_table *t, const char *id)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].id, id) && !settings_has(f, &t->v[i]))
			return true;
	return false;
}

static void drop_name(struct settings_file *f, const char *id)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->pnet.n; i++)
		if (strcmp(f->pnet.v[i].id, id) != 0)
			f->pnet.v[kept++] = f->pnet.v[i];
	f->pnet.n = kept;
}

int settings_remove(struct settings_file *f, const char *id)
{
	_cleanup_(pnet_table_free) struct mesh_pnet_table t = {};
	char name[MESH_PNET_ID_ROOM]; /* @id may be in @f */
	int err;

	snprintf(name, sizeof(name), "%s", id);
	err = pnet_read(&t);
	if (err && err != -ENOENT)
		return err;
	if (shares_name(f, &t, name))
		return -EBUSY;
	err = err ? 0 : pnet_remove(name);
	if (err && err != -ENOENT)
		return err;
	drop_name(f, name);
	return settings_save(f);
}

int settings_add(struct settings_file *f, const struct mesh_pnet_entry *e)
{
	int err = settings_note(f, e) ?: settings_save(f);

	if (err)
		return err;
	err = pnet_add(e);
	if (!err)
		return 0;
	settings_drop(f, e);
	return settings_save(f) ?: err;
}

static bool is_needed(const struct mesh_pnet_plan *plan,
		      const struct mesh_pnet_entry *e)
{
	for (unsigned int i = 0; i < plan->n; i++)
		if (!strcmp(plan->v[i].nic, e->nic) &&
		    !strcmp(plan->v[i].id, e->id))
			return true;
	return false;
}

/* Remove ours that no interface needs any more. (settings_remove() shortens the
 * list.) */
static void remove_others(struct settings_file *file,
			  const struct mesh_pnet_plan *plan,
			  struct settings_facts *f)
{
	for (size_t i = file->pnet.n; i-- > 0;) {
		const struct mesh_pnet_entry e =
			i < file->pnet.n ? file->pnet.v[i]
					 : (struct mesh_pnet_entry){};
		int err;

		if (!*e.nic || is_needed(plan, &e))
			continue;
		err = settings_remove(file, e.id);
		if (err)
			trouble(f, "remove the pnet id %s of %s: %s", e.id,
				e.nic, strerror(-err));
	}
}

static void keep_need(struct settings_file *file,
		      const struct mesh_pnet_need *need,
		      const struct mesh_pnet_table *t, struct settings_facts *f)
{
	const struct mesh_pnet_entry *is = mesh_pnet_nic(t, need->nic);
	struct mesh_pnet_entry e = {};
	int err;

	if (is && !strcmp(is->id, need->id))
		return;
	if (is) {
		trouble(f,
			"%s has the pnet id %s of somebody else, not that of the RDMA device %s: connections over it do not use the device",
			need->nic, is->id, need->device);
		return;
	}
	strcpy(e.nic, need->nic);
	strcpy(e.id, need->id);
	err = settings_add(file, &e);
	if (err)
		trouble(f, "give %s the pnet id %s: %s", need->nic, need->id,
			strerror(-err));
}

static void keep_pnet(const struct netns_ref *ref,
		      const struct settings_want *w,
		      const struct rdma_device *rdma, int n,
		      struct settings_file *file, struct settings_facts *f)
{
	_cleanup_(pnet_table_free) struct mesh_pnet_table t = {};
	_cleanup_(nic_view_free) struct nic_view view = {};
	struct mesh_pnet_port ports[RDMA_MAX];
	size_t n_ports = settings_ports(rdma, n, ports);
	int err = 0;

	if (!w->spec.no_pnet && n > 0) {
		err = nic_view_read(&view);
		if (!err)
			mesh_pnet_plan(&view, ports, n_ports, w->devices,
				       !ref->pods, &f->pnet);
	}
	/* (The host's file has entries for pods' ipvlan interfaces, too: those
	 * go with their devices.) */
	if (!err && (ref->pods || w->spec.no_pnet))
		remove_others(file, &f->pnet, f);
	if (!err && f->pnet.n)
		err = pnet_read(&t);
	if (err)
		trouble(f, "read the pnet entries: %s", strerror(-err));
	for (unsigned int i = 0; !err && i < f->pnet.n; i++)
		keep_need(file, &f->pnet.v[i], &t, f);
}

/* ---- all ----------------------------------------------------------------- */

void settings_keep(const struct netns_ref *ref, const struct settings_want *w,
		   __u64 cookie, __u64 inode, const struct rdma_device *rdma,
		   int n, struct settings_facts *out)
{
	_cleanup_(settings_close) struct settings_file file = {};
	int err;

	memset(out, 0, sizeof(*out));
	out->rdma = n != 0;
	err = settings_open(w->run, cookie, inode, &file);
	if (err) {
		trouble(out, "read %s/" SETTINGS_DIR "/%llu: %s", w->run,
			(unsigned long long)cookie, strerror(-err));
		return;
	}
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		keep_sysctl(ref, i, w->spec.sysctl[i], &file, out);
	if (n >= 0 && w->devices)
		keep_pnet(ref, w, rdma, n, &file, out);
}

/* ---- cleanup ------------------------------------------------------------- */

static int undo_sysctl(const struct netns_ref *ref, unsigned int i,
		       struct settings_file *file, struct buf *said)
{
	const char *name = mesh_sysctls[i].name;
	const struct mesh_sysctl_record was = file->sysctl[i];
	const long long is = sysctl_read(ref, name);
	long long to = MESH_SYSCTL_NONE;
	int err;

	if (was.ours == MESH_SYSCTL_NONE)
		return 0;
	if (is == MESH_SYSCTL_NONE) {
		file->sysctl[i].ours = MESH_SYSCTL_NONE;
		return 0;
	}
	switch (mesh_sysctl_step(is, MESH_SYSCTL_NONE, &file->sysctl[i], &to)) {
	case MESH_SYSCTL_RESTORED:
		err = sysctl_write(ref, name, to);
		if (err) {
			file->sysctl[i] = was;
			return err;
		}
		return buf_printf(said, "net.smc.%s is %lld again\n", name, to);
	case MESH_SYSCTL_LEFT:
		return buf_printf(
			said,
			"net.smc.%s stays %lld, which somebody else made of our %lld; before us it was %lld\n",
			name, is, was.ours, was.before);
	default:
		return 0;
	}
}

static const char *place(const struct mesh_pnet_entry *e)
{
	return *e->nic ? e->nic : e->device;
}

/* One removal takes all entries of a name. */
static int undo_pnet(struct settings_file *file, struct buf *said)
{
	int first = 0;

	for (size_t i = file->pnet.n; i-- > 0;) {
		const struct mesh_pnet_entry e =
			i < file->pnet.n ? file->pnet.v[i]
					 : (struct mesh_pnet_entry){};
		int err;

		if (!*e.id)
			continue;
		err = settings_remove(file, e.id);
		if (!err)
			buf_printf(said, "removed the pnet id %s of %s\n", e.id,
				   place(&e));
		else
			buf_printf(said, "left: the pnet id %s of %s: %s\n",
				   e.id, place(&e),
				   err == -EBUSY ? "others have it, too"
						 : strerror(-err));
		first = first ?: err;
	}
	return first;
}

int settings_undo(const struct netns_ref *ref, const char *run, __u64 cookie,
		  struct buf *said)
{
	_cleanup_(settings_close) struct settings_file file = {};
	int err = settings_open(run, cookie, 0, &file);
	int saved;

	if (err || settings_empty(&file))
		return err;
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++) {
		int failed = undo_sysctl(ref, i, &file, said);

		err = err ?: failed;
	}
	saved = undo_pnet(&file, said);
	err = err ?: saved;
	saved = settings_save(&file);
	return err ?: saved;
}

int settings_left(const struct netns_ref *ref, const char *run, __u64 cookie,
		  struct buf *said)
{
	_cleanup_(settings_close) struct settings_file file = {};
	_cleanup_(pnet_table_free) struct mesh_pnet_table t = {};
	int n = 0, err = settings_open(run, cookie, 0, &file);

	if (!err && file.pnet.n)
		err = pnet_read(&t);
	if (err)
		return err == -ENOENT ? 0 : err;
	for (unsigned int i = 0; i < MESH_SYSCTLS; i++) {
		const long long is = sysctl_read(ref, mesh_sysctls[i].name);

		if (is == MESH_SYSCTL_NONE || is != file.sysctl[i].ours)
			continue;
		buf_printf(said, "left: net.smc.%s is %lld, before us %lld\n",
			   mesh_sysctls[i].name, is, file.sysctl[i].before);
		n++;
	}
	for (size_t i = 0; i < t.n; i++) {
		if (!settings_has(&file, &t.v[i]))
			continue;
		buf_printf(said, "left: the pnet id %s of %s\n", t.v[i].id,
			   place(&t.v[i]));
		n++;
	}
	return said->err ?: n;
}
