// SPDX-License-Identifier: Apache-2.0
/*
 * The second half of a live upgrade: our programs run, and our selector judges
 * every namespace. The agent first detaches the other ABI's links, the
 * converter before the rest; then only it writes to those maps, and moves their
 * content.
 *
 * The agent may be killed anywhere, and the next one does the rest. A flow is
 * put once, for then its key is taken. Counters are added here and cleared
 * there slot by slot. A mark (COUNTER_MARK) makes sure that a slot is added
 * only once: the BPF program sets it in the same run that adds. A slot with a
 * mark was added, and its source is cleared, or must still be.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "datapath/mapio.h"
#include "datapath/other.h"
#include "base/pins.h"

/* ---- links ---- */

static int drop_link(const char *dir, const char *name, void *arg)
{
	int did = link_pin_is_ours(dir, name) ? link_drop(dir, name) : 0;

	return did < 0 ? did : 0;
}

static int drop_links(const struct other *o)
{
	int err;

	err = drop_link(o->at.link_dir, "sockproto", NULL);
	fault_point("takeover:converter");
	return err ?: pin_each(o->at.link_dir, drop_link, NULL);
}

static int hush_link(const char *dir, const char *name, void *arg)
{
	return !strcmp(name, "flow_connect4") || !strcmp(name, "flow_connect6")
		       ? 0
		       : drop_link(dir, name, arg);
}

/* Its selector still answers, until each namespace has ours, but the programs
 * that uncount are going: so its rations end. ABI 1 never had any. */
static int count_no_more(const struct other *o)
{
	const size_t size = offsetof(struct smc_config, uses) + sizeof(__u32);
	struct smc_config c;
	int err;

	if (o->kind != &other_later)
		return 0;
	err = abi_config(o->at.dir, &c, size);
	if (err) /* -ENOENT: it has no maps (any more) */
		return err == -ENOENT ? 0 : err;
	c.uses &= ~SMC_USE_PENDING;
	return abi_config_write(o->at.dir, &c, size);
}

void others_hush(struct datapath *dp)
{
	if (dp->others_stay)
		return;
	for (size_t i = 0; i < dp->n_others; i++) {
		const char *dir = dp->others[i].at.link_dir;
		int err = count_no_more(&dp->others[i])
				  ?: drop_link(dir, "sockproto", NULL)
				  ?: pin_each(dir, hush_link, NULL);

		if (err)
			log_warn(err, "detach what ABI %u had attached",
				 dp->others[i].at.abi);
	}
	fault_point("takeover:hush");
}

/* What this kernel refuses was logged at the load. */
static bool can_run(const struct datapath *dp, enum job_id id)
{
	return object_program(dp, job_rows[id].name);
}

/* ---- counters ---- */

/* @c: how much to add; NULL: nothing. @mark: added to the mark; all modulo
 * 2^64. */
static int add(const struct datapath *dp, __u32 slot,
	       const struct smc_counters *c, __u64 mark)
{
	struct smc_counter_job job = {.slot = slot};

	if (c)
		memcpy(job.values, c, sizeof(job.values));
	job.values[COUNTER_MARK] = mark;
	return job_run(dp, JOB_COUNTER_ADD, &job, sizeof(job));
}

static int marks_of(const struct datapath *dp, __u32 slot, __u64 *out)
{
	struct smc_counters ours;
	int err = counters_read(dp->map_fd[MAP_COUNTER], slot, &ours);

	*out = ((__u64 *)&ours)[COUNTER_MARK];
	return err;
}

/* @theirs: of the slot; unused if it has been added already. */
static int take_slot(const struct datapath *dp, const struct other *o,
		     __u32 slot, const struct smc_counters *theirs)
{
	__u64 marks;
	int err;

	err = marks_of(dp, slot, &marks);
	if (!err && !marks)
		err = add(dp, slot, theirs, 1);
	fault_point("takeover:added");
	err = err ?: o->kind->forget(o, slot);
	fault_point("takeover:forgotten");
	return err;
}

static int clear_mark(const struct datapath *dp, __u32 slot)
{
	__u64 marks;
	int err = marks_of(dp, slot, &marks);

	return err || !marks ? err : add(dp, slot, NULL, -marks);
}

