// SPDX-License-Identifier: Apache-2.0
#include "node/smc_module.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- the file ---- */

static const char *modules_path(const struct host *h, const char *name,
				char text[192])
{
	snprintf(text, 192, "/lib/modules/%s/%s", h->release, name);
	return text;
}

/* "kernel/net/smc/smc.ko.xz: the modules that it needs" */
static bool take_file(char *line, void *arg)
{
	struct smc_module *m = arg;
	char *name;

	line[strcspn(line, ":")] = '\0';
	name = strrchr(line, '/');
	name = name ? name + 1 : line;
	if (strncmp(name, "smc.ko", 6) != 0)
		return true;
	snprintf(m->file, sizeof(m->file), "%s", line);
	return false;
}

/* Of smc_inet: family 2, and the protocol that its kernel numbered so. */
static bool take_alias(char *line, void *arg)
{
	struct smc_module *m = arg;
	bool ours = !strncmp(line, "alias net-pf-2-proto-256-", 25);
	bool other = !strncmp(line, "alias net-pf-2-proto-263-", 25);

	m->for_ipproto |= ours || other;
	m->other_number = (m->other_number || other) && !ours;
	return !ours;
}

static void find_file(const struct host *h, struct smc_module *m)
{
	char path[192];

	m->has_list = !host_each_line(h, modules_path(h, "modules.dep", path),
				      take_file, m);
	if (host_each_line(h, modules_path(h, "modules.alias", path),
			   take_alias, m))
		m->for_ipproto = *m->file; /* not known: do not say it lacks */
	if (*m->file && strncmp(m->file, "kernel/", 7) != 0)
		snprintf(m->foreign, sizeof(m->foreign),
			 "/lib/modules/%s/%.160s", h->release, m->file);
}

/* What is loaded may be another one than what lies there by now: a module that
 * was not built with its kernel taints it (kernel/module, "O"). */
static void find_loaded(const struct host *h, struct smc_module *m)
{
	char taint[32];

	m->loaded = host_has(h, "/sys/module/smc");
	if (host_first_line(h, "/sys/module/smc/taint", taint, sizeof(taint)))
		return;
	if (strchr(taint, 'O') && !*m->foreign)
		snprintf(m->foreign, sizeof(m->foreign),
			 "/sys/module/smc/taint is %s: built out of the tree",
			 taint);
}

/* ---- what forbids it ---- */

struct conf {
	struct smc_module *m;
	const char *path;
};

static bool is_smc(const char *module)
{
	return module && !strcmp(module, "smc");
}

/* smc needs dibs, and without it does not load either. */
static bool is_needed(const char *module)
{
	return is_smc(module) || (module && !strcmp(module, "dibs"));
}

/* modprobe.d(5): is this a line that keeps smc out? An install line that ends
 * in modprobe does something else besides. */
static bool forbids(const char *line)
{
	_free_ char *copy = strdup(line);
	char *save = NULL, *verb, *what, *rest;

	verb = copy ? strtok_r(copy, " \t", &save) : NULL;
	what = verb ? strtok_r(NULL, " \t", &save) : NULL;
	rest = what ? strtok_r(NULL, "", &save) : NULL;
	if (!what)
		return false;
	if (!strcmp(verb, "blacklist"))
		return is_smc(what);
	if (!strcmp(verb, "install"))
		return is_needed(what) && rest && !strstr(rest, "modprobe");
	return !strcmp(verb, "alias") && rest && !strncmp(rest, "off", 3) &&
	       (!strcmp(what, "net-pf-43") ||
		!strncmp(what, "net-pf-2-proto-256", 18));
}

static bool take_conf(char *line, void *arg)
{
	struct conf *c = arg;

	line += strspn(line, " \t");
	if (!forbids(line))
		return true;
	snprintf(c->m->blocked, sizeof(c->m->blocked), "%s: %s", c->path, line);
	return false;
}

static const char *const conf_dirs[] = {
	"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
	"/usr/lib/modprobe.d", "/lib/modprobe.d"};

/* A file of the same name in a directory before replaces it. */
static bool is_replaced(const struct host *h, size_t dir, const char *name)
{
	char path[512];

	for (size_t i = 0; i < dir; i++) {
		snprintf(path, sizeof(path), "%s/%.255s", conf_dirs[i], name);
		if (host_has(h, path))
			return true;
	}
	return false;
}

static void read_conf(const struct host *h, size_t dir, const char *name,
		      struct smc_module *m)
{
	size_t len = strlen(name);
	struct conf c = {.m = m};
	char path[512];

	if (len < 6 || strcmp(name + len - 5, ".conf") != 0 ||
	    is_replaced(h, dir, name))
		return;
	snprintf(path, sizeof(path), "%s/%.255s", conf_dirs[dir], name);
	c.path = path;
	if (host_each_line(h, path, take_conf, &c))
		return; /* it has gone */
}

static void read_dir(const struct host *h, size_t dir, struct smc_module *m)
{
	int fd = host_file(h, conf_dirs[dir], O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && !*m->blocked && (e = readdir(d)))
		read_conf(h, dir, e->d_name, m);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

/* The kernel's own list, and modprobe's, on the command line. */
static void read_cmdline(const struct host *h, struct smc_module *m)
{
	char line[4096], *save = NULL, *word, *name, *names = NULL;

	if (host_first_line(h, "/proc/cmdline", line, sizeof(line)))
		return;
	for (word = strtok_r(line, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (strncmp(word, "module_blacklist=", 17) != 0 &&
		    strncmp(word, "modprobe.blacklist=", 19) != 0)
			continue;
		snprintf(m->blocked, sizeof(m->blocked), "/proc/cmdline: %s",
			 word);
		for (name = strtok_r(strchr(word, '=') + 1, ",", &names); name;
		     name = strtok_r(NULL, ",", &names))
			if (is_smc(name))
				return;
		*m->blocked = '\0';
	}
}

void smc_module_look(const struct host *h, struct smc_module *out)
{
	char line[8];

	*out = (struct smc_module){};
	find_file(h, out);
	find_loaded(h, out);
	for (size_t i = 0; i < array_size(conf_dirs) && !*out->blocked; i++)
		read_dir(h, i, out);
	if (!*out->blocked)
		read_cmdline(h, out);
	out->locked = !host_first_line(h, "/proc/sys/kernel/modules_disabled",
				       line, sizeof(line)) &&
		      *line == '1';
}
