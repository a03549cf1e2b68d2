"""Two services at once: the one being recovered is back, and the members may have accepted the recovered one.

Only false word of a machine's end brings that about. Either may hold what clients were told is committed, and CCF
cannot join them: a person says which goes on, having been shown what the other may hold. That is so, too, where both
have been lost since.
"""

from __future__ import annotations

from ccf_operator.api.status import Attempt, NetworkStatus, Winner
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.quorum import Loss
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.tokens import two_services_token
from ccf_operator.domain.txid import TxID


def ask_which_goes_on(draft: Draft, attempt: Attempt, winner: Winner, base: ServiceView, loss: Loss) -> None:
    """Show a person both services, and what is given up with the one that was to be recovered."""
    who = f"{base.primary} leads the service that is being recovered" if base.primary is not None else loss.why
    attempt.reason = Reason.TWO_SERVICES
    attempt.message = f"{who}, and the members may have accepted the recovered one"
    attempt.possible_loss = [*winner.approved_loss, _committed_since(draft, attempt, winner)]
    attempt.token = two_services_token(draft.seen.uid, attempt, winner.public_key)


def _committed_since(draft: Draft, attempt: Attempt, winner: Winner) -> str:
    mark = draft.status.high_water_mark
    since = f"what the service has committed since it came back, beyond {winner.tx_id}"
    if mark is None or mark.service != attempt.base_service or TxID.parse(mark.tx_id) <= TxID.parse(winner.tx_id):
        return f"{since}: nothing of it was seen"
    return f"{since}: {mark.tx_id} was seen"


def committed_beside(status: NetworkStatus) -> list[str]:
    """What the service before an unsettled network has committed since that network was chosen, as far as was seen."""
    unsettled, mark = status.unsettled, status.high_water_mark
    if unsettled is None or unsettled.base_high_water_mark is None:
        return []
    if mark is None or mark.service != status.service.public_key:
        return []
    known = unsettled.base_high_water_mark
    if TxID.parse(mark.tx_id) <= TxID.parse(known):
        return []
    return [f"what the service before it has committed since it came back, beyond {known}: {mark.tx_id} was seen"]


def may_choose(attempt: Attempt, token: str) -> bool:
    """Whether a decision with this token says which of two services goes on."""
    return attempt.reason == Reason.TWO_SERVICES and token == attempt.token
