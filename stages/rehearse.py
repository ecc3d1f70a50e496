"""rehearse: network, pruning methods and parts to train tried out, before anything is trained."""

import warnings

import typer

from stages.networks.building import Spec
from stages.networks.settings import Model
from stages.networks.trial import try_out
from stages.pipeline.command import command_line
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json, write_text
from stages.pipeline.guard import guarded
from stages.pruning.rehearsal import misfits
from stages.pruning.settings import ITERATIVES, METHODS
from stages.retraining.blocks import without_blocks
from stages.retraining.trainable import missing_parts

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Take one step with an untrained network and prune it by every method; write that it works."""
    with guarded("rehearse") as stage:
        model = stage.read("model", Model)
        once = stage.read("prune.methods", METHODS)
        rounds = stage.read("prune.iterative", ITERATIVES)
        about = read_json("data/prepared/description.json")
        shape = about["channels"], about["height"], about["width"]
        classes = len(about["classes"])
        spec = Spec(model.code, model.factory, model.options, classes, shape[0])
        warnings.simplefilter("ignore")  # what is wrong is told in one line
        starts = read_json("build/starts.json")
        network = try_out(spec, shape, seed=0, starts_fresh=starts["fresh"])
        methods = {f"prune.methods.{name}": [entry.method()] for name, entry in once.items()} | {
            f"prune.iterative.{name}": entry.methods() for name, entry in rounds.items()
        }
        faults = [
            *misfits(network, methods, model.code, shape, classes),
            *missing_parts(network, starts["trainable"], classes),
            *without_blocks(network, starts.get("reconstructed", ()), shape),
        ]
        if faults:
            raise Fault("\n".join(f"params.yaml: {line}" for line in faults))
        write_text(stage.output("build/network.ok"), "ok\n")


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
