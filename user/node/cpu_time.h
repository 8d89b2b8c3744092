/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cleanup.h"

/*
 * cpu_time_busy - For how long this machine's processors have worked since it
 * was started, interrupts included: the first line of @proc/stat.
 * @seconds: of all processors together, in steps of a clock tick.
 * Return: 0, or a negative errno.
 */
must_check int cpu_time_busy(const char *proc, double *seconds);
