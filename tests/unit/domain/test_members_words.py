from __future__ import annotations

from ccf_operator.api.governance_status import GovernanceStatus, MembersStatus, ProposalStatus, SharesStatus
from ccf_operator.domain.members_words import Plugin, shares_so_far, so_far, to_open, to_submit
from unit.domain.given import NEW

PLUGIN = Plugin("bank", "prod")
ID = "3f2a91bc" + "0" * 56


def known(
    *proposals: ProposalStatus, late: tuple[str, ...] = (), shares: SharesStatus | None = None
) -> GovernanceStatus:
    return GovernanceStatus(
        service=NEW,
        recovery_threshold=2,
        members=MembersStatus(active=3 - len(late), total=3, not_active=list(late), recovery=["alice", "bob", "carol"]),
        proposals=list(proposals),
        open_proposals=len(proposals),
        shares=shares,
    )


def opening(*voted: str, missing: tuple[str, ...] = ()) -> ProposalStatus:
    return ProposalStatus(
        id=ID, state="Open", actions=["open"], opens=True, proposer="alice", ballots=list(voted), missing=list(missing)
    )


def test_nothing_is_claimed_of_members_who_were_not_asked_about() -> None:
    assert so_far(None) == ""
    assert shares_so_far(None) == ""
    said = to_open(PLUGIN, None, "IDENTITY")
    assert "kubectl ccf ack bank -n prod" in said
    assert "kubectl ccf open bank -n prod" in said
    assert "transition_service_to_open with IDENTITY" in said


def test_who_is_not_active_comes_first() -> None:
    assert so_far(known(late=("carol",))) == "; 2 of 3 members are active, not yet carol; nobody has proposed that yet"
    said = to_open(PLUGIN, known(late=("carol",)), "IDENTITY")
    assert said.startswith("carol: kubectl ccf ack bank -n prod")
    assert "one after the other: kubectl ccf open bank -n prod (propose and vote" in said


def test_an_open_proposal_is_voted_for_by_those_who_have_not() -> None:
    governance = known(opening("alice", missing=("bob", "carol")))
    assert so_far(governance) == ("; proposal 3f2a91bc of alice to open it is open: voted alice, not yet bob, carol")
    said = to_open(PLUGIN, governance, "IDENTITY")
    assert said.startswith("bob, carol: kubectl ccf vote bank 3f2a91bc yes -n prod, or kubectl ccf open bank -n prod")
    assert f"a ballot on proposal {ID}" in said
    assert "propose and" not in said


def test_one_that_nobody_has_voted_for() -> None:
    assert "voted nobody, not yet alice" in so_far(known(opening(missing=("alice",))))


def test_a_proposal_to_do_something_else_opens_nothing() -> None:
    other = opening("alice").model_copy(update={"opens": False})
    assert "nobody has proposed that" in so_far(known(other))
    assert "propose and vote" in to_open(PLUGIN, known(other), "IDENTITY")


def test_one_that_all_have_voted_on_is_withdrawn_by_its_proposer() -> None:
    said = to_open(PLUGIN, known(opening("alice", "bob", "carol")), "IDENTITY")
    assert "alice: kubectl ccf withdraw bank 3f2a91bc -n prod" in said


def test_shares_are_told_as_what_they_are_a_report() -> None:
    none, one = SharesStatus(threshold=2), SharesStatus(submitted=1, threshold=2, reported_by=["bob"])
    assert shares_so_far(none) == "; 2 are needed, and nobody has reported one"
    assert shares_so_far(one) == "; 1 of 2 are in, as members' plugins reported (bob)"
    assert to_submit(PLUGIN, None) == "kubectl ccf submit-share bank -n prod"
    assert to_submit(PLUGIN, known(shares=one)) == "alice, carol: kubectl ccf submit-share bank -n prod"
