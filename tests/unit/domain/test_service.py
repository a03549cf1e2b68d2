from __future__ import annotations

from dataclasses import replace
from typing import Any

from ccf_operator.api.status import Command, HighWaterMark, ServiceStatus
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.service import (
    keep_configuration,
    keep_high_water_mark,
    keep_lineages,
    keep_service,
    maybe_trusted,
)
from unit.domain.given import (
    NEW,
    OLD,
    answers,
    at,
    config,
    configuration,
    draft,
    end,
    node_id,
    pending,
    pod,
    quorum,
    record,
    service,
    status,
    view,
    volume,
)

ABC = (record("a", command=Command.START), record("b"), record("c"))


def test_the_primary_is_the_one_a_majority_agrees_on() -> None:
    assert view(draft(status(*ABC), answers=quorum("b", "a", members="abc"))).primary == "b"
    assert view(draft(status(*ABC), answers=quorum("b", members="abc"))).primary is None


def test_a_primary_needs_a_majority_of_every_active_configuration() -> None:
    growing = (config("a", "b"), config("a", "b", "c", "d", seqno=20))
    said = {name: answers(name, configs=growing, primary="a") for name in "ab"}
    assert view(draft(status(*ABC), answers=said)).primary is None
    said["c"] = answers("c", configs=growing, primary="a")
    assert view(draft(status(*ABC), answers=said)).primary == "a"


def test_nodes_of_another_service_are_not_listened_to() -> None:
    said = quorum("a", "b", "c", key=NEW)
    assert not view(draft(status(*ABC), answers=said)).members


def test_a_node_that_has_ended_is_not_listened_to() -> None:
    gone = record("a", ended=end())
    assert view(draft(status(gone, *ABC[1:]), answers=quorum("a", "b", "c"))).primary is None


def test_open_takes_a_quorum_whose_application_answers() -> None:
    said = quorum("a", "b", "c")
    assert view(draft(status(*ABC), answers=said)).is_open()
    said["b"], said["c"] = replace(said["b"], ready_app=False), replace(said["c"], ready_app=False)
    assert not view(draft(status(*ABC), answers=said)).is_open()


def test_a_service_that_only_says_it_is_open_is_not() -> None:
    work = draft(
        status(*ABC, service=service(opened_at=None)), answers=quorum("a", "b", "c", status="Open", ready_app=False)
    )
    keep_service(work, view(work))
    assert work.status.service.opened_at is None


def test_the_opening_is_noted_once() -> None:
    work = draft(status(*ABC, service=service(opened_at=None)), answers=quorum("a", "b", "c"), after=7)
    keep_service(work, view(work))
    assert work.status.service.opened_at == at(7)


def test_the_committed_configuration_is_the_first_active_one() -> None:
    said = quorum("a", "b", "c")
    moving = (config("a", "b", "c"), config("a", "b", "c", "d", seqno=20))
    said = {name: answers(name, configs=moving, primary="a") for name in said}
    work = draft(status(*ABC), answers=said)
    kept = keep_configuration(None, work, view(work))
    assert kept is not None
    assert kept.nodes == configuration("a", "b", "c").nodes
    assert kept.pending == [configuration("a", "b", "c", "d").nodes]


def test_without_a_primary_what_any_node_has_heard_of_is_added_and_nothing_forgotten() -> None:
    known = configuration("a", "b", "c", pending=["abcd"])
    said = {
        "a": answers("a", configs=[config("a", "b", "c"), config("a", "e", seqno=30)]),
        "b": answers("b", configs=[config("a", "b", "c"), config("b", "f", seqno=30)]),
    }
    work = draft(status(*ABC), answers=said)
    kept = keep_configuration(known, work, view(work))
    assert kept is not None
    assert kept.nodes == known.nodes
    assert {frozenset(p) for p in kept.pending} == {frozenset(map(node_id, names)) for names in ("abcd", "ae", "bf")}, (
        "two nodes may have heard of different configurations at the same place"
    )


def test_a_primary_that_lags_behind_what_is_known_changes_nothing() -> None:
    known = configuration("a", "b", "c", seqno=50)
    work = draft(status(*ABC), answers=quorum("a", "b", "c"))
    assert keep_configuration(known, work, view(work)) == known


def test_the_same_configuration_seen_again_is_the_same() -> None:
    work = draft(status(*ABC), answers=quorum("a", "b", "c"), after=60)
    assert keep_configuration(configuration("a", "b", "c"), work, view(work)) == configuration("a", "b", "c")


def mark_after(known: HighWaterMark | None, *, after: float = 60, primary: bool = True, **fields: Any) -> str | None:
    said = quorum("a", "b", "c", **fields) if primary else {"a": answers("a", configs=[config(*"abc")], **fields)}
    work = draft(status(*ABC, high_water_mark=known), answers=said, after=after)
    keep_high_water_mark(work, view(work))
    return work.status.high_water_mark.tx_id if work.status.high_water_mark is not None else None


