"""`kubectl ccf`: what people do with networks from their own machines, operators and members alike."""

from __future__ import annotations

import sys


def main() -> None:
    """The program `kubectl-ccf`; exits with a code of `ccf_operator.cli.exits.Exit`."""
    _insist_on_libraries()
    from ccf_operator.cli.app import run

    raise SystemExit(run(sys.argv[1:]))


def complete() -> None:
    """The program `kubectl_complete-ccf`, which kubectl's shell completion runs."""
    _insist_on_libraries()
    from ccf_operator.cli.completion import answer

    print(answer(sys.argv[1:]))


def _insist_on_libraries() -> None:
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
        import yaml  # noqa: F401
    except ImportError:
        print(
            'kubectl-ccf needs typer, rich and PyYAML: pip install "ccf-operator[cli]", or ".[cli]" in a clone',
            file=sys.stderr,
        )
        raise SystemExit(1) from None
