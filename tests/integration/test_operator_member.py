"""The operator as a member: real Secrets and rights, real signatures, the constitution of the fixtures and others."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.api.operator_member_status import OperatorMemberStatus
from ccf_operator.api.status import NetworkStatus, ServiceStatus
from ccf_operator.ccf.governance import GovernanceClient, remove_node
from ccf_operator.domain.effects import Propose
from ccf_operator.kube.gateway import Gateway
from ccf_operator.reconcile.act import Actor
from ccf_operator.reconcile.observe import Observer
from ccf_operator.reconcile.parse import to_wire
from ccf_operator.reconcile.signing_member import SigningMember
from ccf_operator.render.order import Platform
from integration.conftest import CHART, OPERATOR_NAMESPACE, Helm
from integration.control_plane import ControlPlane
from integration.manifests import minimal
from integration.operator_process import operator
from integration.test_operator import provide, until
from integration.world.story import Story
from integration.world.world import World
from members import GeneratedMember, generate_member, generate_operator_member
from unit.domain.given import pod, record

SECRET = "bank-operator"
SPEC: dict[str, Any] = {"operatorMember": {"secretRef": {"name": SECRET}}}
CONDITION = "OperatorMemberUsable"

Grant = Callable[[], None]


@pytest.fixture
def grant(control_plane: ControlPlane, helm: Helm, namespace: str) -> Grant:
    """Give the operator's account the right that the chart gives for the member's Secret."""

    def give() -> None:
        right = helm(
            "template",
            "ccf-operator",
            str(CHART),
            f"--namespace={OPERATOR_NAMESPACE}",
            "--set-json",
            f"operatorMembers={json.dumps([{'namespace': namespace, 'secret': SECRET}])}",
            "--show-only=templates/operator-members.yaml",
        )
        done = control_plane.kubectl("apply", "-f", "-", stdin=right)
        assert done.returncode == 0, done.stderr

    return give


def secret_of(member: GeneratedMember, key: str | None = None) -> dict[str, Any]:
    texts = {"tls.crt": member.certificate_pem, "tls.key": key or member.key_pem}
    return {
        "metadata": {"name": SECRET},
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()},
    }


@pytest.fixture
async def governed(world: World, grant: Grant) -> World:
    """A world whose operator has a member of its own."""
    grant()
    world.consortium.operator = generate_operator_member("operator")
    path = f"/api/v1/namespaces/{world.namespace}/secrets"
    await world.api.ask("POST", path, secret_of(world.consortium.operator))
    return world


def condition(status: dict[str, Any]) -> dict[str, Any]:
    found = [one for one in status.get("conditions") or [] if one["type"] == CONDITION]
    return found[0] if found else {}


def usable(story: Story) -> bool:
    return condition(story.status).get("status") == "True"


def gone(name: str) -> Callable[[Story], bool]:
    """Whether a node is on record no more, or no part of the service any more."""

    def look(story: Story) -> bool:
        trusted = set((story.status.get("configuration") or {}).get("nodes") or [])
        return not any(one["name"] == name and one.get("nodeId") in trusted for one in story.nodes())

    return look


def asked_of_members(story: Story, since: int) -> set[str]:
    """What members were asked for since a version of the status."""
    return {status.get("nextStep", "") for status in story.statuses()[since:]} - {""}


def has(nodes: int) -> Callable[[Story], bool]:
    """Whether so many nodes are on record."""
    return lambda story: len(story.nodes()) == nodes


async def lose_one(world: World) -> tuple[str, int]:
    """A node that dies, and the version of the status before that."""
    await world.story.until("the operator's member is active", usable)
    version = len(world.story.versions)
    [*_, victim] = world.story.nodes(fit=True)
    world.kubelet.kill(victim["name"])
    await world.story.until("its end is known", lambda s: any(n["name"] == victim["name"] for n in _ended(s)))
    return str(victim["name"]), version


def _ended(story: Story) -> list[dict[str, Any]]:
    return [node for node in story.nodes() if node.get("ended")]


async def test_a_lost_minority_is_replaced_without_a_person(governed: World) -> None:
    world = governed
    await world.operator()
    await world.open(governance=SPEC)
    await world.write()

    victim, version = await lose_one(world)
    await world.story.until("it is no part of the service any more", gone(victim))
    await world.running()

    await world.write()
    await world.at_rest()
    await world.nothing_is_missing()
    assert asked_of_members(world.story, version) == set()
    key = world.consortium.operator.key_pem if world.consortium.operator else ""
    assert "".join(key.splitlines()[1:3]) not in json.dumps(world.story.versions)


async def test_the_number_of_nodes_follows_the_spec_without_a_person(governed: World) -> None:
    world = governed
    await world.operator()
    await world.open(governance=SPEC)
    await world.story.until("the operator's member is active", usable)
    version = len(world.story.versions)

    for number in (2, 4):
        await world.api.patch(world.path, {"spec": {"nodes": number}})
        await world.running(number)
        await world.story.until("no others are left", has(number))

    assert asked_of_members(world.story, version) == set()


async def test_it_proposes_the_opening_of_what_was_recovered_and_members_vote(governed: World) -> None:
    world = governed
    await world.operator()
    await world.open(governance=SPEC)
    await world.write()
    await world.story.until("the operator's member is active", usable)

    world.kubelet.kill(*world.majority())
    await world.members_asked()
    [proposal] = await world.story.until(
        "the opening is proposed", lambda s: (s.status.get("governance") or {}).get("proposals")
    )
    assert proposal["opens"]
    assert proposal["proposer"] == "the operator"
    assert proposal["missing"] == [one.name for one in world.consortium.members]
    winner = world.story.attempt["winner"]
    node = world.node(winner["node"])
    async with world.consortium.client(node, winner["serviceCertificate"]) as client:
        await _vote(client, world, proposal["id"])
        for member in world.consortium.members:
            await client.submit_share(member)
    await world.running()
    await world.nothing_is_missing()


async def _vote(client: GovernanceClient, world: World, proposal: str) -> None:
    for member in world.consortium.members:
        state = await client.vote(member, proposal)
    assert state.state == "Accepted"


MEMBERS_DECIDE_ALL = ("if (isOperator(proposerId) && actions.every", "if (false && actions.every")
"""The operator's proposals need votes as everybody's do."""
OBSOLETE_NAMES = (
    "const known = Object.keys(handlers);",
    'const known = [...Object.keys(handlers), "trust_node", "retire_node"].filter((n) => !n.endsWith("_node"));',
)
"""A constitution for which removing a node has another name, as in CCF's sample for operators (CCF facts §0.14)."""


