"""The commands of stages as tasks of Ray, each on a node of its cluster that has room."""

import logging
import math
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any
from uuid import uuid4

from stages.pipeline.fault import Fault
from stages.runner import keeper
from stages.runner.dvc.pipeline import Command
from stages.runner.errand import errand
from stages.runner.nodes import Node, largest
from stages.runner.slots import DEVICES, Slot

HERE = "local"
RETRIES = 3
"""How often a stage is started again whose node or worker is lost."""
LOOK = 0.2
"""Seconds after which a thread that waits for a task looks whether to cancel it."""


class Cluster:
    """A connection to Ray, of which a process has one at most; a Place."""

    def __init__(self, address: str, cores: int, gpus: Sequence[str], shares: int) -> None:
        """Connect to the cluster at `address`; if that is `local`, start one of `cores` and `gpus`.

        `shares` stages compute on a GPU at once. A Fault where there is no Ray or no cluster.
        """
        try:
            self._ray: Any = import_module("ray")
        except ImportError as error:
            raise Fault("--ray needs Ray: pip install 'afterprune[ray]'") from error
        self._shares, self._stopped = shares, 0
        self._running: set[Path] = set()
        self._nodes: list[Node] = []
        self._due = 0.0
        self._source = Path(keeper.__file__).read_text(encoding="utf-8")
        self._token = uuid4().hex
        self._folder = ""
        if address == HERE:  # the paths of sockets are short
            self._folder = tempfile.mkdtemp(prefix="afterprune-", dir="/tmp")
        try:
            self._connect(address, cores, gpus)
        except BaseException as error:
            self.close()
            if not isinstance(error, (OSError, ValueError, RuntimeError)):
                raise
            reason = " ".join(f"{error}".split()) or type(error).__name__
            raise Fault(
                f"--ray is {address!r}: {reason}; it should be auto, local or a cluster's address"
            ) from error
        self._errand = self._ray.remote(max_retries=0)(errand())

    def nodes(self) -> list[Node]:
        """Return the nodes that were alive, a second ago at the most."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + 1
            alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._nodes = [Node(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in alive]
        return self._nodes

    def run(self, command: Command, slot: Slot, log: Path) -> int:
        """Run a command to its end, from its start once more if its node is lost; a Place."""
        log = log.absolute()
        lock = log.with_suffix(".lock")
        lock.write_text(self._token)
        request = {
            "calls": command.calls,
            "folder": str(Path(command.folder).absolute()),
            "environment": command.environment,
            "outputs": command.outputs,
            "log": str(log),
            "lock": str(lock),
            "token": self._token,
        }
        self._running.add(log)
        try:
            return self._run(request, slot, log)
        finally:
            self._running.discard(log)

    def stop(self, number: int) -> None:
        """Let the threads that wait cancel their tasks: a signal's handler cannot ask Ray."""
        self._stopped = number

    def close(self) -> None:
        """Kill whatever still runs; end Ray itself if it was started here."""
        self.stop(SIGKILL)
        deadline = time.monotonic() + keeper.GRACE
        while self._running and time.monotonic() < deadline:
            time.sleep(LOOK)
        self._ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _connect(self, address: str, cores: int, gpus: Sequence[str]) -> None:
        options: dict[str, Any] = {"address": address}
        if self._folder:
            options |= {"num_cpus": cores, "num_gpus": len(gpus), "include_dashboard": False}
            options |= {"_temp_dir": self._folder}
            if gpus:
                os.environ[DEVICES] = ",".join(gpus)
        reach(address)
        self._ray._private.worker._worker_logs_enabled = False  # of nodes that died, long ones
        self._ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)

    def _run(self, request: Mapping[str, Any], slot: Slot, log: Path) -> int:
        errors, lost = self._ray.exceptions, 0
        while lost <= RETRIES:
            cores = min(slot.cores, largest(self.nodes(), slot.gpus) or slot.cores)
            gpus = slot.gpus / self._shares if slot.gpus == 1 else slot.gpus
            task = self._errand.options(name=log.stem, num_cpus=cores, num_gpus=gpus)
            try:
                answer = self._wait(task.remote(self._source, request), Node(cores, slot.gpus))
            except errors.RayTaskError as error:
                raise OSError(f"{error.cause}") from error
            except errors.RayError as error:
                if self._stopped:
                    return -SIGTERM
                if not isinstance(error, errors.TaskCancelledError):
                    lost += 1
                    with log.open("a") as file:
                        file.write(f"\nlost to Ray's {type(error).__name__}\n")
            else:
                if isinstance(answer, str):
                    raise OSError(answer)
                return answer
        return -SIGKILL

    def _wait(self, task: Any, needs: Node) -> int | str:
        """Return a task's result; cancel it when told to, or when only smaller nodes are left."""
        told, deadline = 0, math.inf
        while not self._ray.wait([task], timeout=LOOK)[0]:
            if self._stopped != told:
                told, deadline = self._stopped, time.monotonic() + keeper.GRACE + 1
                self._ray.cancel(task, force=told == SIGKILL)
            elif time.monotonic() > deadline or (
                not told and 0 < largest(self.nodes(), needs.gpus) < needs.cores
            ):
                self._ray.cancel(task, force=True)
        answer: int | str = self._ray.get(task)
        return answer


def reach(address: str) -> None:
    """Raise an OSError if nothing listens at an address: Ray would try for minutes."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
