from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.sandbox import Sandbox


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """One member, quick elections and signatures; every node is stopped at the end."""
    made = Sandbox(tmp_path)
    yield made
    await made.close()
