"""What a machine's containerd holds: images and running containers, through its `ctr`."""

from __future__ import annotations

from pathlib import Path

from e2e.cluster.api import wait_until
from e2e.cluster.commands import attempt, run
from e2e.cluster.daemons import Daemon
from e2e.cluster.layout import Machine


def _ctr(machine: Machine, *words: str | Path) -> list[str]:
    return ["ctr", "--address", str(machine.containerd_socket), "--namespace", "k8s.io", *(str(w) for w in words)]


def wait_for_containerd(machine: Machine, daemon: Daemon) -> None:
    def answers() -> bool:
        daemon.require_running()
        return attempt(_ctr(machine, "version"))

    wait_until(answers, f"an answer of {daemon.name}", 30)


def load_image(machine: Machine, archive: Path, name: str, digest: str) -> bool:
    """Import a docker archive as `name` unless that content is there already. Whether it was imported."""
    marker = machine.directory / "images" / name.replace("/", "_")
    if marker.exists() and marker.read_text() == digest:
        return False
    marker.parent.mkdir(parents=True, exist_ok=True)
    run(_ctr(machine, "images", "import", archive))
    marker.write_text(digest)
    return True


def tag_image(machine: Machine, image: str, name: str) -> None:
    """Give an image another name, both in full; a name that is taken goes over to it."""
    run(_ctr(machine, "images", "tag", "--force", image, name))


def images(machine: Machine) -> list[str]:
    return [name for name in run(_ctr(machine, "images", "list", "--quiet")).split() if "@" not in name]


def process_of(machine: Machine, container: str) -> int | None:
    """The process id, on this machine, of a container's first process; None if it does not run."""
    for line in run(_ctr(machine, "tasks", "list")).splitlines()[1:]:
        identifier, pid, state = line.split()
        if identifier == container and state in ("RUNNING", "PAUSED"):
            return int(pid)
    return None
