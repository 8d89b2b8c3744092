// SPDX-License-Identifier: Apache-2.0
#include "datapath/deny.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "datapath/mapio.h"
#include "base/pins.h"
#include "datapath/selector.h"

/* ---- what a kept selector reads ---- */

void kept_free(struct kept *kept)
{
	free(kept->v);
}

static bool is_selectors(const char *prog)
{
	for (size_t i = 0; selectors[i]; i++)
		for (size_t j = 0; selectors[i]->programs[j]; j++)
			if (!strcmp(selectors[i]->programs[j], prog))
				return true;
	return false;
}

/* Add the ids of the maps that one program uses. */
static int keep_maps_of(struct kept *kept, int prog_fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info), ids[64], *slot;
	int err;

	info.map_ids = (__u64)(unsigned long)ids;
	info.nr_map_ids = array_size(ids);
	err = bpf_prog_get_info_by_fd(prog_fd, &info, &len);
	if (err ||
	    (info.type != BPF_PROG_TYPE_STRUCT_OPS &&
	     info.type != BPF_PROG_TYPE_SCHED_CLS) ||
	    !is_selectors(info.name))
		return err;
	for (__u32 i = 0; i < info.nr_map_ids && i < array_size(ids); i++) {
		slot = array_push(kept->v, kept->n);
		if (!slot)
			return -ENOMEM;
		*slot = ids[i];
	}
	return 0;
}

int kept_find(struct kept *out)
{
	__u32 id = 0;
	int err = 0;

	while (!err && !bpf_prog_get_next_id(id, &id)) {
		_close_ int fd = bpf_prog_get_fd_by_id(id);

		if (fd >= 0)
			err = keep_maps_of(out, fd);
	}
	return err;
}

bool is_kept(const struct kept *kept, __u32 map_id)
{
	for (size_t i = 0; i < kept->n; i++)
		if (kept->v[i] == map_id)
			return true;
	return false;
}

/* ---- deny everything ---- */

/* A public map as it is pinned, with the sizes of that pin. Return: 1; 0: no
 * such pin; or a negative errno. */
static int open_public(const struct abi_dir *at, enum map_id id, int *fd,
		       struct rows *rows)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int err;

	*fd = pin_open(at->dir, map_rows[id].name, PIN_MAP);
	if (*fd < 0)
		return *fd == -ENOENT ? 0 : *fd;
	err = bpf_map_get_info_by_fd(*fd, &info, &len);
	if (err)
		return err;
	/* A pod's row begins with the same three words in every ABI (and
	 * smc_config: see switch_off()). */
	if (info.value_size < 3 * sizeof(__u32) ||
	    info.key_size != map_rows[id].key_size)
		return -EPROTO;
	rows->key_size = info.key_size;
	rows->value_size = info.value_size;
	err = map_read(*fd, rows);
	return err ?: 1;
}

/* Delete the rows of pods. Those of shared namespaces stay: they let other
 * programs' sockets pass. */
static int disarm_namespaces(const struct abi_dir *at)
{
	_cleanup_(rows_free) struct rows rows = {}, pods = {};
	const size_t flags_at = offsetof(struct smc_pod, flags);
	_close_ int fd = -1;
	int err = open_public(at, MAP_NETNS, &fd, &rows);
	__u32 flags;

	if (err <= 0)
		return err;
	pods.key_size = rows.key_size;
	pods.value_size = rows.value_size;
	for (size_t i = 0; i < rows.n; i++) {
		memcpy(&flags, (char *)rows_value(&rows, i) + flags_at,
		       sizeof(flags));
		if (flags & SMC_POD_SHARED)
			continue;
		err = rows_add(&pods, rows_key(&rows, i), rows_value(&rows, i));
		if (err < 0)
			return err;
	}
	err = 0;
	map_delete(fd, &pods, &err);
	return err;
}

/* Of one word of every row keep the bits in @and, and set those in @or. */
static int edit_word(const struct abi_dir *at, enum map_id id, size_t offset,
		     __u32 and, __u32 or)
{
	_cleanup_(rows_free) struct rows rows = {};
	_close_ int fd = -1;
	unsigned int full = 0;
	int err = open_public(at, id, &fd, &rows);
	__u32 word;

	if (err <= 0)
		return err;
	for (size_t i = 0; i < rows.n; i++) {
		unsigned char *p =
			(unsigned char *)rows_value(&rows, i) + offset;

		memcpy(&word, p, sizeof(word));
		word = (word & and) | or ;
		memcpy(p, &word, sizeof(word));
	}
	err = 0;
	map_write(fd, &rows, 0, rows.n, &full, &err);
	return err;
}

/* ABI 1 has the switch where later ones have the ABI that can read them. */
static int switch_off(const struct abi_dir *at)
{
	return edit_word(at, MAP_CONFIG,
			 at->abi == 1 ? sizeof(__u32)
				      : offsetof(struct smc_config, enabled),
			 0, 0);
}

static int first_of(int first, int err, const char *what)
{
	if (err)
		log_warn(err, "%s", what);
	return first ? first : err;
}

int deny_everything(const struct abi_dir *at)
{
	int err;

	err = first_of(0, switch_off(at), "switch off in smc_config");
	err = first_of(err, disarm_namespaces(at), "empty smc_netns");
	return first_of(err,
			edit_word(at, MAP_CGROUP,
				  offsetof(struct smc_pod, flags), ~0U,
				  SMC_POD_DENY),
			"deny in smc_cgroup");
}
