"""The dense run of a replicate, as `train` makes it and `checkpoint` repeats it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.evaluation.measure import measure
from stages.evaluation.outcome import save_outcome
from stages.images.prepared import Prepared
from stages.networks.building import Spec, build, check_output
from stages.networks.compact import save
from stages.networks.settings import Model
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.replicates.precision import placed
from stages.replicates.ranks import by_leader, from_leader
from stages.replicates.replicate import Replicate
from stages.replicates.seeds import DENSE
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates
from stages.training.divergence import Divergence
from stages.training.history import History
from stages.training.loop import Run
from stages.training.optimizer import Optimizer
from stages.training.settings import Recipe


@dataclass(frozen=True)
class DenseRun:
    """What defines the dense run of every replicate; replicate i has the seed `seed + i`."""

    model: Model
    recipe: Recipe
    rates: Rates
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
        spec = self.spec(data)
        network = build(spec, seed)
        check_output(network, spec, data.train.images[0].cpu())
        network = placed(network, data.mean.device, compute)
        optimizer = Optimizer(network, recipe.optimizer, decayed=recipe.decayed, clip=recipe.clip)
        return Run(network, optimizer, data, recipe, self.rates, seed, DENSE, compute=compute)


def check_converged(number: int, diverged: Divergence | None) -> None:
    """Raise a Fault where the dense run of a replicate diverged: all that follows starts there."""
    if diverged:
        raise Fault(
            f"replicate {number}: the dense network {diverged}; all arms start from it, so nothing "
            "can follow: lower train.lr or change train.schedule"
        )


@by_leader
def save_trained(this: Replicate, run: Run, spec: Spec, history: History) -> None:
    """Write a finished run: the final network, and the outcome of that file."""
    final = this.networks / "final" / f"{this.name}.safetensors"
    save(final, run.network, spec)
    trained = {"history": history.columns()} if history.rows else {}
    outcome = measure({"final": final}, run.data, run.compute, **trained)
    save_outcome(this.outcome, outcome)


def checkpoints_every(epochs: int, folder: Path) -> Callable[[Run], None]:
    """Return what saves a checkpoint into `folder` when a multiple of `epochs` has been trained."""

    def keep(run: Run) -> None:
        if run.epoch % epochs == 0:
            save_checkpoint(folder, run)

    folder.mkdir(parents=True, exist_ok=True)
    return keep


@by_leader
def save_checkpoint(folder: Path, run: Run) -> None:
    """Write weights, momentum and position of a run; its generators follow from the position."""
    about = {"epoch": run.epoch, "seed": run.seed, "stream": run.stream}
    save_arrays(folder / f"epoch_{run.epoch:04d}.safetensors", run.state(), about)


def go_to(run: Run, epoch: int, kept: Path) -> Divergence | None:
    """Bring a run on to the end of `epoch`, from the nearest earlier checkpoint in `kept`.

    The result equals, to the bit, the state that the undisturbed run had there. Returns where it
    diverged, as it may where it is repeated in another environment.
    """
    files = {read_meta(file)["epoch"]: file for file in kept.glob("epoch_*.safetensors")}
    start = max((e for e in files if e <= epoch), default=0)
    if start > run.epoch:
        run.restore(load_arrays(files[start]), start)
    while run.epoch < epoch:
        loss = run.advance()
        if not from_leader(run.finite):  # statistics of BatchNorm differ between ranks
            return run.divergence(run.epoch, loss)
    return None
