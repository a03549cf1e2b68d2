"""Whether it is the operator that is cut off, and not the nodes.

It hears none of the nodes of any network then. Clients may reach them all the same, and they one another, so that
nothing which would end one of them is proposed to anybody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ccf_operator.domain.observation import OperatorView
from ccf_operator.wording import counted

ISOLATED_AFTER = timedelta(seconds=30)
"""How long no node may answer before the operator says that it is cut off."""


def is_isolated(operator: OperatorView, now: datetime) -> bool:
    """Whether the operator has reached no node of any of several networks for so long that it says so of itself."""
    return operator.networks > 1 and reaches_nobody(operator, now)


def reaches_nobody(operator: OperatorView, now: datetime) -> bool:
    """The same where it may watch one network alone: then it can be that network, too."""
    since = operator.unreached_since
    return operator.pods > 0 and since is not None and now - since >= ISOLATED_AFTER


def who_is_isolated(operator: OperatorView) -> str:
    """`the operator on machine m1 reaches none of the 6 pods of 2 networks, which their kubelets report ready`."""
    where = f" on machine {operator.machine}" if operator.machine else ""
    pods, networks = counted(operator.pods, "pod"), counted(operator.networks, "network")
    return f"the operator{where} reaches none of the {pods} of {networks}, which their kubelets report ready"
