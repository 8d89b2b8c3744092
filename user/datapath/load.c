// SPDX-License-Identifier: Apache-2.0
/*
 * The BPF object: what of it this kernel takes is loaded, and pinned maps of
 * an earlier start are adopted.
 *
 * bpf_object__load() is all or nothing: one program that the verifier refuses
 * takes the others with it. So after a failure each one is tried alone, those
 * that fail are left out, and the rest is loaded. It costs nothing where all
 * is well, and needs no guess about what the kernel dislikes.
 */
#include <bpf/bpf.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "datapath/pins.h"
#include "datapath/selector.h"
#include "smcmesh.skel.h"

#define VERIFIER_LOG (256 * 1024) /* bytes */

static bool quiet;

/* What libbpf warns of is said by us, with its consequence. */
static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];
	size_t len;

	if (quiet || level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	len = strlen(line);
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	log_debug("%s", line);
	return 0;
}

bool object_is_pinned_map(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) &&
	       bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS;
}

struct bpf_object *object_open(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "smcmesh");
	const void *elf;
	size_t size;

	libbpf_set_print(on_libbpf);
	elf = smcmesh_bpf__elf_bytes(&size);
	return bpf_object__open_mem(elf, size, &opts);
}

void object_cleanup(struct bpf_object **obj)
{
	bpf_object__close(*obj);
}

/* ---- may it be adopted? ---- */

static int refuse(const struct datapath *dp, const char *what)
{
	return log_err(-EPROTO,
		       "the pins in %s were made by another version of smcmesh "
		       "(%s); nothing was changed. Start that version, or take "
		       "its datapath away: smcmesh cleanup",
		       dp->dir, what);
}

int object_check_version(const struct datapath *dp)
{
	_close_ int fd = pin_open(dp->dir, map_rows[MAP_CONFIG].name, PIN_MAP);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	_free_ __u32 *value = NULL;
	char what[64];
	int err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return log_err(fd, "open the map %s/smc_config", dp->dir);
	err = bpf_map_get_info_by_fd(fd, &info, &len);
	if (err)
		return log_err(err, "ask about %s/smc_config", dp->dir);
	/* Fields are only added at the end: whatever else it holds, the
	 * version is its first word. */
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size < sizeof(*value))
		return refuse(dp, "smc_config is something else");
	value = calloc(1, info.value_size);
	if (!value)
		return -ENOMEM;
	err = bpf_map_lookup_elem(fd, &zero, value);
	if (err)
		return log_err(err, "read %s/smc_config", dp->dir);
	/* 0: made, and its agent died before it could write the version. */
	if (!*value || *value == SMC_ABI_VERSION)
		return 0;
	snprintf(what, sizeof(what), "ABI version %u, ours is %u", *value,
		 SMC_ABI_VERSION);
	return refuse(dp, what);
}

static int check_definition(const struct datapath *dp,
			    const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	_close_ int fd = pin_open(dp->dir, name, PIN_MAP);
	struct bpf_map_info is = {};
	__u32 len = sizeof(is);
	char what[128];
	int err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return log_err(fd, "open the map %s/%s", dp->dir, name);
	err = bpf_map_get_info_by_fd(fd, &is, &len);
	if (err)
		return log_err(err, "ask about %s/%s", dp->dir, name);
	if (is.type == bpf_map__type(map) &&
	    is.key_size == bpf_map__key_size(map) &&
	    is.value_size == bpf_map__value_size(map) &&
	    is.max_entries == bpf_map__max_entries(map) &&
	    is.map_flags == bpf_map__map_flags(map) &&
	    is.map_extra == bpf_map__map_extra(map))
		return 0;
	snprintf(what, sizeof(what),
		 "%s: type %u, key %u, value %u, %u entries; ours: %u, %u, %u, "
		 "%u",
		 name, is.type, is.key_size, is.value_size, is.max_entries,
		 bpf_map__type(map), bpf_map__key_size(map),
		 bpf_map__value_size(map), bpf_map__max_entries(map));
	return refuse(dp, what);
}

