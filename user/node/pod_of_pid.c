// SPDX-License-Identifier: Apache-2.0
#include "node/pod_of_pid.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include "node/proc.h"

/* As long as the path of a cgroup may be; the rest of a longer line is taken
 * for another line. */
#define TABLE_LINE_MAX 4096

/* Return: true: go no further. */
typedef bool (*part_fn)(const char *part, void *arg);

/* Call @fn for each part between slashes of a process' cgroups, in the kernel's
 * order.
 * @path: its table, below @dir. */
static void each_part(int dir, const char *path, part_fn fn, void *arg)
{
	_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[TABLE_LINE_MAX], *save;

	if (!f)
		return;
	take_fd(fd);
	while (fgets(line, sizeof(line), f))
		for (char *part = strtok_r(line, "/\n", &save); part;
		     part = strtok_r(NULL, "/\n", &save))
			if (fn(part, arg))
				return;
}

struct question {
	const char *uid;
	enum whose answer;
};

static bool is_some_pods(const char *part, char uid[PODNAME_UID_MAX])
{
	enum podname_what what = podname_parse(part, uid);

	return what == PODNAME_POD || what == PODNAME_CONTAINER;
}

static bool answer(const char *part, void *arg)
{
	char uid[PODNAME_UID_MAX];
	struct question *q = arg;

	if (podname_has(part, q->uid))
		q->answer = WHOSE_POD;
	else if (is_some_pods(part, uid))
		q->answer = WHOSE_OTHER;
	return q->answer != WHOSE_NOBODY;
}

enum whose whose_process(int dir, const char *uid)
{
	struct question q = {.uid = uid};

	each_part(dir, "cgroup", answer, &q);
	return q.answer;
}

struct wanted_uid {
	char *uid;
	bool found;
};

static bool take_uid(const char *part, void *arg)
{
	struct wanted_uid *w = arg;

	w->found = is_some_pods(part, w->uid);
	return w->found;
}

int netns_pod_uid(const char *path, char uid[PODNAME_UID_MAX])
{
	struct wanted_uid w = {.uid = uid};
	char table[PATH_MAX];

	if (proc_file_beside(path, "cgroup", table))
		each_part(AT_FDCWD, table, take_uid, &w);
	return w.found ? 0 : -ENOENT;
}