static int take_counters(struct datapath *dp, const struct other *o)
{
	_free_ struct smc_counters *all = NULL;
	int err;

	if (!can_run(dp, JOB_COUNTER_ADD))
		return 0;
	all = calloc(SMC_PODS, sizeof(*all));
	if (!all)
		return -ENOMEM;
	err = o->kind->counters(o, all);
	for (__u32 slot = 0; !err && slot < SMC_PODS; slot++)
		if (counters_any(&all[slot]))
			err = take_slot(dp, o, slot, &all[slot]);
	/* Now no marked slot has anything left there. */
	for (__u32 slot = 0; !err && slot < SMC_PODS; slot++)
		err = clear_mark(dp, slot);
	return err;
}

/* ---- flows ---- */

/* A connection that both ABIs may have recorded, each under its own key. */
struct ends {
	__u64 netns_cookie;
	__u8 local_ip[16], remote_ip[16];
	__u16 local_port, remote_port;
	__u32 role;
};

struct taking {
	struct datapath *dp;
	struct rows known; /* struct ends of our own flows, sorted */
	unsigned int put, lost;
};

static struct ends ends_of(const struct smc_flow *f)
{
	struct ends e = {.netns_cookie = f->netns_cookie,
			 .local_port = f->local_port,
			 .remote_port = f->remote_port,
			 .role = f->role};

	memcpy(e.local_ip, f->local_ip, sizeof(e.local_ip));
	memcpy(e.remote_ip, f->remote_ip, sizeof(e.remote_ip));
	return e;
}

static int know(const struct smc_handshake *key, const struct smc_flow *v,
		void *arg)
{
	struct taking *t = arg;
	const struct ends e = ends_of(v);

	/* one that was taken over has its old key: flow_put refuses it */
	return v->flags & SMC_FLOW_UPGRADED ? 0 : rows_add(&t->known, &e, "");
}

/* Handshakes under way are settled by the programs that saw them begin, or
 * never. */
static int take_flow(const struct smc_handshake *key, const struct smc_flow *v,
		     void *arg)
{
	struct smc_flow_job job = {.key = *key, .flow = *v};
	const struct ends e = ends_of(v);
	struct taking *t = arg;
	int err;

	if (v->closed || v->outcome == SMC_OUTCOME_PENDING ||
	    rows_find(&t->known, &e))
		return 0;
	job.flow.flags |= SMC_FLOW_UPGRADED;
	err = job_run(t->dp, JOB_FLOW_PUT, &job, sizeof(job));
	fault_point("takeover:flow");
	t->put += !err && !job.result;
	t->lost += !err && job.result && job.result != -EEXIST;
	return err;
}

static int take_flows(struct datapath *dp, const struct other *o)
{
	struct taking t = {
		.dp = dp,
		.known = {.key_size = sizeof(struct ends), .value_size = 1}};
	int err;

	err = datapath_each_flow(dp, false, know, &t);
	rows_sort(&t.known);
	err = err ?: o->kind->flows(o, take_flow, &t);
	rows_free(&t.known);
	if (t.lost)
		log_warn(0, "no room for flows that were open, n=%u", t.lost);
	if (!err)
		log_info("took over open flows, n=%u", t.put);
	return err;
}

/* ---- the rest ---- */

static int drop_map(const char *dir, const char *name, void *arg)
{
	int did;

	if (!strcmp(name, "smc_config") || !map_pin_is_ours(dir, name))
		return 0;
	did = pin_drop(dir, name);
	fault_point("takeover:map");
	return did < 0 ? did : 0;
}

/* smc_config tells what the other maps are: it goes last. */
static int drop_maps(const struct other *o)
{
	int err;

	err = pin_each(o->at.dir, drop_map, NULL);
	if (!err && map_pin_is_ours(o->at.dir, "smc_config"))
		err = pin_drop(o->at.dir, "smc_config");
	return err < 0 ? err : 0;
}

/* A directory stays if somebody else put something there. */
static void drop_dirs(const struct other *o)
{
	rmdir(o->at.link_dir);
	if (o->at.abi > 1)
		rmdir(o->at.dir);
}

static int take(struct datapath *dp, const struct other *o)
{
	int err;

	err = drop_links(o);
	fault_point("takeover:links");
	err = err ?: take_counters(dp, o);
	err = err ?: take_flows(dp, o);
	fault_point("takeover:taken");
	err = err ?: drop_maps(o);
	if (err)
		return log_err(err, "take over from ABI %u, in %s", o->at.abi,
			       o->at.dir);
	drop_dirs(o);
	log_info("took over from ABI %u", o->at.abi);
	return 0;
}

int datapath_take_over(struct datapath *dp)
{
	int err = 0;

	if (!dp->obj)
		return 0;
	for (size_t i = 0; !err && i < dp->n_others; i++)
		err = take(dp, &dp->others[i]);
	if (!err)
		others_free(dp);
	return err;
}
