"""Attestation on the Virtual platform: a claim without proof (CCF facts §3, "Platform")."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEASUREMENT = "Insecure hard-coded virtual measurement v1"
FORMAT = "Insecure_Virtual"


@functools.cache
def host_data() -> str:
    """SHA-256 of the running executable; `CCF_SIM_HOST_DATA` stands in for another binary."""
    return os.environ.get("CCF_SIM_HOST_DATA") or hashlib.sha256(Path("/proc/self/exe").read_bytes()).hexdigest()


def quote_info(node_id: str) -> dict[str, str]:
    """The `quote_info` of a node row."""
    quote = {
        "host_data": host_data(),
        "measurement": MEASUREMENT,
        "report_data": base64.b64encode(bytes.fromhex(node_id)).decode(),
    }
    encoded = json.dumps(quote, separators=(",", ":")).encode()
    return {"endorsements": "", "format": FORMAT, "quote": base64.b64encode(encoded).decode()}


def claims(info: Mapping[str, Any]) -> dict[str, str]:
    """What a quote says: `host_data`, `measurement`, `report_data`. Raises ValueError."""
    try:
        said = json.loads(base64.b64decode(info["quote"]))
        return {name: str(said[name]) for name in ("host_data", "measurement", "report_data")}
    except (KeyError, TypeError) as error:
        raise ValueError("the quote does not parse") from error
