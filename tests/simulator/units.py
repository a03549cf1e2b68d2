"""CCF's unit strings: "5MB", "100ms" (CCF facts §3)."""

from __future__ import annotations

import re

_SIZE = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4, "PB": 1024**5}
_TIME = {"": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_FORM = re.compile(r"\s*(\d+)\s*([A-Za-z]*)\s*")


def size(text: str) -> int:
    """Bytes of a size string; units are 1024-based. Raises ValueError."""
    number, unit = _split(text)
    if unit.upper() not in _SIZE:
        raise ValueError(f"{text!r} is not a size")
    return number * _SIZE[unit.upper()]


def seconds(text: str) -> float:
    """Seconds of a time string; a bare number counts microseconds. Raises ValueError."""
    number, unit = _split(text)
    if unit not in _TIME:
        raise ValueError(f"{text!r} is not a time")
    return number * _TIME[unit]


def _split(text: str) -> tuple[int, str]:
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a number with a unit")
    return int(found[1]), found[2]
