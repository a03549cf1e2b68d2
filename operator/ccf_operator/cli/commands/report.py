"""kubectl ccf logs and report: what a person, or whoever helps them, reads after something went wrong."""

from __future__ import annotations

import asyncio
import io
import json
import re
import tarfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import RenderableType

from ccf_operator.cli import offering
from ccf_operator.cli.exits import Exit, Failure
from ccf_operator.cli.kubectl import Kubectl, KubectlFailed, cluster_failure
from ccf_operator.cli.live import ask_nodes
from ccf_operator.cli.network import Network, load
from ccf_operator.cli.options import Format, NetworkName, Output, Reach, on_cluster
from ccf_operator.cli.output import write
from ccf_operator.cli.reach import Way, ways
from ccf_operator.cli.screen import screen
from ccf_operator.cli.secrets import censor
from ccf_operator.cli.terminal import complaints, harmless, plain
from ccf_operator.render import labels

KINDS = (
    "pods",
    "persistentvolumeclaims",
    "services",
    "poddisruptionbudgets",
    "configmaps",
)
"""What bears the network's label. Secrets are never asked for."""

_NO_PODS = "wait for one: it has none; kubectl ccf status {} says where the network is"

_SUBJECT = re.compile(r"\b(namespace|network)=(\S+)")

OPERATOR = "app.kubernetes.io/name=ccf-operator"
"""The label of the operator's pods, as the chart sets it."""

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The archive (default: by network and time).")]
NodeName = Annotated[
    str | None,
    typer.Option("--node", metavar="POD", help="Of this node alone.", autocompletion=offering.nodes),
]
Tail = Annotated[int, typer.Option("--tail", help="The last lines of each node; -1: all.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is logged from now on.")]


@on_cluster
async def logs(
    kubectl: Kubectl, name: NetworkName, node: NodeName = None, tail: Tail = 50, follow: Follow = False
) -> None:
    """Print what the nodes log, each line with its node's name."""
    network = await load(kubectl, name)
    within = kubectl.within(network.namespace)
    chosen = [node] if node is not None else sorted(network.pods)
    if node is not None and node not in network.pods:
        raise Failure(
            Exit.NOT_FOUND,
            f"there is no pod {node} of network {name}",
            f"name one of {', '.join(sorted(network.pods))}" if network.pods else _NO_PODS.format(name),
        )
    await asyncio.gather(*(_print_logs(within, pod, tail, follow) for pod in chosen))


async def _print_logs(kubectl: Kubectl, pod: str, tail: int, follow: bool) -> None:
    options = ["--container", "ccf", f"--tail={tail}", *(["--follow"] if follow else [])]
    try:
        async for line in kubectl.lines("logs", pod, *options):
            print(f"{pod}  {harmless(line)}", flush=True)
    except KubectlFailed as error:
        complaints().print(f"{pod}: {error}", style="warn")


