"""corruptions: how well the networks of one method do on corrupted test images."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

import typer

from stages.evaluation.robustness import Subject, accuracies, collected, robustness
from stages.evaluation.settings import Corruptions
from stages.images.prepared import load
from stages.pipeline.command import MethodName, command_line
from stages.pipeline.files import save_arrays, write_text
from stages.pipeline.guard import guarded
from stages.replicates.environment import activate
from stages.replicates.processes import run_replicates
from stages.replicates.settings import Compute, Seeds

app = typer.Typer(add_completion=False)
FILE = "replicate_{}.safetensors"


@app.command()
def main(method: MethodName) -> None:
    """Test the dense, the pruned and all retrained networks of a method; write a table."""
    with guarded("corruptions", method=method) as stage:
        asked = stage.read(f"corruptions.{method}", Corruptions)
        compute, count = stage.read("compute", Compute), stage.read("seeds", Seeds)
        schedules = stage.read("retrain.schedules", dict)
        table = stage.output(f"reports/corruptions/{method}.csv")
        task = partial(replicate, method, schedules, asked, compute, table.parent)
        run_replicates(task, count, compute.threads)
        found = collected([table.parent / FILE.format(number) for number in range(count)])
        text = robustness(found, asked).to_csv(
            index=False, float_format="%.6g", lineterminator="\n"
        )
        write_text(table, text)


def replicate(
    method: str,
    schedules: Collection[str],
    asked: Corruptions,
    compute: Compute,
    folder: Path,
    number: int,
) -> None:
    """Test the networks of one replicate, retrained ones at their last epoch."""
    data = load("data/prepared", activate(compute))
    name = f"replicate_{number}"
    files = {
        Subject("dense"): Path("models/dense/final", FILE.format(number)),
        Subject("pruned"): Path(f"models/pruned/{method}/networks", FILE.format(number)),
    }
    for schedule in schedules:
        arm = Path(f"models/retrained/{method}", schedule, name)
        files[Subject("retrained", schedule)] = arm / "last.safetensors"
    save_arrays(folder / FILE.format(number), accuracies(files, data, asked, compute))


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
