/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's PNET tables over generic netlink (mesh/pnet.h), those of the
 * caller's network namespace. Only the initial one has devices.
 *
 * Every call fails with -ENOENT where the kernel has no SMC.
 */
#pragma once

#include "base/cleanup.h"
#include "mesh/pnet.h"

/* pnet_read - All entries. Return: 0, or a negative errno with @out untouched;
 * free with pnet_table_free(). */
must_check int pnet_read(struct mesh_pnet_table *out);

/* pnet_entry_read - The entry that a message of the kernel's tells; what it
 * lacks is empty. */
struct nlmsghdr;
void pnet_entry_read(const struct nlmsghdr *h, struct mesh_pnet_entry *out);

/* pnet_table_free - Safe on a zeroed struct. */
void pnet_table_free(struct mesh_pnet_table *t);

/* pnet_add - Add an entry of an interface or of a device. Return: 0; -EEXIST:
 * that one has a name already, by the hardware too, or it is a device and this
 * is not the initial namespace; or another negative errno. */
must_check int pnet_add(const struct mesh_pnet_entry *e);

/* pnet_remove - Remove all entries of this name. Return: 0; -ENOENT: there is
 * none; or another negative errno. */
must_check int pnet_remove(const char *id);
