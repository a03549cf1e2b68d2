"""The cluster, the images and the operator that everything end to end runs on.

By default the project's own cluster and the simulator's image; `CLUSTER=existing` takes the current kubeconfig, and
`CCF_IMAGE` (with `CCF_COMMAND`) a real CCF. On an existing cluster `OPERATOR_IMAGE` names the operator's image, and
`CLUSTER_DOMAIN` what its services' names end with where that is not `cluster.local`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from e2e.harness.faults import CLUSTER, OtherCluster, OwnCluster
from e2e.harness.kubectl import Kubectl, KubectlFailed
from e2e.harness.network import Setting
from e2e.harness.operator import Operator
from e2e.harness.reach import Direct, Forwarded

ROOT = Path(__file__).parents[2]
OPERATOR_NAMESPACE = "ccf-operator"
RELEASE = "ccf-operator"
OPERATOR_IMAGE = "ccf-operator:e2e"
SIMULATOR_IMAGE = "ccf-simulator:e2e"

Say = Callable[[str], None]


class NotReady(Exception):
    """The environment cannot be made ready; the message says what to do."""


@dataclass(frozen=True)
class Environment:
    """A cluster with the operator on it."""

    setting: Setting
    helm: str
    operator_image: str

    def uninstall(self) -> subprocess.CompletedProcess[str]:
        """helm uninstall of the operator, however it ends."""
        command = [self.helm, "uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--timeout", "60s"]
        environment = self.setting.kubectl.environment()
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    def let_operator_read(self, namespace: str, secret: str) -> None:
        """Give the operator the right to read a Secret with a member's key, as its chart does."""
        value = f"operatorMembers={json.dumps([{'namespace': namespace, 'secret': secret}])}"
        chart = str(ROOT / "charts" / "ccf-operator")
        command = [self.helm, "upgrade", RELEASE, chart, "--namespace", OPERATOR_NAMESPACE, "--reuse-values"]
        environment = self.setting.kubectl.environment()
        done = subprocess.run([*command, "--set-json", value], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr

    def in_namespace(self, namespace: str) -> Setting:
        """The setting for a network in this namespace."""
        s = self.setting
        return Setting(s.kubectl.within(namespace), s.reach, s.faults, s.image, s.command, s.cluster_domain)

    @property
    def operator(self) -> Operator:
        """The operator, to be handled from outside."""
        return Operator(self.setting.kubectl.within(OPERATOR_NAMESPACE), self.setting.faults)


def prepare(say: Say) -> Environment:
    """Bring up the cluster, build and load images, install the operator from its chart; only what is missing.

    Raises NotReady with what to do.
    """
    existing = os.environ.get("CLUSTER", "own")
    if existing not in ("own", "existing"):
        raise NotReady(f"CLUSTER={existing}: say CLUSTER=existing, or leave it out")
    environment = _existing() if existing == "existing" else _own(say)
    say("installing the operator from its chart")
    install(environment)
    if existing == "existing":
        say("giving the CCF image to every machine")
        _pull_everywhere(environment.setting)
    return environment


def _own(say: Say) -> Environment:
    say("bringing up the cluster (the first time its programs are built: some ten minutes)")
    _call([str(CLUSTER), "up"], "the cluster did not come up")
    binaries = Path(_output([str(CLUSTER), "binaries"]))
    kubectl = Kubectl(str(binaries / "kubectl"), _output([str(CLUSTER), "kubeconfig"]), "default")
    say("building and loading the images")
    operator = _image(OPERATOR_IMAGE, ROOT / "Dockerfile")
    simulator = os.environ.get("CCF_IMAGE") or _image(SIMULATOR_IMAGE, ROOT / "tests" / "simulator" / "Dockerfile")
    setting = Setting(kubectl, Direct(), OwnCluster(), simulator, _command())
    return Environment(setting, str(binaries / "helm"), operator)


def _existing() -> Environment:
    kubectl, helm = shutil.which("kubectl"), shutil.which("helm")
    if kubectl is None or helm is None:
        raise NotReady("CLUSTER=existing needs kubectl and helm on the PATH")
    image, operator = os.environ.get("CCF_IMAGE"), os.environ.get("OPERATOR_IMAGE")
    if not image or not operator:
        raise NotReady(
            "CLUSTER=existing needs CCF_IMAGE (a CCF application, or the simulator's image) and OPERATOR_IMAGE, both "
            "where the cluster's machines can pull them"
        )
    if ":" not in operator.rpartition("/")[2]:
        raise NotReady(f"OPERATOR_IMAGE={operator} has neither tag nor digest")
    domain = os.environ.get("CLUSTER_DOMAIN", "cluster.local")
    setting = Setting(Kubectl(kubectl, None, "default"), Forwarded(), OtherCluster(), image, _command(), domain)
    return Environment(setting, helm, operator)


def _pull_everywhere(setting: Setting) -> None:
    """Have every machine pull the CCF image, which may take longer than any scenario waits for a pod."""
    kubectl, name = setting.kubectl.within(OPERATOR_NAMESPACE), "e2e-ccf-image"
    labels = {"app": name}
    sleep = {"name": "sleep", "image": setting.image, "command": ["/bin/sh", "-c", "exec sleep 86400"]}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [sleep], "terminationGracePeriodSeconds": 0}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    kubectl.apply({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name}, "spec": spec})
    try:
        kubectl.run("rollout", "status", f"daemonset/{name}", timeout=900)
    except (KubectlFailed, subprocess.TimeoutExpired) as problem:
        raise NotReady(f"the machines could not all start a container from {setting.image}: {problem}") from problem
    finally:
        kubectl.delete("daemonset", [name], "--wait=false")


