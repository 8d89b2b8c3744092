/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do packets to a pod end in the pod? A namespace may forward them: a virtual
 * machine's to its guest, a container engine's to the containers inside of it.
 * The namespace then has the address, and a trial SMC socket works; but the
 * program that answers is in another kernel, or another namespace, which the
 * agent has not prepared.
 *
 * A look searches for
 * - nat rules on the way in (prerouting) that lead TCP for an address of the
 *   namespace to another one: DNAT, NETMAP; of nftables, iptables-nft and
 *   iptables-legacy. A redirect to a port of the namespace itself, as sidecars
 *   use, does not count;
 * - actions that move packets to another device: a tc filter with a redirect on
 *   a device that has an address of the namespace, or nftables' fwd.
 *
 * Matches other than of protocol and destination count as true, and a chain to
 * which no rule jumps as reached (a verdict map may lead there). A look does
 * not see BPF programs.
 */
#pragma once

#include "base/cleanup.h"
#include "mesh/model.h"

#define FORWARDS_TEXT_MAX 96

/*
 * forwards_find - Does the caller's network namespace forward packets?
 * @own: its addresses.
 * @what: if so, a few words: "a nat rule leads to 172.17.0.2".
 * Loads no table of iptables-legacy that is not there.
 * Return: 1: yes, 0: no, or a negative errno: not known.
 */
must_check int forwards_find(const struct mesh_addrs *own,
			     char what[FORWARDS_TEXT_MAX]);
