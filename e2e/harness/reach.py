"""How scenarios reach a pod's ports: by its address where pods can be reached, else through kubectl port-forward."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from e2e.harness.kubectl import Kubectl


class Reach(Protocol):
    """A way to a pod's port."""

    def to(self, kubectl: Kubectl, pod: str, port: int) -> AbstractContextManager[str]:
        """`host:port` under which the pod's port can be reached while the context is open."""


class Direct:
    """Pods can be reached by their addresses."""

    @contextmanager
    def to(self, kubectl: Kubectl, pod: str, port: int) -> Iterator[str]:
        yield f"{kubectl.get('pod', pod)['status']['podIP']}:{port}"


class Forwarded:
    """Pods can be reached only through the API server."""

    @contextmanager
    def to(self, kubectl: Kubectl, pod: str, port: int) -> Iterator[str]:
        command = [kubectl.program, "--namespace", kubectl.namespace, "port-forward", f"pod/{pod}", f":{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=kubectl.environment())
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", said)
            if found is None:
                raise ConnectionError(f"port-forward to {pod}:{port} said {said!r}")
            yield f"127.0.0.1:{found.group(1)}"
        finally:
            process.terminate()
            process.wait()
