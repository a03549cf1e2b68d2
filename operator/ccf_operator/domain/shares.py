"""How many recovery shares are in, as the members' plugins report it.

CCF has nothing to read this from: only the answer to a share says how many there are (CCF facts §6). Nothing but what
people are shown rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ccf_operator.api.governance_status import SharesStatus
from ccf_operator.ccf.identity import called
from ccf_operator.domain.observation import ShareReport


def keep_shares(
    known: SharesStatus | None, reports: Iterable[ShareReport], threshold: int | None, names: Mapping[str, str]
) -> SharesStatus:
    """What is known of a service's shares: the last report counts, for CCF forgets all shares where one was wrong.

    `reports` are those about this service that the API server remembers, which is not for long; `known` is what the
    status has from before; `names` of members by id.
    """
    known = known or SharesStatus()
    told = sorted(reports, key=lambda report: (report.at, report.submitted))
    if not told or (known.at is not None and told[-1].at < known.at):
        return known.model_copy(update={"threshold": threshold or known.threshold})
    last, members = told[-1], _whose_are_in(told)
    remembered = set(known.reported_by) if known.submitted <= last.submitted else set()
    now = {called(member, names) for member in members}
    everyone = now | remembered
    return SharesStatus(
        submitted=last.submitted,
        threshold=threshold or last.threshold,
        reported_by=sorted(everyone if len(everyone) <= last.submitted else now),
        at=last.at,
    )


def _whose_are_in(told: Iterable[ShareReport]) -> set[str]:
    members: set[str] = set()
    for report in told:
        if len(members | {report.member}) > report.submitted:
            members = set()  # they have been forgotten since
        members.add(report.member)
    return members
