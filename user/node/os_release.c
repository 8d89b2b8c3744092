// SPDX-License-Identifier: Apache-2.0
#include "node/os_release.h"

#include <string.h>

/* A value may be quoted; what a shell would still unescape in it is left. */
static void take_value(const char *value, char out[OS_RELEASE_MAX])
{
	size_t len = strlen(value);
	char quote = *value;

	if (len >= 2 && (quote == '"' || quote == '\'') &&
	    value[len - 1] == quote) {
		value++;
		len -= 2;
	}
	snprintf(out, OS_RELEASE_MAX, "%.*s", (int)len, value);
}

static bool take_line(char *line, void *arg)
{
	struct os_release *os = arg;

	if (!strncmp(line, "ID=", 3))
		take_value(line + 3, os->id);
	else if (!strncmp(line, "VERSION_ID=", 11))
		take_value(line + 11, os->version);
	else if (!strncmp(line, "PRETTY_NAME=", 12))
		take_value(line + 12, os->name);
	return true;
}

int os_release_read(const struct host *h, struct os_release *out)
{
	int err;

	*out = (struct os_release){};
	err = host_each_line(h, "/etc/os-release", take_line, out);
	if (err == -ENOENT)
		err = host_each_line(h, "/usr/lib/os-release", take_line, out);
	if (!*out->name)
		snprintf(out->name, sizeof(out->name), "%s", out->id);
	return err;
}
