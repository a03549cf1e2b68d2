"""Members and operators with nothing but `kubectl` and `kubectl ccf`, on a network that really runs."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest
import pytest_asyncio
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ccf_operator.ccf.client import ask
from ccf_operator.cli.app import run
from ccf_operator.cli.exits import Exit
from integration.control_plane import ControlPlane
from integration.world.story import Story
from integration.world.world import World, living
from members import GeneratedMember, generate_member

NAMES = ("alice", "bob", "carol")


@dataclass
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Desk:
    """Three members at their machines."""

    world: World
    control_plane: ControlPlane
    directory: Path
    people: list[GeneratedMember]
    """Of the network, in order."""
    given: dict[str, GeneratedMember]

    def file(self, name: str) -> str:
        return str(self.directory / name)

    async def ccf(self, *words: str) -> Said:
        """kubectl ccf, in a thread of this process."""
        where = ("--kubeconfig", str(self.control_plane.kubeconfig), "--namespace", self.world.namespace)
        with redirect_stdout(_Routed(sys.stdout)) as out, redirect_stderr(_Routed(sys.stderr)) as err:
            return await asyncio.to_thread(_run, [*words, *where], out, err)

    async def done(self, *words: str) -> str:
        """The same; what it said, having succeeded."""
        said = await self.ccf(*words)
        assert said.code == 0, f"{words}: {said.out}\n{said.err}"
        return said.out

    def keys(self, name: str) -> tuple[str, ...]:
        return ("--cert", self.file(f"{name}_cert.pem"), "--key", self.file(f"{name}_privk.pem"))

    async def as_member(self, name: str, command: str, *words: str) -> str:
        return await self.done(command, "bank", *words, *self.keys(name), "--yes")

    async def elsewhere(self, name: str, kind: str, *words: str) -> str:
        """A member whose key no command gets: prepare, sign, finish, until no more signature is asked for."""
        person = next(one for one in self.people if one.name == name)
        key = load_pem_private_key(person.key_pem.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        file = self.directory / f"{name}-{kind}"
        for stale in self.directory.glob(f"{name}-{kind}*"):
            stale.unlink()
        cert = self.file(f"{name}_cert.pem")
        said = await self.done("prepare", kind, "bank", *words, "--cert", cert, "--out", str(file), "-o", "json")
        step = json.loads(said)
        while "toBeSigned" in step:
            signature = file.with_suffix(".sig")
            to_be_signed = (self.directory / step["toBeSigned"]).read_bytes()
            signature.write_bytes(key.sign(to_be_signed, ec.ECDSA(hashes.SHA384())))
            finished = await self.done("finish", "bank", step["file"], "--signature", str(signature), "-o", "json")
            said, step = said + finished, json.loads(finished).get("next", {})
        return said

    async def open(self) -> None:
        """The first members accept whatever service the operator offers, as many as it takes."""
        for one in self.people[: len(self.people) // 2 + 1]:
            await self.as_member(one.name, "open")

    async def start(self, *names: str, nodes: int = 3, threshold: int = 1) -> None:
        """A network of these members, which waits to be opened."""
        self.people += [self.given[name] for name in names]
        for one in self.people:
            (self.directory / f"{one.name}_cert.pem").write_text(one.certificate_pem)
            (self.directory / f"{one.name}_privk.pem").write_text(one.key_pem)
            (self.directory / f"{one.name}_enc_privk.pem").write_text(one.encryption_key_pem or "")
        await self.world.operator()
        await self.world.create(nodes, recoveryThreshold=threshold)
        await self.world.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")

    async def started_and_open(self, *names: str, nodes: int = 3) -> None:
        """The same, opened."""
        await self.start(*names, nodes=nodes)
        for name in names:
            await self.as_member(name, "ack")
        await self.open()
        await self.world.running(nodes)


class _Routed(io.TextIOBase):
    """A standard stream that keeps what one thread writes apart from everybody else's."""

    def __init__(self, everybody: TextIO) -> None:
        self.everybody = everybody
        self.kept: dict[int, io.StringIO] = {}

    def write(self, text: str) -> int:
        return self.kept.get(threading.get_ident(), self.everybody).write(text)

    def flush(self) -> None:
        self.everybody.flush()


