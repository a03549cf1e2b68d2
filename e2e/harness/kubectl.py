"""kubectl, as a user has it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


class KubectlFailed(Exception):
    """kubectl said no; the message is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl on one cluster, in one namespace."""

    program: str
    kubeconfig: str | None
    namespace: str

    def within(self, namespace: str) -> Kubectl:
        """The same in another namespace."""
        return Kubectl(self.program, self.kubeconfig, namespace)

    def environment(self) -> dict[str, str]:
        """The environment in which kubectl and helm find the cluster."""
        return {**os.environ, **({"KUBECONFIG": self.kubeconfig} if self.kubeconfig else {})}

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run kubectl; its output. Raises KubectlFailed with what it said on the error stream."""
        done = subprocess.run(
            [self.program, "--namespace", self.namespace, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment(),
            check=False,
        )
        if done.returncode != 0:
            raise KubectlFailed(done.stderr.strip() or f"exit code {done.returncode}")
        return done.stdout

    def shell(self, command: str) -> str:
        """Run a command line as a person would in a shell that finds kubectl; its output. Raises KubectlFailed."""
        places = f"{Path(self.program).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {**self.environment(), "PATH": places}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            raise KubectlFailed(done.stderr.strip())
        return done.stdout

    def apply(self, *manifests: Mapping[str, Any]) -> str:
        """kubectl apply of these objects."""
        return self.run("apply", "--filename", "-", stdin=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> Object:
        """One object. Raises KubectlFailed if it is not there."""
        found: Object = json.loads(self.run("get", kind, name, "--output", "json"))
        return found

    def list(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind, or those that a label selector picks."""
        chosen = ["--selector", selector] if selector else []
        return list(json.loads(self.run("get", kind, *chosen, "--output", "json"))["items"])

    def names(self, kind: str, selector: str = "") -> set[str]:
        """The names of the same."""
        return {item["metadata"]["name"] for item in self.list(kind, selector)}

    def delete(self, kind: str, names: Iterable[str], *options: str, timeout: float = 120) -> None:
        """kubectl delete; what is not there is no error."""
        chosen = list(names)
        if chosen:
            self.run("delete", kind, *chosen, "--ignore-not-found", *options, timeout=timeout)

    def exists(self, kind: str, name: str) -> bool:
        """Whether an object is there."""
        return bool(self.run("get", kind, name, "--ignore-not-found", "--output", "name").strip())
