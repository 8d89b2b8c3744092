/* SPDX-License-Identifier: Apache-2.0 */
/* The module rdma_ucm, which makes the device that paths are probed by. */
#pragma once

#include "base/cleanup.h"

/*
 * rdma_cm_load - Have the kernel load rdma_ucm, if it is not there: it calls
 * modprobe itself, in the host, whose configuration may forbid it; the caller
 * needs no right to load modules.
 * Return: 0: it is there; -ENOENT: it is not; or another negative errno.
 */
must_check int rdma_cm_load(void);
