// SPDX-License-Identifier: Apache-2.0
#include "node/uidmap.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include "node/place.h"

static int translate(int dir, const char *map, __u32 id, __u32 *out)
{
	_close_ int fd = openat(dir, map, O_RDONLY | O_CLOEXEC);
	_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned int inside, outside, count;

	if (!f)
		return -errno;
	take_fd(fd);
	while (fscanf(f, "%u %u %u", &inside, &outside, &count) == 3) {
		if (id < inside || id - inside >= count)
			continue;
		*out = outside + (id - inside);
		return 0;
	}
	return -ERANGE;
}

int uidmap_translate(const char *map, __u32 id, __u32 *out)
{
	return translate(AT_FDCWD, map, id, out);
}

/* Owners in the pod's IDs; the caller's array gets the host's. */
struct owners_in {
	size_t n;
	struct smc_owner v[SMC_OWNERS];
};

static int translate_id(int dir, const char *map, __u32 id, __u32 *out)
{
	*out = id;
	return id == SMC_ID_ANY ? 0 : translate(dir, map, id, out);
}

static int translate_all(int dir, const struct owners_in *in,
			 struct smc_owner *v)
{
	int err = 0;

	for (size_t i = 0; !err && i < in->n; i++) {
		err = translate_id(dir, "uid_map", in->v[i].uid, &v[i].uid);
		err = err
			      ?: translate_id(dir, "gid_map", in->v[i].gid,
					      &v[i].gid);
	}
	return err;
}

/* The user namespace that owns a network namespace (since Linux 4.9). */
static bool find_owner(const struct place *net, struct ns_id *out)
{
	_close_ int user = ioctl(net->fd, NS_GET_USERNS);
	struct stat st;

	if (user < 0 || fstat(user, &st))
		return false;
	*out = (struct ns_id){.dev = st.st_dev, .ino = st.st_ino};
	return true;
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

static bool is_in(int dir, const struct ns_id *net)
{
	struct ns_id is;

	return !proc_ns_of(dir, "net", &is) && ns_same(&is, net);
}

static int look_at(pid_t pid, void *arg)
{
	struct map_search *s = arg;
	_close_ int dir = proc_open(s->proc, pid);
	struct ns_id user;

	if (dir < 0 || !is_in(dir, &s->net) || proc_ns_of(dir, "user", &user))
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

/* Return: the process whose map to use, 0: none, the host's IDs hold. */
static pid_t choose(const struct map_search *s)
{
	bool owned_by_pod =
		s->owner_known && s->own_known && !ns_same(&s->owner, &s->own);

	if (owned_by_pod && s->by_owner)
		return s->by_owner;
	return s->mixed ? 0 : s->first;
}

/*
 * Most namespaces are named by a process in them, PROC/PID/ns/net: if that
 * process is also in the user namespace that owns the network namespace, the
 * search would choose an equal map.
 * Return: as uidmap_translate(); -ENOENT: it is not.
 */
static int by_named(const struct place *net, const struct owners_in *in,
		    struct smc_owner *v)
{
	struct ns_id user, owner;
	_close_ int dir = -1;
	char path[PATH_MAX];

	if (!proc_file_beside(net->path, "", path))
		return -ENOENT;
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || !is_in(dir, &net->id) ||
	    proc_ns_of(dir, "user", &user) || !find_owner(net, &owner) ||
	    !ns_same(&user, &owner))
		return -ENOENT;
	return translate_all(dir, in, v);
}

/* Translate by the maps of process @pid. If there is none, or it has ended
 * since (another one may have its number by now), the IDs stay as they are. */
static int by_number(const struct map_search *s, pid_t pid,
		     const struct owners_in *in, struct smc_owner *v)
{
	_close_ int dir = pid ? proc_open(s->proc, pid) : -ENOENT;
	int err = -ENOENT;

	if (dir >= 0 && is_in(dir, &s->net))
		err = translate_all(dir, in, v);
	if (err != -ENOENT && err != -ESRCH)
		return err;
	memcpy(v, in->v, in->n * sizeof(*v));
	return 0;
}

static int search(const struct netns_ref *netns, const struct place *net,
		  const struct owners_in *in, struct smc_owner *v)
{
	struct map_search s = {.proc = netns->proc ?: PROC_DEFAULT,
			       .net = net->id};
	char own[PATH_MAX];
	int err;

	/* "self": in @proc's pid namespace our number may be another one. */
	snprintf(own, sizeof(own), "%s/self/ns/user", s.proc);
	s.own_known = !ns_of_path(own, &s.own);
	s.owner_known = find_owner(net, &s.owner);
	err = proc_each(s.proc, look_at, &s);
	return err ?: by_number(&s, choose(&s), in, v);
}

int uidmap_owners(const struct netns_ref *netns, struct smc_owner *v, size_t n)
{
	_place_ struct place net = PLACE_NONE;
	struct owners_in in = {.n = n};
	int err;

	if (n > SMC_OWNERS)
		return -E2BIG;
	memcpy(in.v, v, n * sizeof(*v));
	err = place_open(netns->path, &net);
	if (err)
		return err;
	if (netns->id.ino && !ns_same(&netns->id, &net.id))
		return -ENOENT;
	err = by_named(&net, &in, v);
	if (!err || err == -ERANGE)
		return err;
	return search(netns, &net, &in, v);
}
