"""How commands end: exit codes, and failures that say what to do."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; part of what the commands promise."""

    DONE = 0
    """It was done, or what was asked for was shown."""
    BUG = 1
    """A fault of this program."""
    USAGE = 2
    """The command line is wrong."""
    UNSAFE = 3
    """What a node offers is not what it should be: a fork, another service, another node. Nothing was signed."""
    NOT_FOUND = 4
    """The network, node, proposal or file does not exist."""
    CLUSTER = 5
    """The Kubernetes API could not be asked, or refused."""
    UNREACHABLE = 6
    """No node answered."""
    REFUSED = 7
    """CCF refused the message."""
    NOT_NOW = 8
    """The network is in another phase than the command is for."""
    DECLINED = 9
    """A person said no, or nobody could be asked."""


class Failure(Exception):
    """A command cannot go on: why, what to do, and the exit code."""

    def __init__(self, code: Exit, why: str, do: str) -> None:
        super().__init__(why)
        self.code, self.why, self.do = code, why, do
