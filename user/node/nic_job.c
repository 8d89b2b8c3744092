// SPDX-License-Identifier: Apache-2.0
#include "node/nic_job.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/array.h"
#include "node/nic_manager.h"
#include "node/nic_read.h"
#include "node/rdma.h"

#define NO 1
#define UNTOLD 3

static const struct outcome {
	const char *word;
	int status;
} outcomes[] = {
#define OUTCOME(id, word, status) [NIC_##id] = {word, status},
	NIC_OUTCOMES(OUTCOME)
#undef OUTCOME
};

const char *nic_outcome_word(enum nic_outcome o)
{
	return outcomes[o].word;
}

void nic_report_free(struct nic_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		buf_free(&r->v[i].text);
	free(r->v);
	buf_free(&r->error);
	memset(r, 0, sizeof(*r));
}

void nic_conclude(struct nic_result *r, enum nic_outcome outcome,
		  const char *fmt, ...)
{
	_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	r->outcome = outcome;
	buf_free(&r->text);
	buf_printf(&r->text, "%s", text ?: "no memory");
}

int nic_job_status(const struct nic_job *job)
{
	int worst = job->report->status;

	for (size_t i = 0; i < job->report->n; i++) {
		int status = outcomes[job->report->v[i].outcome].status;

		if (status && worst != NO)
			worst = status;
	}
	return worst;
}

void nic_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* ---- which NICs are meant ------------------------------------------------ */

static struct nic_result *add_result(struct nic_job *job, const char *device)
{
	struct nic_result *r = array_push(job->report->v, job->report->n);

	if (r)
		snprintf(r->device, sizeof(r->device), "%s", device);
	return r;
}

static bool has_result(const struct nic_job *job, const struct nic *nic)
{
	for (size_t i = 0; i < job->report->n; i++)
		if (job->report->v[i].nic.ifindex == nic->ifindex)
			return true;
	return false;
}

int nic_job_add(struct nic_job *job, const char *name, const char *device)
{
	const struct nic *nic = nic_named(&job->view, name);
	struct nic_result *r;

	if (nic && has_result(job, nic))
		return 0;
	r = add_result(job, device);
	if (!r)
		return -ENOMEM;
	if (nic)
		r->nic = *nic;
	else if (*name)
		nic_conclude(r, NIC_REFUSED,
			     "there is no netdev %s in this network namespace",
			     name);
	else
		nic_conclude(
			r, NIC_REFUSED,
			"the RDMA device %s has no netdev in this network namespace: a CNI has moved it into a pod, or it has none",
			device);
	return 0;
}

static int add_rdma(struct nic_job *job)
{
	static struct rdma_device v[RDMA_MAX];
	int n = rdma_list(v, RDMA_MAX), err = 0;

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		buf_printf(&job->report->error,
			   "the RDMA devices cannot be listed: %s",
			   strerror(-n));
	for (int i = 0; i < n && !err; i++)
		err = nic_job_add(job, v[i].netdev, v[i].name);
	return n < 0 ? n : err;
}

/* Is there one besides the primary? */
static bool has_auxiliary(const struct nic_job *job)
{
	for (size_t i = 0; i < job->report->n; i++)
		if (job->report->v[i].nic.ifindex != job->primary->ifindex)
			return true;
	return false;
}

static int find_nics(struct nic_job *job)
{
	const char *netdev = job->opt->netdev;
	struct nic_report *report = job->report;
	int err;

	snprintf(report->primary, sizeof(report->primary), "%s",
		 job->primary->name);
	err = netdev ? nic_job_add(job, netdev, "") : add_rdma(job);
	if (err) {
		if (!report->error.len)
			buf_printf(&report->error, "%s", strerror(-err));
		return UNTOLD;
	}
	if (netdev || has_auxiliary(job))
		return 0;
	buf_printf(
		&report->error,
		"there is no RDMA netdev besides the primary NIC %s: attach an auxiliary RDMA NIC and load its driver, or name a NIC by --netdev",
		report->primary);
	return NO;
}

/* ---- reading ------------------------------------------------------------- */

static int read_view(struct nic_view *v, struct buf *why)
{
	int err = nic_view_read(v);

	if (err)
		buf_printf(why, "the NICs cannot be listed: %s",
			   strerror(-err));
	return err;
}

