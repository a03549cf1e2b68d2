from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Command, Ended, EndEvidence, NetworkStatus, NodeRecord, ServiceStatus, Unsettled
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import (
    CreateNode,
    CreateVolume,
    DeleteConfigMap,
    DeletePod,
    Effect,
    LabelPod,
    ReleasePod,
    Report,
)
from ccf_operator.domain.nodes import forget_released, keep_records, want_labels, want_pods
from ccf_operator.domain.observation import ContainerView, PodView
from ccf_operator.render import labels
from unit.domain.given import (
    NEW,
    UID,
    answers,
    at,
    attempt,
    candidate,
    claim,
    config,
    configuration,
    crowned,
    draft,
    end,
    ended_container,
    machine,
    node_id,
    on,
    pod,
    quorum,
    record,
    recovered,
    status,
    view,
    volume,
)

A = record("a", command=Command.START)
CHOSEN = crowned("r-a")


def look(of: NetworkStatus, after: float = 0, **seen: Any) -> Draft:
    work = draft(of, after=after, **seen)
    keep_records(work)
    return work


def only(work: Draft) -> NodeRecord:
    [found] = work.status.nodes
    return found


def asked(work: Draft, *kinds: type[Effect]) -> list[Effect]:
    return [effect for effect in work.effects if isinstance(effect, kinds)]


# What is noted of a node


def test_the_boot_id_is_that_of_the_machine_while_the_process_ran() -> None:
    new = record("a", machine=None)
    waiting = {"a": pod("a", ccf=ContainerView(), stage=ContainerView(running=True))}
    noted = only(look(status(new), pods=waiting)).machine
    assert noted is not None
    assert (noted.name, noted.uid, noted.boot_id) == ("m1", "uid-m1", None)
    noted = only(look(status(record("a", machine=noted)))).machine
    assert noted is not None
    assert noted.boot_id == "boot-m1"
    rebooted = {"m1": machine(boot_id="another")}
    noted = only(look(status(record("a", machine=noted)), machines=rebooted)).machine
    assert noted is not None
    assert noted.boot_id == "boot-m1"


def test_that_it_was_seen_to_run_is_noted_once() -> None:
    waiting = {"a": pod("a", ccf=ContainerView(waiting_reason="PodInitializing"))}
    assert only(look(status(A), pods=waiting)).started_at is None
    first = look(status(A), after=3)
    assert only(first).started_at == at(3)
    assert only(look(first.status, after=9)).started_at == at(3)


def test_an_end_first_seen_after_a_reboot_tells_nothing_of_the_disk() -> None:
    # The operator was away: the machine's boot id now says nothing about the time when the process ran.
    found = only(look(status(record("a", machine=None)), pods={"a": pod("a", ccf=ended_container())}))
    assert found.ended is not None
    assert not found.ended.disk_kept


def test_the_node_id_is_that_of_the_first_contact() -> None:
    said = {"a": NodeAnswers(reached=True, node_id=node_id("x"))}
    assert only(look(status(record("a", node_id=None)), answers=said)).node_id == node_id("x")
    assert only(look(status(A), answers=said)).node_id == node_id("a")


def test_the_id_of_a_node_that_was_never_reached_comes_from_the_services_rows() -> None:
    of = status(A, record("b", node_id=None))
    said = {"a": answers("a", configs=[config("a", "b")], rows={"a": "Trusted", "b": "Trusted"})}
    assert [r.node_id for r in look(of, answers=said).status.nodes] == [node_id("a"), node_id("b")]


def test_so_does_that_of_a_joiner_of_a_service_that_is_being_recovered() -> None:
    # It was trusted and died between two looks: only whoever waits for it in vain can tell its id.
    winner = record("r-a", command=Command.RECOVER, attempt=1)
    gone = record("j", attempt=1, node_id=None, ended=end())
    of = status(winner, gone, attempt=attempt(recovered("a", "2.20"), winner=CHOSEN))
    rows = {"r-a": "Trusted", "j": "Trusted"}
    said = {"r-a": answers("r-a", configs=[config("r-a"), config("r-a", "j")], key=NEW, rows=rows)}
    assert [r.node_id for r in look(of, answers=said).status.nodes] == [node_id("r-a"), node_id("j")]


def test_a_note_goes_when_its_reason_does() -> None:
    work = look(status(A), pods={})
    assert "before its end was seen" in (only(work).note or "")
    assert only(look(work.status, pods={"a": pod("a")})).note is None