def seen(tx_id: str, key: str = OLD) -> HighWaterMark:
    return HighWaterMark(tx_id=tx_id, service=key, seen_at=at(0))


def test_the_mark_rises_view_first_and_never_falls() -> None:
    assert mark_after(None, commit="2.20") == "2.20"
    assert mark_after(seen("2.99"), commit="4.60") == "4.60"
    assert mark_after(seen("4.60"), commit="2.99") == "4.60"


def test_the_mark_starts_anew_with_another_service() -> None:
    assert mark_after(seen("9.999", key=NEW), commit="2.20") == "2.20"


def test_the_mark_of_a_busy_service_is_not_written_at_every_look() -> None:
    assert mark_after(seen("2.20"), commit="2.21", after=1) == "2.20"
    assert mark_after(seen("2.20"), commit="2.21", after=6) == "2.21"


def test_in_trouble_the_mark_is_written_at_once() -> None:
    assert mark_after(seen("2.20"), commit="2.21", after=1, primary=False) == "2.21"


def test_there_is_no_mark_before_the_service_was_seen_open() -> None:
    work = draft(status(*ABC, service=service(opened_at=None)), answers=quorum("a", "b", "c"))
    keep_high_water_mark(work, view(work))
    assert work.status.high_water_mark is None


def lineage_after(
    joiner_fields: dict[str, object], lineage: list[int], service_of_volume: str | None = OLD
) -> list[int]:
    joiner = record("c", generation=3, **joiner_fields)
    work = draft(status(*ABC[:2], joiner, configuration=configuration("a", "b", "c")))
    work.status.volumes = [volume("v-c", lineage, service=service_of_volume)]
    keep_lineages(work)
    return work.status.volumes[0].lineage


def test_a_joiners_volume_holds_the_ledger_once_it_is_trusted() -> None:
    assert lineage_after({}, []) == [3]


def test_a_good_copy_is_kept_until_the_joiner_on_top_of_it_has_caught_up() -> None:
    assert lineage_after({}, [0]) == [0]
    assert lineage_after({"joined_at": at(5)}, [0]) == [3]


def test_the_ledger_of_an_earlier_service_is_no_copy_of_this_one() -> None:
    assert lineage_after({}, [0], service_of_volume=NEW) == [3]


def test_so_does_that_of_one_whose_trust_is_under_way() -> None:
    # It may have acknowledged what was committed by the configuration that nobody has seen committed.
    under_way = configuration("a", "b", pending=[("a", "b", "c")])
    work = draft(status(*ABC[:2], record("c", generation=3), configuration=under_way))
    work.status.volumes = [volume("v-c", [])]
    keep_lineages(work)
    assert work.status.volumes[0].lineage == [3]


def test_a_node_that_is_not_trusted_changes_no_lineage() -> None:
    stranger = record("d", generation=3)
    work = draft(status(*ABC, stranger, configuration=configuration("a", "b", "c")))
    work.status.volumes = [volume("v-d", [0])]
    keep_lineages(work)
    assert work.status.volumes[0].lineage == [0]


def test_before_the_opening_no_volume_counts() -> None:
    work = draft(status(*ABC, configuration=configuration("a", "b", "c"), service=ServiceStatus(public_key=OLD)))
    work.status.volumes = [volume("v-a", [])]
    keep_lineages(work)
    assert work.status.volumes[0].lineage == []


def possibly(said: dict[str, NodeAnswers], **fields: Any) -> frozenset[str]:
    """Joiners that may have been trusted since a, b and c were the configuration; a has ended."""
    joiners = [
        record("d"),
        record("e", ended=end()),
        record("f", pod_uid=None, node_id=None),
        record("g", node_id=None),
        record("h", node_id=None),
    ]
    of = status(record("a", ended=end()), *ABC[1:], *joiners, configuration=configuration("a", "b", "c"))
    pods = {r.name: pod(r.name, machine=None if r.name == "h" else "m1") for r in of.nodes if r.ended is None}
    work = draft(of, answers=said, pods=pods)
    return maybe_trusted(work, view(work), set(map(node_id, "abc")), joiners)


SURVIVORS = {name: answers(name, configs=[config("a", "b", "c")]) for name in "bc"}


def test_living_joiners_may_have_been_trusted_since() -> None:
    # e has ended, f has no pod yet, h has no machine.
    assert possibly({}) == {node_id("d"), "name:g"}


def test_unless_all_that_live_answer_and_none_names_one() -> None:
    outside = {name: pending(name) for name in "dg"}
    assert possibly({**SURVIVORS, **outside}) == frozenset()
    assert possibly({"b": SURVIVORS["b"], **outside}), "c may know better"
    assert possibly({**SURVIVORS, "d": outside["d"]}), "g may be part of it"
    named = answers("c", configs=[config("a", "b", "c"), config("a", "b", "c", "d", seqno=30)])
    assert possibly({**SURVIVORS, **outside, "c": named})
