/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does what comes to a pod end in the pod? A namespace may hand it on: a
 * virtual machine's to its guest, a container engine's to the containers inside
 * of it. The address is then there, and an SMC socket can be made; but whoever
 * answers has another kernel, or another namespace, that knows nothing of ours.
 *
 * Looked for are
 * - nat rules on the way in (prerouting) that lead TCP from an address of the
 *   namespace to one that is not: DNAT, NETMAP; of nftables, iptables-nft and
 *   iptables-legacy. A redirect to a port of the namespace itself, as sidecars
 *   have them, is none;
 * - what moves packets to another device: a tc filter with a redirect on a
 *   device that has an address of the namespace, or nftables' fwd.
 *
 * What a rule asks for beside protocol and destination is not judged: it counts
 * as met, and so does a rule in a chain of which is not seen who jumps there (a
 * verdict map). Not seen is what a BPF program does.
 */
#pragma once

#include "base/cleanup.h"
#include "mesh/model.h"

#define FORWARDS_TEXT_MAX 96

/*
 * forwards_find - Is there any of it in the caller's network namespace?
 * @own: its addresses.
 * @what: then, a few words: "a nat rule leads to 172.17.0.2".
 * Loads no table of iptables-legacy that is not there.
 * Return: 1 there is, 0 there is none, or a negative errno: not known.
 */
must_check int forwards_find(const struct mesh_addrs *own,
			     char what[FORWARDS_TEXT_MAX]);
