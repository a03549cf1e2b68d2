"""What a CustomResourceDefinition that is installed lacks of the one this operator was made with.

An API server drops fields that its definition does not name without a word. A status that comes back without what was
written into it licenses nothing.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def lacking(wanted: Schema, served: Schema, path: str) -> list[str]:
    """Where the schema `served` would not keep, or would refuse, a value that `wanted` allows.

    Both are structural schemas (OpenAPI v3, as of CustomResourceDefinitions) that stand at `path`. Each place is named
    once, at its top: below a field that is missing nothing is looked for.
    """
    if served.get("type", wanted.get("type")) != wanted.get("type"):
        return [f"{path} (it is of type {served['type']}, not {wanted.get('type')})"]
    missing = _refused_words(wanted, served)
    found = [f"{path} (it may not be {', '.join(missing)})"] if missing else []
    below = served.get("properties") or {}
    anything = bool(served.get("x-kubernetes-preserve-unknown-fields"))
    for name, field in (wanted.get("properties") or {}).items():
        if name in below:
            found += lacking(field, below[name], f"{path}.{name}")
        elif not anything:
            found.append(f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(wanted.get(key), dict):
            if isinstance(served.get(key), dict):
                found += lacking(wanted[key], served[key], f"{path}[]")
            elif not anything:
                found.append(f"{path}[]")
    return found


def _refused_words(wanted: Schema, served: Schema) -> list[str]:
    allowed = served.get("enum")
    return [] if allowed is None else [str(word) for word in wanted.get("enum") or () if word not in allowed]


def not_kept(wrote: Any, kept: Any, path: str) -> list[str]:
    """Where two JSON values differ, the one that was written and the one that came back; each place at its top."""
    if isinstance(wrote, dict) and isinstance(kept, dict):
        return [
            place
            for name in sorted(wrote.keys() | kept.keys())
            for place in (
                not_kept(wrote[name], kept[name], f"{path}.{name}")
                if name in wrote and name in kept
                else [f"{path}.{name}"]
            )
        ]
    if isinstance(wrote, list) and isinstance(kept, list) and len(wrote) == len(kept):
        places = (not_kept(one, other, f"{path}[]") for one, other in zip(wrote, kept, strict=True))
        return sorted({place for found in places for place in found})
    return [] if wrote == kept else [path]
