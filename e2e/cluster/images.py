"""Container images without a registry: a base from Debian packages, builds with buildah, archives for containerd.

Everything is kept in the cache under names made from content; what is there already is not built again.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import build_context, containers, debian, machine
from e2e.cluster.commands import attempt, run
from e2e.cluster.layout import Machine, cache_directory, machines
from e2e.cluster.say import ClusterError, say

# usr-is-merged stands for a package that brings all of Perl; the hook makes what it says true from the start.
_BASE_PACKAGES = ("usr-is-merged", "ca-certificates", "python3", "python3-pip", "python3-venv", "python-is-python3")
_BASE_HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr"
_BASE_NAME = "localhost/ccf-operator-base"
_ARCHIVES_KEPT = 3
_BUILD_TRIES = 4
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")


def reference(name: str) -> str:
    """The full name of an image: `ccf-operator:e2e` is `docker.io/local/ccf-operator:e2e`."""
    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return tagged if "/" in tagged else f"docker.io/local/{tagged}"


def build(name: str, context: Path, dockerfile: Path, arguments: Mapping[str, str]) -> Path:
    """The docker archive of the image built from a Dockerfile. A Debian image with Python is given as BASE."""
    debian.ensure_packages()
    directory = cache_directory() / "images"
    directory.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(directory / "lock"):
        given = dict(arguments)
        if "BASE" not in given and "ARG BASE" in dockerfile.read_text():
            given["BASE"] = _base_reference()
        archive = directory / f"{_file_name(name)}-{build_context.digest(context, dockerfile, given)}.tar"
        if not archive.exists():
            if given.get("BASE") == _base_reference():
                _ensure_base()
            say(f"building image {reference(name)}")
            _build(reference(name), context, dockerfile, given, archive)
        archive.touch()
        (directory / f"{_file_name(name)}.newest").write_text(archive.name)
        _forget_old(directory, name)
    return archive


def load(image: str) -> str:
    """Give an image, by archive or by the name it was last built under, to every running machine. Its full name."""
    archive = Path(image)
    if not archive.is_file():
        newest = cache_directory() / "images" / f"{_file_name(image)}.newest"
        if not newest.exists():
            raise ClusterError(f"there is no image archive {image}, and no image of that name was built")
        archive = newest.parent / newest.read_text()
    full_name, digest = _identity(archive)
    running = [one for one in machines() if machine.is_running(one)]
    if not running:
        raise ClusterError("no machine runs: `e2e/cluster/cluster up` first")
    with ThreadPoolExecutor(len(running)) as pool:
        imported = list(pool.map(lambda one: containers.load_image(one, archive, full_name, digest), running))
    names = [one.name for one, new in zip(running, imported, strict=True) if new]
    say(f"{full_name}: loaded into {', '.join(names)}" if names else f"{full_name}: already there")
    return full_name


def tag(image: str, name: str) -> str:
    """Give an image that every running machine has another name; both in full or short. The new one in full."""
    new = reference(name)
    for one in machines():
        if machine.is_running(one):
            containers.tag_image(one, _held(one, image), new)
    say(f"{image} is {new} as well")
    return new


def full_names(image: str) -> tuple[str, ...]:
    """What an image may be called in full, by the name that a pod uses for it."""
    tagged = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
    return (tagged, f"docker.io/{tagged}", f"docker.io/library/{tagged}", f"docker.io/local/{tagged}")


def _held(one: Machine, image: str) -> str:
    """The full name under which a machine has an image."""
    held = [name for name in containers.images(one) if name in full_names(image)]
    if not held:
        raise ClusterError(f"{one.name} has no image {image}")
    return held[0]


def _file_name(name: str) -> str:
    return reference(name).replace("/", "_").replace(":", "_")


def _identity(archive: Path) -> tuple[str, str]:
    """Name and content digest of the image in a docker archive."""
    with tarfile.open(archive) as tar:
        stream = tar.extractfile("manifest.json")
        if stream is None:
            raise ClusterError(f"{archive} is not a docker archive")
        manifest = json.load(stream)[0]
    return manifest["RepoTags"][0], str(manifest["Config"])


def _buildah(*words: str | Path) -> list[str | Path]:
    storage = cache_directory() / "buildah"
    # Overlays cannot be stacked on an overlay, which is what a container's own root often is.
    below = run(["stat", "--file-system", "--format", "%T", cache_directory()]).strip()
    driver = "vfs" if below == "overlayfs" else "overlay"
    kept_here = ("--root", storage / "root", "--runroot", storage / "run")
    return ["buildah", *kept_here, "--storage-driver", driver, *words]


def _bud(full_name: str, *words: str | Path) -> list[str | Path]:
    networks = cache_directory() / "buildah" / "cni"
    return _buildah("bud", "--isolation", "chroot", "--cni-config-dir", networks, "--tag", full_name, *words)


def _run_build(command: list[str | Path]) -> None:
    for _ in range(_BUILD_TRIES - 1):
        try:
            run(command)
            return
        except ClusterError as error:
            # buildah starts itself anew from a sealed copy in memory; under load the kernel at times refuses the seal.
            if "sealing memfd copy" not in str(error):
                raise
    run(command)


def _build(full_name: str, context: Path, dockerfile: Path, arguments: Mapping[str, str], archive: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        pip = Path(scratch) / "pip.conf"
        pip.write_text(_pip_configuration(os.environ))
        command = _bud(full_name, "--layers", "--pull-never")
        command += ["--volume", f"{pip}:/etc/pip.conf:ro"]
        if _AUTHORITIES.exists():
            command += ["--volume", f"{_AUTHORITIES}:{_AUTHORITIES}:ro"]
        ignore = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
        if ignore.exists():
            command += ["--ignorefile", ignore]
        for key, value in arguments.items():
            command += ["--build-arg", f"{key}={value}"]
        _run_build([*command, "--file", dockerfile, context])
    _push(full_name, archive)


def _push(full_name: str, archive: Path) -> None:
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    run(_buildah("push", full_name, f"docker-archive:{partial}:{full_name}"))
    partial.rename(archive)


def _release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _base_command() -> list[str]:
    release = _release()
    components = "main,universe" if release.get("ID") == "ubuntu" else "main"
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--hook-dir={_BASE_HOOKS}",
        f"--include={','.join(_BASE_PACKAGES)}",
        f"--components={components}",
        *left_out,
        release["VERSION_CODENAME"],
    ]


def _base_reference() -> str:
    return f"{_BASE_NAME}:{hashlib.sha256(json.dumps(_base_command()).encode()).hexdigest()[:12]}"


def _ensure_base() -> None:
    name = _base_reference()
    if attempt(_buildah("images", "--quiet", name)):
        return
    say("making a base image from Debian packages")
    with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
        run([*_base_command(), f"{scratch}/base.tar"])
        (Path(scratch) / "Dockerfile").write_text(
            "FROM scratch\nADD base.tar /\n"
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
            'CMD ["python3"]\n'
        )
        _run_build(_bud(name, scratch))


def _pip_configuration(environment: Mapping[str, str]) -> str:
    """This machine's way to the Python packages, for the builds: pip's files first, its variables over them."""
    parser = configparser.RawConfigParser()
    parser.read([os.path.expanduser(file) for file in _PIP_FILES])
    found = {key: parser.get("global", key) for key in _PIP_SETTINGS if parser.has_option("global", key)}
    for key in _PIP_SETTINGS:
        variable = "PIP_" + key.upper().replace("-", "_")
        if variable in environment:
            found[key] = environment[variable]
    lines = [f"{key} = {value}" for key, value in found.items()]
    # Debian keeps its own Python packages apart; inside an image there is nothing to keep apart.
    lines += ["break-system-packages = true", f"cert = {_AUTHORITIES}"]
    return "\n".join(["[global]", *lines, ""])


def _forget_old(directory: Path, name: str) -> None:
    archives = sorted(directory.glob(f"{_file_name(name)}-*.tar"), key=lambda path: path.stat().st_mtime)
    for archive in archives[:-_ARCHIVES_KEPT]:
        archive.unlink()


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
