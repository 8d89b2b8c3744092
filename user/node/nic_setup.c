// SPDX-License-Identifier: Apache-2.0
#include "node/nic_setup.h"

#include <errno.h>
#include <string.h>
#include "base/fault.h"
#include "node/metadata.h"
#include "node/nic_change.h"
#include "node/nic_job.h"

/* How long a link may take to get its carrier. */
#define CARRIER_MS 5000U

/* ---- what it should have ------------------------------------------------- */

/* @record: take what setup made before; NULL: ask. */
static int find_want(struct nic_job *job, struct metadata *m,
		     const struct nic_record *record, struct nic_result *r,
		     struct nic_want *want)
{
	_buf_ struct buf why = {};
	int err = 0;

	if (job->opt->given) {
		*want = *job->opt->given;
	} else if (record) {
		*want = record->want;
	} else if (!*r->nic.mac) {
		nic_conclude(
			r, NIC_UNKNOWN,
			"%s has no Ethernet address by which to ask the metadata service; give its address by --address",
			r->nic.name);
		err = -ENOENT;
	} else {
		err = metadata_nic(m, r->nic.mac, want, &why);
		if (err)
			nic_conclude(r, NIC_UNKNOWN, "%s: %s", r->nic.name,
				     why.data ?: "no memory");
	}
	return err;
}

static void refuse(struct nic_job *job, const struct nic *nic, int err,
		   const struct buf *why, struct nic_result *r)
{
	bool ours = err == -EBUSY && nic_state_find(&job->state, nic);

	nic_conclude(
		r, NIC_REFUSED, "%s%s", why->data ?: strerror(-err),
		ours ? "; setup made that one: smcmesh node reset takes it back"
		     : "");
}

/* Return: the NIC with r->plan set; or NULL with a conclusion. */
static const struct nic *plan(struct nic_job *job, struct metadata *m,
			      bool status, struct nic_result *r)
{
	const struct nic *nic = nic_of(&job->view, r->nic.ifindex);
	const struct nic_record *record;
	_buf_ struct buf why = {};
	struct nic_want want;
	int err;

	if (!nic || !nic_job_ours(job, nic, r))
		return NULL;
	record = status ? nic_state_find(&job->state, nic) : NULL;
	if (find_want(job, m, record, r, &want))
		return NULL;
	nic = nic_job_refresh(job, r);
	if (!nic)
		return NULL;
	err = nic_plan(&job->view, job->primary, nic, &want, &r->plan, &why);
	if (err)
		refuse(job, nic, err, &why, r);
	r->planned = !err;
	return err ? NULL : nic;
}

/* ---- words --------------------------------------------------------------- */

/* "link up, address 10.0.0.6/24, connected route 10.0.0.0/24 metric 101" */
static void describe(const struct nic_plan *p, unsigned int steps,
		     struct buf *out)
{
	struct cidr subnet = nic_want_subnet(&p->want);
	char text[ADDR_STRLEN];

	if (steps & NIC_STEP_UP)
		buf_printf(out, "link up, ");
	if (steps & NIC_STEP_ADDRESS)
		buf_printf(out, "address %s, ",
			   nic_want_format(&p->want, text));
	if (steps & (NIC_STEP_ADDRESS | NIC_STEP_ROUTE))
		buf_printf(out, "connected route %s metric %u, ",
			   cidr_format(&subnet, text), p->metric);
	if (out->len)
		out->data[out->len -= 2] = '\0';
}

static void add_default(struct nic_job *job, struct nic_result *r)
{
	const struct nic *nic = nic_of(&job->view, r->nic.ifindex);
	const struct nic_route *d =
		nic ? nic_other_default(&job->view, nic) : NULL;

	if (d && nic != job->primary)
		buf_printf(
			&r->text,
			"; it also holds a default route of metric %u, which setup neither makes nor takes away",
			d->metric);
}

static void say_ready(struct nic_result *r)
{
	char text[ADDR_STRLEN];

	nic_conclude(
		r, NIC_ALREADY,
		"%s has been activated, nothing to do: %s, connected route of metric %u",
		r->nic.name, nic_want_format(&r->plan.want, text),
		r->plan.metric);
}

