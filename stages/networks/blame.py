"""What a user's network file does wrong, as one line: the file, the line in it, the reason."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.pipeline.fault import Fault


@contextmanager
def blamed(code: str, doing: str, remedy: str) -> Iterator[None]:
    """Turn all that the file `code` raises into a Fault that says what it did and should do.

    `SystemExit` too, for a file may call `sys.exit` where it is imported. An error of which no
    frame is in the file, as when torch refuses a shape that a layer gives on, names the file alone.
    """
    try:
        yield
    except Fault:
        raise
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise Fault(f"{place(code, error)}: {doing}: {' '.join(what.split())}; {remedy}") from error


def place(code: str, error: BaseException) -> str:
    """Return the file and the last of its lines that an error passed, or stopped the parser at."""
    file = Path(code).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file]
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == file:
        lines.append(error.lineno)
    return f"{code}: line {lines[-1]}" if lines else code
