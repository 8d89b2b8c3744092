// SPDX-License-Identifier: Apache-2.0
/* Prints "methods" of /v1/status and of doctor's report as text. */
#include "cli/cannot.h"

#include <stdio.h>
#include <string.h>
#include "cli/ask_agent.h"

/* The method in use of this one's kind, or "none". */
static const char *taken(yyjson_val *root, yyjson_val *method)
{
	return json_text(root, json_text(method, "kind"));
}

void print_cannot(yyjson_val *root, int width)
{
	yyjson_val *m;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(root, "methods"), i, max, m) {
		const char *name = json_text(m, "name");
		const char *cannot = json_text(m, "cannot");

		if (*cannot && !strcmp(taken(root, m), name))
			printf("%-*s %s: %s\n", width, "limits", name, cannot);
	}
}

void print_lacks(yyjson_val *root, int width)
{
	yyjson_val *m;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(root, "methods"), i, max, m) {
		_buf_ struct buf lacks = {};

		if (*json_join(m, "lacks", &lacks) &&
		    !strcmp(taken(root, m), "none"))
			printf("%-*s %s: %s\n", width, "lacks",
			       json_text(m, "name"), lacks.data);
	}
}
