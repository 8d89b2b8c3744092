/* SPDX-License-Identifier: Apache-2.0 */
/* All files of RUN/settings (settings_file.h). */
#pragma once

#include "base/cleanup.h"

/* settings_count - How many namespaces have a file. Return: that, or a negative
 * errno. */
must_check int settings_count(const char *run);

/*
 * settings_forget - Remove the files of namespaces that are gone.
 * @proc: where processes are seen (netns_each()); NULL: of all namespaces, and
 * the directory.
 * Return: 0 or a negative errno.
 */
must_check int settings_forget(const char *run, const char *proc);
