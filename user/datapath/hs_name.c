// SPDX-License-Identifier: Apache-2.0
#include "datapath/hs_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hs_name_format(unsigned int generation, char name[SMC_CTRL_NAME_MAX])
{
	snprintf(name, SMC_CTRL_NAME_MAX, "%s%u", SMC_CTRL_PREFIX,
		 generation % (HS_GENERATION_MAX + 1));
}

unsigned int hs_name_parse(const char *name)
{
	char again[SMC_CTRL_NAME_MAX];
	unsigned long generation;

	if (strncmp(name, SMC_CTRL_PREFIX, SMC_CTRL_PREFIX_LEN))
		return 0;
	generation = strtoul(name + SMC_CTRL_PREFIX_LEN, NULL, 10);
	if (!generation || generation > HS_GENERATION_MAX)
		return 0;
	/* Signs, blanks, leading zeros and tails give another name. */
	hs_name_format(generation, again);
	return strcmp(name, again) ? 0 : generation;
}

static bool has(const unsigned int *v, size_t n, unsigned int generation)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == generation)
			return true;
	return false;
}

unsigned int hs_generation_next(const unsigned int *v, size_t n)
{
	unsigned int highest = 0, free_one = 1;

	for (size_t i = 0; i < n; i++)
		if (v[i] > highest)
			highest = v[i];
	if (highest < HS_GENERATION_MAX)
		return highest + 1;
	while (has(v, n, free_one))
		free_one++;
	return free_one;
}
