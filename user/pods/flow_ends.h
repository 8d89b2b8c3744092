/* SPDX-License-Identifier: Apache-2.0 */
/* Records of flows of whose end no BPF program tells (mesh/record_fate.h): the
 * agent writes down what socket diagnosis says of them. */
#pragma once

#include "pods/known.h"
#include "mesh/record_fate.h"

enum records_which {
	RECORDS_ALL,
	RECORDS_OPEN,
	RECORDS_UNTOLD, /* open ones whose end only socket diagnosis tells */
};

/*
 * records_of - Read those of one namespace, and index them.
 * Return: 0 or a negative errno. Free with mesh_records_free(), also then.
 */
must_check int records_of(struct agent *a, __u64 netns_cookie,
			  enum records_which which, struct mesh_records *out);

/* records_settle - Complete or close the records @asked, by what plain_find()
 * @found of their sockets. @asked_ns: when it began, CLOCK_MONOTONIC. */
void records_settle(struct agent *a, const struct mesh_records *asked,
		    const struct plain *found, __u64 asked_ns);

/*
 * records_sweep - Go through all open records. Close those of namespaces that
 * are gone, and those of handshakes that will never end, up to a bounded
 * number; the next sweep goes on. Have the pods of the others diagnosed, armed
 * or not.
 */
void records_sweep(struct agent *a);
