// SPDX-License-Identifier: Apache-2.0
/* fmod_ret/update_socket_protocol: a BPF program answers IPPROTO_SMC for the
 * protocol of a new socket (net/socket.c, Linux >= 6.6; IPPROTO_SMC >= 6.11).
 */
#include "base/log.h"
#include "datapath/converter.h"

static bool sockproto_probe(const struct features *fs)
{
	return feature_present(fs, FEATURE_IPPROTO_SMC) &&
	       feature_present(fs, FEATURE_SOCKPROTO);
}

static int sockproto_attach(struct datapath *dp)
{
	/* A converted socket() that the kernel refuses (an LSM may) must
	 * disarm the pod in the same moment. Without what sees that, a program
	 * could fail because of us, again and again. */
	if (dp->link_fd[links_find("sock_refused")] < 0)
		return log_err(-EOPNOTSUPP,
			       "sockproto not attached: nothing would notice "
			       "refused sockets");
	return link_up(dp, links_find("sockproto"));
}

static int sockproto_detach(struct datapath *dp)
{
	return link_down(dp, links_find("sockproto"));
}

const struct converter converter_sockproto = {
	.name = "sockproto",
	.cannot = "sockets made by io_uring stay TCP",
	.probe = sockproto_probe,
	.attach = sockproto_attach,
	.detach = sockproto_detach,
};
