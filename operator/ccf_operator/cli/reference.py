"""Writes the reference page of the commands, from the commands themselves.

Run: python -m ccf_operator.cli.reference docs/reference/cli.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ccf_operator.cli.app import app
from ccf_operator.cli.exits import MEANINGS

_INTRODUCTION = """\
# kubectl ccf

Generated from the commands; `make docs` writes it anew.

`kubectl ccf` is a kubectl plugin: `pip install ".[cli]"` in a clone of this repository puts `kubectl-ccf` on the PATH.
It uses kubectl's own configuration, and kubectl itself to reach the cluster; `--kubeconfig`, `--context` and
`--namespace` (`-n`) are kubectl's, and stand after `ccf`: kubectl hands a plugin nothing that stands before its name.
Pods are reached at their addresses where that works, else through `kubectl port-forward`. Where kubectl's completion
is set up (`kubectl completion bash`, `zsh` or `fish`), it completes `kubectl ccf`, too; `kubectl-ccf
--install-completion` installs that of `kubectl-ccf` itself.

Members keep their keys: a signing key is read on the member's own machine, or never (`prepare` and `finish`). Before
anything is signed the node must prove its key, its service must be the one that the operator has chosen, and a
recovered service must go on from the known one. `--known-service FILE` compares with a certificate of your own, so
that neither the cluster nor the operator has to be believed. The environment variables `CCF_MEMBER_CERT`,
`CCF_MEMBER_KEY`, `CCF_MEMBER_ENC_KEY` and `CCF_KNOWN_SERVICE` stand for the options.

"""


def page() -> str:
    """The page, Markdown."""
    root: Any = typer.main.get_command(app)
    commands = "\n".join(_commands(root, "kubectl ccf"))
    rows = "\n".join(f"| {int(code)} | {meaning} |" for code, meaning in MEANINGS.items())
    return f"{_INTRODUCTION}{commands}\n## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}\n"


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield f"## {path} {name}\n\n{_prose(command.help)}\n"
            yield from _commands(command, f"{path} {name}")
        else:
            yield _command(command, f"{path} {name}")


def _command(command: Any, path: str) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts]
    usage = " ".join([path, *(_metavar(one) for one in arguments)])
    rows = [f"| `{_metavar(one)}` | {one.help} |" for one in arguments]
    rows += [f"| `{_flags(one)}` | {_meaning(one)} |" for one in options if one.name not in _CLUSTER]
    level = "##" if path.count(" ") == 2 else "###"
    return f"{level} {usage}\n\n{_prose(command.help)}\n\n| | |\n|---|---|\n" + "\n".join(rows) + "\n"


_CLUSTER = ("namespace", "context", "kubeconfig")


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _flags(option: Any) -> str:
    flags, _ = option.get_help_record(typer.Context(typer.main.get_command(app)))
    return str(flags).replace("|", "\\|")


def _meaning(option: Any) -> str:
    return f"{option.help} **Required.**" if option.required else str(option.help)


def _prose(text: str | None) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (text or "").split("\n\n"))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
