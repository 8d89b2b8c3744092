/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of `smcmesh node` on a NIC, by rtnetlink. */
#pragma once

#include "mesh/nic_plan.h"

/*
 * nic_step_do, nic_step_undo - One step, for the NIC, address and metric of @r.
 * What is undone and was gone already is no error.
 * Return: 0, or a negative errno: -ENODEV: the NIC is gone.
 */
must_check int nic_step_do(const struct nic_record *r, enum nic_step step);
must_check int nic_step_undo(const struct nic_record *r, enum nic_step step);

/* nic_address_drop - Delete an IPv4 address. Return: as nic_step_undo(). */
must_check int nic_address_drop(const struct nic_addr *a);

/* nic_wait_carrier - Wait until @ifindex has a carrier, at most @ms. Return: 0;
 * -ETIMEDOUT; -ENODEV; or another negative errno. */
must_check int nic_wait_carrier(unsigned int ifindex, unsigned int ms);
