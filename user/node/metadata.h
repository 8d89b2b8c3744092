/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cloud's metadata service, by HTTP: which address a NIC should have. Paths
 * and headers are those of Alibaba Cloud's instances.
 *
 * A token is asked for first, by PUT, since hardened instances answer nothing
 * without one; a service that has no tokens (404, 405) is asked without. 401
 * gets a new token, once; 429, 5xx and a lost connection are tried again, four
 * times in all. Redirects are not followed, proxies not used.
 */
#pragma once

#include <linux/types.h>
#include "mesh/nic_want.h"

#define METADATA_URL "http://100.100.100.200/latest/meta-data/"

struct metadata {
	const char *base;
	__u64 deadline;	 /* CLOCK_MONOTONIC, ns: for all questions together */
	char token[256]; /* "": none */
	bool plain;	 /* the service has no tokens */
};

/* metadata_url_ok - Is @base one that can be asked: http:// or https://, with a
 * host and a path, without a query? */
bool metadata_url_ok(const char *base);

/* metadata_init - @base lives longer. Asks nothing yet. */
void metadata_init(struct metadata *m, const char *base);

/*
 * metadata_nic - Ask for the address, netmask (or, where there is none, the
 * vSwitch's block) and gateway of the NIC with the address @mac,
 * "00:16:3e:...". Waits for the answers, at most half a minute.
 * @out: nic_want_check() found it good. Untouched on failure.
 * @why: a sentence on failure that names the URL.
 * Return: 0, or a negative errno.
 */
must_check int metadata_nic(struct metadata *m, const char *mac,
			    struct nic_want *out, struct buf *why);
