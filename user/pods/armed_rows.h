/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of this node's pods in the kernel's maps at one moment, and the
 * state that they give each pod. serve/ answers requests by them and changes no
 * pod; only the reconcile writes that state into the pods.
 */
#pragma once

#include "datapath/datapath.h"
#include "pods/pods.h"

struct armed_rows {
	struct smc_pod *v; /* of smc_netns, then of smc_cgroup */
	size_t n;
};

/* armed_rows_read - Return: 0, or a negative errno with nothing in @out. Free
 * with armed_rows_free(). */
must_check int armed_rows_read(struct datapath *dp, struct armed_rows *out);
void armed_rows_free(struct armed_rows *rows);

struct pod_state {
	bool armed, refused;
	enum smc_reason reason; /* why not armed; SMC_REASON_NONE: it is */
	struct smc_pod kernel;	/* its row; zeroed: there is none */
};

/* armed_rows_state - The state of @p. @full: rows found no room. */
struct pod_state armed_rows_state(const struct armed_rows *rows,
				  const struct pod *p, bool full);

/* pods_take_rows - Write the state of @rows into each pod. @full: as above. */
void pods_take_rows(struct pods *pods, const struct armed_rows *rows,
		    bool full);
