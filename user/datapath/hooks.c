// SPDX-License-Identifier: Apache-2.0
/*
 * Which programs are attached, and when.
 *
 * Programs on SMC's own functions cost others nothing: the datapath attaches
 * them from the start. It attaches those that every socket() and connect() of
 * the machine runs through (LINK_ARMED) when the first pod is to be armed, in
 * the order of link_rows: guards before the converter. It attaches all before
 * it pins the first, for a pod waits: an agent that dies in between has
 * attached nothing. It detaches them in the opposite order. The program that
 * every SYN to the machine runs through waits for the first SMC listener
 * (LINK_LISTENER).
 */
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "datapath/converter.h"
#include "datapath/other.h"
#include "datapath/recorder.h"

void hooks_passing(const char *step)
{
	char name[64];

	snprintf(name, sizeof(name), "attach:%s", step);
	fault_point(name);
}

static bool has_flag(size_t i, enum link_flag flag)
{
	return link_rows[i].flags & flag;
}

/* ---- who records ---- */

static bool can_record(const struct datapath *dp, const struct recorder *r)
{
	if (!features_have(&dp->features, r->needs) ||
	    (r->by_selector && !dp->selector))
		return false;
	for (size_t i = 0; r->programs[i]; i++)
		if (!object_program(dp, r->programs[i]))
			return false;
	return true;
}

/* The wished one, if it works here; else the first that does. */
static const struct recorder *choose(const struct datapath *dp,
				     enum mesh_recorder wish)
{
	const struct recorder *first = NULL;

	for (size_t i = 0; recorders[i]; i++) {
		if (!can_record(dp, recorders[i]))
			continue;
		if (recorders[i]->wish == wish)
			return recorders[i];
		first = first ?: recorders[i];
	}
	return first;
}

/* The recorder of the agent before us: it stays until SmcMesh wishes
 * another. */
static enum mesh_recorder before(const struct datapath *dp)
{
	for (size_t i = 0; i < LINKS; i++)
		if (link_rows[i].recorder &&
		    link_pin_is_ours(dp->link_dir, link_rows[i].name))
			return link_rows[i].recorder->wish;
	return MESH_RECORDER_AUTO;
}

/* Must this link of a recorder be attached, while that one records? */
static bool is_due(const struct datapath *dp, size_t i,
		   const struct recorder *r)
{
	if (!r || link_rows[i].recorder != r || !link_is_loaded(dp, i))
		return false;
	if (!has_flag(i, LINK_ARMED) || dp->hooks == HOOKS_ARMED)
		return true;
	return dp->hooks == HOOKS_GUARD && has_flag(i, LINK_GUARDS);
}

static int attach_recorder(struct datapath *dp, const struct recorder *r)
{
	int err = 0;

	for (size_t i = 0; !err && i < LINKS; i++) {
		if (!is_due(dp, i, r))
			continue;
		hooks_passing(link_rows[i].name);
		err = link_up(dp, i);
		hooks_passing(link_rows[i].name);
	}
	return err;
}

static int detach_recorder(struct datapath *dp, const struct recorder *r)
{
	int first = 0, err;

	for (size_t i = LINKS; r && i--;) {
		err = link_rows[i].recorder == r ? link_down(dp, i) : 0;
		if (err < 0)
			log_warn(err, "detach %s", link_rows[i].name);
		first = first ?: err < 0 ? err : 0;
	}
	return first;
}

/* Both record for a moment, rather than none. If the new one cannot be attached
 * the old one stays. */
static int record_with(struct datapath *dp, const struct recorder *r)
{
	const struct recorder *old = dp->recorder;
	int err;

	err = attach_recorder(dp, r);
	if (err) {
		detach_recorder(dp, r);
		return err;
	}
	err = config_use(dp, SMC_USE_PLAIN, r ? r->uses : 0);
	if (err)
		log_err(err, "write smc_config");
	dp->recorder = r;
	return detach_recorder(dp, old) ?: err;
}