int nic_job_open(struct nic_job *job, const struct nic_options *opt, bool write,
		 struct nic_report *report)
{
	int err;

	*job = (struct nic_job){.opt = opt, .report = report, .state.lock = -1};
	err = nic_state_open(opt->state, write, &job->state, &report->error)
		      ?: read_view(&job->view, &report->error);
	report->status = err ? UNTOLD : 0;
	return report->status;
}

int nic_job_find(struct nic_job *job)
{
	struct buf *why = &job->report->error;
	int err = nic_primary(&job->view, &job->primary, why);
	int status;

	if (err)
		status = err == -EAFNOSUPPORT ? NO : UNTOLD;
	else
		status = find_nics(job);
	if (!status && nic_children_read(&job->view, why))
		status = UNTOLD;
	job->report->status = status;
	return status;
}

void nic_job_close(struct nic_job *job)
{
	nic_view_free(&job->view);
	nic_state_close(&job->state);
}

/* Children elsewhere are not looked for again. */
static int keep_children(struct nic_view *to, const struct nic_view *from)
{
	for (size_t i = 0; i < from->n_children; i++) {
		struct nic_child *c;

		if (!*from->children[i].where)
			continue;
		c = array_push(to->children, to->n_children);
		if (!c)
			return -ENOMEM;
		*c = from->children[i];
	}
	return 0;
}

static int read_again(struct nic_job *job, struct buf *why)
{
	_cleanup_(nic_view_free) struct nic_view v = {};
	int err = read_view(&v, why);

	err = err ?: keep_children(&v, &job->view);
	if (err)
		return err;
	nic_view_free(&job->view);
	job->view = v;
	v = (struct nic_view){};
	return nic_primary(&job->view, &job->primary, why);
}

const struct nic *nic_job_refresh(struct nic_job *job, struct nic_result *r)
{
	_buf_ struct buf why = {};
	const struct nic *nic;

	if (read_again(job, &why)) {
		nic_conclude(r, NIC_UNKNOWN, "%s", why.data ?: "no memory");
		return NULL;
	}
	nic = nic_of(&job->view, r->nic.ifindex);
	if (nic && !strcmp(nic->name, r->nic.name) &&
	    !strcmp(nic->mac, r->nic.mac))
		return nic;
	if (nic)
		nic_conclude(r, NIC_FAILED,
			     "%s is called %s (%s) now: run this again",
			     r->nic.name, nic->name, nic->mac);
	else
		nic_conclude(r, NIC_FAILED, "%s is gone", r->nic.name);
	return NULL;
}

/* ---- whose it is --------------------------------------------------------- */

static bool has_ipv4(const struct nic_view *v, const struct nic *nic)
{
	for (size_t i = 0; i < v->n_addrs; i++)
		if (v->addrs[i].ifindex == nic->ifindex &&
		    addr_is_v4(&v->addrs[i].addr))
			return true;
	return false;
}

/* @sign: where it shows. */
static void say_managed(struct nic_job *job, const struct nic *nic,
			const char *who, const char *sign, struct nic_result *r)
{
	if (nic->running && has_ipv4(&job->view, nic))
		nic_conclude(r, NIC_OTHERS,
			     "%s has been activated by %s (%s), nothing to do",
			     nic->name, who, sign);
	else
		nic_conclude(
			r, NIC_UNREADY,
			"%s is managed by %s (%s), which has not given it an IPv4 address: nothing is done, set it up there",
			nic->name, who, sign);
}

bool nic_job_ours(struct nic_job *job, const struct nic *nic,
		  struct nic_result *r)
{
	_buf_ struct buf why = {}, sign = {};
	const char *manager;
	int err;

	if (nic_barred(job->primary, nic, &why)) {
		nic_conclude(r, job->opt->netdev ? NIC_REFUSED : NIC_SKIPPED,
			     "%s", why.data ?: "no memory");
		return false;
	}
	if (nic_held(&job->view, nic, &why)) {
		nic_conclude(r, NIC_REFUSED, "%s", why.data ?: "no memory");
		return false;
	}
	err = nic_manager(job->opt->root, nic, &manager, &sign);
	if (err)
		nic_conclude(r, NIC_UNKNOWN, "%s", sign.data ?: "no memory");
	else if (manager)
		say_managed(job, nic, manager, sign.data ?: "", r);
	return !err && !manager;
}
