"""The simulator answers as real CCF nodes were recorded to answer: same status, headers, keys, types, enum values."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from contract.recordings import Answer, Question, load
from contract.scenario import Scenario

RECORDED = load()

# A joiner that began from a snapshot answers from it before it has replicated anything; simulated services make none.
UNCOVERED = {
    ("four nodes trusted", "joiner"),
    ("node removal just accepted", "retired"),
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Question, Answer]:
    scenario = Scenario(Path(tmp_path_factory.mktemp("scenario")))
    asyncio.run(scenario.run())
    return scenario.answers


@pytest.mark.parametrize(
    "question", [one for one in RECORDED if (one.moment, one.node) not in UNCOVERED], ids=lambda one: str(one)
)
def test_answers_as_recorded(question: Question, simulated: Mapping[Question, Answer]) -> None:
    assert simulated[question].shape() == RECORDED[question].shape()


def test_what_is_not_covered_is_known(simulated: Mapping[Question, Answer]) -> None:
    assert {(one.moment, one.node) for one in RECORDED if one not in simulated} == UNCOVERED