static void say_recorder(const struct datapath *dp, enum mesh_recorder wanted)
{
	const struct recorder *r = dp->recorder;

	if (!r)
		log_warn(0, "this kernel has no recorder of ours: flows are "
			    "not recorded");
	else if (wanted && r->wish != wanted)
		log_warn(0,
			 "the wished recorder is not possible on this kernel: "
			 "%s records",
			 r->name);
	else
		log_info("flows are recorded by %s", r->name);
}

int datapath_record(struct datapath *dp, enum mesh_recorder wanted)
{
	const struct recorder *r;
	int err = 0;

	if (!dp->obj)
		return 0;
	r = choose(dp, wanted);
	if (r != dp->recorder)
		err = record_with(dp, r);
	else if (wanted == dp->wish)
		return 0;
	if (err)
		return err;
	dp->wish = wanted;
	say_recorder(dp, wanted);
	return err;
}

const char *datapath_recorder(const struct datapath *dp)
{
	return dp->recorder ? dp->recorder->name : "none";
}

/* ---- what everybody runs through ---- */

static bool is_armed_row(const struct datapath *dp, size_t i)
{
	return has_flag(i, LINK_ARMED) && link_is_loaded(dp, i) &&
	       (dp->listens || !has_flag(i, LINK_LISTENER)) &&
	       (!link_rows[i].recorder ||
		link_rows[i].recorder == dp->recorder);
}

/* An idle datapath may have no converter: it attaches the first one's hook all
 * the same, which converts nothing without a selector. So it does not matter if
 * this kernel refuses that. */
static int attach_converter(struct datapath *dp)
{
	const struct converter *c = dp->converter;

	if (c)
		return c->attach(dp);
	(void)!converters[0]->attach(dp);
	return 0;
}

/* Only a failure of the converter, which tests for its guard, ends this: then
 * nothing is converted. For any other program link_attach() logs what is
 * lost. */
static int attach_armed(struct datapath *dp)
{
	int err = 0;

	for (size_t i = 0; !err && i < LINKS; i++) {
		if (!is_armed_row(dp, i) || dp->link_fd[i] >= 0)
			continue;
		hooks_passing(link_rows[i].name);
		if (has_flag(i, LINK_CONVERTER))
			err = attach_converter(dp);
		else
			(void)!link_attach(dp, i);
		hooks_passing(link_rows[i].name);
	}
	return err;
}

static int pin_armed(struct datapath *dp)
{
	int err = 0;

	for (size_t i = 0; !err && i < LINKS; i++)
		if (has_flag(i, LINK_ARMED) && dp->link_fd[i] >= 0)
			err = link_pin(dp, i);
	return err;
}

/* @kept: except those with this flag. */
static void detach_armed(struct datapath *dp, unsigned int kept)
{
	int err;

	for (size_t i = LINKS; i--;) {
		if (!has_flag(i, LINK_ARMED) || link_rows[i].flags & kept ||
		    dp->link_fd[i] < 0)
			continue;
		err = link_down(dp, i);
		if (err < 0)
			log_warn(err, "detach %s", link_rows[i].name);
	}
}

bool datapath_has_converter(const struct datapath *dp)
{
	return fault_maps_only() ||
	       (dp->converter && dp->selector && !dp->arm_failed &&
		dp->converter->is_ready(dp));
}

/* May datapath_arm() try? Also if it failed before. */
static bool can_arm(const struct datapath *dp)
{
	if (!dp->obj)
		return false;
	return dp->idle ||
	       (dp->converter && dp->selector && dp->converter->is_ready(dp));
}

int datapath_arm(struct datapath *dp)
{
	int err;

	if (!can_arm(dp) || dp->hooks == HOOKS_ARMED)
		return 0;
	err = attach_armed(dp);
	err = err ?: pin_armed(dp);
	dp->arm_failed = err;
	if (err) {
		detach_armed(dp, dp->hooks == HOOKS_GUARD ? LINK_GUARDS : 0);
		return log_err(err, "attach the hooks of sockets; nothing is "
				    "converted");
	}
	dp->hooks = HOOKS_ARMED;
	return 0;
}

