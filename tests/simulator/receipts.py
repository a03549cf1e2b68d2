"""Receipts: proof that a committed transaction is in the ledger (CCF facts §1.1)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from simulator.kv import Store
from simulator.ledger import LedgerDirectory, LedgerError
from simulator.ledger_crypto import commit_evidence
from simulator.ledger_format import NO_CLAIMS, SINGLETON_KEY, PublicDomain, decode_entry, decode_public_domain
from simulator.merkle import SIGNATURES


def receipt(store: Store, ledger: LedgerDirectory, seqno: int) -> dict[str, Any] | None:
    """The receipt of the committed transaction at `seqno`; None if the history it needs is not here."""
    try:
        raw = ledger.read(seqno)
        entry, domain = decode_entry(raw), decode_public_domain(decode_entry(raw).public_domain)
        own = _signature(domain)
        if own is not None:
            return {**_signed(own), "is_signature_transaction": True, "leaf": own["root"], "proof": []}
        at = seqno + 1
        while (signature := _signature(_domain_at(ledger, at))) is None:
            at += 1
    except LedgerError:
        return None
    key = store.secrets.key_for(seqno)
    if key is None:
        return None
    components = {
        "commit_evidence": commit_evidence(key, f"{entry.view}.{seqno}"),
        "write_set_digest": sha256(raw).hexdigest(),
    }
    if domain.claims_digest != NO_CLAIMS:
        components["claims_digest"] = domain.claims_digest.hex()
    steps = store.tree.proof(seqno, at)
    return {
        **_signed(signature),
        "is_signature_transaction": False,
        "leaf_components": components,
        "proof": [{"left" if step.on_left else "right": step.digest.hex()} for step in steps],
    }


def _domain_at(ledger: LedgerDirectory, seqno: int) -> PublicDomain:
    return decode_public_domain(decode_entry(ledger.read(seqno)).public_domain)


def _signature(domain: PublicDomain) -> dict[str, Any] | None:
    for table in domain.tables:
        for key, value in table.writes:
            if table.name == SIGNATURES and key == SINGLETON_KEY:
                found: dict[str, Any] = json.loads(value)
                return found
    return None


def _signed(signature: dict[str, Any]) -> dict[str, Any]:
    return {"cert": signature["cert"], "node_id": signature["node"], "signature": signature["sig"]}
