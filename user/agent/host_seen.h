/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent sees of its node: a->host. */
#pragma once

#include "pods/known.h"

/* host_fill - Once the datapath is open: what stays as it is. */
void host_fill(struct agent *a);

/* host_hooks - Are sockets converted here, while the hooks are attached? */
void host_hooks(struct agent *a, bool attached);

/* host_look - What a plan is made of: RDMA ports, what encrypts the traffic,
 * which addresses are local. */
void host_look(struct agent *a);

/* host_resync - What host_look() asks seldom is to be asked again, and what SMC
 * has allocated is. */
void host_resync(struct agent *a);

/* host_add_ueid - That of @config, where handshakes need one. A failure is
 * logged. */
void host_add_ueid(struct agent *a, const struct mesh_config *config);

/* ---- local_services.c --------------------------------------------------- */

/* host_look_local - Unless that was done since the last resync: what this node
 * takes for itself. */
void host_look_local(struct agent *a);

/* host_forget - Free what it keeps. */
void host_forget(struct agent *a);
