"""Draw the curve of the dense run: training depends on its bytes, not on the code that drew it."""

import typer

from stages.cli import run
from stages.fault import Fault
from stages.files import read_json
from stages.guard import guarded
from stages.params.train import Train
from stages.schedules.curve import save_curve, steps_per_epoch

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Write the learning rate and momentum of every step of the dense run."""
    with guarded("dense_curve") as stage:
        train = stage.read("train", Train)
        images = read_json("data/prepared/description.json")["train"]
        steps = steps_per_epoch(images, train.recipe.batch_size)
        if not steps:
            raise Fault(
                f"params.yaml: train.recipe.batch_size is {train.recipe.batch_size}; "
                f"it should be at most the {images} training images"
            )
        save_curve(stage.output("models/curves/dense.safetensors"), train.curve(steps), {})


if __name__ == "__main__":
    run(app)
