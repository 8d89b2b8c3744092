/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's own directory (--run), and the lock in it that lets only one
 * agent run. */
#pragma once

#include <sys/types.h>
#include "base/cleanup.h"

#define RUN_DIR "/run/smcmesh"

/*
 * run_dir_make - Make sure that @run is a directory of ours that nobody else
 * can read (0700).
 * Return: 0 or a negative errno, logged.
 */
must_check int run_dir_make(const char *run);

/*
 * lock_take - Become the only agent (or cleanup) of @run: flock on
 * RUN/agent.lock, which then holds our pid.
 * @holder: on -EBUSY the pid that the holder wrote, 0 if it cannot be read.
 * Return: a file descriptor that holds the lock until it is closed; -EBUSY;
 * -ESTALE: a cleanup removed the file at the same moment; -ENOENT: there is no
 * @run; or another negative errno.
 */
must_check int lock_take(const char *run, pid_t *holder);
