from __future__ import annotations

from e2e.demo.board import Board
from e2e.demo.news import Tone
from e2e.demo.screen import MARGIN
from e2e.demo.timeline import Step, Who
from unit.demo.screens import Page, plain, terminal

LONG = "members: propose and vote transition_service_to_open with next_service_identity = what /node/network says"
BOARD = Board(("volume", "is"), (("ledger-0", "Recovered"),))
STEPS = [
    Step("ledger decrypted, open", Who.OPERATOR, 0.0, 125.0),
    Step("members accept it", Who.MEMBERS, 125.0, 0.0),
    Step("all read back", Who.CLIENT, 125.0, 1.0),
]


def test_without_a_terminal_there_are_only_plain_lines_that_fit() -> None:
    page = Page()
    screen = plain(page)
    screen.chapter("A chapter")
    screen.say("operator", LONG, Tone.ASK)
    screen.board(BOARD)
    screen.steps(STEPS)
    screen.text(LONG)
    with screen.waiting("something") as wait:
        wait.show("a detail", BOARD)
    text = page.getvalue()
    assert all(character == "\n" or character.isprintable() for character in text)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text


def test_lines_that_are_folded_stay_in_their_column() -> None:
    page = Page()
    plain(page).say("operator", f"  {LONG}")
    first, second, *_ = page.getvalue().splitlines()
    assert first[MARGIN - 9 :].startswith("operator")
    assert first[MARGIN:].startswith("  members:")
    assert second.startswith(" " * (MARGIN + 2))
    assert second[MARGIN + 2] != " "


def test_what_is_to_be_typed_is_never_cut() -> None:
    page = Page()
    command = "curl " + "x" * 200 + " " + "0bce5f8e" * 8
    plain(page).command(command)
    assert page.getvalue() == f"  {command}\n"


def test_square_brackets_are_text() -> None:
    page = Page()
    plain(page).say("client", "[red]value[/red]")
    assert "[red]value[/red]" in page.getvalue()


def test_a_wait_without_a_terminal_gives_signs_of_life() -> None:
    page = Page("… the nodes start: bank-2 starting (")
    screen = plain(page)
    with screen.heartbeat("the nodes start", every=0.001) as wait:
        wait.show("one of three", Board(("node",), (("bank-1",), ("bank-2",)), "bank-2 starting"))
        assert page.marked.wait(10)


def test_a_wait_on_a_terminal_shows_what_is_seen_and_leaves_nothing() -> None:
    page = Page("Recovered")
    screen = terminal(page)
    with screen.waiting("the candidates recover") as wait:
        wait.show("one of three", BOARD)
        assert page.marked.wait(10)
        screen.say("operator", "ledger-0: Recovered 2.31")
    end = page.getvalue()[page.getvalue().rindex("ledger-0: Recovered 2.31") :]
    assert end.rstrip().endswith("\x1b[2K")
