// SPDX-License-Identifier: Apache-2.0
/*
 * Links: each program of ours is attached by one link, pinned under the
 * program's name, so that it outlives the agent.
 *
 * A restart replaces programs without a gap. A cgroup link gets the new program
 * (BPF_LINK_UPDATE, atomic). Tracing links have no update: the agent attaches a
 * new one, which takes the pin by rename(), and the old link goes with the
 * pin's reference; for a moment both programs run, which they must bear.
 * Wherever the agent dies, each program is attached at least once; a second
 * link without a pin ends with the process.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/pins.h"
#include "datapath/recorder.h"

const struct link_row link_rows[LINKS] = {
	{"smc_fallback", LINK_TRACING, LINK_RATION, FEATURE_MAX, NULL,
	 "why a flow fell back is not recorded"},
	{"smc_connected", LINK_TRACING, LINK_RATION, FEATURE_MAX, NULL,
	 "what became of a client's flow is not recorded"},
	{"smc_declined", LINK_TRACING, 0, FEATURE_MAX, NULL,
	 "a peer that breaks handshakes is not quarantined"},
	{"smc_accepted", LINK_TRACING, LINK_RATION, FEATURE_MAX, NULL,
	 "what became of a server's flow is not recorded"},
	{"smc_link_down", LINK_TRACING, 0, FEATURE_MAX, NULL,
	 "an RDMA path whose link breaks is tried again until a probe fails"},
	{"smc_link_up", LINK_TRACING, 0, FEATURE_MAX, NULL,
	 "more SMC-R connections than need be stay TCP while a path is new"},
	{"smc_link_gone", LINK_TRACING, 0, FEATURE_MAX, NULL,
	 "RDMA links that have gone are taken for standing ones"},
	{"sock_listens", LINK_TRACING, LINK_RATION, FEATURE_MAX, NULL,
	 "SMC handshakes are not rationed, and the first clients of a node's "
	 "first SMC listener may fail if it is busy"},
	{"sock_gone", LINK_TRACING, LINK_RATION, FEATURE_MAX, NULL,
	 "SMC handshakes are not rationed"},
	{"sock_made_af", LINK_TRACING, LINK_RATION, FEATURE_MAX, NULL,
	 "SMC handshakes are not rationed"},
	{"sock_undone", LINK_TRACING, LINK_RATION, FEATURE_SOCKPROTO, NULL,
	 "nothing is converted"},
	{"sock_made", LINK_TRACING, LINK_RATION, FEATURE_SOCKPROTO, NULL,
	 "nothing is converted"},
	{"smc_closed", LINK_TRACING, 0, FEATURE_MAX, &recorder_smc,
	 "flows are not followed to their end"},
	{"dev_made", LINK_TRACING, LINK_ARMED | LINK_GUARDS | LINK_DEVICES,
	 FEATURE_SOCKPROTO, NULL,
	 "nothing is converted: nobody would notice a new device of a pod"},
	{"dev_moved", LINK_TRACING, LINK_ARMED | LINK_GUARDS | LINK_DEVICES,
	 FEATURE_SOCKPROTO, NULL,
	 "a device that is moved into a pod's namespace may offer SMC to anyone "
	 "until the next look finds it"},
	{"connect_guard", LINK_TRACING, LINK_ARMED | LINK_GUARDS,
	 FEATURE_LSM_CONNECT, NULL,
	 "a second connect() during a non-blocking one may fail"},
	{"syn_waits", LINK_TRACING, LINK_ARMED | LINK_GUARDS | LINK_LISTENER,
	 FEATURE_LSM_REQUEST, NULL,
	 "clients of a busy SMC listener, plain ones too, may be reset"},
	{"sock_refused", LINK_TRACING, LINK_ARMED | LINK_FOR_LSM,
	 FEATURE_SOCKPROTO, NULL, "nothing is converted"},
	{"sockproto", LINK_TRACING, LINK_ARMED | LINK_CONVERTER,
	 FEATURE_SOCKPROTO, NULL, "nothing is converted"},
	{"flow_passive", LINK_TRACING, LINK_ARMED, FEATURE_MAX, &recorder_smc,
	 "plain connections that armed pods accept are not recorded"},
	{"flow_sockops", LINK_CGROUP, LINK_ARMED | LINK_GUARDS, FEATURE_CGROUP2,
	 &recorder_sockops, "flows are not recorded"},
};

size_t links_find(const char *name)
{
	size_t i = 0;

	while (strcmp(link_rows[i].name, name))
		i++;
	return i;
}

static int link_info(int fd, struct bpf_link_info *info)
{
	__u32 len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_link_get_info_by_fd(fd, info, &len);
}

/* The cgroup's id is the inode number of its directory. */
static bool is_on_our_cgroup(const struct datapath *dp, int link_fd)
{
	struct bpf_link_info info;
	struct stat st;

	return !link_info(link_fd, &info) &&
	       info.type == BPF_LINK_TYPE_CGROUP &&
	       !fstat(dp->cgroup_fd, &st) && info.cgroup.cgroup_id == st.st_ino;
}

/* Update the pinned link, if it is where it should be, to the new program.
 * Return: the link's descriptor or a negative errno. */
static int update_pinned(struct datapath *dp, const char *name, int prog_fd)
{
	_close_ int fd = pin_open(dp->link_dir, name, PIN_LINK);
	int err;

	if (fd < 0)
		return fd;
	if (!is_on_our_cgroup(dp, fd))
		return -ESTALE;
	err = bpf_link_update(fd, prog_fd, NULL);
	return err ?: take_fd(fd);
}

static int attach_cgroup(struct datapath *dp, const struct bpf_program *prog)
{
	return bpf_link_create(bpf_program__fd(prog), dp->cgroup_fd,
			       bpf_program__expected_attach_type(prog), NULL);
}

