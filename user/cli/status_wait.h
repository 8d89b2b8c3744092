/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What --wait without a time waits for: 5 minutes. */
#define STATUS_WAIT_SECONDS 300

/*
 * status_wait - Wait until the agent of the directory @run is ready, as /readyz
 * says, also for one that does not answer yet; at most @seconds.
 * Return: 0, or -ETIME or another negative errno after the reason on stderr.
 */
int status_wait(const char *run, unsigned long long seconds);
