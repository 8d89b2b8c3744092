/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a NIC's configuration is, by what those programs leave on the node. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/nic.h"

/*
 * nic_manager - Does one of these manage @nic?
 * - the erdma-controller: a socket of its device plugin lies among kubelet's.
 *   It manages every auxiliary RDMA NIC. The socket may be older than this
 * boot: after one the controller comes later than `node setup`.
 * - systemd-networkd: its state file of the link has another ADMIN_STATE than
 *   unmanaged.
 * - NetworkManager: its state file of the device says managed=true.
 *
 * @root: where the node's files are seen, "/".
 * @name: static; NULL: nobody does.
 * @sign: gets what was found, with its file; on failure a sentence.
 * Return: 0, or a negative errno: a file is there that cannot be read.
 */
must_check int nic_manager(const char *root, const struct nic *nic,
			   const char **name, struct buf *sign);
