/* SPDX-License-Identifier: Apache-2.0 */
/* One run of nic_setup.h; only its files include this. */
#pragma once

#include "node/nic_setup.h"
#include "node/nic_state.h"

struct nic_job {
	const struct nic_options *opt;
	struct nic_report *report;
	struct nic_view view;
	const struct nic *primary; /* of the view */
	struct nic_state state;
};

/*
 * nic_job_open - Read the state file and the NICs.
 * @write: the state file will be written.
 * Return: an exit status; if it is not 0, report->error says why. Close in any
 * case.
 */
must_check int nic_job_open(struct nic_job *job, const struct nic_options *opt,
			    bool write, struct nic_report *report);
void nic_job_close(struct nic_job *job);

/*
 * nic_job_find - Find the primary NIC, and add a result for each NIC that is
 * meant: of an RDMA device, or named by the option.
 * Return: as nic_job_open().
 */
must_check int nic_job_find(struct nic_job *job);

/* nic_job_add - Add a result for the netdev @name, if there is none yet.
 * @device: of RDMA; "": none. Return: 0 or -ENOMEM. */
must_check int nic_job_add(struct nic_job *job, const char *name,
			   const char *device);

/*
 * nic_job_refresh - Read again. @r: a result, whose NIC has to be as it was.
 * Return: the NIC, of job->view; NULL: it is gone, or has another name or MAC
 * address; or it could not be read: r->outcome and r->text say so then.
 */
const struct nic *nic_job_refresh(struct nic_job *job, struct nic_result *r);

/* nic_job_ours - May @nic be touched? If not, r->outcome and r->text say whose
 * it is. */
bool nic_job_ours(struct nic_job *job, const struct nic *nic,
		  struct nic_result *r);

/* nic_conclude - Set r->outcome, and r->text by printf. */
void nic_conclude(struct nic_result *r, enum nic_outcome outcome,
		  const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* nic_job_status - The exit status for all results together. */
int nic_job_status(const struct nic_job *job);

/* nic_signals - Keep terminating signals from cutting steps in two, or let them
 * come again. */
void nic_signals(bool hold);
