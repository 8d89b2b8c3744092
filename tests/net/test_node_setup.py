# SPDX-License-Identifier: Apache-2.0
"""`smcmesh node` (user/node/nic_*.c) in a namespace with an auxiliary NIC: what it
makes, what it takes back, and what it leaves alone."""
import os
import signal
import subprocess

import pytest

from smclab import native, nics, wait_for
from smclab.nodens import Netns

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

ACTIVATED = "eth1 has been activated"
# of the guide's script: address, then a route of the primary's metric + 1
SCRIPT = ("ip link set eth1 up; ip addr add 10.0.0.6/24 dev eth1 noprefixroute;"
          " ip route add 10.0.0.0/24 dev eth1 scope link src 10.0.0.6 metric 101")
# of the erdma-controller: metrics of 200 and more, and a default route
CONTROLLER = ("ip link set eth1 up; ip addr add 10.0.0.6/24 dev eth1"
              " noprefixroute;"
              " ip route add 10.0.0.0/24 dev eth1 scope link metric 200;"
              " ip route add default via 10.0.0.253 dev eth1 metric 201")


@pytest.fixture
def node(netns, tmp_path):
    with nics.node(netns(), tmp_path) as n:
        yield n


def refused(node, word, *args, status=1, result="refused", **how):
    """It says no, for the reason with @word in it, and changes nothing."""
    before = node.picture()
    with node.changes() as seen:
        got, row = node.one("setup", *args, **how)
    assert (got, row["result"]) == (status, result) and word in row["text"], row
    assert not seen and node.picture() == before
    assert not node.records()
    return row


# ---- what it does

def test_setup_makes_address_and_route_and_reset_takes_them_back(node):
    before = node.picture()
    assert node.one("status")[0] == 1
    status, row = node.one("setup")
    assert (status, row["result"]) == (0, "done"), row
    assert (row["address"], row["subnet"], row["gateway"], row["metric"]) == (
        "10.0.0.6/24", "10.0.0.0/24", "10.0.0.253", 101)
    assert row["steps"] == ["link", "address"]
    assert node.is_up() and node.addresses() == ["10.0.0.6/24"]
    assert node.routes() == [("10.0.0.0/24", 101)]
    # the primary NIC's route wins, and its own is as it was
    assert node.ip("route", "get", "10.0.0.77")[0]["dev"] == "eth0"
    assert node.one("status")[1]["text"].startswith(ACTIVATED)
    status, row = node.one("reset")
    assert (status, row["result"]) == (0, "done"), row
    node.returns_to(before)
    assert not node.records()
    assert node.one("reset")[1]["result"] == "already"


def test_second_setup_changes_nothing_and_says_so(node):
    with node.changes() as seen:
        assert node.one("setup")[0] == 0
    assert seen    # the control
    before, records = node.picture(), node.records()
    with node.changes() as seen:
        status, row = node.one("setup")
    assert (status, row["result"]) == (0, "already"), row
    assert row["text"].startswith(ACTIVATED + ", nothing to do")
    assert not seen and node.picture() == before and node.records() == records


def test_dry_run_says_what_setup_would_do_and_does_not(node):
    before = node.picture()
    status, row = node.one("setup", "--dry-run")
    assert (status, row["result"]) == (0, "would"), row
    for part in ("link up", "address 10.0.0.6/24", "10.0.0.0/24 metric 101"):
        assert part in row["text"]
    assert node.picture() == before and not os.path.exists(node.state)
    node.one("setup")
    before = node.picture()
    assert node.one("reset", "--dry-run")[1]["result"] == "would"
    assert node.picture() == before and node.records()


def test_address_given_by_flag_needs_no_metadata_service(node):
    node.cloud.values.clear()
    status, row = node.one("setup", "--address", "10.0.0.7/24")
    assert (status, row["result"]) == (0, "done"), row
    assert node.addresses() == ["10.0.0.7/24"] and not node.cloud.log
    # what setup made is known without the flag
    assert node.one("status")[0] == 0


