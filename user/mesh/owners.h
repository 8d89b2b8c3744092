/* SPDX-License-Identifier: Apache-2.0 */
/* Owners of sockets (struct smc_owner): as text, and matched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "mesh/model.h"

#define OWNER_STRLEN 48

/* owner_format - "UID 1337", "GID 1337", "UID 0 with GID 1337". Return: @text.
 */
const char *owner_format(const struct smc_owner *o, char text[OWNER_STRLEN]);

/* owners_have - Does one of the @n owners own what @uid and @gid opened? A user
 * or group that is not known (SMC_ID_ANY) matches only an owner with any. */
bool owners_have(const struct smc_owner *v, size_t n, __u32 uid, __u32 gid);

/* owners_same - In the same order. */
bool owners_same(const struct smc_owner *a, size_t n_a,
		 const struct smc_owner *b, size_t n_b);

/*
 * owners_shared - Do two lasting containers of the pod run as the owners, by
 * its object? Then the sidecar's rules cannot tell its proxy from another
 * program.
 * @v: IDs as in the pod. @first, @second: their names, untouched if not.
 */
bool owners_shared(const struct smc_owner *v, size_t n,
		   const struct mesh_pod *pod, const char **first,
		   const char **second);
