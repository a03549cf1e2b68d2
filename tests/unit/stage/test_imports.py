"""What a joiner waits for: `stage` must not import what only reading a ledger needs."""

from __future__ import annotations

import subprocess
import sys


def test_what_reads_ledgers_is_imported_only_where_it_is_needed() -> None:
    program = "import sys, ccf_operator.stage.__main__; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "ccf_operator.stage.staging" in imported
    assert not {"cryptography", "ccf_operator.ccf.survey", "pydantic"} & set(imported)
