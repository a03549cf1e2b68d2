"""`python -m ccf_operator.uninstall`: fails while there are networks the operator looks after.

The chart runs it before an uninstall: without the operator a deleted network hangs on its finalizer, and a lost
majority stays lost.
"""

from __future__ import annotations

import asyncio
import os
import sys

from ccf_operator.kube.errors import NotFound
from ccf_operator.kube.gateway import Gateway


async def remaining(gateway: Gateway, namespaces: list[str]) -> list[str]:
    """`namespace/name` of the networks in these namespaces, or in all where none is named; none without the CRD.

    Raises KubeError if the API server cannot be asked: then nobody knows, and the uninstall must not go on.
    """
    try:
        if namespaces:
            lists = [await gateway.list_networks(namespace) for namespace in namespaces]
        else:
            lists = [await gateway.list_networks()]
    except NotFound:
        return []
    return [f"{n['metadata']['namespace']}/{n['metadata']['name']}" for found in lists for n in found]


async def free_rights(gateway: Gateway, binding: str, namespaces: list[str]) -> None:
    """Take our finalizer off the operator's RoleBindings: once it is gone, nobody else does. Raises KubeError."""
    for namespace in namespaces if binding else ():
        found = await gateway.get_role_binding(namespace, binding)
        if found is not None:
            await gateway.remove_rights_finalizer(namespace, binding, str(found["metadata"]["uid"]))


def refusal(networks: list[str], keep: str) -> str:
    """What to tell a person who wants to uninstall in spite of these networks; `keep` takes the uninstall back.

    Helm leaves a release whose uninstall was refused as `uninstalling`, and upgrades no such release.
    """
    return (
        f"Not uninstalling: the operator still looks after {', '.join(networks)}. Delete them first (their volumes "
        "stay): kubectl delete ccfnetwork --namespace NAMESPACE NAME. To leave them without an operator: "
        f"helm uninstall --no-hooks. To keep the operator, before the next upgrade: {keep}"
    )


async def main() -> int:
    """Exit code 1 and a message if there are networks, else 0."""
    namespaces = [n.strip() for n in os.environ.get("CCF_OPERATOR_WATCH_NAMESPACES", "").split(",") if n.strip()]
    async with await Gateway.connect() as gateway:
        networks = await remaining(gateway, namespaces)
        if not networks:
            await free_rights(gateway, os.environ.get("CCF_OPERATOR_ROLE_BINDING", ""), namespaces)
    if networks:
        print(refusal(networks, os.environ.get("CCF_OPERATOR_KEEP", "helm rollback")), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
