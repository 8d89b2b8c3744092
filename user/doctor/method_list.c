// SPDX-License-Identifier: Apache-2.0
#include "doctor/method_list.h"

#include "datapath/datapath.h"

static yyjson_mut_val *lacks_json(yyjson_mut_doc *doc,
				  const struct features *fs,
				  const enum feature *needs)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);

	for (; *needs != FEATURE_MAX; needs++)
		if (!feature_present(fs, *needs))
			yyjson_mut_arr_add_str(doc, arr,
					       feature_text(*needs)->label);
	return arr;
}

yyjson_mut_val *method_list_json(yyjson_mut_doc *doc, const struct features *fs)
{
	struct datapath_method v[DATAPATH_METHODS_MAX];
	size_t n = datapath_methods(fs, v, DATAPATH_METHODS_MAX);
	yyjson_mut_val *arr = yyjson_mut_arr(doc);

	for (size_t i = 0; i < n; i++) {
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);

		yyjson_mut_obj_add_str(doc, o, "kind", v[i].kind);
		yyjson_mut_obj_add_str(doc, o, "name", v[i].name);
		yyjson_mut_obj_add_bool(doc, o, "possible", v[i].possible);
		yyjson_mut_obj_add_str(doc, o, "cannot", v[i].cannot ?: "");
		yyjson_mut_obj_add_val(doc, o, "lacks",
				       lacks_json(doc, fs, v[i].needs));
	}
	return arr;
}
