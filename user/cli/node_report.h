/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include "node/nic_setup.h"

/*
 * node_report_print - What `smcmesh node` did or found, on stdout: as a JSON
 * document or as a table.
 * Return: 0, or -ENOMEM.
 */
must_check int node_report_print(const struct nic_report *r, int status,
				 bool json);