def test_a_subnet_of_its_own_gets_the_primary_routes_metric_plus_one(node):
    assert node.one("setup", "--address", "10.7.0.6/24")[0] == 0
    assert node.routes() == [("10.7.0.0/24", 101)]


def test_the_route_comes_back_after_the_link_was_down(node):
    node.one("setup")
    node.netns.run("ip link set eth1 down; ip link set eth1 up")
    assert node.routes() == [("10.0.0.0/24", 101)]


def test_missing_route_alone_is_added_and_taken_back_alone(node):
    node.netns.run("ip link set eth1 up;"
                   " ip addr add 10.0.0.6/24 dev eth1 noprefixroute")
    before = node.picture()
    status, row = node.one("setup")
    assert (status, row["steps"]) == (0, ["route"]), row
    assert node.routes() == [("10.0.0.0/24", 101)]
    assert node.one("reset")[0] == 0
    node.returns_to(before)


def test_address_without_a_route_on_a_link_that_is_down_gets_both(node):
    node.netns.run("ip addr add 10.0.0.6/24 dev eth1 noprefixroute")
    before = node.picture()
    status, row = node.one("setup")
    assert (status, row["steps"]) == (0, ["link", "route"]), row
    assert node.routes() == [("10.0.0.0/24", 101)]
    node.one("reset")
    node.returns_to(before)


def test_address_that_somebody_took_away_is_put_back(node):
    before = node.picture()
    node.one("setup")
    node.netns.run("ip addr del 10.0.0.6/24 dev eth1")
    assert node.one("status")[0] == 1
    status, row = node.one("setup")
    assert (status, row["steps"]) == (0, ["address"]), row
    # that it also set the link up is not forgotten
    assert node.one("reset")[0] == 0
    node.returns_to(before)


def test_address_that_the_cloud_changed_is_not_added_to_the_old_one(node):
    node.one("setup")
    node.cloud.values[nics.MAC]["primary-ip-address"] = "10.0.0.8"
    before = node.picture()
    status, row = node.one("setup")
    assert (status, row["result"]) == (1, "refused"), row
    assert "smcmesh node reset takes it back" in row["text"]
    assert node.picture() == before
    node.one("reset")
    assert node.one("setup")[0] == 0 and node.addresses() == ["10.0.0.8/24"]


def test_second_auxiliary_nic_of_the_subnet_is_its_own(node):
    node.netns.run("ip link add eth2 type veth peer name far2;"
                   " ip link set far2 up; ip link set eth2 up;"
                   " ip link set eth2 down")
    node.one("setup")
    before = node.picture()
    other = {"netdev": "eth2"}
    status, row = node.one("setup", "--address", "10.0.0.7/24", **other)
    assert (status, row["result"]) == (0, "done"), row
    assert node.routes("eth2") == node.routes("eth1") == [("10.0.0.0/24", 101)]
    assert node.one("reset", **other)[0] == 0
    node.returns_to(before)
    # without a name: all that setup did
    status, got = node.run("reset", netdev=None)
    assert [(r["netdev"], r["result"]) for r in got["nics"]] == [("eth1", "done")]
    assert "nothing to take back" in node.run("reset", netdev=None)[1]["error"]


@pytest.mark.parametrize("by", [SCRIPT, CONTROLLER], ids=["script", "controller"])
def test_what_others_activated_is_accepted_and_not_taken_back(node, by):
    node.netns.run(by)
    before = node.picture()
    status, row = node.one("setup")
    assert (status, row["result"]) == (0, "already"), row
    assert ("default route of metric 201" in row["text"]) == (by == CONTROLLER)
    assert node.one("status")[0] == 0
    assert node.one("reset")[1]["result"] == "already"
    assert node.picture() == before


def test_link_that_was_up_stays_up_at_reset(node):
    node.netns.run("ip link set eth1 up")
    before = node.picture()
    assert node.one("setup")[1]["steps"] == ["address"]
    node.one("reset")
    node.returns_to(before)


