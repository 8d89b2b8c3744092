/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdio.h>

/* bench_manifest - Print the Kubernetes objects of a benchmark: a namespace
 * with two pairs of the vendor guide's server and client, one annotated. */
void bench_manifest(FILE *to);
