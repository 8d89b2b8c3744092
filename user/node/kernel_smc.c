// SPDX-License-Identifier: Apache-2.0
#include "node/kernel_smc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void note(struct kernel_smc *k,
						       const char *fmt, ...)
{
	size_t len = strlen(k->seen);
	va_list ap;

	if (len)
		len += snprintf(k->seen + len, sizeof(k->seen) - len, "; ");
	if (len >= sizeof(k->seen))
		return;
	va_start(ap, fmt);
	vsnprintf(k->seen + len, sizeof(k->seen) - len, fmt, ap);
	va_end(ap);
}

/* ---- symbols ---- */

struct symbols {
	bool smc;
	bool data; /* variables are listed, too: init_net is everywhere */
};

/* "ADDRESS TYPE NAME", and for a module's "\t[MODULE]". */
static bool take_symbol(char *line, void *arg)
{
	struct symbols *s = arg;
	char *name = strchr(line, ' ');

	name = name ? strchr(name + 1, ' ') : NULL;
	if (!name)
		return true;
	name++;
	name[strcspn(name, "\t ")] = '\0';
	s->smc |= !strcmp(name, "tcp_have_smc");
	s->data |= !strcmp(name, "init_net");
	return !s->smc;
}

/* Return: 1 built, 0 not, -1: this file does not tell. */
static int ask_symbols(const struct host *h, struct kernel_smc *k)
{
	const char *path = "/proc/kallsyms";
	struct symbols s = {};

	if (host_each_line(h, path, take_symbol, &s))
		return -1;
	if (s.smc)
		note(k, "%s has tcp_have_smc", path);
	else if (s.data)
		note(k, "%s has no tcp_have_smc", path);
	return s.smc ? 1 : s.data ? 0 : -1;
}

/* ---- configuration ---- */

struct config {
	char smc; /* 'y', 'm'; 'n': not mentioned, or off */
	bool infiniband_off;
	bool dibs_off;	/* CONFIG_DIBS is there and off: CONFIG_SMC needs it
			 * since Linux 6.18 */
	size_t options; /* how many there are: none in what is no such file */
};

static bool take_option(char *line, void *arg)
{
	struct config *c = arg;

	c->options += !strncmp(line, "CONFIG_", 7);
	if (!strncmp(line, "CONFIG_SMC=", 11))
		c->smc = line[11];
	c->dibs_off |= !strcmp(line, "# CONFIG_DIBS is not set");
	c->infiniband_off |= !strcmp(line, "# CONFIG_INFINIBAND is not set");
	return true;
}

static bool read_config(const struct host *h, const char *path,
			struct config *out)
{
	*out = (struct config){.smc = 'n'};
	return !host_each_line(h, path, take_option, out) && out->options;
}

/* Return: 'y', 'm', 'n', or 0: there is none. */
static char ask_config(const struct host *h, struct kernel_smc *k)
{
	static const struct {
		const char *head, *tail; /* around the release; NULL: without */
	} paths[] = {{"/proc/config.gz", NULL},
		     {"/boot/config-", ""},
		     {"/lib/modules/", "/config"}};
	char path[128];
	struct config c;

	for (size_t i = 0; i < array_size(paths); i++) {
		snprintf(path, sizeof(path), "%s%s%s", paths[i].head,
			 paths[i].tail ? h->release : "", paths[i].tail ?: "");
		if (!read_config(h, path, &c))
			continue;
		if (c.smc != 'n')
			note(k, "%s has CONFIG_SMC=%c", path, c.smc);
		else
			note(k, "%s has no CONFIG_SMC", path);
		if (c.smc == 'n' && c.dibs_off)
			note(k, "CONFIG_DIBS, which it needs, is not set");
		k->without_infiniband = c.smc == 'n' && c.infiniband_off;
		if (k->without_infiniband)
			note(k,
			     "CONFIG_INFINIBAND, which it needs, is not set");
		return c.smc;
	}
	return 0;
}

/* ---- modules.builtin ---- */

static bool take_builtin(char *line, void *arg)
{
	bool *there = arg;

	*there |= !strcmp(line, "kernel/net/smc/smc.ko");
	return !*there;
}

static bool is_builtin(const struct host *h, struct kernel_smc *k)
{
	char path[128];
	bool there = false;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin",
		 h->release);
	if (host_each_line(h, path, take_builtin, &there))
		return false;
	if (there)
		note(k, "modules.builtin has net/smc/smc.ko");
	return there;
}

void kernel_smc_look(const struct host *h, struct kernel_smc *out)
{
	int symbols;
	char config;

	*out = (struct kernel_smc){};
	symbols = ask_symbols(h, out);
	config = ask_config(h, out);
	if (!symbols || (symbols < 0 && config == 'n'))
		out->build = SMC_BUILD_NO;
	else if (config == 'y' || is_builtin(h, out))
		out->build = SMC_BUILD_IN;
	else if (config == 'm' || symbols > 0)
		out->build = SMC_BUILD_MODULE;
	if (!*out->seen)
		note(out,
		     "neither /proc/kallsyms nor a configuration of %s tells",
		     h->release);
}