def test_an_impostor_is_noted_and_changes_nothing_else() -> None:
    found = only(look(status(A), answers={"a": NodeAnswers(impostor=True, problem="it is node 1234")}))
    assert "1234" in (found.note or "")
    assert found.node_id == node_id("a")


# Ends


def test_an_end_is_recorded_once_and_takes_it_from_traffic() -> None:
    work = look(status(record("a", fit=True)), pods={"a": pod("a", ccf=ended_container(137))}, after=3)
    found = only(work)
    assert (found.fit, found.ended and found.ended.exit_code) == (False, 137)
    assert len(asked(work, Report)) == 1
    again = look(work.status, pods={"a": pod("a", ccf=ended_container(137))}, after=9)
    assert again.status == work.status
    assert not asked(again, Report)


def test_a_persons_word_about_a_machine_does_not_end_a_node_that_answers() -> None:
    tainted = {"m1": machine(out_of_service=True)}
    said = quorum("a")
    assert only(look(status(A), machines=tainted, answers=said)).ended is None
    assert only(look(status(A), machines=tainted)).ended is not None


def test_a_node_that_was_ended_by_word_and_answers_has_not_ended() -> None:
    gone = record("a", ended=end(EndEvidence.OUT_OF_SERVICE))
    work = look(status(gone), pods={"a": pod("a")}, answers=quorum("a"))
    assert only(work).ended is None
    assert [r.reason for r in work.effects if isinstance(r, Report)] == ["NodeReturned"]


def test_a_report_of_the_kubelet_stands_whatever_answers() -> None:
    gone = record("a", ended=end())
    assert only(look(status(gone), pods={"a": pod("a")}, answers=quorum("a"))).ended is not None


def test_a_node_given_up_before_its_pod_was_made_has_ended_unless_the_pod_turns_up() -> None:
    work = look(status(record("a", stop="NotNeeded", pod_uid=None)), pods={})
    assert only(work).ended is not None
    assert only(look(work.status, pods={"a": pod("a")})).ended is None


def test_another_pod_of_its_name_is_not_the_node() -> None:
    impostor = pod("a", uid="another", ccf=ended_container())
    assert only(look(status(A), pods={"a": impostor})).ended is None
    gone = record("a", ended=end(), stop="Fenced")
    assert only(look(status(gone), pods={"a": impostor})).released


def rejected(**fields: Any) -> PodView:
    return pod("a", **{"phase": "Failed", "reason": "NodeAffinity", "stage": NOTHING, "ccf": NOTHING, **fields})


NOTHING = ContainerView()


def test_what_was_taken_for_never_started_and_has_run_has_not_ended() -> None:
    taken = record("a", node_id=None, ended=end(EndEvidence.NEVER_STARTED))
    learned = taken.model_copy(update={"node_id": node_id("a")})
    assert only(look(status(taken), pods={"a": rejected()})).ended is not None
    assert only(look(status(learned), pods={"a": rejected()})).ended is None


def test_what_may_have_run_unseen_is_ended_by_more_when_that_comes() -> None:
    first = look(status(record("a", node_id=None)), pods={"a": rejected()})
    assert [e.reason for e in first.effects if isinstance(e, Report)] == ["NodeEnded"]
    again = look(first.status, pods={"a": rejected()}, after=9)
    assert again.status.nodes == first.status.nodes
    report = only(look(first.status, pods={"a": rejected(ccf=ended_container(0))})).ended
    word = only(look(first.status, pods={"a": rejected()}, machines={"m1": machine(out_of_service=True)})).ended
    assert report is not None
    assert word is not None
    assert (report.evidence, word.evidence) == (EndEvidence.CONTAINER_TERMINATED, EndEvidence.OUT_OF_SERVICE)
    assert not report.unseen


def test_a_rejected_pods_address_may_be_anothers_by_now() -> None:
    said = {"a": NodeAnswers(impostor=True, problem="it is node 1234")}
    assert "1234" not in (only(look(status(A), pods={"a": rejected()}, answers=said)).note or "")


def test_where_a_node_ran_is_remembered() -> None:
    first = look(status(A))
    assert only(first).pod_ip == "10.0.0.1"
    assert only(look(first.status, pods={"a": rejected(ip=None)})).pod_ip == "10.0.0.1"


# Pods


def test_a_planned_node_gets_its_volume_and_its_pod() -> None:
    of = status(record("a", pod_uid=None, node_id=None), volumes=[volume("v-a", [], uid=None)])
    work = draft(of, pods={}, claims={})
    want_pods(work)
    assert work.effects == [CreateVolume("v-a"), CreateNode("a")]


