/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One turn after each batch of events. Event sources only note what they saw
 * and call turn_due(); when libuv has run all events of a batch, the turn does
 * the work once.
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

/* turn_open - Have @loop call @run(@arg) for each turn. @t: zeroed. The handles
 * are closed with all others of the loop. */
void turn_open(struct turn *t, uv_loop_t *loop, void (*run)(void *arg),
	       void *arg);

/* turn_due - Take a turn after this batch of events. */
void turn_due(struct turn *t);

/* turn_again - Take a turn in a moment: the last one left something over. */
void turn_again(struct turn *t);

/* turn_stop - Take no more turns. */
void turn_stop(struct turn *t);
