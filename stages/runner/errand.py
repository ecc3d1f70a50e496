"""What a worker of Ray does for a stage, on its node."""

import json
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from signal import SIGKILL
from typing import Any

from stages.runner.slots import DEVICES


def errand() -> Callable[[str, dict[str, Any]], int | str]:
    """Return what a worker of Ray does.

    A nested function, which Ray sends as a whole: nodes need nothing of this project.
    """

    def run(source: str, request: dict[str, Any]) -> int | str:
        """Have the keeper, Python of this `source`, do a request; return its answer."""
        import ray

        gpus = ray.get_runtime_context().get_accelerator_ids()["GPU"]
        if gpus:
            request["environment"][DEVICES] = ",".join(gpus)
        with subprocess.Popen(
            [sys.executable, "-I", "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{json.dumps(request)}\n".encode())
            process.stdin.flush()
            try:
                while not select.select([process.stdout], [], [], 0.1)[0]:
                    pass  # Ray interrupts Python alone, no call of the system
            except KeyboardInterrupt:
                with suppress(OSError):
                    process.stdin.write(b"stop\n")
                    process.stdin.flush()
            answer = process.stdout.read()
        return json.loads(answer) if answer else -SIGKILL

    return run