static void say_lacks(struct nic_result *r, enum nic_outcome outcome)
{
	_buf_ struct buf steps = {};

	describe(&r->plan, r->plan.steps, &steps);
	nic_conclude(r, outcome, "%s %s: %s", r->nic.name,
		     outcome == NIC_WOULD ? "would be set up" : "lacks",
		     steps.data ?: "a carrier");
}

/* ---- doing it ------------------------------------------------------------ */

/* In the reverse order. Return: 0, or the first negative errno. */
static int take_back(const struct nic_record *record, unsigned int steps)
{
	static const enum nic_step order[] = {NIC_STEP_ROUTE, NIC_STEP_ADDRESS,
					      NIC_STEP_UP};
	int first = 0;

	for (size_t i = 0; i < array_size(order); i++) {
		int err =
			steps & order[i] ? nic_step_undo(record, order[i]) : 0;

		first = first ?: err;
	}
	return first;
}

static int do_step(const struct nic_record *record, enum nic_step step,
		   const char *what, unsigned int *done, struct buf *why)
{
	int err;

	if (!(record->steps & step))
		return 0;
	err = nic_step_do(record, step);
	if (err)
		buf_printf(why, "%s: %s%s", what, strerror(-err),
			   err == -EPERM ? "; run it as root" : "");
	else
		*done |= step;
	fault_point(what);
	return err;
}

static int wait_carrier(const struct nic_record *record, struct buf *why)
{
	int err = nic_wait_carrier(record->ifindex, fault_ms(CARRIER_MS));

	if (err == -ETIMEDOUT)
		buf_printf(
			why,
			"no carrier within %u s: is the NIC attached to this instance?",
			CARRIER_MS / 1000);
	else if (err)
		buf_printf(why, "wait for its carrier: %s", strerror(-err));
	return err;
}

/* Is all as it should be, read from the kernel? */
static int prove(struct nic_job *job, struct nic_result *r, struct buf *why)
{
	struct nic_plan now;
	const struct nic *nic = nic_job_refresh(job, r);
	int err;

	if (!nic) {
		buf_printf(why, "%s", r->text.data ?: "");
		return -ENODEV;
	}
	err = nic_plan(&job->view, job->primary, nic, &r->plan.want, &now, why);
	if (!err && (now.steps || !now.carrier)) {
		buf_printf(why,
			   "what was done is not there when it is read back");
		err = -EAGAIN;
	}
	if (!err)
		r->plan.metric = now.metric;
	return err;
}

static int do_steps(struct nic_job *job, const struct nic_record *record,
		    struct nic_result *r, unsigned int *done, struct buf *why)
{
	int err = do_step(record, NIC_STEP_UP, "set the link up", done, why);

	err = err ?: wait_carrier(record, why);
	err = err
		      ?: do_step(record, NIC_STEP_ADDRESS, "add the address",
				 done, why);
	err = err
		      ?: do_step(record, NIC_STEP_ROUTE,
				 "add the connected route", done, why);
	return err ?: prove(job, r, why);
}

static struct nic_record record_of(const struct nic *nic,
				   const struct nic_plan *p)
{
	struct nic_record r = {
		.ifindex = nic->ifindex,
		.steps = p->steps,
		.want = p->want,
		.metric = p->metric,
	};

	r.want.has_gateway = false;
	memcpy(r.mac, nic->mac, sizeof(r.mac));
	memcpy(r.name, nic->name, sizeof(r.name));
	return r;
}

/* What setup did to this NIC before counts, too: the link, and what was made
 * for the same address. */
static unsigned int earlier_steps(const struct nic_record *before,
				  const struct nic_record *now)
{
	unsigned int mask = NIC_STEP_UP;

	if (before->want.bits == now->want.bits &&
	    !addr_cmp(&before->want.addr, &now->want.addr) &&
	    before->metric == now->metric)
		mask = ~0U;
	return before->steps & mask;
}