int object_check_pins(struct datapath *dp)
{
	_object_ struct bpf_object *obj = NULL;
	const struct bpf_map *map;
	int err;

	err = object_check_version(dp);
	if (err)
		return err;
	obj = object_open();
	if (!obj)
		return log_err(-errno, "open the BPF object");
	bpf_object__for_each_map(map, obj)
	{
		err = object_is_pinned_map(map) ? check_definition(dp, map) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* ---- what of it is loaded ---- */

static bool is_wanted(const struct load_set *set, const char *prog)
{
	for (size_t i = 0; i < LINKS; i++)
		if (!strcmp(link_rows[i].name, prog))
			return set->link[i];
	for (size_t i = 0; set->selector && set->selector->programs[i]; i++)
		if (!strcmp(set->selector->programs[i], prog))
			return true;
	return false;
}

/* @probe: leave out maps of types that this kernel has not. Programs that use
 * one are refused then, each by itself, and not the object as a whole. */
static int prepare_maps(struct datapath *dp, struct bpf_object *obj, bool probe)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, obj)
	{
		if (!object_is_pinned_map(map))
			continue;
		if (probe &&
		    !libbpf_probe_bpf_map_type(bpf_map__type(map), NULL)) {
			bpf_map__set_autocreate(map, false);
			continue;
		}
		err = pin_path(path, dp->dir, bpf_map__name(map));
		if (!err)
			err = bpf_map__set_pin_path(map, path);
		if (err)
			return err;
	}
	return 0;
}

static int prepare(struct datapath *dp, const struct load_set *set,
		   struct bpf_object *obj, bool probe)
{
	struct bpf_program *prog;
	int err;

	bpf_object__for_each_program(prog, obj)
	{
		err = bpf_program__set_autoload(
			prog, is_wanted(set, bpf_program__name(prog)));
		if (err)
			return err;
	}
	for (size_t i = 0; selectors[i]; i++) {
		err = selectors[i]->prepare(dp, obj,
					    selectors[i] == set->selector);
		if (err)
			return log_err(err, "prepare the selector %s",
				       selectors[i]->name);
	}
	return prepare_maps(dp, obj, probe);
}

/* @careful: after a failure. @verifier: room for VERIFIER_LOG, or NULL. */
static int load_once(struct datapath *dp, const struct load_set *set,
		     bool careful, char *verifier, struct bpf_object **out)
{
	_object_ struct bpf_object *obj = object_open();
	struct bpf_program *prog;
	int err;

	if (!obj)
		return log_err(-errno, "open the BPF object");
	err = prepare(dp, set, obj, careful);
	if (err)
		return err;
	if (verifier)
		bpf_object__for_each_program(prog, obj)
			bpf_program__set_log_buf(prog, verifier, VERIFIER_LOG);
	err = bpf_object__load(obj);
	if (!err)
		*out = take_ptr(obj);
	return err;
}

/* The verifier's verdict is the last line before its statistics. */
static const char *last_words(char *log)
{
	char *stats = strstr(log, "\nprocessed "), *line;

	if (stats)
		*stats = '\0';
	for (size_t len = strlen(log); len && log[len - 1] == '\n'; len--)
		log[len - 1] = '\0';
	line = strrchr(log, '\n');
	return line ? line + 1 : log;
}

/* Does @set, of one piece, load by itself? If not, say what is lost. */
static bool loads_alone(struct datapath *dp, const struct load_set *set,
			const char *name, const char *lost)
{
	_free_ char *log = calloc(1, VERIFIER_LOG);
	_object_ struct bpf_object *obj = NULL;
	int err;

	err = load_once(dp, set, true, log, &obj);
	if (err)
		log_warn(err, "%s is not accepted by this kernel: %s%s%s", name,
			 lost, log && *log ? "; verifier: " : "",
			 log ? last_words(log) : "");
	return !err;
}

/* Take out of @set what does not load. Return: number taken out. */
static int weed(struct datapath *dp, struct load_set *set)
{
	int out = 0;

	quiet = true;
	for (size_t i = 0; i < LINKS; i++) {
		struct load_set one = {};

		one.link[i] = true;
		if (!set->link[i] ||
		    loads_alone(dp, &one, link_rows[i].name, link_rows[i].lost))
			continue;
		set->link[i] = false;
		out++;
	}
	if (set->selector) {
		struct load_set one = {.selector = set->selector};

		if (!loads_alone(dp, &one, set->selector->name,
				 "nothing is converted")) {
			set->selector = NULL;
			out++;
		}
	}
	quiet = false;
	return out;
}

int object_load(struct datapath *dp, struct load_set *set,
		struct bpf_object **out)
{
	int err;

	err = load_once(dp, set, false, NULL, out);
	if (!err)
		return 0;
	if (!weed(dp, set))
		return log_err(err, "load the BPF object");
	err = load_once(dp, set, true, NULL, out);
	return err ? log_err(err, "load the BPF object") : 0;
}
