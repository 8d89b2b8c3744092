/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's settings of SMC that the mesh keeps in the namespaces of armed
 * pods: SmcMesh's spec.sysctls and spec.pnet; and what to do where one is found
 * with another value.
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>

/*
 * X(ID, name below net.smc and in spec.sysctls, least, most)
 *
 * The bounds are those that every kernel takes (net/smc/smc_sysctl.c): a buffer
 * has at least SMC_BUF_MIN_SIZE, and twice its size must fit an int.
 */
#define MESH_SYSCTL_TABLE(X)                                   \
	X(WMEM, "wmem", 16384, 1073741823)                     \
	X(RMEM, "rmem", 16384, 1073741823)                     \
	X(LIMIT_SMC_HS, "limit_smc_hs", 0, 1)                  \
	X(AUTOCORKING_SIZE, "autocorking_size", 0, 4294967295) \
	X(SMCR_MAX_SEND_WR, "smcr_max_send_wr", 2, 2048)       \
	X(SMCR_MAX_RECV_WR, "smcr_max_recv_wr", 2, 2048)

#define MESH_SYSCTL_ENUM(id, name, least, most) MESH_SYSCTL_##id,
enum mesh_sysctl { MESH_SYSCTL_TABLE(MESH_SYSCTL_ENUM) MESH_SYSCTLS };
#undef MESH_SYSCTL_ENUM

struct mesh_sysctl_row {
	const char *name;
	__u32 least, most;
};

extern const struct mesh_sysctl_row mesh_sysctls[MESH_SYSCTLS];

/* No value: not said, or the kernel has no such sysctl. */
#define MESH_SYSCTL_NONE (-1LL)

struct mesh_settings {
	long long sysctl[MESH_SYSCTLS]; /* MESH_SYSCTL_NONE: left alone */
	bool no_pnet;			/* spec.pnet: off */
};

/* mesh_settings_reset - The defaults: no sysctl, pnet entries as needed. */
void mesh_settings_reset(struct mesh_settings *s);

bool mesh_settings_same(const struct mesh_settings *a,
			const struct mesh_settings *b);

/* What we changed in a namespace: its value before us, and the one that we
 * wrote. ours MESH_SYSCTL_NONE: nothing. */
struct mesh_sysctl_record {
	long long before, ours;
};

enum mesh_sysctl_did {
	MESH_SYSCTL_AS_IT_IS = 0,
	MESH_SYSCTL_SET,      /* for the first time, or to another value */
	MESH_SYSCTL_PUT_BACK, /* somebody had changed it from ours */
	MESH_SYSCTL_RESTORED, /* to what it was before us */
	MESH_SYSCTL_LEFT,     /* it is somebody else's by now */
};

/*
 * mesh_sysctl_step - What is to be done about a sysctl that has the value @is.
 * @want: the one that it should have; MESH_SYSCTL_NONE: its own, as before us.
 * @r: what we changed; made what it is afterwards.
 * @to: with SET, PUT_BACK and RESTORED the value to write.
 */
enum mesh_sysctl_did mesh_sysctl_step(long long is, long long want,
				      struct mesh_sysctl_record *r,
				      long long *to);
