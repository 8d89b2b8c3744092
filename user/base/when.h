/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as Kubernetes writes them (RFC 3339), in whole seconds. */
#pragma once

#define WHEN_STRLEN 32 /* "-292277022657-01-27T08:29:52Z" and the NUL */

/*
 * when_parse - "2025-03-01T12:00:00Z", with fractions (cut off) and numeric
 * zones too, to seconds since 1970 (UTC). Years 1 to 9999.
 * Return: 0, or -EINVAL with *@out untouched.
 */
int when_parse(const char *text, long long *out);

/* when_format - The same, always in UTC and without fractions. Return: @text.
 */
const char *when_format(long long seconds, char text[WHEN_STRLEN]);
