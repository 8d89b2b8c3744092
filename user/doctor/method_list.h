/* SPDX-License-Identifier: Apache-2.0 */
/* The converters, selectors and recorders of smcmesh, as this node sees
 * them. */
#pragma once

#include <yyjson.h>
#include "datapath/features.h"

/*
 * method_list_json - [{"kind", "name", "possible", "cannot": what it cannot do
 * or "", "lacks": the labels of the features that this kernel does not have}].
 * NULL without memory.
 */
yyjson_mut_val *method_list_json(yyjson_mut_doc *doc,
				 const struct features *fs);