/* Keep only a descriptor of the link, and free libbpf's object of it. */
static int attach_tracing(const struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach(prog);
	int fd;

	if (!link)
		return -errno;
	fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	bpf_link__destroy(link);
	return fd;
}

static int attach(struct datapath *dp, const struct link_row *row,
		  const struct bpf_program *prog)
{
	return row->kind == LINK_CGROUP ? attach_cgroup(dp, prog)
					: attach_tracing(prog);
}

bool link_is_loaded(const struct datapath *dp, size_t i)
{
	return object_program(dp, link_rows[i].name);
}

int link_attach(struct datapath *dp, size_t i)
{
	const struct link_row *row = &link_rows[i];
	const struct bpf_program *prog = object_program(dp, row->name);
	int fd = -1;

	if (!prog)
		return -ENOENT; /* logged when it was not loaded */
	if (row->kind == LINK_CGROUP)
		fd = update_pinned(dp, row->name, bpf_program__fd(prog));
	if (fd < 0)
		fd = attach(dp, row, prog);
	if (fd < 0)
		return log_warn(fd, "attach %s; %s", row->name, row->lost);
	cleanup_close(&dp->link_fd[i]);
	dp->link_fd[i] = fd;
	return 0;
}

int link_pin(struct datapath *dp, size_t i)
{
	const struct link_row *row = &link_rows[i];
	int err;

	/* This one: pinned before, or update_pinned() put our program in. */
	if (pin_is(dp->link_dir, row->name, dp->link_fd[i]) == 1)
		return 0;
	err = pin_put(dp->link_fd[i], dp->link_dir, row->name);
	return err ? log_warn(err, "pin the link %s/%s; %s", dp->link_dir,
			      row->name, row->lost)
		   : 0;
}

int link_up(struct datapath *dp, size_t i)
{
	int err;

	err = link_attach(dp, i);
	if (err)
		return err;
	err = link_pin(dp, i);
	if (err) {
		cleanup_close(&dp->link_fd[i]);
		dp->link_fd[i] = -1;
	}
	return err;
}

int link_drop(const char *dir, const char *name)
{
	_close_ int fd = pin_open(dir, name, PIN_LINK);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	/* Detaches a cgroup link for all its holders; the other kinds do not
	 * support it, and end with their last reference. */
	bpf_link_detach(fd);
	return pin_drop(dir, name);
}

int link_down(struct datapath *dp, size_t i)
{
	const char *name = link_rows[i].name;

	cleanup_close(&dp->link_fd[i]);
	dp->link_fd[i] = -1;
	return link_pin_is_ours(dp->link_dir, name)
		       ? link_drop(dp->link_dir, name)
		       : 0;
}

/* The kernel detaches a cgroup link when the cgroup is removed, or when someone
 * asks for it (`bpftool link detach`); links of other kinds stay attached. */
static bool is_alive(int fd)
{
	struct bpf_link_info info;

	return !link_info(fd, &info) &&
	       (info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.cgroup_id);
}

/* Return: 1 repaired, 0 in order, or a negative errno: see check_note(). */
static int link_check(struct datapath *dp, size_t i)
{
	const char *name = link_rows[i].name;
	int there, err;

	if (!is_alive(dp->link_fd[i])) {
		err = link_attach(dp, i) ?: link_pin(dp, i);
		if (!err)
			log_info("attached %s again: its link had gone", name);
		return err ?: 1;
	}
	there = pin_is(dp->link_dir, name, dp->link_fd[i]);
	if (there == 1)
		return 0;
	if (there != -ENOENT)
		return there ? there : -EEXIST;
	err = pin_put(dp->link_fd[i], dp->link_dir, name);
	if (err)
		return err;
	log_info("pinned the link %s again: its pin had gone", name);
	return 1;
}

void links_check(struct datapath *dp, struct check *c)
{
	for (size_t i = 0; i < LINKS; i++)
		if (dp->link_fd[i] >= 0)
			check_note(dp, c, link_rows[i].name, link_check(dp, i));
}

static int prog_name_of(int link_fd, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info prog = {};
	__u32 len = sizeof(prog);
	struct bpf_link_info info;
	_close_ int fd = -1;
	int err;

	err = link_info(link_fd, &info);
	if (err)
		return err;
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (fd < 0)
		return fd;
	err = bpf_prog_get_info_by_fd(fd, &prog, &len);
	if (!err)
		memcpy(name, prog.name, BPF_OBJ_NAME_LEN);
	return err;
}

int link_open_ours(const char *dir, const char *name)
{
	_close_ int fd = pin_open(dir, name, PIN_LINK);
	char prog[BPF_OBJ_NAME_LEN];
	int err;

	if (fd < 0)
		return fd;
	err = prog_name_of(fd, prog);
	/* A link of a kind that has no program is not ours. */
	if (err && err != -ENOENT)
		return err;
	return !err && pin_is_named(name, prog) ? take_fd(fd) : -EMEDIUMTYPE;
}

bool link_pin_is_ours(const char *dir, const char *name)
{
	_close_ int fd = link_open_ours(dir, name);

	return fd >= 0;
}

static int sweep_one(const char *dir, const char *name, void *arg)
{
	struct datapath *dp = arg;

	for (size_t i = 0; i < LINKS; i++)
		if (dp->link_fd[i] >= 0 && !strcmp(link_rows[i].name, name))
			return 0;
	if (!link_pin_is_ours(dir, name))
		return 0;
	if (link_drop(dir, name) > 0)
		log_info("removed the stray link %s/%s", dir, name);
	return 0;
}

int links_sweep(struct datapath *dp)
{
	return pin_each(dp->link_dir, sweep_one, dp);
}
