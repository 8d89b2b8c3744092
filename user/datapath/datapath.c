// SPDX-License-Identifier: Apache-2.0
/* The state of the datapath, and what can be asked about it. */
#include "datapath/datapath.h"

#include <string.h>

#include "base/log.h"
#include "datapath/converter.h"
#include "datapath/selector.h"

const struct map_row map_rows[MAP_MAX] = {
#define DATAPATH_MAP_ROW(id, name, key, value) \
	[MAP_##id] = {name, sizeof(key), sizeof(value)},
	DATAPATH_MAPS(DATAPATH_MAP_ROW)
#undef DATAPATH_MAP_ROW
};

const struct converter *const converters[] = {&converter_sockproto, NULL};
const struct selector *const selectors[] = {&selector_hs_ctrl, NULL};

/* ---- the state ---- */

static void set_no_fds(struct datapath *dp)
{
	dp->cgroup_fd = -1;
	dp->ctrl.map_fd = -1;
	for (size_t i = 0; i < MAP_MAX; i++)
		dp->map_fd[i] = -1;
	for (size_t i = 0; i < LINKS; i++)
		dp->link_fd[i] = -1;
}

int datapath_new(const struct datapath_options *opt, struct datapath **out)
{
	_datapath_ struct datapath *dp = calloc(1, sizeof(*dp));

	if (!dp)
		return -ENOMEM;
	set_no_fds(dp);
	dp->bpffs = strdup(opt->bpffs ? opt->bpffs : DATAPATH_BPFFS);
	dp->proc = strdup(opt->proc ? opt->proc : DATAPATH_PROC);
	if (!dp->bpffs || !dp->proc)
		return -ENOMEM;
	if (asprintf(&dp->dir, "%s/" SMC_PIN_DIR, dp->bpffs) < 0) {
		dp->dir = NULL;
		return -ENOMEM;
	}
	if (asprintf(&dp->link_dir, "%s/links", dp->dir) < 0) {
		dp->link_dir = NULL;
		return -ENOMEM;
	}
	*out = take_ptr(dp);
	return 0;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	ring_buffer__free(dp->events);
	bpf_object__close(dp->ctrl_obj);
	bpf_object__close(dp->obj);
	cleanup_close(&dp->cgroup_fd);
	cleanup_close(&dp->ctrl.map_fd);
	for (size_t i = 0; i < MAP_MAX; i++)
		cleanup_close(&dp->map_fd[i]);
	for (size_t i = 0; i < LINKS; i++)
		cleanup_close(&dp->link_fd[i]);
	free(dp->said);
	free(dp->bpffs);
	free(dp->cgroup);
	free(dp->proc);
	free(dp->dir);
	free(dp->link_dir);
	free(dp);
}

void datapath_cleanup(struct datapath **dp)
{
	datapath_close(*dp);
}

const struct features *datapath_features(const struct datapath *dp)
{
	return &dp->features;
}

bool datapath_has_converter(const struct datapath *dp)
{
	return dp->converter;
}

bool datapath_has_selector(const struct datapath *dp)
{
	return dp->selector;
}

const char *datapath_converter(const struct datapath *dp)
{
	return dp->converter ? dp->converter->name : "none";
}

const char *datapath_selector(const struct datapath *dp)
{
	return dp->selector ? dp->selector->name : "none";
}

size_t datapath_methods(const struct features *fs, struct datapath_method *out,
			size_t room)
{
	size_t n = 0;

	for (size_t i = 0; converters[i]; i++, n++)
		if (n < room)
			out[n] = (struct datapath_method){
				"converter", converters[i]->name,
				converters[i]->cannot,
				converters[i]->probe(fs)};
	for (size_t i = 0; selectors[i]; i++, n++)
		if (n < room)
			out[n] = (struct datapath_method){
				"selector", selectors[i]->name,
				selectors[i]->cannot, selectors[i]->probe(fs)};
	return n;
}

const char *datapath_cgroup(const struct datapath *dp)
{
	return dp->cgroup;
}

bool datapath_can_mark(const struct datapath *dp)
{
	return dp->link_fd[links_find("flow_connect4")] >= 0 &&
	       dp->link_fd[links_find("flow_connect6")] >= 0;
}

const char *datapath_ctrl_name(const struct datapath *dp)
{
	return dp->selector ? dp->selector->name_of(dp) : NULL;
}

int datapath_retire_selectors(struct datapath *dp)
{
	int n = dp->selector ? dp->selector->retire(dp) : 0;

	if (n > 0)
		log_debug("retired older selectors n=%d", n);
	return n < 0 ? n : 0;
}
