"""The files of trained weights that a person brings, in place of a dense run."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.pipeline.fault import Fault
from stages.pipeline.params import printable

SUFFIXES = (".safetensors", ".pt", ".pth")
FINAL, NONE = "final", "none"
CHECKPOINT = re.compile(r"epoch_(\d{1,6})")
ALLOWED = f"it should be a file that ends in {', '.join(SUFFIXES)}, a folder, or data/weights/none"


@dataclass(frozen=True)
class Given:
    """The file of the weights at the end of the dense run, and those of earlier epochs."""

    final: Path
    checkpoints: Mapping[int, Path]

    def check(self, epochs: Iterable[int]) -> None:
        """Raise a Fault where there are no weights of one of these epochs."""
        for epoch in epochs:
            if epoch not in self.checkpoints:
                raise Fault(
                    f"train.weights has no weights of epoch {epoch}, which an arm rewinds to; add "
                    f"epoch_{epoch:04d}.safetensors there, or leave that arm out"
                )


def given_weights(weights: Path | str) -> Given | None:
    """Return the weights at a path: a file, or a folder of final.* and perhaps epoch_N.*.

    None for the file called none. A Fault for everything else, also a folder without weights: who
    named it would not know that a network was trained instead.
    """
    path = Path(weights)
    if path.name == NONE and path.is_file():
        return None
    if path.is_file() and path.suffix in SUFFIXES:
        return Given(path, {})
    if not path.is_dir():
        raise Fault(f"train.weights is {printable(path)!r}; {ALLOWED}")
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    final = [file for file in files if file.stem == FINAL]
    numbered = {file: CHECKPOINT.fullmatch(file.stem) for file in files if file not in final}
    for file, match in numbered.items():
        if match is None:
            raise Fault(
                f"train.weights: {printable(file)} is neither {FINAL}{file.suffix} nor "
                f"epoch_N{file.suffix}; rename it, or name the file itself"
            )
    checkpoints = {int(match[1]): file for file, match in numbered.items() if match}
    if len(final) > 1 or len(checkpoints) < len(numbered):
        raise Fault(f"train.weights: {printable(path)} holds two files of one epoch; keep one")
    if not final:
        raise Fault(
            f"train.weights: {printable(path)} holds no {FINAL}.*; put the weights there, or use "
            f"data/weights/{NONE} to train"
        )
    return Given(final[0], checkpoints)
