/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager is told of the agent (base/notify.h). Everything is
 * sent from the loop: an agent whose loop stands still says nothing, and its
 * watchdog restarts it.
 */
#pragma once

#include <stdbool.h>
#include "pods/known.h"

struct service {
	uv_timer_t watchdog;
	char *said;	/* the last STATUS= */
	int err;	/* the last trouble with telling, as logged */
	bool reloading; /* RELOADING=1 was sent, and READY=1 not yet */
};

/* service_open - @s: zeroed. The handle is closed with all others of the loop.
 */
void service_open(struct service *s, uv_loop_t *loop);

/* service_ready - The agent runs: it answers, and the datapath is taken over.
 * It does not wait for the source: an API server that is away for longer than
 * a service manager waits must not end the agent. Signs of life begin. */
void service_ready(struct service *s, const struct agent *a);

/* service_reloading - The source is read again; service_turned() ends it. */
void service_reloading(struct service *s);

/* service_turned - After each turn: what has been reached now. */
void service_turned(struct service *s, const struct agent *a);

/* service_stopping - The agent ends, because it was told to. */
void service_stopping(struct service *s);

void service_free(struct service *s);
