# SPDX-License-Identifier: Apache-2.0
"""SMC-R connections whose client was killed and whose server is never told.

A close is a message over the RDMA link. It needs one of the link's 16 places for
messages (net.smc.smcr_max_send_wr), and waits for one where none is free. A program
that ends by a signal waits for nothing: the signal is still pending, so
smc_wr_tx_get_free_slot() gives up, smc_close_active() takes the message for sent,
and ends TCP, which SMC does not listen to. So beyond some 16 connections that a
killed program had open, those that it closed last stay:

    client's kernel: TCP in FIN-WAIT-2 for a closed SMC socket, which smc_diag lists
                     no more
    server's kernel: TCP in CLOSE-WAIT, the SMC socket still active

until the server closes. Then the client's kernel, which has said all that it had to
say, lets go; the server's waits for its answer, until the link ends:

    server's kernel: a closed SMC socket without TCP. Nothing lists it, but the link
                     counts it (Pod.linked())

A record may be open as long as that, and must be.
"""
from collections import namedtuple

from .smcdiag import SMC_ACTIVE, TCP_CLOSE_WAIT, TCP_FIN_WAIT2

CLIENT, SERVER = (0, TCP_FIN_WAIT2), (SMC_ACTIVE, TCP_CLOSE_WAIT)
Left = namedtuple("Left", "stranded others")    # sets of clients' ports


def left(client, server, port):
    """What two pods still hold of connections to the @port of one of them."""
    mine = {local: states for (local, remote), states in client.held().items()
            if remote == port}
    theirs = {remote: states for (local, remote), states in server.held().items()
              if local == port}
    ports = {*mine, *theirs}
    stranded = {p for p in ports
                if (mine.get(p), theirs.get(p)) == (CLIENT, SERVER)}
    return Left(stranded, ports - stranded)