def change_constitution(world: World, change: tuple[str, str]) -> None:
    scripts = dict(world.consortium.constitution)
    [name] = [name for name, text in scripts.items() if change[0] in text]
    scripts[name] = scripts[name].replace(*change)
    world.consortium.constitution = scripts


async def test_where_members_decide_all_they_are_asked_to_vote(governed: World) -> None:
    world = governed
    change_constitution(world, MEMBERS_DECIDE_ALL)
    await world.operator()
    await world.open(governance=SPEC)
    victim, _ = await lose_one(world)

    def waiting(story: Story) -> dict[str, Any] | None:
        found: dict[str, Any] | None = (story.status.get("operatorMember") or {}).get("proposal")
        return found if found and len(found["what"]) == 2 else None

    proposal = await world.story.until("both are in one proposal", waiting)
    await world.story.until("votes are asked for", lambda s: s.status["nextStep"].startswith("members: vote for"))
    node = world.node(next(one["name"] for one in world.story.nodes(fit=True)))
    async with world.consortium.client(node, world.certificate()) as client:
        await _vote(client, world, proposal["id"])
    await world.story.until("it is no part of the service any more", gone(victim))
    await world.running()


async def test_what_the_constitution_does_not_know_is_told_in_ccfs_words_and_left_to_the_members(
    governed: World,
) -> None:
    world = governed
    change_constitution(world, OBSOLETE_NAMES)
    await world.operator()
    await world.open(governance=SPEC)
    _, version = await lose_one(world)

    refused = await world.story.until(
        "the refusal", lambda s: condition(s.status).get("reason") == "Refused" and condition(s.status)
    )

    assert refused["status"] == "False"
    assert "unknown action remove_node" in refused["message"]
    await world.story.until("members are asked", lambda s: s.status["nextStep"].startswith("members: propose and vote"))
    members = [status.get("operatorMember") or {} for status in world.story.statuses()[version:]]
    tries = [(member.get("lastSigned") or {}).get("at") for member in members]
    assert len({at for at in tries if at}) <= 4, "no more often than it waits longer"