@pytest.mark.parametrize("heard", [True, False])
def test_a_node_that_has_answered_since_its_machine_was_registered_anew_may_be_silent(heard: bool) -> None:
    pods, machines = {"a": pod("a")}, {"m1": machine(uid="another")}
    said = {"a": answers("a")} if heard else {}
    first = look(status(record("a", machine=on())), answers=said, pods=pods, machines=machines)
    assert (only(first).ended is None) is heard
    assert (only(look(first.status, pods=pods, machines=machines)).ended is None) is heard


@pytest.mark.parametrize("ended", [end(), None])
def test_a_candidate_is_not_made_beside_a_node_that_has_returned(ended: Ended | None) -> None:
    planned = record("r-a", volume="v-a", generation=1, command=Command.RECOVER, attempt=1, pod_uid=None)
    work = draft(status(record("a", ended=ended), planned), pods={"a": pod("a")})
    want_pods(work)
    assert asked(work, CreateNode) == ([CreateNode("r-a")] if ended else [])


def test_a_claim_that_was_there_is_never_made_anew() -> None:
    # An empty volume under the name of one that held a ledger would look like a ledger that has vanished.
    work = draft(status(record("a", pod_uid=None, node_id=None)), pods={}, claims={})
    want_pods(work)
    assert work.effects == [CreateNode("a")]


def test_a_pod_that_was_there_is_never_made_anew() -> None:
    work = draft(status(A), pods={})
    want_pods(work)
    assert not work.effects


def test_a_stopped_node_is_deleted_by_uid_and_released_only_when_its_end_is_on_record() -> None:
    of = status(record("a", stop="Loser"))
    work = look(of, pods={"a": pod("a")})
    want_pods(work)
    assert work.effects == [DeletePod("a", "uid-a")]
    work = look(of, pods={"a": pod("a", deleting=True)})
    want_pods(work)
    assert not work.effects
    work = look(of, pods={"a": pod("a", deleting=True, ccf=ended_container(0))})
    want_pods(work)
    assert asked(work, ReleasePod, DeletePod) == [ReleasePod("a", "uid-a")]


def test_a_pod_deleted_by_hand_is_released_after_its_end_is_on_record() -> None:
    work = look(status(A), pods={"a": pod("a", deleting=True)})
    want_pods(work)
    assert not work.effects, "its process may still run"
    work = look(status(A), pods={"a": pod("a", deleting=True, ccf=ended_container(0))})
    want_pods(work)
    assert asked(work, ReleasePod) == [ReleasePod("a", "uid-a")]
    work = look(work.status, pods={}, config_maps=frozenset({"a"}))
    want_pods(work)
    assert only(work).released
    assert asked(work, DeleteConfigMap) == [DeleteConfigMap("a")]


def test_a_dead_members_pod_stays_as_evidence() -> None:
    work = look(status(A), pods={"a": pod("a", ccf=ended_container())})
    want_pods(work)
    assert not asked(work, ReleasePod, DeletePod)


def stray(name: str = "bank-0f1e2-7", **fields: Any) -> dict[str, Any]:
    return {"pods": {"a": pod("a"), name: pod(name, labels={labels.VOLUME: "v-x"}, **fields)}}


def test_a_pod_that_turns_up_after_its_node_was_forgotten_is_ended_and_released() -> None:
    work = draft(status(A), **stray())
    want_pods(work)
    assert work.effects == [DeletePod("bank-0f1e2-7", "uid-bank-0f1e2-7")]
    work = draft(status(A), **stray(deleting=True))
    want_pods(work)
    assert not work.effects
    work = draft(status(A), **stray(deleting=True, ccf=ended_container()))
    want_pods(work)
    assert work.effects == [ReleasePod("bank-0f1e2-7", "uid-bank-0f1e2-7")]


def test_a_pod_whose_number_was_never_given_out_is_not_ours_to_end() -> None:
    for seen in (stray("bank-0f1e2-100"), stray("bank-other"), stray(owner_uid="another network")):
        work = draft(status(A), **seen)
        want_pods(work)
        assert not work.effects


def test_a_status_that_knows_of_nothing_does_not_say_that_a_node_is_forgotten() -> None:
    knows_nothing = NetworkStatus(counters=status().counters)
    work = draft(knows_nothing, config_maps=frozenset({"bank-0f1e2-7"}), **stray(ccf=ended_container()))
    want_pods(work)
    assert not work.effects


# Labels


