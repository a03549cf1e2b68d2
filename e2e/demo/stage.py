"""Around the story: the cluster before it, the hints after it, and an end in any case."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from e2e.demo import farewell, keys
from e2e.demo.cleaning import clean
from e2e.demo.farewell import Hint
from e2e.demo.following import NeedsPerson, Stuck
from e2e.demo.news import Tone
from e2e.demo.screen import Screen
from e2e.demo.story import Lost, Story
from e2e.harness.environment import ROOT, Environment, NotReady, prepare
from e2e.harness.faults import CLUSTER
from e2e.harness.kubectl import Kubectl, KubectlFailed
from e2e.harness.network import Network
from e2e.harness.waiting import NeverHappened

NAMESPACE = "ccf-demo"
WIDTH = 100
BUILD = ROOT / "build" / "demo"


def main(arguments: Sequence[str]) -> int:
    """Tell the story, or clean up after it."""
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description="A CCF network lost and recovered, live.")
    parser.add_argument("what", nargs="?", choices=["tell", "clean"], default="tell", help="default: tell")
    screen = Screen(_console())
    act = {"tell": _tell, "clean": _clean}[parser.parse_args(arguments).what]
    try:
        act(screen)
    except KeyboardInterrupt:
        _stop(screen, "stopped by you; what is there stays as it is")
        return 130
    except (NotReady, NeedsPerson, Stuck, Lost, NeverHappened, KubectlFailed, RuntimeError, OSError) as problem:
        _stop(screen, f"the story stops here: {problem}")
        return 1
    return 0


def _console() -> Console:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    console = Console(highlight=False)
    return Console(highlight=False, width=min(console.width, WIDTH))


def _tell(screen: Screen) -> None:
    screen.chapter("A cluster with the operator on it")
    environment = _prepare(screen)
    setting = environment.in_namespace(NAMESPACE)
    clean(setting.kubectl, screen)
    network = Network(setting)
    keys.write(network.consortium.members, BUILD / "members")
    Story(network, screen).tell()
    certificate = BUILD / "service_cert.pem"
    certificate.write_text(network.identity()["service_cert.pem"])
    screen.chapter("The cluster is still up")
    entry = network.client.committed[-1]
    _print(screen, farewell.look_around(setting.kubectl, network.name))
    _print(screen, farewell.go_on(network, entry, certificate, BUILD / "members"))
    _print(screen, farewell.removal(setting.kubectl))


def _prepare(screen: Screen) -> Environment:
    with screen.heartbeat("still at it") as beat:

        def say(text: str) -> None:
            beat.show(text)
            screen.say("demo", text)

        environment = prepare(say)
    screen.say("demo", "the operator runs", Tone.GOOD)
    return environment


def _clean(screen: Screen) -> None:
    kubectl = _kubectl()
    if kubectl is None:
        screen.text("There is no cluster, so there is nothing to clean up.")
        return
    clean(kubectl, screen)
    screen.text(f"Nothing is left of namespace {NAMESPACE}.")


def _kubectl() -> Kubectl | None:
    """kubectl on the cluster that is there; none is brought up for it."""
    if os.environ.get("CLUSTER") == "existing":
        return Kubectl("kubectl", None, NAMESPACE)
    kubeconfig = _output("kubeconfig")
    if not Path(kubeconfig).exists():
        return None
    return Kubectl(f"{_output('binaries')}/kubectl", kubeconfig, NAMESPACE)


def _output(what: str) -> str:
    done = subprocess.run([CLUSTER, what], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _stop(screen: Screen, why: str) -> None:
    screen.say("demo", why, Tone.BAD)
    try:
        kubectl = _kubectl()
    except (OSError, subprocess.CalledProcessError):
        return
    if kubectl is not None:
        _print(screen, [*farewell.look_around(kubectl, Network.name), *farewell.removal(kubectl)])


def _print(screen: Screen, hints: Sequence[Hint]) -> None:
    for hint in hints:
        screen.text(hint.purpose)
        for command in hint.commands:
            screen.command(command)
