// SPDX-License-Identifier: Apache-2.0
/* Reports problems of a watch, and decides when it asks again. */
#include "kube/watch_impl.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/once.h"

/* A server that does not know streaming lists (before Kubernetes 1.27) sends
 * the objects, but no end of the list. */
#define UNENDING_MS 10000
/* With 5,000 nodes, and as many SmcNodes, all their lists take 30 s. */
#define SPREAD_EACH_MS 6
#define SPREAD_MOST_MS 30000

void watch_problem(struct kube_watch *w, const char *problem)
{
	if (once_text(&w->problem, problem))
		w->opt.on_trouble(w->opt.arg);
}

bool watch_settled(const struct kube_watch *w)
{
	return uv_now(kube_client_loop(w->client)) - w->since >=
	       fault_ms(WATCH_SETTLED_MS);
}

void watch_heard(struct kube_watch *w)
{
	w->heard = uv_now(kube_client_loop(w->client));
}

void watch_expect(struct kube_watch *w)
{
	unsigned int ms = w->stage == STREAM ? UNENDING_MS
			  : w->doubted	     ? WATCH_DOUBTED_MS
					     : w->patience_ms;

	uv_timer_start(&w->timer, w->steps->silence_event, fault_ms(ms), 0);
}

void watch_stop_call(struct kube_watch *w)
{
	kube_cancel(take_ptr(w->call));
	uv_timer_stop(&w->timer);
}

static void start_event(uv_timer_t *timer)
{
	struct kube_watch *w = timer->data;

	w->steps->start(w);
}

void watch_start_in(struct kube_watch *w, unsigned int ms)
{
	uv_timer_start(&w->timer, start_event, fault_ms(ms), 0);
}

bool watch_later(struct kube_watch *w, enum stage stage)
{
	bool was_well = w->begun && watch_settled(w);

	if (was_well)
		w->failures = 0;
	watch_stop_call(w);
	w->begun = false;
	w->away = true;
	w->probed = false;
	w->told = kube_retry_after(w->client);
	w->unreached = kube_unreached(w->client);
	w->stage = stage;
	watch_start_in(w, kube_again_ms(w->client, &w->failures));
	return was_well;
}

void watch_answered(struct kube_watch *w)
{
	if (w->unreached)
		w->failures = 0;
	w->unreached = false;
}

unsigned int watch_spread_ms(size_t n)
{
	return kube_dice(n < SPREAD_MOST_MS / SPREAD_EACH_MS
				 ? n * SPREAD_EACH_MS
				 : SPREAD_MOST_MS);
}

void watch_list_in(struct kube_watch *w, unsigned int ms)
{
	watch_stop_call(w);
	w->begun = false;
	w->failures = 0;
	w->stage = STREAM;
	watch_start_in(w, ms);
}

void watch_expired(struct kube_watch *w)
{
	uint64_t since = uv_now(kube_client_loop(w->client)) - w->listed;

	log_debug("%s: what was watched from is too old, listing anew",
		  w->what);
	/* Do not ask a server for lists all the time that forgets versions at
	 * once. */
	if (since < fault_ms(WATCH_SETTLED_MS))
		watch_later(w, STREAM);
	else
		watch_list_in(w, w->away ? watch_spread_ms(w->set.n) : 0);
}

void kube_watch_again(struct kube_watch *w)
{
	if (w->call)
		return;
	w->failures = 0;
	watch_start_in(w, 0);
}

void kube_watch_server_back(struct kube_watch *w)
{
	/* Without failures there is no back-off to end. */
	if (w->call || !w->problem || !w->failures || w->told)
		return;
	if (w->stage == WATCH)
		kube_watch_again(w);
	else
		watch_list_in(w, watch_spread_ms(w->set.n));
}

void watch_fail(struct kube_watch *w, enum stage stage, const char *problem)
{
	if (watch_later(w, stage))
		log_debug("%s", problem);
	else
		watch_problem(w, problem);
}

void watch_fail_say(struct kube_watch *w, enum stage stage, const char *fmt,
		    ...)
{
	char text[256];
	_buf_ struct buf problem = {};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&problem, "cannot %s %s: %s (%s)",
		   w->stage == PLAIN || w->stage == PAGE ? "list" : "watch",
		   w->what, text, kube_client_server(w->client));
	watch_fail(w, stage, problem.data ?: text);
}
