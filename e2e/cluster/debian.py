"""The Debian packages the cluster needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.say import ClusterError, say

CNI_PROGRAMS = Path("/usr/lib/cni")

_PACKAGE_OF = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "openssl": "openssl",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
    str(CNI_PROGRAMS / "bridge"): "containernetworking-plugins",
}


def ensure_packages() -> None:
    """Install what is missing. Leaves packages that are there alone."""
    missing = sorted({package for program, package in _PACKAGE_OF.items() if shutil.which(program) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"install these first: {', '.join(missing)}")
    say(f"installing Debian packages: {', '.join(missing)}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=env)
    # The packages' own services must not start: the cluster runs a containerd of its own for each machine.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env=env)
    finally:
        if ours:
            policy.unlink()
