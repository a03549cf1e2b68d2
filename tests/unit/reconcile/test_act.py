from __future__ import annotations

from datetime import UTC, datetime

from ccf_operator.domain.effects import (
    AcknowledgeState,
    ApplyServices,
    CreateNode,
    CreateVolume,
    DeletePod,
    Effect,
    LabelPod,
    RemoveFinalizer,
    Report,
)
from ccf_operator.reconcile.act import _in_turns

TELL, LABEL, APPLY = (
    Report("Lost", "it is lost", datetime(2026, 1, 1, tzinfo=UTC)),
    LabelPod("a", "1", ()),
    ApplyServices(),
)


def test_pods_come_before_what_only_tells_and_after_their_volumes() -> None:
    effects: tuple[Effect, ...] = (TELL, CreateNode("a"), LABEL, DeletePod("b", "2"), CreateVolume("v"), APPLY)
    assert _in_turns(effects) == ([CreateVolume("v")], [CreateNode("a"), DeletePod("b", "2")], [TELL, LABEL, APPLY])


def test_what_waits_for_a_nodes_answer_keeps_nothing_else_waiting() -> None:
    asks = AcknowledgeState("a", "0e", "token")
    assert _in_turns((asks, TELL, LABEL))[2] == [TELL, LABEL, asks]


def test_a_network_is_let_go_when_all_else_is_done() -> None:
    assert _in_turns((RemoveFinalizer(), TELL, LABEL))[2] == [TELL, LABEL, RemoveFinalizer()]
