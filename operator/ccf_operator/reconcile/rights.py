"""The operator's rights in one namespace, which must not go before what they are needed for.

Whoever deletes a namespace has all in it deleted at once, the operator's RoleBinding with the rest, and then nobody may
take the finalizers off pods and networks. The chart puts a finalizer on the RoleBinding; the operator takes it off when
nothing is left that it holds, or at once where only the rights are to go.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ccf_operator import logs
from ccf_operator.kube.errors import Forbidden, KubeError
from ccf_operator.kube.gateway import Gateway, Outcome
from ccf_operator.render import labels

AGAIN_SECONDS = 5.0
"""Between two looks at the RoleBinding of a namespace."""

_log = logs.get(__name__)


@dataclass
class Rights:
    """Looks after the RoleBindings of this name, one in each namespace."""

    gateway: Gateway
    binding: str
    namespaces: tuple[str, ...]

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for namespace in self.namespaces:
                try:
                    if await self.let_go(namespace):
                        _log.info("the operator's rights are let go", namespace=namespace)
                except Forbidden:
                    continue  # they are gone, or were given otherwise
                except KubeError as error:
                    _log.warning(
                        "the operator's rights could not be looked after", namespace=namespace, error=str(error)
                    )
            await asyncio.sleep(AGAIN_SECONDS)

    async def let_go(self, namespace: str) -> bool:
        """Take the finalizer off a RoleBinding that is being deleted and not needed any more. Raises KubeError."""
        found = await self.gateway.get_role_binding(namespace, self.binding)
        if found is None or not found["metadata"].get("deletionTimestamp"):
            return False
        if labels.RIGHTS_FINALIZER not in (found["metadata"].get("finalizers") or ()):
            return False
        if await self.gateway.is_namespace_terminating(namespace) and await self._are_needed(namespace):
            return False
        uid = str(found["metadata"]["uid"])
        return await self.gateway.remove_rights_finalizer(namespace, self.binding, uid) is Outcome.DONE

    async def _are_needed(self, namespace: str) -> bool:
        """Whether a network or a pod is there that our finalizer may hold."""
        if await self.gateway.list_networks(namespace):
            return True
        pods = await self.gateway.list_managed_pods(namespace)
        return any(labels.POD_FINALIZER in (pod["metadata"].get("finalizers") or ()) for pod in pods)
