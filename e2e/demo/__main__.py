"""`python -m e2e.demo [clean]`. Exit codes: 0, 1 where the story stopped and said why, 130 after Ctrl-C."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from e2e.demo.stage import main

sys.exit(main(sys.argv[1:]))
