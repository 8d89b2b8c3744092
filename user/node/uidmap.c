// SPDX-License-Identifier: Apache-2.0
#include "node/uidmap.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>

int uidmap_translate(const char *map, __u32 id, __u32 *out)
{
	_fclose_ FILE *f = fopen(map, "re");
	unsigned int inside, outside, count;

	if (!f)
		return -errno;
	while (fscanf(f, "%u %u %u", &inside, &outside, &count) == 3) {
		if (id < inside || id - inside >= count)
			continue;
		*out = outside + (id - inside);
		return 0;
	}
	return -ERANGE;
}

struct map_search {
	const char *proc;
	struct ns_id net, own, owner;
	bool own_known, owner_known;
	pid_t by_owner; /* in @net, and in the user namespace that owns it */
	pid_t first;	/* the first in @net, with its user namespace */
	struct ns_id first_user;
	bool mixed; /* another one in @net has another user namespace */
};

static int look_at(pid_t pid, void *arg)
{
	struct map_search *s = arg;
	struct ns_id net, user;

	if (proc_ns(s->proc, pid, "net", &net) || !ns_same(&net, &s->net) ||
	    proc_ns(s->proc, pid, "user", &user))
		return 0;
	if (s->owner_known && ns_same(&user, &s->owner))
		s->by_owner = pid;
	if (!s->first) {
		s->first = pid;
		s->first_user = user;
	} else if (!ns_same(&user, &s->first_user)) {
		s->mixed = true;
	}
	return 0;
}

/* The user namespace that owns @netns (since Linux 4.9). */
static bool find_owner(const char *netns, struct ns_id *out)
{
	_close_ int fd = open(netns, O_RDONLY | O_CLOEXEC), user = -1;
	struct stat st;

	if (fd < 0)
		return false;
	user = ioctl(fd, NS_GET_USERNS);
	if (user < 0 || fstat(user, &st))
		return false;
	*out = (struct ns_id){.dev = st.st_dev, .ino = st.st_ino};
	return true;
}

/* Return: the process whose map counts, 0: none, the host's UIDs. */
static pid_t choose(const struct map_search *s)
{
	bool owned_by_pod =
		s->owner_known && s->own_known && !ns_same(&s->owner, &s->own);

	if (owned_by_pod && s->by_owner)
		return s->by_owner;
	return s->mixed ? 0 : s->first;
}

/*
 * Most namespaces are named by a process in them, PROC/PID/ns/net: where that
 * process is in the user namespace that owns the network namespace too, the
 * search would choose maps that say the same.
 */
static bool named_by_owner(const char *netns, char dir[PATH_MAX])
{
	char user[PATH_MAX];
	struct ns_id own, owner;

	return proc_file_beside(netns, "ns/user", user) &&
	       proc_file_beside(netns, "", dir) && !ns_of_path(user, &own) &&
	       find_owner(netns, &owner) && ns_same(&own, &owner);
}

static int translate(const char *dir, const char *name, __u32 *id)
{
	char map[PATH_MAX];

	if (*id == SMC_ID_ANY)
		return 0;
	if (snprintf(map, sizeof(map), "%s/%s", dir, name) >= (int)sizeof(map))
		return -ENAMETOOLONG;
	return uidmap_translate(map, *id, id);
}

static int translate_all(const char *dir, struct smc_owner *v, size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		err = translate(dir, "uid_map", &v[i].uid);
		if (!err)
			err = translate(dir, "gid_map", &v[i].gid);
	}
	return err;
}

/* *@dir: of the process whose maps count; "": the host's IDs. */
static int search(const char *proc, const char *netns, char dir[PATH_MAX])
{
	struct map_search s = {.proc = proc};
	int err = ns_of_path(netns, &s.net);
	char own[PATH_MAX];
	pid_t pid;

	if (err)
		return err;
	/* "self": our number in @proc's pid namespace may be another one. */
	snprintf(own, sizeof(own), "%s/self/ns/user", proc);
	s.own_known = !ns_of_path(own, &s.own);
	s.owner_known = find_owner(netns, &s.owner);
	err = proc_each(proc, look_at, &s);
	if (err)
		return err;
	pid = choose(&s);
	if (pid)
		snprintf(dir, PATH_MAX, "%s/%d", proc, pid);
	else
		*dir = '\0';
	return 0;
}

int uidmap_owners(const char *proc, const char *netns, struct smc_owner *v,
		  size_t n)
{
	struct smc_owner inside[SMC_OWNERS];
	char dir[PATH_MAX];
	int err;

	if (n > SMC_OWNERS)
		return -E2BIG;
	memcpy(inside, v, n * sizeof(*v));
	if (named_by_owner(netns, dir)) {
		err = translate_all(dir, v, n);
		if (!err || err == -ERANGE)
			return err;
		memcpy(v, inside, n * sizeof(*v));
	}
	err = search(proc, netns, dir);
	if (err || !*dir)
		return err;
	err = translate_all(dir, v, n);
	if (err != -ENOENT && err != -ESRCH)
		return err;
	memcpy(v, inside, n * sizeof(*v)); /* it ended: nobody to ask */
	return 0;
}
