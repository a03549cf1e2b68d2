"""From the API server's JSON to a network's spec and status."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ccf_operator.api.spec import CCFNetworkSpec, Constitution, LocalRef
from ccf_operator.api.status import NetworkStatus
from ccf_operator.kube.gateway import Raw
from ccf_operator.render.names import NetworkRef


class Unreadable(Exception):
    """A spec or status that this operator does not understand; nothing may be done on a guess of what it says."""

    def __init__(self, part: str, error: ValidationError) -> None:
        problems = [f"{'.'.join(str(p) for p in e['loc']) or part}: {e['msg']}" for e in error.errors()[:3]]
        super().__init__(f"{part} cannot be read: {'; '.join(problems)}")
        self.part = part


def network_ref(raw: Raw) -> NetworkRef:
    """Who the network object is."""
    metadata = raw["metadata"]
    return NetworkRef(metadata["name"], metadata["namespace"], metadata["uid"])


def is_deleting(raw: Raw) -> bool:
    """Whether the network object is being deleted."""
    return raw["metadata"].get("deletionTimestamp") is not None


def spec_of(raw: Raw) -> CCFNetworkSpec:
    """The spec. Raises Unreadable; of an object that is being deleted the defaults stand in for what cannot be read."""
    try:
        return CCFNetworkSpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        if is_deleting(raw):
            nothing = Constitution.model_construct(config_map_ref=LocalRef.model_construct(name=""))
            return CCFNetworkSpec.model_construct(image="", members=[], constitution=nothing)
        raise Unreadable("spec", error) from error


def status_of(raw: Raw) -> NetworkStatus:
    """The status; none yet is an empty one. Raises Unreadable, unless the object is being deleted.

    An empty status in place of one that cannot be read would start a second service beside the first.
    """
    try:
        return NetworkStatus.model_validate(raw.get("status") or {})
    except ValidationError as error:
        if is_deleting(raw):
            return NetworkStatus()
        raise Unreadable("status", error) from error


def to_wire(status: NetworkStatus) -> dict[str, Any]:
    """The status as the API server stores it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
