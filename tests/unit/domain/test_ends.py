from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ccf_operator.api.status import Ended, EndEvidence, NodeRecord
from ccf_operator.domain.ends import may_have_run_unseen, proof_of_end, proof_of_nodes_end
from ccf_operator.domain.observation import ContainerView, MachineView, PodView, Terminated
from unit.domain.given import START, at, ended_container, machine, on, pod, record

WAITING = ContainerView(waiting_reason="PodInitializing")


def proof(view: PodView | None, *machines: MachineView, boot_id: str | None = "boot-m1") -> Ended | None:
    return proof_of_end(on(boot_id=boot_id), view, {m.name: m for m in machines}, START)


def evidence(view: PodView | None, *machines: MachineView) -> EndEvidence | None:
    found = proof(view, *machines)
    return found.evidence if found is not None else None


def test_a_terminated_container_proves_the_end_whatever_the_phase() -> None:
    view = pod("n", phase="Running", ccf=ended_container(137, message="Killed"))
    found = proof(view, machine())
    assert found is not None
    assert (found.evidence, found.exit_code, found.message) == (EndEvidence.CONTAINER_TERMINATED, 137, "Killed")


@pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded", "Failed", "Unknown"])
def test_no_phase_proves_the_end_of_a_process_that_was_seen_to_run(phase: str) -> None:
    assert evidence(pod("n", phase=phase, deleting=True), machine()) is None


@pytest.mark.parametrize("silent", [machine(ready=False), machine(ready=True)])
def test_neither_absence_nor_an_unready_machine_proves_anything(silent: MachineView) -> None:
    assert evidence(None, silent) is None


def test_a_machine_that_is_out_of_service_or_gone_is_a_persons_word() -> None:
    assert evidence(None, machine(out_of_service=True)) is EndEvidence.OUT_OF_SERVICE
    assert evidence(None, machine(uid="another")) is EndEvidence.MACHINE_DELETED
    assert evidence(None) is EndEvidence.MACHINE_DELETED


def test_a_machine_that_no_look_has_shown_is_gone_too() -> None:
    view = pod("n", machine="m9")
    found = proof_of_end(None, view, {"m1": machine()}, START)
    assert found is not None
    assert found.evidence is EndEvidence.MACHINE_DELETED
    assert proof_of_end(None, view, None, START) is None


def test_machines_that_cannot_be_read_prove_nothing() -> None:
    assert proof_of_end(on(), pod("n"), None, START) is None


def test_a_stage_that_failed_leaves_a_node_that_never_started() -> None:
    view = pod("n", stage=ContainerView(terminated=Terminated(3, message="claimed")), ccf=WAITING)
    found = proof(view, machine())
    assert found is not None
    assert (found.evidence, found.exit_code) == (EndEvidence.NEVER_STARTED, 3)


def test_a_pod_deleted_before_it_had_a_machine_never_starts() -> None:
    assert evidence(pod("n", machine=None, ccf=ContainerView(), stage=ContainerView()), machine()) is None
    gone = pod("n", machine=None, deleting=True, ccf=ContainerView(), stage=ContainerView())
    assert evidence(gone, machine()) is EndEvidence.NEVER_STARTED


REJECTIONS = ("NodeAffinity", "UnexpectedAdmissionError", "OutOfcpu", "Evicted", "Preempting", "NodeShutdown", "")
NEW = record("n", node_id=None)
"""A node that was never seen to run; `n` has run: it has an id."""
RAN = (record("n"), record("n", node_id=None, started_at=START))


def rejected(reason: str = "NodeAffinity", **fields: Any) -> PodView:
    """As a kubelet leaves a pod that it does not want: nothing is said of its containers any more."""
    nothing = ContainerView()
    return pod("n", **{"phase": "Failed", "reason": reason, "stage": nothing, "ccf": nothing, **fields})


def ended(of: NodeRecord, view: PodView | None, *machines: MachineView, since: datetime | None = START) -> Ended | None:
    return proof_of_nodes_end(of, view, {m.name: m for m in machines or (machine(),)}, START, since)


@pytest.mark.parametrize("reason", REJECTIONS)
@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
@pytest.mark.parametrize("of", RAN, ids=["has an id", "was seen to run"])
def test_a_rejection_proves_nothing_of_a_node_that_has_run(of: NodeRecord, phase: str, reason: str) -> None:
    assert ended(of, rejected(reason, phase=phase)) is None
    assert ended(of, rejected(reason, phase=phase, deleting=True)) is None
    assert ended(of, rejected(reason, phase=phase, machine=None, deleting=True)) is None


@pytest.mark.parametrize("of", RAN, ids=["has an id", "was seen to run"])
def test_neither_does_a_status_that_is_older_than_its_start_nor_a_stage_that_runs_once_more(of: NodeRecord) -> None:
    assert ended(of, pod("n", phase="Pending", stage=ContainerView(), ccf=ContainerView())) is None
    refused = ContainerView(terminated=Terminated(3, "Error", "gen-0 is claimed by n"))
    assert ended(of, pod("n", phase="Failed", stage=refused, ccf=WAITING)) is None


