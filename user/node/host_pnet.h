/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of PNET that is the initial namespace's, in which the agent runs:
 * the entries of RDMA devices, wherever their netdevs are, and of the host's
 * NICs. Runs in the agent itself.
 */
#pragma once

#include "node/ns_settings.h"

/*
 * host_pnet_keep - Give the devices that a look's needs name their entries, and
 * a pod's ipvlan parent what it needs (mesh_pnet_parent()): that is added to
 * @f->pnet. A failure goes to @f->problem.
 * @w: its `devices` are the table as it is now.
 */
void host_pnet_keep(const struct settings_want *w, struct settings_facts *f);

/*
 * host_pnet_sweep - Remove those of our devices' entries that no pod needs any
 * more, and the host's NICs' of the same name.
 * @is_needed: does a pod need the name?
 * Return: how many names were removed, or a negative errno.
 */
must_check int host_pnet_sweep(const char *run,
			       bool (*is_needed)(const char *id, void *arg),
			       void *arg);