def _run(words: list[str], out: _Routed, err: _Routed) -> Said:
    me = threading.get_ident()
    out.kept[me], err.kept[me] = io.StringIO(), io.StringIO()
    code = run(words)
    return Said(code, out.kept.pop(me).getvalue(), err.kept.pop(me).getvalue())


@pytest.fixture(scope="session")
def given() -> dict[str, GeneratedMember]:
    """Members whose keys are made once."""
    return {name: generate_member(name) for name in NAMES}


@pytest_asyncio.fixture
async def at(
    control_plane: ControlPlane,
    operator_kubeconfig: Path,
    namespace: str,
    tmp_path: Path,
    given: dict[str, GeneratedMember],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Desk]:
    """Members at their machines, and no network yet."""
    monkeypatch.setenv("KUBECONFIG", str(operator_kubeconfig))
    monkeypatch.setenv("KUBECTL", str(control_plane.binaries / "kubectl"))
    keys = tmp_path / "keys"
    keys.mkdir()
    people: list[GeneratedMember] = []
    async with living(control_plane, namespace, tmp_path, people) as world:
        yield Desk(world, control_plane, keys, people, given)


async def test_from_nothing_to_open_through_a_loss_to_open_again(at: Desk) -> None:
    await at.start(*NAMES, threshold=2)
    assert "kubectl ccf open bank" in await at.done("status", "bank")
    early = await at.ccf("open", "bank", *at.keys("alice"), "--yes")
    assert (early.code, "kubectl ccf ack bank" in early.err) == (Exit.NOT_NOW, True)
    await at.as_member("alice", "ack")
    await at.elsewhere("bob", "ack")
    assert [one["status"] for one in json.loads(await at.done("members", "bank", "-o", "json"))] == [
        "Active",
        "Active",
        "Accepted",
    ]
    await at.as_member("carol", "ack")
    already = json.loads(await at.as_member("carol", "ack", "-o", "json"))
    assert (already["signed"], "already" in already["message"]) == ([], True)

    asked = await at.ccf("open", "bank", *at.keys("alice"))
    assert asked.code == Exit.DECLINED, "nobody was asked"
    assert await proposals(at) == []
    done = json.loads(await at.as_member("alice", "open", "-o", "json"))
    assert [one["type"] for one in done["signed"]] == ["proposal", "ballot"]
    [proposal] = await proposals(at)
    assert proposal["proposalId"] == done["signed"][0]["answer"]["proposalId"]
    assert (len(proposal["voted"]), len(proposal["missing"])) == (1, 2)
    [told] = await at.world.story.until(
        "the operator has seen the vote",
        lambda s: [one for one in members_of(s).get("proposals", ()) if one["ballots"]],
    )
    assert (told["id"], told["state"], told["proposer"]) == (proposal["proposalId"], "Open", "alice")
    assert (told["ballots"], told["missing"]) == (["alice"], ["bob", "carol"])
    assert f"kubectl ccf vote bank {proposal['proposalId'][:8]} yes" in at.world.story.status["nextStep"]
    shown = " ".join((await at.done("status", "bank")).split())
    assert "3 of 3 are active; 2 recovery shares are needed" in shown
    assert "voted: alice not yet: bob, carol" in shown
    seen = json.loads(await at.done("status", "bank", "-o", "json"))["governance"]
    assert (seen["recoveryThreshold"], seen["openProposals"]) == (2, [proposal])
    assert "you have voted" in await at.as_member("alice", "open")
    await at.elsewhere("bob", "open")
    await at.world.running()
    assert "open already" in await at.as_member("carol", "open")
    known = at.directory / "service_cert.pem"
    known.write_text(at.world.certificate())

    at.world.kubelet.kill(*at.world.majority())
    await at.world.members_asked()
    early = await at.ccf(
        "submit-share", "bank", *at.keys("alice"), "--enc-key", at.file("alice_enc_privk.pem"), "--yes"
    )
    assert (early.code, "kubectl ccf open bank" in early.err) == (Exit.NOT_NOW, True)
    shown = await at.as_member("alice", "open", "--known-service", str(known))
    assert at.world.story.attempt["winner"]["txID"] in shown
    assert "your own file" in shown
    await at.elsewhere("carol", "open", "--known-service", str(known))
    await at.as_member("carol", "submit-share", "--enc-key", at.file("carol_enc_privk.pem"))
    await at.world.story.until(
        "the operator has been told of the share", lambda s: "at" in members_of(s).get("shares", {})
    )
    shares = members_of(at.world.story)["shares"]
    assert (shares["submitted"], shares["threshold"], shares["reportedBy"]) == (1, 2, ["carol"])
    assert "1 of 2 are in, as members' plugins reported: carol" in " ".join((await at.done("status", "bank")).split())
    await at.elsewhere("alice", "submit-share", "--enc-key", at.file("alice_enc_privk.pem"))
    await at.world.running()
    assert "governance" not in at.world.story.status, "nothing is awaited of members any more"
    document = json.loads(await at.done("status", "bank", "-o", "json"))
    assert document["status"]["history"][0]["result"] == "Succeeded"
    assert len(document["nodes"]) == 3
    assert all(one["serviceStatus"] == "Open" for one in document["nodes"].values())


