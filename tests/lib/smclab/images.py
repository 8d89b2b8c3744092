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
TOOL_PROGRAMS = ("echod", "hold", "hammer", "proxy")
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


class Image:
    """files: path in the image -> file here; links: path -> target."""

    def __init__(self, tags, files, entrypoint=(), links=None):
        self.tags, self.layer = list(tags), _layer(files, links or {})
        self.digest = hashlib.sha256(self.layer).hexdigest()
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux",
            "config": {"Env": ["PATH=/bin:/usr/bin"], "WorkingDir": "/",
                       "Entrypoint": list(entrypoint) or None},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + self.digest]},
            "history": [{"created_by": "smclab"}]}).encode()


def write(path, images):
    """One archive with all of them, as `docker save` makes it: each import is
    a program that starts on an emulated processor."""
    manifest = []
    with tarfile.open(path, "w") as tar:
        for image in images:
            name = hashlib.sha256(image.config).hexdigest() + ".json"
            layer = image.digest + "/layer.tar"
            _add(tar, name, image.config, 0o644)
            _add(tar, layer, image.layer, 0o644)
            manifest.append({"Config": name, "RepoTags": image.tags,
                             "Layers": [layer]})
        _add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)


def _busybox():
    exe = shutil.which("busybox")
    if not exe:
        raise LabError("busybox is missing: make deps installs it")
    applets = subprocess.run([exe, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    return exe, {f"bin/{a}": "busybox" for a in applets if a != "busybox"}


def write_all(path, programs, fortio_tags):
    """The cluster's own images. programs: the directory that tests/k8s/build
    made; the tags are what manifests ask for."""
    exe, links = _busybox()
    tools = {"bin/busybox": exe}
    for name in TOOL_PROGRAMS:
        tools["bin/" + name] = progs.path(name).replace("/build", paths.build(),
                                                        1)
    write(path, [
        Image([PAUSE], {"bin/busybox": exe},
              ["/bin/busybox", "sleep", "2147483647"]),
        Image([TOOLS], tools, links=links),
        Image(fortio_tags, {"usr/bin/fortio": f"{programs}/fortio"},
              ["/usr/bin/fortio"])])
