/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose is a process whose cgroups do not say so (kubelet's
 * --cgroups-per-qos=false: all containers are in the runtime's own)?
 *
 * Kubelet makes two files for a container in its directory of the pod, and the
 * runtime mounts them in it: pods/<uid>/etc-hosts and, for its last words,
 * pods/<uid>/containers/NAME/ID. A mount table shows the path in the file
 * system that a file was mounted from.
 *
 * A program that may mount something of its own can make its table say what it
 * likes. So the table only says where to look: what counts is that the file
 * which the process sees there and the one on the host are the same, which
 * nobody can have who was not given it.
 */
#pragma once

#include <stdbool.h>

/*
 * kubefiles_has - Has the process a file of kubelet's for pod @uid?
 * @proc: PROC/1 is a process that sees kubelet's directory.
 * @dir: the process' directory, proc_open().
 * @uid: of kubelet, which of a static pod is the hash of its file (podname.h).
 */
bool kubefiles_has(const char *proc, int dir, const char *uid);