/* The file is written first: whoever finds the NIC half made after a crash can
 * take it back. */
static int note(struct nic_job *job, const struct nic_record *record,
		const struct nic_record *before, struct buf *why)
{
	struct nic_record whole = *record;

	if (!record->steps)
		return 0;
	if (before)
		whole.steps |= earlier_steps(before, record);
	return nic_state_put(&job->state, &whole, why);
}

/* Return: 0, or a negative errno: the file has what it had, or nothing. */
static int unnote(struct nic_job *job, const struct nic_record *record,
		  const struct nic_record *before, struct buf *why)
{
	if (!record->steps)
		return 0;
	return before ? nic_state_put(&job->state, before, why)
		      : nic_state_drop(&job->state, record->ifindex, why);
}

static void say_failed(struct nic_result *r, const struct buf *why, int undone)
{
	if (undone)
		nic_conclude(
			r, NIC_FAILED,
			"%s is not set up: %s; taking it back failed, too: %s: see smcmesh node reset",
			r->nic.name, why->data ?: "no memory",
			strerror(-undone));
	else
		nic_conclude(r, NIC_FAILED,
			     "%s is not set up, and as it was before: %s",
			     r->nic.name, why->data ?: "no memory");
}

static void say_done(struct nic_result *r)
{
	_buf_ struct buf steps = {};

	if (!r->plan.steps) {
		say_ready(r);
		return;
	}
	describe(&r->plan, r->plan.steps, &steps);
	nic_conclude(r, NIC_DONE, "%s is set up: %s", r->nic.name,
		     steps.data ?: "");
}

static void apply(struct nic_job *job, const struct nic *nic,
		  struct nic_result *r)
{
	struct nic_record record = record_of(nic, &r->plan), earlier;
	const struct nic_record *found = nic_state_find(&job->state, nic);
	const struct nic_record *before = found ? &earlier : NULL;
	_buf_ struct buf why = {};
	unsigned int done = 0;
	int undone = 0;

	if (found)
		earlier = *found;
	nic_signals(true);
	if (note(job, &record, before, &why)) {
		say_failed(r, &why, 0);
	} else if (do_steps(job, &record, r, &done, &why)) {
		undone = take_back(&record, done);
		undone = undone ?: unnote(job, &record, before, &why);
		say_failed(r, &why, undone);
	} else {
		say_done(r);
	}
	nic_signals(false);
}

/* ---- all of them --------------------------------------------------------- */

static void setup_one(struct nic_job *job, struct metadata *m,
		      struct nic_result *r)
{
	const struct nic *nic = plan(job, m, false, r);

	if (!nic)
		return;
	if (!r->plan.steps && r->plan.carrier)
		say_ready(r);
	else if (job->opt->dry_run)
		say_lacks(r, NIC_WOULD);
	else
		apply(job, nic, r);
}

static void status_one(struct nic_job *job, struct metadata *m,
		       struct nic_result *r)
{
	if (!plan(job, m, true, r))
		return;
	if (!r->plan.steps && r->plan.carrier)
		say_ready(r);
	else
		say_lacks(r, NIC_LACKING);
}

static int each(const struct nic_options *opt, bool write,
		void (*fn)(struct nic_job *job, struct metadata *m,
			   struct nic_result *r),
		struct nic_report *out)
{
	_cleanup_(nic_job_close) struct nic_job job;
	struct metadata m;

	if (nic_job_open(&job, opt, write, out) || nic_job_find(&job))
		return out->status;
	metadata_init(&m, opt->metadata_url);
	for (size_t i = 0; i < out->n; i++) {
		struct nic_result *r = &out->v[i];

		if (!r->nic.ifindex)
			continue; /* it has its conclusion */
		fn(&job, &m, r);
		add_default(&job, r);
	}
	return nic_job_status(&job);
}

int nic_setup(const struct nic_options *opt, struct nic_report *out)
{
	return each(opt, !opt->dry_run, setup_one, out);
}

int nic_status(const struct nic_options *opt, struct nic_report *out)
{
	return each(opt, false, status_one, out);
}
