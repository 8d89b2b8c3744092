// SPDX-License-Identifier: Apache-2.0
/*
 * struct_ops smc_hs_ctrl: two BPF programs judge each SYN and SYN-ACK of the
 * namespaces that chose them by name (net.smc.hs_ctrl).
 *
 * How the kernel treats it (net/smc/smc_hs_bpf.c, kernel/bpf/
 * bpf_struct_ops.c): writing element 0 of the struct_ops map registers it,
 * without a link. The registration holds the map, so it lives on without us and
 * without a pin. Deleting element 0 unregisters it; namespaces that use it go
 * on using it. A map can be registered only once, and its name must be unique,
 * so every load is a new generation with its own name, and an upgrade is:
 * register the new one, write its name into the namespaces, retire the old one.
 *
 * The agent finds generations again by map id, never by pin alone: an agent may
 * have died between the two.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "base/strv.h"
#include "datapath/hs_name.h"
#include "base/pins.h"
#include "datapath/selector.h"

#define CTRL_MAP "smcmesh_ctrl"
#define CTRL_STRUCT "smc_hs_ctrl"
#define CTRL_VALUE "bpf_struct_ops_smc_hs_ctrl" /* the map's value */

/* enum bpf_struct_ops_state of the kernel. */
#define STATE_INUSE 1

/* ---- what is this agent's ---- */

struct hs_ctrl {
	unsigned int generation; /* 0: none is registered */
	char name[SMC_CTRL_NAME_MAX];
	int map_fd; /* of the struct_ops map; -1: none */
	__u32 id;   /* of that map */
	/* Offsets in the value of such a map, in bytes; 0: not looked up yet
	 * (the name is never at 0, where the kernel's own header is). */
	__u32 name_at, state_at, refs_at;
};

static int hs_open(struct datapath *dp)
{
	dp->hs_ctrl = calloc(1, sizeof(*dp->hs_ctrl));
	if (!dp->hs_ctrl)
		return -ENOMEM;
	dp->hs_ctrl->map_fd = -1;
	return 0;
}

static void hs_close(struct datapath *dp)
{
	if (dp->hs_ctrl)
		cleanup_close(&dp->hs_ctrl->map_fd);
	free(dp->hs_ctrl);
}

/* ---- what is registered ---- */

/* Read where the name, the state and the references are in the map's value,
 * from the kernel's BTF; once. */
static int layout_read(struct datapath *dp)
{
	_kbtf_ struct kbtf *k = NULL;
	int data, name, state, refs;

	if (dp->hs_ctrl->name_at)
		return 0;
	k = kbtf_open();
	if (!k)
		return -EOPNOTSUPP;
	data = kbtf_member(k, CTRL_VALUE, "data", NULL);
	name = kbtf_member(k, CTRL_STRUCT, "name", NULL);
	state = kbtf_member(k, CTRL_VALUE, "common.state", NULL);
	refs = kbtf_member(k, CTRL_VALUE, "common.refcnt", NULL);
	/* before the kernel had struct bpf_struct_ops_common_value */
	if (state < 0)
		state = kbtf_member(k, CTRL_VALUE, "state", NULL);
	if (refs < 0)
		refs = kbtf_member(k, CTRL_VALUE, "refcnt", NULL);
	if (data <= 0 || name < 0 || state < 0 || refs < 0)
		return -EOPNOTSUPP;
	dp->hs_ctrl->name_at = data + name;
	dp->hs_ctrl->state_at = state;
	dp->hs_ctrl->refs_at = refs;
	return 0;
}

struct ctrl {
	int fd; /* of the struct_ops map */
	__u32 id;
	unsigned int generation; /* 0: its name is none of ours */
	char name[SMC_CTRL_NAME_MAX];
	bool ours;   /* the map has our name, too */
	bool in_use; /* registered */
	bool chosen; /* a namespace has it */
};

struct ctrls {
	struct ctrl *v;
	size_t n;
};

static void ctrls_free(struct ctrls *c)
{
	for (size_t i = 0; i < c->n; i++)
		close(c->v[i].fd);
	free(c->v);
}

