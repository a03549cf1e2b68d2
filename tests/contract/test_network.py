"""Three nodes: elections, replication, commit, loss of few and of many, partitions (CCF facts §9)."""

from __future__ import annotations

import time

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import Action
from contract.sandbox import RunningNode, Sandbox, until

CHUNK: Action = governance.trigger_ledger_chunk()


async def three(sandbox: Sandbox) -> list[RunningNode]:
    """An open service of three nodes, the primary first."""
    first = await sandbox.start("n0")
    await sandbox.serving(first)
    nodes = [first, await sandbox.join("n1", first), await sandbox.join("n2", first)]
    for one in nodes:
        await sandbox.serving(one)
    await sandbox.activate(first)
    await sandbox.open(first)
    for one in nodes:
        await until(lambda one=one: _ready(one))  # type: ignore[misc]
    return nodes


async def _ready(node: RunningNode) -> bool:
    return await node.status("/node/ready/app") == 204


async def _consensus(node: RunningNode) -> dict[str, object]:
    details: dict[str, object] = (await node.get("/node/consensus"))["details"]
    return details


async def _leads(node: RunningNode) -> bool:
    return (await _consensus(node))["leadership_state"] == "Leader"


async def _commit(node: RunningNode) -> tuple[int, int]:
    view, _, seqno = (await node.get("/node/commit"))["transaction_id"].partition(".")
    return int(view), int(seqno)


async def _some_leader(nodes: list[RunningNode]) -> RunningNode:
    found: list[RunningNode] = []

    async def elected() -> bool:
        networks = [await one.get("/node/network") for one in nodes]
        found[:] = [one for one in nodes if one.node.node_id == networks[0]["primary_id"]]
        return bool(found) and len({one["primary_id"] for one in networks}) == 1

    await until(elected)
    return found[0]


