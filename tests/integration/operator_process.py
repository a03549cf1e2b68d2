"""The operator as its own process, as in a pod but for the kubeconfig."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OPERATOR = Path(__file__).resolve().parents[2] / "operator"


@dataclass
class OperatorProcess:
    """A running operator."""

    process: subprocess.Popen[bytes]
    log: Path
    health_port: int

    def kill(self) -> None:
        """End it between any two of its steps."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as Kubernetes does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def operator(kubeconfig: Path, namespace: str, log: Path) -> Iterator[OperatorProcess]:
    """An operator that watches one namespace; ended on leaving, if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("CCF_OPERATOR_")},
        "PYTHONPATH": str(OPERATOR),
        "KUBECONFIG": str(kubeconfig),
        "CCF_OPERATOR_IMAGE": "registry.example/ccf-operator:test",
        "CCF_OPERATOR_WATCH_NAMESPACES": namespace,
        "CCF_OPERATOR_HEALTH_PORT": str(port),
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ccf_operator"], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    running = OperatorProcess(process, log, port)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.kill()
