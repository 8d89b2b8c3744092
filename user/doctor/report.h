/* SPDX-License-Identifier: Apache-2.0 */
/* All findings about a node, as one JSON document: `smcmesh doctor -o json`
 * prints it, and the tables are made from it. */
#pragma once

#include <yyjson.h>
#include "doctor/doctor.h"

/* doctor_report - Ask every check. Return: a document to be freed with
 * yyjson_mut_doc_free(), or NULL without memory. */
yyjson_mut_doc *doctor_report(const struct doctor *d);