def test_ipv6_of_the_kernel_goes_with_the_link(node):
    node.netns.run("sysctl -qw net.ipv6.conf.eth1.disable_ipv6=0")
    before = node.picture()
    node.one("setup")
    wait_for(lambda: len(node.addresses()) == 2, 5, "a link-local address")
    assert "stays up" not in node.one("reset")[1]["text"]
    node.returns_to(before)


@pytest.mark.parametrize("extra, word", [
    ("ip addr add 10.9.9.9/32 dev eth1", "10.9.9.9"),
    ("ip route add 10.50.0.0/16 dev eth1", "10.50.0.0/16"),
    ("ip link add mv0 link eth1 type macvlan", "mv0")],
    ids=["address", "route", "macvlan"])
def test_link_that_others_use_stays_up_at_reset(node, extra, word):
    node.one("setup")
    try:
        node.netns.run(extra)
    except AssertionError:
        pytest.skip("this kernel has no macvlan")
    status, row = node.one("reset")
    assert status == 0 and word in row["text"] and "stays up" in row["text"], row
    assert node.is_up() and "10.0.0.6/24" not in node.addresses()


def test_reset_all_flushes_addresses_and_sets_the_link_down(node):
    node.netns.run("ip link set eth1 up; ip addr add 10.0.0.6/24 dev eth1 metric"
                   " 7; ip addr add 10.9.9.9/32 dev eth1")
    before = node.picture()
    assert node.one("reset")[1]["result"] == "already"    # the control
    assert node.one("reset", "--all", "--dry-run")[1]["result"] == "would"
    assert node.picture() == before
    assert node.one("reset", "--all")[1]["result"] == "done"
    assert not node.is_up() and not node.addresses()
    assert node.one("reset", "--all")[1]["result"] == "already"
    status, row = node.one("reset", "--all", netdev="eth0")
    assert (status, row["result"]) == (1, "refused") and node.addresses("eth0")


def test_reset_all_refuses_a_nic_with_a_default_route(node):
    node.netns.run(CONTROLLER)
    before = node.picture()
    status, row = node.one("reset", "--all")
    assert (status, row["result"]) == (1, "refused"), row
    assert "default route" in row["text"] and node.picture() == before


# ---- what it leaves alone

def test_primary_nic_is_never_touched(node):
    refused(node, "is the primary NIC", netdev="eth0")
    refused(node, "loopback", netdev="lo")
    refused(node, "no netdev eth9", netdev="eth9")


@pytest.mark.parametrize("routes, status, word", [
    ("ip route append default via 10.0.0.254 metric 100 dev eth1 onlink", 3,
     "two primary NICs: eth0 and eth1"),
    ("ip route del default", 3, "no default route"),
    ("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0; ip route del default;"
     " ip addr flush dev eth0; ip addr add fd00::5/64 dev eth0 nodad;"
     " ip route add default via fd00::1", 1, "IPv6-only")],
    ids=["two", "none", "ipv6"])
def test_without_one_primary_nic_nothing_is_done(node, routes, status, word):
    node.netns.run("ip link set eth1 up;" + routes)
    before = node.picture()["routes"]
    got, report = node.run("setup")
    assert got == status and word in report["error"], report
    assert node.picture()["routes"] == before and not node.addresses()


def test_second_default_route_of_a_higher_metric_makes_no_second_primary(node):
    node.netns.run("ip link set eth1 up; ip route add default via 10.0.0.254"
                   " metric 101 dev eth1 onlink")
    status, row = node.one("setup")
    assert status == 0 and "default route of metric 101" in row["text"], row


def test_primary_nic_without_ipv4_subnet_is_said(node):
    node.netns.run("ip route del 10.0.0.0/24 dev eth0 metric 100")
    refused(node, "no connected IPv4 route")


