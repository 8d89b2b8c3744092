// SPDX-License-Identifier: Apache-2.0
#include "pods/waiting.h"

#include <string.h>
#include "base/array.h"

/* The waits between looks at a pod that cannot be armed yet. The first ones are
 * short, for after the event the runtime still mounts the namespace and gives
 * it its addresses. With the look at the event that makes seven in the first
 * minute; the last wait repeats. */
static const unsigned int retry_ms[] = {50,    500,   1500, 4000,
					10000, 25000, 60000};

/* Does the pod wait for something without which the agent cannot arm it, or not
 * publish all of its addresses? */
static bool waits(const struct pod *p)
{
	return p->wanted && !pod_refused(p) &&
	       (!pod_armed(p) || p->published.n < p->addrs.n);
}

static void forget_waits(struct pod *p)
{
	p->retry_at = 0;
	p->retries = 0;
}

void pod_news(struct pod *p)
{
	p->stale = true;
	forget_waits(p);
}

void pods_news(struct pods *pods)
{
	for (size_t i = 0; i < pods->n; i++)
		if (waits(pods->v[i]))
			pod_news(pods->v[i]);
}

static unsigned int next_wait(struct pod *p)
{
	unsigned int i = p->retries;

	if (i < array_size(retry_ms) - 1)
		p->retries++;
	return retry_ms[i];
}

/* Set the time of the next look; where the agent leaves the pod alone
 * (slow_until), not before that. */
static void set_time(struct pod *p, __u64 now)
{
	if (!waits(p)) {
		forget_waits(p);
		return;
	}
	if (!p->retry_at)
		p->retry_at = now + next_wait(p);
	if (p->retry_at < p->slow_until)
		p->retry_at = p->slow_until;
}

unsigned int pods_retry(struct pods *pods, __u64 now)
{
	__u64 next = 0;

	for (size_t i = 0; i < pods->n; i++) {
		const struct pod *p = pods->v[i];

		set_time(pods->v[i], now);
		if (p->retry_at && (!next || p->retry_at < next))
			next = p->retry_at;
	}
	if (!next)
		return 0;
	return next > now ? next - now : 1;
}

bool pod_retry_due(struct pod *p, __u64 now)
{
	if (!waits(p) || !p->retry_at || p->retry_at > now)
		return false;
	p->retry_at = 0;
	p->stale = true;
	return true;
}

/* ---- for other reasons --------------------------------------------------- */

void pod_stale(struct pod *p)
{
	p->stale = true;
}

void pods_stale(struct pods *pods)
{
	for (size_t i = 0; i < pods->n; i++)
		pods->v[i]->stale = true;
}

void pods_resync(struct pods *pods)
{
	for (size_t i = 0; i < pods->n; i++)
		if (pod_armed(pods->v[i]) || !waits(pods->v[i]))
			pods->v[i]->stale = true;
}

/* Is @place @path, or below it? */
static bool is_at(const char *place, const char *path)
{
	size_t len = strlen(path);

	return place && !strncmp(place, path, len) &&
	       (!place[len] || place[len] == '/');
}

bool pods_stale_at(struct pods *pods, const char *path, const char *cgroups)
{
	size_t len = cgroups ? strlen(cgroups) : 0;
	const char *in = cgroups && is_at(path, cgroups) ? path + len : NULL;
	bool found = false;

	for (size_t i = 0; i < pods->n; i++) {
		struct pod *p = pods->v[i];

		if (!is_at(p->netns_path, path) &&
		    !(in && is_at(p->cgroup_path, in)))
			continue;
		pod_news(p);
		found = true;
	}
	return found;
}