def _command() -> tuple[str, ...]:
    return tuple(shlex.split(os.environ.get("CCF_COMMAND", "")))


def _image(name: str, dockerfile: Path) -> str:
    _output([str(CLUSTER), "image", "build", name, str(ROOT), "--file", str(dockerfile)])
    return _output([str(CLUSTER), "image", "load", name]).splitlines()[-1]


def install(environment: Environment) -> None:
    """Install the operator, or upgrade it to the chart as it is. Raises NotReady."""
    repository, _, tag = environment.operator_image.rpartition(":")
    command = [
        environment.helm,
        "upgrade",
        "--install",
        RELEASE,
        str(ROOT / "charts" / "ccf-operator"),
        "--namespace",
        OPERATOR_NAMESPACE,
        "--create-namespace",
        "--set",
        f"image.repository={repository}",
        "--set",
        f"image.tag={tag}",
        "--set-string",
        f"podAnnotations.image-content={_image_content(environment.operator_image)}",
        "--set",
        f"clusterDomain={environment.setting.cluster_domain}",
        "--wait",
        "--timeout",
        "180s",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment.setting.kubectl.environment(), check=False
    )
    if done.returncode != 0:
        hint, helm = "", environment.helm if os.environ.get("CLUSTER") == "existing" else f"{CLUSTER} helm"
        if "another operation" in done.stderr:
            hint = f". Wait for it; if it was killed: {helm} rollback {RELEASE} --namespace {OPERATOR_NAMESPACE}"
        elif "no deployed releases" in done.stderr:
            hint = (
                f". An uninstall was refused, and not taken back: {helm} history {RELEASE} --namespace "
                f"{OPERATOR_NAMESPACE}, then the same with rollback and the last revision"
            )
        raise NotReady(f"the chart could not be installed: {done.stderr.strip()}{hint}")


def _image_content(image: str) -> str:
    """Something that changes with the image's content, so that a new one under the same tag is rolled out."""
    if os.environ.get("CLUSTER") == "existing":
        return image
    archive = _output([str(CLUSTER), "image", "build", OPERATOR_IMAGE, str(ROOT), "--file", str(ROOT / "Dockerfile")])
    return Path(archive.splitlines()[-1]).stem


def _call(command: list[str], problem: str) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        raise NotReady(f"{problem}; see above")


def _output(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise NotReady(f"{' '.join(command)} failed; see above")
    return done.stdout.strip()
