/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/command.h"

/* complete_fish - Print the script for fish. @list: all commands, ends with
 * NULL. */
void complete_fish(const struct command *const *list);
