// SPDX-License-Identifier: Apache-2.0
/*
 * Where the kernel has no smc_hs_ctrl: programs on the devices of each
 * namespace (bpf/synfilter.bpf.c). Here they are loaded, and pinned in
 * BPFFS/smcmesh/vN/synfilter; the namespace half attaches them, and pins its
 * links beside them. So the value for a namespace is that directory.
 *
 * There are no generations: a namespace's links get the new programs in place
 * (BPF_LINK_UPDATE), one after the other.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/pins.h"
#include "base/strv.h"
#include "datapath/selector.h"

#define DIR_NAME "synfilter"

static const char *const syn_programs[] = {"syn_egress",  "syn_egress_2",
					   "syn_ingress", "syn_ingress_2",
					   "guard_turn",  NULL};

static int syn_open(struct datapath *dp)
{
	return asprintf(&dp->filters, "%s/" DIR_NAME, dp->dir) < 0 ? -ENOMEM
								   : 0;
}

static void syn_close(struct datapath *dp)
{
	free(dp->filters);
}

static int syn_prepare(struct datapath *dp, struct bpf_object *obj, bool load)
{
	return 0;
}

static const struct bpf_program *loaded(struct bpf_object *obj,
					const char *name)
{
	const struct bpf_program *prog =
		obj ? bpf_object__find_program_by_name(obj, name) : NULL;

	return prog && bpf_program__fd(prog) >= 0 ? prog : NULL;
}

/* Return: 1 pinned, 0 it was, or a negative errno. @lost: only what has no pin;
 * another one is a newer datapath's. */
static int pin_program(const struct datapath *dp,
		       const struct bpf_program *prog, bool lost)
{
	const char *name = bpf_program__name(prog);
	int fd = bpf_program__fd(prog), err = pin_is(dp->filters, name, fd);

	if (err == 1 || (!err && lost))
		return 0;
	err = pin_put(fd, dp->filters, name);
	return err ?: 1;
}

/* Return: number of pins made, or a negative errno. */
static int pin_programs(struct datapath *dp, struct bpf_object *obj, bool lost)
{
	const struct bpf_program *prog;
	int err = pin_dir_make(dp->filters), made = 0;

	for (size_t i = 0; !err && syn_programs[i]; i++) {
		prog = loaded(obj, syn_programs[i]);
		err = prog ? pin_program(dp, prog, lost) : -ENOENT;
		if (err > 0) {
			made += err;
			err = 0;
		}
	}
	return err ?: made;
}

static int syn_enroll(struct datapath *dp, struct bpf_object *obj)
{
	int made = pin_programs(dp, obj, false);

	return made < 0 ? made : 0;
}

static const char *syn_name_of(const struct datapath *dp)
{
	return dp->filters;
}

static bool is_there(const char *dir)
{
	struct stat st;

	return !stat(dir, &st) && S_ISDIR(st.st_mode);
}

static int syn_names(struct datapath *dp, char ***names)
{
	_cleanup_(abi_dirs_free) struct abi_dirs dirs = {};
	char path[PATH_MAX];
	int err;

	err = abi_dirs_read(dp->root, &dirs);
	for (size_t i = 0; !err && i < dirs.n; i++) {
		err = pin_path(path, dirs.v[i].dir, DIR_NAME);
		if (!err && is_there(path))
			err = strv_push(names, path);
	}
	return err;
}

static bool syn_pin_is_ours(const char *dir, const char *name)
{
	return false;
}

/* BPF knows it by a flag of the namespace's row. */
static int syn_ids(struct datapath *dp, __u32 ids[SMC_SELECTORS])
{
	memset(ids, 0, SMC_SELECTORS * sizeof(*ids));
	return 0;
}

/* Remove the pin of a link whose device has gone. */
static int drop_dead(const char *dir, const char *name, void *arg)
{
	_close_ int fd = pin_open(dir, name, PIN_LINK);
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int did;

	if (fd < 0 || bpf_link_get_info_by_fd(fd, &info, &len))
		return 0;
	did = pin_link_device(&info) ? 0 : pin_drop(dir, name);
	return did < 0 ? log_warn(did,
				  "remove the pin %s/%s of a link whose "
				  "device has gone",
				  dir, name)
		       : 0;
}

static int syn_check(struct datapath *dp)
{
	int err = pin_each(dp->filters, drop_dead, NULL);
	int made = pin_programs(dp, dp->obj, true);

	if (made > 0)
		log_info("pinned %d programs in %s again: their pins had gone",
			 made, dp->filters);
	return made < 0 ? made : err ?: made;
}

static int syn_retire(struct datapath *dp)
{
	return 0;
}

/* ---- remove ---- */

struct removing {
	struct buf *said;
	unsigned int links;
	bool keep;
};

static int remove_pin(const char *dir, const char *name, void *arg)
{
	struct removing *r = arg;
	_close_ int link = pin_open(dir, name, PIN_LINK);
	int did = r->keep && link >= 0 ? 0 : pin_drop(dir, name);

	if (did < 0)
		return did;
	r->links += link >= 0;
	return 0;
}

static int remove_dir(const char *dir, struct removing *r)
{
	int err = pin_each(dir, remove_pin, r);

	if (err || !is_there(dir))
		return err;
	if (r->keep && r->links) {
		buf_printf(r->said, "left %u filters in %s\n", r->links, dir);
		return 0;
	}
	if (rmdir(dir))
		return -errno;
	buf_printf(r->said, "removed selector " DIR_NAME ", %u filters, %s\n",
		   r->links, dir);
	return 0;
}

static int syn_remove(struct datapath *dp, const struct abi_dirs *dirs,
		      bool pinned, bool keep_newest, struct buf *said)
{
	char path[PATH_MAX];
	int err = 0;

	for (size_t i = 0; !err && i < dirs->n; i++) {
		struct removing r = {.said = said, .keep = keep_newest};

		err = pin_path(path, dirs->v[i].dir, DIR_NAME);
		err = err ?: remove_dir(path, &r);
	}
	return err;
}

static const enum feature syn_needs[] = {FEATURE_BTF, FEATURE_TCX,
					 FEATURE_KERN_CTX, FEATURE_MAX};

const struct selector selector_synfilter = {
	.name = "synfilter",
	.cannot = "an option in a later fragment of a SYN, and two ends that "
		  "connect to each other at once, are not judged",
	.needs = syn_needs,
	.guard = "dev_made",
	.open = syn_open,
	.close = syn_close,
	.programs = syn_programs,
	.prepare = syn_prepare,
	.enroll = syn_enroll,
	.name_of = syn_name_of,
	.names = syn_names,
	.pin_is_ours = syn_pin_is_ours,
	.ids = syn_ids,
	.check = syn_check,
	.retire = syn_retire,
	.remove = syn_remove,
};
