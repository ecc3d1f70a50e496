"""The dense run of a replicate, as `train` makes it and `checkpoint` repeats it."""

from dataclasses import dataclass
from pathlib import Path

from stages.data.images import Prepared
from stages.files import load_arrays, read_meta, save_arrays
from stages.models.registry import Spec, build
from stages.params.compute import Compute
from stages.params.model import Model
from stages.params.recipe import Recipe
from stages.schedules.curve import Curve
from stages.training.loop import Run
from stages.training.optimizer import SGD
from stages.training.order import DENSE
from stages.training.precision import placed


@dataclass(frozen=True)
class Dense:
    """What defines the dense run of every replicate; replicate i has the seed `seed + i`."""

    model: Model
    recipe: Recipe
    curve: Curve
    compute: Compute
    seed: int

    def spec(self, data: Prepared) -> Spec:
        """Return what builds the network for this data."""
        channels = data.train.images.shape[1]
        model = self.model
        return Spec(model.code, model.factory, model.options, data.classes, channels)

    def begin(self, replicate: int, data: Prepared) -> Run:
        """Return the run of a replicate at epoch 0."""
        seed, recipe, compute = self.seed + replicate, self.recipe, self.compute
        network = placed(build(self.spec(data), seed), data.mean.device, compute)
        optimizer = SGD(network, recipe.weight_decay, recipe.nesterov)
        return Run(network, optimizer, data, recipe, self.curve, seed, DENSE, compute=compute)


def save_checkpoint(folder: Path, run: Run) -> None:
    """Write weights, momentum and position of a run; its generators follow from the position."""
    about = {"epoch": run.epoch, "seed": run.seed, "stream": run.stream}
    save_arrays(folder / f"epoch_{run.epoch:04d}.safetensors", run.state(), about)


def go_to(run: Run, epoch: int, kept: Path) -> None:
    """Bring a run on to the end of `epoch`, from the nearest earlier checkpoint in `kept`.

    The result equals, to the bit, the state that the undisturbed run had there.
    """
    files = {read_meta(file)["epoch"]: file for file in kept.glob("epoch_*.safetensors")}
    start = max((e for e in files if e <= epoch), default=0)
    if start > run.epoch:
        run.restore(load_arrays(files[start]), start)
    while run.epoch < epoch:
        run.advance()
