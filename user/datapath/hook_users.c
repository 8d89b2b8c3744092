// SPDX-License-Identifier: Apache-2.0
#include "datapath/hook_users.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "datapath/abis.h"
#include "datapath/kbtf.h"
#include "base/pins.h"
#include "datapath/state.h"

#define PROTOCOL_HOOK "update_socket_protocol"
#define MAPS_MAX 64
#define PROGS_MAX 64	  /* of one cgroup: more than the kernel takes */
#define CGROUPS_MAX 16384 /* a bound for a tree gone mad */
#define DEPTH_MAX 16

/* What a link of ours is attached to. */
struct target {
	__u32 link_id, prog_id;
	__u32 attach_type, obj_id, btf_id; /* of a tracing link; else 0 */
};

struct search {
	struct target *ours;
	size_t n_ours;
	__u32 protocol_btf_id; /* 0: the kernel has no such hook */
	__u32 *told;	       /* programs on cgroups, each told once */
	size_t n_told;
	unsigned int cgroups;
	char path[128]; /* the cgroup's, below the mount */
	hook_user_fn fn;
	void *arg;
};

static void search_free(struct search *s)
{
	free(s->ours);
	free(s->told);
}

/* ---- ours ---- */

static int link_target(int fd, struct target *out, __u32 *type)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int err = bpf_link_get_info_by_fd(fd, &info, &len);

	if (err)
		return err;
	*type = info.type;
	*out = (struct target){.link_id = info.id, .prog_id = info.prog_id};
	if (info.type == BPF_LINK_TYPE_TRACING) {
		out->attach_type = info.tracing.attach_type;
		out->obj_id = info.tracing.target_obj_id;
		out->btf_id = info.tracing.target_btf_id;
	}
	return 0;
}

static int take_pin(const char *dir, const char *name, void *arg)
{
	_close_ int fd = pin_open(dir, name, PIN_LINK);
	struct search *s = arg;
	struct target t, *slot;
	__u32 type;

	if (fd < 0 || link_target(fd, &t, &type))
		return 0; /* another kind of pin; or it went meanwhile */
	slot = array_push(s->ours, s->n_ours);
	if (!slot)
		return -ENOMEM;
	*slot = t;
	return 0;
}

static int find_ours(struct search *s, const char *root)
{
	_cleanup_(abi_dirs_free) struct abi_dirs dirs = {};
	int err = abi_dirs_read(root, &dirs);

	for (size_t i = 0; !err && i < dirs.n; i++)
		err = pin_each(dirs.v[i].link_dir, take_pin, s);
	return err;
}

static bool is_ours(const struct search *s, __u32 prog_id)
{
	for (size_t i = 0; i < s->n_ours; i++)
		if (s->ours[i].prog_id == prog_id)
			return true;
	return false;
}

/* ---- telling ---- */

static bool is_sockmap(__u32 map_id)
{
	_close_ int fd = bpf_map_get_fd_by_id(map_id);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return fd >= 0 && !bpf_map_get_info_by_fd(fd, &info, &len) &&
	       (info.type == BPF_MAP_TYPE_SOCKMAP ||
		info.type == BPF_MAP_TYPE_SOCKHASH);
}

/* Return: 0; -ENOENT: the program went; or a negative errno. */
static int tell(const struct search *s, struct hook_user *user)
{
	_close_ int fd = bpf_prog_get_fd_by_id(user->id);
	__u32 maps[MAPS_MAX] = {};
	struct bpf_prog_info info = {.map_ids = (unsigned long)maps,
				     .nr_map_ids = MAPS_MAX};
	__u32 len = sizeof(info);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_prog_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	snprintf(user->name, sizeof(user->name), "%s", info.name);
	for (__u32 i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++)
		user->sockmap |= is_sockmap(maps[i]);
	s->fn(user, s->arg);
	return 0;
}

/* ---- on the kernel's functions ---- */

static bool is_where_ours_is(const struct search *s, const struct target *t)
{
	for (size_t i = 0; i < s->n_ours; i++)
		if (s->ours[i].btf_id && s->ours[i].btf_id == t->btf_id &&
		    s->ours[i].obj_id == t->obj_id)
			return true;
	return false;
}

