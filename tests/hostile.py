"""What a reader says of files made to harm, from a process of its own that has little memory."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHILD = """
import json, resource, sys
from pathlib import Path
import numpy as np
import psutil
from stages.pipeline.fault import Fault
{read}
limit = psutil.Process().memory_info().vms + 2**28
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for name in sys.argv[1:]:
    try:
        said = f"read: {{read(Path(name))!r:.80}}"
    except Fault as fault:
        said = str(fault).removeprefix(f"{{name}}: ")
    print(json.dumps([name, said]), flush=True)
"""


def said_of(paths: Iterable[Path], read: str) -> dict[Path, str]:
    """Return the Fault that `read`, code that defines it, raises for each file, without its name.

    The process has 256 MiB for them and a minute of a processor: what takes for ever, or the
    process with it, has no entry, nor has what is after it.
    """
    names = sorted(str(path) for path in paths)
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", CHILD.format(read=read), *names]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {Path(name): line for name, line in map(json.loads, ended.stdout.splitlines())}
