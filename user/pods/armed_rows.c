// SPDX-License-Identifier: Apache-2.0
#include "pods/armed_rows.h"

#include <errno.h>
#include <string.h>
#include "base/array.h"

static int add_row(__u64 key, const struct smc_pod *v, void *arg)
{
	struct armed_rows *rows = arg;
	struct smc_pod *slot = array_push(rows->v, rows->n);

	if (!slot)
		return -ENOMEM;
	*slot = *v;
	return 0;
}

void armed_rows_free(struct armed_rows *rows)
{
	free(rows->v);
	*rows = (struct armed_rows){};
}

int armed_rows_read(struct datapath *dp, struct armed_rows *out)
{
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	int err = datapath_each_netns(dp, add_row, &rows)
			  ?: datapath_each_cgroup(dp, add_row, &rows);

	if (err)
		return err;
	*out = rows;
	rows = (struct armed_rows){};
	return 0;
}

static enum smc_reason why_not(const struct pod *p, const struct pod_state *s,
			       bool full)
{
	if (s->armed)
		return SMC_REASON_NONE;
	if (s->refused && s->kernel.pod_id)
		return SMC_REASON_REFUSED;
	if (p->reason != SMC_REASON_NONE)
		return p->reason;
	/* The plan arms it, but the kernel has no row. */
	return full ? SMC_REASON_POD_MAP_FULL : SMC_REASON_NOT_ARMED;
}

struct pod_state armed_rows_state(const struct armed_rows *rows,
				  const struct pod *p, bool full)
{
	struct pod_state s = {.refused = pod_refused(p)};

	for (size_t i = 0; p->id && i < rows->n; i++) {
		const struct smc_pod *v = &rows->v[i];

		if (v->pod_id != p->id)
			continue;
		s.refused |= v->flags & SMC_POD_REFUSED;
		if (!(v->flags & SMC_POD_DENY))
			s.kernel = *v;
	}
	s.armed = s.kernel.pod_id && !s.refused;
	s.reason = why_not(p, &s, full);
	return s;
}

void pods_take_rows(struct pods *pods, const struct armed_rows *rows, bool full)
{
	for (size_t i = 0; i < pods->n; i++) {
		struct pod *p = pods->v[i];
		const struct pod_state is = armed_rows_state(rows, p, full);

		p->arming = is.refused ? POD_REFUSED
			    : is.armed ? POD_ARMED
				       : POD_UNARMED;
		p->kernel = is.kernel;
		p->reason = is.reason;
	}
}
