"""Every format that is read: what writes a small valid file of it, and what reads it."""

import gzip
import json
import struct
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stages.data.sources.folder import FORMATS, folder
from stages.data.sources.mnist import _idx
from stages.evaluation.outcome import Outcome, load_outcome, save_outcome
from stages.images import prepared
from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.files import (
    load_array,
    load_arrays,
    map_array,
    read_json,
    read_meta,
    save_arrays,
    save_rows,
)
from stages.pipeline.manifest import Manifest
from stages.pipeline.params import read_yaml
from stages.results.files import arm_path, read_arm
from stages.retraining.plan import FILE, Plan, load_plan, save_plan
from stages.runner.times import read_times
from stages.schedules.rates import Rates, load_rates, save_rates
from tests.results.study import arm

RATES = Rates(np.linspace(0.1, 0, 6), np.full(6, 0.9), 3)
DESCRIPTION = {
    "source": "folder",
    "classes": ["a", "b"],
    "channels": 1,
    "height": 2,
    "width": 3,
    "mean": [0.5],
    "std": [0.25],
    "train": 4,
    "validation": 0,
    "test": 2,
}
YAML = "a: &x {b: [1, 2.5, yes], c: !!str 1}\nd: *x\n? 'e'\n: |\n  null\nf: {<<: *x, g: 010}\n"
PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


class Format(NamedTuple):
    """The file's name in an empty folder, what writes it there, and what reads it."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]


def write_outcome(path: Path) -> None:
    logits = {"last": {"test": np.zeros((4, 2), np.float32)}}
    save_outcome(path, Outcome(logits, 9, 9, 9, {"lr": np.zeros(2)}, 1.0, (3,)))


def write_network(path: Path) -> None:
    spec = Spec("stages/models/resnet.py", "resnet8", {"width": 1}, 2, 1)
    compact.save(path, build(spec, 0), spec)


def write_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value))


@cache
def record() -> dict[str, Any]:
    return json.loads(arm("l1", "onecycle", 2, 4).model_dump_json())


def write_description(path: Path) -> None:
    for part in prepared.PARTS:
        rows = DESCRIPTION[part]
        images = np.zeros((rows, 1, 2, 3))
        save_rows(path.parent / f"{part}_images.npy", np.uint8, images.shape, [images])
        save_rows(path.parent / f"{part}_labels.npy", np.int64, (rows,), [np.zeros(rows)])
    write_json(DESCRIPTION, path)


def read_record(path: Path) -> Any:
    target = arm_path(path.parent, "l1", "onecycle")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    return read_arm(path.parent, "l1", "onecycle")


def idx() -> bytes:
    return struct.pack(">BBBB3i", 0, 0, 8, 3, 2, 3, 4) + bytes(24)


def write_image(format: str, path: Path) -> None:
    """Write an image where `folder` looks for it, and a data set around it."""
    for part in ("train", "test"):
        (path.parent / part / "a").mkdir(parents=True)
        Image.fromarray(PIXELS).save(path.parent / part / "a" / "x.png", "PNG")
    Image.fromarray(PIXELS).save(path, format=format)


def read_image(path: Path) -> Any:
    (path.parent / "train" / "a" / "x.png").write_bytes(path.read_bytes())
    return folder(path.parent, Path(), channels=1).train_images[np.array([0])]


def labels(path: Path) -> Any:
    return load_array(path, np.int64), map_array(path, np.int64, (3,))


idx_of = partial(_idx, "train-images-idx3-ubyte")
TENSORS = {
    "tensors": Format(
        "x", lambda p: save_arrays(p, {"a": np.arange(6.0)}, {"b": [1, None]}), load_arrays
    ),
    "metadata": Format("x", lambda p: save_arrays(p, {"a": np.zeros(1)}, {"b": 1}), read_meta),
    "rates": Format("x", lambda p: save_rates(p, RATES), load_rates),
    "plan": Format(
        FILE,
        lambda p: save_plan(p.parent, Plan("final", "replay", RATES, 2, 1, (0.5,))),
        lambda p: load_plan(p.parent),
    ),
    "outcome": Format("x", write_outcome, load_outcome),
    "network": Format("x", write_network, compact.load),
}
JSON = {
    "json": Format("x", partial(write_json, [{"a": 1.5}]), read_json),
    "record": Format("x", lambda p: write_json(record(), p), read_record),
    "description": Format("description.json", write_description, lambda p: prepared.load(p.parent)),
    "manifest": Format(
        "manifest.json",
        lambda p: write_json({"of": p.parent.stem, "files": {"a": [1, "0"]}}, p),
        lambda p: Manifest.read(p.parent),
    ),
    "times": Format("x", partial(write_json, {"train": 1.5}), read_times),
}
LABELS = Format("x", lambda p: save_rows(p, np.int64, (3,), [np.arange(3)]), labels)
PARAMS = Format("x", lambda p: p.write_text(YAML), read_yaml)
IMAGES = {
    "idx": Format("x", lambda p: p.write_bytes(idx()), idx_of),
    "gz": Format("x.gz", lambda p: p.write_bytes(gzip.compress(idx())), idx_of),
    **{name: Format("x", partial(write_image, name), read_image) for name in FORMATS},
}
ALL = {**TENSORS, **JSON, **IMAGES, "labels": LABELS, "params": PARAMS}