async def test_a_proposal_is_made_explained_voted_on_and_withdrawn(at: Desk) -> None:
    await at.started_and_open(*NAMES, nodes=1)
    before = at.world.certificate()
    file = at.directory / "proposal.json"
    file.write_text(json.dumps({"actions": [{"name": "set_recovery_threshold", "args": {"recovery_threshold": 3}}]}))
    said = await at.as_member("alice", "propose", str(file))
    assert "let 3 recovery shares suffice" in said
    [proposal] = await proposals(at)
    identity = proposal["proposalId"]
    refused = await at.ccf("withdraw", "bank", identity[:8], *at.keys("bob"), "--yes")
    assert refused.code == Exit.REFUSED
    await at.as_member("bob", "vote", identity[:8], "no")
    assert "voted: alice, bob" in await at.done("proposals", "bank")
    await at.as_member("alice", "withdraw", identity[:8])
    assert await proposals(at) == []
    await at.as_member("carol", "renew", "--days", "30")
    assert '"proposalState": "Accepted"' in await at.elsewhere("alice", "renew", "--days", "30")
    await at.world.story.until(
        "the service has another certificate", lambda s: s.status["service"]["certificate"] != before
    )
    known = at.directory / "service_cert.pem"
    known.write_text(before)
    assert "Active" in await at.done("members", "bank", "--known-service", str(known))
    missing = await at.ccf("vote", "bank", "ffffffff", "yes", *at.keys("bob"), "--yes")
    assert missing.code == Exit.NOT_FOUND


async def test_a_loss_that_needs_approval_is_explained_approved_and_told_of(at: Desk) -> None:
    await at.started_and_open("alice")
    not_now = await at.ccf("recovery", "approve", "bank", "--yes")
    assert (not_now.code, "nothing waits for approval" in not_now.err) == (Exit.NOT_NOW, True)
    assert "the quorum holds" in await at.done("recovery", "plan", "bank")

    gone = [one["name"] for one in at.world.story.nodes(fit=True)][:2]
    for pod in gone:
        shutil.rmtree(at.world.kubelet.runs[pod].volume / "gen-0" / "ledger")
    at.world.kubelet.kill(*gone)
    await at.world.story.until("approval is asked for", lambda s: s.attempt.get("phase") == "AwaitingApproval")

    plan = json.loads(await at.done("recovery", "plan", "bank", "-o", "json"))
    assert plan["possibleLoss"]
    assert any("recovery approve bank" in choice["command"] for choice in plan["choices"])
    early = await at.ccf("open", "bank", *at.keys("alice"), "--yes")
    assert (early.code, "no ledger has been chosen" in early.err) == (Exit.NOT_NOW, True)
    printed = yaml.safe_load(await at.done("recovery", "approve", "bank", "--reason", "a test", "--dry-run"))
    assert printed["spec"] == {
        "network": "bank",
        "token": at.world.story.attempt["token"],
        "action": "Approve",
        "reason": "a test",
    }
    assert at.world.story.attempt.get("approval") is None
    said = await at.done("recovery", "approve", "bank", "--reason", "a test", "--yes")
    assert "applied" in said
    await at.world.members_asked()
    again = await at.ccf("recovery", "exclude", "bank", at.world.story.attempt["winner"]["volume"], "--yes")
    assert (again.code, "has chosen" in again.err) == (Exit.REFUSED, True)
    await at.open()
    await at.as_member("alice", "submit-share", "--enc-key", at.file("alice_enc_privk.pem"))
    await at.world.running()
    told = await at.done("recovery", "history", "bank", "1")
    assert "a test" in told
    assert "may be missing" in told