@pytest.mark.parametrize("by, word", [
    ("ip link add br0 type bridge; ip link set eth1 master br0", "port of br0"),
    ("ip link add mv0 link eth1 type macvlan", "macvlan device mv0"),
    ("ip link set eth1 up; ip route add default via 10.0.0.253 dev eth1 onlink"
     " table 77", "table 77"),
    ("ip link set eth1 up; ip route add default via 10.0.0.253 dev eth1 onlink"
     " table TERWAY", "Terway"),
    ("ip link set eth1 up; ip addr add 10.0.0.5/32 dev eth1", "10.0.0.5/32"),
    ("ip addr add 10.0.0.6/32 dev eth1", "10.0.0.6/32")],
    ids=["bridge", "macvlan", "policy", "terway", "others-address",
         "others-prefix"])
def test_nic_that_a_cni_holds_is_refused(node, by, word):
    done = node.netns.run(by.replace("TERWAY", str(1000 + node.index())),
                          check=False)
    if "type" in by and done.rc:
        pytest.skip("this kernel has no such device")
    assert done.rc == 0, done.stderr
    refused(node, word)


def test_nic_with_a_child_in_a_pods_namespace_is_refused(node, netns):
    """(With ipvlan, which not every kernel has: vm/test_node_setup.py.)"""
    pod = netns("p")
    done = node.netns.run("ip link add cni0 link eth1 type macvlan;"
                          f" ip link set cni0 netns {pod.name}", check=False)
    if done.rc:
        pytest.skip("this kernel has no macvlan")
    row = refused(node, "parent of the macvlan device cni0 in the namespace")
    assert pod.name in row["text"]
    pod.run("ip link del cni0")
    assert node.one("setup")[0] == 0    # the control


def test_child_of_another_namespaces_nic_of_that_number_is_not_meant(node, netns):
    other, pod = netns("q"), netns("p")
    index = node.index()
    other.run(f"ip link add eth9 index {index} type veth peer name far9")
    done = other.run("ip link add cni0 link eth9 type macvlan;"
                     f" ip link set cni0 netns {pod.name}", check=False)
    if done.rc:
        pytest.skip("this kernel has no macvlan")
    # the pod's namespace has a number for this one, too
    node.netns.run(f"ip link add vp type veth peer name up netns {pod.name}")
    assert node.one("setup")[1]["result"] == "done"


def test_nic_in_a_pods_namespace_is_not_followed(node, netns):
    pod = netns("p")
    node.netns.run(f"ip link set eth1 netns {pod.name}")
    refused(node, "no netdev eth1 in this network namespace")


@pytest.mark.parametrize("address, existing, word", [
    ("10.0.0.130/25", "", "part of 10.0.0.0/24"),
    ("10.0.0.5/24", "", "eth0 has the address 10.0.0.5/24"),
    ("10.0.0.6/24", "ip link set eth1 up; ip addr add 10.0.0.6/24 dev eth1",
     "metric 0, which does not lose against 100"),
    ("10.0.0.6/24", "ip addr add 10.0.0.6/24 dev eth1",
     "metric 0, which does not lose against 100")],
    ids=["part", "address", "metric", "metric-down"])
def test_traffic_of_the_primary_nic_stays_there(node, address, existing, word):
    if existing:
        node.netns.run(existing)
    refused(node, word, "--address", address)


MANAGED = [
    ("systemd-networkd", "run/systemd/netif/links/{}", "ADMIN_STATE=configured\n",
     "ADMIN_STATE=unmanaged\n"),
    ("NetworkManager", "run/NetworkManager/devices/{}",
     "[device]\nmanaged=true\n", "[device]\nmanaged=false\n"),
    ("the erdma-controller", "var/lib/kubelet/device-plugins/{}",
     "1764489000-erdma.sock", "kubelet.sock"),
]


def manage(node, path, value):
    """@value of a socket is its name."""
    if value.endswith("sock"):
        node.put(path.format(value), "")
    else:
        node.put(path.format(node.index()), "# private\n" + value)


@pytest.mark.parametrize("who, path, has, has_not", MANAGED,
                         ids=["networkd", "NetworkManager", "controller"])
