// SPDX-License-Identifier: Apache-2.0
#include "agent/service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/once.h"
#include "pods/pods.h"
#include "serve/ready.h"

static void tell(struct service *s, const char *lines)
{
	int err = notify_tell(lines);

	if (once_err(&s->err, err) && err)
		log_warn(err, "tell the service manager (NOTIFY_SOCKET=%s)",
			 getenv("NOTIFY_SOCKET"));
}

/* ---- signs of life ----------------------------------------------------- */

static void watchdog_event(uv_timer_t *timer)
{
	tell(timer->data, "WATCHDOG=1");
}

void service_open(struct service *s, uv_loop_t *loop)
{
	uv_timer_init(loop, &s->watchdog);
	s->watchdog.data = s;
}

/* Twice as often as is wanted, as sd_watchdog_enabled(3) advises. */
static void watchdog_start(struct service *s)
{
	unsigned int ms = notify_watchdog_ms();

	if (!ms)
		return;
	ms = ms > 1 ? ms / 2 : 1;
	uv_timer_start(&s->watchdog, watchdog_event, ms, ms);
}

/* ---- states ------------------------------------------------------------ */

static unsigned int count_armed(const struct agent *a)
{
	unsigned int n = 0;

	for (size_t i = 0; i < a->pods.n; i++)
		n += pod_armed(a->pods.v[i]);
	return n;
}

/* The line STATUS=, to @out where it is another one than before. */
static void add_status(struct service *s, const struct agent *a,
		       struct buf *out)
{
	_buf_ struct buf line = {};

	buf_printf(&line, "STATUS=pods armed: %u; ", count_armed(a));
	agent_ready(a, &line);
	/* A line's end in a sentence would begin another assignment. */
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\n')
			line.data[i] = ' ';
	if (!line.err && once_text(&s->said, line.data))
		buf_printf(out, "%s\n", line.data);
}

void service_ready(struct service *s, const struct agent *a)
{
	_buf_ struct buf lines = {};

	buf_printf(&lines, "READY=1\n");
	add_status(s, a, &lines);
	tell(s, lines.data ?: "READY=1");
	watchdog_start(s);
}

void service_reloading(struct service *s)
{
	_buf_ struct buf lines = {};

	/* Type=notify-reload wants the time, too. */
	buf_printf(&lines, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)clock_now() / 1000);
	tell(s, lines.data ?: "RELOADING=1");
	s->reloading = true;
}

void service_turned(struct service *s, const struct agent *a)
{
	_buf_ struct buf lines = {};

	if (s->reloading)
		buf_printf(&lines, "READY=1\n");
	s->reloading = false;
	add_status(s, a, &lines);
	if (lines.len)
		tell(s, lines.data);
}

void service_stopping(struct service *s)
{
	tell(s, "STOPPING=1");
}

void service_free(struct service *s)
{
	free(take_ptr(s->said));
}
