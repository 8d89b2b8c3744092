// SPDX-License-Identifier: Apache-2.0
/*
 * Opens the datapath: chooses a converter and a selector by what the kernel can
 * do, loads, adopts the pins, attaches (hooks.c), and sweeps what an earlier
 * start left.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/fault.h"
#include "base/log.h"
#include "datapath/converter.h"
#include "datapath/other.h"
#include "base/pins.h"
#include "datapath/recorder.h"
#include "datapath/selector.h"

/* ---- what this kernel can do ---- */

/* feature_how() for the kernel that runs. Return: @text. */
static const char *how_here(enum feature f, char text[FEATURE_HOW_MAX])
{
	struct utsname name = {};

	uname(&name);
	return feature_how(f, name.release, text);
}

/* Name one missing feature, and the way to get it. */
static void say_missing(const struct features *fs, enum feature f)
{
	const struct feature_text *t = feature_text(f);
	const char *detail = fs->v[f].detail;
	char how[FEATURE_HOW_MAX];

	if (!feature_present(fs, f))
		log_info("%s: %s%s%s%s; %s", t->what,
			 fs->v[f].state == FEATURE_MISSING ? "missing"
							   : "not known",
			 *detail ? " (" : "", detail, *detail ? ")" : "",
			 how_here(f, how));
}

static void say_impossible(const struct features *fs)
{
	log_info("nothing can be accelerated on this node: every connection "
		 "stays TCP");
	for (enum feature f = 0; f < FEATURE_MAX; f++)
		if (features_decides(fs, f))
			say_missing(fs, f);
}

static int require(const struct features *fs, enum feature f, int err)
{
	const struct feature_text *t = feature_text(f);
	char how[FEATURE_HOW_MAX];

	if (feature_present(fs, f))
		return 0;
	return log_err(err, "%s %s: %s; %s", t->what, fs->v[f].detail, t->loss,
		       how_here(f, how));
}

/* ---- load ---- */

static bool is_chosen(const struct features *fs, const struct link_row *row)
{
	const struct selector *s = selector_for(fs);

	if (row->flags & LINK_DEVICES && !(s && s->guard))
		return false;
	if (row->recorder && !features_have(fs, row->recorder->needs))
		return false;
	return !(row->flags & LINK_FOR_LSM) ||
	       !feature_present(fs, FEATURE_NO_SOCKET_LSM);
}

static bool is_possible(const struct datapath *dp, const struct kbtf *kbtf,
			const struct link_row *row,
			const struct bpf_program *prog)
{
	const char *hook = bpf_program__section_name(prog);

	if (!is_chosen(&dp->features, row))
		return false;
	if (row->needs != FEATURE_MAX &&
	    !feature_present(&dp->features, row->needs)) {
		log_warn(0, "%s: needs %s; %s", row->name,
			 feature_text(row->needs)->what, row->lost);
		return false;
	}
	if (kbtf_hook(kbtf, hook))
		return true;
	log_warn(0, "%s: the kernel has no %s; %s", row->name, hook, row->lost);
	return false;
}

/* The parts of the object that make sense here: of the links those whose hook
 * the kernel has. */
static int choose_parts(const struct datapath *dp, struct load_set *set)
{
	_object_ struct bpf_object *obj = object_open();
	_kbtf_ struct kbtf *kbtf = kbtf_open();
	const struct bpf_program *prog;

	if (!obj || !kbtf)
		return log_err(-EOPNOTSUPP, "open the BPF object");
	for (size_t i = 0; i < LINKS; i++) {
		prog = bpf_object__find_program_by_name(obj, link_rows[i].name);
		set->link[i] =
			prog && is_possible(dp, kbtf, &link_rows[i], prog);
	}
	for (size_t i = 0; i < JOB_MAX; i++)
		set->job[i] = true;
	set->selector = selector_for(&dp->features);
	return 0;
}

static int take_map_fds(struct datapath *dp)
{
	const struct bpf_map *map;

	for (size_t i = 0; i < MAP_MAX; i++) {
		map = bpf_object__find_map_by_name(dp->obj, map_rows[i].name);
		if (!map || bpf_map__fd(map) < 0)
			return log_err(-ENOENT, "the BPF object has no map %s",
				       map_rows[i].name);
		if (bpf_map__key_size(map) != map_rows[i].key_size ||
		    bpf_map__value_size(map) != map_rows[i].value_size)
			return log_err(-EPROTO, "map %s is of other sizes",
				       map_rows[i].name);
		dp->map_fd[i] = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);
		if (dp->map_fd[i] < 0)
			return log_err(-errno, "keep the map %s",
				       map_rows[i].name);
	}
	return 0;
}

/* Load the object, and register its selector if it has one. If another agent
 * takes the name of our generation between the two, try the next. */
static int load_and_enroll(struct datapath *dp, struct load_set *set,
			   struct bpf_object **obj)
{
	int err = -EEXIST;

	hooks_passing("selector");
	for (int tries = 0; tries < 3 && err == -EEXIST; tries++) {
		bpf_object__close(*obj);
		*obj = NULL;
		err = object_load(dp, set, obj);
		if (err)
			return err;
		if (!set->selector)
			return 0;
		err = set->selector->enroll(dp, *obj);
	}
	if (err) {
		log_warn(err, "register the selector %s; nothing is converted",
			 set->selector->name);
		return 0;
	}
	dp->selector = set->selector;
	log_info("registered the selector %s", datapath_ctrl_name(dp));
	hooks_passing("selector");
	return 0;
}

