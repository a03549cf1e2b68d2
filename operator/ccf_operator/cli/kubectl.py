"""Kubernetes as the user's kubectl sees it: its kubeconfig, context, namespace, credentials and plugins for these."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ccf_operator.cli.exits import Exit, Failure

Object = dict[str, Any]

FORWARD_TIMEOUT = 10.0
_LONGEST_LINE = 4 * 1024 * 1024
_LOG_LINE = re.compile(r"[EWI]\d{4} \d\d:\d\d:\d\d")
_LISTENING = re.compile(r"127\.0\.0\.1:(\d+)")


class KubectlFailed(Exception):
    """kubectl ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl, with the flags that say which cluster and namespace; None leaves the choice to kubectl."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    @property
    def flags(self) -> list[str]:
        """The same flags again, for commands that are shown to people."""
        named = {"--kubeconfig": self.kubeconfig, "--context": self.context, "--namespace": self.namespace}
        return [part for flag, value in named.items() if value is not None for part in (flag, value)]

    def within(self, namespace: str) -> Kubectl:
        """The same in a given namespace."""
        return Kubectl(self.kubeconfig, self.context, namespace)

    async def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl; what it printed. Raises KubectlFailed with what it said on the error stream."""
        process = await self._start(*arguments, stdin=stdin is not None)
        said, complaint = await process.communicate(stdin.encode() if stdin is not None else None)
        if process.returncode != 0:
            raise KubectlFailed(_in_short(complaint) or f"exit code {process.returncode}")
        return said.decode(errors="replace")

    async def get(self, kind: str, name: str) -> Object | None:
        """One object; None if it does not exist. Raises KubectlFailed."""
        text = await self.run("get", kind, name, "--ignore-not-found", "--output", "json")
        found: Object | None = json.loads(text) if text.strip() else None
        return found

    async def list(self, kind: str, selector: str) -> list[Object]:
        """The objects that a label selector picks. Raises KubectlFailed."""
        return list(json.loads(await self.run("get", kind, "--selector", selector, "--output", "json"))["items"])

    async def apply(self, manifest: Mapping[str, Any], *options: str) -> str:
        """kubectl apply of one object; what it said. Raises KubectlFailed."""
        return await self.run("apply", "--filename", "-", *options, stdin=json.dumps(manifest))

    async def create(self, manifest: Mapping[str, Any]) -> str:
        """kubectl create of one object; what it said. Raises KubectlFailed."""
        return await self.run("create", "--filename", "-", stdin=json.dumps(manifest))

    async def lines(self, *arguments: str) -> AsyncIterator[str]:
        """Run kubectl and give its output line by line as it comes. Raises KubectlFailed at its end."""
        process = await self._start(*arguments)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async for line in process.stdout:
                yield line.decode(errors="replace").rstrip("\n")
            complaint = await process.stderr.read()
            if await process.wait() != 0:
                raise KubectlFailed(_in_short(complaint) or f"exit code {process.returncode}")
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    @asynccontextmanager
    async def forward(self, pod: str, port: int) -> AsyncIterator[str]:
        """`127.0.0.1:port` that reaches a pod's port through the API server while the context is open.

        Raises KubectlFailed."""
        process = await self._start("port-forward", f"pod/{pod}", f":{port}")
        try:
            assert process.stdout is not None
            try:
                async with asyncio.timeout(FORWARD_TIMEOUT):
                    said = (await process.stdout.readline()).decode(errors="replace")
            except TimeoutError as error:
                raise KubectlFailed(f"port-forward to {pod} did not start within {FORWARD_TIMEOUT:g} s") from error
            found = _LISTENING.search(said)
            if found is None:
                assert process.stderr is not None
                raise KubectlFailed(_in_short(await process.stderr.read()) or f"port-forward to {pod} said {said!r}")
            yield f"127.0.0.1:{found.group(1)}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def _start(self, *arguments: str, stdin: bool = False) -> asyncio.subprocess.Process:
        program = os.environ.get("KUBECTL") or shutil.which("kubectl")
        if program is None:
            raise Failure(
                Exit.CLUSTER,
                "kubectl was not found",
                "install kubectl and put it on the PATH, or name it in the environment variable KUBECTL",
            )
        return await asyncio.create_subprocess_exec(
            program,
            *self.flags,
            *arguments,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )


def _in_short(complaint: bytes) -> str:
    """What kubectl said, without the lines it logs for its developers."""
    lines = complaint.decode(errors="replace").strip().splitlines()
    return "; ".join(line.removeprefix("error: ") for line in lines if not _LOG_LINE.match(line))


def cluster_failure(error: KubectlFailed) -> Failure:
    """What kubectl said, with what to do about it."""
    said = str(error)
    if "the server doesn't have a resource type" in said or "no matches for kind" in said:
        do = "install the operator's chart on this cluster (its CRDs are missing), or choose another --context"
    elif "Forbidden" in said or "forbidden" in said:
        do = "ask whoever runs the cluster for the permission that the message names"
    elif said.startswith("stat ") and "no such file" in said:
        do = "give a kubeconfig that is there, by --kubeconfig or the environment variable KUBECONFIG"
    elif "context" in said and "does not exist" in said:
        do = "kubectl config get-contexts lists the contexts there are"
    else:
        do = "check that `kubectl get ccf` works with the same --kubeconfig, --context and --namespace"
    return Failure(Exit.CLUSTER, said, do)