async def test_what_commits_on_the_primary_commits_on_all(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    passed = await sandbox.propose(nodes[0], CHUNK)
    for one in nodes:

        async def there(one: RunningNode = one) -> bool:
            answer = await one.get(f"/node/tx?transaction_id={passed.transaction_id}")
            return bool(answer["status"] == "Committed")

        await until(there)


async def test_committed_chunks_are_the_same_on_all_nodes(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    await sandbox.propose(nodes[0], CHUNK)
    await sandbox.propose(nodes[0], CHUNK)

    async def closed() -> bool:
        names = [{path.name for path in one.ledger.glob("*.committed")} for one in nodes]
        return len(names[0]) >= 3 and names.count(names[0]) == len(nodes)

    await until(closed)
    for path in nodes[0].ledger.glob("*.committed"):
        assert {(one.ledger / path.name).read_bytes() for one in nodes} == {path.read_bytes()}


async def test_a_write_on_a_backup_is_answered_by_the_primary(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    await sandbox.propose(nodes[2], CHUNK)
    assert (await _consensus(nodes[2]))["leadership_state"] == "Follower"


async def test_a_killed_minority_changes_nothing(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    view = (await _consensus(nodes[0]))["current_view"]
    nodes[2].node.kill()
    await sandbox.propose(nodes[0], CHUNK)
    after = await _consensus(nodes[0])
    assert (after["leadership_state"], after["current_view"]) == ("Leader", view)


async def test_a_killed_primary_is_followed_by_another(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    before = await _commit(nodes[1])
    nodes[0].node.kill()
    leader = await _some_leader(nodes[1:])
    await sandbox.propose(leader, CHUNK)
    assert await _commit(leader) > before
    assert (await _commit(leader))[0] > before[0]


async def test_a_new_primary_signs_without_being_asked(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    nodes[0].node.kill()
    leader = await _some_leader(nodes[1:])

    async def committed_in_its_view() -> bool:
        return (await _commit(leader))[0] == (await _consensus(leader))["current_view"]

    await until(committed_in_its_view)


async def test_a_killed_majority_stops_commits(sandbox: Sandbox) -> None:
    """Leader until one election timeout has passed, then candidate with a growing view; commit frozen; ready stays."""
    nodes = await three(sandbox)
    survivor = nodes[0]
    commit = await _commit(survivor)
    killed = time.monotonic()
    for one in nodes[1:]:
        one.node.kill()
    assert await _leads(survivor)
    async with await sandbox.client(survivor) as client:
        lost = await client.propose(sandbox.members[0], [CHUNK])  # taken, for nobody has noticed yet
    assert lost.transaction_id is not None

    async def candidate() -> bool:
        return (await _consensus(survivor))["leadership_state"] == "Candidate"

    await until(candidate)
    assert time.monotonic() - killed >= sandbox.election_timeout
    view = (await _consensus(survivor))["current_view"]

    async def grown() -> bool:
        return (await _consensus(survivor))["current_view"] != view

    await until(grown)
    assert await _commit(survivor) == commit
    network = await survivor.get("/node/network")
    assert (network["primary_id"], network["service_status"]) == (None, "Open")
    assert await survivor.state() == "PartOfNetwork"
    assert [await survivor.status(f"/node/ready/{one}") for one in ("app", "gov")] == [204, 204]
    refused = await survivor.ask(
        "/gov/members/proposals:create?api-version=2024-07-01", interface="primary", method="POST", content=b""
    )
    assert refused.status_code == 503
    assert refused.json()["error"]["message"] == "RPC could not be forwarded to unknown primary."


async def test_an_isolated_primary_steps_down_and_its_branch_is_lost(sandbox: Sandbox) -> None:
    """It goes on appending and signing for one election timeout; the others commit in a later view, and win."""
    nodes = await three(sandbox)
    isolated, others = nodes[0], nodes[1:]
    for one in others:
        isolated.node.links.cut.add(one.node.node_id)
        one.node.links.cut.add(isolated.node.node_id)
    async with await sandbox.client(isolated) as client:
        lost = await client.propose(sandbox.members[0], [CHUNK])
    leader = await _some_leader(others)
    kept = await sandbox.propose(leader, CHUNK)

    async def stepped_down() -> bool:
        return not await _leads(isolated)

    await until(stepped_down)
    status = await isolated.get(f"/node/tx?transaction_id={lost.transaction_id}")
    assert status["status"] in ("Pending", "Unknown")

    for one in nodes:
        one.node.links.cut.clear()

    async def one_history() -> bool:
        kept_there = await isolated.get(f"/node/tx?transaction_id={kept.transaction_id}")
        lost_there = await isolated.get(f"/node/tx?transaction_id={lost.transaction_id}")
        return (kept_there["status"], lost_there["status"]) == ("Committed", "Invalid")

    await until(one_history)


async def test_a_connection_ends_with_the_view_it_began_in(sandbox: Sandbox) -> None:
    import httpx

    from contract.sandbox import UNVERIFIED

    nodes = await three(sandbox)
    url = f"https://{nodes[1].node.address('operator')}/node/state"
    async with httpx.AsyncClient(verify=UNVERIFIED, trust_env=False) as client:
        assert (await client.get(url)).status_code == 200
        nodes[0].node.kill()
        await _some_leader(nodes[1:])
        lost = await client.get(url)
        assert (lost.status_code, lost.json()["error"]["code"]) == (500, "SessionConsistencyLost")
        assert (await client.get(url)).status_code == 200  # on a new connection


async def test_a_removed_backup_falls_silent_and_its_row_can_go(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    gone = nodes[2].node.node_id
    await sandbox.propose(nodes[0], governance.remove_node(gone))

    async def removable() -> bool:
        rows = (await nodes[0].get("/node/network/removable_nodes"))["nodes"]
        return [one["node_id"] for one in rows] == [gone]

    await until(removable)
    await nodes[2].node.stop()
    answer = await nodes[1].ask(f"/node/network/nodes/{gone}", method="DELETE")
    assert (answer.status_code, answer.json()) == (200, True)
    await until(lambda: _unknown(nodes[1], gone))


async def _unknown(node: RunningNode, node_id: str) -> bool:
    return await node.status(f"/node/network/nodes/{node_id}") == 404


async def test_a_removed_primary_hands_over(sandbox: Sandbox) -> None:
    nodes = await three(sandbox)
    await sandbox.propose(nodes[0], governance.remove_node(nodes[0].node.node_id))
    await _some_leader(nodes[1:])
    await until(lambda: _silent(nodes[0]))


async def _silent(node: RunningNode) -> bool:
    details = await _consensus(node)
    return details.get("retirement_phase") == "RetiredCommitted"
