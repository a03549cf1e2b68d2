"""What must be true of every story, whatever happened in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

from ccf_operator.render import labels
from integration.world.api import Api, ApiError, Raw
from integration.world.kubelet import Kubelet
from integration.world.proxy import Call
from integration.world.story import Story


def audit(story: Story, kubelet: Kubelet) -> list[str]:
    """A sentence for each rule that was broken."""
    return [
        *kubelet.shared_volumes,
        *_changed_decisions(story.statuses()),
        *_counters(story.statuses()),
        *_open_services(kubelet),
    ]


async def unlicensed(api: Api, network: str, call: Call) -> list[str]:
    """What is wrong with a pod's creation or deletion: the status must have said so before (DESIGN rule 1).

    Asked before the request is handed on, of the API server itself; `network` is the path of the network object.
    """
    if "/pods" not in call.path or call.method not in ("POST", "DELETE"):
        return []
    name = call.json["metadata"]["name"] if call.method == "POST" else call.path.rpartition("/")[2]
    try:
        found = await api.get(network)
    except (ApiError, httpx.TransportError):
        return []  # it is gone, or cannot be asked now
    status, deleting = found.get("status") or {}, "deletionTimestamp" in found["metadata"]
    record = next((node for node in status.get("nodes") or [] if node["name"] == name), None)
    if call.method == "POST":
        is_node = labels.NODE in call.json["metadata"]["labels"]
        return [f"{name} was made, but is not in the status"] if is_node and record is None else []
    stays = record is not None and not (record.get("stop") or record.get("ended") or deleting)
    return [f"{name} was deleted, but the status says that it stays"] if stays else []


def pods_made_twice(story: Story) -> list[str]:
    """Names that more than one pod has borne."""
    return sorted(name for name, uids in story.pod_uids.items() if len(uids) > 1)


def _changed_decisions(statuses: list[Raw]) -> Iterator[str]:
    """What an attempt decides it decides once (DESIGN rule 1)."""
    decided: dict[tuple[str, ...], object] = {}
    for status in statuses:
        for key, value in _decisions(status):
            if decided.setdefault(key, value) != value:
                yield f"{' '.join(key)} was {decided[key]}, then {value}"


def _decisions(status: Raw) -> Iterator[tuple[tuple[str, ...], object]]:
    attempt = status.get("attempt") or {}
    number = str(attempt.get("number"))
    if attempt:
        yield ("base of attempt", number), attempt["baseService"]
    if winner := attempt.get("winner"):
        yield ("winner of attempt", number), (winner["node"], winner["txID"], winner["publicKey"])
    for candidate in attempt.get("candidates") or []:
        tries = [str(candidate.get(key, 0)) for key in ("tries", "unstarted", "madeOf")]
        if candidate.get("node"):
            yield ("candidate of attempt", number, candidate["volume"], *tries), candidate["node"]
    for past in status.get("history") or []:
        yield ("end of attempt", str(past["number"])), (past["result"], past.get("txID"), past.get("winnerVolume"))
    for node in status.get("nodes") or []:
        name = node["name"]
        yield ("place of", name), (node["volume"], node["generation"], node["command"])
        if node.get("nodeId"):
            yield ("id of", name), node["nodeId"]


def _counters(statuses: list[Raw]) -> Iterator[str]:
    """Numbers only grow."""
    readers: dict[str, Callable[[Raw], int]] = {
        "nextNode": lambda s: int((s.get("counters") or {}).get("nextNode", 0)),
        "nextVolume": lambda s: int((s.get("counters") or {}).get("nextVolume", 0)),
        "nextAttempt": lambda s: int((s.get("counters") or {}).get("nextAttempt", 0)),
        "recoveries": lambda s: int(s.get("recoveries", 0)),
    }
    for what, read in readers.items():
        seen = [read(status) for status in statuses]
        if seen != sorted(seen):
            yield f"{what} has fallen: {seen}"


def _open_services(kubelet: Kubelet) -> Iterator[str]:
    """Never are two services open that can both commit (DESIGN rule 10)."""
    leading = {
        node.replica.service.key.fingerprint: run.name
        for run in kubelet.runs.values()
        if run.running
        and (node := run.node) is not None
        and node.user_frontend_open
        and node.consensus is not None
        and node.consensus.is_primary
        and node.replica.service is not None
    }
    if len(leading) > 1:
        yield f"two services are open: {leading}"
