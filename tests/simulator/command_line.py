"""`js_generic --config FILE`: a node process with CCF's command line (CCF facts §3, §10)."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

from simulator import quote
from simulator.config import Config, ConfigError, parse
from simulator.exits import ABORT, NodeExit, abort
from simulator.faults import Faults
from simulator.node import SimulatedNode
from simulator.node_api import VERSION
from simulator.units import seconds

_LEVELS = {
    "Trace": logging.DEBUG,
    "Debug": logging.DEBUG,
    "Info": logging.INFO,
    "Fail": logging.ERROR,
    "Fatal": logging.CRITICAL,
}
_MARKS = {"DEBUG": "debug", "INFO": "info ", "WARNING": "fail ", "ERROR": "fail ", "CRITICAL": "fatal"}


class _Format(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{when}.{int(record.msecs):03}Z [{_MARKS[record.levelname]}] {record.name} | {record.getMessage()}"
        return text + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


def main() -> None:
    arguments = _arguments()
    if arguments.version:
        print(VERSION["ccf_version"])
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Format())
    logging.basicConfig(level=_LEVELS[arguments.log_level], handlers=[handler])
    try:
        config = _read(Path(arguments.config), seconds(arguments.config_timeout))
        if arguments.check:
            logging.info("Configuration file successfully verified")
            return
        logging.info("Environment:\n%s", "\n".join(f"{key}={value}" for key, value in os.environ.items()))
        reason = asyncio.run(_run(config))
    except ConfigError as error:
        reason = abort(str(error))
    except NodeExit as error:
        reason = error
    _leave(reason)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("js_generic", description="A simulated CCF node", exit_on_error=False)
    parser.add_argument("--config", "-c")
    parser.add_argument("--config-timeout", default="0s")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--log-level", default="Info", choices=list(_LEVELS))
    parser.add_argument("--version", "-v", action="store_true")
    try:
        arguments, unknown = parser.parse_known_args()
    except argparse.ArgumentError as error:
        print(error, file=sys.stderr)
        sys.exit(105)  # CLI11's ValidationError
    if unknown:
        print(f"The following arguments were not expected: {' '.join(unknown)}", file=sys.stderr)
        sys.exit(109)  # CLI11's ExtrasError
    if arguments.config is None and not arguments.version:
        print("--config is required", file=sys.stderr)
        sys.exit(106)  # CLI11's RequiredError
    return arguments


def _read(path: Path, patience: float) -> Config:
    """The configuration; tried again until the file is there and parses, for `patience` seconds. Raises ConfigError."""
    deadline = time.monotonic() + patience
    while True:
        try:
            text = path.read_text()
            logging.info("Configuration file %s:\n%s", path, text)
            return parse(text)
        except OSError as error:
            problem = ConfigError(f"Could not find configuration file {path}: {error.strerror}")
        except ConfigError as error:
            problem = error
        if time.monotonic() >= deadline:
            raise problem
        time.sleep(0.1)


def _use_working_directory() -> None:
    """Write what CCF writes beside whatever the configuration names (CCF facts §3). Raises NodeExit."""
    try:
        Path(".index").mkdir(exist_ok=True)
        Path(f"ccf_virtual_attestation.{os.getpid()}.measurement").write_text(quote.MEASUREMENT)
    except OSError as error:
        raise abort(f"The working directory is not writable: {error.strerror}") from error


async def _run(config: Config) -> NodeExit:
    _use_working_directory()
    node = SimulatedNode(config, faults=Faults.of_environment())
    loop = asyncio.get_running_loop()
    stopping: set[asyncio.Task[None]] = set()

    def stop() -> None:
        stopping.add(loop.create_task(node.stop()))

    def terminate() -> None:
        if not config.ignore_first_sigterm:
            stop()
            return
        node.give_stop_notice()
        # a second SIGTERM meets the default action, which process 1 of a container ignores
        loop.remove_signal_handler(signal.SIGTERM)

    loop.add_signal_handler(signal.SIGTERM, terminate)
    loop.add_signal_handler(signal.SIGHUP, stop)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    await node.start()
    return await node.wait()


def _leave(reason: NodeExit) -> None:
    """End the process without looking back, as CCF does."""
    if reason.code == 0:
        sys.stdout.flush()
        os._exit(0)
    logging.error(reason.reason)
    sys.stdout.flush()
    if reason.code != ABORT:
        print(reason.reason, file=sys.stderr, flush=True)
        os._exit(reason.code)
    print("terminate called after throwing an instance of 'std::logic_error'", file=sys.stderr)
    print(f"  what():  {reason.reason}", file=sys.stderr, flush=True)
    if os.getpid() == 1:
        os._exit(ABORT)  # process 1 does not die of its own SIGABRT
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()