@pytest.mark.parametrize("of", RAN, ids=["has an id", "was seen to run"])
def test_a_report_and_a_word_about_its_machine_prove_the_end_of_one_that_was_rejected(of: NodeRecord) -> None:
    report = ended(of, rejected(ccf=ended_container(137)))
    word = ended(of, rejected(), machine(out_of_service=True))
    assert report is not None
    assert report.evidence is EndEvidence.CONTAINER_TERMINATED
    assert word is not None
    assert word.evidence is EndEvidence.OUT_OF_SERVICE


@pytest.mark.parametrize("deleting", [True, False])
@pytest.mark.parametrize("reason", REJECTIONS)
def test_one_that_was_never_seen_to_run_is_given_up_with_its_pod_and_it_is_said_why(
    reason: str, deleting: bool
) -> None:
    found = ended(NEW, rejected(reason, deleting=deleting, message="node(s) didn't match"))
    assert found is not None
    assert found.evidence is EndEvidence.NEVER_STARTED
    assert (found.reason, found.message, found.disk_kept) == (reason or "Failed", "node(s) didn't match", False)


@pytest.mark.parametrize(("since", "unseen"), [(START, False), (at(1), True), (None, True)])
def test_it_may_have_run_where_nobody_looked_for_a_while_since_it_was_planned(
    since: datetime | None, unseen: bool
) -> None:
    refused = ContainerView(terminated=Terminated(3, "Error", "gen-0 is claimed by n"))
    bad = ContainerView(terminated=Terminated(1, "Error", "no space left"))
    for view in (rejected(), pod("n", phase="Failed", stage=refused, ccf=WAITING)):
        found = ended(NEW, view, since=since)
        assert found is not None
        assert may_have_run_unseen(found) is unseen
    for view in (
        pod("n", phase="Failed", stage=bad, ccf=WAITING),
        rejected(phase="Pending", machine=None, deleting=True),
    ):
        found = ended(NEW, view, since=since)
        assert found is not None
        assert not may_have_run_unseen(found), "it was never claimed, or never had a machine"


def test_a_rejection_proves_nothing_of_a_pod_that_is_not_on_record() -> None:
    assert evidence(rejected(), machine()) is None
    assert evidence(rejected(), machine(out_of_service=True)) is EndEvidence.OUT_OF_SERVICE


def test_a_pod_that_is_still_staging_may_yet_start() -> None:
    staging = pod("n", phase="Failed", stage=ContainerView(running=True), ccf=WAITING)
    assert evidence(staging, machine()) is None
    assert ended(NEW, staging) is None


def test_the_disk_is_kept_if_the_machine_still_runs_as_it_did() -> None:
    view = pod("n", ccf=ended_container())
    found = proof(view, machine())
    assert found is not None
    assert found.disk_kept


@pytest.mark.parametrize(
    ("now", "then"),
    [(machine(boot_id="another"), "boot-m1"), (machine(uid="another"), "boot-m1"), (machine(), None)],
    ids=["rebooted", "replaced", "boot unknown"],
)
def test_the_disk_is_not_known_to_be_kept_if_the_machine_went_down(now: MachineView, then: str | None) -> None:
    found = proof(pod("n", ccf=ended_container()), now, boot_id=then)
    assert found is not None
    assert not found.disk_kept


@pytest.mark.parametrize("reason", ["Unknown", "ContainerStatusUnknown"])
def test_an_end_that_the_runtime_did_not_see_tells_nothing_of_the_disk(reason: str) -> None:
    # After a power cut the kubelet can report the end before the Kubernetes Node shows its new boot id.
    found = proof(pod("n", ccf=ended_container(255, reason=reason)), machine())
    assert found is not None
    assert found.evidence is EndEvidence.CONTAINER_TERMINATED
    assert not found.disk_kept


@pytest.mark.parametrize(
    ("fields", "stop", "machines", "unseen"),
    [
        ({"deleting": True, "ccf": WAITING}, "NotStarted", {"m1": machine()}, False),
        ({"deleting": True, "ccf": WAITING}, "Replaced", {"m1": machine()}, False),
        ({"deleting": True, "ccf": WAITING}, None, {"m1": machine()}, True),
        ({"deleting": True, "ccf": ContainerView()}, "NotStarted", {"m1": machine()}, True),
        ({"deleting": False, "ccf": WAITING}, "NotStarted", {"m1": machine()}, True),
    ],
    ids=["given up", "replaced", "not seen to wait before", "nothing of it is reported", "given up by its kubelet"],
)
def test_a_kubelet_that_ends_what_was_seen_to_wait_and_says_it_still_waits_has_not_started_it(
    fields: dict[str, Any], stop: str | None, machines: dict[str, MachineView], unseen: bool
) -> None:
    of = record("n", node_id=None, started_at=None, stop=stop)
    found = proof_of_nodes_end(of, pod("n", phase="Failed", stage=ContainerView(), **fields), machines, START, None)
    assert found is not None
    assert found.unseen is unseen
