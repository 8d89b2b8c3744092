/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cleanup.h"

#define DURATION_EXPECTED "a number with s, m or h, as 30s or 5m"

/*
 * duration_parse - "300s", "5m", "1h" to seconds; "0" needs no unit.
 * Return: 0, or -EINVAL (another unit, none, or more than nine digits) with
 * *@seconds untouched.
 */
must_check int duration_parse(const char *text, unsigned long long *seconds);
