"""The status being decided and the effects asked for so far: what the steps of one decision work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ccf_operator.api.status import (
    Command,
    NetworkStatus,
    NodeRecord,
    Obstacle,
    ObstacleSource,
    VolumeRecord,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.effects import Effect, names_in
from ccf_operator.domain.made_of import made_of, storage_of
from ccf_operator.domain.observation import ClaimView, Observation, PodView, Refusal
from ccf_operator.domain.pending_events import new_event, publication
from ccf_operator.render import names


@dataclass
class Draft:
    """A private copy of the persisted status, changed step by step, and the effects it licenses."""

    seen: Observation
    status: NetworkStatus
    effects: list[Effect] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    """What is in the way on this look; `domain.obstacles` keeps it in the status."""

    @classmethod
    def of(cls, observation: Observation) -> Draft:
        """A draft that starts from what was persisted."""
        return cls(observation, NetworkStatus.model_validate(observation.status.model_dump()))

    @property
    def now(self) -> datetime:
        """The time of the observation."""
        return self.seen.now

    def do(self, effect: Effect) -> None:
        """Ask for an effect."""
        self.effects.append(effect)

    def report(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Ask for an event on the network; it is kept in the status until it has been published."""
        event = new_event(self.status.pending_events, reason, message, self.now, warning=warning)
        self.status.pending_events.append(event)
        self.effects.append(publication(event))

    def obstruct(self, source: ObstacleSource, about: str, reason: str, message: str) -> None:
        """Say what is in the way, on every look on which it is; `about` is the object, as `Kind name`."""
        self.obstacles.append(Obstacle(source=source, object=about, reason=reason, message=message, since=self.now))

    def refusal(self, *kinds: type[Effect], of: str) -> Refusal | None:
        """That an effect of one of these kinds was refused, for the node, pod or volume of this name."""
        return next(
            (one for one in self.seen.refusals if isinstance(one.effect, kinds) and of in names_in(one.effect)), None
        )

    def pod(self, record: NodeRecord) -> PodView | None:
        """The pod of a node: the very one that was recorded, not another of its name."""
        pod = self.seen.pods.get(record.name)
        if pod is None or pod.owner_uid != self.seen.uid or (record.pod_uid is not None and pod.uid != record.pod_uid):
            return None
        return pod

    def claim(self, volume: str) -> ClaimView | None:
        """The claim of a volume: the very one that was recorded, not another of its name."""
        claim, record = self.seen.claims.get(volume), self.status.volume(volume)
        if claim is None or (record is not None and record.uid is not None and claim.uid != record.uid):
            return None
        return claim

    def answers(self, record: NodeRecord) -> NodeAnswers | None:
        """What a node that has not ended said, if it was reached."""
        if record.ended is not None:
            return None
        answers = self.seen.answers.get(record.name)
        return answers if answers is not None and answers.reached else None

    def alive(self) -> Iterator[NodeRecord]:
        """Nodes whose end is not proven."""
        return (record for record in self.status.nodes if record.ended is None)

    def own_nodes(self) -> list[NodeRecord]:
        """Nodes of the service on record, which no attempt in progress has made."""
        return [record for record in self.status.nodes if record.attempt is None]

    def node_names(self) -> dict[str, str]:
        """Names of the nodes by their CCF node ids, as far as those are known."""
        return {record.node_id: record.name for record in self.status.nodes if record.node_id is not None}

    def on_volume(self, volume: str) -> Iterator[NodeRecord]:
        """Nodes that write or wrote on a volume, as far as they are on record."""
        return (record for record in self.status.nodes if record.volume == volume)

    def by_node_id(self, node_id: str) -> NodeRecord | None:
        """The record of the node with this CCF node id."""
        return next((record for record in self.status.nodes if record.node_id == node_id), None)

    def title(self, node_id: str) -> str:
        """What to call a CCF node in a sentence: its name where it is known."""
        record = self.by_node_id(node_id)
        return record.name if record is not None else f"node {node_id[:8]}"

    def plan_volume(self) -> VolumeRecord:
        """A new volume, under a name never used before."""
        number = self.status.counters.next_volume
        self.status.counters.next_volume = number + 1
        volume = VolumeRecord(
            name=names.volume_name(self.seen.name, self.seen.uid, number), storage=storage_of(self.seen.spec)
        )
        self.status.volumes.append(volume)
        return volume

    def plan_node(
        self,
        volume: VolumeRecord,
        command: Command,
        *,
        attempt: int | None = None,
        join_target: str | None = None,
        join_address: str | None = None,
        service_certificate: str | None = None,
    ) -> NodeRecord:
        """A new node on a volume's next generation, under a name never used before."""
        number = self.status.counters.next_node
        self.status.counters.next_node = number + 1
        record = NodeRecord(
            name=names.node_name(self.seen.name, self.seen.uid, number),
            volume=volume.name,
            generation=volume.next_generation,
            command=command,
            attempt=attempt,
            join_target=join_target,
            join_address=join_address,
            service_certificate=service_certificate,
            planned_at=self.now,
            made_of=made_of(self.seen.spec),
            stage_image=self.seen.stage_image or None,
        )
        volume.next_generation += 1
        self.status.nodes.append(record)
        return record
