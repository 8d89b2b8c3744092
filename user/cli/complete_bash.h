/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/command.h"

/* complete_bash - Print the script for bash. @list: all commands, ends with
 * NULL. */
void complete_bash(const struct command *const *list);
