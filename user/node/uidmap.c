// SPDX-License-Identifier: Apache-2.0
#include "node/uidmap.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

int uidmap_translate(const char *map, __u32 uid, __u32 *out)
{
	_fclose_ FILE *f = fopen(map, "re");
	unsigned int inside, outside, count;

	if (!f)
		return -errno;
	while (fscanf(f, "%u %u %u", &inside, &outside, &count) == 3) {
		if (uid < inside || uid - inside >= count)
			continue;
		*out = outside + (uid - inside);
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
 * search would choose a map that says the same.
 */
static bool named_by_owner(const char *netns, char map[PATH_MAX])
{
	char user[PATH_MAX];
	struct ns_id own, owner;

	return proc_file_beside(netns, "ns/user", user) &&
	       proc_file_beside(netns, "uid_map", map) &&
	       !ns_of_path(user, &own) && find_owner(netns, &owner) &&
	       ns_same(&own, &owner);
}

int uidmap_to_host(const char *proc, const char *netns, __u32 uid, __u32 *out)
{
	struct map_search s = {.proc = proc};
	char map[PATH_MAX];
	pid_t pid;
	int err;

	if (named_by_owner(netns, map)) {
		err = uidmap_translate(map, uid, out);
		if (!err || err == -ERANGE)
			return err;
	}
	err = ns_of_path(netns, &s.net);
	if (err)
		return err;
	/* "self": our number in @proc's pid namespace may be another one. */
	snprintf(map, sizeof(map), "%s/self/ns/user", proc);
	s.own_known = !ns_of_path(map, &s.own);
	s.owner_known = find_owner(netns, &s.owner);
	err = proc_each(proc, look_at, &s);
	if (err)
		return err;
	pid = choose(&s);
	if (!pid) {
		*out = uid;
		return 0;
	}
	snprintf(map, sizeof(map), "%s/%d/uid_map", proc, pid);
	err = uidmap_translate(map, uid, out);
	if (err == -ENOENT || err == -ESRCH) /* it ended: nobody to ask */
		err = 0, *out = uid;
	return err;
}
