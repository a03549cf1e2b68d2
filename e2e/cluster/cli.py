"""The command line of the test cluster."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from e2e.cluster import lifecycle, pki
from e2e.cluster.binaries import ensure_binaries
from e2e.cluster.say import ClusterError


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="cluster", description="A real Kubernetes cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up, or back to health")
    commands.add_parser("down", help="remove the cluster without a trace")
    commands.add_parser("status", help="say what runs")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    commands.add_parser("binaries", help="print the directory of the programs, building them if missing")
    for tool in ("kubectl", "helm"):
        commands.add_parser(tool, help=f"run {tool} on this cluster", add_help=False)
    parsed, rest = parser.parse_known_args(arguments)
    try:
        match parsed.command:
            case "up":
                lifecycle.up()
            case "down":
                lifecycle.down()
            case "status":
                print(lifecycle.status())
            case "kubeconfig":
                print(pki.administrator_kubeconfig())
            case "binaries":
                print(ensure_binaries())
            case tool:
                program = str(ensure_binaries() / tool)
                os.environ["KUBECONFIG"] = str(pki.administrator_kubeconfig())
                os.execv(program, [tool, *rest])
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0
