"""What entries of params.yaml mean, however they are written: what is equal here is one setting."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.data.settings import DATA
from stages.dense.settings import Train
from stages.networks.settings import Model
from stages.pipeline.params import parse
from stages.pruning.settings import ITERATIVE, METHOD
from stages.retraining.settings import SCHEDULE

OWN = ("arrays", "folder")
"""Sources of which `data.root` says what the images are."""
RATES = ("lr", "max_lr")
"""Keys of a schedule that may hold a learning rate or the word for one."""
Form = dict[str, Any]


def dense_form(settings: Mapping[str, Any], file: Path) -> Form:
    """Return the data, model and train groups with all defaults; a Fault names what is wrong.

    Without where the files are and which checkpoints are kept, which change no network, nor the
    seed of the first replicate: replicates are told apart by their own.
    """
    data, model, train = (
        parse(kind, settings.get(key), key, file).model_dump(mode="json")
        for key, kind in (("data", DATA), ("model", Model), ("train", Train))
    )
    if data["source"] not in OWN:
        data.pop("root")
    train.pop("checkpoint_every")
    return {"data": data, "model": model, "train": train}


def method_form(entry: Mapping[str, Any], name: str = "", file: Path = Path()) -> Form:
    """Return a pruning method with all defaults."""
    kind, key = (ITERATIVE, "iterative") if "rounds" in entry else (METHOD, "methods")
    form: Form = parse(kind, entry, f"prune.{key}.{name}", file).model_dump(mode="json")
    return form


def schedule_form(
    entry: Mapping[str, Any], peak: float, name: str = "", file: Path = Path()
) -> Form:
    """Return a schedule with all defaults but its epochs; the dense run's `peak` is "max" there."""
    form: Form = parse(SCHEDULE, entry, f"retrain.schedules.{name}", file).model_dump(mode="json")
    form.pop("epochs")
    return {key: "max" if key in RATES and value == peak else value for key, value in form.items()}
