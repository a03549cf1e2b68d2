"""Around the story: the cluster before it, the hints after it, and an end in any case."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import SubprocessError

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
PREPARING = 30.0
"""Seconds between two signs of life while others, who tell more, make the cluster ready."""
BUILD = ROOT / "build" / "demo"

STOPS = (NotReady, Stuck, Lost, NeverHappened, KubectlFailed, SubprocessError, RuntimeError, OSError)
"""What ends the story early, with a message that says why."""


def main(arguments: Sequence[str]) -> int:
    """Tell the story, or clean up after it."""
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description="A CCF network lost and recovered, live.")
    parser.add_argument("what", nargs="?", choices=["tell", "clean"], default="tell", help="default: tell")
    stage = Stage(Screen(_console()))
    act = {"tell": stage.tell, "clean": stage.clean}[parser.parse_args(arguments).what]
    try:
        act()
    except KeyboardInterrupt:
        stage.stop("stopped by you; what is there stays as it is")
        return 130
    except NeedsPerson as need:
        stage.stop(f"the story stops here: {need}", Hint("What to do:", [need.next_step]))
        return 1
    except STOPS as problem:
        stage.stop(f"the story stops here: {problem}")
        return 1
    return 0


def _console() -> Console:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    return Console(highlight=False, width=min(Console().width, WIDTH))


class Stage:
    """Where the story is told: it knows the cluster as soon as there is one."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._kubectl: Kubectl | None = None

    def tell(self) -> None:
        """The story from the cluster to the hints."""
        self._screen.chapter("A cluster with the operator on it")
        setting = self._prepare().in_namespace(NAMESPACE)
        self._kubectl = setting.kubectl
        clean(setting.kubectl, self._screen)
        network = Network(setting)
        keys.write(network.consortium.members, BUILD / "members")
        Story(network, self._screen).tell()
        certificate = BUILD / "service_cert.pem"
        certificate.write_text(network.identity()["service_cert.pem"])
        self._screen.chapter("The cluster is still up")
        entry = network.client.committed[-1]
        self._hint(farewell.look_around(setting.kubectl, network.name))
        self._hint(farewell.go_on(network, entry, certificate, BUILD / "members"))
        self._hint(farewell.removal(setting.kubectl))

    def clean(self) -> None:
        """Remove what the story has left."""
        self._kubectl = _kubectl()
        if self._kubectl is None:
            self._screen.text("There is no cluster, so there is nothing to clean up.")
            return
        clean(self._kubectl, self._screen)
        self._screen.text(f"Nothing is left of namespace {NAMESPACE}.")

    def stop(self, why: str, *remedies: Hint) -> None:
        """Say why the story ends before its end, and how to look at what is there."""
        self._screen.say("demo", why, Tone.BAD)
        self._hint(remedies)
        if self._kubectl is None:
            self._screen.text(farewell.once_more())
        else:
            self._hint([*farewell.look_around(self._kubectl, Network.name), *farewell.removal(self._kubectl)])

    def _prepare(self) -> Environment:
        with self._screen.heartbeat("still", every=PREPARING) as beat:

            def say(text: str) -> None:
                beat.show(text)
                self._screen.say("demo", text)

            environment = prepare(say)
        self._screen.say("demo", "the operator runs", Tone.GOOD)
        return environment

    def _hint(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            self._screen.text(hint.purpose)
            for command in hint.commands:
                self._screen.command(command)


def _kubectl() -> Kubectl | None:
    """kubectl on the cluster that is there; none is brought up for it."""
    if os.environ.get("CLUSTER") == "existing":
        return Kubectl("kubectl", None, NAMESPACE)
    kubeconfig = _output("kubeconfig")
    if not Path(kubeconfig).exists():
        return None
    return Kubectl(f"{_output('binaries')}/kubectl", kubeconfig, NAMESPACE)


def _output(what: str) -> str:
    done = subprocess.run([CLUSTER, what], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise NotReady(f"{CLUSTER} {what} failed; see above")
    return done.stdout.strip()
