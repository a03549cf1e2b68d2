"""`python -m ccf_operator.cli` is kubectl-ccf."""

from ccf_operator.cli import main

main()
