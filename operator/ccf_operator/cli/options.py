"""Options and arguments that several commands share, and how a command runs."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ccf_operator.cli import offering
from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.reach import Way

_CLUSTER = "Which cluster"
_MEMBER = "Who signs"
_SERVICE = "Which node"


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


NetworkName = Annotated[
    str, typer.Argument(metavar="NETWORK", help="Name of the CCFNetwork.", autocompletion=offering.networks)
]
Output = Annotated[Format, typer.Option("--output", "-o", help="For people, or for programs.")]
Certificate = Annotated[
    Path,
    typer.Option("--cert", metavar="FILE", envvar="CCF_MEMBER_CERT", help="Your certificate.", rich_help_panel=_MEMBER),
]
Key = Annotated[
    Path,
    typer.Option(
        "--key",
        metavar="FILE",
        envvar="CCF_MEMBER_KEY",
        help="Your signing key. It never leaves this machine; for one in an HSM see 'prepare'.",
        rich_help_panel=_MEMBER,
    ),
]
EncryptionKey = Annotated[
    Path | None,
    typer.Option(
        "--enc-key",
        metavar="FILE",
        envvar="CCF_MEMBER_ENC_KEY",
        help="Your RSA encryption key, which decrypts your recovery share here.",
        rich_help_panel=_MEMBER,
    ),
]
DecryptedShare = Annotated[
    Path | None,
    typer.Option(
        "--share",
        metavar="FILE",
        help="Your recovery share, decrypted elsewhere (see 'share'), instead of --enc-key; - is the standard input.",
        rich_help_panel=_MEMBER,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before signing. What must not be signed never is.")]
Node = Annotated[
    str | None,
    typer.Option(
        "--node",
        metavar="POD",
        help="Deal with this node (default: the best).",
        rich_help_panel=_SERVICE,
        autocompletion=offering.nodes,
    ),
]
Reach = Annotated[
    Way,
    typer.Option("--reach", help="Pods' addresses, kubectl port-forward, or what works.", rich_help_panel=_SERVICE),
]
Known = Annotated[
    Path | None,
    typer.Option(
        "--known-service",
        metavar="FILE",
        envvar="CCF_KNOWN_SERVICE",
        help="The service's certificate as you know it from elsewhere (before the recovery): compared with what is "
        "offered, so that you need not believe the cluster.",
        rich_help_panel=_SERVICE,
    ),
]
KnownTxID = Annotated[
    str | None,
    typer.Option(
        "--known-txid",
        metavar="TXID",
        help="A TxID that you know was committed before the recovery (from a receipt, say): what is offered must reach "
        "it.",
        rich_help_panel=_SERVICE,
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")]
Why = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
Unasked = Annotated[bool, typer.Option("--yes", "-y", help="Decide without being asked once more.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the object that would be written; write nothing.")]

_Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="As kubectl's.", rich_help_panel=_CLUSTER)
]
_Context = Annotated[
    str | None,
    typer.Option(
        "--context", metavar="NAME", help="As kubectl's.", rich_help_panel=_CLUSTER, autocompletion=offering.contexts
    ),
]
_Namespace = Annotated[
    str | None,
    typer.Option(
        *("--namespace", "-n"),
        metavar="NAME",
        help="As kubectl's.",
        rich_help_panel=_CLUSTER,
        autocompletion=offering.namespaces,
    ),
]


@dataclass(frozen=True)
class ServiceOptions:
    """Which node a member deals with, how it is reached, and what the member knows of its service."""

    node: Node = None
    reach: Reach = Way.AUTO
    known_service: Known = None
    known_txid: KnownTxID = None


@dataclass(frozen=True)
class SigningOptions:
    """Who signs here, with a key file."""

    cert: Certificate
    key: Key
    yes: Yes = False
    output: Output = Format.TEXT


@dataclass(frozen=True)
class PreparingOptions:
    """Who will sign elsewhere, and where what is to be signed is written."""

    cert: Certificate
    out: Out
    output: Output = Format.TEXT


@dataclass(frozen=True)
class DecidingOptions:
    """How a person decides."""

    reason: Why = None
    yes: Unasked = False
    dry_run: DryRun = False
    output: Output = Format.TEXT


CLUSTER_FLAGS = ("--namespace", "-n", "--context", "--kubeconfig")


def on_cluster(command: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a command of a coroutine whose first parameter is a `Kubectl`: it gets kubectl's flags for where it is.

    A parameter that is one of the groups of options above becomes those options. A kubectl plugin sees only the flags
    after its name, so that every command takes kubectl's itself."""
    hints = get_type_hints(command, include_extras=True)
    given = [p.replace(annotation=hints[p.name]) for p in list(inspect.signature(command).parameters.values())[1:]]
    groups: dict[str, Any] = {p.name: p.annotation for p in given if is_dataclass(p.annotation)}

    @functools.wraps(command)
    def run(kubeconfig: str | None, context: str | None, namespace: str | None, **arguments: Any) -> None:
        for name, group in groups.items():
            arguments[name] = group(**{field.name: arguments.pop(field.name) for field in fields(group)})
        asyncio.run(command(Kubectl(kubeconfig, context, namespace), **arguments))

    own = [option for p in given for option in (_options_of(p.annotation) if p.name in groups else [p])]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in (("namespace", _Namespace), ("context", _Context), ("kubeconfig", _Kubeconfig))
    ]
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    run.__signature__ = inspect.Signature([*keyword, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*keyword, *added]}
    del run.__wrapped__
    return run


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    parameters = inspect.signature(group).parameters.values()
    return [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]
