"""dense_curve: the rates of the dense run, so that training depends on their bytes alone."""

import typer

from stages.dense.settings import Train
from stages.pipeline.command import command_line
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json
from stages.pipeline.guard import guarded
from stages.schedules.rates import save_rates, steps_per_epoch

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Write the learning rate and momentum of every step of the dense run."""
    with guarded("dense_curve") as stage:
        train = stage.read("train", Train)
        about = read_json("data/prepared/description.json")
        for line in train.recipe.augment.misfits(about["height"], about["width"]):
            raise Fault(f"params.yaml: {line}")
        images = about["train"]
        steps = steps_per_epoch(images, train.recipe.batch_size)
        if not steps:
            raise Fault(
                f"params.yaml: train.recipe.batch_size is {train.recipe.batch_size}; "
                f"it should be at most the {images} training images"
            )
        save_rates(stage.output("models/dense_curve.safetensors"), train.rates(steps))


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
