"""The actions that proposals are made of, with their arguments (CCF facts §6.4)."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from typing import Any

from ccf_operator.ccf.messages import Action


def transition_service_to_open(next_identity: str, previous_identity: str | None = None) -> Action:
    """Open the service. `next_identity` is its current certificate; after a recovery `previous_identity` is that of
    the service that was recovered (both PEM; CCF facts §6.4)."""
    args = {"next_service_identity": next_identity}
    if previous_identity is not None:
        args["previous_service_identity"] = previous_identity
    return _action("transition_service_to_open", args)


def transition_node_to_trusted(node_id: str, valid_from: str, validity_period_days: int | None = None) -> Action:
    """Trust a Pending node. `valid_from` of its certificate: see `certificate_time`."""
    return _action("transition_node_to_trusted", {"node_id": node_id, **_validity(valid_from, validity_period_days)})


def remove_node(node_id: str) -> Action:
    """Retire a Trusted node, or drop a Pending one."""
    return _action("remove_node", {"node_id": node_id})


def set_node_certificate_validity(node_id: str, valid_from: str, validity_period_days: int | None = None) -> Action:
    return _action("set_node_certificate_validity", {"node_id": node_id, **_validity(valid_from, validity_period_days)})


def set_all_nodes_certificate_validity(valid_from: str, validity_period_days: int | None = None) -> Action:
    return _action("set_all_nodes_certificate_validity", _validity(valid_from, validity_period_days))


def set_service_certificate_validity(valid_from: str, validity_period_days: int | None = None) -> Action:
    return _action("set_service_certificate_validity", _validity(valid_from, validity_period_days))


def set_member(
    certificate: str,
    encryption_public_key: str | None = None,
    member_data: Any = None,
    recovery_role: str | None = None,
) -> Action:
    """Add a member (or reset a known one to Accepted)."""
    args = {
        "cert": certificate,
        "encryption_pub_key": encryption_public_key,
        "member_data": member_data,
        "recovery_role": recovery_role,
    }
    return _action("set_member", {name: value for name, value in args.items() if value is not None})


def remove_member(member_id: str) -> Action:
    return _action("remove_member", {"member_id": member_id})


def set_member_data(member_id: str, member_data: Any) -> Action:
    return _action("set_member_data", {"member_id": member_id, "member_data": member_data})


def set_recovery_threshold(threshold: int) -> Action:
    return _action("set_recovery_threshold", {"recovery_threshold": threshold})


def set_js_app(metadata: Mapping[str, Any], modules: Mapping[str, str]) -> Action:
    """Install a JavaScript application: `metadata` as in CCF's app.json, `modules` by name with their source."""
    bundle = {
        "metadata": dict(metadata),
        "modules": [{"name": name, "module": source} for name, source in modules.items()],
    }
    return _action("set_js_app", {"bundle": bundle})


def add_virtual_host_data(host_data: str) -> Action:
    return _action("add_virtual_host_data", {"host_data": host_data})


def trigger_ledger_rekey() -> Action:
    return _action("trigger_ledger_rekey", None)


def trigger_recovery_shares_refresh() -> Action:
    return _action("trigger_recovery_shares_refresh", None)


def trigger_snapshot() -> Action:
    return _action("trigger_snapshot", None)


def trigger_ledger_chunk() -> Action:
    return _action("trigger_ledger_chunk", None)


def certificate_time(seconds: float) -> str:
    """`valid_from` for seconds since 1970: YYMMDDhhmmssZ, UTC."""
    return time.strftime("%y%m%d%H%M%SZ", time.gmtime(seconds))


def certificate_seconds(valid_from: object) -> float | None:
    """Seconds since 1970 of a `valid_from` as `certificate_time` writes it; None for anything else."""
    try:
        return float(calendar.timegm(time.strptime(str(valid_from), "%y%m%d%H%M%SZ")))
    except ValueError:
        return None


def since_yesterday(seconds: float) -> str:
    """`valid_from` for the beginning of the day before (UTC), for clocks differ. It is the same all day long, so that
    those who propose alike mean the same proposal."""
    return certificate_time(seconds // 86400 * 86400 - 86400)


def _action(name: str, args: Mapping[str, Any] | None) -> Action:
    return {"name": name, "args": args if args is None else dict(args)}


def _validity(valid_from: str, days: int | None) -> dict[str, Any]:
    return {"valid_from": valid_from} if days is None else {"valid_from": valid_from, "validity_period_days": days}
