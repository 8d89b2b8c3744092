// SPDX-License-Identifier: Apache-2.0
#include "loop/turn.h"

#define AGAIN_MS 100

static void wake_event(uv_idle_t *idle)
{
	/* It does nothing: while an idle handle is active the poll does not
	 * block. */
}

static void check_event(uv_check_t *check)
{
	struct turn *t = check->data;

	if (!t->due || t->stopped)
		return;
	t->due = false;
	uv_idle_stop(&t->wake);
	t->run(t->arg);
}

static void again_event(uv_timer_t *timer)
{
	turn_due(timer->data);
}

void turn_open(struct turn *t, uv_loop_t *loop, void (*run)(void *arg),
	       void *arg)
{
	t->run = run;
	t->arg = arg;
	uv_idle_init(loop, &t->wake);
	uv_check_init(loop, &t->check);
	uv_timer_init(loop, &t->more);
	t->check.data = t->more.data = t;
	uv_check_start(&t->check, check_event);
}

void turn_due(struct turn *t)
{
	t->due = true;
	if (!t->stopped)
		uv_idle_start(&t->wake, wake_event);
}

void turn_again(struct turn *t)
{
	uv_timer_start(&t->more, again_event, AGAIN_MS, 0);
}

void turn_stop(struct turn *t)
{
	t->stopped = true;
}
