// SPDX-License-Identifier: Apache-2.0
/*
 * Opening the datapath: choose a converter and a selector by what the kernel
 * can do, load, adopt the pins, attach in an order in which nothing is ever
 * converted without being guarded, sweep what an earlier start left.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "datapath/converter.h"
#include "datapath/pins.h"
#include "datapath/selector.h"

/* ---- what this kernel can do ---- */

static const struct converter *choose_converter(const struct features *fs)
{
	for (size_t i = 0; converters[i]; i++)
		if (converters[i]->probe(fs))
			return converters[i];
	return NULL;
}

static const struct selector *choose_selector(const struct features *fs)
{
	for (size_t i = 0; selectors[i]; i++)
		if (selectors[i]->probe(fs))
			return selectors[i];
	return NULL;
}

const char *features_converter(const struct features *fs)
{
	const struct converter *c = choose_converter(fs);

	return c ? c->name : "none";
}

const char *features_selector(const struct features *fs)
{
	const struct selector *s = choose_selector(fs);

	return s ? s->name : "none";
}

/* Name one missing feature, and the way to get it. */
static void say_missing(const struct features *fs, enum feature f)
{
	const struct feature_text *t = feature_text(f);
	const char *detail = fs->v[f].detail;

	if (!feature_present(fs, f))
		log_info("%s: %s%s%s%s; %s", t->what,
			 fs->v[f].state == FEATURE_MISSING ? "missing"
							   : "not known",
			 *detail ? " (" : "", detail, *detail ? ")" : "",
			 t->how);
}

static void say_impossible(const struct features *fs)
{
	log_info("nothing can be accelerated on this node: every connection "
		 "stays TCP");
	say_missing(fs, FEATURE_IPPROTO_SMC);
	say_missing(fs, FEATURE_SOCKPROTO);
	say_missing(fs, FEATURE_HS_CTRL);
}

static int require(const struct features *fs, enum feature f, int err)
{
	const struct feature_text *t = feature_text(f);

	if (feature_present(fs, f))
		return 0;
	return log_err(err, "%s %s: %s; %s", t->what, fs->v[f].detail, t->loss,
		       t->how);
}

/* ---- load ---- */

static bool is_possible(const struct datapath *dp, const struct kbtf *kbtf,
			const struct link_row *row,
			const struct bpf_program *prog)
{
	const char *hook = bpf_program__section_name(prog);

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

/* Which of the links make sense here: those whose hook the kernel has. */
static int choose_links(const struct datapath *dp, struct load_set *set)
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

/* Say whose maps these are before anything relies on them. */
static int write_version(struct datapath *dp)
{
	struct smc_config c = {};
	__u32 zero = 0;
	int err;

	err = bpf_map_lookup_elem(dp->map_fd[MAP_CONFIG], &zero, &c);
	if (err || c.abi_version == SMC_ABI_VERSION)
		return err;
	c.abi_version = SMC_ABI_VERSION;
	return bpf_map_update_elem(dp->map_fd[MAP_CONFIG], &zero, &c, BPF_ANY);
}

/* A step of attaching, for tests that kill us there: passed before and after
 * it. */
static void passing(const char *step)
{
	char name[64];

	snprintf(name, sizeof(name), "attach:%s", step);
	fault_point(name);
}

/* Load the object, and register its selector if it has one. Another agent may
 * take the name of our generation between the two: then the next one is
 * tried. */
static int load_and_enroll(struct datapath *dp, struct load_set *set,
			   struct bpf_object **obj)
{
	int err = -EEXIST;

	passing("selector");
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
	passing("selector");
	return 0;
}

/* ---- attach ---- */

/* One that cannot be attached is said there, and does not keep the others. */
static void attach_links(struct datapath *dp, const struct load_set *set)
{
	int attached = 0;

	for (size_t i = 0; i < LINKS; i++) {
		if (!set->link[i] || link_rows[i].converter)
			continue;
		passing(link_rows[i].name);
		attached += !link_up(dp, i);
		passing(link_rows[i].name);
	}
	log_debug("attached programs n=%d", attached);
}

/* An idle datapath has its hooks in place and says that it has none: no pod is
 * armed by it. */
static void attach_converter(struct datapath *dp, const struct converter *c,
			     bool idle)
{
	const struct converter *it = c || !idle ? c : converters[0];

	if (!it || (!dp->selector && !idle))
		return;
	passing(it->name);
	if (!it->attach(dp) && dp->selector)
		dp->converter = c;
	passing(it->name);
}

/* ---- open and read ---- */

static int make_dirs(const struct datapath *dp)
{
	int err;

	err = pin_dir_make(dp->dir);
	if (err)
		return log_err(err, "make the directory %s", dp->dir);
	err = pin_dir_make(dp->link_dir);
	return err ? log_err(err, "make the directory %s", dp->link_dir) : 0;
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

/* Load, then attach: first what looks on, then the converter. */
static int bring_up(struct datapath *dp, bool idle)
{
	struct load_set set = {.selector = choose_selector(&dp->features)};
	int err;

	err = object_check_pins(dp);
	if (!err)
		err = make_dirs(dp);
	if (!err)
		err = choose_links(dp, &set);
	if (!err)
		err = load_and_enroll(dp, &set, &dp->obj);
	if (!err)
		err = take_map_fds(dp);
	if (!err)
		err = write_version(dp);
	if (!err)
		err = events_open(dp);
	if (err)
		return err;
	attach_links(dp, &set);
	attach_converter(dp, choose_converter(&dp->features), idle);
	err = links_sweep(dp);
	if (err)
		log_warn(err, "look for stray links in %s", dp->link_dir);
	return 0;
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
	err = require(fs, FEATURE_CAPABILITIES, -EPERM);
	if (err)
		return err;
	if (!opt->idle && (!choose_converter(fs) || !choose_selector(fs))) {
		say_impossible(fs);
		*out = take_ptr(dp);
		return 0;
	}
	err = require(fs, FEATURE_BTF, -EOPNOTSUPP);
	if (!err)
		err = require(fs, FEATURE_BPFFS, -ENOTDIR);
	if (!err)
		err = open_cgroup(dp, opt->cgroup);
	if (!err)
		err = bring_up(dp, opt->idle);
	if (!err)
		*out = take_ptr(dp);
	return err;
}

int datapath_read(const struct datapath_options *opt, struct datapath **out)
{
	_datapath_ struct datapath *dp = NULL;
	int err, found = 0;

	err = datapath_new(opt, &dp);
	if (!err)
		err = object_check_version(dp);
	for (size_t i = 0; !err && i < MAP_MAX; i++) {
		dp->map_fd[i] = pin_open(dp->dir, map_rows[i].name, PIN_MAP);
		if (dp->map_fd[i] >= 0)
			found++;
		else if (dp->map_fd[i] != -ENOENT)
			err = log_err(dp->map_fd[i], "open the map %s/%s",
				      dp->dir, map_rows[i].name);
	}
	if (!err && !found)
		err = -ENOENT;
	if (!err)
		*out = take_ptr(dp);
	return err;
}
