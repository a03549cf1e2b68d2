"""Objects of this network that no owner reference leads to it: taken over again, all of them at once."""

from __future__ import annotations

from ccf_operator.api.status import NetworkStatus
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import TakeOver
from ccf_operator.domain.exploration import facts_on
from ccf_operator.domain.observation import Observation
from ccf_operator.render import labels


def want_owned(draft: Draft) -> None:
    """Ask for owner references where they are missing: else nothing would collect these objects with the network."""
    for pod in draft.seen.pods.values():
        if pod.owner_uid == draft.seen.uid and not pod.has_controller:
            draft.do(TakeOver(kind="Pod", name=pod.name, uid=pod.uid))
    for name, uid in sorted(draft.seen.ownerless_config_maps.items()):
        draft.do(TakeOver(kind="ConfigMap", name=name, uid=uid))


def lives(seen: Observation, status: NetworkStatus) -> frozenset[str]:
    """UIDs of the network object and of those that it is known to follow: by what it has adopted, or its claims."""
    adopted = set(status.adopted.network_uids) if status.adopted is not None else set[str]()
    labelled = {claim.labels.get(labels.NETWORK_UID) for claim in seen.claims.values()}
    written = {known.network_uid for claim in seen.claims.values() if (known := facts_on(claim)) is not None}
    return frozenset(uid for uid in {seen.uid, *adopted, *labelled, *written} if uid)
