/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which RPM puts versions; kernel releases of any vendor can be
 * compared by it. */
#pragma once

/*
 * rpm_order - Compare two versions, "VERSION" or "VERSION-RELEASE". Runs of
 * digits are numbers, runs of letters are texts and come before any number; all
 * else only separates. "~" comes before everything, even the end; "^" after the
 * end and before all else. Where one has no release only the versions count.
 * Return: negative: @a is older, 0: none is, positive: @b is.
 */
int rpm_order(const char *a, const char *b);
