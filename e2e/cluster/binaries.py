"""Kubernetes, etcd, CoreDNS, Helm and the pause program, built from Go modules.

They are kept in the cache under a name made from everything that goes into them, and get that name only once
they are whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.layout import SOURCE, cache_directory
from e2e.cluster.say import ClusterError, say

KUBERNETES_VERSION = "v1.34.4"
_VERSION_PACKAGE = "k8s.io/component-base/version"
_SAY_EVERY = 15.0


@dataclass(frozen=True)
class Module:
    """One Go module under go/ and the programs built in it: file name -> package."""

    name: str
    programs: dict[str, str]
    variables: dict[str, str]

    @property
    def directory(self) -> Path:
        return SOURCE / "go" / self.name

    @property
    def linker_flags(self) -> str:
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables.items())])


_MAJOR, _MINOR = KUBERNETES_VERSION.removeprefix("v").split(".")[:2]
MODULES = (
    Module(
        "kubernetes",
        {
            "etcd": "go.etcd.io/etcd/server/v3",
            **{
                name: f"k8s.io/kubernetes/cmd/{name}"
                for name in (
                    "kube-apiserver",
                    "kube-controller-manager",
                    "kube-scheduler",
                    "kubelet",
                    "kube-proxy",
                    "kubectl",
                )
            },
        },
        {
            f"{_VERSION_PACKAGE}.gitVersion": KUBERNETES_VERSION,
            f"{_VERSION_PACKAGE}.gitMajor": _MAJOR,
            f"{_VERSION_PACKAGE}.gitMinor": _MINOR,
        },
    ),
    Module("coredns", {"coredns": "github.com/coredns/coredns"}, {}),
    Module("helm", {"helm": "helm.sh/helm/v4/cmd/helm"}, {}),
    Module("pause", {"pause": "ccf.dev/e2e/cluster/pause"}, {}),
)


def binaries_directory() -> Path:
    """Where the programs are, whether built yet or not."""
    digest = hashlib.sha256()
    for module in MODULES:
        digest.update(repr(module).encode())
        for path in sorted(module.directory.iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return cache_directory() / "binaries" / digest.hexdigest()[:16]


def ensure_binaries() -> Path:
    """The directory of the programs, built first if it is not there."""
    directory = binaries_directory()
    if directory.is_dir():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _locked(directory.parent / "lock"):
        if directory.is_dir():
            return directory
        if shutil.which("go") is None:
            raise ClusterError("Go is not installed: the cluster's programs are built from Go modules")
        say("building Kubernetes, etcd, CoreDNS and Helm from Go modules: about 10 minutes the first time, never again")
        for interrupted in directory.parent.glob("partial-*"):
            shutil.rmtree(interrupted)
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=directory.parent))
        try:
            for module in MODULES:
                _build(module, partial)
            partial.chmod(0o755)
            partial.rename(directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return directory


def _build(module: Module, into: Path) -> None:
    env = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    packages = list(module.programs.values())
    say(f"{module.name}: fetching modules")
    total = len(run(["go", "list", "-deps", *packages], cwd=module.directory, env=env).split())
    say(f"{module.name}: compiling {', '.join(module.programs)} ({total} packages)")
    began = time.monotonic()
    command = ["go", "build", "-v", "-trimpath", "-ldflags", module.linker_flags, "-o", f"{into}/", *packages]
    with subprocess.Popen(
        command,
        cwd=module.directory,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        assert build.stderr is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda stream: lines.extend(stream), args=(build.stderr,), daemon=True)
        reader.start()
        while True:
            try:
                build.wait(_SAY_EVERY)
                break
            except subprocess.TimeoutExpired:
                say(f"{module.name}: {len(lines)} of at most {total} packages compiled")
        reader.join()
    if build.returncode != 0:
        raise ClusterError(f"{module.name} does not build:\n{''.join(lines[-15:])}")
    for name, package in module.programs.items():
        built = into / _program_name(package)
        if built.name != name:
            built.rename(into / name)
    say(f"{module.name}: built in {time.monotonic() - began:.0f} s")


def _program_name(package: str) -> str:
    """The file name `go build` gives a package's program: its last element that is not a major version."""
    *parents, last = package.split("/")
    return parents[-1] if last[:1] == "v" and last[1:].isdigit() else last


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
