// SPDX-License-Identifier: Apache-2.0
#include "node/nic_manager.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include "base/file.h"

/* Of kubelet (pluginapi.DevicePluginPath), and what the erdma-controller calls
 * its socket there. */
#define PLUGINS "/var/lib/kubelet/device-plugins"
#define ERDMA_SOCKET "*-erdma.sock"

static bool networkd_has(const char *value)
{
	return strcmp(value, "unmanaged") != 0;
}

static bool networkmanager_has(const char *value)
{
	return !strcmp(value, "true");
}

static const struct manager {
	const char *name, *dir; /* its files are called by ifindex */
	const char *key;	/* of a line KEY=VALUE */
	bool (*has)(const char *value);
} managers[] = {
	{"systemd-networkd", "/run/systemd/netif/links",
	 "ADMIN_STATE=", networkd_has},
	{"NetworkManager", "/run/NetworkManager/devices",
	 "managed=", networkmanager_has},
};

/* Cut the value of @key out of @text, which is lines. Return: NULL: there is no
 * such line. */
static char *value_of(char *text, const char *key)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		if (!strncmp(line, key, strlen(key)))
			return line + strlen(key);
	return NULL;
}

static int ask_file(const struct manager *m, const char *root,
		    const struct nic *nic, bool *has, struct buf *sign)
{
	_buf_ struct buf text = {}, error = {};
	char path[PATH_MAX];
	char *value;
	int err;

	snprintf(path, sizeof(path), "%s%s/%u", root, m->dir, nic->ifindex);
	err = small_file_read(path, &text, &error);
	if (err == -ENOENT)
		return 0;
	if (err) {
		buf_printf(sign, "whether %s manages %s is not known: %s",
			   m->name, nic->name, error.data ?: "no memory");
		return err;
	}
	value = text.data ? value_of(text.data, m->key) : NULL;
	*has = value && m->has(value);
	if (*has)
		buf_printf(sign, "%s has %s%s", path, m->key, value);
	return 0;
}

static int ask_erdma(const char *root, bool *has, struct buf *sign)
{
	_closedir_ DIR *dir = NULL;
	char path[PATH_MAX];
	struct dirent *d;

	snprintf(path, sizeof(path), "%s" PLUGINS, root);
	dir = opendir(path);
	if (!dir && errno != ENOENT && errno != ENOTDIR) {
		int err = -errno;

		buf_printf(
			sign,
			"whether the erdma-controller is here is not known: %s: %s",
			path, strerror(-err));
		return err;
	}
	while (dir && !*has && (d = readdir(dir))) {
		*has = !fnmatch(ERDMA_SOCKET, d->d_name, 0);
		if (*has)
			buf_printf(sign, "its socket %s/%s", path, d->d_name);
	}
	return 0;
}

int nic_manager(const char *root, const struct nic *nic, const char **name,
		struct buf *sign)
{
	bool has = false;
	int err;

	if (!strcmp(root, "/"))
		root = "";
	*name = NULL;
	err = ask_erdma(root, &has, sign);
	if (has)
		*name = "the erdma-controller";
	for (size_t i = 0; i < array_size(managers) && !err && !has; i++) {
		err = ask_file(&managers[i], root, nic, &has, sign);
		if (has)
			*name = managers[i].name;
	}
	return err;
}
