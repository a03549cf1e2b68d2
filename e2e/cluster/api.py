"""A few calls to the cluster's API server, with the standard library alone."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.cluster import pki
from e2e.cluster.layout import API_ADDRESS, API_PORT
from e2e.cluster.say import ClusterError

Object = dict[str, Any]


class NotFound(ClusterError):
    """The API server knows no such object."""


class Api:
    """The API server as the administrator sees it. Paths start at the root, e.g. `/api/v1/nodes`."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
        user = config["users"][0]["user"]
        self._context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            self._context.load_cert_chain(pair.name)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )

    def get(self, path: str) -> Object:
        return self._call("GET", path)

    def ensure(self, path: str, body: Object) -> None:
        """Create an object in a collection, unless one of its name is there already."""
        try:
            self.get(f"{path}/{body['metadata']['name']}")
        except NotFound:
            self._call("POST", path, body)

    def merge(self, path: str, body: Object) -> None:
        self._call("PATCH", path, body, "application/merge-patch+json")

    def ready(self) -> bool:
        try:
            with self._opener.open(self._url("/readyz"), timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _url(self, path: str) -> str:
        return f"https://{API_ADDRESS}:{API_PORT}{path}"

    def _call(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Object:
        request = urllib.request.Request(self._url(path), method=method, headers={"Content-Type": kind})
        data = None if body is None else json.dumps(body).encode()
        try:
            with self._opener.open(request, data, timeout=15) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise NotFound(f"there is no {path}") from error
            raise ClusterError(f"{method} {path}: {error.code} {error.read(2000).decode(errors='replace')}") from error
        except urllib.error.URLError as error:
            raise ClusterError(f"the API server does not answer: {error.reason}") from error


def administrator() -> Api:
    path = pki.administrator_kubeconfig()
    if not path.exists():
        raise ClusterError("the cluster is not up: run `e2e/cluster/cluster up`")
    return Api(path)


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Look every tenth of a second; ClusterError when the time has run out."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.1)