/* Return: 1 @out is a smc_hs_ctrl, 0 it is another map, or errno. */
static int ctrl_read(const struct datapath *dp, int fd, struct ctrl *out)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0, state, refs;
	_free_ unsigned char *value = NULL;
	int err;

	err = bpf_map_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	if (info.type != BPF_MAP_TYPE_STRUCT_OPS ||
	    info.value_size < dp->hs_ctrl->name_at + SMC_CTRL_NAME_MAX ||
	    info.value_size < dp->hs_ctrl->state_at + sizeof(state) ||
	    info.value_size < dp->hs_ctrl->refs_at + sizeof(refs))
		return 0;
	value = calloc(1, info.value_size);
	if (!value)
		return -ENOMEM;
	err = bpf_map_lookup_elem(fd, &zero, value);
	if (err)
		return err;
	memcpy(&state, value + dp->hs_ctrl->state_at, sizeof(state));
	memcpy(&refs, value + dp->hs_ctrl->refs_at, sizeof(refs));
	memcpy(out->name, value + dp->hs_ctrl->name_at, SMC_CTRL_NAME_MAX - 1);
	out->name[SMC_CTRL_NAME_MAX - 1] = '\0';
	out->id = info.id;
	out->generation = hs_name_parse(out->name);
	out->ours = !strcmp(info.name, CTRL_MAP);
	out->in_use = state == STATE_INUSE;
	/* In refs the kernel counts neither descriptors nor pins of the map
	 * (bpf_struct_ops_map_sys_lookup_elem()): its registration is one, each
	 * namespace another. */
	out->chosen = refs > (__u32)out->in_use;
	return 1;
}

/* Every struct_ops map with a name of our form in it, in the order of ids. */
static int ctrls_read(struct datapath *dp, struct ctrls *out)
{
	__u32 id = 0;
	int err;

	err = layout_read(dp);
	while (!err && !bpf_map_get_next_id(id, &id)) {
		_close_ int fd = bpf_map_get_fd_by_id(id);
		struct ctrl c = {}, *slot;

		/* It may be gone by now; skip one that cannot be read. */
		if (fd < 0 || ctrl_read(dp, fd, &c) <= 0 || !c.generation)
			continue;
		slot = array_push(out->v, out->n);
		if (!slot)
			return -ENOMEM;
		*slot = c;
		slot->fd = take_fd(fd);
	}
	return err;
}

/* ---- pins ---- */

#define PIN_PREFIX "hs_ctrl_"

static void pin_name(unsigned int generation, char name[32])
{
	snprintf(name, 32, PIN_PREFIX "%u", generation);
}

static bool hs_pin_is_ours(const char *dir, const char *name)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	_close_ int fd = -1;

	if (strncmp(name, PIN_PREFIX, strlen(PIN_PREFIX)))
		return false;
	fd = pin_open(dir, name, PIN_MAP);
	return fd >= 0 && !bpf_map_get_info_by_fd(fd, &info, &len) &&
	       info.type == BPF_MAP_TYPE_STRUCT_OPS &&
	       !strcmp(info.name, CTRL_MAP);
}

static bool is_pinned(const struct abi_dirs *dirs, const struct ctrl *c)
{
	char pin[32];

	pin_name(c->generation, pin);
	for (size_t i = 0; i < dirs->n; i++)
		if (pin_is(dirs->v[i].dir, pin, c->fd) == 1)
			return true;
	return false;
}

/* ---- load and register ---- */

static int next_generation(struct datapath *dp, unsigned int *out)
{
	_cleanup_(ctrls_free) struct ctrls c = {};
	_free_ unsigned int *v = NULL;
	int err;

	err = ctrls_read(dp, &c);
	if (err)
		return err;
	v = calloc(c.n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < c.n; i++)
		v[i] = c.v[i].generation;
	*out = hs_generation_next(v, c.n);
	return 0;
}

static int hs_prepare(struct datapath *dp, struct bpf_object *obj, bool load)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, CTRL_MAP);
	unsigned int generation = 0;
	char *value;
	int err;

	if (!map)
		return load ? -ENOENT : 0;
	err = bpf_map__set_autocreate(map, load);
	if (err || !load)
		return err;
	err = next_generation(dp, &generation);
	if (err)
		return err;
	value = bpf_map__initial_value(map, NULL);
	if (!value)
		return -EINVAL;
	hs_name_format(generation, value + SMC_CTRL_NAME_OFFSET);
	return 0;
}

