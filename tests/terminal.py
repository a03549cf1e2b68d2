"""A person's terminal: a shell that goes on from one block of commands to the next, and is answered when it asks."""

from __future__ import annotations

import base64
import os
import pty
import secrets
import signal
import subprocess
import termios
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pages import Block

ANSWERS = 32
"""More than any one block asks."""


class CommandFailed(AssertionError):
    """A command failed, or did not end in time; the message is what the block printed."""


class Terminal:
    """bash, in which what a block exports, defines or enters holds for those after it.

    A block ends at its first command that fails, and with it the shell. Standard input is a terminal on which somebody
    answers every question with `y`; what is printed is taken as from a pipe, without colours.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._keyboard, self._screen = pty.openpty()
        mode = termios.tcgetattr(self._screen)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(self._screen, termios.TCSANOW, mode)
        self._shell = subprocess.Popen(
            ["bash", "--norc", "-euo", "pipefail"],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()
        self._shell.wait()
        for stream in (self._shell.stdin, self._shell.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()
        os.close(self._keyboard)
        os.close(self._screen)

    def run(self, lines: str, within: float = 120) -> str:
        """What the lines print, on both streams. Raises CommandFailed; `within` is in seconds."""
        assert self._shell.stdin is not None
        termios.tcflush(self._screen, termios.TCIFLUSH)
        os.write(self._keyboard, b"y\n" * ANSWERS)
        end = f"end-of-block-{secrets.token_hex(8)}"
        encoded = base64.b64encode(lines.encode()).decode()
        inside = f'eval "$(base64 -d <<< {encoded})" < /proc/{os.getpid()}/fd/{self._screen}'
        overdue = threading.Timer(within, self._end)
        overdue.start()
        try:
            self._shell.stdin.write(f"{inside}\nprintf '\\n%s\\n' {end}\n")
            self._shell.stdin.flush()
            return self._until(end, lines)
        finally:
            overdue.cancel()

    def follow(self, blocks: Iterable[Block], within: float = 120) -> str:
        """What blocks of a page print, one after the other. Raises CommandFailed; `within` is in seconds, for each."""
        return "".join(self.run(block.text, within) for block in blocks)

    def _until(self, end: str, lines: str) -> str:
        assert self._shell.stdout is not None
        printed: list[str] = []
        for line in self._shell.stdout:
            if line.rstrip("\n") == end:
                return "".join(printed).removesuffix("\n")
            printed.append(line)
        raise CommandFailed(f"{lines}\nended with {self._shell.wait()}, having printed:\n{''.join(printed)}")

    def _end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
