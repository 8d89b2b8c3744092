/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One turn after each batch of events. Sources of the loop only note what they
 * saw and call turn_due(); when libuv has run all events of a batch, what is to
 * be done is done once.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct turn {
	uv_idle_t wake;	  /* active while one is due: poll does not block */
	uv_check_t check; /* after each batch */
	uv_timer_t more;
	bool due, stopped;
	void (*run)(void *arg);
	void *arg;
};

/* turn_open - On @loop, have @run(@arg) for turns. @t: zeroed. The handles are
 * closed with all others of the loop. */
void turn_open(struct turn *t, uv_loop_t *loop, void (*run)(void *arg),
	       void *arg);

/* turn_due - Have one after this batch of events. */
void turn_due(struct turn *t);

/* turn_again - Have one in a moment: the last one left something over. */
void turn_again(struct turn *t);

/* turn_stop - There are no more. */
void turn_stop(struct turn *t);
