// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/tar.h"
#include "cli/command.h"
#include "cli/dump_parts.h"

enum {
	OUTPUT,
	FORCE,
	HASH_NAMES,
	HASH_ADDRESSES,
	HASH_KEY,
	ROOT,
	BPFFS,
	CGROUP,
	PROC,
	RUN
};

static const struct cli_option options[] = {
	[OUTPUT] = {'o', "output", "FILE", NULL,
		    "the archive to write; -: standard output"},
	[FORCE] = {0, "force", NULL, NULL, "replace FILE where it is there"},
	[HASH_NAMES] =
		{0, "hash-names", NULL, NULL,
		 "put hashes in place of the names of namespaces, pods and nodes"},
	[HASH_ADDRESSES] = {0, "hash-addresses", NULL, NULL,
			    "and in place of IP addresses"},
	[HASH_KEY] =
		{0, "hash-key", "FILE", NULL,
		 "the key of these hashes; without it, a random one for this archive"},
	[ROOT] =
		{0, "root", "DIR", NULL,
		 "where the host's files are; without it, the root of its first process"},
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static int failed(const char *path, int err)
{
	fprintf(stderr, "smcmesh sysdump: %s: %s\n", path, strerror(-err));
	return EXIT_FAILED;
}

/* ---- the archive ------------------------------------------------------- */

/* A file's name may not lead out of the archive. */
static void top_directory(const char *node, char out[TAR_DIR_MAX + 1])
{
	snprintf(out, TAR_DIR_MAX + 1, "%s", node);
	for (char *p = out; *p; p++)
		if (*p == '/' || (p == out && *p == '.'))
			*p = '_';
}

static int write_archive(const struct dump *d, FILE *to)
{
	char top[TAR_DIR_MAX + 1];
	long long now = time(NULL);
	int err = 0;

	top_directory(d->node, top);
	for (size_t i = 0; i < d->n && !err; i++)
		err = tar_add(to, top, d->v[i].name, d->v[i].text.data ?: "",
			      d->v[i].text.len, now);
	err = err
		      ?: tar_add(to, top, "errors.txt", d->errors.data ?: "",
				 d->errors.len, now);
	return err ?: tar_end(to);
}

/* Give the whole archive its name. */
static int name_archive(const char *part, const char *path, bool force)
{
	if (force ? rename(part, path) : link(part, path))
		return -errno;
	return 0;
}

/* The archive appears under its name when all of it is on disk, and not at
 * all where that fails. */
static int write_file(const struct dump *d, const char *path, bool force)
{
	char part[PATH_MAX];
	_fclose_ FILE *to = NULL;
	int fd, err;

	if (snprintf(part, sizeof(part), "%s.XXXXXX", path) >=
	    (int)sizeof(part))
		return -ENAMETOOLONG;
	fd = mkostemp(part, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	to = fdopen(fd, "w");
	err = to ? write_archive(d, to) : -ENOMEM;
	if (!err && fsync(fd))
		err = -errno;
	err = err ?: name_archive(part, path, force);
	if (!to)
		close(fd);
	unlink(part);
	return err;
}

static int refuse_existing(const char *path)
{
	fprintf(stderr,
		"smcmesh sysdump: %s is there already; --force replaces it\n",
		path);
	return EXIT_FAILED;
}

static int put(const struct dump *d, const char *path, bool force)
{
	bool out = !strcmp(path, "-");
	int err = out ? write_archive(d, stdout) : write_file(d, path, force);

	if (err == -EEXIST && !force)
		return refuse_existing(path);
	if (err)
		return failed(out ? "standard output" : path, err);
	fprintf(stderr, "smcmesh sysdump: files: %zu", d->n + 1);
	if (d->missing)
		fprintf(stderr,
			"; what could not be had: %u (errors.txt says why)",
			d->missing);
	fputc('\n', stderr);
	return EXIT_OK;
}

/* ---- the whole --------------------------------------------------------- */

static int usage(const char *what)
{
	fprintf(stderr, "smcmesh sysdump: %s\n", what);
	return EXIT_USAGE;
}

/* Before the work, so that nobody waits for it in vain. */
static int check(const struct cli_args *args)
{
	const char *path = args->option[OUTPUT];
	struct stat st;

	if (!path || !*path)
		return usage("give -o FILE, or -o - for standard output");
	if (args->option[HASH_KEY] && !args->option[HASH_NAMES] &&
	    !args->option[HASH_ADDRESSES])
		return usage(
			"--hash-key is for --hash-names or --hash-addresses");
	if (!strcmp(path, "-")) {
		if (isatty(STDOUT_FILENO))
			return usage("an archive is not for a terminal");
		return EXIT_OK;
	}
	if (!args->option[FORCE] && !lstat(path, &st))
		return refuse_existing(path);
	return EXIT_OK;
}

static int hide(const struct cli_args *args, struct dump *d)
{
	_cleanup_(hide_free) struct hide h = {
		.names = args->option[HASH_NAMES],
		.addresses = args->option[HASH_ADDRESSES]};
	_buf_ struct buf error = {};
	int err;

	if (!h.names && !h.addresses)
		return EXIT_OK;
	err = hide_key(&h, args->option[HASH_KEY], &error);
	if (err && error.data) {
		fprintf(stderr, "smcmesh sysdump: --hash-key: %s\n",
			error.data);
		return EXIT_USAGE;
	}
	err = err ?: dump_hide(d, &h);
	return err ? failed("hash names", err) : EXIT_OK;
}

static int run(const struct cli_args *args)
{
	_cleanup_(dump_free) struct dump d = {
		.opt = {.bpffs = args->option[BPFFS],
			.cgroup = args->option[CGROUP],
			.proc = args->option[PROC]},
		.run = args->option[RUN],
		.root = args->option[ROOT],
	};
	int ret = check(args), err;

	if (ret)
		return ret;
	err = dump_gather(&d);
	if (err)
		return failed("gather", err);
	return hide(args, &d)
		       ?: put(&d, args->option[OUTPUT], args->option[FORCE]);
}

const struct command command_sysdump = {
	.name = "sysdump",
	.help = "all that is known of this node in one archive, to send to who helps",
	.more = "It asks the agent, and looks at the node itself; without an agent there is\n"
		"less. What could not be had is in errors.txt. No token, no key and no\n"
		"kubeconfig is in it.",
	.options = options,
	.run = run,
};