def test_nic_that_somebody_manages_is_left_to_them(node, who, path, has, has_not):
    manage(node, path, has)
    refused(node, f"managed by {who}", result="unready")
    assert not node.cloud.log
    node.netns.run(SCRIPT)
    with node.changes() as seen:
        status, row = node.one("setup")
    assert (status, row["result"]) == (0, "others") and not seen, row
    assert f"activated by {who}" in row["text"]
    assert node.one("reset", "--all")[1]["result"] == "others" and node.is_up()


@pytest.mark.parametrize("who, path, has, has_not", MANAGED,
                         ids=["networkd", "NetworkManager", "controller"])
def test_nic_that_nobody_manages_is_set_up(node, who, path, has, has_not):
    manage(node, path, has_not)
    assert node.one("setup")[1]["result"] == "done"


# ---- what comes in between

def test_nic_without_a_carrier_is_left_as_it_was(node):
    node.netns.run("ip link set far1 down")
    before = node.picture()
    status, row = node.one("setup")
    assert (status, row["result"]) == (1, "failed"), row
    assert "no carrier" in row["text"] and not node.records()
    node.returns_to(before)


@pytest.mark.parametrize("happens, word", [
    ("ip link set eth1 name rdma0", "is called rdma0"),
    ("ip link set eth1 address 00:16:3e:00:00:07", "00:16:3e:00:00:07"),
    ("ip link del eth1", "is gone")], ids=["renamed", "other-mac", "removed"])
def test_nic_that_changes_while_setup_asks_is_left_alone(node, happens, word):
    done = []

    def answer(handler):
        if handler.path.endswith("gateway") and not done:
            done.append(node.netns.run(happens))
        return False
    node.cloud.answer = answer
    status, row = node.one("setup")
    assert (status, row["result"]) == (1, "failed") and word in row["text"], row
    assert done and not node.records()
    left = {x["ifname"]: x for x in node.ip("addr")}
    for name in {"eth1", "rdma0"} & set(left):
        assert not left[name]["addr_info"] and "UP" not in left[name]["flags"]


def test_nic_that_is_renamed_while_setup_waits_is_taken_back(node):
    node.netns.run("ip link set far1 down")
    with subprocess.Popen(node.argv("setup"), stdout=subprocess.PIPE, text=True,
                          env=node.env({"SMCMESH_HURRY": "2"})) as p:
        wait_for(node.is_up, 5, "the link to be set up")
        if node.netns.run("ip link set eth1 name rdma0", check=False).rc:
            p.kill()
            pytest.skip("this kernel renames no link that is up")
        node.netns.run("ip link set far1 up")
        told = p.stdout.read()
    assert p.returncode == 1 and "is called rdma0" in told
    assert not node.addresses("rdma0") and not node.is_up("rdma0")
    assert not node.records()


@pytest.mark.parametrize("after", ["set the link up", "add the address"],
                         ids=["link", "address"])
def test_setup_that_was_killed_can_be_finished_or_taken_back(node, after):
    before = node.picture()
    argv = node.argv("setup")
    for then in ("setup", "reset"):
        got = subprocess.run(argv, env=node.env({"SMCMESH_FAULT": after}),
                             check=False, stdout=subprocess.DEVNULL)
        assert got.returncode == -signal.SIGKILL
        assert node.is_up() and node.records()
        assert node.one(then)[0] == 0
        node.one("reset")
        node.returns_to(before)


def test_signal_while_setup_waits_leaves_no_half(node):
    node.netns.run("ip link set far1 down")
    before = node.picture()
    with subprocess.Popen(node.argv("setup"), stdout=subprocess.DEVNULL,
                          env=node.env({"SMCMESH_HURRY": "10"})) as p:
        wait_for(node.is_up, 5, "the link to be set up")
        p.send_signal(signal.SIGTERM)
        p.wait(20)
    assert not node.records()
    node.returns_to(before)


def test_two_setups_at_once_make_one(node):
    both = [subprocess.Popen(node.argv("setup"), stdout=subprocess.DEVNULL,
                             env=node.env()) for _ in range(2)]
    assert [p.wait(20) for p in both] == [0, 0]
    assert node.addresses() == ["10.0.0.6/24"]
    assert node.records().count("\n") == 1


