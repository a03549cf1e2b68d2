"""A real etcd and a real kube-apiserver on loopback; where a test asks for them, Kubernetes' own controllers, too.

Neither scheduler nor kubelet.
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

CONTROLLERS = (
    "disruption-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-protection-controller",
    "persistentvolumeclaim-protection-controller",
    "resourcequota-controller",
)
"""Those that a test's kube-controller-manager runs: what takes objects away, or guards them."""

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.1
_ATTEMPTS = 3


@dataclass
class Program:
    """One of the programs: it can be ended, started again with the same arguments, or made to hang."""

    name: str
    log: Path
    command: list[str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its output is appended to its log."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """Let it do nothing, with all its connections open, until `thaw`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it as one asks a program to end."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@dataclass(frozen=True)
class ControlPlane:
    """What is needed to talk to the running API server."""

    url: str
    etcd: Program
    api_server: Program
    certificate: Path
    token: str
    """Of a user who may do everything."""
    operator_token: str
    directory: Path
    binaries: Path
    operator_user: str
    kubeconfig: Path
    """Of a user who may do everything."""
    operator_kubeconfig: Path
    """Of `operator_user`, who may do only what RBAC grants."""

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl to its end, whatever its result."""
        command = [str(self.binaries / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)

    def wait_ready(self) -> None:
        """Until the API server is ready. Raises StartError if a program has ended, or it takes too long."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            for program in (self.etcd, self.api_server):
                if program.process is None or program.process.poll() is not None:
                    raise StartError(f"{program.name} has ended:\n{program.last_words()}")
            if self.certificate.exists() and _ready(self.url, self.certificate, token=self.token):
                return
            if time.monotonic() > deadline:
                raise StartError(f"not ready in {_READY_SECONDS} s:\n{self.api_server.last_words()}")
            time.sleep(_POLL_SECONDS)


@contextmanager
def controlled(control_plane: ControlPlane, directory: Path) -> Iterator[Program]:
    """The real kube-controller-manager with `CONTROLLERS`, ready on entering and ended on leaving.

    Volumes are bound and, by their reclaim policy, deleted: of a `hostPath` volume below /tmp the directory is removed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        [port] = _free_ports(1)
        manager = _program(
            stack,
            directory,
            "kube-controller-manager",
            [
                str(control_plane.binaries / "kube-controller-manager"),
                f"--kubeconfig={control_plane.kubeconfig}",
                f"--controllers={','.join(CONTROLLERS)}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                f"--cert-dir={directory / 'pki'}",
                "--pvclaimbinder-sync-period=1s",
                "--resource-quota-sync-period=1s",
                "--kube-api-qps=200",
                "--kube-api-burst=400",
                f"--flex-volume-plugin-dir={directory / 'volume-plugins'}",
            ],
        )
        deadline = time.monotonic() + _READY_SECONDS
        while not _ready(
            f"https://127.0.0.1:{port}", directory / "pki" / "kube-controller-manager.crt", path="healthz"
        ):
            if manager.process is None or manager.process.poll() is not None:
                raise StartError(f"{manager.name} has ended:\n{manager.last_words()}")
            if time.monotonic() > deadline:
                raise StartError(f"not ready in {_READY_SECONDS} s:\n{manager.last_words()}")
            time.sleep(_POLL_SECONDS)
        yield manager


class StartError(Exception):
    """A part did not come up; the message ends with its last words."""


@contextmanager
def running(binaries: Path, directory: Path, operator_user: str) -> Iterator[ControlPlane]:
    """Start both, wait until the API server is ready, and stop both on leaving.

    Ports are chosen free a moment before they are bound; if another process was faster, all is begun again.
    """
    for attempt in range(_ATTEMPTS):
        here = directory / str(attempt)
        here.mkdir(parents=True)
        with ExitStack() as stack:
            try:
                control_plane = _start(stack, binaries, here, operator_user)
            except StartError:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            yield control_plane
            return


def _start(stack: ExitStack, binaries: Path, directory: Path, operator_user: str) -> ControlPlane:
    client_port, peer_port, api_port = _free_ports(3)
    etcd_url = f"http://127.0.0.1:{client_port}"
    peer_url = f"http://127.0.0.1:{peer_port}"
    etcd = _program(
        stack,
        directory,
        "etcd",
        [
            str(binaries / "etcd"),
            f"--data-dir={directory / 'etcd'}",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
    )
    tokens = {"admin": secrets.token_hex(16), operator_user: secrets.token_hex(16)}
    token_file = directory / "tokens.csv"
    token_file.write_text(f'{tokens["admin"]},admin,1,"system:masters"\n{tokens[operator_user]},{operator_user},2\n')
    key_file = directory / "service-account.key"
    key_file.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    url = f"https://127.0.0.1:{api_port}"
    api_server = _program(
        stack,
        directory,
        "kube-apiserver",
        [
            str(binaries / "kube-apiserver"),
            f"--etcd-servers={etcd_url}",
            f"--cert-dir={directory / 'pki'}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={api_port}",
            f"--token-auth-file={token_file}",
            "--authorization-mode=RBAC",
            # There is no controller that would make the service accounts that its admission asks for.
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key_file}",
            f"--service-account-signing-key-file={key_file}",
            "--endpoint-reconciler-type=none",
            "--watch-cache=true",
        ],
    )
    certificate = directory / "pki" / "apiserver.crt"
    control_plane = ControlPlane(
        url=url,
        etcd=etcd,
        api_server=api_server,
        certificate=certificate,
        token=tokens["admin"],
        operator_token=tokens[operator_user],
        directory=directory,
        binaries=binaries,
        operator_user=operator_user,
        kubeconfig=_kubeconfig(directory / "admin.kubeconfig", url, certificate, tokens["admin"]),
        operator_kubeconfig=_kubeconfig(directory / "operator.kubeconfig", url, certificate, tokens[operator_user]),
    )
    control_plane.wait_ready()
    return control_plane


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [int(free.getsockname()[1]) for free in sockets]


def _program(stack: ExitStack, directory: Path, name: str, command: list[str]) -> Program:
    program = Program(name, directory / f"{name}.log", command)
    stack.callback(program.end)
    program.start()
    return program


def _ready(url: str, certificate: Path, *, token: str | None = None, path: str = "readyz") -> bool:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    request = urllib.request.Request(f"{url}/{path}", headers=headers)
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(request, timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _kubeconfig(path: Path, url: str, certificate: Path, token: str) -> Path:
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(certificate)}}],
                "users": [{"name": "test", "user": {"token": token}}],
            }
        )
    )
    path.chmod(0o600)
    return path
