"""The life of a service in which the recordings were made: opened, grown, shrunk, lost, recovered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import API_VERSION, Action, Message
from contract.recordings import Answer, Counted, Question, load, of_failure
from contract.sandbox import RunningNode, Sandbox, until
from members import GeneratedMember, generate_member

_KEPT_HEADERS = ("content-type", "x-ms-ccf-transaction-id", "location")
_INTERFACES = {"service": "primary", "node": "operator"}


class Scenario:
    """`await run()` fills `answers`; nodes have the names and roles of the recordings."""

    def __init__(self, root: Path) -> None:
        self.members: Sequence[GeneratedMember] = [generate_member(f"member{number}") for number in range(3)]
        self.sandbox = Sandbox(root, self.members, election_timeout=3.0, signature_delay=0.5)
        self.answers: dict[Question, Answer] = {}
        self._counted = Counted()
        self._asked = load()

    async def run(self) -> None:
        try:
            await self._live()
        finally:
            await self.sandbox.close()

    async def _live(self) -> None:
        primary = await self.sandbox.start("n0")
        await self.sandbox.serving(primary)
        await self._look("service Opening, one node", start=primary)

        backup = await self.sandbox.join("n1", primary)
        third = await self.sandbox.join("n2", primary)
        for one in (backup, third):
            await self.sandbox.serving(one)
        await self._quiet(primary, backup, third)
        await self._look("service Opening, three nodes", primary=primary, backup=backup)

        await self._acknowledge(primary)
        certificate = await primary.service_certificate()
        await self._pass("service Opening", primary, governance.transition_service_to_open(certificate))
        await self._open_everywhere(primary, backup, third)
        await self._quiet(primary, backup, third)
        await self._look("service Open, three nodes", primary=primary, backup=backup)

        joiner = await self.sandbox.join("n3", primary)
        await until(lambda: self._pending_at(primary, joiner))
        await self._quiet(primary, backup, third)
        await self._look("node joined an Open service, not yet trusted", joiner=joiner, primary=primary)

        trust = governance.transition_node_to_trusted(joiner.node.node_id, governance.certificate_time(time.time()))
        await self._pass("trust a pending node", primary, trust)
        await self.sandbox.serving(joiner)
        await self._quiet(primary, backup, third, joiner)
        await self._look("four nodes trusted", primary=primary)

        await self._err(primary)

        await self._pass("remove a node", primary, governance.remove_node(joiner.node.node_id))
        with primary.without_signatures():
            await until(lambda: self._marked(primary, joiner))
            await self._look("node removal just accepted", primary=primary)
        await until(lambda: self._silent(joiner))
        primary, backup, third = await self._settled([primary, backup, third])
        await self._look("six seconds after the removal", retired=joiner, primary=primary)
        await joiner.node.stop()
        path = f"/node/network/nodes/{joiner.node.node_id}"
        await self._ask("delete the retired node's record", "primary", primary, "service", "DELETE", path)

        await self._quiet(primary, backup)
        third.node.kill()
        await self._look("one of three nodes killed", primary=primary, backup=backup)
        backup.node.kill()
        await self._look("two of three nodes killed, 1 s later", survivor=primary)
        await until(lambda: self._candidate(primary))
        await self._look("two of three nodes killed, 9 s later", survivor=primary)
        moment = "two of three nodes killed"
        await self._post(moment, "survivor", primary, self._proposal(governance.trigger_ledger_chunk()))
        primary.node.kill()
        await self._recover(primary, third, certificate)

    async def _recover(self, most_complete: RunningNode, lagging: RunningNode, previous: str) -> None:
        roles = {"recover_from_most_complete": most_complete, "recover_from_lagging": lagging}
        recovered = []
        for name, (role, old) in zip(("r0", "r2"), roles.items(), strict=True):
            one = await self.sandbox.recover(name, previous, ledger=old.ledger, ledger_signatures={"delay": "2s"})
            recovered.append(one)
            await until(partial(self._is, one, "PartOfPublicNetwork"))
            await self._look("recover node has read its public ledger", **{role: one})
        winner, loser = recovered
        loser.node.kill()

        joiner = await self.sandbox.join("j0", winner)
        await self.sandbox.serving(joiner)
        await until(lambda: self._has_removable(winner, 3))
        await self._quiet(winner, joiner)
        await self._look("a node joined the recovering service", recovered=winner, joiner=joiner)
        certificate = await winner.service_certificate()
        bare = self._proposal(governance.transition_service_to_open(certificate))
        await self._post("open without the previous identity", "primary", winner, bare)
        accept = governance.transition_service_to_open(certificate, previous)
        await self._pass("accept the recovery", winner, accept)
        await self._quiet(winner, joiner)
        moment = "recovery accepted"
        await self._look(moment, recovered=winner, joiner=joiner)
        path = f"/gov/recovery/encrypted-shares/{self.members[0].member_id}?api-version={API_VERSION}"
        share = await self._ask(moment, "primary", winner, "service", "GET", path)
        sealed = share.json()["encryptedShare"]
        message = governance.recovery_share(self.members[0], sealed, created_at=int(time.time()))
        await self._post(moment, "primary", winner, message)
        await self._open_everywhere(winner, joiner)
        await self._quiet(winner, joiner)
        await self._look("recovery complete", recovered=winner, joiner=joiner)

    # Asking.

    async def _look(self, moment: str, **roles: RunningNode) -> None:
        """Ask what was asked of these roles at that moment; members' messages are not part of it."""
        wanted = [one for one in self._asked if one.moment == moment and one.node in roles]
        paths = {"<id>": self.members[0].member_id}
        questions = [one for one in wanted if one.method in ("GET", "HEAD") and "encrypted-shares" not in one.path]
        if moment == "service Open, three nodes":
            questions += [one for one in wanted if "encrypted-shares" in one.path]
        await asyncio.gather(
            *(
                self._ask(
                    moment,
                    one.node,
                    roles[one.node],
                    one.interface,
                    one.method,
                    one.path.replace("<id>", paths["<id>"]),
                )
                for one in questions
            )
        )

    async def _ask(
        self, moment: str, role: str, node: RunningNode, interface: str, method: str, path: str, **more: Any
    ) -> httpx.Response:
        question = self._counted.question(moment, role, interface, method, path)
        try:
            response = await node.ask(path, interface=_INTERFACES[interface], method=method, **more)
        except httpx.TransportError as error:
            self.answers[question] = of_failure(error)
            return httpx.Response(599)
        recorded = self._asked.get(question)
        headers = {key: response.headers[key] for key in _KEPT_HEADERS if key in response.headers}
        without_headers = recorded is not None and recorded.headers is None and recorded.error is None
        self.answers[question] = Answer(
            response.status_code, None if without_headers else headers, _body(response), None
        )
        return response

    async def _post(self, moment: str, role: str, node: RunningNode, message: Message) -> httpx.Response:
        headers = {"content-type": "application/cose"}
        return await self._ask(
            moment, role, node, "service", "POST", message.path, content=message.body, headers=headers
        )

    # What members do.

    def _proposal(self, *actions: Action) -> Message:
        return governance.proposal(self.members[0], list(actions), created_at=int(time.time()))

    async def _acknowledge(self, node: RunningNode) -> None:
        for member in self.members:
            moment = "service Opening" if member is self.members[0] else "not recorded"
            now = int(time.time())
            update = governance.state_digest_update(member, created_at=now)
            digest = (await self._post(moment, "primary", node, update)).json()["stateDigest"]
            await self._post(moment, "primary", node, governance.acknowledgement(member, digest, created_at=now))

    async def _pass(self, moment: str, node: RunningNode, action: Action) -> None:
        """Propose, two ballots, look at the proposal."""
        created = (await self._post(moment, "primary", node, self._proposal(action))).json()
        proposal = created["proposalId"]
        for member in self.members[:2]:
            ballot = governance.ballot(member, proposal, governance.YES, created_at=int(time.time()))
            answered = await self._post(moment, "primary", node, ballot)
        path = f"/gov/members/proposals/{proposal}?api-version={API_VERSION}"
        await self._ask(moment, "primary", node, "service", "GET", path)
        txid = answered.headers["x-ms-ccf-transaction-id"]
        await until(lambda: self._committed(node, txid))

    async def _err(self, node: RunningNode) -> None:
        stranger = generate_member("stranger")
        chunk = [governance.trigger_ledger_chunk()]
        unknown: Action = {"name": "no_such_action", "args": {}}
        known = self._proposal(unknown)
        await self._post("errors", "primary", node, governance.proposal(stranger, chunk, created_at=int(time.time())))
        await self._post("errors", "primary", node, known)
        await self._post("errors", "primary", node, Message(known.path, b"garbage"))

    # Waiting.

    async def _quiet(self, first: RunningNode, *others: RunningNode) -> None:
        """Until everything is signed and committed on all of these nodes."""

        async def quiet() -> bool:
            state, commit = await first.get("/node/state"), await first.get("/node/commit")
            seqno = commit["transaction_id"].partition(".")[2]
            signed = str(state["last_signed_seqno"]) == seqno == str(first.node.store.current.seqno)
            agree = [(await one.get("/node/commit")) == commit for one in others]
            acks = (await first.get("/node/consensus"))["details"]["acks"].values()
            return signed and all(agree) and len(acks) >= len(others)

        await until(quiet)

    async def _open_everywhere(self, *nodes: RunningNode) -> None:
        for one in nodes:
            await until(partial(self._answers, one, "/node/ready/app", 204))

    async def _settled(self, nodes: list[RunningNode]) -> list[RunningNode]:
        """The nodes, their primary first, once they agree on it and have committed in its view."""
        found: list[RunningNode] = []

        async def agreed() -> bool:
            networks = [await one.get("/node/network") for one in nodes]
            primaries = {(one["primary_id"], one["current_view"]) for one in networks}
            leaders = [one for one in nodes if one.node.node_id == networks[0]["primary_id"]]
            if len(primaries) != 1 or not leaders:
                return False
            commit = (await leaders[0].get("/node/commit"))["transaction_id"]
            acks = (await leaders[0].get("/node/consensus"))["details"]["acks"]
            if not commit.startswith(f"{networks[0]['current_view']}.") or len(acks) != len(nodes) - 1:
                return False
            found[:] = [leaders[0], *(one for one in nodes if one is not leaders[0])]
            return True

        await until(agreed, within=30)
        return found

    async def _answers(self, node: RunningNode, path: str, status: int) -> bool:
        return await node.status(path) == status

    async def _is(self, node: RunningNode, state: str) -> bool:
        return await node.state() == state

    async def _committed(self, node: RunningNode, txid: str) -> bool:
        return bool((await node.get(f"/node/tx?transaction_id={txid}"))["status"] == "Committed")

    async def _pending_at(self, primary: RunningNode, joiner: RunningNode) -> bool:
        rows = (await primary.get("/node/network/nodes?status=Pending"))["nodes"]
        return [one["node_id"] for one in rows] == [joiner.node.node_id] and await joiner.state() == "Pending"

    async def _marked(self, primary: RunningNode, joiner: RunningNode) -> bool:
        """The removal is committed, and the mark that follows it is not."""
        configs = (await primary.get("/node/consensus"))["details"]["configs"]
        return len(configs) == 1 and joiner.node.node_id not in configs[0]["nodes"]

    async def _silent(self, node: RunningNode) -> bool:
        details = (await node.get("/node/consensus"))["details"]
        return bool(details.get("retirement_phase") == "RetiredCommitted" and details["primary_id"] is None)

    async def _candidate(self, node: RunningNode) -> bool:
        return bool((await node.get("/node/consensus"))["details"]["leadership_state"] == "Candidate")

    async def _has_removable(self, node: RunningNode, count: int) -> bool:
        return len((await node.get("/node/network/removable_nodes"))["nodes"]) == count


def _body(response: httpx.Response) -> Any:
    return json.loads(response.text) if "json" in response.headers.get("content-type", "") else response.text
