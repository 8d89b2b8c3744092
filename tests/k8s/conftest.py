# SPDX-License-Identifier: Apache-2.0
"""Tests in a real Kubernetes: one cluster of two nodes for all of them."""
import os

import pytest

from smclab import paths
from smclab.cluster import Cluster
from smclab.deployed import Deployed


# the bare cluster first; what looks back on the whole run, and what takes the
# mesh away, last
SHORT = ["test_cluster", "test_guide", "test_sidecar", "test_admission",
         "test_manifests", "test_fairness"]
LONG = ["test_prometheus", "test_kubectl", "test_bench", "test_changes", "test_intime",
        "test_strangers", "test_versions", "test_components", "test_page", "test_boot",
        "test_rbac", "test_uninstall"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: (SHORT + LONG).index(item.path.stem))
    for item in items:
        if item.path.stem in LONG:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def cluster():
    image = os.path.join(paths.build(), "smcmesh.oci.tar")
    with Cluster(extra_images=[image] if os.path.exists(image) else []) as c:
        yield c


@pytest.fixture(scope="session")
def figures():
    """figures(what, value): what was measured, in log/k8s-figures.txt."""
    path = paths.log_file("k8s-figures.txt")
    open(path, "w", encoding="ascii").close()

    def add(what, value):
        with open(path, "a", encoding="ascii") as f:
            f.write(f"{what}: {value}\n")
    return add


@pytest.fixture(scope="session")
def mesh(cluster, figures):
    """Deployed and switched on; tests leave it so."""
    deployed = Deployed(cluster)
    deployed.deploy()
    yield deployed
    took = sorted(deployed.agreed_after)
    if took:
        figures("SmcNodes equal to the kernels' state, seconds after each of "
                f"{len(took)} changes",
                f"p50 {took[len(took) // 2]:.1f}, max {took[-1]:.1f}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the cluster looks like, with a failure."""
    outcome = yield
    report = outcome.get_result()
    c = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and c:
        for argv in (["get", "pods", "-A", "-o", "wide"],
                     ["get", "events", "-A", "--sort-by=.lastTimestamp"]):
            told = c.kubectl(*argv, check=False)
            report.sections.append(("kubectl " + " ".join(argv),
                                    (told.out + told.err)[-5000:]))