def labels_of(work: Draft) -> dict[str, dict[str, str | None]]:
    want_labels(work)
    return {e.pod: dict(e.labels) for e in work.effects if isinstance(e, LabelPod)}


def test_the_trusted_and_the_fit_are_labelled_and_a_label_that_is_right_is_left_alone() -> None:
    of = status(record("a", fit=True), record("b"), configuration=configuration("a"))
    right = {labels.TRAFFIC: "true", labels.TRUSTED: "true", labels.ROLE: "node"}
    pods = {"a": pod("a"), "b": pod("b", labels={labels.ROLE: "node"})}
    assert labels_of(draft(of, pods=pods)) == {"a": right}
    assert labels_of(draft(of, pods={**pods, "a": pod("a", labels=right)})) == {}


def test_in_a_recovery_the_trusted_are_those_of_the_recovering_network() -> None:
    joiner = record("j", attempt=1)
    winner = record("r-a", attempt=1, command=Command.RECOVER)
    of = status(
        joiner,
        winner,
        configuration=configuration("a", "b", "c"),
        attempt=attempt(recovered("a", "2.20"), winner=CHOSEN, network=configuration("r-a", "j")),
    )
    found = labels_of(draft(of))
    assert found["j"] == {labels.TRUSTED: "true"}
    assert found["r-a"] == {labels.TRUSTED: "true", labels.ROLE: "winner"}


# Forgetting


def kept(of: NetworkStatus, *, led: bool = True, **seen: Any) -> set[str]:
    said = quorum("a") if led else {}
    work = draft(of, answers=said, **seen)
    forget_released(work, view(work))
    return {r.name for r in work.status.nodes}


def gone(name: str, **fields: Any) -> NodeRecord:
    return record(name, ended=end(), released=True, stop="Retired", **fields)


def test_a_node_that_is_gone_is_forgotten_once_no_configuration_names_it() -> None:
    assert kept(status(A, gone("b"), configuration=configuration("a"))) == {"a"}
    assert kept(status(A, gone("b"), configuration=configuration("a", "b"))) == {"a", "b"}
    assert kept(status(A, gone("b"), configuration=configuration("a", pending=["ab"]))) == {"a", "b"}


def test_how_the_first_node_ended_is_kept_until_the_service_was_met() -> None:
    first, again = (gone(name, command=Command.START) for name in "ab")
    assert kept(status(first, again, service=ServiceStatus())) == {"b"}
    assert kept(status(first, again)) == set()


def test_not_before_its_pod_and_configuration_are_gone() -> None:
    of = status(A, record("b", ended=end()), configuration=configuration("a"))
    assert kept(of) == {"a", "b"}
    assert kept(status(A, gone("b"), configuration=configuration("a")), config_maps=frozenset({"b"})) == {"a", "b"}


def test_a_joiner_that_ran_is_kept_until_a_primary_has_told_that_it_is_in_no_configuration() -> None:
    of = status(A, gone("b"), configuration=configuration("a"))
    assert kept(of, led=False) == {"a", "b"}
    never = record("b", ended=end(EndEvidence.NEVER_STARTED), released=True, stop="NotNeeded")
    assert kept(status(A, never, configuration=configuration("a")), led=False) == {"a"}


def test_during_a_recovery_candidates_and_the_lost_configuration_are_kept() -> None:
    running = attempt(candidate("a"), members="abc")
    of = status(
        gone("a"), gone("r-a", command=Command.RECOVER, attempt=1), gone("j", attempt=1), gone("z"), attempt=running
    )
    assert kept(of, led=False) == {"a", "r-a", "j", "z"}
    tried_again = attempt(candidate("a", node="r-a2"), members="abc")
    assert "r-a" not in kept(of.model_copy(update={"attempt": tried_again}), led=False)


def test_what_an_unsettled_network_was_made_of_is_kept() -> None:
    unsettled = Unsettled(
        attempt=1, public_key=NEW, certificate="PEM", recovery_count=1, configuration=configuration("w")
    )
    of = status(A, gone("w", command=Command.RECOVER, attempt=1), configuration=configuration("a"), unsettled=unsettled)
    assert kept(of) == {"a", "w"}


def test_claims_are_known_by_their_uid() -> None:
    of = status(A)
    assert draft(of).claim("v-a") is not None
    assert draft(of, claims={"v-a": claim("v-a", uid="another")}).claim("v-a") is None
    assert draft(of, claims={}).claim("v-a") is None
    assert UID.startswith("0f1e2"), "the names above hold its first five characters"
    assert on().uid == "uid-m1"
