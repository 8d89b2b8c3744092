// SPDX-License-Identifier: Apache-2.0
/* Takes back what setup did to NICs, or all that they have. */
#include <errno.h>
#include <string.h>
#include "node/nic_change.h"
#include "node/nic_job.h"
#include "node/nic_read.h"

static const struct {
	enum nic_step step;
	const char *what;
} order[] = {
	{NIC_STEP_ROUTE, "the connected route"},
	{NIC_STEP_ADDRESS, "the address"},
	{NIC_STEP_UP, "the link up"},
};

/* ---- what setup did ------------------------------------------------------ */

static void describe(unsigned int steps, struct buf *out)
{
	for (size_t i = 0; i < array_size(order); i++)
		if (steps & order[i].step)
			buf_printf(out, "%s%s", out->len ? ", " : "",
				   order[i].what);
	if (!out->len)
		buf_printf(out, "nothing is left of it");
}

static int undo(const struct nic_record *record, unsigned int steps,
		struct buf *why)
{
	int err = 0;

	for (size_t i = 0; i < array_size(order) && !err; i++) {
		if (!(steps & order[i].step))
			continue;
		err = nic_step_undo(record, order[i].step);
		if (err)
			buf_printf(why, "take back %s: %s%s", order[i].what,
				   strerror(-err),
				   err == -EPERM ? "; run it as root" : "");
	}
	return err;
}

static void take_back(struct nic_job *job, const struct nic *nic,
		      const struct nic_record *record, struct nic_result *r)
{
	_buf_ struct buf kept = {}, words = {}, why = {};
	unsigned int steps = nic_undo(&job->view, nic, record, &kept);
	bool dry = job->opt->dry_run;
	int err;

	describe(steps, &words);
	if (kept.len)
		buf_printf(&words, "; %s", kept.data);
	if (dry) {
		nic_conclude(r, NIC_WOULD, "%s would be taken back: %s",
			     nic->name, words.data ?: "");
		return;
	}
	nic_signals(true);
	err = undo(record, steps, &why)
		      ?: nic_state_drop(&job->state, nic->ifindex, &why);
	nic_signals(false);
	if (err)
		nic_conclude(r, NIC_FAILED, "%s: %s", nic->name,
			     why.data ?: strerror(-err));
	else
		nic_conclude(r, NIC_DONE, "%s is taken back: %s", nic->name,
			     words.data ?: "");
}

static void reset_one(struct nic_job *job, struct nic_result *r)
{
	const struct nic *nic = nic_of(&job->view, r->nic.ifindex);
	const struct nic_record *found =
		nic ? nic_state_find(&job->state, nic) : NULL;
	struct nic_record record;
	_buf_ struct buf why = {};

	if (!nic)
		return;
	if (nic_barred(job->primary, nic, &why)) {
		nic_conclude(r, NIC_REFUSED, "%s", why.data ?: "no memory");
		return;
	}
	if (!found) {
		nic_conclude(r, NIC_ALREADY,
			     "%s: setup has done nothing to it in this boot",
			     nic->name);
		return;
	}
	record = *found;
	take_back(job, nic, &record, r);
}

/* ---- all that it has ----------------------------------------------------- */

static int flush(struct nic_job *job, const struct nic *nic, struct buf *why)
{
	const struct nic_record link = {.ifindex = nic->ifindex};
	int err = 0;

	for (size_t i = 0; i < job->view.n_addrs && !err; i++)
		if (job->view.addrs[i].ifindex == nic->ifindex &&
		    addr_is_v4(&job->view.addrs[i].addr))
			err = nic_address_drop(&job->view.addrs[i]);
	if (!err && nic->up)
		err = nic_step_undo(&link, NIC_STEP_UP);
	if (err)
		buf_printf(why, "%s%s", strerror(-err),
			   err == -EPERM ? "; run it as root" : "");
	return err ?: nic_state_drop(&job->state, nic->ifindex, why);
}

static bool has_any(const struct nic_view *v, const struct nic *nic)
{
	for (size_t i = 0; i < v->n_addrs; i++)
		if (v->addrs[i].ifindex == nic->ifindex &&
		    addr_is_v4(&v->addrs[i].addr))
			return true;
	return nic->up;
}

static void flush_one(struct nic_job *job, struct nic_result *r)
{
	const struct nic *nic = nic_of(&job->view, r->nic.ifindex);
	_buf_ struct buf why = {};
	int err;

	if (!nic || !nic_job_ours(job, nic, r))
		return;
	if (nic_other_default(&job->view, nic)) {
		nic_conclude(
			r, NIC_REFUSED,
			"%s holds a default route, which would go with its link: take that away first",
			nic->name);
		return;
	}
	if (!has_any(&job->view, nic)) {
		nic_conclude(r, NIC_ALREADY,
			     "%s is down and has no IPv4 address", nic->name);
		return;
	}
	if (job->opt->dry_run) {
		nic_conclude(
			r, NIC_WOULD,
			"%s would lose all its IPv4 addresses, and its link be set down",
			nic->name);
		return;
	}
	nic_signals(true);
	err = flush(job, nic, &why);
	nic_signals(false);
	nic_conclude(r, err ? NIC_FAILED : NIC_DONE, "%s%s%s", nic->name,
		     err ? ": " : " has no IPv4 address any more, and is down",
		     err ? why.data ?: "no memory" : "");
}

/* ---- together ------------------------------------------------------------ */

/* A NIC that setup did something to may be no RDMA device's any more. One that
 * is gone took all of that with it. */
static int add_recorded(struct nic_job *job)
{
	int err = 0;

	for (size_t i = 0; i < job->state.n && !err; i++) {
		const struct nic_record *rec = &job->state.v[i];
		const struct nic *nic = nic_of(&job->view, rec->ifindex);

		if (nic && nic_record_is(rec, nic))
			err = nic_job_add(job, nic->name, "");
	}
	if (!err && !job->report->n)
		buf_printf(
			&job->report->error,
			"nothing to take back: setup has done nothing in this boot that is still there");
	return err;
}

/* Whether a NIC is the primary one, or has children, is only a reason to leave
 * more of it as it is. */
static int find_recorded(struct nic_job *job)
{
	const char *netdev = job->opt->netdev;
	struct buf *why = &job->report->error;
	_buf_ struct buf none = {};
	int err;

	(void)!nic_primary(&job->view, &job->primary, &none);
	err = netdev ? nic_job_add(job, netdev, "") : add_recorded(job);
	err = err ?: nic_children_read(&job->view, why);
	if (err && !why->len)
		buf_printf(why, "%s", strerror(-err));
	job->report->status = err ? 3 : 0;
	return err;
}

int nic_reset(const struct nic_options *opt, bool all, struct nic_report *out)
{
	_cleanup_(nic_job_close) struct nic_job job;

	if (nic_job_open(&job, opt, !opt->dry_run, out) ||
	    (all ? nic_job_find(&job) : find_recorded(&job)))
		return out->status;
	for (size_t i = 0; i < out->n; i++) {
		if (!out->v[i].nic.ifindex)
			continue;
		if (all)
			flush_one(&job, &out->v[i]);
		else
			reset_one(&job, &out->v[i]);
	}
	return nic_job_status(&job);
}
