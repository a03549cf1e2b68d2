"""How a node process ends (CCF facts §10)."""

from __future__ import annotations

ABORT = 134
PID_FILE_EXISTS = 103
BAD_START = 105
CREATION_FAILED = 1
NO_SERVICE_CERTIFICATE = 255


class NodeExit(Exception):
    """The node ends with `code`; `reason` goes to standard error."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def abort(reason: str) -> NodeExit:
    return NodeExit(ABORT, reason)