void datapath_disarm(struct datapath *dp, bool guarded)
{
	if (!dp->obj)
		return;
	detach_armed(dp, guarded ? LINK_GUARDS : 0);
	dp->hooks = datapath_is_armed(dp) ? HOOKS_GUARD : HOOKS_DOWN;
	dp->listens &= dp->hooks != HOOKS_DOWN;
}

bool datapath_is_armed(const struct datapath *dp)
{
	for (size_t i = 0; i < LINKS; i++)
		if (has_flag(i, LINK_ARMED) && dp->link_fd[i] >= 0)
			return true;
	return false;
}

/* ---- what the rows of pods say ---- */

static bool is_armed(const struct smc_pod *pod)
{
	return !(pod->flags &
		 (SMC_POD_DENY | SMC_POD_REFUSED | SMC_POD_SHARED));
}

static bool has_listened(const struct smc_pod *pod)
{
	return pod->flags & SMC_POD_LISTENS;
}

static bool any_of(const struct datapath *dp, enum map_id id,
		   bool (*is_one)(const struct smc_pod *pod))
{
	_cleanup_(rows_free) struct rows rows = {};
	struct smc_pod pod;
	int err = pods_read(dp, id, &rows);

	/* "Yes": too many hooks are better than too few. */
	if (err)
		return log_warn(err, "read the map %s", map_rows[id].name);
	for (size_t i = 0; i < rows.n; i++) {
		memcpy(&pod, rows_value(&rows, i), sizeof(pod));
		if (is_one(&pod))
			return true;
	}
	return false;
}

static bool any_pod(const struct datapath *dp,
		    bool (*is_one)(const struct smc_pod *pod))
{
	return any_of(dp, MAP_NETNS, is_one) || any_of(dp, MAP_CGROUP, is_one);
}

/* ---- with the first SMC listener ---- */

/* Also of a pod that has been disarmed since, of which only a pin tells. */
static bool had_listener(const struct datapath *dp)
{
	for (size_t i = 0; i < LINKS; i++)
		if (has_flag(i, LINK_LISTENER) &&
		    link_pin_is_ours(dp->link_dir, link_rows[i].name))
			return true;
	return any_pod(dp, has_listened);
}

void datapath_listen(struct datapath *dp)
{
	if (!dp->obj || dp->listens || dp->hooks == HOOKS_DOWN ||
	    !any_pod(dp, has_listened))
		return;
	dp->listens = true;
	for (size_t i = 0; i < LINKS; i++) {
		if (!has_flag(i, LINK_LISTENER) || !is_armed_row(dp, i) ||
		    dp->link_fd[i] >= 0)
			continue;
		hooks_passing(link_rows[i].name);
		link_up(dp, i);
		hooks_passing(link_rows[i].name);
	}
}

/* ---- at the start ---- */

/* link_up() logs a failure, which does not keep the others. */
static void attach_start(struct datapath *dp)
{
	for (size_t i = 0; i < LINKS; i++) {
		if (has_flag(i, LINK_ARMED) || link_rows[i].recorder ||
		    !link_is_loaded(dp, i))
			continue;
		hooks_passing(link_rows[i].name);
		link_up(dp, i);
		hooks_passing(link_rows[i].name);
	}
}

/* The programs that guarded our sockets before a restart go on. */
static void guard_again(struct datapath *dp)
{
	for (size_t i = 0; i < LINKS; i++) {
		if (!has_flag(i, LINK_GUARDS) || !is_armed_row(dp, i) ||
		    !link_pin_is_ours(dp->link_dir, link_rows[i].name))
			continue;
		dp->hooks = HOOKS_GUARD;
		link_up(dp, i);
	}
}

void hooks_up(struct datapath *dp)
{
	enum mesh_recorder wish = before(dp);

	/* The programs that close records before those that make them: else the
	 * records of the first connections stay open, and hold their share. */
	datapath_record(dp, wish);
	attach_start(dp);
	ration_up(dp);
	dp->listens = had_listener(dp);
	if (any_pod(dp, is_armed))
		datapath_arm(dp);
	else
		guard_again(dp);
	if (dp->hooks == HOOKS_ARMED)
		others_hush(dp);
}
