// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <string.h>

#include "base/cleanup.h"

#define DIGITS_MAX 9

static unsigned int unit_seconds(const char *unit)
{
	static const struct {
		const char *name;
		unsigned int seconds;
	} units[] = {{"s", 1}, {"m", 60}, {"h", 3600}};

	for (size_t i = 0; i < array_size(units); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].seconds;
	return 0;
}

int duration_parse(const char *text, unsigned long long *seconds)
{
	const size_t digits = strspn(text, "0123456789");
	unsigned int unit = unit_seconds(text + digits);
	unsigned long long n;

	if (!digits || digits > DIGITS_MAX)
		return -EINVAL;
	n = strtoull(text, NULL, 10);
	if (!n && !text[digits])
		unit = 1;
	if (!unit)
		return -EINVAL;
	*seconds = n * unit;
	return 0;
}
