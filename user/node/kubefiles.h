/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the pod of a process whose cgroups do not tell (kubelet's
 * --cgroups-per-qos=false: all containers are in the runtime's own).
 *
 * Kubelet makes two files for a container in its directory of the pod, and the
 * runtime mounts them in the container: pods/<uid>/etc-hosts and, for its
 * termination message, pods/<uid>/containers/NAME/ID. A mount table shows from
 * which path of a file system a file was mounted.
 *
 * A program that may mount can fake its own table. So the table only says where
 * to look: the process is the pod's if the file that it sees there is the same
 * as the host's, which only a container that kubelet gave it to can have.
 */
#pragma once

#include <stdbool.h>

/*
 * kubefiles_has - Has the process a file of kubelet's for pod @uid?
 * @proc: PROC/1 must see kubelet's directory.
 * @dir: the process' directory, proc_open().
 * @uid: kubelet's; a static pod's is the hash of its file (podname.h).
 */
bool kubefiles_has(const char *proc, int dir, const char *uid);
