/* SPDX-License-Identifier: Apache-2.0 */
/* Names and generations of our struct smc_hs_ctrl. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>

/* The most that fits behind SMC_CTRL_PREFIX in SMC_CTRL_NAME_MAX. */
#define HS_GENERATION_MAX 9999999U

/* hs_name_format - "smcmesh_7" for generation 7. @generation: from 1 to
 * HS_GENERATION_MAX. */
void hs_name_format(unsigned int generation, char name[SMC_CTRL_NAME_MAX]);

/* hs_name_parse - The generation in @name. Return: it, or 0: not a name that
 * hs_name_format() makes. */
unsigned int hs_name_parse(const char *name);

/*
 * hs_generation_next - One more than the highest of @v, so that no name ever
 * gets a second meaning, after a crash or for a namespace that still has an old
 * one. If the highest is HS_GENERATION_MAX: the lowest free.
 */
unsigned int hs_generation_next(const unsigned int *v, size_t n);
