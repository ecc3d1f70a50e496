"""What a machine refuses, a full disk or memory say, as one line: what is kept and what to do."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stages.pipeline.fault import Fault

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
CROWDED = {errno.ENOMEM, errno.EAGAIN}
"""What starting a process fails with."""
KEPT = "what is finished is kept"
MAKE_SPACE = f"{KEPT}; make space (`afterprune clean`, `dvc gc -w`), then run it again"
MAKE_ROOM = (
    f"{KEPT}; set AFTERPRUNE_WORKERS to fewer replicates at a time, "
    "or lower train.recipe.batch_size, then run it again"
)
TORCH_FULL = re.compile(r"DefaultCPUAllocator: .*?(?:allocate (\d+) bytes|$)")
NO_THREAD = "can't start new thread"
WRITTEN = re.compile(r"\d+ requested and \d+ written")
"""What numpy says of a file that it could not write whole; it does not say why."""

AMPLE = 16 << 30
"""Bytes of address space in which every build of torch can be loaded."""


@contextmanager
def machine_faults() -> Iterator[None]:
    """Raise a Fault for what a machine refuses; leave other errors as they are."""
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        line = _explained(error)
        if line is None:
            raise
        raise Fault(line) from None


def _explained(error: Exception) -> str | None:
    text = f"{error}"
    if type(error).__name__ == "OutOfMemoryError":  # torch's, of a GPU
        return f"the GPU's memory is full; {MAKE_ROOM}"
    if isinstance(error, MemoryError):
        return f"memory is full{f' ({text})' if text else ''}; {MAKE_ROOM}"
    if found := TORCH_FULL.search(text):
        more = f", {int(found[1]) / 1e6:.0f} MB more did not fit" if found[1] else ""
        return f"memory is full{more}; {MAKE_ROOM}"
    if NO_THREAD in text:
        return f"the system allows no more threads or memory; {MAKE_ROOM}"
    return _of_system(error) if isinstance(error, OSError) else None


def _of_system(error: OSError) -> str | None:
    where = f"{error.filename}: " if error.filename else ""
    why = os.strerror(error.errno) if error.errno else f"{error}"
    if error.errno in FULL or WRITTEN.search(f"{error}"):
        return f"{where}{why}; {MAKE_SPACE}"
    if error.errno in FORBIDDEN:
        return f"{where}{why}; {KEPT}; allow that, then run it again"
    if error.errno in CROWDED:
        return f"{where}{why}: no room for another process; {MAKE_ROOM}"
    return None


def check_address_space() -> None:
    """Exit with a line where `ulimit -v` leaves no room to load torch, which would not say why.

    Only trying tells, for the builds differ; below AMPLE another process does.
    """
    if sys.platform == "win32":
        return
    from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit

    limit, _ = getrlimit(RLIMIT_AS)
    if limit == RLIM_INFINITY or limit >= AMPLE:
        return
    tried = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, text=True)
    if tried.returncode:
        lines = tried.stderr.strip().splitlines() or ["its process was killed"]
        sys.exit(
            f"address space is limited to {limit // 1024} kB (ulimit -v); torch cannot be loaded "
            f"({lines[-1].strip()}); allow more, as `ulimit -v unlimited` does"
        )