async def test_a_fork_made_by_hand_is_unmasked(at: Desk) -> None:
    await at.started_and_open("alice")
    at.world.kubelet.kill(*at.world.majority())
    await at.world.members_asked()
    await offer_a_fork(at.world)

    said = await at.ccf("open", "bank", "--node", "bank-fork", *at.keys("alice"), "--yes")
    assert said.code == Exit.UNSAFE, said.out + said.err
    assert "bank-fork is not a node that the operator made" in said.err
    assert "its service is another one" in said.err
    for command in (("members",), ("proposals",), ("ack", *at.keys("alice"), "--yes")):
        unmasked = await at.ccf(command[0], "bank", "--node", "bank-fork", *command[1:])
        assert unmasked.code == Exit.UNSAFE, f"{command}: {unmasked.out}{unmasked.err}"
    share = (
        "submit-share",
        "bank",
        "--node",
        "bank-fork",
        *at.keys("alice"),
        "--enc-key",
        at.file("alice_enc_privk.pem"),
    )
    assert (await at.ccf(*share, "--yes")).code == Exit.UNSAFE
    assert "not the operator's!" in await at.done("status", "bank")
    shown = await at.as_member("alice", "open")
    assert "a fork is offered besides: pod bank-fork" in shown


async def test_members_replace_a_dead_node_with_one_command_each(at: Desk) -> None:
    await at.started_and_open("alice", "bob")
    assert "no node waits" in await at.as_member("alice", "trust")
    victim = at.world.story.nodes(fit=True)[0]["name"]
    at.world.kubelet.kill(victim)
    await at.world.story.until(
        "a new node waits to be trusted", lambda s: "transition_node_to_trusted" in s.status.get("nextStep", "")
    )
    assert "kubectl ccf trust bank" in await at.done("status", "bank")
    said = await at.as_member("alice", "trust")
    assert f"remove node {victim}" in said
    assert "trust node bank-" in said
    await at.elsewhere("bob", "trust")
    await at.world.running()
    assert victim not in [one["name"] for one in at.world.story.nodes(fit=True)]


async def offer_a_fork(world: World) -> None:
    """What a person at the keyboard might do: a copy of the winner's pod, on a copy of a dead node's ledger."""
    winner = world.story.attempt["winner"]
    core = f"/api/v1/namespaces/{world.namespace}"
    pod = await world.api.ask("GET", f"{core}/pods/{winner['node']}")
    settings = await world.api.ask("GET", f"{core}/configmaps/{winner['node']}")
    claim = await world.api.ask("GET", f"{core}/persistentvolumeclaims/{winner['volume']}")

    def forged(raw: Any) -> Any:
        text = json.dumps(raw).replace(winner["node"], "bank-fork").replace(winner["volume"], "fork-ledger")
        made = json.loads(text)
        metadata = made["metadata"]
        made["metadata"] = {"name": metadata["name"], "labels": metadata.get("labels") or {}}
        made.pop("status", None)
        made["spec" if "spec" in made else "data"].pop("nodeName", None)
        return made

    shutil.copytree(world.kubelet.volume(winner["volume"]) / "gen-0", world.kubelet.volume("fork-ledger") / "gen-0")
    fork = forged(claim)
    fork["metadata"]["labels"] = {}
    fork["spec"].pop("volumeName", None)
    await world.api.ask("POST", f"{core}/persistentvolumeclaims", fork)
    await world.api.ask("POST", f"{core}/configmaps", forged(settings))
    await world.api.ask("POST", f"{core}/pods", forged(pod))
    runs = world.kubelet.runs
    async with asyncio.timeout(30):
        while "bank-fork" not in runs or not await offers(runs["bank-fork"].address):  # noqa: ASYNC110 - a node starts
            await asyncio.sleep(0.1)


async def offers(host: str) -> bool:
    answers = await ask(host, 8443, expected_node_id=None)
    return answers.network is not None and answers.network.service_status == "Recovering"


def members_of(story: Story) -> dict[str, Any]:
    """What the status says of the members; empty if nothing."""
    return story.status.get("governance") or {}


async def proposals(at: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(await at.done("proposals", "bank", "-o", "json"))
    return found