# What comes late, and what is wrong with the Secret: no node runs here


async def test_a_message_that_is_out_of_date_is_not_sent(
    gateway: Gateway, namespace: str, create_network: Callable[..., dict[str, Any]], control_plane: ControlPlane
) -> None:
    raw = create_network(minimal(governance=SPEC))
    member = generate_operator_member("operator")
    whole = json.dumps({"apiVersion": "v1", "kind": "Secret", **secret_of(member)})
    assert control_plane.kubectl("create", "--namespace", namespace, "-f", "-", stdin=whole).returncode == 0
    message = Propose("bank-0", member.member_id, "token", (remove_node("x"),))
    written = NetworkStatus(
        service=ServiceStatus(certificate=member.certificate_pem),
        nodes=[record("bank-0")],
        operator_member=OperatorMemberStatus(member_id=member.member_id),
    )

    async def why(seconds: float) -> str:
        """Why it is not done, so many seconds after the look."""
        signs = SigningMember(gateway.get_secret)
        seen = await Observer(gateway, member=signs).look(raw)
        looked = datetime.now(UTC) - timedelta(seconds=seconds)
        nowhere = {"bank-0": pod("bank-0", ip="127.0.0.1")}
        seen = replace(seen, now=looked, pods=nowhere, status=written)
        actor = Actor(gateway, Platform(stage_image="operator"), signs)
        [failure] = await actor.act((message,), raw, seen, written)
        assert failure.passing
        return failure.why

    assert await why(0) == "the network has changed meanwhile", "another operator has written something else"
    await gateway.replace_status(namespace, "bank", raw["metadata"]["resourceVersion"], to_wire(written))
    assert await why(60) == "it was decided too long ago"
    assert "proposals:create" in await why(0), "it was sent, and nobody is there"


async def explained(gateway: Gateway, namespace: str, reason: str) -> str:
    async def look() -> str | None:
        network = await gateway.get_network(namespace, "bank")
        found = condition((network or {}).get("status") or {})
        return found.get("message") if found.get("reason") == reason else None

    return str(await until(reason, look))


async def test_what_is_wrong_with_the_secret_is_explained_until_nothing_is(
    control_plane: ControlPlane,
    operator_kubeconfig: Path,
    gateway: Gateway,
    namespace: str,
    create_network: Callable[..., dict[str, Any]],
    grant: Grant,
    tmp_path: Path,
) -> None:
    await provide(gateway, namespace)
    create_network(minimal(governance=SPEC))
    member, other = generate_operator_member("operator"), generate_member("other")

    def put(secret: dict[str, Any]) -> None:
        control_plane.kubectl("delete", "secret", SECRET, "--namespace", namespace)
        whole = {"apiVersion": "v1", "kind": "Secret", **secret}
        done = control_plane.kubectl("create", "--namespace", namespace, "-f", "-", stdin=json.dumps(whole))
        assert done.returncode == 0, done.stderr

    with operator(operator_kubeconfig, namespace, tmp_path / "operator.log"):
        said = await explained(gateway, namespace, "SecretForbidden")
        assert f"{{namespace: {namespace}, secret: {SECRET}}} to the chart value operatorMembers" in said
        grant()
        said = await explained(gateway, namespace, "SecretMissing")
        assert f"kubectl -n {namespace} create secret tls {SECRET}" in said
        put(secret_of(member, other.key_pem))
        said = await explained(gateway, namespace, "SecretUnusable")
        assert "is not the key of the certificate" in said
        put(secret_of(member))
        await explained(gateway, namespace, "ServiceNotAsked")
        assert await gateway.list_pods(namespace, "bank"), "nothing else waits for it"

        control_plane.kubectl(
            "patch", "ccf", "bank", "--namespace", namespace, "--type=merge", "-p", '{"spec":{"governance":null}}'
        )

        async def forgotten() -> bool:
            network = await gateway.get_network(namespace, "bank")
            status = (network or {}).get("status") or {}
            return not condition(status) and "operatorMember" not in status

        await until("a status without it", forgotten)
    log = (tmp_path / "operator.log").read_text()
    assert "PRIVATE KEY" not in log
    assert member.key_pem.splitlines()[1] not in log
