"""The command line of the test cluster."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import faults, images, lifecycle, machine, network, pki, volumes
from e2e.cluster.api import administrator
from e2e.cluster.binaries import ensure_binaries
from e2e.cluster.say import ClusterError, say

_TOOLS = ("kubectl", "helm")


def main(arguments: Sequence[str]) -> int:
    try:
        if arguments and arguments[0] in _TOOLS:
            _run_tool(arguments[0], arguments[1:])
        _run(_parser().parse_args(arguments))
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


def _run_tool(tool: str, arguments: Sequence[str]) -> None:
    os.environ["KUBECONFIG"] = str(pki.administrator_kubeconfig())
    os.execv(ensure_binaries() / tool, [tool, *arguments])


def _run(parsed: argparse.Namespace) -> None:
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
        case "image":
            _image(parsed)
        case "machine":
            _machine(parsed)
        case "kubelet":
            with lifecycle.one_at_a_time():
                for one in faults.machines_named(parsed.machine):
                    lifecycle.restart_kubelet(one)
                    say(f"the kubelet of {one.name} has begun anew")
        case "etcd":
            with lifecycle.one_at_a_time():
                _etcd(parsed)
        case "api":
            _api(parsed)
        case "partition":
            faults.partition(administrator(), parsed.namespace, parsed.pods, parsed.others)
            say(f"no packet passes between {parsed.pods} and {parsed.others}")
        case "heal":
            network.heal_partitions()
            say("packets pass between all pods")
        case "process":
            sent = signal.Signals[f"SIG{parsed.signal.upper().removeprefix('SIG')}"]
            reached = faults.signal_containers(administrator(), parsed.namespace, parsed.pods, parsed.container, sent)
            say(f"{sent.name} sent to {parsed.pods}, processes {', '.join(map(str, reached))}")
        case "volume":
            _volume(parsed)


def _image(parsed: argparse.Namespace) -> None:
    if parsed.action == "load":
        print(images.load(parsed.image))
        return
    if parsed.action == "tag":
        print(images.tag(parsed.image, parsed.name))
        return
    arguments = dict(argument.partition("=")[::2] for argument in parsed.build_arg)
    context = Path(parsed.context).resolve()
    dockerfile = Path(parsed.file).resolve() if parsed.file else context / "Dockerfile"
    if not dockerfile.is_file():
        raise ClusterError(f"there is no {dockerfile}")
    print(images.build(parsed.name, context, dockerfile, arguments))


def _machine(parsed: argparse.Namespace) -> None:
    with lifecycle.one_at_a_time():
        for one in faults.machines_named(parsed.machine):
            if parsed.action == "kill":
                machine.power_off(one)
                say(f"{one.name} is lost")
            else:
                lifecycle.start_machine(one)
                say(f"{one.name} is back")


def _etcd(parsed: argparse.Namespace) -> None:
    if parsed.action == "save":
        lifecycle.save_objects(parsed.name)
        say(f"all objects are kept as {parsed.name}")
    else:
        lifecycle.restore_objects(parsed.name)
        say(f"the objects are those that were kept as {parsed.name}")


def _api(parsed: argparse.Namespace) -> None:
    for one in faults.machines_named(parsed.machine):
        if parsed.action == "cut":
            network.cut_api(one)
            say(f"the kubelet of {one.name} is cut off from the API server")
        else:
            network.restore_api(one)
            say(f"the kubelet of {one.name} reaches the API server")


def _volume(parsed: argparse.Namespace) -> None:
    api = administrator()
    if parsed.action == "recycle":
        with lifecycle.one_at_a_time():
            print("\n".join(volumes.recycle(api)))
        return
    match parsed.action:
        case "small":
            print("\n".join(volumes.offer_small(api, parsed.size)))
        case "resize":
            volumes.resize(api, parsed.namespace, parsed.claim, parsed.size)
            say(f"{parsed.claim} has {parsed.size}")
        case "fill":
            volumes.fill(api, parsed.namespace, parsed.claim)
            say(f"{parsed.claim} is full")
        case "drain":
            volumes.drain(api, parsed.namespace, parsed.claim)
            say(f"{parsed.claim} has space again")
        case _:
            _files(parsed, volumes.path_of(api, parsed.namespace, parsed.claim))


def _files(parsed: argparse.Namespace, directory: Path) -> None:
    match parsed.action:
        case "path":
            print(directory)
        case "wipe":
            volumes.wipe(directory)
            say(f"{parsed.claim} is empty")
        case "damage":
            for file in volumes.select(directory, parsed.pattern):
                if parsed.flip is not None:
                    volumes.flip_byte(file, parsed.flip)
                elif parsed.truncate is not None:
                    volumes.truncate(file, parsed.truncate)
                else:
                    file.unlink()
                print(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster", description="A real Kubernetes cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up, or back to health")
    commands.add_parser("down", help="remove the cluster without a trace")
    commands.add_parser("status", help="say what runs")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    commands.add_parser("binaries", help="print the directory of the programs, building them if missing")
    for tool in _TOOLS:
        commands.add_parser(tool, help=f"run {tool} on this cluster")
    _add_image(commands.add_parser("image", help="build images and give them to the machines"))

    one_machine = commands.add_parser("machine", help="lose a machine, or get it back with its volumes")
    one_machine.add_argument("action", choices=("kill", "start"))
    one_machine.add_argument("machine", help="a number, a name or `all`")

    kubelet = commands.add_parser("kubelet", help="start kubelets anew while all containers go on")
    kubelet.add_argument("action", choices=("restart",))
    kubelet.add_argument("machine", help="a number, a name or `all`")

    etcd = commands.add_parser("etcd", help="put the API server's objects back to an earlier state")
    etcd.add_argument("action", choices=("save", "restore"))
    etcd.add_argument("name", help="what the state is kept as")

    api = commands.add_parser("api", help="cut kubelets off from the API server while their pods go on")
    api.add_argument("action", choices=("cut", "restore"))
    api.add_argument("machine", nargs="?", default="all", help="a number, a name or `all` (the default)")

    parted = commands.add_parser("partition", help="drop the packets between pods, both ways")
    parted.add_argument("pods", metavar="POD[,POD]", help="pods; NAMESPACE/POD for another namespace")
    parted.add_argument("--from", dest="others", metavar="POD[,POD]", required=True, help="also `host`: this machine")
    _add_namespace(parted)
    commands.add_parser("heal", help="end all partitions between pods")

    process = commands.add_parser("process", help="signal containers' processes from outside, all at once")
    process.add_argument("action", choices=("kill",))
    process.add_argument("pods", metavar="POD[,POD]")
    process.add_argument("--container", default="ccf")
    process.add_argument("--signal", default="KILL")
    _add_namespace(process)

    _add_volume(commands.add_parser("volume", help="find, free, wipe or damage volumes"))
    return parser


def _add_namespace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", "-n", default="default")


def _add_image(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="build, unless nothing changed; prints the archive's path")
    build.add_argument("name", metavar="NAME:TAG")
    build.add_argument("context", metavar="DIR")
    build.add_argument("--file", "-f", help="the Dockerfile; DIR/Dockerfile if not given")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    tag = actions.add_parser("tag", help="give an image of the machines another name; prints it in full")
    tag.add_argument("image", metavar="IMAGE")
    tag.add_argument("name", metavar="NAME:TAG")
    load = actions.add_parser("load", help="give an image to all running machines; prints its full name")
    load.add_argument("image", metavar="NAME:TAG|ARCHIVE")


def _add_volume(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("recycle", help="empty the volumes whose claims are gone, and offer them again")
    small = actions.add_parser("small", help="offer volumes of a few MB, in the StorageClass `small`")
    small.add_argument("--size", required=True, metavar="SIZE", help="e.g. 4m")
    for action, help_text in (
        ("resize", "give a small volume another size"),
        ("fill", "leave no byte free on a small volume"),
        ("drain", "take away what `fill` put there"),
        ("path", "print the directory that a claim holds"),
        ("wipe", "lose everything on the volume"),
        ("damage", "damage files on the volume"),
    ):
        one = actions.add_parser(action, help=help_text)
        one.add_argument("claim", metavar="PVC")
        _add_namespace(one)
        if action == "resize":
            one.add_argument("--size", required=True, metavar="SIZE", help="e.g. 32m")
        if action == "damage":
            one.add_argument("pattern", help="which files, relative to the volume, e.g. 'gen-0/ledger/ledger_*'")
            how = one.add_mutually_exclusive_group(required=True)
            how.add_argument("--flip", type=int, metavar="OFFSET", help="invert one byte; negative: from the end")
            how.add_argument("--truncate", type=int, metavar="SIZE", help="cut; negative: that many bytes off the end")
            how.add_argument("--remove", action="store_true", help="remove the files")
