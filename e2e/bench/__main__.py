"""`python -m e2e.bench [--runs N]`: recover a lost network by the operator and by a script in turn, and compare."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from ccf_operator.render.order import Platform
from e2e.bench import by_operator, by_script
from e2e.bench.moments import Cast, shown
from e2e.bench.recorder import Recorder
from e2e.bench.result import Run, Who, table
from e2e.bench.scene import Scene
from e2e.harness.environment import Environment, NotReady, prepare
from e2e.harness.kubectl import Kubectl, KubectlFailed
from e2e.harness.network import Network
from e2e.harness.waiting import NeverHappened, eventually

PROGRAM = "python -m e2e.bench"
RUNS = 5


def main() -> int:
    """Exit codes: 0, 1 where a run could not be finished, 2 where the cluster could not be made ready."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"recoveries by each (default {RUNS})")
    parser.add_argument("--only", choices=[who.value for who in Who], help="only one of the two")
    options = parser.parse_args()
    try:
        environment = prepare(say)
    except NotReady as problem:
        say(str(problem))
        return 2
    wanted = [Who(options.only)] if options.only else list(Who)
    runs: list[Run] = []
    try:
        for number in range(options.runs):
            # Who goes first changes: whatever grows worse with time is shared.
            for who in wanted if number % 2 == 0 else wanted[::-1]:
                runs.append(run(environment, who))
    except (NeverHappened, KubectlFailed, RuntimeError, TimeoutError) as problem:
        say(f"stopped: {problem}")
        return 1
    finally:
        if runs:
            print(table(runs), flush=True)
    return 0


def run(environment: Environment, who: Who) -> Run:
    """One recovery, on a network and in a namespace of its own, with nothing else going on."""
    setting = environment.in_namespace(f"bench-{who.value}-{secrets.token_hex(2)}")
    kubectl = setting.kubectl
    setting.faults.recycle_volumes()
    kubectl.run("create", "namespace", kubectl.namespace)
    try:
        network = Network(setting)
        network.open()
        network.write(5)
        with Recorder(kubectl) as recorder:
            found = _recovered(environment, who, network, recorder)
    finally:
        _remove(environment, kubectl)
    say(f"{who.value}: " + ", ".join(f"{moment.value} {at:.2f}" for moment, at in found.took.items()))
    return found


def _remove(environment: Environment, kubectl: Kubectl) -> None:
    """Have nothing left of a run, and the operator back; what cannot be done at once is tried again."""

    def gone() -> bool:
        environment.operator.scale(1)
        if kubectl.exists("namespace", kubectl.namespace):
            kubectl.delete("ccfnetwork", kubectl.names("ccfnetwork"), "--wait=false")
            kubectl.delete("namespace", [kubectl.namespace], "--wait=false")
        return not kubectl.exists("namespace", kubectl.namespace)

    eventually(f"nothing is left of {kubectl.namespace}", gone, within=180, every=1)


def _recovered(environment: Environment, who: Who, network: Network, recorder: Recorder) -> Run:
    primary = network.primary()
    backups = sorted(set(network.serving()) - {primary})
    scene = Scene(network, recorder, network.object(), killed=[primary, backups[0]], survivor=backups[1])
    if who is Who.SCRIPT:
        environment.operator.scale(0)
        asyncio.run(by_script.forget_evidence(scene))
    zero = scene.kill()
    if who is Who.OPERATOR:
        winner, marks = by_operator.recover(scene)
    else:
        platform = Platform(environment.operator_image, network.setting.cluster_domain)
        winner, marks = by_script.recover(scene, platform)
    cast = Cast(killed=frozenset(scene.killed), old=frozenset(scene.old), winner=winner)
    took = {**shown(recorder.events, cast), **marks}
    return Run(who, {moment: took[moment] - zero for moment in sorted(took, key=lambda moment: took[moment])})


def say(text: str) -> None:
    """Tell the person who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
