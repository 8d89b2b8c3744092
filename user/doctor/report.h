/* SPDX-License-Identifier: Apache-2.0 */
/* All that is found out about a node, as one JSON document: what `smcmesh
 * doctor -o json` prints, and its tables are made from. */
#pragma once

#include <yyjson.h>
#include "doctor/doctor.h"

/*
 * doctor_report - Look at everything.
 * @all_seen: could every namespace that was found be looked at?
 * Return: a document to be freed with yyjson_mut_doc_free(), or NULL without
 * memory.
 */
yyjson_mut_doc *doctor_report(const struct doctor *d, bool *all_seen);