static int remember(struct datapath *dp, int map_fd, const char *name)
{
	int fd = fcntl(map_fd, F_DUPFD_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	cleanup_close(&dp->hs_ctrl->map_fd);
	dp->hs_ctrl->map_fd = fd;
	err = pin_id(fd, PIN_MAP, &dp->hs_ctrl->id);
	if (err)
		return err;
	dp->hs_ctrl->generation = hs_name_parse(name);
	memcpy(dp->hs_ctrl->name, name, SMC_CTRL_NAME_MAX);
	return 0;
}

static int hs_enroll(struct datapath *dp, struct bpf_object *obj)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, CTRL_MAP);
	struct bpf_link *link;
	char pin[32];
	int err;

	if (!map || bpf_map__fd(map) < 0)
		return -ENOENT;
	link = bpf_map__attach_struct_ops(map);
	if (!link)
		return -errno;
	/* Destroying the link would unregister; if disconnected it only frees
	 * memory. */
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	err = remember(dp, bpf_map__fd(map),
		       (char *)bpf_map__initial_value(map, NULL) +
			       SMC_CTRL_NAME_OFFSET);
	if (err)
		return err;
	pin_name(dp->hs_ctrl->generation, pin);
	err = pin_put(dp->hs_ctrl->map_fd, dp->dir, pin);
	if (err) /* we also find it by its id */
		log_warn(err, "pin the selector %s/%s", dp->dir, pin);
	return 0;
}

/* ---- which are ours ---- */

static int hs_names(struct datapath *dp, char ***names)
{
	_cleanup_(ctrls_free) struct ctrls c = {};
	int err;

	err = ctrls_read(dp, &c);
	if (err)
		return err == -EOPNOTSUPP ? 0 : err;
	for (size_t i = 0; !err && i < c.n; i++)
		if (c.v[i].ours)
			err = strv_push(names, c.v[i].name);
	return err;
}

static bool has_id(const __u32 ids[SMC_SELECTORS], __u32 id)
{
	for (size_t i = 0; i < SMC_SELECTORS; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* A namespace gets a generation only after its pin was made. (If its pin was
 * removed, or could not be made, the last agent has told BPF its id.) One with
 * neither has our name and is not ours. */
static bool is_known(const struct abi_dirs *dirs, const struct ctrl *c,
		     const __u32 ids[SMC_SELECTORS])
{
	return c->ours && (has_id(ids, c->id) || is_pinned(dirs, c));
}

static int newest_first(const void *a, const void *b)
{
	const struct ctrl *x = a, *y = b;

	return (x->generation < y->generation) -
	       (x->generation > y->generation);
}

static int hs_ids(struct datapath *dp, __u32 ids[SMC_SELECTORS])
{
	_cleanup_(abi_dirs_free) struct abi_dirs dirs = {};
	_cleanup_(ctrls_free) struct ctrls c = {};
	__u32 out[SMC_SELECTORS] = {dp->hs_ctrl->id};
	size_t n = 1;
	int err;

	err = abi_dirs_read(dp->root, &dirs);
	err = err ?: ctrls_read(dp, &c);
	if (err)
		return err;
	if (c.n)
		qsort(c.v, c.n, sizeof(*c.v), newest_first);
	for (size_t i = 0; i < c.n && n < SMC_SELECTORS; i++)
		if (c.v[i].id != dp->hs_ctrl->id && c.v[i].chosen &&
		    is_known(&dirs, &c.v[i], ids))
			out[n++] = c.v[i].id;
	memcpy(ids, out, sizeof(out));
	return 0;
}

static const char *hs_name_of(const struct datapath *dp)
{
	return dp->hs_ctrl->generation ? dp->hs_ctrl->name : NULL;
}

/* ---- keep, retire, remove ---- */

static int hs_check(struct datapath *dp)
{
	struct ctrl now = {};
	char pin[32];
	int err;

	err = layout_read(dp);
	err = err ?: ctrl_read(dp, dp->hs_ctrl->map_fd, &now);
	if (err < 0)
		return err;
	if (!now.in_use)
		return -ESTALE;
	pin_name(dp->hs_ctrl->generation, pin);
	err = pin_is(dp->dir, pin, dp->hs_ctrl->map_fd);
	if (err == 1)
		return 0;
	if (err != -ENOENT)
		return err ?: -EEXIST;
	err = pin_put(dp->hs_ctrl->map_fd, dp->dir, pin);
	if (err)
		return err;
	log_info("pinned the selector %s again: its pin had gone", pin);
	return 1;
}

/* Return: 1 it was registered, 0 it was not (the kernel frees a map some time
 * after its last user), or a negative errno. */
static int unregister(const struct ctrl *c)
{
	__u32 zero = 0;
	int err = c->in_use ? bpf_map_delete_elem(c->fd, &zero) : -ENOENT;

	if (err && err != -ENOENT)
		return log_warn(err, "unregister the selector %s", c->name);
	return !err;
}

/* Return: 1 removed, 0 was not there, or a negative errno. */
static int unpin(const char *dir, const struct ctrl *c)
{
	char pin[32];
	int did;

	pin_name(c->generation, pin);
	did = pin_drop(dir, pin);
	return did < 0 ? log_warn(did, "unpin the selector %s/%s", dir, pin)
		       : did;
}

static int drop(struct datapath *dp, const struct ctrl *c)
{
	int did = unregister(c), unpinned;

	if (did < 0)
		return did;
	unpinned = unpin(dp->dir, c);
	return unpinned < 0 ? unpinned : did || unpinned;
}

static int hs_retire(struct datapath *dp)
{
	_cleanup_(ctrls_free) struct ctrls c = {};
	int err, did, dropped = 0;

	err = ctrls_read(dp, &c);
	for (size_t i = 0; !err && i < c.n; i++) {
		if (!c.v[i].ours ||
		    c.v[i].generation >= dp->hs_ctrl->generation)
			continue;
		did = drop(dp, &c.v[i]);
		if (did < 0)
			err = did;
		else
			dropped += did;
	}
	return err ?: dropped;
}

static const struct ctrl *newest_in_use(const struct ctrls *c)
{
	const struct ctrl *newest = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].ours && c->v[i].in_use &&
		    (!newest || c->v[i].generation > newest->generation))
			newest = &c->v[i];
	return newest;
}

