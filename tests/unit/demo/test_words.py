from __future__ import annotations

import pytest

from e2e.demo.words import fold, seconds, shorten

NODE_ID = "0bce5f8e" * 8


def test_long_ids_are_cut_and_everything_else_stays() -> None:
    assert shorten(f"remove_node {NODE_ID} (bank-0), TxID 2.31") == "remove_node 0bce5f8e… (bank-0), TxID 2.31"


def test_lines_of_a_message_become_one() -> None:
    assert shorten("first\n  second") == "first second"


def test_lines_are_no_longer_than_allowed_unless_a_word_is() -> None:
    assert fold("a name-that-is-long b", 8) == ["a", "name-that-is-long", "b"]
    assert fold("one two three", 7) == ["one two", "three"]


def test_an_empty_text_is_one_empty_line() -> None:
    assert fold("", 10) == [""]


@pytest.mark.parametrize(("duration", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (65.4, "1 min 05 s")])
def test_durations_are_for_people(duration: float, text: str) -> None:
    assert seconds(duration) == text
