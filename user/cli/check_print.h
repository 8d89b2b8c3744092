/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "cli/check_way.h"

/* check_print - What was found, each way.
 * @json: as one object, else for people.
 * Return: 0 or -ENOMEM. */
int check_print(struct check_way *const *v, size_t n, bool json);
