# SPDX-License-Identifier: Apache-2.0
"""Container images of one layer, made of static programs by hand."""
import hashlib
import io
import json
import shutil
import subprocess
import tarfile

from . import paths, progs
from .machine import LabError

PAUSE = "localhost/smclab/pause:1"
# a shell, busybox, and programs of tests/progs in /bin
TOOLS = "localhost/smclab/tools:1"
TOOL_PROGRAMS = ("echod", "hold", "hammer")
FOLDERS = ("bin", "usr", "usr/bin", "etc", "tmp", "var", "var/lib",
           "var/lib/fortio", "dev", "proc", "sys", "root")


def _add(tar, name, data=b"", mode=0o755, kind=tarfile.REGTYPE, link=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size = kind, mode, len(data)
    entry.linkname = link
    tar.addfile(entry, io.BytesIO(data))


def _layer(files, links):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in FOLDERS:
            _add(tar, name, kind=tarfile.DIRTYPE,
                 mode=0o1777 if name == "tmp" else 0o755)
        for name, path in files.items():
            with open(path, "rb") as f:
                _add(tar, name, f.read())
        for name, target in links.items():
            _add(tar, name, kind=tarfile.SYMTYPE, link=target)
    return out.getvalue()


def write(path, tags, files, entrypoint=(), links=None):
    """An archive as `docker save` makes it. files: path in the image -> file."""
    layer = _layer(files, links or {})
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/bin:/usr/bin"], "WorkingDir": "/",
                   "Entrypoint": list(entrypoint) or None},
        "rootfs": {"type": "layers", "diff_ids":
                   ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created_by": "smclab"}]}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": list(tags),
                            "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for entry, data in ((name, config), ("layer.tar", layer),
                            ("manifest.json", manifest)):
            _add(tar, entry, data, 0o644)


def _busybox():
    exe = shutil.which("busybox")
    if not exe:
        raise LabError("busybox is missing: make deps installs it")
    applets = subprocess.run([exe, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    return exe, {f"bin/{a}": "busybox" for a in applets if a != "busybox"}


def write_all(folder, programs, fortio_tags, coredns_tags):
    """The cluster's own images, NAME.tar each. programs: tests/k8s/build's
    directory; the tags are what the manifests ask for."""
    exe, links = _busybox()
    write(f"{folder}/pause.tar", [PAUSE], {"bin/busybox": exe},
          ["/bin/busybox", "sleep", "2147483647"])
    tools = {"bin/busybox": exe}
    for name in TOOL_PROGRAMS:
        tools["bin/" + name] = progs.path(name).replace("/build", paths.build(),
                                                        1)
    write(f"{folder}/tools.tar", [TOOLS], tools, links=links)
    write(f"{folder}/fortio.tar", fortio_tags,
          {"usr/bin/fortio": f"{programs}/fortio"}, ["/usr/bin/fortio"])
    write(f"{folder}/coredns.tar", coredns_tags,
          {"bin/coredns": f"{programs}/coredns"}, ["/bin/coredns"])