/* Unregister it and unpin it everywhere. Return: as drop(). */
static int remove_ctrl(const struct abi_dirs *dirs, const struct ctrl *c)
{
	int did = unregister(c), one;

	for (size_t i = 0; did >= 0 && i < dirs->n; i++) {
		one = unpin(dirs->v[i].dir, c);
		did = one < 0 ? one : did || one;
	}
	return did;
}

/* Remove those without a pin from the list: they stay. */
static void leave_unpinned(struct ctrls *c, const struct abi_dirs *dirs)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (is_pinned(dirs, &c->v[i]))
			c->v[n++] = c->v[i];
		else
			close(c->v[i].fd);
	c->n = n;
}

static int hs_remove(struct datapath *dp, const struct abi_dirs *dirs,
		     bool pinned, bool keep_newest, struct buf *said)
{
	_cleanup_(ctrls_free) struct ctrls c = {};
	const struct ctrl *kept;
	int err, did, first = 0;

	err = ctrls_read(dp, &c);
	if (err) /* a kernel without smc_hs_ctrl has none of ours */
		return err == -EOPNOTSUPP ? 0 : err;
	if (pinned)
		leave_unpinned(&c, dirs);
	kept = keep_newest ? newest_in_use(&c) : NULL;
	for (size_t i = 0; i < c.n; i++) {
		if (!c.v[i].ours || &c.v[i] == kept) {
			buf_printf(said, "left selector %s: %s\n", c.v[i].name,
				   c.v[i].ours ? "SMC sockets need it"
					       : "not made by smcmesh");
			continue;
		}
		did = remove_ctrl(dirs, &c.v[i]);
		if (did > 0)
			buf_printf(said, "removed selector %s\n", c.v[i].name);
		else if (!first)
			first = did;
	}
	return first;
}

static const enum feature hs_needs[] = {FEATURE_BTF, FEATURE_HS_CTRL,
					FEATURE_MAX};
static const char *const hs_programs[] = {"syn_option", "synack_option", NULL};

const struct selector selector_hs_ctrl = {
	.name = "hs_ctrl",
	.cannot = NULL,
	.needs = hs_needs,
	.open = hs_open,
	.close = hs_close,
	.programs = hs_programs,
	.prepare = hs_prepare,
	.enroll = hs_enroll,
	.name_of = hs_name_of,
	.names = hs_names,
	.pin_is_ours = hs_pin_is_ours,
	.ids = hs_ids,
	.check = hs_check,
	.retire = hs_retire,
	.remove = hs_remove,
};
