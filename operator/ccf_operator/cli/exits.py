"""How commands end: exit codes, and failures that say what to do."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; part of what the commands promise. What each means: `MEANINGS`."""

    DONE = 0
    BUG = 1
    USAGE = 2
    UNSAFE = 3
    NOT_FOUND = 4
    CLUSTER = 5
    UNREACHABLE = 6
    REFUSED = 7
    NOT_NOW = 8
    DECLINED = 9


MEANINGS = {
    Exit.DONE: "It was done, or what was asked for was shown.",
    Exit.BUG: "A fault of this program.",
    Exit.USAGE: "The command line, or a file it names, is wrong.",
    Exit.UNSAFE: "What a node offers is not what it should be: a fork, another service or node. Nothing was signed.",
    Exit.NOT_FOUND: "The network, node, volume, proposal or file does not exist.",
    Exit.CLUSTER: "The Kubernetes API could not be asked, or refused.",
    Exit.UNREACHABLE: "No node answered.",
    Exit.REFUSED: "CCF refused the message, or the operator the decision, or has not answered it yet.",
    Exit.NOT_NOW: "The network is in another phase than the command is for.",
    Exit.DECLINED: "A person said no, or nobody could be asked.",
}


class Failure(Exception):
    """A command cannot go on: why, what to do, and the exit code."""

    def __init__(self, code: Exit, why: str, do: str) -> None:
        super().__init__(why)
        self.code, self.why, self.do = code, why, do
