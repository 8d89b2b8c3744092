// SPDX-License-Identifier: Apache-2.0
/* What is wrong with a watch, and when it asks again. */
#include "kube/watch_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"

/* At the beginning of a streaming list a server that does not know what was
 * asked (before Kubernetes 1.27) sends what there is, and never ends it. */
#define UNENDING_MS 10000

void watch_problem(struct kube_watch *w, const char *problem)
{
	char *copy = NULL;

	if (!problem == !w->problem &&
	    (!problem || !strcmp(problem, w->problem)))
		return;
	if (problem && !(copy = strdup(problem)))
		return;
	free(w->problem);
	w->problem = copy;
	w->opt.on_trouble(w->opt.arg);
}

void watch_heard(struct kube_watch *w)
{
	w->heard = uv_now(kube_client_loop(w->client));
}

void watch_expect(struct kube_watch *w)
{
	unsigned int ms = w->stage == STREAM ? UNENDING_MS : w->patience_ms;

	uv_timer_start(&w->timer, watch_silence_event, fault_ms(ms), 0);
}

void watch_stop_call(struct kube_watch *w)
{
	kube_cancel(take_ptr(w->call));
	uv_timer_stop(&w->timer);
}

bool watch_later(struct kube_watch *w, enum stage stage)
{
	uint64_t lived = uv_now(kube_client_loop(w->client)) - w->since;
	bool was_well = w->begun && lived >= fault_ms(WATCH_SETTLED_MS);

	if (was_well)
		w->failures = 0;
	watch_stop_call(w);
	w->begun = false;
	w->stage = stage;
	uv_timer_start(&w->timer, watch_start_event,
		       fault_ms(kube_again_ms(w->client, &w->failures)), 0);
	return was_well;
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
	_buf_ struct buf problem = {0};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&problem, "cannot %s %s: %s (%s)",
		   w->stage == PLAIN ? "list" : "watch", w->what, text,
		   kube_client_server(w->client));
	watch_fail(w, stage, problem.data ?: text);
}
