/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent sees of its node: a->host. */
#pragma once

#include "pods/known.h"

/* host_fill - Once the datapath is open: fill in what does not change while the
 * agent runs. */
void host_fill(struct agent *a);

/* host_hooks - Note whether sockets can become SMC sockets here. @attached: the
 * hooks are there, or may still be attached. */
void host_hooks(struct agent *a, bool attached);

/* host_look - Before each plan: look for RDMA ports and, once after each
 * host_resync(), for encryption of the traffic and for local addresses. */
void host_look(struct agent *a);

/* host_resync - Have the next host_look() look for all, and ask the kernel how
 * much memory SMC's buffers have. */
void host_resync(struct agent *a);

/* host_add_ueid - Add the UEID of @config to the kernel's, while the mesh is
 * on. A failure is logged. */
void host_add_ueid(struct agent *a, const struct mesh_config *config);

/* ---- host_settings.c ----------------------------------------------------- */

/* host_settings - Take over how @config wants SMC's settings: all pods are
 * looked at again if that is news. */
void host_settings(struct agent *a, const struct mesh_config *config);

/* host_sweep_settings - When all looks are done, and once after each
 * host_resync(): forget what is recorded of namespaces that are gone, and
 * remove the pnet ids of devices that no pod needs. A failure is logged. */
void host_sweep_settings(struct agent *a);

/* ---- local_services.c --------------------------------------------------- */

/* host_look_local - List the addresses that are local on this node, once after
 * each host_resync(). */
void host_look_local(struct agent *a);

/* host_forget - Free the list of local addresses. */
void host_forget(struct agent *a);
