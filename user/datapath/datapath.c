// SPDX-License-Identifier: Apache-2.0
/* The state of the datapath, and questions about it. */
#include "datapath/datapath.h"

#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/strv.h"
#include "datapath/converter.h"
#include "datapath/other.h"
#include "datapath/selector.h"

/* ---- the state ---- */

static void set_no_fds(struct datapath *dp)
{
	dp->cgroup_fd = -1;
	for (size_t i = 0; i < MAP_MAX; i++)
		dp->map_fd[i] = -1;
	for (size_t i = 0; i < LINKS; i++)
		dp->link_fd[i] = -1;
}

int datapath_new(const struct datapath_options *opt, struct datapath **out)
{
	_datapath_ struct datapath *dp = calloc(1, sizeof(*dp));
	struct abi_dir own;
	int err;

	if (!dp)
		return -ENOMEM;
	set_no_fds(dp);
	dp->bpffs = strdup(opt->bpffs ? opt->bpffs : DATAPATH_BPFFS);
	dp->proc = strdup(opt->proc ? opt->proc : DATAPATH_PROC);
	if (!dp->bpffs || !dp->proc)
		return -ENOMEM;
	dp->idle = opt->idle;
	if (asprintf(&dp->root, "%s/" SMC_PIN_DIR, dp->bpffs) < 0) {
		dp->root = NULL;
		return -ENOMEM;
	}
	err = abi_dir_set(&own, dp->root, SMC_ABI_VERSION);
	if (err)
		return err;
	dp->dir = own.dir;
	dp->link_dir = own.link_dir;
	for (size_t i = 0; !err && selectors[i]; i++)
		err = selectors[i]->open(dp);
	if (!err)
		*out = take_ptr(dp);
	return err;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	ring_buffer__free(dp->events);
	bpf_object__close(dp->ctrl_obj);
	bpf_object__close(dp->obj);
	cleanup_close(&dp->cgroup_fd);
	for (size_t i = 0; i < MAP_MAX; i++)
		cleanup_close(&dp->map_fd[i]);
	for (size_t i = 0; i < LINKS; i++)
		cleanup_close(&dp->link_fd[i]);
	for (size_t i = 0; selectors[i]; i++)
		selectors[i]->close(dp);
	adopt_free(dp);
	others_free(dp);
	strv_free(&dp->ctrl_names);
	free(dp->said);
	free(dp->bpffs);
	free(dp->cgroup);
	free(dp->proc);
	free(dp->root);
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

bool datapath_has_selector(const struct datapath *dp)
{
	return dp->selector || fault_maps_only();
}

const char *datapath_converter(const struct datapath *dp)
{
	return datapath_has_converter(dp) ? dp->converter->name : "none";
}

const char *datapath_selector(const struct datapath *dp)
{
	return dp->selector ? dp->selector->name : "none";
}

const char *datapath_cgroup(const struct datapath *dp)
{
	return dp->cgroup;
}

bool datapath_guards(const struct datapath *dp)
{
	return dp->selector && dp->selector->guard;
}

const char *datapath_ctrl_name(const struct datapath *dp)
{
	return dp->selector ? dp->selector->name_of(dp) : NULL;
}

char *const *datapath_ctrl_names(const struct datapath *dp)
{
	return dp->ctrl_names;
}

/* Of all selectors, NULL-terminated. Return: 0 or a negative errno. */
static int ctrl_names(struct datapath *dp, char ***out)
{
	_strv_ char **names = calloc(1, sizeof(*names));
	int err = names ? 0 : -ENOMEM;

	for (size_t i = 0; !err && selectors[i]; i++)
		err = selectors[i]->names(dp, &names);
	if (!err)
		*out = take_ptr(names);
	return err;
}

int ctrl_names_refresh(struct datapath *dp)
{
	char **names = NULL;
	int err = ctrl_names(dp, &names);

	if (err)
		return log_warn(err, "list our selectors");
	strv_free(&dp->ctrl_names);
	dp->ctrl_names = names;
	return 0;
}

int datapath_ctrl_names_read(const struct datapath_options *opt, char ***out)
{
	_datapath_ struct datapath *dp = NULL;
	int err = datapath_new(opt, &dp);

	return err ?: ctrl_names(dp, out);
}

int datapath_retire_selectors(struct datapath *dp)
{
	int n = dp->selector ? dp->selector->retire(dp) : 0;
	int err = n < 0 ? n : config_selectors(dp);

	if (n > 0)
		log_debug("retired older selectors n=%d", n);
	return err ?: ctrl_names_refresh(dp);
}

int datapath_abis(const struct datapath_options *opt, unsigned int *out,
		  size_t room)
{
	_cleanup_(abi_dirs_free) struct abi_dirs dirs = {};
	_datapath_ struct datapath *dp = NULL;
	int err;

	err = datapath_new(opt, &dp);
	err = err ?: abi_dirs_read(dp->root, &dirs);
	for (size_t i = 0; !err && i < dirs.n && i < room; i++)
		out[i] = dirs.v[i].abi;
	return err ?: (int)dirs.n;
}