static int look_at_link(const struct search *s, __u32 id)
{
	_close_ int fd = bpf_link_get_fd_by_id(id);
	struct hook_user user = {};
	struct target t;
	__u32 type;
	int err;

	if (fd < 0)
		return fd;
	err = link_target(fd, &t, &type);
	if (err || type != BPF_LINK_TYPE_TRACING || is_ours(s, t.prog_id))
		return err;
	user.id = t.prog_id;
	user.decides = t.attach_type == BPF_MODIFY_RETURN && t.btf_id &&
		       t.btf_id == s->protocol_btf_id;
	snprintf(user.where, sizeof(user.where), "link %u", id);
	return user.decides || is_where_ours_is(s, &t) ? tell(s, &user) : 0;
}

/* The number of the kernel's own type; a module's are higher than all. */
static void find_protocol_hook(struct search *s)
{
	_kbtf_ struct kbtf *k = kbtf_open();
	int id = k ? kbtf_id(k, PROTOCOL_HOOK, BTF_KIND_FUNC, NULL) : 0;

	s->protocol_btf_id = id > 0 ? id : 0;
}

static int look_at_links(struct search *s)
{
	__u32 id = 0;
	int err;

	find_protocol_hook(s);
	while (!(err = bpf_link_get_next_id(id, &id))) {
		err = look_at_link(s, id);
		if (err && err != -ENOENT)
			return err;
	}
	return err == -ENOENT ? 0 : err; /* that was the last */
}

/* ---- on cgroups ---- */

static bool was_told(struct search *s, __u32 id)
{
	__u32 *slot;

	for (size_t i = 0; i < s->n_told; i++)
		if (s->told[i] == id)
			return true;
	slot = array_push(s->told, s->n_told);
	if (slot)
		*slot = id;
	return false;
}

static int look_at_cgroup(struct search *s, int fd)
{
	__u32 ids[PROGS_MAX], n = PROGS_MAX, flags = 0;
	int err = bpf_prog_query(fd, BPF_CGROUP_SOCK_OPS, 0, &flags, ids, &n);

	for (__u32 i = 0; !err && i < n; i++) {
		struct hook_user user = {.id = ids[i], .sockops = true};

		if (is_ours(s, ids[i]) || was_told(s, ids[i]))
			continue;
		snprintf(user.where, sizeof(user.where), "%s",
			 *s->path ? s->path : "/");
		err = tell(s, &user);
		err = err == -ENOENT ? 0 : err;
	}
	return err;
}

/* @fd: the cgroup's directory; this closes it. Return: 0 or a negative errno;
 * cgroups that go meanwhile are no error. */
static int walk(struct search *s, int fd, unsigned int depth)
{
	_closedir_ DIR *dir = fdopendir(fd);
	size_t len = strlen(s->path);
	struct dirent *d;
	int err, sub;

	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	err = look_at_cgroup(s, fd);
	while (!err && depth < DEPTH_MAX && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || *d->d_name == '.')
			continue;
		if (++s->cgroups > CGROUPS_MAX)
			return -E2BIG;
		sub = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (sub < 0)
			continue;
		snprintf(s->path + len, sizeof(s->path) - len, "/%.100s",
			 d->d_name);
		err = walk(s, sub, depth + 1);
		s->path[len] = '\0';
	}
	return err;
}

static int look_at_cgroups(struct search *s, const struct datapath_options *opt)
{
	char mount[PATH_MAX];
	int err = 0, fd;

	if (opt->cgroup)
		snprintf(mount, sizeof(mount), "%s", opt->cgroup);
	else
		err = features_find_cgroup2(opt->proc ?: DATAPATH_PROC, mount,
					    sizeof(mount));
	if (err) /* no cgroup v2: no such program */
		return err == -ENOENT ? 0 : err;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : walk(s, fd, 0);
}

/* ---- together ---- */

int hook_users_each(const struct datapath_options *opt, hook_user_fn fn,
		    void *arg)
{
	_cleanup_(search_free) struct search s = {.fn = fn, .arg = arg};
	_datapath_ struct datapath *dp = NULL;
	int err = datapath_new(opt, &dp);

	err = err ?: find_ours(&s, dp->root);
	err = err ?: look_at_links(&s);
	return err ?: look_at_cgroups(&s, opt);
}
