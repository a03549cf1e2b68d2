from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from e2e.bench.recorder import documents

OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), st.text('{}"[]\\ \n', max_size=6), max_size=3), max_size=5)


def pieces(text: str, sizes: list[int]) -> Any:
    cut = iter(sizes)
    rest = text

    def read() -> str:
        nonlocal rest
        size = next(cut, 1000)
        piece, rest = rest[:size], rest[size:]
        return piece

    return read


@given(objects=OBJECTS, sizes=st.lists(st.integers(1, 12), max_size=30), indent=st.sampled_from([None, 4]))
def test_documents_come_out_whole_however_they_are_cut(
    objects: list[dict[str, str]], sizes: list[int], indent: int | None
) -> None:
    text = "\n".join(json.dumps(one, indent=indent) for one in objects)
    assert list(documents(pieces(text, sizes))) == objects


def test_a_document_is_given_as_soon_as_it_is_whole() -> None:
    stream = documents(pieces('{"a": 1}{"b"', [8, 4]))
    assert next(stream) == {"a": 1}
