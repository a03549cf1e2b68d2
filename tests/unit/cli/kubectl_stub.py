"""A program in kubectl's place that answers from files: what a test does not put there does not exist."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python}
import json, pathlib, sys
root = pathlib.Path({root!r})
words = sys.argv[1:]
with open(root / "calls", "a") as calls:
    calls.write(json.dumps(words) + chr(10))
while words and words[0] in ("--kubeconfig", "--context", "--namespace"):
    words = words[2:]
error = root / "error"
if error.exists():
    sys.exit(error.read_text())
if words[0] == "get" and "--selector" in words:
    items = [json.loads(f.read_text()) for f in sorted(root.glob(words[1].split(".")[0] + "-*.json"))]
    print(json.dumps({{"items": items}}))
elif words[0] == "get" and words[2].startswith("-"):
    print(json.dumps({{"items": []}}))
elif words[0] == "get":
    file = root / f"{{words[1].split('.')[0]}}-{{words[2]}}.json"
    print(file.read_text() if file.exists() else "", end="")
elif words[0] == "create":
    made = json.load(sys.stdin)
    made["metadata"]["name"] = made["metadata"]["generateName"] + "1"
    print(json.dumps(made))
elif words[0] == "logs" and (root / f"log-{{words[1]}}").exists():
    print((root / f"log-{{words[1]}}").read_text())
elif words[0] == "logs":
    print(f"log of {{words[1]}}" + chr(10) + "password=hunter22")
else:
    sys.exit(f"unknown: {{words}}")
"""


@dataclass(frozen=True)
class Stub:
    """The program, and the files it answers from."""

    root: Path

    @property
    def program(self) -> str:
        return str(self.root / "kubectl")

    def put(self, plural: str, raw: Any) -> None:
        """Let an object exist."""
        (self.root / f"{plural}-{raw['metadata']['name']}.json").write_text(json.dumps(raw))

    def log(self, pod: str, text: str) -> None:
        """Let a pod have logged this."""
        (self.root / f"log-{pod}").write_text(text)

    def fail(self, said: str) -> None:
        """Say no to everything, as kubectl would."""
        (self.root / "error").write_text(said)

    def calls(self) -> list[list[str]]:
        """What it was asked, word by word."""
        return [json.loads(line) for line in (self.root / "calls").read_text().splitlines()]


def stub(directory: Path) -> Stub:
    """A stub that knows nothing yet."""
    made = Stub(directory)
    program = Path(made.program)
    program.write_text(_PROGRAM.format(python=sys.executable, root=str(directory)))
    os.chmod(program, 0o700)
    return made
