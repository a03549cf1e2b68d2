"""Asking a CCF node, over TLS that proves which node answers.

The node id of the peer is read from the certificate of the very connection that is used, before a single byte of a
request is sent on it. Expired certificates are no reason not to look.
"""

from __future__ import annotations

from ccf_operator.ccf.answers import NodeAnswers


async def ask(host: str, port: int, *, expected_node_id: str | None, timeout: float = 2.0) -> NodeAnswers:
    """One poll of the node that serves its `Node`-endorsed interface at host:port, within `timeout` seconds.

    With `expected_node_id` None the peer is trusted at this first contact and its id reported. Never raises for a bad
    node: what could not be obtained is None or empty, and `problem` says why.
    """
    raise NotImplementedError


class RemoveRefused(Exception):
    """The node did not remove the row."""


async def remove_row(host: str, port: int, expected_node_id: str, node_id: str, timeout: float = 2.0) -> None:
    """Delete the row of a completely retired node (`DELETE /node/network/nodes/{id}`, CCF facts §7.2).

    A row that does not exist (any more) is success. Raises RemoveRefused with the reason otherwise.
    """
    raise NotImplementedError
