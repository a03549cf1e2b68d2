from __future__ import annotations

import pytest

from ccf_operator.api.status import Ended, EndEvidence
from ccf_operator.domain.ends import proof_of_end
from ccf_operator.domain.observation import ContainerView, MachineView, PodView, Terminated
from unit.domain.given import START, ended_container, machine, on, pod

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


@pytest.mark.parametrize("deleting", [True, False])
def test_a_pod_that_the_kubelet_has_finished_before_ccf_ran_never_starts(deleting: bool) -> None:
    # Refused by its machine, evicted, or deleted while its image or volume could not be had: the kubelet makes a phase
    # final only once nothing of the pod can run, and reports no termination of a container that never started.
    stuck = pod("n", phase="Failed", deleting=deleting, stage=WAITING, ccf=ContainerView())
    assert evidence(stuck, machine()) is EndEvidence.NEVER_STARTED


def test_a_pod_that_is_still_staging_may_yet_start() -> None:
    staging = pod("n", phase="Failed", stage=ContainerView(running=True), ccf=WAITING)
    assert evidence(staging, machine()) is None


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
