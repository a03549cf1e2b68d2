"""Times, identities and results in the few characters a terminal line has."""

from __future__ import annotations

from datetime import datetime, timedelta

from ccf_operator.ccf.identity import shorten

__all__ = ["by_number", "clock", "grouped", "lineage", "mebibytes", "shorten", "since", "span"]


def span(duration: timedelta) -> str:
    """A duration as kubectl writes ages: `8s`, `3m12s`, `4h05m`, `12d`; a short one with a tenth: `2.4s`."""
    seconds = max(duration.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 48 * 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d"


def since(moment: datetime | None, now: datetime) -> str:
    """How long ago, in whole units; empty where there is no moment."""
    if moment is None:
        return ""
    return span(timedelta(seconds=max(round((now - moment).total_seconds()), 0))).replace(".0s", "s")


def mebibytes(count: int) -> str:
    """So many bytes in MiB: whole ones, and below ten with a tenth."""
    found = count / 2**20
    return f"{found:.1f}" if found < 10 else f"{found:.0f}"


def clock(moment: datetime) -> str:
    """A moment for people, UTC."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def sentence(text: str) -> str:
    """The text with a capital letter at its beginning, unless it begins with a name or a command."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first not in ("kubectl", "echo") else text


def grouped(digest: str) -> str:
    """A 64-digit fingerprint to be compared by eye: two lines of four groups of eight."""
    groups = [digest[at : at + 8] for at in range(0, len(digest), 8)]
    return "\n".join(" ".join(groups[at : at + 4]) for at in range(0, len(groups), 4))


def by_number(name: str) -> tuple[int, str]:
    """The order of names that differ in a number at their end."""
    return len(name), name


def lineage(generations: list[int]) -> str:
    """`0+1`: the generations that together hold a ledger."""
    return "+".join(map(str, generations)) if generations else "–"
