"""The one way to the Kubernetes API.

Every read is fresh (no resourceVersion, so the API server answers from a quorum read), every call ends within a set
time once it is its turn, and every write names the very object it is meant for: by UID, or by resourceVersion. Objects
go in and out as plain JSON: the generated models cost tens of megabytes and know nothing of our own kind.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self
from urllib.parse import quote

import aiohttp

from ccf_operator.kube.connection import connect
from ccf_operator.kube.errors import (
    AlreadyExists,
    Conflict,
    Invalid,
    KubeError,
    NameTaken,
    NotFound,
    NotServed,
    Unavailable,
    from_answer,
)
from ccf_operator.kube.ownership import controller_of, may_be_taken_over, owner_uid, references_for
from ccf_operator.kube.turns import Turns
from ccf_operator.render import labels
from ccf_operator.render.names import NetworkRef

Raw = dict[str, Any]
Confirm = Callable[[], Awaitable[None]]
"""Called last before something is written or sent: raises what it must, such as Conflict, if that is out of date."""

_PLURALS = {
    "Pod": "pods",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Service": "services",
    "Node": "nodes",
    "Namespace": "namespaces",
    "RoleBinding": "rolebindings",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Event": "events",
    labels.KIND: labels.PLURAL,
    labels.DECISION_KIND: labels.DECISION_PLURAL,
}
_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_ATTEMPTS = 5
_PAGE = 500


class Outcome(StrEnum):
    """What became of a write that names its object by UID."""

    DONE = "done"
    """It was accepted, or there was nothing to change."""
    GONE = "gone"
    """No object of that name exists."""
    REPLACED = "replaced"
    """The name belongs to another object: ours is gone."""


def _path(api_version: str, kind: str, namespace: str | None, name: str | None = None, subresource: str = "") -> str:
    parts = ["api" if "/" not in api_version else "apis", *api_version.split("/")]
    if namespace is not None:
        parts += ["namespaces", namespace]
    parts.append(_PLURALS[kind])
    if name is not None:
        parts.append(name)
    if subresource:
        parts.append(subresource)
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Gateway:
    """Thin, typed methods over the API; each raises `KubeError` (see `kube.errors`) and nothing else."""

    def __init__(self, client: Any, *, call_timeout: float = 10.0, identity: str = "ccf-operator") -> None:
        """`client` is what `connect` returns; `call_timeout` in seconds; `identity` signs events."""
        self._client = client
        self._timeout = call_timeout
        self._identity = identity
        self._turns = Turns()

    @classmethod
    async def connect(
        cls, kubeconfig: str | None = None, *, call_timeout: float = 10.0, identity: str = "ccf-operator"
    ) -> Self:
        """A gateway of its own connection, by the rules of `kube.connection.connect`."""
        return cls(await connect(kubeconfig), call_timeout=call_timeout, identity=identity)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # What the API server serves of ours

    async def served_resources(self) -> frozenset[str]:
        """Resources and subresources that are served in our group and version: `ccfnetworks`, `ccfnetworks/status`."""
        try:
            answer = await self._request("GET", f"/apis/{labels.API_VERSION}")
        except (NotFound, NotServed):
            return frozenset()
        return frozenset(str(one.get("name")) for one in answer.get("resources") or [])

    async def served_schemas(self) -> dict[str, Raw]:
        """Schemas (OpenAPI v3) of the kinds that are served in our group and version, by kind."""
        answer = await self._request("GET", f"/openapi/v3/apis/{labels.API_VERSION}")
        schemas: dict[str, Raw] = (answer.get("components") or {}).get("schemas") or {}
        group, _, version = labels.API_VERSION.partition("/")
        return {
            str(kind["kind"]): schema
            for schema in schemas.values()
            for kind in schema.get("x-kubernetes-group-version-kind") or []
            if (kind.get("group"), kind.get("version")) == (group, version)
        }

    # The network object

    async def get_network(self, namespace: str, name: str) -> Raw | None:
        """The CCFNetwork, or None."""
        return await self._get(labels.API_VERSION, labels.KIND, namespace, name)

    async def list_networks(self, namespace: str | None = None) -> list[Raw]:
        """The CCFNetworks of one namespace, or of all."""
        return await self._list(labels.API_VERSION, labels.KIND, namespace)

    async def replace_status(
        self, namespace: str, name: str, resource_version: str, status: Mapping[str, Any], uid: str | None = None
    ) -> Raw:
        """Write the whole status if the object is still at `resource_version`; the object as written.

        Raises Conflict if it is not (someone else wrote), NotFound if it is gone.
        """
        metadata = {"name": name, "namespace": namespace, "resourceVersion": resource_version}
        if uid is not None:
            metadata["uid"] = uid
        body = {"apiVersion": labels.API_VERSION, "kind": labels.KIND, "metadata": metadata, "status": dict(status)}
        path = _path(labels.API_VERSION, labels.KIND, namespace, name, "status")
        return await self._request("PUT", path, body=body, query={"fieldManager": labels.FIELD_MANAGER})

    async def add_network_finalizer(self, namespace: str, name: str, uid: str) -> Outcome:
        """Put our finalizer on the CCFNetwork; an object that is being deleted is left alone (DONE)."""
        for attempt in range(_ATTEMPTS):
            network = await self.get_network(namespace, name)
            if network is None:
                return Outcome.GONE
            metadata = network["metadata"]
            if metadata["uid"] != uid:
                return Outcome.REPLACED
            finalizers = list(metadata.get("finalizers") or [])
            if labels.NETWORK_FINALIZER in finalizers or metadata.get("deletionTimestamp"):
                return Outcome.DONE
            patch = {
                "metadata": {
                    "uid": uid,
                    "resourceVersion": metadata["resourceVersion"],
                    "finalizers": [*finalizers, labels.NETWORK_FINALIZER],
                }
            }
            try:
                await self._merge_patch(labels.API_VERSION, labels.KIND, namespace, name, patch)
            except (Conflict, Invalid):
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            return Outcome.DONE
        raise AssertionError("unreachable")

    async def remove_network_finalizer(self, namespace: str, name: str, uid: str) -> Outcome:
        """Take our finalizer off the CCFNetwork: the last thing done for it."""
        return await self._remove_finalizer(
            labels.API_VERSION, labels.KIND, namespace, name, uid, labels.NETWORK_FINALIZER
        )

    # Decisions about recoveries

    async def list_decisions(self, namespace: str) -> list[Raw]:
        """The CCFRecoveryDecisions of a namespace; none where their definition is not installed."""
        try:
            return await self._list(labels.API_VERSION, labels.DECISION_KIND, namespace)
        except (NotFound, NotServed):
            return []

    async def list_events(self, namespace: str, network: str) -> list[Raw]:
        """The events (`events.k8s.io/v1`) that bear the label of a network: none of the operator's own."""
        return await self._list("events.k8s.io/v1", "Event", namespace, labels.to_selector({labels.NETWORK: network}))

    async def list_events_about(self, namespace: str, uid: str) -> list[Raw]:
        """The events (`events.k8s.io/v1`) about the object with this UID, whoever has written them."""
        return await self._list("events.k8s.io/v1", "Event", namespace, fields=f"regarding.uid={uid}")

    async def answer_decision(self, namespace: str, name: str, uid: str, status: Mapping[str, Any]) -> Outcome:
        """Write the status of the CCFRecoveryDecision with this UID."""
        patch: list[Raw] = [
            # A merge patch of the subresource leaves metadata out, and so does not compare the UID.
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": dict(status)},
        ]
        try:
            await self._json_patch(labels.API_VERSION, labels.DECISION_KIND, namespace, name, patch, "status")
        except NotFound:
            return Outcome.GONE
        except (Conflict, Invalid):
            outcome = await self._whose(labels.API_VERSION, labels.DECISION_KIND, namespace, name, uid)
            if outcome is Outcome.DONE:
                raise
            return outcome
        return Outcome.DONE

    # Fresh reads

    async def list_pods(self, namespace: str, network: str) -> list[Raw]:
        """All pods that bear the network's label, whoever owns them."""
        return await self._list("v1", "Pod", namespace, labels.selector_of(network))

    async def list_claims(self, namespace: str, network: str) -> list[Raw]:
        """All PersistentVolumeClaims that bear the network's label, those of an earlier network of its name too."""
        return await self._list("v1", "PersistentVolumeClaim", namespace, labels.selector_of(network))

    async def list_config_maps(self, namespace: str, network: str) -> list[Raw]:
        """All ConfigMaps that bear the network's label."""
        return await self._list("v1", "ConfigMap", namespace, labels.selector_of(network))

    async def get_pod(self, namespace: str, name: str) -> Raw | None:
        """The pod, or None."""
        return await self._get("v1", "Pod", namespace, name)

    async def get_claim(self, namespace: str, name: str) -> Raw | None:
        """The PersistentVolumeClaim, or None."""
        return await self._get("v1", "PersistentVolumeClaim", namespace, name)

    async def get_config_map(self, namespace: str, name: str) -> Raw | None:
        """The ConfigMap, or None."""
        return await self._get("v1", "ConfigMap", namespace, name)

    async def version_of_config_map(self, namespace: str, name: str) -> str | None:
        """UID and resourceVersion of the ConfigMap, as one word, or None; what it holds is not read."""
        try:
            found = await self._request("GET", _path("v1", "ConfigMap", namespace, name), accept=_METADATA_ONLY)
        except NotFound:
            return None
        return f"{found['metadata']['uid']}/{found['metadata']['resourceVersion']}"

    async def get_secret(self, namespace: str, name: str) -> Raw | None:
        """The Secret, or None. Raises Forbidden unless the operator was given the right to read just this one."""
        return await self._get("v1", "Secret", namespace, name)

    async def find(self, api_version: str, kind: str, namespace: str, name: str) -> Raw | None:
        """Any object of the kinds the operator makes, or None."""
        return await self._get(api_version, kind, namespace, name)

    async def get_pv(self, name: str) -> Raw | None:
        """The PersistentVolume, or None. Raises Forbidden where the operator may not read PersistentVolumes."""
        return await self._get("v1", "PersistentVolume", None, name)

    async def is_namespace_terminating(self, namespace: str) -> bool:
        """Whether a namespace is being deleted, or gone. Raises Forbidden where the operator may not read it."""
        found = await self._get("v1", "Namespace", None, namespace)
        return found is None or found["metadata"].get("deletionTimestamp") is not None

    async def get_machines(self, names: Iterable[str]) -> dict[str, Raw]:
        """The named Kubernetes Nodes that exist; a name that is missing in the answer has no Node now.

        Raises Forbidden where the operator may not read Nodes.
        """
        wanted = sorted(set(names))
        found = await asyncio.gather(*(self._get("v1", "Node", None, name) for name in wanted))
        return {name: machine for name, machine in zip(wanted, found, strict=True) if machine is not None}

    async def get_role_binding(self, namespace: str, name: str) -> Raw | None:
        """The RoleBinding, or None. Raises Forbidden for any but the operator's own."""
        return await self._get(_RBAC, "RoleBinding", namespace, name)

    async def list_managed_pods(self, namespace: str) -> list[Raw]:
        """All pods of a namespace that the operator has made, of whichever network."""
        return await self._list("v1", "Pod", namespace, labels.to_selector({labels.MANAGED_BY: labels.FIELD_MANAGER}))

    # Writes

    async def create(self, manifest: Mapping[str, Any]) -> Literal["created", "exists"]:
        """Create the object unless one of its name exists. Never changes what exists.

        Raises NameTaken if what exists is not ours: another controller (or none) where the manifest names one,
        another `ccf.dev/network-uid` label where the manifest has one.
        """
        api_version, kind, namespace, name = _identity(manifest)
        for attempt in range(_ATTEMPTS):
            try:
                await self._request(
                    "POST",
                    _path(api_version, kind, namespace),
                    body=dict(manifest),
                    query={"fieldManager": labels.FIELD_MANAGER},
                )
            except AlreadyExists:
                existing = await self._get(api_version, kind, namespace, name)
                if existing is None:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    continue
                if not _same_owner(manifest, existing):
                    raise NameTaken(kind, name) from None
                return "exists"
            return "created"
        raise AssertionError("unreachable")

    async def apply(
        self,
        manifest: Mapping[str, Any],
        owner: NetworkRef,
        confirm: Confirm | None = None,
        lives: frozenset[str] = frozenset(),
        instead_of: Callable[[Raw | None], None] = lambda _existing: None,
    ) -> Raw:
        """Server-side apply as `ccf-operator`, taking over fields others set; the object as it is then.

        Applying the same again changes nothing, not even the resourceVersion. The object is written at the version
        that was read before `confirm` was called, which raises what it must if the manifest is not wanted any more:
        so that no writer, however late, takes back what another has written since. `instead_of` is called with what
        exists, if anything, and raises what it must if the manifest is not to take its place. One that was made for the
        network, or for one of its earlier `lives` (UIDs), and has no living controller is taken over. Raises NameTaken
        if an object of that name belongs to anybody else, Conflict if it has changed meanwhile.
        """
        api_version, kind, namespace, name = _identity(manifest)
        existing = await self._get(api_version, kind, namespace, name)
        owned = existing is None or _controller_uid(existing) == owner.uid
        if existing is not None and not owned and not may_be_taken_over(existing, owner, lives):
            raise NameTaken(kind, name)
        instead_of(existing)
        if confirm is not None:
            await confirm()
        if existing is not None and not owned:
            existing = await self._own(existing, api_version, kind, owner)
        body = dict(manifest)
        if existing is not None:
            body["metadata"] = {**body["metadata"], "resourceVersion": existing["metadata"]["resourceVersion"]}
        return await self._request(
            "PATCH",
            _path(api_version, kind, namespace, name),
            body=body,
            query={"fieldManager": labels.FIELD_MANAGER, "force": "true"},
            content_type="application/apply-patch+yaml",
        )

    async def take_over(
        self, api_version: str, kind: str, name: str, uid: str, owner: NetworkRef, lives: frozenset[str]
    ) -> Outcome:
        """Make the network the controller of the object with this UID, if it was made for it.

        Raises NameTaken if it belongs to anybody else, Conflict if it has changed meanwhile.
        """
        existing = await self._get(api_version, kind, owner.namespace, name)
        if existing is None:
            return Outcome.GONE
        if existing["metadata"]["uid"] != uid:
            return Outcome.REPLACED
        if _controller_uid(existing) != owner.uid:
            if not may_be_taken_over(existing, owner, lives):
                raise NameTaken(kind, name)
            await self._own(existing, api_version, kind, owner)
        return Outcome.DONE

    async def _own(self, existing: Raw, api_version: str, kind: str, owner: NetworkRef) -> Raw:
        metadata = existing["metadata"]
        patch = {
            "metadata": {
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
                "ownerReferences": references_for(existing, owner),
            }
        }
        return await self._merge_patch(api_version, kind, owner.namespace, metadata["name"], patch)

    async def delete_pod(self, namespace: str, name: str, uid: str, grace_seconds: int | None = None) -> Outcome:
        """Ask for the end of the pod with this UID; None leaves it its own grace period.

        Zero removes the object at once, running or not (unless a finalizer holds it): never a proof of its end.
        """
        return await self._delete("v1", "Pod", namespace, name, uid, grace_seconds)

    async def delete_config_map(self, namespace: str, name: str, uid: str | None = None) -> Outcome:
        """Delete the ConfigMap (with this UID, if given)."""
        return await self._delete("v1", "ConfigMap", namespace, name, uid, None)

    async def delete_budget(self, namespace: str, name: str, uid: str) -> Outcome:
        """Delete the PodDisruptionBudget with this UID."""
        return await self._delete("policy/v1", "PodDisruptionBudget", namespace, name, uid, None)

    async def remove_pod_finalizer(
        self, namespace: str, name: str, uid: str, finalizer: str = labels.POD_FINALIZER
    ) -> Outcome:
        """Take a finalizer off the pod with this UID, leaving all others."""
        return await self._remove_finalizer("v1", "Pod", namespace, name, uid, finalizer)

    async def remove_rights_finalizer(self, namespace: str, name: str, uid: str) -> Outcome:
        """Take our finalizer off the RoleBinding with this UID."""
        return await self._remove_finalizer(_RBAC, "RoleBinding", namespace, name, uid, labels.RIGHTS_FINALIZER)

    async def patch_labels(self, namespace: str, name: str, uid: str, changes: Mapping[str, str | None]) -> Outcome:
        """Set labels of the pod with this UID; None removes one."""
        return await self._patch_metadata("Pod", namespace, name, uid, {"labels": dict(changes)})

    async def annotate_claim(
        self, namespace: str, name: str, uid: str, version: str | None, changes: Mapping[str, str | None]
    ) -> Outcome:
        """Set annotations of the PersistentVolumeClaim with this UID; None removes one.

        Raises Conflict if it is not at this resourceVersion any more (None: at any).
        """
        metadata: Raw = {"annotations": dict(changes)}
        if version is not None:
            metadata["resourceVersion"] = version
        return await self._patch_metadata("PersistentVolumeClaim", namespace, name, uid, metadata)

    async def publish_event(
        self,
        network: Mapping[str, Any],
        *,
        reason: str,
        note: str,
        warning: bool = False,
        action: str = "Reconcile",
        key: str | None = None,
        at: datetime | None = None,
    ) -> Literal["created", "exists"]:
        """Publish an event (`events.k8s.io/v1`) about a CCFNetwork, given as the API server returned it.

        With a `key`, the same event (network, reason, note and key) is published once, however often it is asked
        for while the API server remembers it. `at` is when it happened, if not now. Longer notes than the API takes
        (1 KiB) are cut.
        """
        metadata = network["metadata"]
        identity = json.dumps([metadata["uid"], reason, note, key if key is not None else uuid.uuid4().hex])
        suffix = hashlib.sha256(identity.encode()).hexdigest()[:16]
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{suffix}", "namespace": metadata["namespace"]},
            "eventTime": (at or datetime.now(UTC)).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": "ccf.dev/ccf-operator",
            "reportingInstance": self._identity[:128],
            "action": action,
            "reason": reason,
            "note": note.encode()[:1000].decode(errors="ignore"),
            "type": "Warning" if warning else "Normal",
            "regarding": {
                "apiVersion": labels.API_VERSION,
                "kind": labels.KIND,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        }
        try:
            await self._request("POST", _path("events.k8s.io/v1", "Event", metadata["namespace"]), body=body)
        except AlreadyExists:
            return "exists"
        return "created"

    # How it is done

    async def _get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Raw | None:
        try:
            return await self._request("GET", _path(api_version, kind, namespace, name))
        except NotFound:
            return None

    async def _list(
        self, api_version: str, kind: str, namespace: str | None, selector: str = "", *, fields: str = ""
    ) -> list[Raw]:
        query = {"limit": str(_PAGE)}
        if selector:
            query["labelSelector"] = selector
        if fields:
            query["fieldSelector"] = fields
        items: list[Raw] = []
        while True:
            page = await self._request("GET", _path(api_version, kind, namespace), query=query)
            items += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    async def _json_patch(
        self,
        api_version: str,
        kind: str,
        namespace: str,
        name: str,
        patch: list[Raw],
        subresource: str = "",
    ) -> Raw:
        return await self._request(
            "PATCH",
            _path(api_version, kind, namespace, name, subresource),
            body=patch,
            query={"fieldManager": labels.FIELD_MANAGER},
            content_type="application/json-patch+json",
        )

    async def _merge_patch(
        self, api_version: str, kind: str, namespace: str, name: str, patch: Mapping[str, Any]
    ) -> Raw:
        return await self._request(
            "PATCH",
            _path(api_version, kind, namespace, name),
            body=dict(patch),
            query={"fieldManager": labels.FIELD_MANAGER},
            content_type="application/merge-patch+json",
        )

    async def _patch_metadata(
        self, kind: str, namespace: str, name: str, uid: str, changes: Mapping[str, Any]
    ) -> Outcome:
        try:
            await self._merge_patch("v1", kind, namespace, name, {"metadata": {"uid": uid, **changes}})
        except NotFound:
            return Outcome.GONE
        except (Conflict, Invalid):
            # A UID that does not match is a conflict to some API servers and an immutable field to others.
            outcome = await self._whose("v1", kind, namespace, name, uid)
            if outcome is Outcome.DONE:
                raise
            return outcome
        return Outcome.DONE

    async def _whose(self, api_version: str, kind: str, namespace: str, name: str, uid: str) -> Outcome:
        existing = await self._get(api_version, kind, namespace, name)
        if existing is None:
            return Outcome.GONE
        return Outcome.DONE if existing["metadata"]["uid"] == uid else Outcome.REPLACED

    async def _delete(
        self, api_version: str, kind: str, namespace: str, name: str, uid: str | None, grace_seconds: int | None
    ) -> Outcome:
        options: Raw = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._request("DELETE", _path(api_version, kind, namespace, name), body=options)
        except NotFound:
            return Outcome.GONE
        except Conflict:
            if uid is None:
                raise
            outcome = await self._whose(api_version, kind, namespace, name, uid)
            if outcome is Outcome.DONE:
                raise
            return outcome
        return Outcome.DONE

    async def _remove_finalizer(
        self, api_version: str, kind: str, namespace: str, name: str, uid: str, finalizer: str
    ) -> Outcome:
        for attempt in range(_ATTEMPTS):
            existing = await self._get(api_version, kind, namespace, name)
            if existing is None:
                return Outcome.GONE
            if existing["metadata"]["uid"] != uid:
                return Outcome.REPLACED
            finalizers = existing["metadata"].get("finalizers") or []
            if finalizer not in finalizers:
                return Outcome.DONE
            place = f"/metadata/finalizers/{finalizers.index(finalizer)}"
            patch = [
                {"op": "test", "path": "/metadata/uid", "value": uid},
                {"op": "test", "path": place, "value": finalizer},
                {"op": "remove", "path": place},
            ]
            try:
                await self._json_patch(api_version, kind, namespace, name, patch)
            except NotFound:
                return Outcome.GONE
            except (Conflict, Invalid):
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            return Outcome.DONE
        raise AssertionError("unreachable")

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Raw | list[Raw] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Raw:
        try:
            async with self._turns.turn(), asyncio.timeout(self._timeout):
                request = await self._client.param_serialize(
                    method,
                    path,
                    query_params=list(query.items()) if query else [],
                    header_params={"Accept": accept, "Content-Type": content_type},
                    body=body,
                    auth_settings=["BearerToken"],
                )
                answer = await self._client.call_api(
                    *request, _request_timeout=aiohttp.ClientTimeout(total=self._timeout)
                )
                content: bytes = await answer.read()
        except TimeoutError as error:
            raise Unavailable(f"{method} {path}: no answer within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{method} {path}: {type(error).__name__}: {error}") from error
        if not 200 <= answer.status <= 299:
            raise from_answer(answer.status, content)
        try:
            parsed = json.loads(content)
        except ValueError as error:
            raise Unavailable(f"{method} {path}: the answer is not JSON", status=answer.status) from error
        if not isinstance(parsed, dict):
            raise Unavailable(f"{method} {path}: the answer is not an object", status=answer.status)
        return parsed


def _identity(manifest: Mapping[str, Any]) -> tuple[str, str, str, str]:
    metadata = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"]


def _controller_uid(raw: Mapping[str, Any]) -> str | None:
    controller = controller_of(raw)
    return str(controller["uid"]) if controller is not None else None


def _same_owner(manifest: Mapping[str, Any], existing: Mapping[str, Any]) -> bool:
    owner = _controller_uid(manifest)
    if owner is not None:
        return owner_uid(existing) == owner
    wanted = (manifest["metadata"].get("labels") or {}).get(labels.NETWORK_UID)
    return wanted is None or (existing["metadata"].get("labels") or {}).get(labels.NETWORK_UID) == wanted


__all__ = ["Gateway", "KubeError", "Outcome", "Raw"]
