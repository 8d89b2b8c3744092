// SPDX-License-Identifier: Apache-2.0
/*
 * Loads what this kernel accepts of the BPF object, with the pinned maps of an
 * earlier start (inherit.c decides which).
 *
 * bpf_object__load() is all or nothing: if the verifier refuses one program
 * none is loaded. So after a failure this tries each one alone, leaves out
 * those that fail, and loads the rest. That costs nothing where all is well,
 * and needs no guess about what the kernel refuses.
 */
#include <bpf/bpf.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/pins.h"
#include "datapath/selector.h"

#define VERIFIER_LOG (256 * 1024) /* bytes */

/* ---- what of it is loaded ---- */

static bool is_wanted(const struct load_set *set, const char *prog)
{
	for (size_t i = 0; i < LINKS; i++)
		if (!strcmp(link_rows[i].name, prog))
			return set->link[i];
	for (size_t i = 0; i < JOB_MAX; i++)
		if (!strcmp(job_rows[i].name, prog))
			return set->job[i];
	for (size_t i = 0; set->selector && set->selector->programs[i]; i++)
		if (!strcmp(set->selector->programs[i], prog))
			return true;
	return false;
}

/* @probe: leave out maps of types that this kernel does not have. The kernel
 *         then refuses each program that uses one, and not the whole object. */
static int prepare_maps(struct datapath *dp, struct bpf_object *obj, bool probe)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, obj)
	{
		if (!object_is_pinned_map(map) ||
		    adopt_is_resized(dp, bpf_map__name(map)))
			continue;
		if (probe &&
		    !libbpf_probe_bpf_map_type(bpf_map__type(map), NULL)) {
			bpf_map__set_autocreate(map, false);
			continue;
		}
		err = pin_path(path, dp->dir, bpf_map__name(map));
		err = err ?: bpf_map__set_pin_path(map, path);
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

/* The verifier's reason is the last line before its statistics. */
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

/* Does @set, of one part, load by itself? If not, log what is lost. */
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

/* Clear @wanted if @alone, the set of only that part, does not load. Return:
 * number taken out. */
static int weed_one(struct datapath *dp, bool *wanted,
		    const struct load_set *alone, const char *name,
		    const char *lost)
{
	if (!*wanted || loads_alone(dp, alone, name, lost))
		return 0;
	*wanted = false;
	return 1;
}

static int weed_links(struct datapath *dp, struct load_set *set)
{
	int out = 0;

	for (size_t i = 0; i < LINKS; i++) {
		struct load_set one = {};

		one.link[i] = true;
		out += weed_one(dp, &set->link[i], &one, link_rows[i].name,
				link_rows[i].lost);
	}
	return out;
}

static int weed_jobs(struct datapath *dp, struct load_set *set)
{
	int out = 0;

	for (size_t i = 0; i < JOB_MAX; i++) {
		struct load_set one = {};

		one.job[i] = true;
		out += weed_one(dp, &set->job[i], &one, job_rows[i].name,
				job_rows[i].lost);
	}
	return out;
}

/* Take the parts that do not load out of @set. Return: their number. */
static int weed(struct datapath *dp, struct load_set *set)
{
	int out;

	object_quiet(true);
	out = weed_links(dp, set) + weed_jobs(dp, set);
	if (set->selector) {
		struct load_set one = {.selector = set->selector};

		if (!loads_alone(dp, &one, set->selector->name,
				 "nothing is converted")) {
			set->selector = NULL;
			out++;
		}
	}
	object_quiet(false);
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
