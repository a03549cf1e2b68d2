"""Where the API server is and who we are: inside a pod, or by a kubeconfig."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

_IN_CLUSTER_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def in_cluster() -> bool:
    """Whether this process runs in a pod with a service account."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and _IN_CLUSTER_TOKEN.exists()


async def connect(kubeconfig: str | None = None, context: str | None = None) -> Any:
    """An API client (`kubernetes.aio`); close it with `await client.close()`.

    A given kubeconfig comes first, then `KUBECONFIG`, then the pod's service account, then `~/.kube/config`.
    Raises `kubernetes.aio.config.ConfigException` where none is usable.
    """
    configuration: Any = type.__call__(Configuration)  # a copy of nothing: the class itself copies a shared default
    loader: Any = config
    path = kubeconfig or os.environ.get("KUBECONFIG")
    if path is None and in_cluster():
        loader.load_incluster_config(client_configuration=configuration)
    else:
        await loader.load_kube_config(
            config_file=path, context=context, client_configuration=configuration, persist_config=False
        )
    client = ApiClient(configuration=configuration)
    client.user_agent = "ccf-operator"
    return client
