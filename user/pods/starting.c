// SPDX-License-Identifier: Apache-2.0
#include "pods/starting.h"

#include <errno.h>
#include <string.h>
#include "base/array.h"
#include "base/log.h"
#include "loop/handles.h"
#include "node/kubepods.h"

/* How often the agent asks for a pod's namespace, by how long it has asked. A
 * new event starts from the top: cgroup v2 tells of the first process, v1 of a
 * container's directory, both just before the namespace is there. */
static const struct {
	unsigned int until_ms, every_ms;
} pace[] = {
	{100, 1},
	{1000, 10},
	{10000, 100},
};

struct awaited {
	char uid[PODNAME_UID_MAX];
	__u64 since; /* uv_now() */
};

struct starts {
	struct kubepods *kubepods;
	const char *proc;
	starts_fn fn;
	void *arg;
	uv_poll_t poll;
	bool polling; /* there is something to poll */
	uv_timer_t timer;
	struct awaited *v;
	size_t n;
	struct handles handles;
};

/* Return: the delay until the next question about @a; 0: it has been asked for
 * long enough. */
static unsigned int pace_of(const struct awaited *a, __u64 now)
{
	for (size_t i = 0; i < array_size(pace); i++)
		if (now - a->since < pace[i].until_ms)
			return pace[i].every_ms;
	return 0;
}

static void timer_event(uv_timer_t *timer);

static void ask_again(struct starts *s)
{
	__u64 now = uv_now(s->timer.loop);
	unsigned int first = 0;

	for (size_t i = s->n; i-- > 0;) {
		unsigned int ms = pace_of(&s->v[i], now);

		if (!ms)
			s->v[i] = s->v[--s->n];
		else if (!first || ms < first)
			first = ms;
	}
	if (first)
		uv_timer_start(&s->timer, timer_event, first, 0);
}

static void timer_event(uv_timer_t *timer)
{
	struct starts *s = timer->data;

	for (size_t i = s->n; i-- > 0;) {
		_place_ struct place at = PLACE_NONE;
		struct awaited a = s->v[i];

		if (kubepods_place(s->kubepods, s->proc, a.uid, &at))
			continue;
		s->v[i] = s->v[--s->n];
		s->fn(a.uid, &at, s->arg);
	}
	ask_again(s);
}

static void await(struct starts *s, const char *uid)
{
	struct awaited *a = NULL;

	/* The loop's time is that of the last poll; a reconcile may have taken
	 * long since. */
	uv_update_time(s->timer.loop);
	for (size_t i = 0; i < s->n && !a; i++)
		if (!strcmp(s->v[i].uid, uid))
			a = &s->v[i];
	a = a ?: array_push(s->v, s->n);
	if (!a)
		return; /* the resync looks again */
	snprintf(a->uid, sizeof(a->uid), "%s", uid);
	a->since = uv_now(s->timer.loop);
	uv_timer_start(&s->timer, timer_event, 0, 0);
}

static void pod_event(const char *uid, void *arg)
{
	struct starts *s = arg;

	s->fn(uid, NULL, s->arg);
	if (kubepods_followed(s->kubepods, uid))
		await(s, uid);
}

static void poll_event(uv_poll_t *poll, int status, int events)
{
	struct starts *s = poll->data;
	int err = kubepods_read(s->kubepods, pod_event, s);

	if (err)
		log_warn(err, "read events of the pods' cgroups");
}

void starts_follow(struct starts *s, const char *uid)
{
	if (kubepods_followed(s->kubepods, uid))
		return;
	kubepods_follow(s->kubepods, uid);
	if (kubepods_known(s->kubepods, uid))
		await(s, uid);
}

void starts_unfollow(struct starts *s, const char *uid)
{
	kubepods_unfollow(s->kubepods, uid);
	for (size_t i = s->n; i-- > 0;)
		if (!strcmp(s->v[i].uid, uid))
			s->v[i] = s->v[--s->n];
}

int starts_place(const struct starts *s, const char *uid, struct place *out)
{
	if (!kubepods_any(s->kubepods))
		return -ESRCH;
	return kubepods_place(s->kubepods, s->proc, uid, out);
}

void starts_seek(struct starts *s)
{
	kubepods_seek(s->kubepods, pod_event, s);
}

/* ---- polling ------------------------------------------------------------- */

static int poll_start(struct starts *s)
{
	int fd = kubepods_fd(s->kubepods), err;

	if (s->polling || fd < 0)
		return 0;
	err = uv_poll_init(s->timer.loop, &s->poll, fd);
	if (err)
		return err;
	s->poll.data = s;
	s->polling = true;
	/* Fails for a closing handle only. */
	uv_poll_start(&s->poll, UV_READABLE, poll_event);
	return 0;
}

void starts_scan(struct starts *s)
{
	int err;

	kubepods_scan(s->kubepods, pod_event, s);
	err = poll_start(s);
	if (err)
		log_warn(err, "poll for events of the pods' cgroups");
}

/* ---- open, close --------------------------------------------------------- */

static void starts_free(void *starts)
{
	struct starts *s = starts;

	kubepods_close(s->kubepods);
	free(s->v);
	free(s);
}

void starts_close(struct starts *s)
{
	if (!s)
		return;
	if (s->polling)
		handles_close(&s->handles, &s->poll);
	handles_close(&s->handles, &s->timer);
	handles_free(&s->handles, starts_free, s);
}

int starts_open(uv_loop_t *loop, const char *proc, const char *cgroup,
		starts_fn fn, void *arg, struct starts **out)
{
	struct starts *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->proc = proc;
	s->fn = fn;
	s->arg = arg;
	err = kubepods_open(proc, cgroup, &s->kubepods);
	if (err) {
		starts_free(s);
		return log_err(err, "find the pods' cgroups");
	}
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	err = poll_start(s);
	if (err) {
		starts_close(s);
		return log_err(err, "poll for events of the pods' cgroups");
	}
	*out = s;
	return 0;
}
