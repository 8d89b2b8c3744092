# SPDX-License-Identifier: Apache-2.0
"""The laboratory's second machine: SMC-R between pods of two nodes.

    n1: a 10.0.0.1 + rxea -- br0 -- eth0 ==== eth0 -- br0 -- b 10.0.0.2 + rxeb :n2
"""
from smclab import topo, wait_for
from smclab.flows import TRIES, late_link

SERVE = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 256)
s.bind(("10.0.0.1", 8000))
s.listen()
while True:
    c, _ = s.accept()
    c.sendall(c.recv(5))
    c.recv(1)
"""
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 256)
s.connect(("10.0.0.1", 8000))
s.sendall(b"hello")
print(s.recv(5).decode(), flush=True)
sys.stdin.read()
"""


def test_smcr_between_nodes(pair):
    for vm in pair:
        topo.bridge(vm, nic="eth0")
        topo.ueid(vm)
    a = topo.pod(pair.n1, "a", "10.0.0.1/24", rdma=True)
    b = topo.pod(pair.n2, "b", "10.0.0.2/24", rdma=True)
    serve = a.spawn(["python3", "-c", SERVE])
    a.wait_listen(8000)
    for _ in range(TRIES):
        ask = b.spawn(["python3", "-c", ASK])
        wait_for(lambda p=ask: p.out == "hello\n" or not p.alive, 20, "the echo")
        assert ask.alive, ask.output
        if not late_link(b.diag()):
            break
        ask.stdin(None)
        assert ask.wait(20).rc == 0
    assert a.modes(8000) == ["smcr"]
    assert [(r["mode"], r["device"]) for r in b.diag()] == [("smcr", "rxeb")]
    ask.stdin(None)
    assert ask.wait(20).rc == 0
    serve.kill()
