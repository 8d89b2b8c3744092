/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/command.h"

/* complete_zsh - Print the script for zsh. @list: all commands, ends with NULL.
 */
void complete_zsh(const struct command *const *list);
