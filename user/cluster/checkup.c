// SPDX-License-Identifier: Apache-2.0
#include "cluster/checkup.h"

#include <errno.h>
#include <unistd.h>
#include "base/fault.h"
#include "base/log.h"
#include "base/once.h"
#include "doctor/check_list.h"
#include "node/helper.h"

#define FIRST_MS 5000
#define BETWEEN_MS 60000
#define STEP_MS 200	 /* between looks whether the helper has answered */
#define TIMEOUT_MS 10000 /* ten times what an emulated machine takes */

struct checkup {
	struct datapath_options opt;
	const struct features *features;
	void (*done)(void *arg);
	void *arg;
	uv_timer_t timer;
	struct helper helper;
	bool running; /* the helper */
	bool known;   /* found */
	int err;      /* as logged last */
	struct mesh_wrong found;
};

/* In the helper. */
static int ask_all(const void *arg, struct buf *answer)
{
	const struct checkup *c = arg;
	struct mesh_wrong wrong = {};
	struct doctor d;

	/* Nobody waits for it. */
	(void)!nice(10);
	doctor_open_known(&c->opt, NULL, c->features, &d);
	check_list_wrong(&d, &wrong);
	doctor_close(&d);
	return buf_add(answer, &wrong, sizeof(wrong));
}

static void say_trouble(struct checkup *c, int err)
{
	if (once_err(&c->err, err) && err)
		log_warn(
			err,
			"ask the checks of smcmesh doctor: the SmcNode's status.doctor stays as it was, all else goes on");
}

/* Return: 0; -EAGAIN: it is not done; or another errno. */
static int take(struct checkup *c)
{
	_buf_ struct buf answer = {};
	int err = helper_take(&c->helper, &answer);

	if (err == -EAGAIN)
		return err;
	c->running = false;
	err = err ?: helper_copy(&answer, &c->found, sizeof(c->found));
	c->known |= !err;
	return err;
}

static void timer_event(uv_timer_t *timer)
{
	struct checkup *c = timer->data;
	int err;

	if (c->running)
		err = take(c);
	else
		err = helper_start(&c->helper, NULL, ask_all, c, TIMEOUT_MS)
			      ?: -EAGAIN;
	c->running |= err == -EAGAIN;
	uv_update_time(timer->loop);
	uv_timer_start(timer, timer_event,
		       err == -EAGAIN ? STEP_MS : fault_ms(BETWEEN_MS), 0);
	if (err == -EAGAIN)
		return;
	say_trouble(c, err);
	if (!err)
		c->done(c->arg);
}

struct checkup *checkup_new(uv_loop_t *loop, const struct datapath_options *opt,
			    const struct features *features,
			    void (*done)(void *arg), void *arg)
{
	struct checkup *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->opt = *opt;
	c->features = features;
	c->done = done;
	c->arg = arg;
	uv_timer_init(loop, &c->timer);
	c->timer.data = c;
	uv_update_time(loop);
	uv_timer_start(&c->timer, timer_event, fault_ms(FIRST_MS), 0);
	return c;
}

const struct mesh_wrong *checkup_found(const struct checkup *c)
{
	return c->known ? &c->found : NULL;
}

static void timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void checkup_close(struct checkup *c)
{
	if (!c)
		return;
	if (c->running)
		helper_stop(&c->helper);
	uv_close((uv_handle_t *)&c->timer, timer_closed);
}