def test_record_of_another_boot_is_ignored(node):
    node.one("setup")
    records = node.records()
    boot = records.split()[0]
    path = os.path.join(node.state, "nics")
    with open(path, "w", encoding="ascii") as f:
        f.write(records.replace(boot, "boot=" + "0" * 36))
    before = node.picture()
    assert node.one("reset")[1]["result"] == "already"
    assert node.picture() == before
    with open(path, "w", encoding="ascii") as f:
        f.write(records)
    assert node.one("reset")[1]["result"] == "done"    # the control


@pytest.mark.parametrize("text", ["what is this\n", "boot=x ifindex=1\n",
                                  "\xff" * 4096], ids=["words", "cut", "bytes"])
def test_broken_state_file_is_named_and_nothing_done(node, text):
    os.mkdir(node.state)
    path = os.path.join(node.state, "nics")
    with open(path, "w", encoding="latin1") as f:
        f.write(text)
    before = node.picture()
    for verb in ("setup", "reset", "status"):
        status, got = node.run(verb)
        assert status == 3 and path in got["error"], got
    assert node.picture() == before


def test_state_that_cannot_be_kept_keeps_setup_from_beginning(node):
    with open(node.state, "w", encoding="ascii"):
        pass
    before = node.picture()
    status, got = node.run("setup")
    assert status == 3 and node.state in got["error"], got
    assert node.picture() == before


def test_record_that_cannot_be_written_keeps_setup_from_beginning(node):
    os.makedirs(os.path.join(node.state, ".nics.new"))
    before = node.picture()
    with node.changes() as seen:
        status, row = node.one("setup")
    assert (status, row["result"]) == (1, "failed") and not seen, row
    assert "as it was before: write" in row["text"]
    assert node.picture() == before


def test_without_the_right_nothing_is_half_made(node):
    before = node.picture()
    status, row = node.one("setup", before=["setpriv", "--bounding-set",
                                            "-net_admin"])
    assert (status, row["result"]) == (1, "failed"), row
    assert "run it as root" in row["text"] and not node.records()
    assert node.picture() == before


def test_aliases_exit_as_the_guides_script(node):
    node.cloud.values.clear()
    assert node.one("setup")[0] == 3    # the control
    assert node.one("-s")[0] == 1
    node.cloud.values[nics.MAC] = dict(nics.CLOUD)
    assert node.one("-s")[1]["result"] == "done" and node.one("-s")[0] == 0
    assert node.one("-r")[1]["result"] == "done" and not node.addresses()


WRONG = [
    [], ["up"], ["setup", "reset"], ["-s", "-r"], ["setup", "-r"],
    ["setup", "--all"], ["status", "--dry-run"],
    ["setup", "--address", "10.0.0.6/24"],
    ["setup", "--netdev", "eth1", "--address", "10.0.0.6"],
    ["setup", "--netdev", "eth1", "--address", "10.0.0.0/24"],
    ["reset", "--netdev", "eth1", "--address", "10.0.0.6/24"],
    ["setup", "--metadata-url", "ftp://100.100.100.200/x/"],
    ["setup", "--metadata-url", "http://"]]


def test_wrong_usage_exits_with_2_and_does_nothing(node):
    before = node.picture()
    for args in WRONG:
        done = node.netns.run([native.FAULTS, "node", "--state", node.state, *args],
                              check=False)
        assert done.rc == 2 and done.stderr and not done.out, (args, done.stderr)
    assert node.picture() == before and not os.path.exists(node.state)


def test_table_for_people_has_the_sentence(node):
    done = node.netns.run([native.FAULTS, "node", "setup", "--netdev", "eth1",
                           "--state", node.state, "--root", node.root])
    assert "eth1 is set up: link up, address 10.0.0.6/24" in done.out


def test_namespaces_are_told_apart(node, netns):
    """The control of all: what is done here is not done elsewhere."""
    other = netns("q")
    assert isinstance(other, Netns)
    before = other.run("ip -j addr").out
    node.one("setup")
    assert other.run("ip -j addr").out == before