/* ---- open and read ---- */

int dirs_make(const struct datapath *dp)
{
	const char *const dirs[] = {dp->root, dp->dir, dp->link_dir};
	int err = 0;

	for (size_t i = 0; !err && i < array_size(dirs); i++)
		err = pin_dir_make(dirs[i]);
	return err;
}

static int open_cgroup(struct datapath *dp, const char *wanted)
{
	char found[PATH_MAX];

	if (!feature_present(&dp->features, FEATURE_CGROUP2))
		return 0;
	if (!wanted && features_find_cgroup2(dp->proc, found, sizeof(found)))
		return 0;
	dp->cgroup = strdup(wanted ? wanted : found);
	if (!dp->cgroup)
		return -ENOMEM;
	if (!features_is_cgroup_root(dp->cgroup))
		log_warn(0,
			 "%s is not the root of the cgroup v2 hierarchy: "
			 "flows of programs outside it are not seen",
			 dp->cgroup);
	dp->cgroup_fd = open(dp->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dp->cgroup_fd < 0 ? log_err(-errno, "open %s", dp->cgroup) : 0;
}

/* Adopt what an earlier start of ours pinned, or the agent of another ABI,
 * before a program of ours reads it. */
static int adopt(struct datapath *dp)
{
	int err;

	err = take_map_fds(dp);
	err = err ?: adopt_copy(dp);
	err = err ?: config_begin(dp);
	if (err)
		return err;
	err = others_quarantine(dp);
	return err ? log_err(err, "take over the quarantine") : 0;
}

static int bring_up(struct datapath *dp)
{
	struct load_set set = {};
	int err;

	err = others_find(dp);
	err = err ?: adopt_check_pins(dp);
	if (err)
		return err;
	err = dirs_make(dp);
	if (err)
		return log_err(err, "make the directories of %s", dp->dir);
	/* Of the maps alone a question can be asked. */
	set.job[JOB_VERDICT_ASK] = fault_maps_only();
	err = fault_maps_only() ? 0 : choose_parts(dp, &set);
	err = err ?: load_and_enroll(dp, &set, &dp->obj);
	err = err ?: adopt(dp);
	err = err ?: events_open(dp);
	if (err)
		return err;
	dp->converter = converter_for(&dp->features);
	err = ctrl_names_refresh(dp);
	if (err)
		return err;
	hooks_up(dp);
	adopt_finish(dp);
	err = links_sweep(dp) ?: maps_sweep(dp);
	if (err)
		log_warn(err, "look for stray pins in %s", dp->dir);
	return 0;
}

/* For tests of the maps alone (fault_maps_only()), on kernels without these. */
static void pretend(struct features *fs)
{
	static const enum feature asked[] = {
		FEATURE_IPPROTO_SMC, FEATURE_SOCKPROTO, FEATURE_HS_CTRL};

	for (size_t i = 0; fault_maps_only() && i < array_size(asked); i++)
		fs->v[asked[i]].state = FEATURE_PRESENT;
}

int datapath_open(const struct datapath_options *opt, struct datapath **out)
{
	_datapath_ struct datapath *dp = NULL;
	const struct features *fs;
	int err;

	err = datapath_new(opt, &dp);
	if (err)
		return log_err(err, "open the datapath");
	fs = &dp->features;
	features_probe(opt, &dp->features);
	pretend(&dp->features);
	err = require(fs, FEATURE_CAPABILITIES, -EPERM);
	if (err)
		return err;
	if (!opt->idle && (!converter_for(fs) || !selector_for(fs))) {
		say_impossible(fs);
		*out = take_ptr(dp);
		return 0;
	}
	err = require(fs, FEATURE_BTF, -EOPNOTSUPP);
	err = err ?: require(fs, FEATURE_BPFFS, -ENOTDIR);
	err = err ?: open_cgroup(dp, opt->cgroup);
	err = err ?: bring_up(dp);
	if (!err)
		*out = take_ptr(dp);
	return err;
}

/* Nothing of ours is there. Return: -ENOENT, or -EPROTO, logged: another ABI's
 * is. */
static int say_other(const struct datapath *dp)
{
	_cleanup_(abi_dirs_free) struct abi_dirs dirs = {};

	if (abi_dirs_read(dp->root, &dirs))
		return -ENOENT;
	for (size_t i = 0; i < dirs.n; i++)
		if (dirs.v[i].abi != SMC_ABI_VERSION)
			return log_err(-EPROTO,
				       "%s holds the datapath of ABI %u, this "
				       "version reads ABI %u",
				       dirs.v[i].dir, dirs.v[i].abi,
				       SMC_ABI_VERSION);
	return -ENOENT;
}

int datapath_read(const struct datapath_options *opt, struct datapath **out)
{
	_datapath_ struct datapath *dp = NULL;
	int err, found = 0;

	err = datapath_new(opt, &dp);
	err = err ?: adopt_check_version(dp);
	for (size_t i = 0; !err && i < MAP_MAX; i++) {
		dp->map_fd[i] = pin_open(dp->dir, map_rows[i].name, PIN_MAP);
		if (dp->map_fd[i] >= 0)
			found++;
		else if (dp->map_fd[i] != -ENOENT)
			err = log_err(dp->map_fd[i], "open the map %s/%s",
				      dp->dir, map_rows[i].name);
	}
	if (!err && !found)
		err = say_other(dp);
	if (!err)
		*out = take_ptr(dp);
	return err;
}