@on_cluster
async def report(
    kubectl: Kubectl, name: NetworkName, out: Out = None, reach: Reach = Way.AUTO, output: Output = Format.TEXT
) -> None:
    """Collect what a bug report needs in one archive.

    Objects with their surveys, events, logs of nodes and operator, what nodes answer. Secrets are not asked for,
    and private keys and tokens are taken out of everything else."""
    network = await load(kubectl, name)
    within = kubectl.within(network.namespace)
    files = {"README.txt": _readme(network)}
    collected = await asyncio.gather(
        _object(within, "network.yaml", f"{labels.PLURAL}.{labels.GROUP}", name),
        _text(within, "events.txt", "get", "events", "--sort-by=.metadata.creationTimestamp"),
        _decisions(within, name),
        *(_kind(within, name, kind) for kind in KINDS),
        *(_text(within, f"logs/{pod}.ccf.txt", "logs", pod, "--container", "ccf") for pod in sorted(network.pods)),
        *(_text(within, f"logs/{pod}.stage.txt", "logs", pod, "--container", "stage") for pod in sorted(network.pods)),
        _text(within, "versions.txt", "version"),
        _operators(kubectl, network),
    )
    files |= dict(collected)
    async with ways(within, reach) as open_ways:
        live = await ask_nodes(open_ways, network)
    files["nodes.json"] = json.dumps({name: asdict(answers) for name, answers in live.items()}, indent=1, default=str)
    files["status.txt"] = _as_text(screen(network, live, datetime.now(UTC)))
    file = out or Path(f"{name}-report-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    _archive(file, file.name.partition(".")[0], files)
    if output is Format.TEXT:
        print(f"{file}: {len(files)} files. Look through it before you hand it on.")
    else:
        write({"file": str(file), "holds": sorted(files)}, output)


def _readme(network: Network) -> str:
    return (
        f"CCF network {network.name} in namespace {network.namespace}, collected {datetime.now(UTC):%Y-%m-%d %H:%M:%S} "
        "UTC by kubectl ccf report.\nSecrets were not asked for; private keys and tokens were taken out.\n"
        f"By version {version('ccf-operator')} of the plugin; versions.txt: of kubectl and the API server.\n"
        "status.txt: what kubectl ccf status shows. network.yaml: the object. nodes.json: what each node said itself.\n"
    )


async def _text(kubectl: Kubectl, file: str, *command: str) -> tuple[str, str]:
    try:
        return file, await kubectl.run(*command)
    except KubectlFailed as error:
        return file, f"could not be had: {error}\n"


async def _operators(kubectl: Kubectl, network: Network) -> tuple[str, str]:
    """What the operator's pods have logged, wherever they are, but of other networks."""
    file = "logs/operator.txt"
    try:
        listed = json.loads(
            await kubectl.run("get", "pods", "--all-namespaces", "--selector", OPERATOR, "--output", "json")
        )
        said = [
            await kubectl.within(pod["metadata"]["namespace"]).run("logs", pod["metadata"]["name"], "--prefix")
            for pod in listed["items"]
        ]
    except KubectlFailed as error:
        return file, f"could not be had: {error}\n"
    lines = [line for one in said for line in one.splitlines(keepends=True) if not _is_of_another(network, line)]
    return file, "".join(lines) or "no pod of the operator was found, or it has said nothing\n"


def _is_of_another(network: Network, line: str) -> bool:
    """Whether a line of the operator's log is about another network, which is nobody's business here."""
    try:
        logged = json.loads(line[line.index("{") :])
        about = (logged["namespace"], logged["network"])
    except (ValueError, KeyError, TypeError):
        said = dict(_SUBJECT.findall(line))  # as the operator logs for people
        about = (said.get("namespace"), said.get("network"))
    return about[1] not in (None, "None") and about != (network.namespace, network.name)


async def _object(kubectl: Kubectl, file: str, kind: str, name: str) -> tuple[str, str]:
    try:
        return file, yaml.safe_dump(_lean(await kubectl.get(kind, name)), sort_keys=False, allow_unicode=True)
    except KubectlFailed as error:
        raise cluster_failure(error) from error


async def _kind(kubectl: Kubectl, network: str, kind: str) -> tuple[str, str]:
    file = f"objects/{kind}.yaml"
    try:
        found = await kubectl.list(kind, f"{labels.NETWORK}={network}")
    except KubectlFailed as error:
        return file, f"could not be had: {error}\n"
    return file, yaml.safe_dump_all([_lean(one) for one in found], sort_keys=False, allow_unicode=True)


async def _decisions(kubectl: Kubectl, network: str) -> tuple[str, str]:
    file = "objects/decisions.yaml"
    try:
        listed = json.loads(await kubectl.run("get", f"{labels.DECISION_PLURAL}.{labels.GROUP}", "--output", "json"))
    except KubectlFailed as error:
        return file, f"could not be had: {error}\n"
    ours = [_lean(one) for one in listed["items"] if one["spec"].get("network") == network]
    return file, yaml.safe_dump_all(ours, sort_keys=False, allow_unicode=True)


def _lean(raw: Any) -> Any:
    raw["metadata"].pop("managedFields", None)
    return raw


def _as_text(what: RenderableType) -> str:
    out = plain()
    with out.capture() as captured:
        out.print(what, crop=False)
    return captured.get()


def _archive(file: Path, folder: str, files: dict[str, str]) -> None:
    try:
        file.touch(mode=0o600, exist_ok=False)
        with tarfile.open(file, "w:gz") as archive:
            for name, text in sorted(files.items()):
                content = censor(text).encode()
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
                archive.addfile(entry, io.BytesIO(content))
    except FileExistsError as error:
        raise Failure(Exit.USAGE, f"{file} exists", "name another file with --out") from error
    except OSError as error:
        raise Failure(Exit.USAGE, f"{file}: {error.strerror}", "name a file that can be written with --out") from error
