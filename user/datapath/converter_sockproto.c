// SPDX-License-Identifier: Apache-2.0
/* fmod_ret/update_socket_protocol: a BPF program answers IPPROTO_SMC for the
 * protocol of a new socket (net/socket.c, Linux >= 6.6; IPPROTO_SMC >= 6.11).
 *
 * A converted socket() that the kernel refuses (an LSM may) must disarm the pod
 * at once: sock_made and sock_undone see the result. Without them a program
 * could fail because of us, again and again. Where an LSM judges sockets
 * sock_refused has to see it, too. And where a selector has a guard of its own
 * that has to be attached. */
#include "base/log.h"
#include "datapath/converter.h"
#include "datapath/selector.h"

static bool is_up(const struct datapath *dp, const char *program)
{
	return dp->link_fd[links_find(program)] >= 0;
}

static const char *guard_of(const struct datapath *dp)
{
	return dp->selector ? dp->selector->guard : NULL;
}

static bool sockproto_is_ready(const struct datapath *dp)
{
	if (guard_of(dp) && !object_program(dp, guard_of(dp)))
		return false;
	return is_up(dp, "sock_made") && is_up(dp, "sock_undone") &&
	       object_program(dp, "sockproto") &&
	       (feature_present(&dp->features, FEATURE_NO_SOCKET_LSM) ||
		object_program(dp, "sock_refused"));
}

static int sockproto_attach(struct datapath *dp)
{
	if (!feature_present(&dp->features, FEATURE_NO_SOCKET_LSM) &&
	    !is_up(dp, "sock_refused"))
		return log_err(-EOPNOTSUPP,
			       "sockproto not attached: nothing would notice "
			       "refused sockets");
	if (guard_of(dp) && !is_up(dp, guard_of(dp)))
		return log_err(-EOPNOTSUPP,
			       "sockproto not attached: nothing would notice "
			       "new devices");
	return link_attach(dp, links_find("sockproto"));
}

static int sockproto_detach(struct datapath *dp)
{
	return link_down(dp, links_find("sockproto"));
}

static const enum feature needs[] = {FEATURE_BTF, FEATURE_IPPROTO_SMC,
				     FEATURE_SOCKPROTO, FEATURE_MAX};

const struct converter converter_sockproto = {
	.name = "sockproto",
	.cannot = "sockets made by io_uring stay TCP",
	.needs = needs,
	.is_ready = sockproto_is_ready,
	.attach = sockproto_attach,
	.detach = sockproto_detach,
};
