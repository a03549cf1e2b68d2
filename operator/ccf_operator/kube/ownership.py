"""Whose an object is: by its controller, or by what it bears where a restore has taken its owner references off.

Backup tools put objects back without owner references, or with references to an object that is no more. What we have
made bears the UID of the network object it was made for.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from ccf_operator.render import labels
from ccf_operator.render.names import NetworkRef


def controller_of(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The reference to the controller that owns an object, or None."""
    references = raw["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def owner_uid(raw: Mapping[str, Any]) -> str | None:
    """UID of the network object that an object belongs to: its controller's, or the one it was made for."""
    controller = controller_of(raw)
    return str(controller["uid"]) if controller is not None else made_for(raw)


def made_for(raw: Mapping[str, Any]) -> str | None:
    """UID of the network object that an object of ours says it was made for; None of an object of anybody else."""
    metadata = raw["metadata"]
    if (metadata.get("labels") or {}).get(labels.MANAGED_BY) != labels.FIELD_MANAGER:
        return None
    uid = (metadata.get("annotations") or {}).get(labels.NETWORK_UID)
    return str(uid) if uid else None


def may_be_taken_over(raw: Mapping[str, Any], network: NetworkRef, lives: Set[str]) -> bool:
    """Whether an object is this network's, though no reference that leads anywhere says so.

    `lives` are the UIDs of this network object and of those it is known to follow. An object with a living controller,
    or with one that is no CCFNetwork of this name, is never taken.
    """
    if (raw["metadata"].get("labels") or {}).get(labels.NETWORK) != network.name:
        return False
    if made_for(raw) not in lives:
        return False
    controller = controller_of(raw)
    if controller is None:
        return True
    same = (controller.get("kind"), controller.get("name")) == (labels.KIND, network.name)
    return same and controller.get("uid") in lives and controller.get("uid") != network.uid


def references_for(raw: Mapping[str, Any], network: NetworkRef) -> list[Mapping[str, Any]]:
    """The owner references of an object once it is taken over: this network as its controller, beside other owners."""
    others = [one for one in raw["metadata"].get("ownerReferences") or [] if not one.get("controller")]
    return [*others, labels.owner_reference(network)]
