"""What a node's init container runs: it claims a generation of the volume, and for a candidate surveys the old ledger
and copies its uncommitted tail. It never changes an older generation.

Exit codes: see ExitCode. The report is the container's termination message; the full one stays in the generation.
"""
