"""What the operator costs when many networks are at rest: `python -m integration.many_networks [NUMBER [NODES]]`.

Prints processor time, memory, and requests to the API server, of an operator in a process of its own; the API server,
kubelets and CCF nodes are those of the integration tests. Not a test: its numbers are for docs/performance.md.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import aclosing
from pathlib import Path

from integration.control_plane import ControlPlane, running
from integration.manifests import minimal
from integration.operator_process import OperatorProcess, operator
from integration.world.api import Api, Raw
from integration.world.cluster_dns import ClusterDns
from integration.world.consortium import Consortium
from integration.world.kubelet import Kubelet
from integration.world.proxy import ApiProxy, Call, kubeconfig
from members import generate_member

REPOSITORY = Path(__file__).resolve().parents[2]
NAMESPACE = "default"
SECONDS = 60.0
_NETWORKS = f"/apis/ccf.dev/v1alpha1/namespaces/{NAMESPACE}/ccfnetworks"
_TICKS = os.sysconf("SC_CLK_TCK")


def main(number: int = 50, nodes: int = 1) -> None:
    """Measure and print."""
    built = subprocess.run([REPOSITORY / "e2e/cluster/cluster", "binaries"], capture_output=True, text=True, check=True)
    binaries = Path(built.stdout.strip().splitlines()[-1])
    with tempfile.TemporaryDirectory() as scratch, running(binaries, Path(scratch), "operator") as control_plane:
        control_plane.kubectl("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
        asyncio.run(_measure(control_plane, Path(scratch), number, nodes))


async def _measure(control_plane: ControlPlane, scratch: Path, number: int, nodes: int) -> None:
    dns, proxy, consortium = ClusterDns(), ApiProxy(control_plane), Consortium([generate_member("alice")])
    config = kubeconfig(scratch / "operator.kubeconfig", await proxy.start(), control_plane.token)
    async with Api(control_plane) as api:
        kubelet = Kubelet(api, NAMESPACE, scratch, dns, ("m0", "m1", "m2"))
        await kubelet.register()
        with dns.serving(), operator(config, NAMESPACE, scratch / "operator.log") as process:
            hosting = asyncio.create_task(kubelet.run())
            names = [f"bank-{one}" for one in range(number)]
            for config_map in consortium.config_maps("bank"):
                await api.ask("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", config_map)
            for name in names:
                await _open(api, kubelet, consortium, name, nodes)
            for name in names:
                await _reached(api, name, "Running")
            await asyncio.sleep(15)
            proxy.calls.clear()
            used = _processor_seconds(process)
            await asyncio.sleep(SECONDS)
            _print(proxy.calls, _processor_seconds(process) - used, _megabytes(process), number, nodes)
            hosting.cancel()
            await asyncio.gather(hosting, return_exceptions=True)
    await proxy.close()


async def _open(api: Api, kubelet: Kubelet, consortium: Consortium, name: str, nodes: int) -> None:
    await api.ask("POST", _NETWORKS, minimal(name, nodes=nodes, ledgerSignatures={"delay": "100ms"}))
    status = await _reached(api, name, "AwaitingOpen")
    first = next(node["name"] for node in status["nodes"] if node.get("joinedAt"))
    process = kubelet.runs[first].node
    assert process is not None
    while process.committed() != process.store.current:  # noqa: ASYNC110 - its certificate counts once it is committed
        await asyncio.sleep(0.02)
    await consortium.open(process, status["service"]["certificate"])


async def _reached(api: Api, name: str, phase: str) -> Raw:
    """The status of a network once it is in this phase."""
    async with aclosing(api.watch(_NETWORKS)) as changes:
        async for change in changes:
            for raw in change.items:
                status: Raw = raw.get("status") or {}
                if raw["metadata"]["name"] == name and status.get("phase") == phase:
                    return status
    raise AssertionError("a watch has ended")


def _print(calls: list[Call], processor: float, memory: float, number: int, nodes: int) -> None:
    kinds = Counter(_kind(call) for call in calls if not call.watches)
    looks = kinds["GET ccfnetworks NAME"]
    print(f"{number} networks of {nodes} node(s) at rest, {SECONDS:g} s")
    print(f"processor: {100 * processor / SECONDS:.1f} % of a core; memory: {memory:.0f} MB")
    print(f"looks: {looks / SECONDS:.1f} a second; {sum(kinds.values()) / max(looks, 1):.1f} requests each")
    print(f"requests: {sum(kinds.values()) / SECONDS:.1f} a second; of one network {sum(kinds.values()) / number:.0f}")
    for kind, count in kinds.most_common():
        print(f"{count / number * 60 / SECONDS:8.2f} a minute and network: {kind}")


def _kind(call: Call) -> str:
    parts = call.path.strip("/").split("/")
    rest = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts else parts[2:]
    return " ".join([call.method, rest[0], *("NAME" for _ in rest[1:2]), *rest[2:]])


def _processor_seconds(process: OperatorProcess) -> float:
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _megabytes(process: OperatorProcess) -> float:
    [line] = [one for one in Path(f"/proc/{process.process.pid}/status").read_text().splitlines() if "VmRSS" in one]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
